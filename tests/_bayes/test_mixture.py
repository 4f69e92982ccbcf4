"""Sweeps over whole mixtures: the bound never falls, and experts too many go."""

import numpy as np
import pytest

from moe_classic._bayes import BayesianLines, BayesianLogits, BayesianMixture, Gamma, climb, pruned
from moe_classic._data import Design


def regimes(seed, n, p, K=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    label = (3.0 * X @ rng.normal(size=(p, K)) + rng.gumbel(size=(n, K))).argmax(axis=1)
    slope = 1.5 * rng.normal(size=(p + 1, K))
    y = np.take_along_axis(X @ slope[:-1] + slope[-1], label[:, None], axis=1)[:, 0]
    return X, (y + 0.3 * rng.normal(size=n)) / 2.0


def problem(seed):
    """A random problem: size, priors, weights and responsibilities to start from."""
    rng = np.random.default_rng([seed, 1])
    n, p, K = int(rng.integers(5, 120)), int(rng.integers(1, 5)), int(rng.integers(1, 7))
    X, y = regimes(seed, n, p)
    design = Design(np.vstack([X.T, np.ones(n)]))

    def prior():
        return Gamma(*np.exp(rng.uniform(-4.0, 2.0, 2)))

    family, gate = BayesianLines(prior(), prior()), BayesianLogits(prior())
    w = rng.uniform(0.1, 3.0, n)
    mixture = BayesianMixture(family, gate, design, design, y[None], w)
    return mixture, rng.dirichlet(np.full(K, 0.5), n).T


@pytest.mark.parametrize("seed", range(30))
def test_bound_never_falls(seed):
    mixture, R = problem(seed)
    run = climb(mixture, mixture.from_responsibilities(R), max_iter=60, tol=0.0)
    trace = np.array(run.trace)
    assert np.isfinite(trace).all()
    assert (np.diff(trace) >= -1e-9 * np.abs(trace[1:])).all()


def test_bound_never_falls_from_one_factor_to_the_next():
    mixture, R = problem(3)
    state = mixture.from_responsibilities(R)
    for _ in range(20):
        S = mixture.w * state.R
        experts = mixture.family.update(state.experts, mixture.expert_design, mixture.y, S)
        between = mixture.seen(experts, state.gate)
        assert between.bound >= state.bound - 1e-9
        gate = mixture.gate.update(
            state.gate, mixture.gate_design, between.R[None], mixture.w[None]
        )
        state = mixture.seen(experts, gate)
        assert state.bound >= between.bound - 1e-9


def test_experts_too_many_are_dropped_as_long_as_the_bound_rises():
    X, y = regimes(0, 400, 2)
    design = Design(np.vstack([X.T, np.ones(400)]))
    family = BayesianLines(Gamma(1.0, 1e-3), Gamma(0.5, 0.5))
    gate = BayesianLogits(Gamma(0.5, 0.5))
    mixture = BayesianMixture(family, gate, design, design, y[None], np.ones(400))
    R = np.random.default_rng(0).dirichlet(np.full(8, 0.3), 400).T
    run = climb(mixture, mixture.from_responsibilities(R), max_iter=60, tol=1e-4)
    run, path = pruned(mixture, run, max_iter=60, tol=1e-4, tries=3)
    counts = np.array([step.n_experts for step in path])
    heights = np.array([step.evidence for step in path])
    assert counts[0] == 8
    assert (np.diff(counts) == -1).all()
    assert (np.diff(heights) > 0.0).all()
    assert run.state.n_experts == counts[-1] == 3


def test_expert_that_others_can_replace_costs_nothing_at_first_sight():
    mixture, R = problem(4)
    half = np.vstack([0.5 * R[:1], 0.5 * R[:1], R[1:]])
    state = mixture.from_responsibilities(half)
    paid = mixture.family.divergence(state.experts)
    assert mixture.spared(state)[:2] == pytest.approx(paid[:2], abs=1e-6)
