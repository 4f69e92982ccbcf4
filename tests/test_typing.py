"""A user's script, checked by mypy: what an editor knows of an estimator after ``fit``."""

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


def test_editor_knows_what_estimators_return(tmp_path):
    pytest.importorskip("mypy")
    names = sorted({text.partition("(")[0] for text in TYPES})
    lines = [f"from moe_classic import {', '.join(names)}", "X, y = [[0.0], [1.0]], [0.0, 1.0]"]
    lines += [f"reveal_type({text})" for text in TYPES]
    script = tmp_path / "script.py"
    script.write_text("\n".join(lines), "utf-8")
    options = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent"]
    command = [
        sys.executable,
        "-m",
        "mypy",
        *options,
        "--cache-dir",
        str(tmp_path / "c"),
        "script.py",
    ]
    home = Path(moe_classic.__file__).parents[1]
    # mypy finds an installed package by itself, and refuses its folder in the path.
    shell = {"PATH": ""} if home.name == "site-packages" else {"MYPYPATH": str(home), "PATH": ""}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=shell
    )
    found = re.findall(r'Revealed type is "(.*)"', done.stdout)
    assert len(found) == len(TYPES), done.stdout + done.stderr
    for (text, known), told in zip(TYPES.items(), found, strict=True):
        pattern = re.escape(known).replace(r"\*", ".*")
        assert re.fullmatch(pattern + ".*", told), f"{text} is {told}"
    assert done.returncode == 0, done.stdout
