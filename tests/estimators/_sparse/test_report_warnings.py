"""A search over all routers warns of what the guide says, and of nothing else."""

import re
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from moe_classic import SparseMoEClassifier, SparseMoERegressor
from moe_classic.datasets import make_regimes
from moe_classic.routers import ROUTERS, RoutingWarning

GUIDE = Path(__file__).parents[3] / "docs" / "routers.md"
#: Words of the three kinds of warnings.
KINDS = {
    "idle": "of an even share of the rows",
    "dropped": "found no room",
    "uncovered": "had no expert",
}
ROWS = 240


@cache
def documented():
    """Kinds of warnings that the guide's table allows each router."""
    allowed = {}
    table = GUIDE.read_text().split("may warn of | where |")[1].split("\n\n")[0]
    for line in table.splitlines()[2:]:
        names, kinds, _ = (cell.strip() for cell in line.strip("|").split("|"))
        said = set() if kinds == "nothing" else set(kinds.split(", "))
        assert said <= set(KINDS)
        allowed |= dict.fromkeys(re.findall(r'"(\w+)"', names), said)
    return allowed


def kind_of(message):
    kinds = [kind for kind, words in KINDS.items() if words in message]
    assert len(kinds) == 1, message
    return kinds[0]


def kinds_in_a_search(cls, router, n_experts):
    """Kinds of warnings of a search over the router; other warnings fail."""
    X, y, cell = make_regimes(ROWS, n_regimes=4, n_features=3, random_state=0, return_regimes=True)
    target = y if cls is SparseMoERegressor else (cell + (y > 0)) % 3
    net = cls(n_experts, width=8, expert_width=8, max_iter=6, patience=3, random_state=0)
    grid = GridSearchCV(net, {"router": [router]}, cv=2, refit=False, error_score="raise")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        grid.fit(X, target)
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    kinds = set()
    for warning in heard:
        message = str(warning.message)
        if warning.category is ConvergenceWarning:
            assert "still learning after max_iter=6" in message
        else:
            assert warning.category is RoutingWarning, message
            kinds.add(kind_of(message))
    return kinds


def test_guide_names_every_router_once():
    names = re.findall(r'`"(\w+)"`', GUIDE.read_text().split("may warn of | where |")[1])
    assert sorted(documented()) == sorted(ROUTERS)
    assert set(names) <= set(ROUTERS)


@pytest.mark.parametrize("cls", [SparseMoERegressor, SparseMoEClassifier])
@pytest.mark.parametrize("router", sorted(ROUTERS))
def test_search_warns_of_what_is_documented_and_of_nothing_else(router, cls):
    allowed = documented()[router]
    overrun = {"dropped", "uncovered"} if "dropped" in allowed else set()
    assert kinds_in_a_search(cls, router, 2) <= overrun
    for n_experts in (8, 64):
        assert kinds_in_a_search(cls, router, n_experts) <= allowed


@pytest.mark.parametrize("router", ["switch", "expert_choice", "base", "top_k"])
def test_what_is_documented_is_said(router):
    assert kinds_in_a_search(SparseMoERegressor, router, 64) == documented()[router]
