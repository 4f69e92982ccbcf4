"""Posterior of multinomial logits, by Bohning's bound: the gate, and experts that tell classes.

::

    P(c | z) = exp(v_c z) / sum_j exp(v_j z),   sum_c v_c = 0
    v_c,j ~ N(0, (1 - 1/C) / b_j),   b_j ~ Gamma        one precision a feature, all classes alike
    lse(e) <= lse(m) + (e - m)' softmax(m) + (e - m)' A (e - m) / 2,   A = (I - 11'/C) / 2
    q(V) = N(M, (I - 11'/C) x S),   S = (Z W Z' / 2 + diag E b)^-1

The bound touches at the mean of q, where ``E log P >= log softmax(M z) - (C - 1) z'Sz / 4``
(Bohning 1992, Multinomial logistic regression algorithm, Annals of the Institute of Statistical
Mathematics 44): the best M is that of a penalised multinomial regression, which a damped Newton
step climbs, and the best S does not depend on it. The sum-to-zero coding treats all classes alike.

``A`` is the largest curvature that logits can have, so that S is too narrow where probabilities are
near 0 or 1. What is told begins with the curvature at the mean itself, :func:`laplace_covariance`;
the bound keeps S.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

import numpy as np

from moe_classic._data import Design
from moe_classic._numerics import log_sum_exp, softmax_in_place, solve_psd, unpack_symmetric
from moe_classic._typing import Floats, Ints

from .draws import KEPT, normal_cloud
from .gammas import Gamma
from .lines import inverse, leverage
from .missing import Scores

#: Halvings of a step that does not climb.
_HALVINGS = 30
#: Probabilities that are held at a time.
_CHUNK = 1 << 17


@dataclass(frozen=True)
class LogitPosterior:
    """Posterior of G logits with C classes each on a design of width q.

    Attributes
    ----------
    mean : ndarray of shape (G, C, q)
        Sums to zero over classes.
    cov : ndarray of shape (G, q, q)
    precision : Gamma
        Of the coefficients, (G, q).
    """

    mean: Floats
    cov: Floats
    precision: Gamma

    def take(self, order: Ints) -> LogitPosterior:
        """Some of the logits, in an order."""
        precision = Gamma(self.precision.shape, self.precision.rate[order])
        return LogitPosterior(self.mean[order], self.cov[order], precision)

    def without(self, k: int) -> LogitPosterior:
        """The same with one class less; the others keep their odds."""
        mean = np.delete(self.mean, k, axis=1)
        return replace(self, mean=mean - mean.mean(axis=1, keepdims=True))


@dataclass(frozen=True)
class BayesianLogits:
    """Multinomial logits with a Gamma prior on the precision of each feature."""

    precision: Gamma

    def start(self, n_logits: int, n_classes: int, width: int) -> LogitPosterior:
        """All classes equally likely."""
        shape = self.precision.shape + 0.5 * (n_classes - 1)
        precision = Gamma(shape, np.full((n_logits, width), shape))
        cov = np.tile(np.eye(width), (n_logits, 1, 1))
        return LogitPosterior(np.zeros((n_logits, n_classes, width)), cov, precision)

    def update(
        self, last: LogitPosterior, design: Design, targets: Floats, W: Floats
    ) -> LogitPosterior:
        """Best S, a climb in M, best q(b); ``targets`` are (G or 1, C, n), row weights (G, n)."""
        C, q = last.mean.shape[1:]
        prior = last.precision.mean
        gram = unpack_symmetric(design.grams(W), q)
        cov = inverse(0.5 * gram + prior[:, :, None] * np.eye(q))
        mean = _climbed(last.mean, targets, W, prior, design) if C > 1 else last.mean
        return self.with_precisions(mean, cov)

    def with_precisions(self, mean: Floats, cov: Floats) -> LogitPosterior:
        """The best q(b) for these coefficients."""
        C = mean.shape[1]
        size = (mean**2).sum(axis=1) + (C - 1) * np.diagonal(cov, axis1=1, axis2=2)
        shape = self.precision.shape + 0.5 * (C - 1)
        return LogitPosterior(mean, cov, Gamma(shape, self.precision.rate + 0.5 * size))

    def expected_log_proba(self, q: LogitPosterior, design: Design) -> Floats:
        """A lower bound on log probabilities averaged over the posterior, (G, C, n)."""
        C = q.mean.shape[1]
        slack = 0.25 * (C - 1) * leverage(q.cov, design.Z)
        return log_softmax(design.linear(q.mean)) - slack[:, None]

    def log_prior(self, V: Floats) -> Floats:
        """Of coefficients (..., C, q), precisions integrated out, up to a constant, (...,)."""
        shape = self.precision.shape + 0.5 * (V.shape[-2] - 1)
        size = self.precision.rate + 0.5 * (V**2).sum(axis=-2)
        return np.asarray(-shape * np.log(size).sum(axis=-1), dtype=np.float64)

    def divergence(self, q: LogitPosterior) -> Floats:
        """What the bound pays for each of the logits, (G,)."""
        C, width = q.mean.shape[1:]
        prior, spread = q.precision.mean, np.diagonal(q.cov, axis1=1, axis2=2)
        each = (prior * spread).sum(axis=1) - width
        each += -np.linalg.slogdet(q.cov)[1] - q.precision.mean_log.sum(axis=1)
        size = (prior[:, None] * q.mean**2).sum(axis=(1, 2))
        paid = q.precision.divergence(self.precision).sum(axis=1)
        return np.asarray(0.5 * ((C - 1) * each + size) + paid, dtype=np.float64)


@dataclass(frozen=True)
class BayesianClasses:
    """Experts that tell ``n_classes`` classes apart."""

    logits: BayesianLogits
    n_classes: int
    #: The posterior of a single expert is a bound's.
    conjugate: ClassVar[bool] = False

    def start(self, n_experts: int, width: int) -> LogitPosterior:
        """All classes equally likely."""
        return self.logits.start(n_experts, self.n_classes, width)

    def update(self, last: LogitPosterior, design: Design, y: Ints, S: Floats) -> LogitPosterior:
        """Best S, a climb in M, best q(b), for row weights ``S`` (K, n)."""
        return self.logits.update(last, design, self._targets(y)[None], S)

    def expected_log_density(self, q: LogitPosterior, design: Design, y: Ints) -> Floats:
        """Lower bounds on log probabilities of the observed classes, (K, n)."""
        return self.logits.expected_log_proba(q, design)[:, y, np.arange(y.size)]

    def divergence(self, q: LogitPosterior) -> Floats:
        """What the bound pays for each expert, (K,)."""
        return self.logits.divergence(q)

    def slack(self, q: LogitPosterior, design: Design, S: Floats) -> float:
        """What the bound gives away of the evidence, about."""
        return float(slack(q, design, S).sum())

    def scores(self, q: LogitPosterior, design: Design, y: Ints, S: Floats) -> list[Scores]:
        """Of the coefficients of all classes."""
        P = design.linear(q.mean)
        softmax_in_place(P)
        K, C, width = q.mean.shape
        cov = np.zeros((K, C * width, K, C * width))
        every = np.arange(K)
        own = laplace_covariance(q, design, S)
        cov[every, :, every] = own.reshape(K, C * width, C * width)
        return [Scores(self._targets(y) - P, design.Z, cov)]

    def widened(self, q: LogitPosterior, covs: Sequence[Floats]) -> tuple[Floats, Floats]:
        """Means (K, C, q), and draws (K, D, C, q) of normals with covariances as given."""
        K, C, width = q.mean.shape
        every = np.arange(K)
        pairs = zip(q.mean, covs[0][every, :, every], strict=True)
        clouds = [normal_cloud(mean.ravel(), cov, KEPT) for mean, cov in pairs]
        return q.mean, np.reshape(clouds, (K, KEPT, C, width))

    @property
    def outputs(self) -> int:
        """Numbers that a density of a row is made from."""
        return self.n_classes

    def basis(self, width: int) -> Floats:
        """From free coefficients of an expert to all of them."""
        free = np.kron(contrasts(self.n_classes), np.eye(width))
        return np.asarray(free, dtype=np.float64)

    def centre(self, q: LogitPosterior) -> Floats:
        """Means in the order of :meth:`scores`, (K, C q)."""
        return q.mean.reshape(len(q.mean), -1)

    def log_prior(self, own: Floats) -> Floats:
        """Of coefficients (S, K, C q), up to a constant, (S,)."""
        each = self.logits.log_prior(self._by_class(own))
        return np.asarray(each.sum(axis=1), dtype=np.float64)

    def log_density(self, own: Floats, design: Design, y: Ints) -> Floats:
        """Log probabilities of the observed classes, (S, K, n)."""
        return log_softmax(self._by_class(own) @ design.Z)[:, :, y, np.arange(y.size)]

    def projected(
        self, q: LogitPosterior, own: Floats, w: Floats, kept: Floats
    ) -> tuple[Floats, Floats]:
        """Means (K, C, q) and draws (K, D, C, q)."""
        draws = np.moveaxis(self._by_class(kept), 1, 0)
        return draws.mean(axis=1), draws

    def _by_class(self, own: Floats) -> Floats:
        """Coefficients with an axis for classes."""
        return own.reshape(*own.shape[:2], self.n_classes, -1)

    def _targets(self, y: Ints) -> Floats:
        """Observed classes, (C, n)."""
        return np.eye(self.n_classes)[:, y]


def log_softmax(eta: Floats) -> Floats:
    """Logarithms of softmax over the last axis but one."""
    top = eta.max(axis=-2, keepdims=True)
    return np.asarray(eta - top - np.log(np.exp(eta - top).sum(axis=-2, keepdims=True)))


def _climbed(mean: Floats, targets: Floats, W: Floats, prior: Floats, design: Design) -> Floats:
    """One Newton step from each of ``mean`` (G, C, q), halved until it climbs.

    All logits share each call: on few rows calls are what a step costs.
    """

    def height(mean: Floats) -> tuple[Floats, Floats]:
        """Penalised log-likelihoods (G,), and probabilities."""
        P = design.linear(mean)
        observed = (targets * P).sum(axis=1)
        fit = observed - softmax_in_place(P)
        size = (prior[:, None] * mean**2).sum(axis=(1, 2))
        return (fit * W).sum(axis=1) - 0.5 * size, P

    here, P = height(mean)
    score = design.scores(W[:, None] * (targets - P)) - prior[:, None] * mean
    H = _curvatures(P, W, prior, design)
    step = _solved(H, score.reshape(len(H), -1, 1)).reshape(mean.shape)
    step -= step.mean(axis=1, keepdims=True)
    for _ in range(_HALVINGS):
        lower = ~(height(mean + step)[0] >= here)
        if not lower.any():
            return mean + step
        step[lower] *= 0.5
    step[lower] = 0.0
    return mean + step


def _solved(H: Floats, score: Floats) -> Floats:
    """Newton's steps; none along what the data and a prior lost in their rounding leave open."""
    try:
        return np.asarray(np.linalg.solve(H, score), dtype=np.float64)
    except np.linalg.LinAlgError:
        return solve_psd(H, score)


@cache
def _pairs(C: int) -> tuple[Ints, Ints]:
    """Every pair of classes once, a class with itself too."""
    rows, columns = np.triu_indices(C)
    return rows, columns


def _curvatures(P: Floats, W: Floats, prior: Floats, design: Design) -> Floats:
    """Negative Hessians of the penalised log-likelihoods, (G, C q, C q)."""
    (G, C, n), q = P.shape, design.width
    rows, columns = _pairs(C)
    same = rows == columns
    weights = P[:, rows] * np.where(same[:, None], 1.0 - P[:, columns], -P[:, columns])
    weights *= W[:, None]
    grams = unpack_symmetric(design.grams(weights.reshape(-1, n)), q)
    blocks = grams.reshape(G, -1, q, q).swapaxes(0, 1)
    H = np.empty((G, C, q, C, q))
    H[:, rows, :, columns] = H[:, columns, :, rows] = blocks
    flat = H.reshape(G, C * q, C * q)
    flat += np.tile(prior, C)[:, :, None] * np.eye(C * q)
    return flat


def laplace_covariance(q: LogitPosterior, design: Design, W: Floats) -> Floats:
    """Covariances of the coefficients at the curvature of the mean, (G, C, q, C, q).

    Of the coefficients that sum to zero over classes.
    """
    G, C, width = q.mean.shape
    H = _curvatures(_probabilities(q, design), W, q.precision.mean, design)
    cov = inverse(H).reshape(G, C, width, C, width)
    cov -= cov.mean(axis=1, keepdims=True)
    cov -= cov.mean(axis=3, keepdims=True)
    return cov


def slack(q: LogitPosterior, design: Design, W: Floats) -> Floats:
    """By how much the bound would about rise with the curvature at the mean in it, (G,).

    Half the difference of the logarithms of the determinants of both covariances. Along what is
    alike in all classes the curvature is that of the prior alone, which leaves the other factor.
    """
    (G, C, _), prior = q.mean.shape, q.precision.mean
    if C == 1:
        return np.zeros(G)
    H = _curvatures(_probabilities(q, design), W, prior, design)
    tight = np.log(prior).sum(axis=1) - np.linalg.slogdet(H)[1]
    return np.asarray(0.5 * (tight - (C - 1) * np.linalg.slogdet(q.cov)[1]), dtype=np.float64)


def _probabilities(q: LogitPosterior, design: Design) -> Floats:
    """Class probabilities at the mean, (G, C, n)."""
    P = design.linear(q.mean)
    softmax_in_place(P)
    return P


def contrasts(C: int) -> Floats:
    """Orthonormal columns (C, C - 1) that sum to zero."""
    return np.asarray(np.linalg.svd(np.eye(C) - 1.0 / C)[0][:, :-1], dtype=np.float64)


def mean_log_softmax(draws: Floats, design: Design) -> Floats:
    """Logarithms of class probabilities averaged over draws (D, C, q), (C, n)."""
    D, C, q = draws.shape
    n = design.Z.shape[1]
    if C == 1:
        return np.zeros((1, n))
    total, step = np.zeros((C, n)), max(1, _CHUNK // max(C * n, 1))
    for i in range(0, D, step):
        P = design.linear(draws[i : i + step].reshape(-1, q)).reshape(-1, C, n)
        softmax_in_place(P)
        total += P.sum(axis=0)
    log_p = np.log(np.maximum(total, np.finfo(float).tiny))
    return np.asarray(log_p - log_sum_exp(log_p), dtype=np.float64)
