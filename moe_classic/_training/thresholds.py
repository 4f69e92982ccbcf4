"""Where to cut rows in two: the best threshold on one feature, as model trees look for it.

::

    min over features j and thresholds t of  RSS(x_j <= t) + RSS(x_j > t)

Each side has a least-squares fit of its own on all features; thresholds are quantiles, and the sums
of all sides are cumulative over the bins between them. Karalic (1992), Employing linear regression
in regression tree leaves, ECAI 92.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from moe_classic._typing import Floats, Ints

#: Bins between which a feature may be cut in two.
_BINS = 8
#: Multiplications spent on one search; features beyond are left out at random.
_BUDGET = 2e9
#: Ridge of the fits, relative to the mean diagonal.
_RIDGE = 1e-6


def best_cut(X: Floats, T: Floats, w: Floats, count: int, rng: np.random.Generator) -> Ints | None:
    """Labels (m,) of the rows on the sides of the best cut; None where nothing can be cut.

    Parameters
    ----------
    X : (m, p) standardised features, T : (m, d) targets, w : (m,) weights
    count : number of parts; with more than two, thresholds are quantiles of equal weight
    rng : chooses the features where there are too many to look at
    """
    B = np.column_stack([X, np.ones(len(X)), T])
    p = X.shape[1]
    affordable = affordable_features(*B.shape)
    columns = np.arange(p)
    if affordable < p:
        columns = np.sort(rng.permutation(p)[:affordable])
    best, labels = np.inf, None
    for j in columns:
        places = thresholds(X[:, j], w, _BINS if count == 2 else count)
        if not places.size:
            continue
        bins = np.searchsorted(places, X[:, j], side="left")
        grams = _bin_grams(B, w, bins, places.size + 1)
        if count > 2:
            miss, cut = _misfit(grams, p + 1).sum(), None
        else:
            left = np.cumsum(grams, axis=0)
            sides = _misfit(left[:-1], p + 1) + _misfit(left[-1] - left[:-1], p + 1)
            cut = int(sides.argmin())
            miss = sides[cut]
        if miss < best:
            best, labels = miss, bins if cut is None else (bins > cut).astype(np.intp)
    return labels


def affordable_features(m: int, width: int) -> int:
    """Features that are looked at on m rows of ``width`` features, constant and targets."""
    return max(1, int(_BUDGET / (max(m, 1) * width**2)))


def thresholds(x: Floats, w: Floats, parts: int) -> Floats:
    """Distinct values of x (m,) that leave about equal weight between them, rows on both sides."""
    order = np.argsort(x, kind="stable")
    below = np.cumsum(w[order])
    places = np.searchsorted(below, below[-1] * np.arange(1, parts) / parts)
    values = np.unique(x[order][places.clip(max=x.size - 1)])
    return values[values < x[order[-1]]]


def _bin_grams(B: Floats, w: Floats, bins: Ints, count: int) -> Floats:
    """Weighted Grams of the rows of B (m, r) in each bin, (count, r, r)."""
    order = np.argsort(bins, kind="stable")
    edges = np.searchsorted(bins[order], np.arange(count + 1))
    B, w = B[order], w[order]
    parts = [slice(a, b) for a, b in pairwise(edges)]
    return np.array([(B[part] * w[part, None]).T @ B[part] for part in parts])


def _misfit(gram: Floats, q: int) -> Floats:
    """Residual sums of squares (b,) of least squares from Grams (b, q + d, q + d)."""
    H, c = gram[:, :q, :q].copy(), gram[:, :q, q:]
    index = np.arange(q)
    ridge = _RIDGE * np.einsum("bii->b", H) / q + np.finfo(float).tiny ** 0.5
    H[:, index, index] += ridge[:, None]
    explained = np.einsum("bij,bij->b", c, np.linalg.solve(H, c))
    return np.einsum("bii->b", gram[:, q:, q:]) - explained
