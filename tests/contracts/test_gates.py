"""The contract of gates, for every registered gate in several settings."""

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moe_classic._numerics.linalg import log_sum_exp
from moe_classic.gates import GATES

from .scenes import (
    GATE_CASES,
    ROUNDING,
    STEP,
    assert_same_record,
    assert_slopes_match,
    combine,
    differences,
    freeze,
    frozen,
    gate_scene,
)

each_gate = pytest.mark.parametrize("case", GATE_CASES, ids=str)
twice_differentiable = [c for c in GATE_CASES if hasattr(GATES[c.name], "derivatives")]
each_twice_differentiable_gate = pytest.mark.parametrize("case", twice_differentiable, ids=str)
monotone_only = [c for c in GATE_CASES if c.monotone]
each_monotone_gate = pytest.mark.parametrize("case", monotone_only, ids=str)
several_only = [c for c in GATE_CASES if c.n_experts > 1]
each_group_of_several = pytest.mark.parametrize("case", several_only, ids=str)
# Splits and weights follow from the test itself, so that every run tries the same ones.
property_test = settings(max_examples=5, deadline=None, derandomize=True, database=None)


# ------------------------------------------------------------------------- probabilities


@each_gate
def test_gate_probabilities_sum_to_one(case):
    scene = gate_scene(case)
    log_gate = scene.component.log_gate(scene.params, scene.design)
    assert log_gate.shape == (case.n_experts, scene.w.size)
    np.testing.assert_allclose(log_sum_exp(log_gate), 0.0, atol=1e-13)


@each_gate
def test_log_joint_is_the_log_gate_up_to_a_term_of_the_row(case):
    scene = gate_scene(case)
    joint = scene.component.log_joint(scene.params, scene.design)
    gate = scene.component.log_gate(scene.params, scene.design)
    np.testing.assert_array_equal(scene.forward(scene.params).log_prob, joint)
    if scene.component.generative:
        extra = joint - gate
        np.testing.assert_allclose(extra, np.broadcast_to(extra[0], extra.shape), rtol=1e-12)
    else:
        np.testing.assert_array_equal(joint, gate)


@each_gate
def test_start_makes_all_experts_equally_likely(case):
    scene = gate_scene(case)
    start = scene.component.start(case.n_experts, scene.design.width, scene.summary)
    probability = np.exp(scene.component.log_gate(start, scene.design))
    if scene.component.exchangeable:
        np.testing.assert_allclose(probability, 1.0 / case.n_experts, rtol=1e-13)
    else:
        np.testing.assert_allclose(probability, probability[:, :1] + 0.0 * probability)


# ------------------------------------------------------------------------- derivatives


@each_gate
@pytest.mark.parametrize("weights", ["S", "signed"])
def test_gradient_equals_central_differences(case, weights):
    scene = gate_scene(case)
    S = getattr(scene, weights)
    theta = scene.component.pack(scene.params)
    numeric = differences(lambda t: (S * scene.log_prob(scene.at(t))).sum(), theta)
    assert_slopes_match(scene.gradient(scene.params, S), numeric.reshape(theta.shape))


@each_twice_differentiable_gate
def test_derivatives_equal_central_differences(case):
    scene = gate_scene(case)
    gate, theta = scene.component, scene.component.pack(scene.params)
    R = scene.S / scene.w
    first, curvature = gate.derivatives(scene.params, scene.forward(scene.params), R)
    # Local variables are the coordinates themselves, or logits: intercepts move those.
    places = np.arange(theta.size)
    if theta.size and not getattr(gate, "plain", False):
        places = places.reshape(case.n_experts - 1, -1)[:, -1]

    def slope(f, place):
        step = STEP * (np.arange(theta.size) == place)
        return (f(scene.at(theta + step)) - f(scene.at(theta - step))) / (2.0 * STEP)

    def first_at(params):
        return gate.derivatives(params, scene.forward(params), R)[0]

    assert first.shape == (len(places), case.n_experts, scene.w.size)
    # Where nothing multiplies a design, the curvature comes summed over rows.
    summed = getattr(gate, "plain", False)
    assert curvature.shape == (len(places), len(places), *([] if summed else [scene.w.size]))
    for a, place in enumerate(places):
        assert_slopes_match(first[a], slope(scene.log_prob, place))
        bend = np.einsum("kn,bkn->bn", R, slope(first_at, place))
        assert_slopes_match(curvature[a], -bend.sum(axis=1) if summed else -bend)


@each_gate
def test_penalty_derivatives_equal_central_differences(case):
    scene = gate_scene(case)
    gate, theta = scene.component, scene.component.pack(scene.params)
    value = differences(lambda t: gate.penalty_value(scene.at(t), scene.summary), theta)
    slope = gate.penalty_gradient(scene.params, scene.summary)
    assert_slopes_match(slope, value.reshape(theta.shape))
    bend = differences(lambda t: gate.penalty_gradient(scene.at(t), scene.summary), theta)
    hessian = gate.penalty_hessian(scene.params, scene.summary)
    assert_slopes_match(hessian, bend.reshape(theta.size, theta.size))
    slopes = case.n_experts > 1 and case.n_features > 0
    penalised = slopes and getattr(gate, "alpha", 0.0) > 0.0
    # Families whose values reach the end of their range have a prior.
    families = case.settings.get("families", {}).values()
    penalised |= not {"bernoulli", "categorical", "poisson"}.isdisjoint(families)
    assert (gate.penalty_value(scene.params, scene.summary) > 0.0) == penalised


# ------------------------------------------------------------------------- statistics


@each_gate
@property_test
@given(bits=st.integers(1, 2**60 - 2))
def test_statistics_add_over_any_split_of_the_rows(case, bits):
    scene = gate_scene(case)
    left = np.array([bool(bits >> i & 1) for i in range(scene.w.size)])
    whole = scene.statistics(scene.params, scene.S)
    parts = [scene.statistics(scene.params, scene.S, rows) for rows in (left, ~left)]
    assert_same_record(parts[0] + parts[1], whole)


@each_gate
@property_test
@given(a=st.floats(-3.0, 3.0), b=st.floats(-3.0, 3.0))
def test_statistics_are_linear_in_the_row_weights(case, a, b):
    scene = gate_scene(case)
    S, T = scene.S, scene.signed
    mixed = scene.statistics(scene.params, a * S + b * T)
    parts = combine(scene.statistics(scene.params, S), scene.statistics(scene.params, T), a, b)
    for f in fields(mixed):
        u, v = getattr(mixed, f.name), getattr(parts, f.name)
        # a S and b T may cancel: relative to the size of what was summed.
        size = getattr(scene.statistics(scene.params, np.abs(T) + S), f.name)
        atol = 1e-11 * (1.0 + np.abs(size).max(initial=0.0))
        np.testing.assert_allclose(u, v, rtol=0.0, atol=atol, err_msg=f.name)


@each_gate
def test_statistics_ignore_rows_without_weight(case):
    scene = gate_scene(case)
    keep = np.arange(scene.w.size) % 3 > 0
    weightless = scene.statistics(scene.params, scene.S * keep)
    assert_same_record(weightless, scene.statistics(scene.params, scene.S, keep))


@each_gate
def test_statistics_outlive_the_temporaries_they_were_made_from(case):
    scene = gate_scene(case)
    plain = scene.statistics(scene.params, scene.S)
    assert_same_record(scene.statistics_from_temporaries(), plain)


# ------------------------------------------------------------------------- update


@each_monotone_gate
@pytest.mark.parametrize("seed", range(4))
def test_update_never_lowers_the_objective(case, seed):
    scene = gate_scene(case, seed=seed)
    params = scene.params
    for _ in range(3):
        before, params = scene.objective(params), scene.update(params)
        # A theorem: rounding only.
        assert scene.objective(params) >= before - 1e-9 * abs(before)


@each_gate
@pytest.mark.parametrize("seed", range(4))
def test_update_climbs_after_damping(case, seed):
    scene = gate_scene(case, seed=seed)
    start = scene.component.start(case.n_experts, scene.design.width, scene.summary)
    for params in (scene.params, freeze(start)):
        before = scene.objective(params)
        after = scene.objective(scene.climb(params))
        slope = scene.gradient(params, scene.S)
        slope = slope - scene.component.penalty_gradient(params, scene.summary)
        # Away from a stationary point a step gains something.
        assert after > before or np.abs(slope).max(initial=0.0) < 1e-9 * scene.summary.weight


@each_gate
def test_update_ends_where_the_gradient_vanishes(case):
    scene = gate_scene(case)
    params = scene.params
    for _ in range(20):
        params = scene.climb(params)
    slope = scene.gradient(params, scene.S)
    slope = slope - scene.component.penalty_gradient(params, scene.summary)
    # Newton steps and closed forms: what is left is rounding.
    assert np.abs(slope).max(initial=0.0) < 1e-9 * scene.summary.weight


@each_group_of_several
def test_update_stays_finite_when_an_expert_has_no_rows(case):
    scene = gate_scene(case)
    S = scene.S.copy()
    S[0] += S[1]
    S[1] = 0.0
    params = scene.params
    for _ in range(5):
        stats = scene.statistics(params, S)
        params = freeze(scene.component.update(params, stats, scene.summary))
    log_gate = scene.component.log_gate(params, scene.design)
    assert np.isfinite(log_gate).all()
    assert (log_gate[1] < np.log(0.05)).all()


# ------------------------------------------------------------------------- packing and order


@each_gate
def test_pack_and_unpack_are_inverse(case):
    scene = gate_scene(case)
    gate, params = scene.component, scene.params
    theta = gate.pack(params)
    assert_same_record(gate.unpack(theta, params, scene.summary), params, rtol=1e-12)
    other = theta + 0.3 * np.random.default_rng(2).standard_normal(theta.size)
    np.testing.assert_allclose(gate.pack(scene.at(other)), other, rtol=1e-11, atol=1e-11)
    assert theta.shape == (gate.n_parameters(params),)


@each_gate
def test_pack_and_unpack_share_no_memory_with_what_they_are_given(case):
    scene = gate_scene(case)
    theta = scene.component.pack(scene.params)
    assert theta.flags.writeable
    record = scene.component.unpack(theta, scene.params, scene.summary)
    for f in fields(record):
        old, new = getattr(scene.params, f.name), getattr(record, f.name)
        if isinstance(new, np.ndarray):
            assert not np.shares_memory(theta, old), f.name
            assert not np.shares_memory(theta, new), f.name


@pytest.mark.parametrize("case", [c for c in GATE_CASES if GATES[c.name].exchangeable], ids=str)
def test_reorder_permutes_the_gate_probabilities(case):
    scene = gate_scene(case)
    order = np.random.default_rng(3).permutation(case.n_experts)[::-1]
    moved = scene.component.reorder(scene.params, order)
    log_gate = scene.component.log_gate(scene.params, scene.design)
    np.testing.assert_allclose(
        scene.component.log_gate(moved, scene.design), log_gate[order], rtol=ROUNDING, atol=1e-12
    )


# ------------------------------------------------------------------------- records and hygiene


@each_gate
def test_parameter_records_are_frozen(case):
    params = gate_scene(case).params
    for f in fields(params):
        with pytest.raises(FrozenInstanceError):
            setattr(params, f.name, None)


@each_gate
def test_methods_do_not_write_to_what_they_are_given(case):
    # Every array of a scene is read-only: a write would raise.
    scene = gate_scene(case)
    gate, params, summary = scene.component, scene.params, scene.summary
    new = gate.update(params, freeze(scene.statistics(params, scene.S)), summary)
    gate.gradient(params, scene.design, scene.S)
    gate.log_gate(params, scene.design)
    gate.penalty_gradient(params, summary)
    gate.unpack(frozen(gate.pack(params)), params, summary)
    if hasattr(gate, "derivatives"):
        gate.derivatives(params, scene.forward(params), scene.S)
    arrays = [getattr(params, f.name) for f in fields(params)]
    assert not any(a.flags.writeable for a in arrays if isinstance(a, np.ndarray))
    assert type(new) is type(params)


@pytest.mark.parametrize("name", [n for n, cls in GATES.items() if "alpha" in cls().get_params()])
def test_gate_says_what_is_wrong_with_alpha(name):
    for value in (-1.0, np.nan, np.inf, "much", None, [0.1]):
        with pytest.raises((ValueError, TypeError)) as caught:
            GATES[name](alpha=value).check()
        message = str(caught.value)
        assert GATES[name].__name__ in message
        assert f"alpha={value!r}" in message
