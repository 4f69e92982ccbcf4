"""Means and spreads of features, by which they are standardised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from moe_classic._numerics import has_wild, tame_range, weighted_quantiles
from moe_classic._typing import Floats

from .patterns import is_incomplete
from .stats import merged_moments
from .subjects import Subjects

#: A pass over (rows (n, p), weights (n,), subjects or None), as often as it is called.
Rows = Callable[[], Iterable[tuple[np.ndarray, Floats, Subjects | None]]]
#: Robust deviations from the median beyond which a feature counts as if it were that far.
_WILD = 3.0
#: Standard deviation over that of all but wild values from which on these set the units.
_INFLATED = 3.0
#: Least spread of a ranged feature, in its range: that of digits, chosen on them, is a third.
_OF_RANGE = 0.25
#: Rows whose values are sorted to tell which are wild.
_MOST_SEEN = 1_000_000
#: Columns whose spread is below this share of their size are constant up to rounding.
_CONSTANT = 1e-13


def reduced(rows: Rows, f: Callable[..., Any], merge: Callable[[Any, Any], Any]) -> Any:
    """``f(X, w, subjects)`` of all parts of a pass, merged; by the rows where they do that."""
    own = getattr(rows, "reduce", None)
    return reduce(merge, (f(*part) for part in rows())) if own is None else own(f, merge)


@dataclass(frozen=True)
class Parts:
    """Passes over features as a component sees them (n, q - 1), of rows or of subjects."""

    rows: Rows
    see: Callable[[np.ndarray], Floats]
    averaged: bool

    def reduce(self, f: Callable[[Floats, Floats], Any], merge: Callable[[Any, Any], Any]) -> Any:
        """``f(features, weights)`` of all parts, merged."""
        see, averaged = self.see, self.averaged  # the rows themselves stay where they are

        def look(X: np.ndarray, w: Floats, subjects: Subjects | None) -> Any:
            raw = see(X).astype(np.float64, copy=False)
            if averaged and subjects is not None:
                return f(subjects.means(raw.T).T, subjects.w)
            return f(raw, w)

        return reduced(self.rows, look, merge)


def moments_of(
    parts: Parts,
    some: Callable[[], Floats],
    size: Floats | None = None,
    *,
    missing: bool = False,
    ranged: bool = False,
) -> tuple[Floats, Floats]:
    """Weighted means and inverse standard deviations, 0 for constant columns; one pass or two.

    Wild values, three robust deviations and more from the median, count as if they stood there:
    penalties act on features in these units, and one sentinel must not set them. Only where they
    make the deviation several times what it is without them: rare values of columns that are
    mostly alike, such as pixels, are what these columns say. ``size`` is that of the values which
    were averaged: means that differ by their rounding alone are constant. Where some may be
    ``missing``, moments are those of what is there.

    Of ``ranged`` features no deviation counts as less than a quarter of the range: a column that is
    almost always alike would be blown up where it is not, and its slope cost next to nothing. With
    a few slopes the likelihood sees to that; where they are many, they fit noise.
    """
    mean, spread, low, high, _ = one_pass(parts, missing=missing)
    reach = high - low
    size = np.maximum(np.abs(low), np.abs(high)) if size is None else size
    varies = spread > _CONSTANT * size
    wild = [int(j) for j in np.flatnonzero(varies) if has_wild(low[j], high[j], mean[j], spread[j])]
    if wild:
        seen, w = seen_columns(parts, wild, some)
        for j, column in zip(wild, seen, strict=True):
            known = ~np.isnan(column)
            column, its_w = column[known], w[known]
            lower, upper = weighted_quantiles(column, its_w, (0.25, 0.75))
            if lower < upper:
                low[j], high[j] = tame_range(column, its_w, _WILD)
        tame = one_pass(parts, lambda x: np.clip(x, low, high), missing=missing)
        tame_mean, tame_spread, *_ = tame
        inflated = spread > _INFLATED * tame_spread
        mean = np.where(inflated, tame_mean, mean)
        spread = np.where(inflated, tame_spread, spread)
        reach = np.where(inflated, high - low, reach)
    if ranged:
        spread = np.maximum(spread, _OF_RANGE * reach)
    return mean, np.where(varies, 1.0 / np.where(varies, spread, 1.0), 0.0)


def seen_columns(
    parts: Parts, columns: list[int], some: Callable[[], Floats]
) -> tuple[Floats, Floats]:
    """Some columns (c, n) with weights: of all rows, or where these are too many, of ``some``."""

    def take(raw: Floats, w: Floats) -> _Taken:
        return ([raw[:, columns].T], [w]) if len(w) <= _MOST_SEEN else None

    taken: _Taken = parts.reduce(take, _both)
    if taken is None:
        few = some()[:, columns].T
        return few, np.ones(few.shape[1])
    return np.concatenate(taken[0], axis=1), np.concatenate(taken[1])


#: Columns and weights of parts, None where there are too many rows.
_Taken = tuple[list[Floats], list[Floats]] | None


def _both(a: _Taken, b: _Taken) -> _Taken:
    """Two sets of rows together, as long as these are few."""
    if a is None or b is None or sum(map(len, a[1])) + sum(map(len, b[1])) > _MOST_SEEN:
        return None
    return a[0] + b[0], a[1] + b[1]


def one_pass(
    parts: Parts, moved: Callable[[Floats], Floats] | None = None, *, missing: bool = False
) -> tuple[Floats, Floats, Floats, Floats, int]:
    """Weighted means, standard deviations, least and greatest values of rows; their number."""

    def look(raw: Floats, w: Floats) -> Any:
        raw = raw if moved is None else moved(raw)
        here = float(w.sum())
        if here == 0.0:
            return None
        if missing and is_incomplete(raw):
            return *_of_seen(raw, w), len(w)
        local = w @ raw / here
        moments = here, local, w @ np.square(raw - local)
        return moments, raw.min(axis=0), raw.max(axis=0), len(w)

    def merge(a: Any, b: Any) -> Any:
        if a is None or b is None:
            return b if a is None else a
        low, high = np.minimum(a[1], b[1]), np.maximum(a[2], b[2])
        return merged_moments(a[0], b[0]), low, high, a[3] + b[3]

    (weight, mean, scatter), low, high, count = parts.reduce(look, merge)
    return mean, np.sqrt(scatter / weight), low, high, count


def _of_seen(raw: Floats, w: Floats) -> tuple[tuple[Floats, Floats, Floats], Floats, Floats]:
    """Weight, mean and scatter of what each column has, its least and its greatest value, (p,)."""
    seen = ~np.isnan(raw)
    here = np.maximum(w @ seen, np.finfo(float).tiny)
    local = (w @ np.where(seen, raw, 0.0)) / here
    scatter = w @ np.where(seen, np.square(raw - local), 0.0)
    least, most = np.where(seen, raw, np.inf).min(axis=0), np.where(seen, raw, -np.inf).max(axis=0)
    return (here, local, scatter), least, most
