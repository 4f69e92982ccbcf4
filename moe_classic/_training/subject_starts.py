"""Starts where rows belong to subjects: whole subjects are told apart, by what their rows say.

A subject is a point: the means of its features, and how its own regression differs from that of all
rows, shrunk where its rows say little. What is started from rows elsewhere is started from these
points here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from moe_classic._data import Subjects
from moe_classic._typing import Floats, Ints

from .starts import STRATEGIES, StartData, Strategy, single_fit

#: Most numbers that are kept of what the regression of a subject says.
_MOST = 10
#: Prior rows of standardised features that say that a subject is like all others.
_PRIOR = 1.0
#: Width up to which the regressions of all subjects are solved at once.
_WIDE = 16


def of_subjects(view: StartData, subjects: Subjects) -> StartData:
    """The view (m, .) of rows as one of subjects (G, .)."""
    own = _differences(view, subjects)
    if own.shape[1] > _MOST:
        centred = own - np.average(own, axis=0, weights=subjects.w)
        _, axes = np.linalg.eigh((centred.T * subjects.w) @ centred)
        own = centred @ axes[:, -_MOST:]
    mean = np.average(own, axis=0, weights=subjects.w)
    spread = np.sqrt(np.average((own - mean) ** 2, axis=0, weights=subjects.w).max())
    points = (own - mean) / (spread if spread > 0.0 else 1.0)
    X = np.ascontiguousarray(subjects.means(view.X.T).T)
    return StartData(X, np.ascontiguousarray(points), subjects.w, view.n_experts)


def _differences(view: StartData, subjects: Subjects) -> Floats:
    """Ridge regressions of what one fit to all rows leaves, one a subject, (G, q d)."""
    Z = np.column_stack([view.X, np.ones(len(view.X))]).T
    rest = single_fit(view).T
    q, d = len(Z), len(rest)
    if q <= _WIDE:
        grams = subjects.sums((Z[:, None] * Z).reshape(q * q, -1)).T.reshape(-1, q, q)
        scores = subjects.sums((Z[:, None] * rest).reshape(q * d, -1)).T.reshape(-1, q, d)
        return np.linalg.solve(grams + _PRIOR * np.eye(q), scores).reshape(-1, q * d)
    out = np.empty((subjects.count, q * d))
    stops = subjects.starts + subjects.sizes
    for i, (start, stop) in enumerate(zip(subjects.starts, stops, strict=True)):
        A, r = Z[:, start:stop], rest[:, start:stop]
        dual = np.linalg.solve(A.T @ A + _PRIOR * np.eye(stop - start), r.T)
        out[i] = (A @ dual).ravel()
    return out


def nearest_of_drawn(view: StartData, rng: np.random.Generator) -> Ints:
    """Subjects drawn at random, each other one to the likest of them."""
    return _nearest(view, view.pick(view.n_experts, rng))


def nearest_of_distant(view: StartData, rng: np.random.Generator) -> Ints:
    """The same with subjects that are drawn far from those drawn before.

    Arthur & Vassilvitskii (2007), k-means++.
    """
    chosen = [int(view.pick(1, rng)[0])]
    for _ in range(1, view.n_experts):
        gaps = ((view.target[:, None] - view.target[chosen]) ** 2).sum(axis=2).min(axis=1)
        below = np.cumsum(view.w * gaps)
        draw = np.searchsorted(below, rng.random() * below[-1], side="right")
        chosen.append(min(int(draw), view.w.size - 1))
    return _nearest(view, np.array(chosen))


def regression_clusters(view: StartData, rng: np.random.Generator) -> Ints:
    """k-means on what the regressions of the subjects say, their features left out."""
    return view.cluster(view.target, rng)


def _nearest(view: StartData, chosen: Ints) -> Ints:
    """The number of the nearest of some subjects for each, (G,)."""
    gaps = ((view.target[:, None] - view.target[chosen]) ** 2).sum(axis=2)
    return gaps.argmin(axis=1)


#: The strategies of starts, where rows belong to subjects; fits through rows make way.
SUBJECT_STRATEGIES: Mapping[str, Strategy] = {
    **STRATEGIES,
    "elemental": nearest_of_drawn,
    "local": nearest_of_distant,
    "residual": regression_clusters,
}
