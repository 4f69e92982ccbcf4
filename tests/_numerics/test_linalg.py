"""Packed symmetric matrices, log-sum-exp over the component axis, solves that survive anything."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from moe_classic._numerics.linalg import (
    exp_into,
    log_normalised,
    log_sum_exp,
    matmul_by_rows,
    pack_symmetric,
    ring_of,
    ring_products,
    softmax_in_place,
    solve_psd,
    sums_by_rows,
    unpack_symmetric,
    unring,
)


@pytest.mark.parametrize("q", [1, 2, 5])
def test_packing_of_symmetric_matrices_is_undone(rng, q):
    full = rng.standard_normal((3, 4, q, q))
    full = full + full.swapaxes(-1, -2)
    packed = pack_symmetric(full)
    assert packed.shape == (3, 4, q * (q + 1) // 2)
    np.testing.assert_array_equal(unpack_symmetric(packed, q), full)


@pytest.mark.parametrize("q", [1, 2, 3, 6, 7])
def test_ring_products_are_all_pairs_of_rows(rng, q):
    Z, F = rng.standard_normal((2, q, 9))
    ring = ring_of(Z, np.empty((q + q // 2, 9)))
    np.testing.assert_array_equal(ring[0], Z)
    room = np.empty((q * (q + 1) // 2, 9))
    rings = ring_products(Z, ring, room)
    outer = np.einsum("in,jn->nij", Z, Z)
    np.testing.assert_array_equal(unring(rings.T, q), pack_symmetric(outer))
    np.testing.assert_array_equal(ring_products(F, ring, room)[:q], F * Z)


@pytest.mark.parametrize("q", [2, 5])
def test_ring_products_take_part_of_longer_rows(rng, q):
    ring = ring_of(rng.standard_normal((q, 20)), np.empty((q + q // 2, 20)))
    room = np.zeros((q * (q + 1) // 2, 15))
    some = ring_products(ring[0, :, 3:10], ring[:, :, 3:10], room[:, :7])
    whole = ring_products(ring[0], ring, np.empty((len(room), 20)))
    np.testing.assert_array_equal(some, whole[:, 3:10])
    assert not room[:, 7:].any()


def test_exponentials_are_never_denormal():
    a = np.concatenate([np.linspace(-800.0, 5.0, 2000), [-np.inf, 0.0]])
    e = exp_into(a, np.empty_like(a))
    large = a > -600.0
    np.testing.assert_array_equal(e[large], np.exp(a[large]))
    assert ((e == 0.0) | (e > 1e-300)).all()
    assert (e[a < -651.0] == 0.0).all()
    np.testing.assert_allclose(e, np.exp(a), atol=1e-282, rtol=1e-12)
    assert np.isnan(exp_into(np.array([np.nan, -900.0]), np.empty(2))[0])


def test_log_sum_exp_is_scipys(rng):
    a = 50.0 * rng.standard_normal((4, 9))
    np.testing.assert_allclose(log_sum_exp(a), logsumexp(a, axis=0), rtol=1e-14)
    deep = a.reshape(4, 3, 3)
    np.testing.assert_allclose(log_sum_exp(deep), logsumexp(deep, axis=0), rtol=1e-14)


def test_log_sum_exp_holds_far_out():
    a = np.array([[1000.0, -1000.0, -np.inf, -np.inf], [1000.0, -1001.0, -np.inf, 3.0]])
    expected = [1000.0 + np.log(2.0), -1000.0 + np.log1p(np.exp(-1.0)), -np.inf, 3.0]
    np.testing.assert_allclose(log_sum_exp(a), expected, rtol=1e-14)


def test_softmax_in_place_leaves_probabilities_and_returns_the_normaliser(rng):
    a = 300.0 * rng.standard_normal((4, 9))
    b = a.copy()
    normaliser = softmax_in_place(b)
    np.testing.assert_allclose(b, softmax(a, axis=0), rtol=1e-12, atol=1e-280)
    np.testing.assert_allclose(normaliser, logsumexp(a, axis=0), rtol=1e-14)


@pytest.mark.parametrize("size", [1.0, 600.0])
def test_softmax_in_place_takes_weights(rng, size):
    a, w = size * rng.standard_normal((4, 9)), rng.uniform(size=9)
    b = a.copy()
    softmax_in_place(b, w)
    np.testing.assert_allclose(b, w * softmax(a, axis=0), rtol=1e-12, atol=1e-280)


def spd(rng, K, q):
    A = rng.standard_normal((K, q, 2 * q))
    return A @ A.transpose(0, 2, 1)


def test_regular_systems_are_solved(rng):
    A, b = spd(rng, 3, 5), rng.standard_normal((3, 5, 2))
    np.testing.assert_allclose(solve_psd(A, b), np.linalg.solve(A, b), rtol=1e-10)


def test_units_of_the_unknowns_do_not_matter(rng):
    A, b = spd(rng, 2, 4), rng.standard_normal((2, 4, 1))
    units = np.array([1e-9, 1.0, 1e5, 1e12])
    scaled = solve_psd(A * units[:, None] * units, b * units[:, None])
    np.testing.assert_allclose(scaled * units[:, None], solve_psd(A, b), rtol=1e-10)


def test_singular_systems_get_the_smallest_exact_solution(rng):
    Z = rng.standard_normal((3, 50))
    Z = np.vstack([Z, Z[0] + Z[1]])
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    A, y = Z @ Z.T, rng.standard_normal(50)
    x = solve_psd(A[None], (Z @ y)[None, :, None])[0, :, 0]
    np.testing.assert_allclose(A @ x, Z @ y, atol=1e-10)
    # Columns have equal norm here, so that least norm in equilibrated units is least norm.
    np.testing.assert_allclose(x, np.linalg.lstsq(Z.T, y, rcond=None)[0], atol=1e-9)


def test_one_singular_system_leaves_the_others_exact(rng):
    A, b = spd(rng, 3, 4), rng.standard_normal((3, 4, 1))
    A[1, 2] = A[1, :, 2] = 0.0
    b[1, 2] = 0.0
    x = solve_psd(A, b)
    np.testing.assert_allclose(A @ x, b, atol=1e-9)
    np.testing.assert_allclose(x[[0, 2]], np.linalg.solve(A[[0, 2]], b[[0, 2]]), rtol=1e-8)
    assert x[1, 2, 0] == 0.0


def test_solutions_are_accurate_for_several_right_sides(rng):
    A, b = spd(rng, 5, 7), rng.standard_normal((5, 7, 3))
    np.testing.assert_allclose(A @ solve_psd(A, b), b, atol=1e-10)


def test_directions_without_curvature_do_not_move(rng):
    x = solve_psd(np.zeros((2, 3, 3)), rng.standard_normal((2, 3, 1)))
    np.testing.assert_array_equal(x, np.zeros((2, 3, 1)))


def test_directions_of_next_to_no_curvature_do_not_move():
    # Where classes are separable, curvature underflows before the slope does.
    A = np.diag([1.0, 1e-310])[None]
    np.testing.assert_array_equal(solve_psd(A, np.array([[[2.0], [1e-10]]]))[0, :, 0], [2.0, 0.0])


def test_solve_leaves_its_arguments_alone(rng):
    A, b = spd(rng, 2, 3), rng.standard_normal((2, 3, 1))
    A.setflags(write=False)
    b.setflags(write=False)
    assert np.isfinite(solve_psd(A, b)).all()


@pytest.mark.parametrize(("m", "q", "n"), [(1, 1, 3), (5, 11, 1999), (40, 30, 2003), (9, 60, 4000)])
def test_products_with_long_rows_are_exact_in_pieces(rng, m, q, n):
    a, b, Z = rng.standard_normal((m, q)), rng.standard_normal((m, n)), rng.standard_normal((q, n))
    np.testing.assert_allclose(
        matmul_by_rows(a, Z, np.empty((m, n))), a @ Z, rtol=1e-12, atol=1e-13
    )
    np.testing.assert_allclose(sums_by_rows(b, Z), b @ Z.T, rtol=1e-11, atol=1e-11)


def test_what_columns_have_in_common_rounds_nothing_away():
    a = np.array([[0.0, -1e30, 1e300], [1.0, -1e30, 1e300]])
    told = np.exp(log_normalised(a))
    np.testing.assert_allclose(told[:, 0], [1.0 / (1.0 + np.e), np.e / (1.0 + np.e)], rtol=1e-14)
    np.testing.assert_array_equal(told[:, 1:], 0.5)


@pytest.mark.parametrize("singular", [False, True])
@pytest.mark.parametrize("q", [1, 2, 5, 9])
def test_many_systems_are_solved_as_each_by_itself(rng, q, singular):
    rows = rng.standard_normal((12, q, q + 4)) * 10.0 ** rng.uniform(-3.0, 3.0, (12, q, 1))
    A, b = rows @ rows.swapaxes(1, 2), rng.standard_normal((12, q, 2))
    if singular:
        A[7], b[7] = 0.0, 0.0
    each = np.concatenate([solve_psd(A[k : k + 1], b[k : k + 1]) for k in range(12)])
    np.testing.assert_allclose(solve_psd(A, b), each, rtol=1e-7)
