"""Designs: products with coefficients and weights, Grams, parts."""

import numpy as np
import pytest

from moe_classic._data import design as _design
from moe_classic._data.design import Design
from moe_classic._numerics.linalg import unpack_symmetric


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 4, 3)])
def test_linear_predictors_are_products_with_the_design(rng, shape):
    design = Design(rng.standard_normal((3, 10)))
    coef = rng.standard_normal(shape)
    eta = design.linear(coef)
    assert eta.shape == (*shape[:-1], 10)
    np.testing.assert_allclose(eta, coef @ design.Z, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(10,), (2, 10), (2, 4, 10)])
def test_scores_are_products_with_the_transposed_design(rng, shape):
    design = Design(rng.standard_normal((3, 10)))
    s = rng.standard_normal(shape)
    scores = design.scores(s)
    assert scores.shape == (*shape[:-1], 3)
    np.testing.assert_allclose(scores, s @ design.Z.T, rtol=1e-12, atol=1e-14)


# Narrow designs lay out their products; wide ones multiply a Gram at a time, unless many are asked.
@pytest.mark.parametrize(("q", "M"), [(1, 2), (4, 3), (40, 2), (40, 50)])
@pytest.mark.parametrize("keep", [(False, False), (True, False), (True, True)])
# Products are formed 13 rows at a time, two such pieces in a call: with and without a rest.
@pytest.mark.parametrize("n", [5, 26, 30, 39, 70])
def test_grams_are_weighted_products_of_the_design(rng, monkeypatch, q, M, keep, n):
    monkeypatch.setattr(_design, "PRODUCT_ROWS", 13)
    design = Design(rng.standard_normal((q, n)), keep=keep[0], keep_products=keep[1])
    weights = rng.standard_normal((M, n))
    weights[0] = np.abs(weights[0])
    direct = np.einsum("mn,in,jn->mij", weights, design.Z, design.Z)
    for _ in range(2):
        grams = unpack_symmetric(design.grams(weights), q)
        np.testing.assert_allclose(grams, direct, rtol=1e-10, atol=1e-11)
        parts = design.grams(weights[:1], weights[1:1], weights[1:])
        np.testing.assert_allclose(unpack_symmetric(parts, q), direct, rtol=1e-10, atol=1e-11)


def test_grams_do_not_change_when_another_design_is_asked(rng):
    designs = [Design(rng.standard_normal((3, n))) for n in (20, 50, 10)]
    first = designs[0].grams(np.ones((2, 20)))
    before = first.copy()
    for design in designs[1:]:
        design.grams(np.ones((2, design.Z.shape[1])))
    np.testing.assert_array_equal(first, before)


def test_parts_and_forms_of_a_design(rng):
    design = Design(rng.standard_normal((3, 10)))
    np.testing.assert_array_equal(design.at([4, 1]).Z, design.Z[:, [4, 1]])
    np.testing.assert_array_equal(design.at(slice(2, 5)).Z, design.Z[:, 2:5])
    assert design.n == 10
    assert design.dense() is design
    s = rng.standard_normal((2, 4, 10))
    np.testing.assert_allclose(design.squared_scores(s), s @ (design.Z**2).T, rtol=1e-12)
    limits = np.array([[0.5], [1.0], [np.inf]])
    np.testing.assert_array_equal(design.within(limits).Z, np.clip(design.Z, -limits, limits))
    np.testing.assert_array_equal(design.sizes()[:, 0], np.abs(design.Z).max(axis=1))
    np.testing.assert_array_equal(np.array(design.columns()), design.Z)
