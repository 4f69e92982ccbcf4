"""Wrapped experts in several settings, with rows drawn from them."""

from functools import cache

import numpy as np

from moe_classic._data.features import DesignMap
from moe_classic._data.stats import summarise
from moe_classic.experts import (
    BinomialExpert,
    CensoredExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LognormalExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    StudentTExpert,
    TruncatedExpert,
    WeibullExpert,
    ZeroInflatedExpert,
)
from tests.contracts.scenes import Scene, freeze, frozen, guessed_summary, make_design

#: Wrapped experts by name.
CASES = {
    "censored gaussian": CensoredExpert(GaussianExpert(alpha=0.2)),
    "censored gamma": CensoredExpert(GammaExpert()),
    "censored inverse gaussian": CensoredExpert(InverseGaussianExpert()),
    "censored lognormal": CensoredExpert(LognormalExpert()),
    "censored lognormal, scale given": CensoredExpert(LognormalExpert(scale=0.7)),
    "censored poisson": CensoredExpert(PoissonExpert()),
    "censored student": CensoredExpert(StudentTExpert(df=4.0)),
    "censored student, free": CensoredExpert(StudentTExpert()),
    "censored truncated lognormal": CensoredExpert(TruncatedExpert(LognormalExpert(), low=0.4)),
    "censored weibull": CensoredExpert(WeibullExpert()),
    "censored weibull, shape given": CensoredExpert(WeibullExpert(shape=1.5)),
    "censored zero-inflated poisson": CensoredExpert(ZeroInflatedExpert(PoissonExpert())),
    "truncated gamma": TruncatedExpert(GammaExpert(), low=0.3),
    "truncated gaussian": TruncatedExpert(GaussianExpert(), low=-1.5, high=2.0),
    "truncated lognormal": TruncatedExpert(LognormalExpert(), low=0.3),
    "truncated negative binomial": TruncatedExpert(NegativeBinomialExpert(), low=1, high=30),
    "truncated poisson": TruncatedExpert(PoissonExpert(), low=1),
    "truncated weibull": TruncatedExpert(WeibullExpert(), high=2.5),
    "hurdle": ZeroInflatedExpert(TruncatedExpert(PoissonExpert(), low=1)),
    "truncated zero-inflated": TruncatedExpert(ZeroInflatedExpert(PoissonExpert()), high=12),
    "zero-inflated binomial": ZeroInflatedExpert(BinomialExpert(trials=9)),
    "zero-inflated negative binomial": ZeroInflatedExpert(NegativeBinomialExpert()),
    "zero-inflated poisson": ZeroInflatedExpert(PoissonExpert(alpha=0.1), alpha=0.3),
    "zero-inflated poisson, one share": ZeroInflatedExpert(PoissonExpert(), features=[]),
    "zero-inflated poisson, one feature": ZeroInflatedExpert(PoissonExpert(), features=["x1"]),
}


def plain_map(p):
    """The map of features that are as they should be."""
    return DesignMap(None, None, None, np.zeros(p), np.ones(p), tuple(f"x{j}" for j in range(p)))


def ends_of(y, kind, rng):
    """Ends of intervals (2, n) around y (1, n): some seen, some one-sided, some with two ends."""
    fate = rng.integers(4, size=y.shape[1])
    width = np.ceil(rng.uniform(0.2, 3.0, (2, y.shape[1])) / (kind.step or 0.2)) * (
        kind.step or 0.2
    )
    low, high = y[0].copy(), y[0].copy()
    low[fate == 1] = -np.inf
    high[fate == 2] = np.inf
    both = fate == 3
    low[both] = np.maximum(low[both] - width[0, both], kind.low)
    high[both] = np.minimum(high[both] + width[1, both], kind.high)
    return np.stack([low, high])


@cache
def wrapped_scene(name, n=60, K=3, p=2, seed=0):
    """A bound wrapper with random parameters and a target drawn from it."""
    rng = np.random.default_rng(seed)
    expert = CASES[name]
    expert.check()
    guess = guessed_summary(expert.target, n, 1)
    bound = expert.bind(guess).seeing(plain_map(p), [f"x{j}" for j in range(p)])
    design = make_design(n, p, rng)
    start = bound.start(K, p + 1, guess)
    theta = bound.pack(start)
    params = bound.unpack(theta + 0.3 * rng.standard_normal(theta.size), start, guess)
    w = rng.uniform(0.5, 2.0, n)
    S = w * rng.dirichlet(np.ones(K), n).T
    drawn = bound.sample(params, design, rng)
    y = drawn[rng.integers(K, size=n), ..., np.arange(n)].T
    summary = summarise(y, w)
    if expert.intervals:
        y = ends_of(y, bound.kind, rng)
    signed = w * rng.standard_normal((K, n))
    parts = [frozen(v) for v in (y, w)]
    return Scene(bound, freeze(params), design, *parts, summary, frozen(S), frozen(signed))
