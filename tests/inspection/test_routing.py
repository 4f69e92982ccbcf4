"""Experts by place and by class, drawn."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from moe_classic import SparseMoEClassifier, SparseMoERegressor
from moe_classic.datasets import make_regimes
from moe_classic.inspection import RoutingDisplay
from moe_classic.routers import ExpertChoiceRouter

mpl.use("Agg")
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::moe_classic.routers.RoutingWarning"
)
X, Y, CELL = make_regimes(300, n_regimes=4, n_features=3, return_regimes=True, random_state=0)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
SMALL = {"width": 6, "expert_width": 5, "max_iter": 5, "random_state": 0}


def test_plane_shows_every_row_at_its_place():
    moe = SparseMoERegressor(4, **SMALL).fit(FRAME, Y)
    ax = RoutingDisplay.from_estimator(moe, FRAME, features=("c", "a")).ax_
    points = np.concatenate([c.get_offsets() for c in ax.collections])
    expected = X[:, [2, 0]]
    np.testing.assert_allclose(points[np.lexsort(points.T)], expected[np.lexsort(expected.T)])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("c", "a")


def test_rows_without_an_expert_are_marked():
    moe = SparseMoERegressor(4, router="expert_choice", **SMALL)
    moe.set_params(router=ExpertChoiceRouter(0.5)).fit(X, Y)
    bare = int((moe.predict_expert(X) == -1).sum())
    ax = RoutingDisplay.from_estimator(moe, X).ax_
    marked = next(c for c in ax.collections if c.get_label() == "no expert")
    assert len(marked.get_offsets()) == bare > 0


def test_table_has_shares_of_each_class_that_sum_to_one():
    moe = SparseMoEClassifier(4, **SMALL).fit(X, CELL)
    display = RoutingDisplay.from_estimator(moe, X, y=CELL)
    image = display.ax_.images[0].get_array()
    np.testing.assert_allclose(image.sum(axis=1), 1.0)
    experts = [int(label.get_text()) for label in display.ax_.get_xticklabels()]
    gate = moe.gate_proba(X)
    np.testing.assert_allclose(image[2], gate[CELL == 2].mean(axis=0)[experts], atol=1e-12)


def test_what_cannot_be_drawn_says_so():
    moe = SparseMoERegressor(4, **SMALL).fit(FRAME, Y)
    with pytest.raises(ValueError, match="'z' is no column"):
        RoutingDisplay.from_estimator(moe, FRAME, features=("z", "a"))
    with pytest.raises(ValueError, match="two features"):
        RoutingDisplay.from_estimator(moe, FRAME, features=("a",))
    with pytest.raises(ValueError, match="give one a row"):
        RoutingDisplay.from_estimator(moe, FRAME, y=CELL[:-1])
    with pytest.raises(ValueError, match="give points for the plane"):
        RoutingDisplay(weights=np.ones((2, 2))).plot()
