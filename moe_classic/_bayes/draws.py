"""Weighted draws from a density that is known up to a constant, near where it is known to be.

::

    x_rs ~ t_5(m_r, C_r),  s = 1..S,      v_rs = p(x_rs) / mean_j t_5(x_rs; m_j, C_j)

are rounds of *adaptive multiple importance sampling* (Cornuet, Marin, Mira & Robert 2012, Adaptive
multiple importance sampling, Scandinavian Journal of Statistics 39): each round proposes with the
mean and covariance of all draws before, and all draws are weighted anew by the mixture of all
proposals. As long as a few draws have most of the weight, moments are of ``v`` to a power below
one, which they do not have. The points behind the draws are the same at every call and stand
opposite each other, so that equal data have equal draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from moe_classic._numerics import floored_cholesky
from moe_classic._typing import Floats

#: Draws of equal weight that stand for a posterior.
KEPT = 512
#: Degrees of freedom of proposals: their tails are heavier than those of most posteriors.
_DF = 5.0
#: Rounds at least and at most; and independent draws, as a share of the draws of a round, that all
#: draws are worth when they are enough.
_FIRST, _LAST, _ENOUGH = 4, 16, 0.75
#: Share of the draws of a round that the moments of the next proposal rest on at least.
_SHARE = 0.25
#: Independent draws that the result must be worth; the lowest power of weights that reaches it.
_FEWEST, _POWER = 200.0, 0.6
#: Bisections of a power.
_BISECTIONS = 30
#: What is added to correlation matrices that may be singular.
_JITTER = 1e-10
#: A correlation that is larger than any, rounding of ordinary ones included.
_ANY = 2.0


@dataclass(frozen=True)
class Draws:
    """Points (S, d) and their weights (S,), which sum to one."""

    points: Floats
    weights: Floats

    def resampled(self, count: int) -> Floats:
        """``count`` points of equal weight, (count, d): systematically, along the longest axis."""
        off = self.points - self.weights @ self.points
        along = off @ np.linalg.eigh((off.T * self.weights) @ off)[1][:, -1]
        order = np.argsort(along, kind="stable")
        steps = (np.arange(count) + 0.5) / count
        place = np.searchsorted(np.cumsum(self.weights[order]), steps)
        return self.points[order[np.minimum(place, order.size - 1)]]


@dataclass(frozen=True)
class _Proposal:
    """A Student-t by its location (d,) and the Cholesky factor of its scale matrix."""

    at: Floats
    root: Floats

    @classmethod
    def of(cls, mean: Floats, scale: Floats) -> _Proposal:
        """From a scale matrix that may be singular."""
        unit = np.sqrt(np.maximum(np.diagonal(scale), np.finfo(float).tiny))
        with np.errstate(over="ignore"):
            # Correlations, which rounding may leave anywhere where a variance is next to none.
            whole = np.clip(scale / np.outer(unit, unit), -_ANY, _ANY)
        whole += _JITTER * np.eye(unit.size)
        return cls(mean, unit[:, None] * floored_cholesky(whole, _JITTER))

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """``n`` points, the second half opposite the first."""
        half = (n + 1) // 2
        wide = np.sqrt(_DF / rng.chisquare(_DF, (half, 1)))
        off = rng.standard_normal((half, self.at.size)) * wide @ self.root.T
        return np.concatenate([self.at + off, self.at - off])

    def log_density(self, X: Floats) -> Floats:
        """At points (S, d), without the constant that all proposals share."""
        z = np.linalg.inv(self.root) @ (X - self.at).T
        d = self.at.size
        far = 0.5 * (_DF + d) * np.log1p((z * z).sum(axis=0) / _DF)
        return np.asarray(-far - np.log(np.diagonal(self.root)).sum(), dtype=np.float64)


def adapted(
    log_target: Callable[[Floats], Floats], mean: Floats, cov: Floats, size: int
) -> Draws | None:
    """Weighted draws, ``size`` a round, or None if they tell too little of the target.

    Parameters
    ----------
    log_target : callable, (S, d) -> (S,)
    mean, cov : ndarrays of shape (d,) and (d, d)
        Of a first approximation.
    """
    rng = np.random.default_rng(0)
    proposals = [_Proposal.of(mean, cov)]
    X = proposals[0].draw(size, rng)
    heights, shares = log_target(X), proposals[0].log_density(X)
    while True:
        log_w = heights - shares + np.log(len(proposals))
        if len(proposals) == _LAST:
            break
        if len(proposals) >= _FIRST and _worth(log_w) >= _ENOUGH * size:
            break
        w = _weights(log_w, _power(log_w, _SHARE * size))
        mean = w @ X
        cov = ((X - mean).T * w) @ (X - mean)
        proposals.append(_Proposal.of(mean, (_DF - 2.0) / _DF * cov))
        new = proposals[-1].draw(size, rng)
        own = logsumexp([proposal.log_density(new) for proposal in proposals], axis=0)
        shares = np.concatenate([np.logaddexp(shares, proposals[-1].log_density(X)), own])
        X, heights = np.concatenate([X, new]), np.concatenate([heights, log_target(new)])
    power = _power(log_w, _FEWEST)
    return Draws(X, _weights(log_w, power)) if power >= _POWER else None


def _weights(log_w: Floats, power: float) -> Floats:
    """Weights to a power, summing to one."""
    w = np.exp(power * (log_w - log_w.max()))
    return np.asarray(w / w.sum(), dtype=np.float64)


def _worth(log_w: Floats, power: float = 1.0) -> float:
    """How many independent draws the weighted ones are worth (Kong 1992)."""
    w = _weights(log_w, power)
    return float(1.0 / (w @ w))


def _power(log_w: Floats, least: float) -> float:
    """The largest power up to one that leaves ``least`` draws."""
    if _worth(log_w) >= least:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        half = 0.5 * (low + high)
        low, high = (half, high) if _worth(log_w, half) >= least else (low, half)
    return low


def normal_cloud(mean: Floats, cov: Floats, count: int) -> Floats:
    """``count`` points (count, d) that have this mean and, if they can, this covariance."""
    d = mean.size
    rng = np.random.default_rng(0)
    half = rng.standard_normal((count // 2, d))
    if d < count // 2:
        # Uncorrelated with variance one to the last digit.
        half = half @ np.linalg.inv(np.linalg.cholesky(half.T @ half / len(half))).T
    values, vectors = np.linalg.eigh(cov)
    off = half @ (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return np.concatenate([mean + off, mean - off])
