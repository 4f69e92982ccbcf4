"""The predictive distribution: every answer against brute force."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import trapezoid

from moe_classic import MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.experts import GaussianExpert, LaplaceExpert, StudentTExpert
from moe_classic.gates import SoftmaxGate

#: Gates overlap so that mixtures have several modes and means between them.
EXPERTS = {
    "gaussian": "gaussian",
    "tied": GaussianExpert(tied=True),
    "laplace": LaplaceExpert(),
    "t 5": StudentTExpert(df=5.0),
    "cauchy": StudentTExpert(df=1.0),
    "unlike": [("a", "gaussian"), ("b", "laplace"), ("c", StudentTExpert(df=1.0))],
}
every_expert = pytest.mark.parametrize("fitted", EXPERTS, indirect=True)
all_finite = pytest.mark.parametrize(
    "fitted", ["gaussian", "tied", "laplace", "t 5"], indirect=True
)
MULTI = [
    GaussianExpert(),
    GaussianExpert(tied=True),
    GaussianExpert(covariance_type="diag"),
    GaussianExpert(covariance_type="spherical", tied=True),
]
several_outputs = pytest.mark.parametrize("joint", MULTI, indirect=True, ids=str)


@pytest.fixture(scope="module")
def rows():
    return make_moe(150, n_experts=3, n_features=2, sharpness=1.0, random_state=3)


@pytest.fixture(scope="module")
def fitted(request, rows):
    model = MoERegressor(3, expert=EXPERTS[request.param], n_init=2, random_state=0)
    return model.fit(*rows)


@pytest.fixture(scope="module")
def joint(request):
    X, y = make_moe(200, n_outputs=2, sharpness=1.0, random_state=1)
    return MoERegressor(2, expert=request.param, n_init=2, random_state=0).fit(X, y), X


@pytest.fixture(scope="module")
def some(rows):
    return rows[0][:6]


def density(model, x, grid):
    """Density of y at one row of features, over a grid."""
    return np.exp(model.score_samples(np.repeat(x[None], len(grid), axis=0), grid))


def whole_line(model, x):
    """Nodes dense around all experts, reaching far into the tails."""
    places = model.expert_predictions(x[None])[0]
    far = np.concatenate([-np.logspace(6, -4, 4000), [0.0], np.logspace(-4, 6, 4000)])
    return np.unique(np.concatenate([place + far for place in places]))


# ------------------------------------------------------------------------- density and moments


@every_expert
def test_density_integrates_to_one(fitted, some):
    for x in some[:3]:
        grid = whole_line(fitted, x)
        # trapezoids of relative width .006 leave 2e-5, and Cauchy tails beyond 1e6 some 1e-6
        assert trapezoid(density(fitted, x, grid), grid) == pytest.approx(1.0, abs=5e-5)


@all_finite
def test_mean_and_standard_deviation_are_the_integrals_of_the_density(fitted, some):
    mean, std = fitted.predict(some, return_std=True)
    for x, m, s in zip(some[:3], mean, std, strict=False):
        grid = whole_line(fitted, x)
        p = density(fitted, x, grid)
        # trapezoids as above; the variance of t noise has a heavy tail beyond the grid
        assert trapezoid(grid * p, grid) == pytest.approx(m, abs=2e-4)
        assert trapezoid((grid - m) ** 2 * p, grid) == pytest.approx(s**2, rel=2e-3)


@pytest.mark.parametrize("fitted", ["cauchy", "unlike"], indirect=True)
def test_standard_deviation_is_infinite_and_mean_a_blend_where_they_do_not_exist(fitted, some):
    mean, std = fitted.predict(some, return_std=True)
    blend = (fitted.gate_proba(some) * fitted.expert_predictions(some)).sum(axis=1)
    np.testing.assert_allclose(mean, blend, rtol=1e-12)
    assert np.isposinf(std).all()


@every_expert
def test_density_is_the_gate_weighted_sum_of_the_experts_densities(fitted, rows):
    X, y = rows
    frozen = {"gaussian": stats.norm, "laplace": stats.laplace}
    total = np.zeros(len(y))
    for k, expert in enumerate(fitted.experts_):
        noise = frozen.get(expert.name) or stats.t(expert.df_)
        z = (y - X @ expert.coef_ - expert.intercept_) / expert.scale_
        total += fitted.gate_proba(X)[:, k] * noise.pdf(z) / expert.scale_
    # rounding of coefficients moved between scales
    np.testing.assert_allclose(fitted.score_samples(X, y), np.log(total), rtol=0, atol=1e-9)


# ------------------------------------------------------------------------- distribution function


@every_expert
def test_cdf_is_the_integral_of_the_density(fitted, some):
    for x in some[:3]:
        grid = whole_line(fitted, x)
        p = density(fitted, x, grid)
        steps = 0.5 * (p[1:] + p[:-1]) * np.diff(grid)
        inside = fitted.predict_cdf(np.repeat(x[None], len(grid), axis=0), grid)
        # trapezoids as above
        np.testing.assert_allclose(inside[1:] - inside[0], np.cumsum(steps), atol=5e-5)


@every_expert
@pytest.mark.parametrize("q", [1e-12, 1e-6, 0.025, 0.5, 0.9, 1 - 1e-6])
def test_quantile_is_where_the_cdf_takes_the_value(fitted, some, q):
    reached = fitted.predict_cdf(some, fitted.predict_quantile(some, q))
    # Lower tails are resolved to a relative 1e-9, upper ones to the rounding of 1 - q besides.
    np.testing.assert_allclose(reached, q, rtol=1e-9, atol=0)
    np.testing.assert_allclose(1.0 - reached, 1.0 - q, rtol=1e-9, atol=2e-15)


def test_far_quantiles_of_a_cauchy_mixture_follow_its_tail():
    X, y = make_moe(100, expert=StudentTExpert(df=1.0), random_state=0)
    model = MoERegressor(2, expert=StudentTExpert(df=1.0), n_init=2, random_state=0).fit(X, y)
    scale = np.array([e.scale_ for e in model.experts_])
    for q in (1e-6, 1e-10):
        # P(Y < -u) of a Cauchy is s / (pi u) for large u; the next term is some 1 / u^2 smaller.
        expected = -(model.gate_proba(X) @ scale) / (np.pi * q)
        np.testing.assert_allclose(model.predict_quantile(X, q), expected, rtol=1e-3)
        np.testing.assert_allclose(model.predict_quantile(X, 1 - q), -expected, rtol=1e-3)


@every_expert
def test_quantiles_do_not_cross(fitted, some):
    levels = [1e-6, 1e-3, 0.1, 0.3, 0.5, 0.7, 0.9, 1 - 1e-3, 1 - 1e-6]
    found = fitted.predict_quantile(some, levels)
    assert found.shape == (6, 9)
    assert (np.diff(found, axis=1) > 0).all()
    for j, q in enumerate(levels):
        np.testing.assert_array_equal(found[:, j], fitted.predict_quantile(some, q))


@every_expert
def test_interval_holds_the_coverage_and_equal_tails(fitted, some):
    interval = fitted.predict_interval(some, coverage=0.8)
    assert interval.shape == (6, 2)
    low, high = (fitted.predict_cdf(some, interval[:, i]) for i in (0, 1))
    np.testing.assert_allclose(low, 0.1, rtol=1e-9)
    np.testing.assert_allclose(high, 0.9, rtol=1e-9)


def test_quantile_of_an_expert_without_weight_does_not_matter():
    X = np.linspace(-1, 1, 80)[:, None]
    noise = 0.1 * np.random.default_rng(0).standard_normal(80)
    y = np.where(X[:, 0] < 0, 20.0 + X[:, 0], X[:, 0]) + noise
    model = MoERegressor(2, gate=SoftmaxGate(alpha=0.0), n_init=2, random_state=0).fit(X, y)
    far = np.array([[30.0]])
    expert = model.experts_[int(model.gate_proba(far).argmax())]
    expected = stats.norm(30.0 * expert.coef_[0] + expert.intercept_, expert.scale_).ppf(0.3)
    assert model.predict_quantile(far, 0.3)[0] == pytest.approx(expected, rel=1e-9)


# ------------------------------------------------------------------------- mode


@every_expert
def test_mode_is_the_highest_point_of_the_density(fitted, rows):
    X = rows[0][:25]
    modes = fitted.predict_mode(X)
    heights = fitted.score_samples(X, modes)
    for x, height in zip(X, heights, strict=True):
        places = fitted.expert_predictions(x[None])[0]
        grid = np.append(np.linspace(places.min() - 1, places.max() + 1, 4001), places)
        # Fixed-point steps end within 1e-10 of a maximum: a difference of second order.
        assert np.log(density(fitted, x, grid).max()) <= height + 1e-9


# ------------------------------------------------------------------------- sampling


@every_expert
def test_samples_have_the_predictive_distribution(fitted, some):
    draws = fitted.sample(some[:2], n_samples=3000, random_state=0)
    assert draws.shape == (2, 3000)
    for x, y in zip(some, draws, strict=False):
        u = fitted.predict_cdf(np.repeat(x[None], 3000, axis=0), y)
        assert stats.kstest(u, "uniform").pvalue > 0.005


@every_expert
def test_samples_repeat_for_the_same_seed_only(fitted, some):
    first, again, other = (fitted.sample(some, 4, random_state=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# ------------------------------------------------------------------------- several outputs


@several_outputs
def test_joint_density_integrates_to_one(joint):
    model, X = joint
    centre, reach = model.expert_predictions(X[:1])[0], 8 * model.predict(X[:1], return_std=True)[1]
    low, high = centre.min(axis=0) - reach[0], centre.max(axis=0) + reach[0]
    axes = [np.linspace(low[j], high[j], 301) for j in (0, 1)]
    mesh = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    p = np.exp(model.score_samples(np.repeat(X[:1], 301**2, axis=0), mesh.reshape(-1, 2)))
    area = trapezoid(trapezoid(p.reshape(301, 301), axes[1]), axes[0])
    # Trapezoids of a smooth density that vanishes at the border are exact to rounding of the tails.
    assert area == pytest.approx(1.0, abs=1e-6)


@several_outputs
def test_answers_for_several_outputs_have_one_column_each(joint):
    model, X = joint
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == model.predict_mode(X).shape == (200, 2)
    assert model.predict_quantile(X, 0.2).shape == (200, 2)
    assert model.predict_quantile(X, [0.2, 0.5, 0.8]).shape == (200, 2, 3)
    assert model.predict_interval(X).shape == (200, 2, 2)
    assert model.predict_cdf(X, mean).shape == (200, 2)
    assert model.expert_predictions(X).shape == (200, 2, 2)
    assert model.sample(X, n_samples=5, random_state=0).shape == (200, 5, 2)


@several_outputs
def test_samples_of_several_outputs_have_their_moments_and_margins(joint):
    model, X = joint
    draws = model.sample(X[:1], n_samples=20_000, random_state=0)[0]
    mean, std = model.predict(X[:1], return_std=True)
    # four standard errors of 20,000 draws
    np.testing.assert_allclose(draws.mean(axis=0), mean[0], atol=4 * std.max() / np.sqrt(20_000))
    u = model.predict_cdf(np.repeat(X[:1], 20_000, axis=0), draws)
    for j in (0, 1):
        assert stats.kstest(u[:, j], "uniform").pvalue > 0.005


@several_outputs
def test_quantiles_of_several_outputs_invert_their_margins(joint):
    model, X = joint
    for q in (1e-6, 0.3, 0.99):
        reached = model.predict_cdf(X[:20], model.predict_quantile(X[:20], q))
        np.testing.assert_allclose(reached, q, rtol=1e-9)


@several_outputs
def test_mode_of_several_outputs_is_a_maximum(joint, rng):
    model, X = joint
    modes = model.predict_mode(X[:10])
    heights = model.score_samples(X[:10], modes)
    assert (heights >= model.score_samples(X[:10], model.predict(X[:10])) - 1e-9).all()
    for size in (1e-3, 0.1):
        for _ in range(20):
            moved = modes + size * rng.standard_normal(modes.shape)
            # A maximum up to the tolerance of the fixed point.
            assert (model.score_samples(X[:10], moved) <= heights + 1e-9).all()


# ------------------------------------------------------------------------- arguments


@pytest.mark.parametrize("fitted", ["gaussian"], indirect=True)
@pytest.mark.parametrize(
    ("method", "arguments", "error", "message"),
    [
        (
            "predict_quantile",
            {"q": 0.0},
            ValueError,
            r"q=.*0\.0.* must lie strictly between 0 and 1",
        ),
        ("predict_quantile", {"q": [0.5, 1.0]}, ValueError, "q=.* must lie strictly between"),
        ("predict_quantile", {"q": np.nan}, ValueError, "q=.* must lie strictly between"),
        ("predict_quantile", {"q": "median"}, ValueError, "q=.*median.* must lie strictly between"),
        ("predict_quantile", {"q": []}, ValueError, "q=.* is empty"),
        ("predict_interval", {"coverage": 1.0}, ValueError, r"coverage=1\.0 must lie strictly"),
        ("sample", {"n_samples": 0}, ValueError, "n_samples=0 must be an integer >= 1"),
        ("sample", {"n_samples": 1.5}, ValueError, r"n_samples=1\.5 must be an integer >= 1"),
        ("predict_cdf", {"y": [1.0, 2.0]}, ValueError, "X has 6 rows and y has 2"),
        ("score_samples", {"y": np.ones((6, 2))}, ValueError, "y has 2 outputs, .* fitted on 1"),
    ],
)
def test_answer_names_the_argument_it_cannot_use(fitted, some, method, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(fitted, method)(some, **arguments)
