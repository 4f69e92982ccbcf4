"""Statistics that add: the only type that crosses a block, a thread or a machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from typing import Any, TypeVar, cast

import numpy as np

from moe_classic._numerics import has_wild, tame_range
from moe_classic._typing import Floats

T = TypeVar("T", bound="Stats")

#: Rows at a time when moments are taken.
_SLICE = 1 << 16


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """Names of the fields of a record."""
    return tuple(f.name for f in fields(kind))


def _add(a: Any, b: Any) -> Any:
    """Sum of two fields; tuples of statistics add item by item, tuples never concatenate."""
    if isinstance(a, tuple):
        return tuple(_add(u, v) for u, v in zip(a, b, strict=True))
    return a + b


@dataclass(frozen=True)
class Stats:
    """Base of every statistics record: fields add, whatever they hold.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from moe_classic.experts import Stats
    >>> @dataclass(frozen=True)
    ... class Total(Stats):
    ...     value: float
    >>> (Total(1.0) + Total(2.0)).value
    3.0
    """

    def __add__(self: T, other: T) -> T:
        names = _names(cast("Any", type(self)))
        return type(self)(*[_add(getattr(self, n), getattr(other, n)) for n in names])

    def scaled(self: T, factor: float) -> T:
        """Every field times ``factor``: what on-line learning forgets and averages with."""

        def scale(a: Any) -> Any:
            if isinstance(a, tuple):
                return tuple(scale(u) for u in a)
            return a.scaled(factor) if isinstance(a, Stats) else a * factor

        return type(self)(*[scale(getattr(self, n)) for n in _names(cast("Any", type(self)))])

    def row_weights(self) -> Floats | None:
        """Weights (K, n) of single rows, where the record keeps rows."""
        return None


def total(parts: Iterable[T]) -> T:
    """Sum of at least one statistics record, in the order given."""
    iterator = iter(parts)
    result = next(iterator, None)
    if result is None:
        raise ValueError("There are no blocks to add up: the source yielded nothing in this pass.")
    for part in iterator:
        result = result + part
    return result


def merged_moments(
    a: tuple[float, Floats, Floats], b: tuple[float, Floats, Floats]
) -> tuple[float, Floats, Floats]:
    """Weight, mean and scatter of two sets of rows together.

    The update of Chan, Golub & LeVeque (1983), which does not cancel.
    """
    weight = a[0] + b[0]
    step, share = b[1] - a[1], b[0] / weight
    return weight, a[1] + share * step, a[2] + b[2] + a[0] * share * step**2


@dataclass(frozen=True)
class Summary:
    """What one first pass over the data says, in the units in which components work.

    Attributes
    ----------
    weight : float
        Sum of the sample weights; penalties are per unit of it.
    y_mean, y_var : ndarray of shape (d,)
        Weighted moments of the target, wild values moved in; for classes, the class shares and
        their variances.
    n_classes : int
        Number of classes, 0 for regression.
    n_rows : int
        Number of rows; decides what is affordable, never what is fitted.
    y_noise : ndarray of shape (d,), default=None
        Spread of what one robust fit leaves of the target; 0 or None where that is not known.
    y_range : ndarray of shape (2, d), default=None
        Smallest and largest value of the target; None where that is not known.
    per_row : float, default=1
        Weight of the subjects over that of the rows: what a gate sees has so much of the weight.

    Examples
    --------
    >>> from dataclasses import fields
    >>> from moe_classic.experts import Summary
    >>> [f.name for f in fields(Summary)][:3]
    ['weight', 'y_mean', 'y_var']
    """

    weight: float
    y_mean: Floats
    y_var: Floats
    n_classes: int = 0
    n_rows: int = 0
    y_noise: Floats | None = None
    y_range: Floats | None = None
    per_row: float = 1.0

    @property
    def of_gate(self) -> Summary:
        """The same for a gate, to which a subject counts once, however many rows it has."""
        return self if self.per_row == 1.0 else replace(self, weight=self.per_row * self.weight)

    @cached_property
    def y_scale(self) -> Floats:
        """Standard deviation of the target, 1 where it is constant; shape (d,)."""
        return np.where(self.y_var > 0.0, np.sqrt(self.y_var), 1.0)

    @cached_property
    def noise_unit(self) -> Floats:
        """What floors of scales are shares of: the noise where known, else the spread; (d,)."""
        if self.y_noise is None:
            return self.y_scale
        known = self.y_noise > 0.0
        return np.where(known, np.minimum(self.y_noise, self.y_scale), self.y_scale)


def summarise(y: np.ndarray, w: Floats, n_classes: int = 0) -> Summary:
    """Weighted moments of ``y``: (d, n) real values, or (n,) class codes.

    Real values that are wild, ten robust deviations and more from the median, count as if they
    stood there: one of them cannot set the units of all others.
    """
    weight = float(w.sum())
    if n_classes:
        share = np.bincount(y, weights=w, minlength=n_classes) / weight
        return Summary(weight, share, share * (1.0 - share), n_classes, len(w))
    summary, seen = plain_moments(y, w), np.array([y.min(axis=1), y.max(axis=1)])
    means, variances = summary.y_mean.copy(), summary.y_var.copy()
    for j in wild_outputs(summary, *seen):
        moments = plain_moments(np.clip(y[j], *tame_range(y[j], w))[None], w)
        means[j], variances[j] = moments.y_mean[0], moments.y_var[0]
    return replace(summary, y_mean=means, y_var=variances, y_range=seen)


def tamed(y: Floats, w: Floats) -> Floats:
    """Real values (d, n) with those moved in that are wild; the same array if there are none."""
    wild = wild_outputs(plain_moments(y, w), y.min(axis=1), y.max(axis=1))
    if not wild:
        return y
    out = y.copy()
    for j in wild:
        out[j] = np.clip(y[j], *tame_range(y[j], w))
    return out


def wild_outputs(summary: Summary, low: Floats, high: Floats) -> list[int]:
    """Outputs whose least and greatest values may be wild."""
    moments = zip(low, high, summary.y_mean, np.sqrt(summary.y_var), strict=True)
    return [j for j, (a, b, mean, sd) in enumerate(moments) if has_wild(a, b, mean, sd)]


def plain_moments(y: Floats, w: Floats) -> Summary:
    """Weighted moments of real values (d, n) as they stand."""
    weight = float(w.sum())
    # Two passes: the one-pass formula cancels when the mean dwarfs the spread. In slices, so that
    # no copy of a long target is made.
    slices = [slice(i, i + _SLICE) for i in range(0, len(w), _SLICE)]
    mean = np.sum([y[:, s] @ w[s] for s in slices], axis=0) / weight
    var = np.sum([(y[:, s] - mean[:, None]) ** 2 @ w[s] for s in slices], axis=0) / weight
    return Summary(weight, mean, var, n_rows=len(w))
