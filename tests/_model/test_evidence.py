"""Which experts are worth less than their precision costs."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from moe_classic import MoERegressor
from moe_classic.model_selection import select


def one_line(seed, n=150, p=3, noise=0.9):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, 2.0 * X.sum(axis=1) + noise * rng.normal(size=n)


def beside(seed, count, level, scale, n=200):
    X, y = one_line(seed, n, 1)
    rng = np.random.default_rng(seed + 1000)
    y[:count] = level - X[:count, 0] + scale * rng.normal(size=count)
    return X, y


def chosen(X, y, gate="constant"):
    template = MoERegressor(random_state=0, gate=gate)
    return select(X, y, estimator=template, n_experts=range(1, 4)).best_params_["n_experts"]


def few_rows(count=6, scale=0.02):
    """A fit of one line with a second expert on a few rows that lie all but on another."""
    X, y = one_line(0, 150, 1)
    near = np.argsort(np.abs(y - 2.0 * X[:, 0]))[:count]
    y[near] = 2.0 * X[near, 0] + scale * np.random.default_rng(1).normal(size=count)
    R = np.zeros((150, 2))
    R[:, 0] = 1.0
    R[near] = [0.0, 1.0]
    return X, y, R


@pytest.mark.parametrize("seed", [2, 5, 8])
def test_one_line_is_one_expert(seed):
    X, y = one_line(seed + 50)
    assert chosen(X, y) == 1


@pytest.mark.parametrize("gate", ["constant", "softmax"])
@pytest.mark.parametrize("group", [(20, 0.0, 0.2), (12, 6.0, 0.1), (30, 4.0, 0.9)])
def test_true_small_groups_are_found(gate, group):
    X, y = beside(0, *group)
    assert chosen(X, y, gate) == 2


def test_few_precise_rows_are_counted():
    X, y, R = few_rows()
    model = MoERegressor(2, gate="constant", init=R).fit(X, y)
    assert model.start_report_.degenerate_experts.tolist() == [1]
    # What it is worth and what it costs, by hand.
    small, large = np.argsort([e.scale_ for e in model.experts_])
    lines = model.expert_predictions(X)
    scales = np.array([float(e.scale_) for e in model.experts_])
    log_prob = norm.logpdf(y[:, None], lines, scales)
    whole = logsumexp(log_prob + np.log(model.gate_.weights_), axis=1).sum()
    worth = whole - log_prob[:, large].sum()
    cost = 0.5 * 4 * np.log(150) + 2 * np.log(scales[large] / scales[small]) + np.log(np.log(1e3))
    assert 0.0 < worth < cost


def test_more_such_rows_are_an_expert():
    X, y, R = few_rows(count=40)
    model = MoERegressor(2, gate="constant", init=R).fit(X, y)
    assert model.start_report_.degenerate_experts.tolist() == [0]


def test_a_weight_of_two_is_a_repeated_row():
    X, y, R = few_rows()
    twice = np.repeat(np.arange(150), 2)
    for rows, w in ((np.arange(150), np.full(150, 2.0)), (twice, None)):
        model = MoERegressor(2, gate="constant", init=R[rows]).fit(X[rows], y[rows], w)
        assert model.start_report_.degenerate_experts.tolist() == [1]
