"""The CRPS of mixtures: every pair of families against numerical integration."""

import math
from itertools import combinations_with_replacement, pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

from moe_classic._components import quadrature
from moe_classic.predictive import _crps
from moe_classic.predictive._crps import Noise, mixture_crps

GAUSSIAN, LAPLACE = ("gaussian", np.inf), ("laplace", np.inf)
STUDENTS = [("student_t", df) for df in (1.5, 2.5, 30.0)]
ELEMENTARY = [GAUSSIAN, LAPLACE, *STUDENTS]
#: (scales, distance of the locations): alike, nearly alike, far from alike, far apart.
SHAPES = [((1.0, 1.0), 0.0), ((2.0, 2.0 + 1e-7), 1.0), ((0.02, 3.0), 2.0), ((1.0, 0.5), 40.0)]


def cdf(e, z):
    """Distribution function at a number, by other code than the package's."""
    if e.family == "student_t":
        return special.stdtr(e.df, z)
    if e.family == "laplace":
        return 0.5 * math.exp(z) if z < 0.0 else 1.0 - 0.5 * math.exp(-z)
    return 0.5 * math.erfc(-z / math.sqrt(2.0)) if e.family == "gaussian" else special.expit(z)


def integrated(y, weights, location, noise):
    """The defining integral by adaptive quadrature, cut where the integrand bends."""
    parts = list(zip(weights, location, noise, strict=True))

    def square(t):
        # All families are symmetric: 1 - F(z) = F(-z).
        side = 1.0 if t < y else -1.0
        return sum(w * cdf(e, side * (t - m) / float(e.scale)) for w, m, e in parts) ** 2

    bends = [m + sign * 8.0 * e.scale for _, m, e in parts for sign in (-1.0, 0.0, 1.0)]
    cuts = [-np.inf, *sorted({y, *bends}), np.inf]
    pieces = [
        integrate.quad(square, a, b, epsabs=1e-10, epsrel=1e-9, limit=200)
        for a, b in pairwise(cuts)
    ]
    return sum(value for value, _ in pieces)


def noises(a, b, scales):
    return [
        Noise(family, np.float64(scale), df)
        for (family, df), scale in zip((a, b), scales, strict=True)
    ]


@pytest.mark.parametrize(("a", "b"), list(combinations_with_replacement(ELEMENTARY, 2)))
@pytest.mark.parametrize(("scales", "apart"), SHAPES)
def test_score_of_two_components_is_the_defining_integral(a, b, scales, apart):
    noise = noises(a, b, scales)
    weights, location = np.array([[0.3], [0.7]]), np.array([[0.5], [0.5 + apart]])
    found = mixture_crps(np.array([1.2]), weights, location, noise)[0]
    # Above the error of the reference integral.
    assert found == pytest.approx(integrated(1.2, [0.3, 0.7], location[:, 0], noise), rel=1e-7)


@pytest.mark.parametrize(
    ("a", "b"), [(("student_t", 0.8), GAUSSIAN), (("logistic", np.inf), ("student_t", 1.0))]
)
def test_score_without_elementary_terms_is_the_defining_integral(a, b):
    noise = noises(a, b, (1.0, 0.3))
    weights, location = np.array([[0.4], [0.6]]), np.array([[0.0], [3.0]])
    found = mixture_crps(np.array([-1.0]), weights, location, noise)[0]
    assert found == pytest.approx(integrated(-1.0, [0.4, 0.6], location[:, 0], noise), rel=1e-6)


@pytest.mark.parametrize("df", [0.55, 0.8, 1.0, 1.0 + 1e-9, 1.19])
@pytest.mark.parametrize("other", [GAUSSIAN, LAPLACE, ("student_t", 0.6), ("student_t", 4.0)])
def test_score_without_mean_sizes_is_the_defining_integral(monkeypatch, df, other):
    monkeypatch.setattr(_crps, "_by_quadrature", None)
    noise = noises(("student_t", df), other, (1.0, 0.3))
    weights, location = np.array([[0.4], [0.6]]), np.array([[0.0], [3.0]])
    found = mixture_crps(np.array([-1.0]), weights, location, noise)[0]
    # The reference loses digits where 1 - F falls as slowly as t^-0.55.
    rel = 1e-4 if df < 0.6 else 1e-6
    assert found == pytest.approx(integrated(-1.0, [0.4, 0.6], location[:, 0], noise), rel=rel)


@pytest.mark.parametrize("df", [1.5, 2.5, 30.0])
def test_taking_own_sizes_off_both_sums_changes_nothing(rng, df):
    noise = [
        Noise("student_t", np.float64(1.0), df),
        Noise("laplace", np.float64(0.2)),
        Noise("gaussian", np.float64(2.0)),
        Noise("student_t", np.float64(0.05), 3.0),
    ]
    weights, location = rng.dirichlet(np.ones(4), 200).T, 5.0 * rng.standard_normal((4, 200))
    y = 5.0 * rng.standard_cauchy(200)
    np.testing.assert_allclose(
        _crps._long_tailed(y, weights, location, noise),
        mixture_crps(y, weights, location, noise),
        rtol=1e-7,
    )


def test_score_of_a_cauchy_at_its_middle_is_known():
    # E|e - 0| - E|e| = 0, and 4 int_0^inf P(e > t)^2 dt = 4 log(2) / pi, halved.
    zero, one = np.zeros(1), np.ones((1, 1))
    found = mixture_crps(zero, one, zero[None], [Noise("student_t", np.float64(3.0), 1.0)])
    assert found[0] == pytest.approx(3.0 * 2.0 * np.log(2.0) / np.pi, rel=1e-12)


def test_score_of_a_gaussian_is_the_published_formula():
    # Gneiting & Raftery (2007), equation 21.
    z = np.linspace(-4.0, 4.0, 9)
    expected = 2.0 * (z * (2.0 * stats.norm.cdf(z) - 1.0) + 2.0 * stats.norm.pdf(z))
    expected -= 2.0 / np.sqrt(np.pi)
    one = np.ones((1, 9))
    found = mixture_crps(2.0 * z, one, 0.0 * one, [Noise("gaussian", np.float64(2.0))])
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_many_rows_interpolate_to_the_score_of_single_rows(rng):
    # More rows than Chebyshev points: pairs are interpolated, single rows are not.
    noise = [Noise("student_t", np.float64(1.0), 3.0), Noise("student_t", np.float64(0.1), 8.0)]
    location = np.vstack([np.zeros(400), np.sinh(np.linspace(-8.0, 8.0, 400))])
    weights = rng.dirichlet([1.0, 1.0], 400).T
    y = rng.standard_normal(400)
    together = mixture_crps(y, weights, location, noise)
    alone = [
        mixture_crps(y[i : i + 1], weights[:, i : i + 1], location[:, i : i + 1], noise)[0]
        for i in range(0, 400, 13)
    ]
    np.testing.assert_allclose(together[::13], alone, rtol=1e-11)


@pytest.mark.parametrize("spread", [0.0, 3.0, 300.0])
def test_both_routes_agree(rng, spread):
    noise = [
        Noise("gaussian", np.float64(1.0)),
        Noise("laplace", np.float64(0.2)),
        Noise("student_t", np.float64(2.0), 4.0),
    ]
    weights = rng.dirichlet(np.ones(3), 100).T
    location, y = spread * rng.standard_normal((3, 100)), rng.standard_normal(100)
    closed = mixture_crps(y, weights, location, noise)
    quadrature = _crps._by_quadrature(y, weights, location, noise)
    # What the quadrature promises where a score is hundreds of times a scale.
    np.testing.assert_allclose(closed, quadrature, rtol=1e-6)


def test_scales_that_differ_by_row_give_the_scores_of_the_rows(rng):
    scale, y = rng.uniform(0.5, 2.0, 5), rng.standard_normal(5)
    weights, location = np.full((2, 5), 0.5), rng.standard_normal((2, 5))
    for family, df in (GAUSSIAN, LAPLACE, ("student_t", 5.0)):
        fixed = Noise("student_t", np.float64(0.7), 5.0) if family == "student_t" else None
        other = fixed or Noise("laplace", np.float64(0.7))
        together = mixture_crps(y, weights, location, [Noise(family, scale, df), other])
        alone = [
            mixture_crps(
                y[i : i + 1],
                weights[:, :1],
                location[:, i : i + 1],
                [Noise(family, scale[i], df), other],
            )[0]
            for i in range(5)
        ]
        # A per-row scale of Student-t noise goes by quadrature.
        np.testing.assert_allclose(together, alone, rtol=1e-8)


@pytest.mark.parametrize(("low", "high"), [(0.3, 2.0), (0.01, 5.0)])
def test_cuts_that_others_resolve_are_left_out_of_the_integral(monkeypatch, rng, low, high):
    K, n = 12, 30
    families = ("student_t", "logistic", "laplace", "gaussian")
    noise = [
        Noise(families[k % 4], np.exp(rng.uniform(np.log(low), np.log(high), n)), 0.7 + k)
        for k in range(K)
    ]
    weights, location = rng.dirichlet(np.ones(K), n).T, 3.0 * rng.standard_normal((K, n))
    y, nodes = rng.standard_normal(n), []
    original = _crps._squared_difference

    def counted(*args):
        square = original(*args)
        return lambda t: nodes.append(1) or square(t)

    monkeypatch.setattr(_crps, "_squared_difference", counted)
    quick = _crps._by_quadrature(y, weights, location, noise)
    few = len(nodes)
    monkeypatch.setattr(quadrature, "_RESOLVED", 0.0)
    np.testing.assert_allclose(quick, _crps._by_quadrature(y, weights, location, noise), rtol=1e-9)
    assert few < len(nodes) - few


def test_score_is_infinite_when_tails_are_too_heavy_for_it():
    one = np.ones((1, 2))
    found = mixture_crps(np.zeros(2), one, one, [Noise("student_t", np.float64(1.0), 0.5)])
    assert np.isinf(found).all()


def test_component_without_weight_changes_nothing(rng):
    y, location = rng.standard_normal(20), rng.standard_normal((2, 20))
    noise = [Noise("gaussian", np.float64(1.0)), Noise("student_t", np.float64(9.0), 3.0)]
    weights = np.vstack([np.ones(20), np.zeros(20)])
    both = mixture_crps(y, weights, location, noise)
    np.testing.assert_allclose(both, mixture_crps(y, weights[:1], location[:1], noise[:1]))


def test_narrow_components_give_the_score_of_an_ensemble(rng):
    # With point masses the score is E|Y - y| - E|Y - Y'| / 2 over members.
    members = rng.standard_normal((4, 1))
    weights = rng.dirichlet(np.ones(4))[:, None]
    noise = [Noise("laplace", np.float64(1e-9))] * 4
    found = mixture_crps(np.array([0.3]), weights, members, noise)[0]
    gaps = np.abs(members - members.T)
    expected = (
        weights[:, 0] @ np.abs(members[:, 0] - 0.3) - 0.5 * (weights.T @ gaps @ weights).item()
    )
    assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("family", ["gaussian", "laplace", "student_t"])
def test_pairs_that_share_no_row_are_passed_over_to_the_last_digits(monkeypatch, family):
    rng = np.random.default_rng(0)
    K, n = 8, 40
    noise = [Noise(family, np.float64(s), 3.0) for s in rng.uniform(0.2, 2.0, K)]
    logs = -30.0 * (rng.uniform(-3.0, 3.0, n) - np.linspace(-3.0, 3.0, K)[:, None]) ** 2
    weights = np.exp(logs - logs.max(axis=0))
    weights /= weights.sum(axis=0)
    y, location = rng.normal(size=n), rng.normal(size=(K, n))
    calls = []
    original = _crps._apart
    monkeypatch.setattr(_crps, "_apart", lambda *args: calls.append(1) or original(*args))
    quick = mixture_crps(y, weights, location, noise)
    few = len(calls)
    monkeypatch.setattr(_crps, "_UNHEARD", -1.0)
    np.testing.assert_allclose(quick, mixture_crps(y, weights, location, noise), rtol=1e-13)
    assert few < 0.7 * (len(calls) - few)
