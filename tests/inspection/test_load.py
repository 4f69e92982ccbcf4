"""Loads of experts over epochs, drawn."""

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import MoERegressor, SparseMoERegressor
from moe_classic.datasets import make_regimes
from moe_classic.inspection import LoadDisplay

mpl.use("Agg")
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::moe_classic.routers.RoutingWarning"
)
X, Y = make_regimes(300, n_regimes=4, n_features=3, random_state=0)


def fitted(n_experts=4, **options):
    return SparseMoERegressor(
        n_experts, width=6, expert_width=5, max_iter=5, random_state=0, **options
    ).fit(X, Y)


def test_lines_are_the_loads_over_an_even_load():
    moe = fitted(n_layers=2)
    ax = LoadDisplay.from_estimator(moe, layer=1).ax_
    lines = [line for line in ax.lines if line.get_label().startswith("expert")]
    assert len(lines) == 4
    for e, line in enumerate(lines):
        np.testing.assert_allclose(line.get_ydata(), 4 * moe.load_history_[:, 1, e])
    assert moe.best_iter_ in [line.get_xdata()[0] for line in ax.lines]


def test_many_experts_are_drawn_as_quantiles():
    moe = fitted(24)
    ax = LoadDisplay.from_estimator(moe).ax_
    median = next(line for line in ax.lines if line.get_label() == "median")
    np.testing.assert_allclose(median.get_ydata(), np.median(24 * moe.load_history_[:, 0], axis=1))


def test_dropped_pairs_are_drawn_where_there_are_any():
    labels = [
        [line.get_label() for line in LoadDisplay.from_estimator(fitted(router=r)).ax_.lines]
        for r in ("gshard", "top_k")
    ]
    assert "pairs without room (share)" in labels[0]
    assert "pairs without room (share)" not in labels[1]


def test_bars_are_the_loads_that_were_kept_largest_first():
    pipe = make_pipeline(StandardScaler(), fitted()).fit(X, Y)
    ax = LoadDisplay.from_estimator(pipe, kind="experts").ax_
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(heights, -np.sort(-4 * pipe[-1].load_[0]))


def test_what_has_no_loads_or_no_such_layer_says_so():
    moe = MoERegressor(2, n_init=1, random_state=0).fit(X, Y)
    with pytest.raises(TypeError, match="load_history_"):
        LoadDisplay.from_estimator(moe)
    with pytest.raises(ValueError, match="layer=3"):
        LoadDisplay.from_estimator(fitted(), layer=3)
    with pytest.raises(ValueError, match="kind='pie'"):
        LoadDisplay.from_estimator(fitted(), kind="pie")
