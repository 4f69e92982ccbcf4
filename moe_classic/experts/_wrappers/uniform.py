"""A background: the same density wherever y may be.

::

    p(y | x) = 1 / (high - low),   low <= y <= high

Nothing is fitted: the range is given, or that of y in the fit. Banfield & Raftery (1993),
Model-based Gaussian and non-Gaussian clustering, Biometrics 49, section 5; Murphy & Murphy (2020),
Gaussian parsimonious clustering models with covariates and a noise component, Advances in Data
Analysis and Classification 14.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import ComponentTerms, Forward, Units
from moe_classic._data import Design, Stats, Summary
from moe_classic._typing import Floats, Ints
from moe_classic.experts._base import Expert

from .mass import Mass

#: What is left at the ends, as a share of the range, for rows that rounding moves there.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class UniformParams:
    """Ends of the range (K, 1) each, and coefficients (K, 0, q), of which there are none."""

    low: Floats
    high: Floats
    coef: Floats

    @property
    def n_experts(self) -> int:
        """Number of experts of the group."""
        return len(self.low)


@dataclass(frozen=True)
class MassStats(Stats):
    """Masses of the experts, (K,)."""

    mass: Floats


class UniformExpert(Expert):
    """A constant density over the range of y, which catches what no other expert explains.

    It stands beside others in a list, as the noise component of model-based clustering does::

        MoERegressor(2, expert=[GaussianExpert(), UniformExpert()])

    Parameters
    ----------
    low, high : float, default=None
        Ends of the range, in the units of y. None takes the smallest and the largest y of the
        fit, which are no free parameters; rows beyond have density 0 under this expert.

    References
    ----------
    Banfield & Raftery (1993), Model-based Gaussian and non-Gaussian clustering, Biometrics 49.
    Murphy & Murphy (2020), Gaussian parsimonious clustering models with covariates and a noise
    component, Advances in Data Analysis and Classification 14.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import GaussianExpert, UniformExpert
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1.0, 1.0, (600, 1))
    >>> y = np.where(rng.random(600) < 0.1, rng.uniform(-9.0, 9.0, 600), 2.0 * x[:, 0])
    >>> y += 0.1 * rng.normal(size=600)
    >>> experts = [GaussianExpert(), UniformExpert()]
    >>> moe = MoERegressor(2, expert=experts, gate="constant", random_state=0).fit(x, y)
    >>> moe.experts_[0].coef_.round(1), moe.gate_.weights_.round(1)
    (array([2.]), array([0.9, 0.1]))
    """

    name: ClassVar[str] = "uniform"
    takes_sparse = True
    target: ClassVar[str] = "real"
    features: Any = ()

    def __init__(self, *, low: float | None = None, high: float | None = None) -> None:
        self.low = low
        self.high = high

    @property
    def sees(self) -> Any:
        """No features."""
        return []

    @property
    def equivariant(self) -> bool:  # type: ignore[override]
        """Whether the range moves with y: not where it was given."""
        return self.low is None and self.high is None

    def check(self) -> None:
        """Raise unless the range, if given, holds something."""
        for name in ("low", "high"):
            value = getattr(self, name)
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not (value is None or (number and np.isfinite(value))):
                raise ValueError(
                    f"UniformExpert: {name}={value!r} must be a finite number, or None, which is "
                    "that of y in the fit."
                )
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(
                f"UniformExpert: low={self.low!r} and high={self.high!r} hold nothing; give "
                "low < high."
            )

    def check_target(self, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise for values that are no finite numbers; infinite ends of intervals are none."""
        if not self.intervals_allowed(y):
            super().check_target(y, rows=rows)

    @staticmethod
    def intervals_allowed(y: np.ndarray) -> bool:
        """Whether y are ends of intervals, (2, n)."""
        return len(y) == 2

    # -------------------------------------------------------------------- the fit

    def start(self, n_experts: int, width: int, summary: Summary) -> UniformParams:
        """The range."""
        if summary.y_range is None and (self.low is None or self.high is None):
            raise ValueError("UniformExpert: the range of y is not known here; give low and high.")
        seen = summary.y_range if summary.y_range is not None else np.zeros((2, 1))
        low = float(seen[0, 0]) if self.low is None else float(self.low)
        high = float(seen[1, 0]) if self.high is None else float(self.high)
        if not low < high:
            raise ValueError(
                f"UniformExpert: y lies between {low:g} and {high:g}, a range without any width; "
                "give low < high, or use no background."
            )
        ends = np.tile([[[low]], [[high]]], (1, n_experts, 1))
        return UniformParams(ends[0], ends[1], np.empty((n_experts, 0, width)))

    def forward(self, params: UniformParams, design: Design, y: Floats) -> Forward:
        """Log density; of intervals the log probability."""
        self.check_target(y)
        if len(y) == 2 and not np.array_equal(y[0], y[1]):
            seen = y[0] == y[1]
            mass = self.mass(params, np.empty((0, 0, 0)), y[0], y[1], slopes=False).log
            return Forward(np.where(seen, self._log(params, y[0]), mass))
        return Forward(self._log(params, y[0]))

    @staticmethod
    def _log(params: UniformParams, y: Floats) -> Floats:
        """Log density of values (n,), (K, n)."""
        width = params.high - params.low
        slack = _ROUNDING * width
        inside = (y >= params.low - slack) & (y <= params.high + slack)
        return np.where(inside, -np.log(width), -np.inf)

    def mass(
        self, params: UniformParams, eta: Floats, low: Floats, high: Floats, *, slopes: bool
    ) -> Mass:
        """Of an interval: its share of the range."""
        width = np.minimum(high, params.high) - np.maximum(low, params.low)
        with np.errstate(divide="ignore"):
            log = np.log(np.maximum(width, 0.0) / (params.high - params.low))
        K, n = log.shape
        return Mass(log, np.empty((K, 0, n)), np.empty((K, 0, 0, n)))

    def curvature(self, params: UniformParams, fwd: Forward, S: Floats) -> Floats:
        """No Gram matrix is needed."""
        return S[:0]

    def statistics(
        self, params: UniformParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> MassStats:
        """Masses alone."""
        return MassStats(S.sum(axis=1))

    def update(self, params: UniformParams, stats: MassStats, summary: Summary) -> UniformParams:
        """The same: nothing is fitted."""
        return params

    def translate(self, stats: MassStats, old: Any, new: Any) -> MassStats:
        """The same."""
        return stats

    def derivatives(
        self, params: UniformParams, fwd: Forward, y: np.ndarray
    ) -> tuple[Floats, Floats]:
        """In no variables."""
        K, n = fwd.log_prob.shape
        return np.empty((K, 0, n)), np.empty((K, 0, 0, n))

    def gradient_from(
        self, params: UniformParams, design: Design, first: Floats, S: Floats
    ) -> Floats:
        """In no variables."""
        return np.empty(0)

    def nuisance_map(self, params: UniformParams) -> Ints:
        """No nuisance variables."""
        return np.empty((params.n_experts, 0), dtype=np.intp)

    def pack(self, params: UniformParams) -> Floats:
        """No coordinates."""
        return np.empty(0)

    # -------------------------------------------------------------------- records

    def reorder(self, params: UniformParams, order: np.ndarray) -> UniformParams:
        """Parameters with the experts in a new order."""
        return UniformParams(params.low[order], params.high[order], params.coef[order])

    def rescale(self, params: UniformParams, shift: Floats, factor: Floats) -> UniformParams:
        """The range of ``shift + factor * y``, with y in it whatever a large shift rounds."""
        low, high = shift + factor * params.low, shift + factor * params.high
        size = np.abs(shift) + np.abs(factor) * np.maximum(np.abs(params.low), np.abs(params.high))
        lost = 4.0 * np.finfo(float).eps * size
        lost = np.where(lost > _ROUNDING * (high - low), lost, 0.0)
        return replace(params, low=low - lost, high=high + lost)

    def shown(self, params: UniformParams) -> dict[str, Floats]:
        """The ends of the range."""
        return {"low": params.low, "high": params.high}

    def terms(self, params: UniformParams, units: Units) -> ComponentTerms:
        """None: nothing was estimated."""
        return ComponentTerms(
            [], [], [], lambda params: np.empty(0), lambda params: np.empty((0, 0))
        )

    # -------------------------------------------------------------------- answers about y

    def predictor(self, params: UniformParams, design: Design) -> Floats:
        """Nothing depends on x: zeros, (K, 1, n)."""
        return np.zeros((params.n_experts, 1, design.Z.shape[1]))

    def mean_at(self, params: UniformParams, eta: Floats) -> Floats:
        """The middle of the range."""
        return 0.5 * (params.low + params.high)[:, :, None] + np.zeros_like(eta)

    def variance_at(self, params: UniformParams, eta: Floats) -> Floats:
        """The squared range over 12."""
        return np.square(params.high - params.low)[:, :, None] / 12.0 + np.zeros_like(eta)

    def spread_at(self, params: UniformParams, eta: Floats) -> Floats:
        """Standard deviations."""
        return np.sqrt(self.variance_at(params, eta))

    def cdf_at(self, params: UniformParams, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y), (K, 1, n)."""
        low, high = params.low[:, :, None], params.high[:, :, None]
        share: Floats = np.clip((y - low) / (high - low), 0.0, 1.0) + np.zeros_like(eta)
        return share

    def density_at(self, params: UniformParams, eta: Floats, y: Floats) -> Floats:
        """Density, (K, 1, n)."""
        low, high = params.low[:, :, None], params.high[:, :, None]
        return np.where((y >= low) & (y <= high), 1.0 / (high - low), 0.0) + np.zeros_like(eta)

    def quantile_at(self, params: UniformParams, eta: Floats, q: Floats) -> Floats:
        """Quantiles, (K, 1, n)."""
        low, high = params.low[:, :, None], params.high[:, :, None]
        return low + q * (high - low) + np.zeros_like(eta)

    def graph(self, graph: Any, params: UniformParams, linear: Any) -> str:
        """The middle of the range, from lines without slopes."""
        coef = np.zeros((params.n_experts, 1, params.coef.shape[-1]))
        coef[:, 0, -1] = 0.5 * (params.low + params.high)[:, 0]
        return str(linear(coef))
