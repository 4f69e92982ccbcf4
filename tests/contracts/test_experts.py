"""The contract of experts, for every registered expert in several settings."""

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as distributions

from moe_classic._data.blocks import Design
from moe_classic._data.stats import Summary
from moe_classic.experts import Expert

from .scenes import (
    CLASS_CASES,
    COUNT_CASES,
    EXPERT_CASES,
    LINEAR_EXPERTS,
    OTHER_CASES,
    RANGE_CASES,
    REAL_CASES,
    ROUNDING,
    STEP,
    assert_same_record,
    assert_slopes_match,
    combine,
    differences,
    expert_scene,
    freeze,
    frozen,
    make_design,
    plane_rule,
)

each_expert = pytest.mark.parametrize("case", EXPERT_CASES, ids=str)
each_real_expert = pytest.mark.parametrize("case", REAL_CASES, ids=str)
# Around skew noise no normal density touches: there a mode is searched for.
touching_only = [c for c in REAL_CASES if LINEAR_EXPERTS[c.name]().has("precision")]
each_touching_expert = pytest.mark.parametrize("case", touching_only, ids=str)
each_count_expert = pytest.mark.parametrize("case", COUNT_CASES, ids=str)
each_range_expert = pytest.mark.parametrize("case", RANGE_CASES, ids=str)
each_other_expert = pytest.mark.parametrize("case", OTHER_CASES, ids=str)
each_class_expert = pytest.mark.parametrize("case", CLASS_CASES, ids=str)
smooth_only = [c for c in EXPERT_CASES if LINEAR_EXPERTS[c.name].smooth]
each_smooth_expert = pytest.mark.parametrize("case", smooth_only, ids=str)
monotone_only = [c for c in EXPERT_CASES if c.monotone]
each_monotone_expert = pytest.mark.parametrize("case", monotone_only, ids=str)
several_only = [c for c in EXPERT_CASES if c.n_experts > 1]
each_group_of_several = pytest.mark.parametrize("case", several_only, ids=str)
# Splits and weights follow from the test itself, so that every run tries the same ones.
property_test = settings(max_examples=5, deadline=None, derandomize=True, database=None)


# ------------------------------------------------------------------------- density


@each_real_expert
def test_density_of_a_real_target_integrates_to_one(case):
    scene = expert_scene(case)
    expert, params = scene.component, scene.params
    row = Design(scene.design.Z[:, :1])
    nodes, weight = plane_rule(case.outputs)
    at = Design(np.repeat(row.Z, nodes.shape[1], axis=1))
    location = expert.location(params, row)
    scale = np.broadcast_to(params.scale[:, :, None], location.shape)
    for k in range(case.n_experts):
        y = location[k] + scale[k] * nodes
        mass = np.exp(expert.log_prob(params, at, y)[k]) @ weight * scale[k].prod()
        # The rule itself is good to about 1e-11.
        assert mass == pytest.approx(1.0, abs=1e-9)


@each_real_expert
def test_mean_and_variance_are_the_moments_of_the_density(case):
    scene = expert_scene(case)
    expert, params = scene.component, scene.params
    row = Design(scene.design.Z[:, :1])
    nodes, weight = plane_rule(case.outputs)
    at = Design(np.repeat(row.Z, nodes.shape[1], axis=1))
    mean, variance = expert.mean(params, row), expert.variance(params, row)
    location = expert.location(params, row)
    scale = np.broadcast_to(params.scale[:, :, None], location.shape)
    for k in range(case.n_experts):
        # Taken about the location: far nodes would drown a mean taken about 0.
        shift = scale[k] * nodes
        density = np.exp(expert.log_prob(params, at, location[k] + shift)[k]) * weight
        density *= scale[k].prod()
        centre = location[k, :, 0] + shift @ density
        np.testing.assert_allclose(mean[k, :, 0], centre, rtol=1e-8, atol=1e-8)
        if np.isfinite(variance[k]).all():
            # Tails |y|^-1.2 and lighter, cut at |y| = 1e25.
            second = shift**2 @ density
            np.testing.assert_allclose(variance[k, :, 0], second, rtol=1e-7)


@each_class_expert
def test_density_of_classes_sums_to_one_and_is_the_mean(case):
    scene = expert_scene(case)
    n = scene.w.size
    codes = [np.full(n, c) for c in range(case.outputs)]
    density = np.exp([scene.component.log_prob(scene.params, scene.design, y) for y in codes])
    np.testing.assert_allclose(density.sum(axis=0), 1.0, rtol=ROUNDING)
    mean = scene.component.mean(scene.params, scene.design)
    np.testing.assert_allclose(density.transpose(1, 0, 2), mean, rtol=ROUNDING)


@each_expert
def test_forward_carries_the_log_density_and_nothing_is_nan(case):
    scene = expert_scene(case)
    log_prob = scene.log_prob(scene.params)
    assert log_prob.shape == scene.S.shape
    assert np.isfinite(log_prob).all()
    np.testing.assert_array_equal(scene.forward(scene.params).log_prob, log_prob)


# ------------------------------------------------------------------------- moments, sampling


@each_real_expert
def test_cdf_of_samples_is_uniform(case):
    scene = expert_scene(case)
    rng = np.random.default_rng(1)
    design = make_design(4000, case.n_features, rng)
    y = scene.component.sample(scene.params, design, rng)
    u = scene.component.cdf(scene.params, design, y)
    assert u.shape == y.shape == (case.n_experts, case.outputs, 4000)
    for sample in u.reshape(-1, 4000):
        # The seed is fixed; a scale wrong by 5 % gives p < 1e-6.
        assert distributions.kstest(sample, "uniform", method="asymp").pvalue > 1e-3


@each_class_expert
def test_samples_of_classes_have_the_stated_probabilities(case):
    scene = expert_scene(case)
    rng = np.random.default_rng(1)
    design = Design(np.repeat(scene.design.Z[:, :5], 2000, axis=1))
    drawn = scene.component.sample(scene.params, design, rng).reshape(case.n_experts, 5, 2000)
    share = scene.component.mean(scene.params, Design(scene.design.Z[:, :5]))
    for k in range(case.n_experts):
        for row in range(5):
            seen = np.bincount(drawn[k, row], minlength=case.outputs)
            # The seed is fixed; shares wrong by .05 give p < 1e-4.
            assert distributions.chisquare(seen, 2000 * share[k, :, row]).pvalue > 1e-3


@each_real_expert
def test_cdf_is_the_integral_of_the_density(case):
    scene = expert_scene(case)
    expert, params = scene.component, scene.params
    if case.outputs > 1:
        # Marginal distributions: other outputs far out on the right do not matter.
        spread = np.sqrt(expert.variance(params, scene.design))
        z = (scene.y - expert.mean(params, scene.design)) / spread
        np.testing.assert_allclose(
            expert.cdf(params, scene.design, scene.y), distributions.norm.cdf(z), rtol=1e-9
        )
        return
    slope = expert.cdf(params, scene.design, scene.y + STEP)
    slope = (slope - expert.cdf(params, scene.design, scene.y - STEP)) / (2.0 * STEP)
    assert_slopes_match(slope[:, 0], np.exp(scene.log_prob(params)))


@each_real_expert
@pytest.mark.parametrize("q", [1e-6, 0.025, 0.5, 0.8, 1.0 - 1e-6])
def test_quantile_inverts_the_cdf(case, q):
    scene = expert_scene(case)
    y = scene.component.quantile(scene.params, scene.design, np.full((1, 1, 1), q))
    assert y.shape == (case.n_experts, case.outputs, scene.w.size)
    back = scene.component.cdf(scene.params, scene.design, y)
    # Libraries invert the t distribution to about 1e-9.
    np.testing.assert_allclose(back, q, rtol=1e-8)


@each_real_expert
def test_standard_density_is_the_slope_of_the_standard_cdf(case):
    scene = expert_scene(case)
    expert, params = scene.component, scene.params
    z = np.broadcast_to(np.linspace(-3.05, 3.0, 40), (case.n_experts, 1, 40))
    step = 1e-5
    slope = expert.standard_cdf(params, z + step) - expert.standard_cdf(params, z - step)
    np.testing.assert_allclose(
        np.broadcast_to(expert.standard_pdf(params, z), z.shape),
        np.broadcast_to(slope, z.shape) / (2.0 * step),
        rtol=1e-6,
    )


@each_touching_expert
def test_precision_touches_the_density_at_the_residual(case):
    scene = expert_scene(case)
    expert, params, d = scene.component, scene.params, case.outputs
    first, _ = expert.derivatives(params, scene.forward(params), scene.y)
    e = scene.y - expert.location(params, scene.design)
    P = np.broadcast_to(
        expert.precision(params, scene.forward(params)), (case.n_experts, scene.w.size, d, d)
    )
    np.testing.assert_allclose(np.einsum("knij,kjn->kin", P, e), first[:, :d], rtol=1e-9)


# ------------------------------------------------------------------------- counts and ranges


def at_other_values(scene):
    """Density at the observed y, as answers about y give it, and its expert, params, predictor."""
    expert, params = scene.component, scene.params
    return expert, params, expert.predictor(params, scene.design)


@each_other_expert
def test_density_of_answers_is_that_of_the_fit(case):
    scene = expert_scene(case)
    expert, params, eta = at_other_values(scene)
    density = expert.density_at(params, eta, scene.y[None])
    np.testing.assert_allclose(density[:, 0], np.exp(scene.log_prob(params)), rtol=1e-10)
    for impossible in (-1.0, np.nextafter(expert.kind.high, np.inf)):
        if not expert.kind.allowed(np.array(impossible)):
            at = np.full((1, 1, 1), impossible)
            assert (expert.density_at(params, eta, at) == 0.0).all()


@each_range_expert
def test_cdf_of_a_range_is_the_integral_of_the_density(case):
    scene = expert_scene(case)
    expert, params, eta = at_other_values(scene)
    y, step = scene.y[None], 1e-6 * scene.y[None] * (1.0 - 0.9 * (expert.kind.high == 1.0))
    slope = expert.cdf_at(params, eta, y + step) - expert.cdf_at(params, eta, y - step)
    density = expert.density_at(params, eta, y)
    np.testing.assert_allclose(slope / (2.0 * step), density, rtol=2e-4, atol=1e-7)
    low, high = expert.kind.low, expert.kind.high
    assert (expert.cdf_at(params, eta, np.full((1, 1, 1), low)) == 0.0).all()
    far = np.full((1, 1, 1), high if np.isfinite(high) else 1e300)
    np.testing.assert_allclose(expert.cdf_at(params, eta, far), 1.0, rtol=1e-12)


@each_range_expert
@pytest.mark.parametrize("q", [1e-6, 0.025, 0.5, 0.8, 1.0 - 1e-6])
def test_quantile_of_a_range_inverts_the_cdf(case, q):
    scene = expert_scene(case)
    expert, params, eta = at_other_values(scene)
    y = expert.quantile_at(params, eta, np.full((1, 1, 1), q))
    assert y.shape == (case.n_experts, 1, scene.w.size)
    # Shares next to 1, and next to 0, have no digits left.
    inside = (y > 1e-290) & (y < np.minimum(expert.kind.high - 1e-9, 1e290))
    np.testing.assert_allclose(expert.cdf_at(params, eta, y)[inside], q, rtol=1e-7)


@each_other_expert
def test_moments_are_those_of_the_distribution_function(case):
    scene = expert_scene(case).take(slice(0, 8))
    expert, params, eta = at_other_values(scene)
    mean, variance = expert._moments_at(params, eta)
    # Sums of tails, cut where a tail is rounding.
    np.testing.assert_allclose(expert.mean_at(params, eta), mean, rtol=1e-6)
    np.testing.assert_allclose(expert.variance_at(params, eta), variance, rtol=1e-4, atol=1e-12)


@each_count_expert
def test_probabilities_of_counts_add_up_to_the_cdf(case):
    scene = expert_scene(case).take(slice(0, 8))
    expert, params, eta = at_other_values(scene)
    total = np.zeros((case.n_experts, 1, 8))
    for value in range(40):
        at = np.full((1, 1, 1), float(value))
        total += expert.density_at(params, eta, at)
        np.testing.assert_allclose(expert.cdf_at(params, eta, at), total, rtol=1e-9, atol=1e-13)
    assert (expert.density_at(params, eta, np.full((1, 1, 1), 0.5)) == 0.0).all()


@each_other_expert
def test_transform_of_samples_is_uniform(case):
    scene = expert_scene(case)
    rng = np.random.default_rng(1)
    design = make_design(4000, case.n_features, rng)
    expert, params = scene.component, scene.params
    eta = expert.predictor(params, design)
    y = expert.sample(params, design, rng)
    high, low = expert.cdf_at(params, eta, y), expert.below_at(params, eta, y)
    u = low + (high - low) * rng.random(y.shape)
    for sample in u.reshape(-1, 4000):
        # The seed is fixed; a scale wrong by 5 % gives p < 1e-4.
        assert distributions.kstest(sample, "uniform", method="asymp").pvalue > 1e-3


@pytest.mark.parametrize(
    "case", [c for c in OTHER_CASES if LINEAR_EXPERTS[c.name]().has("output_slopes")], ids=str
)
def test_slopes_of_outputs_equal_central_differences(case):
    scene = expert_scene(case)
    expert, params, eta = at_other_values(scene)
    rise = expert.mean_at(params, eta + STEP) - expert.mean_at(params, eta - STEP)
    slopes = expert.output_slopes(params, expert.mean_at(params, eta), np.ones_like(eta))
    np.testing.assert_allclose(slopes, rise / (2.0 * STEP), rtol=1e-6, atol=1e-9)


# ------------------------------------------------------------------------- derivatives


@each_expert
@pytest.mark.parametrize("weights", ["S", "signed"])
def test_gradient_equals_central_differences(case, weights):
    scene = expert_scene(case)
    S = getattr(scene, weights)
    theta = scene.component.pack(scene.params)
    numeric = differences(lambda t: (S * scene.log_prob(scene.at(t))).sum(), theta)
    assert_slopes_match(scene.gradient(scene.params, S), numeric)


def local_places(expert, params):
    """Place in theta of every local variable (K, J): intercepts move the linear predictors."""
    intercepts = expert.coefficient_places(params)[:, :, -1]
    return np.concatenate([intercepts, expert.nuisance_map(params)], axis=1)


def local_differences(scene, f):
    """Central differences of ``f(params)`` (K, ..., n) in the local variables, (J, K, ..., n)."""
    theta = scene.component.pack(scene.params)
    slopes = []
    for column in local_places(scene.component, scene.params).T:
        step = np.zeros(theta.size)
        step[column] = STEP
        change = f(scene.at(theta + step)) - f(scene.at(theta - step))
        slopes.append(change / (2.0 * STEP))
    return np.array(slopes)


@each_expert
def test_first_derivatives_equal_central_differences(case):
    scene = expert_scene(case)
    first, _ = scene.component.derivatives(scene.params, scene.forward(scene.params), scene.y)
    numeric = local_differences(scene, scene.log_prob)
    assert_slopes_match(first.transpose(1, 0, 2), numeric)
    alone = scene.component.first_derivatives(scene.params, scene.forward(scene.params), scene.y)
    np.testing.assert_array_equal(alone, first)


@each_expert
def test_second_derivatives_equal_central_differences_of_the_first(case):
    scene = expert_scene(case)

    def first(params):
        return scene.component.derivatives(params, scene.forward(params), scene.y)[0]

    _, second = scene.component.derivatives(scene.params, scene.forward(scene.params), scene.y)
    numeric = local_differences(scene, first)
    assert_slopes_match(second.transpose(2, 0, 1, 3), numeric)
    np.testing.assert_allclose(second, second.transpose(0, 2, 1, 3), rtol=ROUNDING, atol=1e-12)


@each_expert
def test_nuisance_map_names_the_coordinates_that_move_each_expert(case):
    scene = expert_scene(case)
    theta = scene.component.pack(scene.params)
    moved = np.abs(differences(lambda t: scene.log_prob(scene.at(t)), theta)).max(axis=2) > 1e-9
    lines = scene.component.coefficient_places(scene.params)
    expected = np.zeros((theta.size, len(lines)), dtype=bool)
    for k, places in enumerate(lines):
        expected[places.ravel(), k] = True
        expected[scene.component.nuisance_map(scene.params)[k], k] = True
    np.testing.assert_array_equal(moved, expected)


@each_expert
def test_gradient_from_ready_derivatives_is_the_gradient(case):
    scene = expert_scene(case)
    first, _ = scene.component.derivatives(scene.params, scene.forward(scene.params), scene.y)
    ready = scene.component.gradient_from(scene.params, scene.design, first, scene.signed)
    np.testing.assert_array_equal(ready, scene.gradient(scene.params, scene.signed))


@each_expert
def test_penalty_derivatives_equal_central_differences(case):
    scene = expert_scene(case)
    expert, theta = scene.component, scene.component.pack(scene.params)
    value = differences(lambda t: expert.penalty_value(scene.at(t), scene.summary), theta)
    slope = expert.penalty_gradient(scene.params, scene.summary)
    assert_slopes_match(slope, value)
    bend = differences(lambda t: expert.penalty_gradient(scene.at(t), scene.summary), theta)
    hessian = expert.penalty_hessian(scene.params, scene.summary)
    assert_slopes_match(hessian, bend)
    np.testing.assert_allclose(
        expert.penalty_curvature(scene.params, scene.summary), np.diag(hessian), rtol=1e-14
    )
    alpha = expert.alpha
    assert (expert.penalty_value(scene.params, scene.summary) > 0.0) == (
        alpha > 0.0 and case.n_features > 0
    )


# ------------------------------------------------------------------------- statistics


@each_expert
@property_test
@given(bits=st.integers(1, 2**60 - 2))
def test_statistics_add_over_any_split_of_the_rows(case, bits):
    scene = expert_scene(case)
    left = np.array([bool(bits >> i & 1) for i in range(scene.w.size)])
    whole = scene.statistics(scene.params, scene.S)
    parts = [scene.statistics(scene.params, scene.S, rows) for rows in (left, ~left)]
    assert_same_record(parts[0] + parts[1], whole)


@each_expert
@property_test
@given(a=st.floats(-3.0, 3.0), b=st.floats(-3.0, 3.0))
def test_statistics_are_linear_in_the_row_weights(case, a, b):
    scene = expert_scene(case)
    S, T = scene.S, scene.signed
    mixed = scene.statistics(scene.params, a * S + b * T)
    parts = combine(scene.statistics(scene.params, S), scene.statistics(scene.params, T), a, b)
    for f in fields(mixed):
        u, v = getattr(mixed, f.name), getattr(parts, f.name)
        # a S and b T may cancel: relative to the size of what was summed.
        size = np.abs(getattr(scene.statistics(scene.params, np.abs(T) + S), f.name)).max()
        np.testing.assert_allclose(u, v, rtol=0.0, atol=1e-11 * (1.0 + size), err_msg=f.name)


@each_expert
def test_statistics_ignore_rows_without_weight(case):
    scene = expert_scene(case)
    keep = np.arange(scene.w.size) % 3 > 0
    weightless = scene.statistics(scene.params, scene.S * keep)
    assert_same_record(weightless, scene.statistics(scene.params, scene.S, keep))


@each_expert
def test_translation_of_statistics_can_be_undone(case):
    scene = expert_scene(case)
    expert, old = scene.component, scene.params
    theta = expert.pack(old)
    new = scene.at(theta + 0.2 * np.random.default_rng(4).standard_normal(theta.size))
    stats = scene.statistics(old, scene.S)
    there = expert.translate(stats, old, new)
    assert_same_record(expert.translate(there, new, old), stats, rtol=1e-9)
    assert_same_record(expert.translate(stats, old, old), stats)
    assert np.abs(there.score - stats.score).max() > 0.0


@each_expert
def test_statistics_outlive_the_temporaries_they_were_made_from(case):
    scene = expert_scene(case)
    plain = scene.statistics(scene.params, scene.S)
    assert_same_record(scene.statistics_from_temporaries(), plain)


# ------------------------------------------------------------------------- update


@each_monotone_expert
@pytest.mark.parametrize("seed", range(4))
def test_update_never_lowers_the_objective(case, seed):
    scene = expert_scene(case, seed=seed)
    params = scene.params
    for _ in range(12):
        before, params = scene.objective(params), scene.update(params)
        # A theorem: rounding only.
        assert scene.objective(params) >= before - 1e-9 * abs(before)


@each_expert
@pytest.mark.parametrize("seed", range(4))
def test_update_climbs_after_damping(case, seed):
    scene = expert_scene(case, seed=seed)
    start = freeze(scene.component.start(case.n_experts, scene.design.width, scene.summary))
    for params in (scene.params, start):
        before = scene.objective(params)
        after = scene.objective(scene.climb(params))
        slope = scene.gradient(params, scene.S)
        slope = slope - scene.component.penalty_gradient(params, scene.summary)
        # Away from a stationary point a step gains something.
        assert after > before or np.abs(slope).max() < 1e-6 * scene.summary.weight


@pytest.mark.parametrize("case", [c for c in smooth_only if c.ends], ids=str)
def test_update_ends_where_the_gradient_vanishes(case):
    scene = expert_scene(case)
    expert, params = scene.component, scene.params
    for _ in range(150):
        params = scene.climb(params)
    slope = scene.gradient(params, scene.S) - expert.penalty_gradient(params, scene.summary)
    # Linear convergence of the latent-scale steps leaves less than this after that many of them.
    assert np.abs(slope).max() < 1e-6 * scene.summary.weight


@each_group_of_several
def test_update_keeps_the_parameters_of_an_expert_without_rows(case):
    scene = expert_scene(case)
    S = scene.S.copy()
    S[1] = 0.0
    stats = scene.statistics(scene.params, S)
    new = scene.component.update(scene.params, stats, scene.summary)
    for f in fields(new):
        value = getattr(new, f.name)
        assert np.isfinite(value).all(), f.name
        if len(value) == case.n_experts:
            kept = value[1], getattr(scene.params, f.name)[1]
            if f.name == "coef":
                # Slopes that it shares move with those of the others.
                kept = tuple(np.delete(a, scene.component.common(value), axis=-1) for a in kept)
            np.testing.assert_array_equal(*kept)
            moved = np.abs(value[0] - getattr(scene.params, f.name)[0]).max() > 0.0
            # What was given stays.
            assert moved or f.name == "df" or f.name in case.settings


# ------------------------------------------------------------------------- packing


@each_expert
def test_pack_and_unpack_are_inverse(case):
    scene = expert_scene(case)
    expert, params = scene.component, scene.params
    theta = expert.pack(params)
    # Logits of values near the end of an interval lose some digits.
    assert_same_record(expert.unpack(theta, params, scene.summary), params, rtol=1e-12)
    other = theta + 0.3 * np.random.default_rng(2).standard_normal(theta.size)
    np.testing.assert_allclose(expert.pack(scene.at(other)), other, rtol=1e-11, atol=1e-11)
    assert theta.shape == (expert.n_parameters(params),)


@each_expert
def test_pack_and_unpack_share_no_memory_with_what_they_are_given(case):
    scene = expert_scene(case)
    expert, params = scene.component, scene.params
    theta = expert.pack(params)
    assert theta.flags.writeable
    record = expert.unpack(theta, params, scene.summary)
    for f in fields(record):
        assert not np.shares_memory(theta, getattr(params, f.name)), f.name
        assert not np.shares_memory(theta, getattr(record, f.name)), f.name


@each_real_expert
def test_unpack_keeps_scales_above_their_floor(case):
    scene = expert_scene(case)
    expert, params = scene.component, scene.params
    theta = expert.pack(params)
    theta[np.unique(expert.nuisance_map(params))] = -40.0
    low = expert.unpack(theta, params, scene.summary)
    assert np.isfinite(expert.log_prob(low, scene.design, scene.y)).all()
    assert (low.scale >= 0.999e-3 * np.sqrt(scene.summary.y_var).min()).all()
    assert expert.degenerate(low, scene.summary).all()


@each_expert
def test_degenerate_says_no_for_ordinary_parameters(case):
    scene = expert_scene(case)
    answer = scene.component.degenerate(scene.params, scene.summary)
    assert answer.shape == (case.n_experts,)
    assert answer.dtype == bool
    assert not answer.any()


# ------------------------------------------------------------------------- order and units


@each_expert
def test_reorder_permutes_the_log_densities(case):
    scene = expert_scene(case)
    order = np.random.default_rng(3).permutation(case.n_experts)[::-1]
    moved = scene.component.reorder(scene.params, order)
    np.testing.assert_array_equal(scene.log_prob(moved), scene.log_prob(scene.params)[order])


@pytest.mark.parametrize(
    "case", [c for c in REAL_CASES if LINEAR_EXPERTS[c.name].equivariant], ids=str
)
def test_rescale_divides_the_density_by_the_factor(case):
    scene = expert_scene(case)
    d = case.outputs
    shift = np.linspace(-3.0, 5.0, d) + 1.0
    equal = case.settings.get("covariance_type") == "spherical"
    factor = np.full(d, 0.02) if equal else np.linspace(0.02, 7.0, d)
    moved = scene.component.rescale(scene.params, shift, factor)
    y = shift[:, None] + factor[:, None] * scene.y
    log_prob = scene.component.log_prob(moved, scene.design, y)
    expected = scene.log_prob(scene.params) - np.log(factor).sum()
    np.testing.assert_allclose(log_prob, expected, rtol=1e-9, atol=1e-9)


@each_expert
def test_start_ignores_the_features_and_its_experts_are_equal(case):
    scene = expert_scene(case)
    start = scene.component.start(case.n_experts, scene.design.width, scene.summary)
    log_prob = scene.log_prob(start)
    assert np.isfinite(log_prob).all()
    other = make_design(scene.w.size, case.n_features, np.random.default_rng(5))
    elsewhere = scene.component.log_prob(start, other, scene.y)
    np.testing.assert_array_equal(log_prob, elsewhere)
    np.testing.assert_array_equal(log_prob, np.broadcast_to(log_prob[0], log_prob.shape))


# ------------------------------------------------------------------------- records and hygiene


@each_expert
def test_parameter_records_are_frozen(case):
    params = expert_scene(case).params
    for f in fields(params):
        with pytest.raises(FrozenInstanceError):
            setattr(params, f.name, None)


@each_expert
def test_methods_do_not_write_to_what_they_are_given(case):
    # Every array of a scene is read-only: a write would raise.
    scene = expert_scene(case)
    expert, params, summary = scene.component, scene.params, scene.summary
    stats = freeze(scene.statistics(params, scene.S))
    new = expert.update(params, stats, summary)
    expert.clip(params, summary)
    expert.derivatives(params, scene.forward(params), scene.y)
    expert.gradient(params, scene.design, scene.y, scene.S)
    expert.penalty_gradient(params, summary)
    expert.unpack(frozen(expert.pack(params)), params, summary)
    expert.sample(params, scene.design, np.random.default_rng(0))
    with pytest.raises(ValueError, match="read-only"):
        params.coef[...] = 0.0
    assert new is not params


@pytest.mark.parametrize("name", LINEAR_EXPERTS)
def test_expert_says_what_is_wrong_with_alpha(name):
    for value in (-1.0, np.nan, np.inf, "much", None, [0.1]):
        with pytest.raises((ValueError, TypeError)) as caught:
            LINEAR_EXPERTS[name](alpha=value).check()
        message = str(caught.value)
        assert LINEAR_EXPERTS[name].__name__ in message
        assert f"alpha={value!r}" in message


@pytest.mark.parametrize("name", [n for n, cls in LINEAR_EXPERTS.items() if cls.target == "real"])
def test_expert_says_what_is_wrong_with_min_scale(name):
    for value in (0.0, -1.0, 1.0, np.nan, "small", None):
        with pytest.raises((ValueError, TypeError)) as caught:
            LINEAR_EXPERTS[name](min_scale=value).check()
        message = str(caught.value)
        assert LINEAR_EXPERTS[name].__name__ in message
        assert f"min_scale={value!r}" in message


@pytest.mark.parametrize("name", LINEAR_EXPERTS)
def test_expert_binds_or_refuses_with_the_number_it_was_given(name):
    cls = LINEAR_EXPERTS[name]
    if cls.target == "class":
        many = Summary(10.0, np.full(5, 0.2), np.full(5, 0.16), 5)
    else:
        many = Summary(10.0, np.zeros(5), np.ones(5))
    try:
        bound = cls().bind(many)
    except ValueError as error:
        assert "5" in str(error)  # noqa: PT017
        assert cls.__name__ in str(error)  # noqa: PT017
    else:
        assert isinstance(bound, Expert)
        assert bound.start(2, 3, many).n_experts == 2
