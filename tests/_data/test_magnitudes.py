"""Numbers that cannot be squared are refused by name."""

import numpy as np
import pytest

from moe_classic._data import check_largest, check_spread, check_weight


def test_a_large_number_is_named_by_row_and_column():
    X = np.ones((4, 2))
    X[2, 1] = -3e200
    with pytest.raises(ValueError, match=r"X has the value -3e\+200 in row 2 of column 'b'"):
        check_largest("X", X, ["a", "b"])
    with pytest.raises(ValueError, match="in row 2 of column 1"):
        check_largest("X", X)
    with pytest.raises(ValueError, match=r"y has the value -3e\+200 in row 2;"):
        check_largest("y", X[:, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_can_be_squared_passes(dtype):
    check_largest("X", np.array([[1.0, -1e30]], dtype=dtype))
    check_largest("X", np.empty((0, 2), dtype=dtype))


def test_a_column_that_hardly_varies_is_named_and_a_constant_one_is_not():
    low, high = np.array([0.0, 1.0]), np.array([1e-200, 1.0])
    with pytest.raises(ValueError, match="X varies by no more than 1e-200 of column 'a'"):
        check_spread("X", low, high, ["a", "b"])
    check_spread("X", low, np.array([1e-140, 1.0]))


def test_ends_that_are_all_infinite_are_a_constant():
    check_spread("y", np.array([0.0, np.inf]), np.array([np.inf, np.inf]))
    with pytest.raises(ValueError, match="y varies by no more than 1e-200 of column 1"):
        check_spread("y", np.array([-np.inf, 0.0]), np.array([-np.inf, 1e-200]))


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_weights_must_add_up(size):
    with pytest.raises(ValueError, match="divide all weights by a constant"):
        check_weight(np.full(3, size))
    check_weight(np.array([0.0, 1.0, 1e-200]))
