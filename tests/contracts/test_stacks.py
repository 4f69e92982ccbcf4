"""Starts that advance together end where each ends alone: every family, gates that stack."""

import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest

from moe_classic._data import ArraySource, Subjects
from moe_classic._model import available, by_itself, penalties, stack, stackable, unstack
from moe_classic.experts import EXPERTS
from moe_classic.experts._linear import LinearExpert
from moe_classic.solvers import EM, SQUAREM, run_together, run_weighted
from moe_classic.solvers._paths import look, look_together, survey_together
from moe_classic.solvers._quadratic import quadratic

from ..solvers.problems import Bordered, drawn

STARTS = 4
#: Passes after which rounding is still rounding.
PASSES = 8
GATES = ("softmax", "constant", "tree")
linear = [name for name, kind in EXPERTS.items() if issubclass(kind, LinearExpert)]
#: Family, outputs or classes, experts, settings.
CASES = [
    *((name, 3 if name == "multinomial" else 1, K, {}) for name in linear for K in (2, 3)),
    *(("gaussian", 2, 2, {"covariance_type": kind}) for kind in ("full", "diag", "spherical")),
    ("gaussian", 1, 3, {"alpha": 0.1}),
    ("student_t", 1, 2, {"df": 4.0}),
    ("gaussian", 1, 5, {}),
]
names = [f"{name} d{d} K{K} {settings}" for name, d, K, settings in CASES]
each_case = pytest.mark.parametrize(("expert", "outputs", "K", "settings"), CASES, ids=names)


def scene(expert, outputs, K, settings, gate):
    """A problem, and some starts around the truth."""
    problem, near = drawn(expert, gate, n_experts=K, outputs=outputs, n_features=2, **settings)
    model, rng = problem.model, np.random.default_rng(1)
    theta = model.pack(near)
    moved = [theta + 0.1 * s * rng.standard_normal(theta.size) for s in range(STARTS)]
    return problem, [model.unpack(t, near, problem.summary) for t in moved]


@dataclass(frozen=True)
class Averaged(Bordered):
    """What a gate of subjects sees."""

    averaged: bool


def of_subjects(problem, sizes, block_size=None):
    """The same rows, where those next to each other belong together and come from one expert."""
    rows = problem.source
    subjects = Subjects(sizes, np.random.default_rng(2).uniform(0.5, 1.5, sizes.size))
    maps = tuple(Averaged(m.width, averaged=i == 1) for i, m in enumerate(rows.maps))
    w = subjects.rows_weight
    source = ArraySource(rows.X, rows.y, w, maps, block_size, subjects=subjects)
    per_row = float(subjects.w.sum() / w.sum())
    summary = replace(problem.summary, weight=float(w.sum()), per_row=per_row)
    return replace(problem, source=source, summary=summary)


def packed(problem, several):
    """Unconstrained coordinates, (S, D)."""
    return np.array([problem.model.pack(p) for p in several])


@each_case
@pytest.mark.parametrize("gate", GATES)
def test_a_pass_together_is_a_pass_each(expert, outputs, K, settings, gate):
    problem, starts = scene(expert, outputs, K, settings, gate)
    assert stackable(problem.model, starts[0])
    alone = [look(problem, params) for params in starts]
    together = look_together(problem, starts)
    values = [point.value for point in alone]
    np.testing.assert_allclose([point.value for point in together], values, rtol=1e-12)
    ahead = packed(problem, [point.ahead() for point in alone])
    np.testing.assert_allclose(
        packed(problem, [point.ahead() for point in together]), ahead, rtol=1e-10, atol=1e-10
    )


@each_case
@pytest.mark.parametrize("gate", GATES)
def test_a_survey_together_is_a_survey_each(expert, outputs, K, settings, gate):
    problem, starts = scene(expert, outputs, K, settings, gate)
    if not available(problem.model):
        pytest.skip("no second derivatives")
    together = survey_together(problem, starts)
    for one, params in zip(together, starts, strict=True):
        alone = quadratic(problem, params)
        assert one.value == pytest.approx(alone.value, rel=1e-12)
        error = {"rtol": 1e-9, "atol": 1e-9 * np.abs(alone.matrix).max()}
        np.testing.assert_allclose(one.gradient, alone.gradient, **error)
        np.testing.assert_allclose(one.matrix, alone.matrix, **error)


SIZES = (np.full(50, 4), np.tile([1, 2, 5, 20, 12], 5))


@each_case
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("sizes", SIZES, ids=["alike", "uneven"])
def test_a_pass_over_subjects_together_is_a_pass_each(expert, outputs, K, settings, gate, sizes):
    problem, starts = scene(expert, outputs, K, settings, gate)
    problem = of_subjects(problem, sizes, block_size=80)
    alone = [look(problem, params) for params in starts]
    together = look_together(problem, starts)
    values = [point.value for point in alone]
    np.testing.assert_allclose([point.value for point in together], values, rtol=1e-12)
    ahead = packed(problem, [point.ahead() for point in alone])
    np.testing.assert_allclose(
        packed(problem, [point.ahead() for point in together]), ahead, rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("gate", GATES)
def test_a_survey_of_subjects_together_is_a_survey_each(gate):
    problem, starts = scene("gaussian", 1, 3, {"alpha": 0.1}, gate)
    problem = of_subjects(problem, SIZES[1], block_size=80)
    for one, params in zip(survey_together(problem, starts), starts, strict=True):
        alone = quadratic(problem, params)
        assert one.value == pytest.approx(alone.value, rel=1e-12)
        np.testing.assert_allclose(one.gradient, alone.gradient, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(one.matrix, alone.matrix, rtol=1e-9, atol=1e-9)


def test_penalty_of_a_gate_counts_subjects_once():
    problem, starts = scene("gaussian", 1, 2, {"alpha": 0.1}, "softmax")
    problem = of_subjects(problem, SIZES[0])
    gate = problem.model.gate.set_params(alpha=0.5)
    model = replace(problem.model, gate=gate)
    each = [model.penalty_value(params, problem.summary) for params in starts]
    together = penalties(model, stack(starts), problem.summary, STARTS)
    np.testing.assert_allclose(together, each, rtol=1e-12)


def test_who_says_nan_is_named_where_starts_are_stacked():
    problem, starts = scene("gaussian", 1, 3, {}, "softmax")
    wild = starts[2].experts[0]
    coef = wild.coef.copy()
    coef[1, 0, 0] = np.nan
    starts[2] = replace(starts[2], experts=(replace(wild, coef=coef),))
    with pytest.raises(ValueError, match=r"GaussianExpert \(expert 2\): its log density is NaN"):
        look_together(problem, starts)


@each_case
def test_some_passes_together_are_passes_each(expert, outputs, K, settings):
    problem, starts = scene(expert, outputs, K, settings, "softmax")
    em, limits = EM(finish=None), {"max_iter": PASSES, "tol": 0.0}
    alone = [em.run(problem, params, **limits) for params in starts]
    together = run_together(em, problem, starts, **limits, monitors=[None] * STARTS)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other.trace, one.trace, rtol=1e-10)
        assert other.n_iter == one.n_iter
        pair = packed(problem, [one.params, other.params])
        tolerance = 1e-9 if expert == "weibull" else 1e-10  # its shapes are ill determined
        np.testing.assert_allclose(pair[1], pair[0], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("gate", ["softmax", "tree"])
def test_starts_that_weigh_rows_in_their_way_end_where_each_ends_alone(gate):
    problem, starts = scene("gaussian", 1, 3, {}, gate)
    (block,), rng = problem.source, np.random.default_rng(3)
    weights = rng.uniform(0.2, 2.0, (STARTS, block.w.size)) * (rng.random(block.w.size) < 0.8)
    em, limits = EM(finish=None), {"max_iter": 60, "tol": 1e-3}
    whole = replace(problem, source=[block])
    together = run_weighted(em, whole, starts, weights, **limits)
    assert len({end.n_iter for end in together}) > 1  # some leave before others
    for w, params, end in zip(weights, starts, together, strict=True):
        alone = em.run(replace(problem, source=[replace(block, w=w)]), params, **limits)
        np.testing.assert_allclose(end.trace, alone.trace, rtol=1e-10)
        pair = packed(problem, [alone.params, end.params])
        np.testing.assert_allclose(pair[1], pair[0], rtol=1e-9, atol=1e-9)


def test_each_start_is_damped_stopped_and_watched_by_itself():
    problem, starts = scene("gaussian", 1, 2, {}, "softmax")
    told = []
    monitors = [None, lambda i, v: i >= 3, lambda i, v: told.append(v), None]
    ends = run_together(EM(), problem, starts, max_iter=200, tol=1e-7, monitors=monitors)
    assert len(ends[1].trace) == 3
    assert told[:10] == ends[2].trace[:10]
    assert all(end.converged for end in (ends[0], ends[2], ends[3]))
    assert all((np.diff(end.trace) >= 0.0).all() for end in ends)


def test_solver_without_paths_takes_them_one_by_one():
    problem, starts = scene("gaussian", 1, 2, {}, "softmax")
    limits = {"max_iter": 30, "tol": 1e-6}
    ends = run_together(SQUAREM(), problem, starts, **limits, monitors=[None] * STARTS)
    for end, params in zip(ends, starts, strict=True):
        assert end.trace == SQUAREM().run(problem, params, **limits).trace
    with pytest.raises(NotImplementedError, match="SQUAREM makes its passes by itself"):
        SQUAREM().path(problem, starts[0], None)


def test_shared_scales_are_not_stacked():
    problem, starts = scene("gaussian", 1, 2, {"tied": True}, "softmax")
    assert not stackable(problem.model, starts[0])


@each_case
@pytest.mark.parametrize("gate", GATES)
def test_penalties_of_starts_are_those_of_each(expert, outputs, K, settings, gate):
    problem, starts = scene(expert, outputs, K, settings, gate)
    each = [problem.model.penalty_value(params, problem.summary) for params in starts]
    together = penalties(problem.model, stack(starts), problem.summary, STARTS)
    np.testing.assert_allclose(together, each, rtol=1e-12, atol=1e-15)


@each_case
@pytest.mark.parametrize("gate", GATES)
def test_stack_comes_apart_as_it_was(expert, outputs, K, settings, gate):
    problem, starts = scene(expert, outputs, K, settings, gate)
    whole = stack(starts)
    parts = unstack(whole, problem.model, STARTS)
    np.testing.assert_array_equal(packed(problem, parts), packed(problem, starts))
    assert stack(parts) is whole
    some = unstack(stack(parts[1::2]), problem.model, STARTS // 2)
    np.testing.assert_array_equal(packed(problem, some), packed(problem, starts[1::2]))
    sent = pickle.loads(pickle.dumps(parts[2]))
    assert type(sent) is type(by_itself(parts[2])) is type(starts[2])
    np.testing.assert_array_equal(packed(problem, [sent]), packed(problem, starts[2:3]))
