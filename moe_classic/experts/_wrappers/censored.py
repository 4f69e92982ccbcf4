"""Censoring: of some rows only an interval is known in which y lies.

::

    log p(y | x) = log f(y | x)                  where both ends are the same,
                 = log P(low <= Y <= high | x)   where they are not

with Y as the expert inside says: the model of Tobin (1958) for normal Y that is cut off at one end.
Step: Newton's. Tobin (1958), Estimation of relationships for limited dependent variables,
Econometrica 26; Kalbfleisch & Prentice (2002), The Statistical Analysis of Failure Time Data,
chapter 3.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from moe_classic._components import Forward, TargetKind
from moe_classic._data import Design, Summary
from moe_classic._typing import Floats, Ints

from .base import Seen, Wrapper
from .mass import mass_of

#: Log probability of an interval below which it counts as this.
_LEAST = -1e12


class CensoredExpert(Wrapper):
    """An expert of whose y only the ends are known between which it lies.

    The estimator is given y of shape (n, 2): the lower and the upper end of each row, equal where
    y was seen, infinite where nothing is known on that side; both ends of whole numbers count. A y
    of shape (n,) was seen in all rows. Predictions, quantiles and draws are those of the expert
    inside, before anything is censored.

    Parameters
    ----------
    expert : expert
        What y is like: ``GaussianExpert()`` (the tobit model), ``WeibullExpert()`` or
        ``LognormalExpert()`` for durations, or any other with a smooth density and one output; a
        truncated one too.

    References
    ----------
    Tobin (1958), Estimation of relationships for limited dependent variables, Econometrica 26.
    Kalbfleisch & Prentice (2002), The Statistical Analysis of Failure Time Data, chapter 3.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import CensoredExpert, WeibullExpert
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(1500, 1))
    >>> months = np.exp(2.0 - 0.5 * x[:, 0]) * rng.weibull(1.5, 1500)
    >>> lower = np.minimum(months, 10.0)  # the study ended after ten months
    >>> upper = np.where(months > 10.0, np.inf, months)
    >>> moe = MoERegressor(1, expert=CensoredExpert(WeibullExpert()))
    >>> moe = moe.fit(x, np.column_stack([lower, upper]))
    >>> moe.experts_[0].coef_.round(1), round(moe.experts_[0].shape_, 1)
    (array([-0.5]), 1.5)
    """

    name: ClassVar[str] = "censored"
    intervals: bool = True

    def __init__(self, expert: Any) -> None:
        self.expert = expert

    #: What is named where another expert cannot be wrapped.
    usual: ClassVar[str] = "GaussianExpert()"

    @property
    def equivariant(self) -> bool:  # type: ignore[override]
        """As the expert inside."""
        return bool(self.inner.equivariant)

    def check(self) -> None:
        """Raise if the expert inside is censored already, or cannot be."""
        super().check()
        if self.inner.intervals:
            raise ValueError(
                f"CensoredExpert: expert={self.inner!r} is censored already; give the expert that "
                "describes y."
            )

    @property
    def kind(self) -> TargetKind:
        """That of the expert inside."""
        return super().kind

    # -------------------------------------------------------------------- bad input

    def check_target(self, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise unless y that was seen is possible, and every interval holds something."""
        low, high = y[0], y[-1]
        number = np.arange(low.size) if rows is None else np.asarray(rows)
        seen = low == high
        if seen.any():
            (self.inside or self.inner).check_target(low[None, seen], rows=number[seen])
        kind = self.kind
        first = np.ceil(low / kind.step) * kind.step if kind.step else low
        bad = (high < kind.low) | (low > kind.high) | (first > high)
        bad |= (kind.open_low & (high <= kind.low)) | (kind.open_high & (low >= kind.high))
        empty = np.flatnonzero(bad & ~seen)
        if empty.size:
            i = int(empty[0])
            raise ValueError(
                f"CensoredExpert: y lies between {low[i]:g} and {high[i]:g} in row {number[i]}, "
                f"where {type(self.inner).__name__} has no values ({kind.says}, from {kind.low:g} "
                f"to {kind.high:g}). Correct the ends, or wrap another expert."
            )

    def check_carried(self, columns: Floats, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise if a column cannot be, or cannot go with what was seen of y."""
        seen = np.flatnonzero(y[0] == y[-1])
        number = np.arange(y.shape[1]) if rows is None else np.asarray(rows)
        if self.inner.carried:
            for item, x in zip(self.inner.carried, columns, strict=True):
                item.check(type(self).__name__, x, rows=number)
            self.inner.check_carried(columns[:, seen], y[:1, seen], rows=number[seen])

    # -------------------------------------------------------------------- log density

    def start_target(self, y: np.ndarray, design: Design) -> Floats | None:
        """Of one number a row: y, the middle of an interval, or the end that is known."""
        number = single(y)
        allowed = self.kind.allowed(number)
        if not allowed.all():
            usual = float(number[allowed].mean()) if allowed.any() else self._possible()
            if self.kind.step:
                usual = np.rint(usual / self.kind.step) * self.kind.step
            number = np.where(allowed, number, usual)
        seen = super().start_target(number, design)
        return number if seen is None else seen

    def _possible(self) -> float:
        """Some value that the expert inside can describe."""
        kind = self.kind
        if np.isfinite(kind.low) and np.isfinite(kind.high):
            return 0.5 * (kind.low + kind.high) if not kind.step else kind.low
        if np.isfinite(kind.low):
            return kind.low + (kind.step or 1.0)
        return kind.high - 1.0 if np.isfinite(kind.high) else 0.0

    def forward(self, params: Any, design: Design, y: Floats) -> Forward:
        """Log density of what was seen, log probability of intervals."""
        low, high = y[0], y[-1]
        hidden = np.flatnonzero(low != high)
        eta = self.predictor(params, design)
        if not hidden.size:
            inside = self.inside.forward(params, design, low[None])
            return Forward(inside.log_prob, eta, Seen((inside, low[None], hidden), eta, y))
        number = low.copy()
        number[hidden] = self._stand_in(params, eta, low, high, hidden)
        inside = self.inside.forward(params, design, number[None])
        log = np.array(inside.log_prob)
        ends = low[hidden], high[hidden]
        mass = mass_of(self.inside, params, eta[..., hidden], *ends, slopes=False)
        log[:, hidden] = np.maximum(mass.log, _LEAST)
        return Forward(log, eta, Seen((inside, number[None], hidden), eta, y, mass.log))

    def _stand_in(self, params: Any, eta: Floats, low: Floats, high: Floats, at: Ints) -> Floats:
        """Possible values for rows that the density is asked for but not used."""
        seen = low[low == high]
        value = float(seen[0]) if seen.size else self._possible()
        if hasattr(self.inside, "window"):
            a, b = self.inside.window(eta[..., at])
            within = np.where(np.isfinite(a), a, np.where(np.isfinite(b), b, value))
            return np.where((value >= a) & (value <= b), value, within)
        return np.full(at.size, value)

    def slopes(self, params: Any, seen: Seen) -> tuple[Floats, Floats]:
        """Those of the density, and in censored rows of the probability of the interval."""
        inside, number, hidden = seen.inside
        first, second = self.inside.derivatives(params, inside, number)
        if not hidden.size:
            return first, second
        first, second = np.array(first), np.array(second)
        ends = seen.y[0][hidden], seen.y[-1][hidden]
        mass = mass_of(
            self.inside, params, seen.eta[..., hidden], *ends, slopes=True, known=seen.known
        )
        first[..., hidden], second[..., hidden] = mass.first, mass.second
        return first, second

    def settle(
        self, params: Any, design: Design, y: np.ndarray, S: Floats, summary: Summary
    ) -> Any:
        """Newton's steps lead there."""
        return params

    # -------------------------------------------------------------------- answers about y

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y), (K, 1, n)."""
        below: Floats = self.inside.cdf_at(params, eta, y)
        return below

    def above_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y > y), (K, 1, n)."""
        above: Floats = self.inside.above_at(params, eta, y)
        return above

    def density_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """Density of y before it is censored."""
        density: Floats = self.inside.density_at(params, eta, y)
        return density

    def quantile_at(self, params: Any, eta: Floats, q: Floats) -> Floats:
        """Quantiles, (K, 1, n)."""
        quantile: Floats = self.inside.quantile_at(params, eta, q)
        return quantile

    def location_at(self, params: Any, eta: Floats) -> Floats:
        """What the expert inside predicts."""
        location: Floats = self.inside.location_at(params, eta)
        return location

    def mean_at(self, params: Any, eta: Floats) -> Floats:
        """Means before anything is censored."""
        mean: Floats = self.inside.mean_at(params, eta)
        return mean

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """Variances before anything is censored."""
        variance: Floats = self.inside.variance_at(params, eta)
        return variance

    def spread_at(self, params: Any, eta: Floats) -> Floats:
        """Size of the noise."""
        spread: Floats = self.inside.spread_at(params, eta)
        return spread

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> np.ndarray:
        """Draws before anything is censored."""
        drawn: np.ndarray = self.inside.sample_at(params, eta, rng)
        return drawn

    def noise_of(self, params: Any) -> Any:
        """Noise in closed form, where the expert inside has it."""
        return self.inside.noise_of(params)

    def output(self, params: Any, j: int) -> Any:
        """Parameters of one output."""
        return self.inside.output(params, j)

    def has(self, ability: str) -> bool:
        """What the expert inside draws is not yet censored; a graph where it has one."""
        if ability == "graph":
            return bool(self.inner.has(ability))
        return ability != "draw" and super().has(ability)

    def graph(self, graph: Any, params: Any, linear: Any) -> str:
        """That of the expert inside."""
        return str(self.inside.graph(graph, params, linear))


def single(y: Floats) -> Floats:
    """One number a row (1, n) for intervals (2, n): their middle, or the end that is known."""
    low, high = y[0], y[-1]
    with np.errstate(invalid="ignore"):
        middle = low + 0.5 * (high - low)
    number = np.where(np.isfinite(low), np.where(np.isfinite(high), middle, low), high)
    known = np.isfinite(number)
    usual = float(number[known].mean()) if known.any() else 0.0
    return np.where(known, number, usual)[None]
