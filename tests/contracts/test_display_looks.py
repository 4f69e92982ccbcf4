"""Looks of every display: read on light and dark grounds, no label cut."""

import warnings
from functools import cache

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba

from moe_classic import HierarchicalMoERegressor, MoERegressor
from moe_classic.inspection import (
    CalibrationDisplay,
    CoefficientDisplay,
    ConvergenceDisplay,
    ExpertsDisplay,
    FanDisplay,
    GateDisplay,
    LikelihoodRatioDisplay,
    LoadDisplay,
    PartitionDisplay,
    PathDisplay,
    ResidualDisplay,
    ResponsibilityDisplay,
    RoutingDisplay,
    SelectionDisplay,
    SensitivityDisplay,
    TreeDisplay,
)
from moe_classic.model_selection import path

LONG = "a feature whose name is as long as those in the questionnaires of a census"
RNG = np.random.default_rng(0)
X = pd.DataFrame({"age": RNG.uniform(-2.0, 2.0, 120), LONG: RNG.uniform(-2.0, 2.0, 120)})
STEEP = X.age + 0.5 * RNG.standard_normal(120) > 0
Y = pd.Series(np.where(STEEP, 3.0 * X.age, X[LONG]) + 0.3 * RNG.standard_normal(120), name=LONG)
X["town"] = RNG.choice([0.0, 1.0], 120)
SMALL = {"n_points": 8}
LOADS = RNG.dirichlet(np.ones(4), (6, 1))
CURVES = pd.DataFrame(
    {
        "n_experts": [1, 2, 1, 2],
        "value": [3.0, 2.0, 4.0, 1.0],
        "label": ["short", "short", LONG, LONG],
    }
)


@cache
def found():
    """A short path of penalties."""
    return path(X, Y, alphas=3)


#: Contrast (WCAG 2.1) below which text is not read, and a line not seen.
READ, SEEN = 4.5, 1.3
#: Displays with a light picture behind their marks, on any ground.
LIGHT = {"density"}

DISPLAYS = {
    "gate": lambda m, t: GateDisplay.from_estimator(m, X, feature=LONG, **SMALL),
    "gate, two values": lambda m, t: GateDisplay.from_estimator(m, X, feature="town"),
    "gate, stacked": lambda m, t: GateDisplay.from_estimator(
        m, X, feature="age", kind="stacked", **SMALL
    ),
    "experts": lambda m, t: ExpertsDisplay.from_estimator(m, X, Y, feature=LONG, **SMALL),
    "experts, two values": lambda m, t: ExpertsDisplay.from_estimator(m, X, Y, feature="town"),
    "partition": lambda m, t: PartitionDisplay.from_estimator(
        m, X, Y, features=("age", LONG), **SMALL
    ),
    "responsibility": lambda m, t: ResponsibilityDisplay.from_estimator(m, X, Y),
    "responsibility, histogram": lambda m, t: ResponsibilityDisplay.from_estimator(
        m, X, Y, kind="histogram"
    ),
    "coefficient": lambda m, t: CoefficientDisplay.from_estimator(m, X, Y),
    "calibration": lambda m, t: CalibrationDisplay.from_estimator(m, X, Y),
    "coverage": lambda m, t: CalibrationDisplay.from_estimator(m, X, Y, kind="coverage"),
    "fan": lambda m, t: FanDisplay.from_estimator(m, X, Y, feature=LONG, **SMALL),
    "fan, two values": lambda m, t: FanDisplay.from_estimator(m, X, Y, feature="town", **SMALL),
    "density": lambda m, t: FanDisplay.from_estimator(
        m, X, Y, feature="age", kind="density", **SMALL
    ),
    "trace": lambda m, t: ConvergenceDisplay.from_estimator(m),
    "gap": lambda m, t: ConvergenceDisplay.from_estimator(m, kind="gap"),
    "starts": lambda m, t: ConvergenceDisplay.from_estimator(m, kind="starts"),
    "tree": lambda m, t: TreeDisplay.from_estimator(t),
    "residual": lambda m, t: ResidualDisplay.from_estimator(m, X, Y, feature=LONG),
    "residual, two values": lambda m, t: ResidualDisplay.from_estimator(m, X, Y, feature="town"),
    "worm": lambda m, t: ResidualDisplay.from_estimator(m, X, Y, kind="worm"),
    "likelihood ratio": lambda m, t: LikelihoodRatioDisplay(
        statistic=30.0, null=RNG.chisquare(4, 99), n_experts=1, p_value=0.01
    ).plot(),
    "selection": lambda m, t: SelectionDisplay(
        curves=CURVES, criterion="BIC", greater_is_better=False
    ).plot(),
    "sensitivity": lambda m, t: SensitivityDisplay.from_estimator(m, X, n_samples=64),
    "effects": lambda m, t: SensitivityDisplay.from_estimator(m, X, n_samples=64, kind="effects"),
    "path": lambda m, t: PathDisplay.from_path(found()),
    "path, criterion": lambda m, t: PathDisplay.from_path(found(), kind="criterion"),
    "load": lambda m, t: LoadDisplay(load=4.0 * LOADS[:, 0], best=3).plot(),
    "routing": lambda m, t: RoutingDisplay(
        weights=LOADS[:, 0], points=RNG.random((6, 2)), labels=("age", LONG)
    ).plot(),
    "routing, classes": lambda m, t: RoutingDisplay(
        weights=LOADS[:, 0], classes=["low", "high", LONG] * 2
    ).plot(),
}


@pytest.fixture(autouse=True)
def _figures():
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def models():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moe = MoERegressor(2, n_init=3, random_state=0).fit(X, Y)
        tree = HierarchicalMoERegressor((2,), n_init=1, random_state=0).fit(X, Y)
    return moe, tree


def brightness(color):
    """Relative luminance."""
    part = np.asarray(to_rgba(color)[:3])
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a, b):
    """Ratio of 1 (the same) to 21 (black on white)."""
    low, high = sorted([brightness(a), brightness(b)])
    return (high + 0.05) / (low + 0.05)


def texts(figure):
    """Texts that are drawn."""
    return [t for t in figure.findobj(mpl.text.Text) if t.get_visible() and t.get_text().strip()]


def ground(text, axes):
    """Colour behind a text."""
    box = text.get_bbox_patch()
    inside = text.axes is axes and text in axes.texts
    if box is not None:
        return box.get_facecolor()
    shade = [i.cmap(i.norm(i.get_array())) for i in axes.get_images()] if inside else []
    if shade and np.ndim(shade[0]) == 3:
        x, y = (round(v) for v in text.get_position())
        return shade[0][y, x]
    return axes.get_facecolor() if inside and axes.axison else axes.figure.get_facecolor()


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("name", DISPLAYS)
def test_texts_and_lines_stand_out_and_no_label_is_cut(models, name, style):
    with plt.style.context(style):
        display = DISPLAYS[name](*models)
        ax, figure = display.ax_, display.figure_
        figure.canvas.draw()
    # No label is cut.
    drawn, page = figure.get_tightbbox().extents, figure.get_size_inches()
    assert (drawn[:2] >= -0.02).all()
    assert (drawn[2:] <= page + 0.02).all()
    assert ax.get_position().width > 0.5
    for text in texts(figure):
        behind = ground(text, text.axes or ax)
        assert contrast(text.get_color(), behind) >= READ, text.get_text()
    covered = bool(ax.get_images())
    for line in ax.get_lines():
        if line.get_linestyle() != "None" and not covered:
            assert contrast(line.get_color(), ax.get_facecolor()) >= SEEN, line.get_label()
    for marks in ax.collections:
        if isinstance(marks, PathCollection) and not (covered or name in LIGHT):
            for color in marks.get_facecolor():
                assert contrast(color, ax.get_facecolor()) >= SEEN, marks.get_label()
