"""The contract of experts for wrapped ones: derivatives, steps, sums, records."""

import numpy as np
import pytest

from moe_classic import MoERegressor
from moe_classic.experts import (
    CensoredExpert,
    GaussianExpert,
    LaplaceExpert,
    MultinomialExpert,
    PoissonExpert,
    TruncatedExpert,
    ZeroInflatedExpert,
)
from moe_classic.experts._wrappers.base import _newton
from tests.contracts.scenes import (
    ROUNDING,
    STEP,
    assert_same_record,
    assert_slopes_match,
    combine,
    differences,
    guessed_summary,
)

from .scenes import CASES, wrapped_scene

each = pytest.mark.parametrize("name", CASES)


@each
def test_gradient_equals_central_differences(name):
    scene = wrapped_scene(name)
    theta = scene.component.pack(scene.params)
    numeric = differences(lambda t: (scene.signed * scene.log_prob(scene.at(t))).sum(), theta)
    assert_slopes_match(scene.gradient(scene.params, scene.signed), numeric)


def local_differences(scene, f):
    """Central differences of ``f(params)`` (K, ..., n) in the local variables, (J, K, ..., n)."""
    expert, params = scene.component, scene.params
    theta = expert.pack(params)
    places = expert.coefficient_places(params)[:, :, -1]
    columns = np.concatenate([places, expert.nuisance_map(params)], axis=1).T
    slopes = []
    for column in columns:
        step = np.zeros(theta.size)
        step[column] = STEP
        slopes.append((f(scene.at(theta + step)) - f(scene.at(theta - step))) / (2.0 * STEP))
    return np.array(slopes)


@each
def test_derivatives_equal_central_differences(name):
    scene = wrapped_scene(name)
    expert = scene.component

    def first(params):
        return expert.derivatives(params, scene.forward(params), scene.y)[0]

    slopes, second = expert.derivatives(scene.params, scene.forward(scene.params), scene.y)
    numeric = local_differences(scene, scene.log_prob)
    assert_slopes_match(slopes.transpose(1, 0, 2), numeric)
    assert_slopes_match(second.transpose(2, 0, 1, 3), local_differences(scene, first))


@each
def test_update_leads_to_a_stationary_point_uphill(name):
    scene = wrapped_scene(name)
    params, heights = scene.params, [scene.objective(scene.params)]
    # Those that reach a stationary point have the time for it.
    ends = "free" not in name and "binomial" not in name
    for _ in range(60 if ends else 15):
        params = scene.climb(params)
        heights.append(scene.objective(params))
    assert (np.diff(heights) >= -1e-9 * abs(heights[0])).all()
    gradient = scene.gradient(params, scene.S)
    gradient = gradient - scene.component.penalty_gradient(params, scene.summary)
    bound = scene.component.degenerate(params, scene.summary)
    if ends and not bound.any():
        assert np.abs(gradient).max() < 1e-5 * scene.w.sum()


@each
def test_sums_are_linear_in_the_weights_and_add_over_blocks(name):
    scene = wrapped_scene(name)
    whole = scene.statistics(scene.params, scene.S)
    halves = [scene.statistics(scene.params, scene.S, rows) for rows in (slice(25), slice(25, 60))]
    assert_same_record(halves[0] + halves[1], whole)
    other = scene.statistics(scene.params, scene.signed)
    mixed = scene.statistics(scene.params, 2.0 * scene.S - 0.5 * scene.signed)
    assert_same_record(combine(whole, other, 2.0, -0.5), mixed, rtol=1e-8)


@each
def test_pack_and_order_lose_nothing(name):
    scene = wrapped_scene(name)
    expert, params = scene.component, scene.params
    theta = expert.pack(params)
    back = expert.unpack(theta, params, scene.summary)
    np.testing.assert_allclose(expert.pack(back), theta, rtol=ROUNDING)
    order = np.array([2, 0, 1])
    turned = expert.reorder(params, order)
    np.testing.assert_allclose(
        expert.log_prob(turned, scene.design, scene.y), scene.log_prob(params)[order], rtol=1e-12
    )


@each
def test_statistics_carried_to_other_parameters_are_those_there(name):
    scene = wrapped_scene(name)
    expert, theta = scene.component, scene.component.pack(scene.params)
    rng = np.random.default_rng(1)
    direction = rng.standard_normal(theta.size)
    errors = []
    for size in (1e-3, 5e-4):
        near = scene.at(theta + size * direction)
        there = scene.statistics(near, scene.S)
        carried = expert.translate(scene.statistics(scene.params, scene.S), scene.params, near)
        errors.append(
            max(
                np.abs(carried.score - there.score).max(), np.abs(carried.first - there.first).max()
            )
            if there.first.size
            else np.abs(carried.score - there.score).max()
        )
    # What is left is of second order.
    assert errors[1] < 0.3 * errors[0] + 1e-6


@each
def test_penalty_has_its_gradient_and_hessian(name):
    scene = wrapped_scene(name)
    expert, theta = scene.component, scene.component.pack(scene.params)
    numeric = differences(lambda t: expert.penalty_value(scene.at(t), scene.summary), theta)
    assert_slopes_match(expert.penalty_gradient(scene.params, scene.summary), numeric)
    bend = differences(lambda t: expert.penalty_gradient(scene.at(t), scene.summary), theta)
    assert_slopes_match(expert.penalty_hessian(scene.params, scene.summary), bend)


@pytest.mark.parametrize(
    ("expert", "error", "words"),
    [
        (CensoredExpert("gaussian"), TypeError, "must be an expert"),
        (CensoredExpert(GaussianExpert), TypeError, r"write GaussianExpert\(\)"),
        (CensoredExpert(MultinomialExpert()), ValueError, "describes classes"),
        (CensoredExpert(CensoredExpert(GaussianExpert())), ValueError, "censored already"),
        (CensoredExpert(GaussianExpert(tied=True)), ValueError, "tied=False"),
        (TruncatedExpert(GaussianExpert()), ValueError, "leave no window"),
        (TruncatedExpert(GaussianExpert(), low=2, high=1), ValueError, "low < high"),
        (TruncatedExpert(GaussianExpert(), low=np.nan), ValueError, "finite number"),
        (TruncatedExpert(GaussianExpert(), low=1, low_column=0), ValueError, "both say"),
        (TruncatedExpert(PoissonExpert(), high=-1), ValueError, "holds no values"),
        (
            TruncatedExpert(TruncatedExpert(PoissonExpert(), low=1), high=4),
            ValueError,
            "truncated already",
        ),
        (ZeroInflatedExpert(GaussianExpert()), ValueError, "added to counts"),
        (ZeroInflatedExpert(PoissonExpert(), alpha=-1.0), ValueError, "alpha"),
        (ZeroInflatedExpert(PoissonExpert(), features="x0"), TypeError, "features"),
    ],
    ids=str,
)
def test_what_cannot_be_wrapped_is_refused(expert, error, words):
    with pytest.raises(error, match=words):
        expert.check()


def test_kinks_are_refused():
    with pytest.raises(ValueError, match="no smooth log density"):
        CensoredExpert(LaplaceExpert()).bind(guessed_summary("real", 10, 1))


def test_no_step_is_made_where_nothing_bends():
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(_newton(np.zeros((3, 3)), np.zeros(3)), np.zeros(3))


@pytest.mark.parametrize("inside", ["poisson", None, 3, PoissonExpert])
@pytest.mark.parametrize("outer", [None, CensoredExpert, TruncatedExpert, ZeroInflatedExpert])
@pytest.mark.parametrize("inner", [CensoredExpert, TruncatedExpert, ZeroInflatedExpert])
def test_what_is_no_expert_is_named_however_deep(inside, outer, inner):
    expert = inner(inside) if outer is None else outer(inner(inside))
    X, y = np.arange(8.0)[:, None], np.arange(8.0) % 3
    for given in (expert, [expert, expert]):
        with pytest.raises(TypeError, match="must be an expert of") as raised:
            MoERegressor(2, expert=given).fit(X, y)
        assert str(raised.value).startswith(f"{inner.__name__}: expert={inside!r} ")
