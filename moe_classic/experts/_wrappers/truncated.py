"""Truncation: rows are there only where y fell into a window.

::

    log p(y | x) = log f(y | x) - log P(low <= Y <= high | x)

The gate is that of the rows that are seen: ``p = sum_k g_k(x) f_k(y) / P_k(window)``. (With the
gate of the whole population, ``sum_k a_k f_k / sum_k a_k P_k(window)``, shares of unseen rows count
too; ``a_k`` is proportional to ``g_k / P_k(window)``.) Step: Newton's. Cohen (1991), Truncated and
Censored Samples; Fung, Badescu & Lin (2022), Fitting censored and truncated regression data using
the mixture of experts models, North American Actuarial Journal 26.
"""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import (
    TARGETS,
    Carried,
    Forward,
    TargetKind,
    normal_window_moments,
    window_moments,
)
from moe_classic._data import Design, Summary
from moe_classic._typing import Floats
from moe_classic.experts._location_scale import GaussianExpert

from .base import Seen, Wrapper
from .mass import Mass, mass_of

#: Log probabilities below which a window holds nothing that can be told apart.
_NOTHING = -600.0
#: The least that a window counts as holding in a fit: a million unseen copies of a row at most.
_LEAST = float(np.log(1e-6))


class TruncatedExpert(Wrapper):
    """An expert of whose y only values in a window are seen, such as losses above a deductible.

    Its density is that of the expert inside over the probability of the window; all answers,
    ``predict`` among them, are about y that is seen.

    Parameters
    ----------
    expert : expert
        What y is like before rows are lost, such as ``LognormalExpert()`` or
        ``PoissonExpert()``. Laplace noise, tied scales and several outputs cannot be truncated.
    low, high : float or str or int, default=None
        Ends of the window, both part of it: a number, the same in all rows; or a column of X, by
        name, or by index as ``low_column`` and ``high_column``. None is no end. Columns are no
        features of the expert; the gate sees them unless its ``features`` say otherwise.
    low_column, high_column : int, default=None
        Columns of X by index, where they have no names.

    References
    ----------
    Cohen (1991), Truncated and Censored Samples. Fung, Badescu & Lin (2022), Fitting censored and
    truncated regression data using the mixture of experts models, North American Actuarial
    Journal 26.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import LognormalExpert, TruncatedExpert
    >>> rng = np.random.default_rng(0)
    >>> x, loss = rng.normal(size=(2, 3000))
    >>> loss = np.exp(1.0 + 0.5 * x + loss)
    >>> seen = loss > 2.0  # the deductible
    >>> expert = TruncatedExpert(LognormalExpert(), low=2.0)
    >>> moe = MoERegressor(1, expert=expert).fit(x[seen, None], loss[seen])
    >>> moe.experts_[0].coef_.round(1), round(moe.experts_[0].scale_, 1)
    (array([0.5]), 1.0)
    """

    name: ClassVar[str] = "truncated"

    def __init__(
        self,
        expert: Any,
        *,
        low: float | str | None = None,
        high: float | str | None = None,
        low_column: int | None = None,
        high_column: int | None = None,
    ) -> None:
        self.expert = expert
        self.low = low
        self.high = high
        self.low_column = low_column
        self.high_column = high_column

    #: What is named where another expert cannot be wrapped.
    usual: ClassVar[str] = "LognormalExpert()"

    def check(self) -> None:
        """Raise unless there is a window that may hold something."""
        super().check()
        if isinstance(self.inner, TruncatedExpert):
            raise ValueError("TruncatedExpert: expert is truncated already; give it both ends.")
        ends = [(self.low, self.low_column, "low"), (self.high, self.high_column, "high")]
        if all(v is None and c is None for v, c, _ in ends):
            raise ValueError(
                "TruncatedExpert: low=None and high=None leave no window; give a number, or the "
                "name of a column of X, for one of them."
            )
        for value, column, name in ends:
            if value is not None and column is not None:
                raise ValueError(
                    f"TruncatedExpert: {name}={value!r} and {name}_column={column!r} both say "
                    "where the window ends; give one of them."
                )
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not (value is None or isinstance(value, str) or (number and np.isfinite(value))):
                raise ValueError(
                    f"TruncatedExpert: {name}={value!r} must be a finite number, the name of a "
                    "column of X, or None."
                )
        low, high = self._numbers
        kind = self.inner.kind
        if not low < high or high <= kind.low or low >= kind.high:
            raise ValueError(
                f"TruncatedExpert: the window from low={low:g} to high={high:g} holds no values "
                f"that {type(self.inner).__name__} could describe ({kind.says}); give low < high."
            )

    @property
    def _numbers(self) -> tuple[float, float]:
        """Ends that are the same in all rows; infinite where there is none."""
        low = float(self.low) if isinstance(self.low, Real) else -np.inf
        return low, float(self.high) if isinstance(self.high, Real) else np.inf

    @property
    def _columns(self) -> dict[str, Any]:
        """Columns of X with ends, by role."""
        named = {
            "low": self.low if isinstance(self.low, str) else self.low_column,
            "high": self.high if isinstance(self.high, str) else self.high_column,
        }
        return {role: column for role, column in named.items() if column is not None}

    @property
    def own_columns(self) -> tuple[Carried, ...]:
        """The ends that are columns."""
        return tuple(Carried(role, column) for role, column in self._columns.items())

    @property
    def kind(self) -> TargetKind:
        """That of the expert inside, between ends that are numbers."""
        kind, (low, high) = super().kind, self._numbers
        closed_low, closed_high = low > kind.low, high < kind.high
        return replace(
            kind,
            low=max(low, kind.low),
            high=min(high, kind.high),
            open_low=kind.open_low and not closed_low,
            open_high=kind.open_high and not closed_high,
        )

    # -------------------------------------------------------------------- bad input

    def check_target(self, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise if some value is impossible, or outside the window."""
        super().check_target(y, rows=rows)
        low, high = self._numbers
        self._check_window(y[0], np.full(y.shape[1], low), np.full(y.shape[1], high), rows)

    def check_carried(self, columns: Floats, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise unless windows hold something, and the y of their rows."""
        super().check_carried(columns, y, rows=rows)
        (low, high), n = self._numbers, y.shape[1]
        ends = {"low": np.full(n, low), "high": np.full(n, high)}
        for item, x in zip(self.own_columns, columns, strict=False):
            ends[item.role] = x
        empty = np.flatnonzero(~(ends["low"] < ends["high"]))
        if empty.size:
            i = int(empty[0])
            raise ValueError(
                f"TruncatedExpert: the window of row {i if rows is None else int(rows[i])} from "
                f"low={ends['low'][i]:g} to high={ends['high'][i]:g} is empty; low must be "
                "smaller than high."
            )
        for values in y:
            self._check_window(values, ends["low"], ends["high"], rows)

    @staticmethod
    def _check_window(y: Floats, low: Floats, high: Floats, rows: Any = None) -> None:
        """Raise where ``y`` (n,) lies outside of its window; infinite values are ends unknown."""
        outside = np.flatnonzero(np.isfinite(y) & ((y < low) | (y > high)))
        if outside.size:
            i = int(outside[0])
            row = i if rows is None else int(rows[i])
            raise ValueError(
                f"TruncatedExpert: y has {y[i]:g} in row {row}, outside the window from "
                f"low={low[i]:g} to high={high[i]:g} in which it can be seen. Widen the window, "
                "or remove such rows."
            )

    # -------------------------------------------------------------------- the window

    def window(self, eta: Floats) -> tuple[Floats, Floats]:
        """Ends of the windows, (n,) each, from a predictor."""
        n, (low, high) = eta.shape[-1], self._numbers
        ends = {"low": np.full(n, low), "high": np.full(n, high)}
        for i, role in enumerate(self._columns):
            ends[role] = eta[0, i - len(self._columns)]
        return ends["low"], ends["high"]

    def predictor(self, params: Any, design: Design) -> Floats:
        """That of the expert inside, then the ends of windows that differ, (K, P, n)."""
        eta = super().predictor(params, design)
        rows = [self.inside.carried_row(role, design) for role in self._columns]
        if not rows:
            return eta
        ends = np.broadcast_to(np.array(rows), (len(eta), len(rows), eta.shape[-1]))
        return np.concatenate([eta, ends], axis=1)

    def within(self, eta: Floats) -> Floats:
        """The predictor of the expert inside."""
        return eta[:, : eta.shape[1] - len(self._columns)]

    def whole(self, params: Any, eta: Floats) -> Floats:
        """Probability of the window, (K, 1, n)."""
        mass = mass_of(self.inside, params, self.within(eta), *self.window(eta), slopes=False)
        return np.exp(np.maximum(mass.log, _NOTHING))[:, None]

    # -------------------------------------------------------------------- log density

    def forward(self, params: Any, design: Design, y: Floats) -> Forward:
        """Log density; raises for values outside of the window."""
        eta = self.predictor(params, design)
        low, high = self.window(eta)
        self._check_window(y[0], low, high)
        inside = self.inside.forward(params, design, y)
        lost = mass_of(self.inside, params, self.within(eta), low, high, slopes=False).log
        log_prob = inside.log_prob - np.maximum(lost, _LEAST)
        return Forward(log_prob, eta, Seen(inside, eta, y, lost))

    def slopes(self, params: Any, seen: Seen) -> tuple[Floats, Floats]:
        """Those of the density less those of the window."""
        first, second = self.inside.derivatives(params, seen.inside, seen.y)
        inner, (low, high) = self.within(seen.eta), self.window(seen.eta)
        whole = mass_of(self.inside, params, inner, low, high, slopes=True, known=seen.known)
        whole = _bounded(whole, slopes=True)
        return first - whole.first, second - whole.second

    def mass(self, params: Any, eta: Floats, low: Floats, high: Floats, *, slopes: bool) -> Mass:
        """Of an interval within the window."""
        bottom, top = self.window(eta)
        inner, ends = self.within(eta), (np.maximum(low, bottom), np.minimum(high, top))
        part = mass_of(self.inside, params, inner, *ends, slopes=slopes)
        whole = mass_of(self.inside, params, inner, bottom, top, slopes=slopes)
        whole = _bounded(whole, slopes=slopes)
        if not slopes:
            return Mass(part.log - whole.log)
        first, second = part.first - whole.first, part.second - whole.second
        return Mass(part.log - whole.log, first, second)

    # -------------------------------------------------------------------- answers about y

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y) in the window, (K, 1, n)."""
        low, high = self.window(eta)
        at = np.broadcast_to(y, (len(eta), 1, eta.shape[-1]))
        inner, top = self.within(eta), np.clip(at, low, high)[:, 0]
        part = mass_of(self.inside, params, inner, low, top, slopes=False)
        whole = mass_of(self.inside, params, inner, low, high, slopes=False)
        below = np.exp(np.minimum(part.log - np.maximum(whole.log, _NOTHING), 0.0))[:, None]
        return np.where(at < low, 0.0, np.where(at >= high, 1.0, below))

    def density_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """Density, or probability of a value, (K, 1, n)."""
        low, high = self.window(eta)
        density = self.inside.density_at(params, self.within(eta), y) / self.whole(params, eta)
        return np.where((y >= low) & (y <= high), density, 0.0)

    def quantile_at(self, params: Any, eta: Floats, q: Floats) -> Floats:
        """Quantiles, (K, 1, n): of the expert inside at the level that the window makes of q."""
        low, high = self.window(eta)
        inner = self.within(eta)
        bottom = np.where(np.isfinite(low), low, 1.0)[None, None]
        before = np.where(np.isfinite(low), self.inside.below_at(params, inner, bottom), 0.0)
        level = np.clip(before + q * self.whole(params, eta), 1e-300, 1.0 - 1e-16)
        return np.clip(self.inside.quantile_at(params, inner, level), low, high)

    def mean_at(self, params: Any, eta: Floats) -> Floats:
        """Means of y that is seen, (K, 1, n)."""
        return self._moments_at(params, eta)[0]

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """Variances of y that is seen."""
        return self._moments_at(params, eta)[1]

    def _moments_at(self, params: Any, eta: Floats) -> tuple[Floats, Floats]:
        """Of normal noise by an integral; otherwise sums of tails inside the window."""
        if self.kind.step:
            return super()._moments_at(params, eta)
        low, high = self.window(eta)
        inner = self.within(eta)
        if isinstance(self.inside, GaussianExpert):
            return normal_window_moments(inner, params.scale[:, :, None], low, high)
        middle = self.quantile_at(params, eta, np.full((1, 1, 1), 0.5))
        low = np.maximum(low, TARGETS[self.target].low)
        high = np.minimum(high, TARGETS[self.target].high)
        mean, variance = window_moments(
            lambda y: self.cdf_at(params, eta, y),
            middle,
            self._size_at(params, eta, middle),
            low,
            high,
        )
        # Of a window that holds nothing that can be told apart the end is left that is nearest.
        lost = mass_of(self.inside, params, inner, *self.window(eta), slopes=False).log
        nothing = (lost <= _NOTHING)[:, None]
        if not nothing.any():
            return mean, variance
        nearest = np.clip(self.inside.location_at(params, inner), low, high)
        return np.where(nothing, nearest, mean), np.where(nothing, 0.0, variance)

    def _size_at(self, params: Any, eta: Floats, middle: Floats) -> Floats:
        """Spreads without the window; where those are lost beside medians, the quartiles' range.

        Of a small mean and a heavy tail the window may hold the tail alone, far from all else.
        """
        size = np.broadcast_to(self.inside.spread_at(params, self.within(eta)), middle.shape)
        least = np.finfo(float).eps * np.abs(middle)
        if (size >= least).all():
            return size
        low, high = (self.quantile_at(params, eta, np.full((1, 1, 1), q)) for q in (0.25, 0.75))
        return np.where(size < least, np.maximum(high - low, least), size)

    def settle(
        self, params: Any, design: Design, y: np.ndarray, S: Floats, summary: Summary
    ) -> Any:
        """Newton's steps lead there."""
        return params


def _bounded(mass: Mass, *, slopes: bool) -> Mass:
    """Probabilities of windows, as large as the least that counts; where they are not, flat."""
    log = np.maximum(mass.log, _LEAST)
    if not slopes:
        return Mass(log)
    held = mass.log >= _LEAST
    first = np.where(held[:, None], mass.first, 0.0)
    return Mass(log, first, np.where(held[:, None, None], mass.second, 0.0))
