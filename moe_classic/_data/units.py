"""Centres and units of features: moments that a few wild values do not set."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from moe_classic._numerics import has_wild, tame_range, weighted_quantile
from moe_classic._typing import Floats

from .stats import merged_moments

#: A pass over features as a component sees them (n, q - 1), with weights.
Parts = Callable[[], Iterable[tuple[Floats, Floats]]]
#: Robust deviations from the median beyond which a feature counts as if it were that far.
_WILD = 3.0
#: Standard deviation over that of all but wild values from which on these set the units.
_INFLATED = 3.0
#: Rows whose values are sorted to tell which are wild.
_MOST_SEEN = 1_000_000
#: Columns whose spread is below this share of their size are constant up to rounding.
_CONSTANT = 1e-13


def moments(
    parts: Parts, some: Callable[[], Floats], size: Floats | None = None
) -> tuple[Floats, Floats]:
    """Weighted means and inverse standard deviations, 0 for constant columns; one pass or two.

    Wild values, three robust deviations and more from the median, count as if they stood there:
    penalties act on features in these units, and one sentinel must not set them. Only where they
    make the deviation several times what it is without them: rare values of columns that are
    mostly alike, such as pixels, are what these columns say. ``size`` is that of the values which
    were averaged: means that differ by their rounding alone are constant.
    """
    mean, spread, low, high, _ = one_pass(parts)
    size = np.maximum(np.abs(low), np.abs(high)) if size is None else size
    varies = spread > _CONSTANT * size
    wild = [int(j) for j in np.flatnonzero(varies) if has_wild(low[j], high[j], mean[j], spread[j])]
    if wild:
        seen, w = seen_columns(parts, wild, some)
        for j, column in zip(wild, seen, strict=True):
            if weighted_quantile(column, w, 0.25) < weighted_quantile(column, w, 0.75):
                low[j], high[j] = tame_range(column, w, _WILD)
        tame_mean, tame_spread, *_ = one_pass(
            lambda: ((np.clip(x, low, high), w) for x, w in parts())
        )
        inflated = spread > _INFLATED * tame_spread
        mean = np.where(inflated, tame_mean, mean)
        spread = np.where(inflated, tame_spread, spread)
    return mean, np.where(varies, 1.0 / np.where(varies, spread, 1.0), 0.0)


def seen_columns(
    parts: Parts, columns: list[int], some: Callable[[], Floats]
) -> tuple[Floats, Floats]:
    """Some columns (c, n) with weights: of all rows, or where these are too many, of ``some``."""
    found, weights, count = [], [], 0
    for raw, w in parts():
        count += len(w)
        if count > _MOST_SEEN:
            few = some()[:, columns].T
            return few, np.ones(few.shape[1])
        found.append(raw[:, columns].T)
        weights.append(w)
    return np.concatenate(found, axis=1), np.concatenate(weights)


def one_pass(parts: Parts) -> tuple[Floats, Floats, Floats, Floats, int]:
    """Weighted means, standard deviations, least and greatest values of all rows; their number."""
    low, high, count = np.full(1, np.inf), np.full(1, -np.inf), 0
    so_far = (0.0, np.zeros(1), np.zeros(1))
    for raw, w in parts():
        here = float(w.sum())
        if here == 0.0:
            continue
        local = w @ raw / here
        so_far = merged_moments(so_far, (here, local, w @ np.square(raw - local)))
        low, high = np.minimum(low, raw.min(axis=0)), np.maximum(high, raw.max(axis=0))
        count += len(w)
    weight, mean, scatter = so_far
    return mean, np.sqrt(scatter / weight), low, high, count
