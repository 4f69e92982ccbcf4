"""Balanced assignment: loads, and the best total that there is."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from moe_classic.routers import BalancedRouter, Rows


@pytest.mark.parametrize(("n", "E"), [(40, 4), (41, 4), (43, 5), (7, 9), (600, 4), (603, 4)])
def test_loads_differ_by_one_at_most_and_the_total_is_the_optimum(rng, n, E):
    scores = rng.normal(size=(n, E)) + rng.normal(size=E)
    experts = BalancedRouter.assign(scores)
    load = np.bincount(experts, minlength=E)
    assert load.max() - load.min() <= 1
    total = scores[np.arange(n), experts].sum()
    # Which experts have a row more is part of the question: places beyond the floor are optional.
    least, rest = divmod(n, E)
    places = np.repeat(np.arange(E), least + 1)
    bonus = np.where(np.arange(places.size) % (least + 1) < least, 1e3, 0.0)
    table = scores[:, places] + bonus
    row, column = linear_sum_assignment(table, maximize=True)
    optimum = scores[row, places[column]].sum()
    assert rest >= 0
    assert total == pytest.approx(optimum, abs=1e-9)


def test_constants_of_rows_and_experts_change_nothing(rng):
    scores = rng.normal(size=(48, 6))
    shifted = scores + rng.normal(size=(48, 1)) + rng.normal(size=6)
    np.testing.assert_array_equal(BalancedRouter.assign(scores), BalancedRouter.assign(shifted))


def test_prediction_takes_the_best(rng):
    router = BalancedRouter()
    params = router.start(3, 4, rng, np.float64)
    x = rng.normal(size=(20, 3))
    plan = router.plan(params, {}, Rows(x, np.ones(20)))
    np.testing.assert_array_equal(plan.combine().argmax(axis=1), (x @ params["W"]).argmax(axis=1))
