"""The normal distribution that is nearest to a posterior of logits, without a bound.

::

    maximise over M, V   E_q [ sum_n w_n sum_c t_cn log P(c | z_n) ] - E_q(V' b V) / 2 + log|V| / 2

    sum_n w_n (t_n - E_q P_n) z_n' = b M
    V^-1 = sum_n w_n E_q (diag P_n - P_n P_n') x z_n z_n' + b

(Opper & Archambeau 2009, The variational Gaussian approximation revisited, Neural Computation 21.)
Bohning's bound puts M where the likelihood is highest and makes V as if logits were bent as much as
they can be. Under a sharp gate the likelihood falls slowly towards steeper slopes, so that most of
the posterior is steeper than its mode: averages over q move M there. Averages are taken at the
points of :func:`~moe_classic._bayes.logits.average_log_softmax`.
"""

from __future__ import annotations

import numpy as np

from moe_classic._data import Design
from moe_classic._numerics import softmax_in_place, unpack_symmetric
from moe_classic._typing import Floats

from .lines import inverse
from .logits import LogitPosterior, laplace_covariance, normal_points, roots

#: Steps at most, and the length of one, in standard deviations, at which they end.
_STEPS, _SMALL = 40, 1e-3


def nearest_normal(
    q: LogitPosterior, prior: tuple[float, float], targets: Floats, w: Floats, design: Design
) -> tuple[Floats, Floats]:
    """Means (C, q) and covariances (C, q, C, q) of the nearest normal distribution.

    Parameters
    ----------
    q : LogitPosterior
        Of one logit, where the steps start.
    prior : tuple of float
        Shape and rate of the precisions, whose posterior goes along.
    targets : ndarray of shape (C, n)
    w : ndarray of shape (n,)
    design : Design
    """
    first = q.mean[0], laplace_covariance(q, design, w[None])[0]
    mean, cov = first
    C, width = mean.shape
    centre = np.eye(C) - 1.0 / C
    for _ in range(_STEPS):
        size = (mean**2).sum(axis=0) + np.einsum("cjcj->j", cov)
        b = (prior[0] + 0.5 * (C - 1)) / (prior[1] + 0.5 * size)
        P, curvature = _averages(mean, cov, w, design)
        score = design.scores(w * (targets - P)) - b * mean
        full = inverse(curvature + np.diag(np.tile(b, C)))
        step = (full @ score.ravel()).reshape(C, width)
        step -= step.mean(axis=0)
        target = full.reshape(C, width, C, width)
        target = np.einsum("ab,bicj,cd->aidj", centre, target, centre)
        # Mean and covariance depend on each other: half of the way each.
        mean, cov = mean + 0.5 * step, 0.5 * (cov + target)
        if not (np.isfinite(mean).all() and np.isfinite(cov).all()):
            return first
        spread = np.sqrt(np.maximum(np.einsum("cjcj->cj", cov), np.finfo(float).tiny))
        if (np.abs(step) <= _SMALL * spread).all():
            break
    return mean, cov


def _averages(mean: Floats, cov: Floats, w: Floats, design: Design) -> tuple[Floats, Floats]:
    """Averages over q of probabilities (C, n), and of the curvature (C q, C q) at the rows."""
    C, width = mean.shape
    rows, columns = np.triu_indices(C, 1)
    eta = design.linear(mean - mean[-1])
    root = roots(cov, design)
    total, pairs = np.zeros(eta.shape), np.zeros((rows.size, eta.shape[1]))
    points = normal_points(C - 1)
    for u in np.concatenate([points, -points]):
        P = eta.copy()
        P[:-1] += np.einsum("nij,j->in", root, u)
        softmax_in_place(P)
        total += P
        pairs += P[rows] * P[columns]
    count = 2 * len(points)
    H = np.zeros((C, width, C, width))
    grams = unpack_symmetric(design.grams(w * pairs / count), width)
    for i, j, gram in zip(rows, columns, grams, strict=True):
        H[i, :, i] += gram
        H[j, :, j] += gram
        H[i, :, j] -= gram
        H[j, :, i] -= gram
    return total / count, H.reshape(C * width, C * width)
