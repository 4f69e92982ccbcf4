"""Weighted k-means of few rows, without the threads and checks that take longer than the work.

Greedy k-means++ (Arthur & Vassilvitskii 2007, k-means++: the advantages of careful seeding) and
Lloyd's steps (Lloyd 1982, Least squares quantization in PCM). Draws and steps are those of
:class:`sklearn.cluster.KMeans` with one start, so that labels are the same.
"""

from __future__ import annotations

import numpy as np

from moe_classic._typing import Floats, Ints

#: Rows up to which a call of scikit-learn costs more than what it does.
FEW = 2000
#: Squared movement of the centres, relative to the mean variance of a column, that is none.
_STILL = 1e-4


def few_clusters(points: Floats, w: Floats, count: int, seed: int, *, max_iter: int) -> Ints:
    """Labels (m,) of ``points`` (m, r) with weights ``w``, in ``count`` clusters."""
    X = points - points.mean(axis=0)
    centres = _seeded(X, w, count, np.random.RandomState(seed))
    still, labels = _STILL * float(np.var(X, axis=0).mean()), np.full(len(X), -1)
    for _ in range(max_iter):
        old, labels = labels, _nearest(X, centres)
        moved = _means(X, w, labels, centres)
        shift, centres = float(((moved - centres) ** 2).sum()), moved
        if np.array_equal(labels, old):
            return labels
        if shift <= still:
            break
    return _nearest(X, centres)


def _seeded(X: Floats, w: Floats, count: int, draws: np.random.RandomState) -> Floats:
    """Centres (count, r): of a few rows drawn by their distance, the one that helps most."""
    trials, squares = 2 + int(np.log(count)), (X**2).sum(axis=1)
    first = int(draws.choice(len(X), p=w / w.sum()))
    chosen, closest = [first], _distances(X, squares, [first])[0]
    for _ in range(1, count):
        below = np.cumsum(w * closest)
        picks = np.searchsorted(below, draws.uniform(size=trials) * (closest @ w))
        picks = picks.clip(max=len(X) - 1)
        left = np.minimum(closest, _distances(X, squares, picks))
        best = int(np.argmin(left @ w))
        closest = left[best]
        chosen.append(int(picks[best]))
    return X[chosen]


def _distances(X: Floats, squares: Floats, rows: Ints | list[int]) -> Floats:
    """Squared distances of all rows to some of them, (len(rows), m)."""
    found = squares[rows][:, None] - 2.0 * (X[rows] @ X.T) + squares
    return np.maximum(found, 0.0, out=found)


def _nearest(X: Floats, centres: Floats) -> Ints:
    """Number of the centre that is nearest to each row, (m,)."""
    found: Ints = ((centres**2).sum(axis=1)[:, None] - 2.0 * (centres @ X.T)).argmin(axis=0)
    return found


def _means(X: Floats, w: Floats, labels: Ints, centres: Floats) -> Floats:
    """Means of the clusters; an empty one takes the row that is farthest from its centre."""
    member = np.zeros((len(centres), len(X)))
    member[labels, np.arange(len(X))] = w
    sums, mass = member @ X, member.sum(axis=1)
    empty = np.flatnonzero(mass == 0.0)
    if empty.size:
        far = ((X - centres[labels]) ** 2).sum(axis=1)
        for cluster, row in zip(empty, np.argsort(-far, kind="stable"), strict=False):
            sums[labels[row]] -= w[row] * X[row]
            mass[labels[row]] -= w[row]
            sums[cluster], mass[cluster] = w[row] * X[row], w[row]
    return np.divide(sums, mass[:, None], out=centres.copy(), where=mass[:, None] > 0.0)
