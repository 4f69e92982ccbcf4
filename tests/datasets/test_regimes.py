"""Regimes: linear in every cell, and as much explained as is said."""

import numpy as np
import pytest

from moe_classic.datasets import make_regimes


def test_linear_inside_every_cell():
    X, y, cell = make_regimes(
        3000, n_regimes=5, n_features=3, noise=0.0, return_regimes=True, random_state=0
    )
    assert set(cell) == set(range(5))
    for k in range(5):
        Z = np.c_[X[cell == k], np.ones((cell == k).sum())]
        _, rest, *_ = np.linalg.lstsq(Z, y[cell == k])
        assert rest < 1e-20


def test_seeds_of_regimes_and_rows_are_two():
    one, two = (make_regimes(50, random_state=seed) for seed in (0, 1))
    assert not np.array_equal(one[0], two[0])
    A = make_regimes(50, noise=0.0, random_state=0)
    B = make_regimes(50, noise=0.0, regimes=1, random_state=0)
    np.testing.assert_array_equal(A[0], B[0])
    assert not np.array_equal(A[1], B[1])


def test_shapes():
    assert make_regimes(20, n_outputs=3)[1].shape == (20, 3)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"n_regimes": 0}, ValueError),
        ({"noise": -1.0}, ValueError),
        ({"n_features": 1.5}, ValueError),
    ],
)
def test_bad_arguments_raise(options, kind):
    with pytest.raises(kind, match=next(iter(options))):
        make_regimes(10, **options)
