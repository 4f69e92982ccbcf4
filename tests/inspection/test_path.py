"""Pictures of paths of penalties: what is drawn is what was found."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.inspection import PathDisplay
from moe_classic.inspection._style import DATA_COLOR, expert_color
from moe_classic.model_selection import path
from moe_classic.penalties import Lasso


@pytest.fixture(autouse=True)
def _figures():
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.standard_normal((200, 4)), columns=["age", "income", "height", "weight"])
    y = np.where(X.age > 0.0, 2.0 + 1.5 * X.income, -2.0 - X.height) + 0.4 * rng.normal(size=200)
    return path(X, y, alphas=6, gate_ratios=[0.1, 0.3])


def slopes(display, color):
    """Heights of the lines in a colour."""
    lines = [line for line in display.ax_.get_lines() if same_color(line.get_color(), color)]
    return [line.get_ydata() for line in lines if len(line.get_ydata()) > 2]


def rows_of(found):
    table = found.table
    ratio = table.gate_ratio[found.best_index_]
    return table.index[table.highest & (table.gate_ratio == ratio)]


def test_slopes_of_an_expert_have_its_colour_and_zeros_are_grey(found):
    shown, rows = PathDisplay.from_path(found), rows_of(found)
    chosen = found.coefs_[found.best_index_]
    for k in range(2):
        expected = found.coefs_[rows, k][:, chosen[k] != 0.0]
        np.testing.assert_array_equal(np.transpose(slopes(shown, expert_color(k))), expected)
    grey = np.transpose(slopes(shown, DATA_COLOR))
    assert grey.shape[1] == (chosen == 0.0).sum()
    assert shown.ax_.get_xlim()[0] > shown.ax_.get_xlim()[1]
    names = {text.get_text() for text in shown.ax_.texts}
    assert names == {n for n, c in zip(found.terms_, chosen.any(axis=0), strict=True) if c}
    assert "income" in names
    shown.figure_.canvas.draw()


def test_one_expert_and_the_gate_may_be_drawn(found):
    rows, chosen = rows_of(found), found.coefs_[found.best_index_]
    one = PathDisplay.from_path(found, expert=1)
    assert len(slopes(one, expert_color(0))) == 0
    assert len(slopes(one, expert_color(1))) == (chosen[1] != 0.0).sum()
    gate = PathDisplay.from_path(found, kind="gate")
    inside = found.gate_coefs_[found.best_index_, 0] != 0.0
    expected = found.gate_coefs_[rows, 0][:, inside]
    np.testing.assert_array_equal(np.transpose(slopes(gate, expert_color(0))), expected)


def test_the_chosen_fit_has_a_ring_and_a_line(found):
    shown = PathDisplay.from_path(found, kind="criterion")
    best = found.table.iloc[found.best_index_]
    ring = shown.ax_.collections[-1].get_offsets()[0]
    np.testing.assert_allclose(ring, [best.alpha, best.ebic])
    assert shown.ax_.get_ylabel() == "EBIC  (lower is better)"
    other = next(r for r in found.table.gate_ratio.unique() if r != best.gate_ratio)
    off = PathDisplay.from_path(found, kind="criterion", gate_ratio=other)
    heights = off.ax_.get_lines()[0].get_ydata()
    rows = found.table[found.table.highest & (found.table.gate_ratio == other)]
    np.testing.assert_array_equal(heights, rows.ebic)
    assert "chosen" not in off.ax_.get_legend_handles_labels()[1]


def test_what_cannot_be_drawn_is_refused(found):
    for options, kind, words in [
        ({"kind": "gates"}, ValueError, "kind='gates'"),
        ({"expert": 2}, ValueError, "expert=2 must lie in 0, ..., 1"),
        ({"expert": "first"}, TypeError, "expert='first' must be an integer"),
        ({"kind": "criterion", "expert": 0}, ValueError, "no meaning with kind='criterion'"),
        ({"gate_ratio": 7.0}, ValueError, "no path with gate_ratio=7.0; choose one of"),
    ]:
        with pytest.raises(kind, match=words):
            PathDisplay.from_path(found, **options)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2))
    free = MoERegressor(expert=GaussianExpert(penalty=Lasso()), n_init=1, random_state=0)
    plain = path(X, X[:, 0] + 0.1 * rng.standard_normal(60), estimator=free, alphas=3, n_experts=1)
    with pytest.raises(ValueError, match="needs a gate with a penalty"):
        PathDisplay.from_path(plain, kind="gate")
    assert not plt.get_fignums()
