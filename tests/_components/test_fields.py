"""Constraints of parameters: coordinates there and back, and their slopes."""

import numpy as np
import pytest

from moe_classic._components.fields import CONSTRAINTS, Positive, constraint_of, pack_field

VALUES = {
    "real": (np.array([[-2.0, 3.0], [0.0, 1.0]]), None),
    "positive": (np.array([[0.2, 3.0], [1e-8, 1e5]]), None),
    "interval": (np.array([[2.5], [99.0]]), (2.0, 100.0)),
    "simplex": (np.array([[0.2, 0.3, 0.5], [0.9, 0.05, 0.05]]), None),
    "cholesky": (np.array([[[2.0, 0.0], [-1.0, 0.5]], [[0.1, 0.0], [3.0, 4.0]]]), None),
}


def test_every_constraint_has_an_example():
    assert set(VALUES) == set(CONSTRAINTS)


@pytest.mark.parametrize("kind", CONSTRAINTS)
def test_coordinates_lead_there_and_back(kind):
    value, bounds = VALUES[kind]
    constraint = constraint_of(kind)
    back = constraint.unpack(constraint.pack(value, bounds), bounds)
    np.testing.assert_allclose(back, value, rtol=1e-12)


@pytest.mark.parametrize("kind", ["real", "positive", "interval", "simplex"])
def test_slopes_are_those_of_central_differences(kind):
    value, bounds = VALUES[kind]
    constraint, step = constraint_of(kind), 1e-6
    for one in value:
        at = constraint.pack(one[None], bounds)
        columns = []
        for j in range(at.size):
            move = np.zeros_like(at)
            move[0, j] = step
            ends = [constraint.unpack(at + s * move, bounds)[0] for s in (1.0, -1.0)]
            columns.append((ends[0] - ends[1]) / (2.0 * step))
        low, high = constraint.interval(bounds)
        assert ((low < one) & (one < high)).all()
        slope = constraint.slope(one, bounds)
        np.testing.assert_allclose(slope, np.array(columns).T, rtol=1e-7, atol=1e-9)


def test_a_constraint_of_ones_own_takes_the_place_of_a_name():
    class Doubled(Positive):
        def pack(self, value, bounds):
            return 2.0 * super().pack(value, bounds)

    np.testing.assert_allclose(pack_field(Doubled(), np.e * np.ones((1, 1))), [[2.0]])
