"""Newton's method on the slopes that are not zero: where it is not tried."""

import numpy as np
import pytest

from moe_classic.solvers._kinks import _newton_step


def test_a_step_is_newtons():
    matrix = np.array([[4.0, 1.0], [1.0, 1e-6]]) @ np.diag([1.0, 1e-4])
    matrix = matrix @ matrix.T + 1e-9 * np.eye(2)
    slope = np.array([1.0, -2.0])
    np.testing.assert_allclose(_newton_step(slope, matrix), np.linalg.solve(matrix, slope))


@pytest.mark.parametrize(
    "matrix",
    [
        [[300.0, 1.0], [1.0, 0.0]],
        [[300.0, 1.0], [1.0, -1e-300]],
        [[1.0, 2.0], [2.0, 1.0]],
        [[np.inf, 0.0], [0.0, 1.0]],
    ],
    ids=["flat", "hardly bent upwards", "saddle", "overflown"],
)
def test_none_is_taken_where_the_objective_is_not_concave(matrix):
    assert _newton_step(np.ones(2), np.array(matrix)) is None


def test_no_coordinate_is_no_step():
    assert _newton_step(np.zeros(0), np.zeros((0, 0))).shape == (0,)
