"""Examples in docstrings give what they say, and everything that a user makes has one."""

import doctest
import importlib
import inspect
import pkgutil

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

import moe_classic
from moe_classic import datasets
from moe_classic.experts import EXPERTS, EstimatorExpert
from moe_classic.gates import GATES, EstimatorGate
from moe_classic.solvers import SOLVERS

NAMES = [
    m.name
    for m in pkgutil.walk_packages(moe_classic.__path__, "moe_classic.")
    if not m.name.endswith("__main__")
]
FINDER = doctest.DocTestFinder(exclude_empty=True)
EXAMPLES = {
    test.name: test
    for name in ["moe_classic", *NAMES]
    for test in FINDER.find(importlib.import_module(name))
    if test.examples
}
ESTIMATORS = [getattr(moe_classic, name) for name in moe_classic.__all__ if name[:1].isupper()]
MADE = [
    *ESTIMATORS,
    *EXPERTS.values(),
    EstimatorExpert,
    *GATES.values(),
    EstimatorGate,
    *SOLVERS.values(),
    *(getattr(datasets, name) for name in datasets.__all__),
]


@pytest.mark.parametrize("test", EXAMPLES.values(), ids=EXAMPLES)
def test_example_gives_what_it_says(test, monkeypatch, tmp_path):
    mpl.use("Agg")
    # Some examples write a file.
    monkeypatch.chdir(tmp_path)
    if "onnx" in test.name:
        pytest.importorskip("onnx", reason="needs the extra onnx")
    told = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    failed, _ = runner.run(test, out=told.append)
    plt.close("all")
    assert not failed, "".join(told)


@pytest.mark.parametrize("item", MADE, ids=lambda item: item.__name__)
def test_what_users_make_shows_an_example(item):
    assert ">>> " in inspect.getdoc(item)
    assert any(name.endswith(f".{item.__name__}") for name in EXAMPLES)
