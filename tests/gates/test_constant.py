"""The constant gate: mixing proportions."""

import numpy as np
import pytest

from moe_classic._data.blocks import Design
from moe_classic._data.stats import Summary
from moe_classic.gates import ConstantGate, SoftmaxGate
from moe_classic.gates._constant import ConstantParams, MassStats

SUMMARY = Summary(30.0, np.zeros(1), np.ones(1))


@pytest.fixture
def design():
    return Design(np.ones((1, 30)))


def test_update_gives_the_shares_of_the_mass(rng, design):
    gate, S = ConstantGate(), rng.uniform(size=(3, 30))
    start = gate.start(3, 1, SUMMARY)
    stats = gate.statistics(start, gate.forward(start, design), design, S, np.empty((0, 1)))
    new = gate.update(start, stats, SUMMARY)
    np.testing.assert_allclose(new.proportions, S.sum(axis=1) / S.sum(), rtol=1e-14)


def test_proportions_are_those_of_a_softmax_gate_that_sees_nothing(rng, design):
    S = rng.dirichlet([1.0, 2.0, 3.0], 30).T
    constant = ConstantGate().update(ConstantParams(np.ones(3) / 3), MassStats(S.sum(1)), SUMMARY)
    gate = SoftmaxGate(features=[])
    params = gate.start(3, 1, SUMMARY)
    for _ in range(10):
        fwd = gate.forward(params, design)
        grams = design.grams(gate.curvature(params, fwd, S))
        params = gate.update(params, gate.statistics(params, fwd, design, S, grams), SUMMARY)
    # Newton has converged.
    probability = np.exp(gate.log_gate(params, design))[:, 0]
    np.testing.assert_allclose(probability, constant.proportions, rtol=1e-12)
    np.testing.assert_allclose(gate.pack(params), ConstantGate().pack(constant), rtol=1e-11)


def test_gate_asks_for_no_gram_matrix(rng, design):
    gate, S = ConstantGate(), rng.uniform(size=(3, 30))
    start = gate.start(3, 1, SUMMARY)
    assert gate.curvature(start, gate.forward(start, design), S).shape == (0, 30)


def test_expert_without_mass_keeps_a_finite_logarithm(design):
    gate = ConstantGate()
    params = gate.update(gate.start(2, 1, SUMMARY), MassStats(np.array([5.0, 0.0])), SUMMARY)
    log_gate = gate.log_gate(params, design)
    assert np.isfinite(log_gate).all()
    assert np.isfinite(gate.pack(params)).all()
    assert (log_gate[1] < -600.0).all()


def test_proportions_have_one_parameter_less_than_experts():
    gate = ConstantGate()
    assert gate.n_parameters(gate.start(5, 1, SUMMARY)) == 4
