"""Sums over pairs by a series and by neighbours, against pairs one by one and against integrals."""

import numpy as np
import pytest
from scipy import integrate, stats

from moe_classic._components import Noise
from moe_classic.predictive import _crps, _distance
from moe_classic.predictive._crps import mixture_crps
from moe_classic.predictive._near import near_distance


def gaussians(rng, K, low, high):
    return [Noise("gaussian", s) for s in np.exp(rng.uniform(np.log(low), np.log(high), K))]


def students(rng, K, low, high):
    scales = np.exp(rng.uniform(np.log(low), np.log(high), K))
    return [
        Noise("student_t", s, df) for s, df in zip(scales, rng.uniform(4.0, 30.0, K), strict=True)
    ]


NOISES = {
    "alike": lambda rng, K: gaussians(rng, K, 0.5, 2.0),
    "narrow": lambda rng, K: gaussians(rng, K, 1e-3, 1e-2),
    "of all widths": lambda rng, K: gaussians(rng, K, 1e-3, 10.0),
    "student": lambda rng, K: students(rng, K, 0.3, 3.0),
    "both": lambda rng, K: gaussians(rng, K - 8, 0.1, 3.0) + students(rng, 8, 0.3, 3.0),
    "all kinds": lambda rng, K: (
        gaussians(rng, K - 8, 0.1, 3.0)
        + students(rng, 4, 0.3, 3.0)
        + [Noise("laplace", np.float64(0.7))] * 3
        + [Noise("student_t", np.float64(1.0), 2.0)]
    ),
}


def rows(rng, K, n, spread, concentration=1.0):
    weights = rng.dirichlet(np.full(K, concentration), n).T.copy()
    return spread * rng.standard_normal(n), weights, spread * rng.standard_normal((K, n))


def by_pairs(monkeypatch, *arguments):
    with monkeypatch.context() as patched:
        patched.setattr(_crps, "worthwhile", lambda *_: None)
        return mixture_crps(*arguments)


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("spread", [0.0, 3.0, 100.0])
def test_every_series_gives_the_score_of_the_pairs(monkeypatch, rng, kind, spread):
    noise = NOISES[kind](rng, 14)
    y, weights, location = rows(rng, 14, 20, spread, 0.3)
    location[3, 5], weights[3, 5] = 1e9, 0.0  # a place that no one hears of
    expected = by_pairs(monkeypatch, y, weights, location, noise)
    known = np.array([k for k, e in enumerate(noise) if _distance._is_known(e)])
    terms = sorted(_distance._candidates(known, noise), key=lambda s: s.last * s.reach)
    plans = [s for i, s in enumerate(terms) if i < 3 or s.last * (spread + s.reach) < 3000.0]
    for series in plans:
        with monkeypatch.context() as patched:
            patched.setattr(_crps, "worthwhile", lambda *_, s=series: s)
            found = mixture_crps(y, weights, location, noise)
        np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_a_series_is_taken_where_it_pays(rng):
    for kind, spread in (("alike", 3.0), ("student", 3.0), ("narrow", 1.0)):
        noise = NOISES[kind](rng, 60)
        _, weights, location = rows(rng, 60, 1000, spread)
        series = _distance.worthwhile(weights, location, noise)
        assert series is not None
        assert series.covers(60).mean() > 0.5
    # Few experts; scales that differ by row; rows that hear one expert; ranges without a bound.
    noise = NOISES["alike"](rng, 60)
    assert _distance.worthwhile(weights[:3], location[:3], noise[:3]) is None
    wide = [Noise("gaussian", np.ones(1000))] * 60
    assert _distance.worthwhile(weights, location, wide) is None
    series = _distance.worthwhile(weights, 1e8 * location, noise)
    assert series is None or series.last == 0.0


def test_score_of_many_normals_is_the_defining_integral(rng):
    noise = NOISES["alike"](rng, 60)
    y, weights, location = rows(rng, 60, 600, 4.0)
    assert _distance.worthwhile(weights, location, noise) is not None
    found = mixture_crps(y, weights, location, noise)
    scale = np.array([float(e.scale) for e in noise])
    t = np.linspace(-60.0, 60.0, 60_001)
    for i in range(0, 600, 150):
        F = weights[:, i] @ stats.norm.cdf(t, location[:, i, None], scale[:, None])
        # Simpson's rule on either side of y, where the integrand jumps.
        below = t <= y[i]
        edge = float(weights[:, i] @ stats.norm.cdf(y[i], location[:, i], scale))
        left = integrate.simpson(np.r_[F[below], edge] ** 2, x=np.r_[t[below], y[i]])
        right = integrate.simpson((1.0 - np.r_[edge, F[~below]]) ** 2, x=np.r_[y[i], t[~below]])
        assert found[i] == pytest.approx(left + right, rel=1e-8)


@pytest.mark.parametrize("df", [3.0, 7.0, 40.0, 100.0])
def test_characteristic_function_of_student_noise(df):
    for x in (0.05, 0.7, 3.0):
        expected = integrate.quad(
            lambda e: 2.0 * stats.t.pdf(e, df), 0.0, np.inf, weight="cos", wvar=x
        )[0]
        found = _distance._characteristic("student_t", df, np.array([x]))[0]
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("df", [4.0, 10.0, 100.0])
def test_reach_leaves_what_it_promises(df):
    reach = _distance._reach("student_t", df)
    excess = 2.0 * integrate.quad(lambda e: stats.t.sf(e, df), reach, np.inf)[0]
    assert excess < 1.1e-10


def test_neighbours_are_the_pairs(rng):
    w, m = rng.dirichlet(np.ones(12), 40).T.copy(), rng.standard_normal((12, 40))
    scale = np.exp(rng.uniform(-6.0, 0.0, 12))
    gap, variance = m[:, None] - m, np.add.outer(scale**2, scale**2)[..., None]
    law = stats.foldnorm(np.abs(gap) / np.sqrt(variance), scale=np.sqrt(variance))
    expected = 0.5 * np.einsum("jn,kn,jkn->n", w, w, law.mean())
    np.testing.assert_allclose(near_distance(w, m, scale), expected, rtol=1e-12)
