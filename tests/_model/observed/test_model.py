"""The likelihood of what was observed, and its EM."""

from copy import copy

import numpy as np
import pytest

from moe_classic._data import Block, Design, pieces_of
from moe_classic._model import Model
from moe_classic._objectives import MixtureLikelihood

from .problems import FORMS, log_likelihood, problem


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_likelihood_is_that_of_the_normal_law_of_what_is_seen(form):
    model, params, block, _ = problem(**form)
    found = np.logaddexp.reduce(model.log_joint(params, block))
    np.testing.assert_allclose(found, log_likelihood(model, params, block), atol=1e-11)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_em_never_falls(form):
    model, params, block, summary = problem(**form)
    objective, trace = MixtureLikelihood(model), []
    for _ in range(40):
        stats = objective(params, block)
        trace.append(float(stats.objective))
        params = model.update(params, stats, summary)
    assert np.diff(trace).min() > -1e-10 * abs(trace[-1])
    assert trace[-1] > trace[0] + 10.0


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_on_complete_rows_a_step_piece_by_piece_is_a_plain_step(form):
    model, params, block, summary = problem(missing=False, **form)
    plain = Model(model.gate, model.groups, 0)
    design = Design(block.designs[0].Z)
    design._pieces = pieces_of(np.zeros((3, block.w.size), dtype=bool))
    pieces = Block((design,), block.y, block.w)
    assert model.misses(pieces)
    assert not model.misses(block)
    one = MixtureLikelihood(plain)(params, block)
    other = MixtureLikelihood(model)(params, pieces)
    assert other.objective == pytest.approx(one.objective, rel=1e-13)
    stepped = [plain.pack(plain.update(params, stats, summary)) for stats in (one, other)]
    np.testing.assert_allclose(*stepped, atol=1e-10)
    # What has nothing missing does not even go piece by piece.
    same = MixtureLikelihood(model)(params, block)
    assert same.objective == one.objective


def test_regression_of_x_on_y_is_that_of_complete_rows():
    # Anderson (1957): with x missing as a whole and y always there, the likelihood falls apart.
    model, _, block, summary = problem(K=1, n=400, d=2)
    rng = np.random.default_rng(3)
    y = rng.standard_normal((2, 400))
    x = rng.standard_normal((3, 2)) @ y + 0.5 * rng.standard_normal((3, 400)) + 1.0
    y[0] += 0.3 * rng.standard_normal(400)
    Z = np.vstack([x, np.ones(400)])
    Z[:3, 100:] = np.nan
    block = Block((Design(Z),), y, np.ones(400))
    params = model.start([4], summary)
    for _ in range(300):
        params = model.update(params, MixtureLikelihood(model)(params, block), summary)
    joint = model.joint(params)
    B, C = joint.slopes[0], joint.covariance[0]
    mean_y = B @ joint.means[0] + joint.constants[0]
    V = joint.noise[0] + B @ C @ B.T
    np.testing.assert_allclose(mean_y, y.mean(axis=1), atol=1e-8)
    np.testing.assert_allclose(V, np.cov(y, bias=True), atol=1e-8)
    A = np.vstack([y[:, :100], np.ones(100)])
    lines = np.linalg.lstsq(A.T, x[:, :100].T, rcond=None)[0].T
    np.testing.assert_allclose(C @ B.T @ np.linalg.inv(V), lines[:, :2], atol=1e-6)


def test_many_patterns_and_one_by_one_agree():
    model, params, block, _ = problem(p=7, n=300)
    whole = model.log_joint(params, block)
    for i in range(0, 300, 37):
        one = Block((Design(block.designs[0].Z[:, [i]]),), block.y[:, [i]], block.w[[i]])
        np.testing.assert_allclose(model.log_joint(params, one)[:, 0], whole[:, i], atol=1e-12)


def test_gate_of_a_blank_row_is_the_proportions():
    model, params, block, _ = problem(K=3)
    gate = np.exp(model.log_gate(params, block))
    np.testing.assert_allclose(gate.sum(axis=0), 1.0)
    assert np.isnan(block.designs[0].Z[:-1, 0]).all()
    np.testing.assert_allclose(gate[:, 0], params.gate.proportions, rtol=1e-12)


def test_starved_experts_keep_their_parameters():
    model, params, block, summary = problem()
    forward = model.evaluate(params, block)
    S = np.vstack([block.w, np.zeros_like(block.w)])
    stats = model.statistics(params, forward, block, S, 0.0)
    new = model.update(params, stats, copy(summary))
    np.testing.assert_array_equal(new.gate.means[1], params.gate.means[1])
    np.testing.assert_array_equal(new.experts[0].coef[1], params.experts[0].coef[1])
