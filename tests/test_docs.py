"""The documentation names everything public, and its code runs."""

import importlib
import importlib.util
import inspect
import re
import warnings
from functools import cache
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

import moe_classic
from moe_classic.datasets import load_motorcycle, make_speakers, make_vowels
from moe_classic.experts import EXPERTS
from moe_classic.gates import GATES
from moe_classic.inference import Inference
from moe_classic.model_selection import LikelihoodRatioTest, Selection
from moe_classic.routers import ROUTERS, RoutingWarning
from moe_classic.solvers import SOLVERS

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = [
    "index",
    "install",
    "displays",
    "user_guide",
    "coming_from",
    "routers",
    "zoo",
    "mathematics",
    "architecture",
    "extending",
]
PACKAGES = [
    "moe_classic",
    *(
        f"moe_classic.{name}"
        for name in moe_classic.__all__
        if inspect.ismodule(getattr(moe_classic, name))
    ),
    "moe_classic.predictive",
]
FENCE = re.compile(r"^```python\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| ([^|]+) \| ([^|]*\d{4}[^|]*) \| `([^`]+)` \|$", flags=re.MULTILINE)


def page(name: str) -> str:
    """Text of a page."""
    return (DOCS / f"{name}.md").read_text("utf-8")


def zoo() -> list[tuple[str, str, str, str]]:
    """Section, system, source and line of the rows of the zoo."""
    parts = re.split(r"^## (.*)$", page("zoo"), flags=re.MULTILINE)[1:]
    sections = zip(parts[::2], parts[1::2], strict=True)
    return [(section, *row) for section, text in sections for row in ROW.findall(text)]


ZOO = zoo()


# ------------------------------------------------------------------------- the reference


def listed() -> set[str]:
    """Full names in the reference."""
    found, module = set(), ""
    for line in (DOCS / "api.rst").read_text("utf-8").splitlines():
        if line.startswith(".. currentmodule::"):
            module = line.split()[-1]
        elif re.fullmatch(r"   \w+", line):
            found.add(f"{module}.{line.strip()}")
        elif line.startswith(".. registry::"):
            found.add(".".join(line.split()[-2:]))
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_reference_lists_every_public_name(package):
    module = importlib.import_module(package)
    names = {name for name in module.__all__ if name != "__version__"}
    packages = {name for name in names if f"{package}.{name}" in PACKAGES}
    assert {f"{package}.{name}" for name in names - packages} <= listed()


def test_reference_lists_nothing_else():
    for name in listed():
        package, _, last = name.rpartition(".")
        assert last in importlib.import_module(package).__all__, name


@pytest.mark.parametrize("registry", [EXPERTS, GATES, SOLVERS], ids=["expert", "gate", "solver"])
def test_guide_helps_to_choose_every_component(registry):
    text = page("user_guide")
    for name, component in registry.items():
        assert f'"{name}"' in text or component.__name__ in text, name


# ------------------------------------------------------------------------- the zoo


def test_zoo_gives_the_reference_of_every_source():
    references = page("zoo").partition("## References")[2]
    given = set(
        re.findall(r"^- ([\w'é]+(?: \w+)?), .*?\((\d{4})\)", references, flags=re.MULTILINE)
    )
    cited = set()
    for _, _, source, _ in ZOO:
        for part in source.split("; "):
            author, year = re.match(r"([\w'é]+(?: Veaux)?).*?(\d{4})", part).groups()
            cited.add((author, year))
    assert cited == given


def test_zoo_shows_what_the_notebook_fits():
    source = (DOCS.parent / "notebooks/sources/10_zoo.py").read_text("utf-8")
    fitted = set(re.findall(r'^(?:zoo|classifiers|blends)\["([^"]+)"', source, flags=re.MULTILINE))
    assert len(fitted) >= 20
    assert fitted <= {system for _, system, _, _ in ZOO}


@cache
def data(section: str) -> dict[str, object]:
    """Names that the lines of a section may use, and what ``fit`` gets."""
    if section.lower().endswith("classification"):
        vowels = make_vowels(random_state=0)
        some = np.isin(vowels.target_names[vowels.target], ["iy", "aa", "uw"])
        X = pd.DataFrame(vowels.data[some], columns=vowels.feature_names)
        return {"X": X, "y": vowels.target[some]}
    if section == "Several sources":
        X, y, sources = make_speakers(600, random_state=0)
        return {"X": X, "y": y, "sources": sources}
    if section in ("Counts", "Positive targets", "Shares"):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"age": rng.normal(size=150), "years": rng.uniform(0.5, 2.0, 150)})
        mean = X.years * np.exp(0.5 + np.abs(X.age))
        if section == "Counts":
            return {"X": X, "y": rng.poisson(mean).clip(max=40)}
        y = rng.gamma(3.0, mean / 3.0)
        return {"X": X, "y": y if section == "Positive targets" else y / (1.0 + y)}
    X, y = load_motorcycle(return_X_y=True, as_frame=True)
    return {"X": X, "y": y}


def names_of_the_zoo() -> dict[str, object]:
    """What the imports at the head of the page bring."""
    names: dict[str, object] = {}
    exec(FENCE.search(page("zoo"))[1], names)
    return names


@pytest.mark.parametrize(("section", "line"), [(row[0], row[3]) for row in ZOO])
@pytest.mark.filterwarnings("ignore:.*converge:sklearn.exceptions.ConvergenceWarning")
def test_every_line_of_the_zoo_works(section, line):
    given = data(section)
    found = eval(line, names_of_the_zoo() | given)
    if section == "How many experts, and how sure":
        assert isinstance(found, (Selection, LikelihoodRatioTest, Inference, float))
        return
    with warnings.catch_warnings():
        # The page is about what the lines say; they are run with few starts and few passes.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RoutingWarning)
        given_now = found.get_params()
        # A hard mixture has fewer rounds at its default.
        passes = min(3 if "gate_iter" in given_now else 20, given_now.get("max_iter", 20))
        quick = {"random_state": 0, "n_init": 1, "max_iter": passes, "gate_iter": 50}
        quick = {name: value for name, value in quick.items() if name in given_now}
        if not re.search(r"partial_fit|recursively", line):
            found.set_params(**quick).fit(**given)
    check_is_fitted(found)
    assert np.all(np.isfinite(found.score(given["X"], given["y"])))
    assert found.predict(given["X"]).shape == np.shape(given["y"])


# ------------------------------------------------------------------------- code on other pages


@pytest.mark.parametrize("name", PAGES)
def test_code_on_a_page_is_python(name):
    for block in FENCE.findall(page(name)):
        compile(block, name, "exec")


def test_code_on_the_front_page_runs():
    names: dict[str, object] = {}
    for block in FENCE.findall(page("index")):
        exec(block, names)
    assert names["moe"].gate_proba(names["X"]).shape == (133, 4)


def test_code_of_the_guide_runs():
    mpl.use("Agg")
    names = names_of_the_zoo() | data("Regression")
    pytest.importorskip("onnx", reason="needs the extra onnx")
    exec("from sklearn.model_selection import GridSearchCV", names)
    exec("from sklearn.tree import DecisionTreeRegressor", names)
    exec("from sklearn.preprocessing import StandardScaler", names)
    exec("from moe_classic.pipeline import MoEPipeline", names)
    names["motorcycle"] = load_motorcycle(as_frame=True).frame
    pytest.importorskip("formulaic", reason="needs the extra formula")
    pytest.importorskip("dask.dataframe", reason="needs the extra dask")
    exec("from moe_classic.inspection import *", names)
    names["moe"] = moe_classic.MoERegressor(2, n_init=2, random_state=0).fit(names["X"], names["y"])
    for block in FENCE.findall(page("user_guide")):
        exec(block, names)
    plt.close("all")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_code_for_those_who_come_from_elsewhere_runs():
    pytest.importorskip("formulaic", reason="needs the extra formula")
    pytest.importorskip("statsmodels", reason="needs statsmodels, in the extra test")
    rng = np.random.default_rng(0)
    n = 90
    d = pd.DataFrame({"x": rng.uniform(0.0, 3.0, n), "age": rng.uniform(20.0, 60.0, n)})
    d["time"], d["days"], d["id"] = rng.uniform(0.0, 3.0, n), rng.uniform(1.0, 3.0, n), range(n)
    d["sex"], d["treatment"], d["arm"] = (rng.choice(["a", "b"], n) for _ in range(3))
    d["y"] = np.where(d.age < 40.0, 3.0 * d.x, 5.0 - d.x) + rng.normal(size=n)
    d["y1"], d["y2"], d["n"] = d.y, rng.normal(size=n), rng.poisson(np.exp(0.5 * d.x))
    names: dict[str, object] = {"d": d, "data": d}
    takes = "groups" in inspect.signature(moe_classic.MoERegressor.fit).parameters
    for block in FENCE.findall(page("coming_from")):
        lines = [line for line in block.splitlines() if takes or "groups=" not in line]
        # The page's bootstrap is as long as a reader wants it; its call works with few draws too.
        few = "\n".join(lines).replace("=1, estimator", "=1, n_bootstrap=9, estimator")
        exec(few, names)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::moe_classic.routers.RoutingWarning")
def test_code_of_the_page_of_routers_runs_and_it_names_all():
    mpl.use("Agg")
    names: dict[str, object] = {}
    for block in FENCE.findall(page("routers")):
        exec(block, names)
    plt.close("all")
    for name in ROUTERS:
        assert f'"{name}"' in page("routers") + page("zoo"), name


def test_guide_names_every_display():
    for name in moe_classic.inspection.__all__:
        assert name in page("user_guide")


# ------------------------------------------------------------------------- pictures


def test_page_of_displays_draws_every_display_and_its_pictures_are_there(tmp_path):
    spec = importlib.util.spec_from_file_location("_displays", DOCS / "_displays.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = page("displays")
    script.draw(text, tmp_path)
    drawn = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.png")}
    committed = {path.relative_to(DOCS) for path in DOCS.glob("images/displays/*.png")}
    assert drawn == committed
    assert len(drawn) == text.count("](images/displays/")
    for name in filter(lambda n: n.endswith("Display"), moe_classic.inspection.__all__):
        assert f"{name}.from_" in text
    for path in drawn:
        with Image.open(tmp_path / path) as ours, Image.open(DOCS / path) as theirs:
            # Another version of matplotlib may move a letter, but the picture is the same one.
            assert np.abs(np.subtract(ours.size, theirs.size)).max() <= 20, path


def test_page_of_the_architecture_shows_every_room(tmp_path):
    spec = importlib.util.spec_from_file_location("_architecture", DOCS / "_architecture.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    levels, arrows = script.draw(tmp_path / "drawn.png")
    rooms = {path.name.removesuffix(".py") for path in Path(moe_classic.__path__[0]).iterdir()}
    assert levels.keys() == {r for r in rooms if r.isidentifier() and r != "__pycache__"}
    assert len(script.WORDS) == 1 + max(levels.values())
    assert all(levels[a] >= levels[b] for a, b in arrows)
    assert str(script.PICTURE) in page("architecture")
    for name in script.THEORY:
        assert f"**`{name}`**" in page("architecture")
    with Image.open(tmp_path / "drawn.png") as ours, Image.open(DOCS / script.PICTURE) as theirs:
        # Another version of matplotlib may move a letter, but the picture is the same one.
        assert np.abs(np.subtract(ours.size, theirs.size)).max() <= 20


def test_modules_that_the_pages_name_are_there():
    root = Path(moe_classic.__path__[0])
    known = {path.relative_to(root).as_posix() for path in root.rglob("*.py")}
    for name in re.findall(r"`(?:\w+/)*(\w+\.py)`", page("architecture")):
        assert any(path.endswith(name) for path in known | {"test_structure.py"}), name
    guide = (DOCS.parent / "CONTRIBUTING.md").read_text("utf-8")
    for name in re.findall(r"`moe_classic/([\w/]+)/`", guide):
        assert (root / name).is_dir(), name


def test_every_page_of_the_reference_has_an_example():
    without, module = [], ""
    for line in (DOCS / "api.rst").read_text("utf-8").splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif re.fullmatch(r"   \w+", line):
            item = getattr(importlib.import_module(module), line.strip())
            if ">>> " not in (inspect.getdoc(item) or ""):
                without.append(f"{module}.{line.strip()}")
    assert without == []
