"""Posterior of Gaussian regressions: normal-gamma, with a precision a feature and expert (ARD).

::

    y | x ~ N(b z, 1 / t),   b_j | t, a_j ~ N(0, 1 / (t a_j)),   t ~ Gamma,   a_j ~ Gamma
    q(b, t) = N(b; m, (t L)^-1) Gamma(t; s, r),   L = diag E a + Z W Z',   m = L^-1 Z W y
    s = s0 + sum w / 2,   r = r0 + (sum w (y - m z)^2 + m' diag(E a) m) / 2

MacKay (1994), Bayesian non-linear modelling for the prediction competition, and Bishop (2006),
Pattern Recognition and Machine Learning, section 10.3, for a single regression; Ueda & Ghahramani
(2002), Bayesian model search for mixture models based on optimizing variational bounds, Neural
Networks 15, for experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.special import polygamma

from moe_classic._data import Design
from moe_classic._numerics import unpack_symmetric
from moe_classic._typing import Floats, Ints

from .gammas import Gamma, gamma_shape
from .missing import Scores

_LOG_2PI = float(np.log(2.0 * np.pi))
#: Logarithm of the largest precision that a draw may have.
_LARGEST = 200.0


@dataclass(frozen=True)
class LinePosterior:
    """Posterior of K regressions on a design of width q.

    Attributes
    ----------
    mean : ndarray of shape (K, q)
    cov : ndarray of shape (K, q, q)
        Covariance of the coefficients for noise of variance 1, ``L^-1``.
    noise : Gamma
        Precisions of the noise, (K,).
    relevance : Gamma
        Precisions of the coefficients in units of the noise, (K, q).
    """

    mean: Floats
    cov: Floats
    noise: Gamma
    relevance: Gamma

    def take(self, order: Ints) -> LinePosterior:
        """Some experts, in an order."""
        return LinePosterior(
            self.mean[order],
            self.cov[order],
            Gamma(self.noise.shape[order], self.noise.rate[order]),
            Gamma(self.relevance.shape, self.relevance.rate[order]),
        )


@dataclass(frozen=True)
class BayesianLines:
    """Gaussian experts with conjugate priors on ``noise`` and ``relevance``."""

    noise: Gamma
    relevance: Gamma

    def start(self, n_experts: int, width: int) -> LinePosterior:
        """The prior, coefficients at zero."""
        ones = np.ones(n_experts)
        relevance = Gamma(self.relevance.shape + 0.5, np.full((n_experts, width), 1.0))
        cov = np.tile(np.eye(width), (n_experts, 1, 1))
        noise = Gamma(self.noise.shape * ones, self.noise.rate * ones)
        return LinePosterior(np.zeros((n_experts, width)), cov, noise, relevance)

    def update(self, last: LinePosterior, design: Design, y: Floats, S: Floats) -> LinePosterior:
        """Best q(b, t), then best q(a), for row weights ``S`` (K, n)."""
        prior = last.relevance.mean
        gram = unpack_symmetric(design.grams(S), design.width)
        L = gram + prior[:, :, None] * np.eye(design.width)
        cov = inverse(L)
        # Around the last mean: raw second moments would cancel.
        e = y[0] - design.linear(last.mean)
        pull = design.scores(S * e) - prior * last.mean
        mean = last.mean + np.einsum("kij,kj->ki", cov, pull)
        e = y[0] - design.linear(mean)
        shape = self.noise.shape + 0.5 * S.sum(axis=1)
        fit = np.einsum("kn,kn->k", S, e**2) + (prior * mean**2).sum(axis=1)
        noise = Gamma(shape, self.noise.rate + 0.5 * fit)
        new = LinePosterior(mean, cov, noise, last.relevance)
        return replace(new, relevance=self._relevance(new))

    def _relevance(self, q: LinePosterior) -> Gamma:
        """Best q(a) given the coefficients."""
        spread = np.diagonal(q.cov, axis1=1, axis2=2)
        rate = self.relevance.rate + 0.5 * (q.noise.mean[:, None] * q.mean**2 + spread)
        return Gamma(self.relevance.shape + 0.5, rate)

    def expected_log_density(self, q: LinePosterior, design: Design, y: Floats) -> Floats:
        """Log density of the rows, averaged over the posterior, (K, n)."""
        e = y[0] - design.linear(q.mean)
        noise = q.noise
        fit = noise.mean[:, None] * e**2 + leverage(q.cov, design.Z)
        return np.asarray(0.5 * (noise.mean_log[:, None] - _LOG_2PI - fit), dtype=np.float64)

    def slack(self, q: LinePosterior, design: Design, S: Floats) -> float:
        """Nothing: expectations are exact."""
        return 0.0

    def scores(self, q: LinePosterior, design: Design, y: Floats, S: Floats) -> list[Scores]:
        """Of coefficients, and of the logarithms of the precisions of the noise."""
        e = y[0] - design.linear(q.mean)
        t = q.noise.mean[:, None]
        K, width = q.mean.shape
        lines, noise = np.zeros((K, width, K, width)), np.zeros((K, 1, K, 1))
        every = np.arange(K)
        lines[every, :, every] = q.cov / q.noise.mean[:, None, None]
        noise[every, :, every] = polygamma(1, q.noise.shape)[:, None, None]
        curve = 0.5 * (1.0 - t * (e**2 + leverage(q.cov, design.Z) / t))
        return [
            Scores((t * e)[:, None], design.Z, lines),
            Scores(curve[:, None], np.ones((1, e.shape[1])), noise),
        ]

    def widened(self, q: LinePosterior, covs: Sequence[Floats]) -> LinePosterior:
        """The posterior with covariances of coefficients and log precisions as they are given."""
        every = np.arange(len(q.mean))
        lines, noise = (cov[every, :, every] for cov in covs)
        # The same mean precision with the shape that its logarithm's variance calls for.
        usual, wide = polygamma(1, q.noise.shape), noise[:, 0, 0]
        factor = np.where(wide > usual, usual / np.maximum(wide, usual), 1.0)
        wider = Gamma(q.noise.shape * factor, q.noise.rate * factor)
        return replace(q, cov=lines * q.noise.mean[:, None, None], noise=wider)

    #: Numbers that a density of a row is made from.
    outputs: ClassVar[int] = 1
    #: The posterior of a single one is exact but for its relevance.
    conjugate: ClassVar[bool] = True

    def basis(self, width: int) -> Floats:
        """From free parameters of an expert to all of them: the same."""
        return np.eye(width + 1)

    def centre(self, q: LinePosterior) -> Floats:
        """Means of coefficients and log precisions, (K, q + 1)."""
        return np.concatenate([q.mean, q.noise.mean_log[:, None]], axis=1)

    def log_prior(self, own: Floats) -> Floats:
        """Of coefficients and log precisions (S, K, q + 1), up to a constant, (S,)."""
        b, log_t = own[..., :-1], own[..., -1]
        t = _exp(log_t)
        noise = self.noise.shape * log_t - self.noise.rate * t
        size = np.log(self.relevance.rate + 0.5 * t[..., None] * b**2).sum(axis=-1)
        lines = 0.5 * b.shape[-1] * log_t - (self.relevance.shape + 0.5) * size
        return np.asarray((noise + lines).sum(axis=1), dtype=np.float64)

    def log_density(self, own: Floats, design: Design, y: Floats) -> Floats:
        """Log densities of the rows, (S, K, n)."""
        log_t = own[..., -1:]
        e = y[0] - own[..., :-1] @ design.Z
        return np.asarray(0.5 * (log_t - _LOG_2PI - _exp(log_t) * e * e), dtype=np.float64)

    def projected(self, q: LinePosterior, own: Floats, w: Floats, kept: Floats) -> LinePosterior:
        """The normal-gamma nearest to weighted draws (S, K, q + 1).

        That with the same means of ``t``, ``log t``, ``t b`` and ``t b b'``: the divergence of the
        draws from it is the least.
        """
        b, t = own[..., :-1], _exp(own[..., -1])
        mean_t = w @ t
        shape = gamma_shape(np.log(mean_t) - w @ own[..., -1])
        wt = w[:, None] * t / mean_t
        mean = np.einsum("sk,skq->kq", wt, b)
        off = b - mean
        cov = mean_t[:, None, None] * np.einsum("sk,ski,skj->kij", wt, off, off, optimize=True)
        return replace(q, mean=mean, cov=cov, noise=Gamma(shape, shape / mean_t))

    def divergence(self, q: LinePosterior) -> Floats:
        """What the bound pays for each expert, (K,)."""
        prior, width = q.relevance.mean, q.mean.shape[1]
        spread = np.diagonal(q.cov, axis1=1, axis2=2)
        size = (prior * (spread + q.noise.mean[:, None] * q.mean**2)).sum(axis=1)
        logs = -np.linalg.slogdet(q.cov)[1] - q.relevance.mean_log.sum(axis=1)
        lines = 0.5 * (size - width + logs)
        relevance = q.relevance.divergence(self.relevance).sum(axis=1)
        return lines + q.noise.divergence(self.noise) + relevance


def _exp(log_t: Floats) -> Floats:
    """Precisions, kept finite."""
    return np.asarray(np.exp(np.clip(log_t, -_LARGEST, _LARGEST)), dtype=np.float64)


def inverse(A: Floats) -> Floats:
    """Inverses of positive definite matrices (..., q, q), symmetric to the last digit."""
    # In units in which all diagonals are 1: columns may have very different precisions.
    unit = 1.0 / np.sqrt(np.diagonal(A, axis1=-2, axis2=-1))
    scaled = A * unit[..., :, None] * unit[..., None, :]
    try:
        root = np.linalg.inv(np.linalg.cholesky(scaled))
    except np.linalg.LinAlgError:
        # A prior that is rounding beside the data: what it adds is lost, and least of all is known.
        values, vectors = np.linalg.eigh(scaled)
        least = values.shape[-1] * np.finfo(float).eps
        root = vectors.swapaxes(-1, -2) / np.sqrt(np.maximum(values, least))[..., None]
    root = root * unit[..., None, :]
    return np.asarray(root.swapaxes(-1, -2) @ root, dtype=np.float64)


def leverage(cov: Floats, Z: Floats) -> Floats:
    """Variances ``z' C z`` of linear predictors, (..., n); ``cov`` is (..., q, q)."""
    return np.asarray(np.einsum("...in,in->...n", cov @ Z, Z), dtype=np.float64)
