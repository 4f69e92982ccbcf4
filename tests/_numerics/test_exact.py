"""Linear fits to the last digit, against extended arithmetic and linear programmes."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from moe_classic._numerics import least_absolute_change, least_squares_change


def least_sum(Z, y, w):
    q, n = Z.shape
    eye = np.eye(n)
    return linprog(
        np.r_[np.zeros(q), w, w],
        A_eq=np.hstack([Z.T, eye, -eye]),
        b_eq=y,
        bounds=[(None, None)] * q + [(0.0, None)] * (2 * n),
    ).fun


def rows(kind, seed):
    rng = np.random.default_rng(seed)
    n, q = int(rng.integers(20, 300)), int(rng.integers(2, 7))
    Z = np.vstack([rng.normal(size=(q, n)), np.ones(n)])
    y, w = rng.normal(size=q + 1) @ Z + rng.standard_t(2.0, n), np.ones(n)
    if kind == "rounded":
        Z, y = np.round(Z), np.round(y)
    elif kind == "collinear":
        Z[1] = 2.0 * Z[0] + 1.0
    elif kind == "repeated":
        Z, y = np.repeat(Z[:, : n // 3 + 1], 3, axis=1), np.repeat(y[: n // 3 + 1], 3)
        w = np.ones(y.size)
    elif kind == "weighted":
        w = rng.exponential(size=n) ** 4
        w[::5] = 0.0
    return Z, y, w


@pytest.mark.parametrize("kind", ["plain", "rounded", "collinear", "repeated", "weighted"])
@pytest.mark.parametrize("seed", range(4))
def test_least_absolute_deviations_are_those_of_the_linear_programme(kind, seed):
    Z, y, w = rows(kind, seed)
    change = least_absolute_change(Z, y, w)
    assert w @ np.abs(y - change @ Z) == pytest.approx(least_sum(Z, y, w), rel=1e-10)


def test_a_fit_that_is_best_does_not_move():
    Z, y, w = rows("plain", 0)
    best = y - least_absolute_change(Z, y, w) @ Z
    np.testing.assert_allclose(least_absolute_change(Z, best, w), 0.0, atol=1e-12)
    assert not least_absolute_change(Z, np.zeros_like(y), w).any()
    assert not least_absolute_change(Z, y, np.zeros_like(w)).any()


def test_squares_of_an_ill_conditioned_design_are_those_of_exact_arithmetic():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, 40)
    Z = np.vstack([x, x + 1e-6 * rng.normal(size=40), np.ones(40)])
    y, S = rng.normal(size=40), rng.uniform(0.5, 2.0, 40)
    change = least_squares_change(Z, y[None], S)
    columns = [[Fraction(v) for v in row] for row in Z]
    weights, target = [Fraction(v) for v in S], [Fraction(v) for v in y]

    def total(a, b):
        return sum(u * s * v for u, s, v in zip(a, weights, b, strict=True))

    gram = [[total(a, b) for b in columns] + [total(a, target)] for a in columns]
    for i in range(3):
        gram[i] = [v / gram[i][i] for v in gram[i]]
        for k in range(3):
            if k != i:
                gram[k] = [u - gram[k][i] * v for u, v in zip(gram[k], gram[i], strict=True)]
    np.testing.assert_allclose(change[0], [float(row[-1]) for row in gram], rtol=1e-9, atol=1e-9)


def test_a_design_that_grams_serve_is_left_to_them():
    rng = np.random.default_rng(0)
    Z = np.vstack([rng.normal(size=(2, 50)), np.ones(50)])
    assert least_squares_change(Z, rng.normal(size=(1, 50)), np.ones(50)) is None
    assert least_squares_change(np.vstack([Z, Z[0]]), Z[:1], np.ones(50)) is None
    assert least_squares_change(Z, Z[:1], np.zeros(50)) is None
