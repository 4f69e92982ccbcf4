"""What a model answers: posteriors, coordinates, draws, experts put in order or taken alone."""

import numpy as np
import pytest

from moe_classic._data.blocks import Block, Design
from moe_classic._data.stats import summarise
from moe_classic._model.model import Group, Model, check_said
from moe_classic.experts import GaussianExpert, StudentTExpert
from moe_classic.gates import SoftmaxGate


@pytest.fixture
def unlike(rng):
    """Two Gaussian experts of one scale and a Student-t one, with rows that they know."""
    n = 50
    y, Z = rng.standard_normal((1, n)), np.vstack([rng.standard_normal((2, n)), np.ones(n)])
    summary = summarise(y, np.ones(n))
    groups = (Group(GaussianExpert(tied=True), 2, 0), Group(StudentTExpert(), 1, 0))
    model = Model(SoftmaxGate(), groups)
    params = model.start([3], summary)
    theta = model.pack(params) + 0.1 * rng.standard_normal(model.pack(params).size)
    return model, model.unpack(theta, params, summary), Block((Design(Z),), y, np.ones(n)), summary


def test_posterior_is_the_joint_over_its_sum(unlike):
    model, params, block, _ = unlike
    joint = np.exp(model.log_joint(params, block))
    R = model.responsibilities(params, block)
    np.testing.assert_allclose(R, joint / joint.sum(axis=0), rtol=1e-12)
    total = np.log(joint.sum(axis=0))
    np.testing.assert_allclose(model.log_likelihood(params, block), total, rtol=1e-12)


def test_layout_says_where_each_component_is_packed(unlike):
    model, params, _, _ = unlike
    theta, (gate, *experts) = model.pack(params), model.layout(params)
    np.testing.assert_array_equal(theta[gate], model.gate.pack(params.gate))
    for group, p, place in zip(model.groups, params.experts, experts, strict=True):
        np.testing.assert_array_equal(theta[place], group.expert.pack(p))
    assert experts[-1].stop == theta.size


def test_expert_taken_alone_has_the_density_that_it_had(unlike):
    model, params, block, _ = unlike
    log_prob = model.evaluate(params, block).log_prob
    for k, group in ((0, model.groups[0]), (1, model.groups[0]), (2, model.groups[1])):
        alone = group.expert.log_prob(model.take(params, k), block.designs[0], block.y)
        np.testing.assert_allclose(alone, log_prob[k : k + 1], rtol=1e-12)


def test_draws_follow_the_gate_unless_the_experts_are_given(unlike):
    model, params, _, _ = unlike
    designs = (Design(np.ones((3, 20_000))),)
    _, experts = model.sample(params, designs, np.random.default_rng(0))
    share = np.bincount(experts, minlength=3) / 20_000
    gate = np.exp(model.gate.log_gate(params.gate, designs[0]))[:, 0]
    np.testing.assert_allclose(share, gate, atol=4.0 * np.sqrt(0.25 / 20_000))
    ones = np.ones(20_000, dtype=np.intp)
    y, same = model.sample(params, designs, np.random.default_rng(0), ones)
    assert same is ones
    mean = model.groups[0].expert.location(params.experts[0], designs[0])[1, 0, 0]
    spread = params.experts[0].scale[0, 0]
    assert y.shape == (1, 20_000)
    assert y.mean() == pytest.approx(mean, abs=4.0 * spread / np.sqrt(20_000))


def test_only_like_experts_may_change_places(unlike):
    model = unlike[0]
    assert not model.exchangeable
    assert Model(SoftmaxGate(), model.groups[:1]).exchangeable


def test_experts_at_the_floor_of_their_scale_are_counted(unlike):
    model, params, _, summary = unlike
    assert model.n_degenerate(params, summary) == 0
    flat = model.unpack(model.pack(params) - 100.0, params, summary)
    assert model.n_degenerate(flat, summary) == 3


def test_predictions_whose_sum_overflows_are_numbers_still():
    model = Model(SoftmaxGate(), (Group(GaussianExpert(), 2, 0),), 0)
    far = np.full((2, 1, 3), 1e308)
    with np.errstate(all="raise"):
        assert check_said(model, "location", far) is far
        assert check_said(model, "location", far * [[[1.0]], [[-1.0]]]) is not None
        far[1, 0, 2] = np.nan
        with pytest.raises(ValueError, match=r"expert 2.*location is NaN in row 2"):
            check_said(model, "location", far)
