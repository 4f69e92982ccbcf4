"""Scores and information of what was observed, against differences of the likelihood."""

import numpy as np
import pytest

from moe_classic._data import Block, Design, pieces_of
from moe_classic._model import Model, observed_information, row_scores
from moe_classic._model.observed import scores as module

from .problems import FORMS, log_likelihood, problem


def _differences(function, theta, step):
    """Central differences of a function of theta, one a row."""
    rows = [
        (function(theta + step * e) - function(theta - step * e)) / (2.0 * step)
        for e in np.eye(theta.size)
    ]
    return np.array(rows)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_row_scores_are_derivatives_of_the_likelihood(form):
    model, params, block, summary = problem(n=15, **form)
    theta = model.pack(params)
    found = _differences(
        lambda at: log_likelihood(model, model.unpack(at, params, summary), block), theta, 1e-5
    )
    scores = row_scores(model, params, block)
    np.testing.assert_allclose(scores, found, atol=1e-7)
    total = module.gradient_of_sums(model, params, block)
    np.testing.assert_allclose(scores @ block.w, total, atol=1e-10)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_information_is_the_second_derivative(form):
    model, params, block, summary = problem(n=15, **form)
    theta = model.pack(params)

    def slope(at):
        return row_scores(model, model.unpack(at, params, summary), block) @ block.w

    stats = observed_information(model, params, block)
    size = np.abs(stats.information).max()
    curves = -_differences(slope, theta, 1e-5)
    np.testing.assert_allclose(stats.information, curves, atol=1e-7 * size)
    total = log_likelihood(model, params, block) @ block.w
    assert stats.objective == pytest.approx(total, rel=1e-12)
    each = row_scores(model, params, block)
    np.testing.assert_allclose(stats.scores, (each * block.w) @ each.T, atol=1e-10 * size)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_on_complete_rows_they_are_those_of_louis(form):
    model, params, block, _ = problem(missing=False, **form)
    plain = Model(model.gate, model.groups, 0)
    design = Design(block.designs[0].Z)
    design._pieces = pieces_of(np.zeros((3, block.w.size), dtype=bool))
    pieces = Block((design,), block.y, block.w)
    one, other = (observed_information(m, params, b) for m, b in ((plain, block), (model, pieces)))
    size = np.abs(one.information).max()
    np.testing.assert_allclose(other.information, one.information, atol=1e-8 * size)
    np.testing.assert_allclose(other.scores, one.scores, atol=1e-11 * size)
    np.testing.assert_allclose(other.gradient, one.gradient, atol=1e-11 * size)


def test_slices_of_rows_do_not_matter(monkeypatch):
    model, params, block, _ = problem(n=60)
    whole = row_scores(model, params, block)
    monkeypatch.setattr(module, "_MOST_NUMBERS", 500)
    np.testing.assert_allclose(row_scores(model, params, block), whole, atol=1e-13)
