"""Who a row belongs to: hard, drawn and flattened posteriors, and experts without rows."""

from dataclasses import replace

import numpy as np
import pytest

from moe_classic._model.model import MoEParams
from moe_classic._objectives.assignment import (
    ClassificationLikelihood,
    FreeEnergy,
    SampledLabels,
    reseed,
)
from moe_classic._objectives.likelihood import MixtureLikelihood

from ..solvers.problems import drawn


@pytest.fixture
def case():
    problem, params = drawn(n=120, n_experts=3)
    return problem, params, next(iter(problem.source))


def joint_of(problem, params, block):
    seen = problem.model.evaluate(params, block)
    return seen.gate.log_prob + seen.log_prob


def test_classified_gives_each_row_to_its_likeliest_expert(case):
    problem, params, block = case
    joint = joint_of(problem, params, block)
    share, row = ClassificationLikelihood(problem.model).share(joint.copy(), block)
    np.testing.assert_array_equal(share.sum(axis=0), 1.0)
    np.testing.assert_array_equal(share.argmax(axis=0), joint.argmax(axis=0))
    np.testing.assert_array_equal(row, joint.max(axis=0))


def test_classification_likelihood_is_no_higher_than_the_likelihood(case):
    problem, params, block = case
    hard, soft = ClassificationLikelihood(problem.model), MixtureLikelihood(problem.model)
    assert hard.value(params, block).objective <= soft.value(params, block).objective
    assert hard(params, block).objective == hard.value(params, block).objective


def test_tempered_is_the_mixture_when_beta_is_one(case):
    problem, params, block = case
    cold, soft = (
        FreeEnergy(problem.model, 1.0)(params, block),
        MixtureLikelihood(problem.model)(params, block),
    )
    assert cold.objective == pytest.approx(soft.objective, rel=1e-14)
    np.testing.assert_allclose(cold.experts[0].mass, soft.experts[0].mass, rtol=1e-13)


def test_tempered_nears_the_classification_likelihood_when_beta_is_large(case):
    problem, params, block = case
    hard = ClassificationLikelihood(problem.model).value(params, block).objective
    # log-sum-exp exceeds the maximum by at most log(K) / beta in each of 120 rows.
    cold = FreeEnergy(problem.model, 1e6).value(params, block).objective
    assert hard <= cold <= hard + 120 * np.log(3) / 1e6


def test_tempered_shares_are_the_slopes_of_its_objective(case):
    problem, params, block = case
    joint, step = joint_of(problem, params, block), 1e-6
    tempered = FreeEnergy(problem.model, 0.4)
    share = tempered.share(joint.copy(), block)[0]
    for k in range(3):
        up, down = joint.copy(), joint.copy()
        up[k] += step
        down[k] -= step
        slope = (tempered.share(up, block)[1] - tempered.share(down, block)[1]) / (2.0 * step)
        # Central differences of numbers of size one.
        np.testing.assert_allclose(slope, share[k], atol=1e-8)


# ------------------------------------------------------------------------- drawn labels


def test_sampled_frequencies_are_the_posteriors(case):
    problem, params, block = case
    R = problem.model.responsibilities(params, block)
    joint = joint_of(problem, params, block)
    draws = 400
    counts = sum(
        SampledLabels(problem.model, 0, draw).share(joint.copy(), block)[0] for draw in range(draws)
    )
    spread = np.sqrt(np.maximum(R * (1.0 - R), 1e-3) / draws)
    # Five standard errors for 360 frequencies.
    assert (np.abs(counts / draws - R) < 5.0 * spread).all()


def test_sampled_labels_follow_from_seed_and_draw_alone(case):
    problem, params, block = case
    joint = joint_of(problem, params, block)

    def labels(seed, draw):
        return SampledLabels(problem.model, seed, draw).share(joint.copy(), block)[0].argmax(axis=0)

    np.testing.assert_array_equal(labels(3, 1), labels(3, 1))
    assert (labels(3, 1) != labels(3, 2)).any()
    assert (labels(3, 1) != labels(4, 1)).any()


def test_sampled_statistics_do_not_depend_on_blocks(case):
    problem, params, _ = case
    drawn_labels = replace(problem, objective=SampledLabels(problem.model, 7, 2))
    whole = drawn_labels.evaluate(params)[1]
    problem.source.block_size, problem.source._kept = 11, {}
    parts = drawn_labels.evaluate(params)[1]
    np.testing.assert_array_equal(parts.experts[0].mass, whole.experts[0].mass)


def test_sampled_objective_is_the_likelihood(case):
    problem, params, block = case
    likelihood = MixtureLikelihood(problem.model).value(params, block).objective
    assert SampledLabels(problem.model, 0, 0)(params, block).objective == pytest.approx(likelihood)


# ------------------------------------------------------------------------- emptied experts


def emptied(params):
    """Parameters whose last expert is likeliest nowhere."""
    gate = params.gate.coef.copy()
    gate[:, -1] += 50.0
    return MoEParams(replace(params.gate, coef=gate), params.experts)


def test_reseed_gives_an_emptied_expert_rows_again(case):
    problem, params, block = case
    bare = emptied(params)
    joint = joint_of(problem, bare, block)
    assert not (joint.argmax(axis=0) == 2).any()
    new = reseed(problem.model, bare, problem.source, problem.summary, share=0.5)
    label = joint_of(problem, new, block).argmax(axis=0)
    worst = np.argsort(joint.max(axis=0))[:10]
    assert (label == 2).any()
    # The rows that fitted worst are those that it was made for.
    assert (label[worst] == 2).mean() > (label == 2).mean()


def test_reseed_leaves_experts_with_rows_alone(case):
    problem, params, _ = case
    assert reseed(problem.model, params, problem.source, problem.summary, share=0.5) is None
