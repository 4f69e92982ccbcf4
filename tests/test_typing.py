"""A user's script, checked by mypy and pyright: what an editor knows of an estimator."""

import os
import re
import subprocess
import sys
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


def write_script(folder, texts, reveal):
    """A user's script with an expression a line."""
    names = sorted({text.partition("(")[0] for text in texts})
    lines = [f"from moe_classic import {', '.join(names)}", "X, y = [[0.0], [1.0]], [0.0, 1.0]"]
    lines += [f"reveal_type({text})" if reveal else text for text in texts]
    script = folder / "script.py"
    script.write_text("\n".join(lines), "utf-8")
    return script


def mypy(script):
    """What mypy says of a script."""
    pytest.importorskip("mypy")
    options = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent"]
    # What it learned of numpy serves the next script too.
    options += ["--cache-dir", str(script.parents[1] / "mypy")]
    # mypy finds an installed package by itself, and refuses its folder in the path.
    shell = {"PATH": ""} if HOME.name == "site-packages" else {"MYPYPATH": str(HOME), "PATH": ""}
    command = [sys.executable, "-m", "mypy", *options, script.name]
    return run(command, script.parent, shell)


def pyright(script, *options):
    """What pyright says of a script."""
    pytest.importorskip("pyright", reason="needs pyright")
    shell = os.environ | {"PYTHONPATH": str(HOME)}
    python = ["--pythonpath", sys.executable]
    given = [*options] or [script.name]
    folder = HOME if options else script.parent
    return run([sys.executable, "-m", "pyright", *python, *given], folder, shell)


def run(command, folder, shell):
    """A finished command."""
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=shell
    )


def test_editor_knows_what_estimators_return(tmp_path):
    done = mypy(write_script(tmp_path, TYPES, reveal=True))
    found = re.findall(r'Revealed type is "(.*)"', done.stdout)
    assert len(found) == len(TYPES), done.stdout + done.stderr
    for (text, known), told in zip(TYPES.items(), found, strict=True):
        pattern = re.escape(known).replace(r"\*", ".*")
        assert re.fullmatch(pattern + ".*", told), f"{text} is {told}"
    assert done.returncode == 0, done.stdout


def test_misspelt_methods_are_errors(tmp_path):
    done = mypy(write_script(tmp_path, WRONG, reveal=False))
    for word in WRONG.values():
        assert f'has no attribute "{word}"' in done.stdout, done.stdout


def test_pyright_knows_the_same(tmp_path):
    done = pyright(write_script(tmp_path, TYPES, reveal=True))
    found = re.findall(r'Type of ".*" is "(.*)"', done.stdout)
    assert len(found) == len(TYPES), done.stdout + done.stderr
    for (text, known), told in zip(TYPES.items(), found, strict=True):
        pattern = re.escape(known.replace("numpy.", "").replace("*.", "")).replace(r"\*", ".*")
        assert re.fullmatch(pattern + ".*", told), f"{text} is {told}"
    assert "0 errors" in done.stdout
    wrong = pyright(write_script(tmp_path, WRONG, reveal=False))
    for word in WRONG.values():
        assert f'Cannot access attribute "{word}"' in wrong.stdout, wrong.stdout


def test_public_types_are_known(tmp_path):
    done = pyright(tmp_path / "none", "--verifytypes", "moe_classic", "--ignoreexternal")
    unknown = re.findall(r"With unknown type: (\d+)", done.stdout)
    assert unknown == ["0", "0"], done.stdout[-2000:]
    (score,) = re.findall(r"completeness score: ([\d.]+)%", done.stdout)
    assert float(score) > 85.0
