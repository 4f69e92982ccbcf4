"""Generalised linear experts with one positive parameter besides the coefficients.

::

    log p(y | x) = l(y, eta, phi),   eta = b z + offset + log exposure,   t = log phi

Step: one of Newton's method in all coefficients and t together, with row weights that are positive
for the coefficients (observed or expected information, as the family says), the observed cross
terms, and Schur's complement in t; where that is not positive, the two go by themselves. Cox & Reid
(1987), Parameter orthogonality and approximate conditional inference, Journal of the Royal
Statistical Society B 49, section 2.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import Forward, limited
from moe_classic._data import Design, Summary
from moe_classic._numerics import empty, solve_psd, unpack_symmetric
from moe_classic._typing import Bools, Floats
from moe_classic.experts._linear import LinearParams

from .base import GLMExpert, GLMStats

#: Largest change of the logarithm in one step.
_MAX_LOG_STEP = 2.0
#: Share of the curvature in t that must be left when the coefficients move along.
_LEFT = 1e-3


@dataclass(frozen=True)
class DispersionParams(LinearParams):
    """Coefficients (K, 1, q) and dispersions (K, 1)."""

    dispersion: Floats


@dataclass(frozen=True)
class ShapeParams(LinearParams):
    """Coefficients (K, 1, q) and shapes (K, 1)."""

    shape: Floats


@dataclass(frozen=True)
class SpreadParams(LinearParams):
    """Coefficients (K, 1, q) and scales (K, 1)."""

    scale: Floats


@dataclass(frozen=True)
class ConcentrationParams(LinearParams):
    """Coefficients (K, 1, q) and concentrations (K, 1)."""

    concentration: Floats


@dataclass(frozen=True)
class JointStats(GLMStats):
    """Sums of the joint step.

    Attributes
    ----------
    cross : (K, 1, q) derivatives in coefficients and t
    first, second : (K,) derivatives in t
    """

    cross: Floats
    first: Floats
    second: Floats


class JointExpert(GLMExpert):
    """Base of families with one positive parameter, which is estimated or given."""

    record: ClassVar[type[LinearParams]]
    #: Smallest and largest value, on data of ordinary size.
    limits: ClassVar[tuple[float, float]] = (1e-6, 1e6)
    #: Which of the two ends only keeps the likelihood finite: 0, 1 or None.
    unbounded_at: ClassVar[int | None] = 0

    @property
    def nuisance(self) -> str:
        """Name of the parameter, and of the argument that gives it."""
        return next(iter(self.nuisances))

    @property
    def given(self) -> Any:
        """The value that the user gave, or None."""
        return getattr(self, self.nuisance)

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        super().check()
        value = self.given
        if value is not None and not (isinstance(value, Real) and 0.0 < float(value) < np.inf):
            raise ValueError(
                f"{type(self).__name__}: {self.nuisance}={value!r} must be a finite number > 0, or "
                "None, which estimates one of every expert."
            )

    def value_of(self, params: Any) -> Floats:
        """The parameter, (K, 1)."""
        value: Floats = getattr(params, self.nuisance)
        return value

    def free_nuisances(self, params: Any) -> list[str]:
        """The parameter, unless it was given."""
        return [] if self.given is not None else [self.nuisance]

    # -------------------------------------------------------------------- what a family says

    @abstractmethod
    def first_value(self, summary: Summary) -> float:
        """The parameter that fits the moments of y."""

    @abstractmethod
    def parts(self, eta: Floats, y: Floats, phi: Floats) -> tuple[Floats, Any]:
        """Log density (K, n), and what the derivatives reuse."""

    @abstractmethod
    def first(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, Floats]:
        """Derivatives in eta and t, (K, n) each."""

    @abstractmethod
    def second(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, ...]:
        """Second derivatives in (eta, eta), (eta, t) and (t, t)."""

    def weights(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> Floats:
        """Row weights of the coefficients: what takes the place of ``-d2 l / d eta2``."""
        return -self.second(eta, y, phi, work)[0]

    def bounds_of(self, summary: Summary) -> tuple[float, float]:
        """Smallest and largest value of the parameter."""
        return self.limits

    def log_density(self, eta: Floats, y: Floats) -> Floats:
        """The density has another parameter besides."""
        raise NotImplementedError(f"{type(self).__name__}: use `parts`, which has {self.nuisance}.")

    def slopes(self, eta: Floats, y: Floats) -> tuple[Floats, Floats]:
        """The density has another parameter besides."""
        raise NotImplementedError(f"{type(self).__name__}: use `first` and `second`.")

    # -------------------------------------------------------------------- the step

    def start(self, n_experts: int, width: int, summary: Summary) -> Any:
        """Experts with the moments of y."""
        coef = super().start(n_experts, width, summary).coef
        value = self.given
        if value is None:
            value = np.clip(self.first_value(summary), *self.bounds_of(summary))
        return self.record(coef, np.full((n_experts, 1), float(value)))  # type: ignore[call-arg]

    def forward(self, params: Any, design: Design, y: Floats) -> Forward:
        """Log density and what its derivatives reuse; raises for impossible values."""
        self.check_target(y)
        eta = self.predictor(params, design)
        line, row = eta[:, 0], y[0]
        log_prob, work = self.parts(line, row, self.value_of(params))
        return Forward(log_prob, eta, (line, row, work))

    def curvature(self, params: Any, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams."""
        eta, y, work = fwd.work
        weights = self.weights(eta, y, self.value_of(params), work)
        return np.multiply(S, weights, out=empty(S.shape))

    def statistics(
        self, params: Any, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> JointStats:
        """Scores and curvatures in coefficients and t."""
        (eta, y, work), phi = fwd.work, self.value_of(params)
        slope, rise = self.first(eta, y, phi, work)
        weighted = np.multiply(S, slope, out=empty(S.shape))
        score = design.scores(weighted[:, None])
        mass = S.sum(axis=1)
        if self.given is not None:
            return known_parameter(grams, score, mass)
        _, mixed, bend = self.second(eta, y, phi, work)
        cross = design.scores(np.multiply(S, mixed, out=weighted)[:, None])
        first, second = (np.einsum("kn,kn->k", S, v) for v in (rise, bend))
        return JointStats(grams, score, mass, cross, first, second)

    def update(self, params: Any, stats: Any, summary: Summary) -> Any:
        """One step of Newton's method in coefficients and t."""
        if self.sparse:
            return self._sparse_update(params, stats, summary)
        A, score = self.system(params, stats, summary)
        starved, old = self.starved(stats, summary), self.value_of(params)
        if self.common(A):
            return self._apart(params, stats, self.solved(A, score, starved), starved, summary)
        c = -self.learned(stats.cross)
        both = solve_psd(A, np.concatenate([score, c], axis=1).transpose(0, 2, 1))
        alone, along = both[:, :, 0], both[:, :, 1]
        if self.given is not None:
            delta = limited(alone[:, None])
            return self.record(self.stepped(params, delta, starved), old)  # type: ignore[call-arg]
        step, joint = self._step(stats, c[:, 0], alone, along)
        # At a bound the coefficients go where they would with the parameter as it is.
        step = self._allowed(step, old, starved, summary)
        wanted = (alone - along * np.where(joint, step, 0.0)[:, None])[:, None]
        delta = limited(wanted.copy())
        # Shortened together: only then does the direction climb.
        longest = np.abs(wanted).max(axis=(1, 2))
        share = np.abs(delta).max(axis=(1, 2)) / np.where(longest > 0.0, longest, 1.0)
        share = np.where(longest > 0.0, share, 1.0)
        new = old * np.exp(share * step)[:, None]
        return self.record(self.stepped(params, delta, starved), new)  # type: ignore[call-arg]

    def _allowed(self, step: Floats, old: Floats, starved: Bools, summary: Summary) -> Floats:
        """Steps of t (K,) inside the bounds, none too long."""
        step = np.where(starved, 0.0, np.clip(step, -_MAX_LOG_STEP, _MAX_LOG_STEP))
        low, high = np.log(np.array(self.bounds_of(summary)) / old).T
        return np.clip(step, np.minimum(low, 0.0), np.maximum(high, 0.0))

    def _apart(
        self, params: Any, stats: JointStats, delta: Floats, starved: Bools, summary: Summary
    ) -> Any:
        """The step where slopes are shared: all coefficients, and t of each by itself."""
        new = old = self.value_of(params)
        if self.given is None:
            none = np.zeros((len(old), 1))
            step = self._allowed(self._step(stats, none, none, none)[0], old, starved, summary)
            new = old * np.exp(step)[:, None]
        coef = self.stepped(params, self.limited(delta), starved)
        return self.record(coef, new)  # type: ignore[call-arg]

    def _step(
        self, stats: JointStats, c: Floats, alone: Floats, along: Floats
    ) -> tuple[Floats, Bools]:
        """Steps of t (K,), and where the coefficients move along."""
        d = -stats.second
        left = d - (c * along).sum(axis=1)
        joint = left > _LEFT * np.abs(d)
        slope = np.where(joint, stats.first - (c * alone).sum(axis=1), stats.first)
        size = np.where(joint, left, np.abs(d))
        return slope / np.maximum(size, 1e-12 + 1e-3 * np.abs(slope)), joint

    def _sparse_update(self, params: Any, stats: Any, summary: Summary) -> Any:
        """Coefficients under a penalty with kinks, and t by itself."""
        starved, old = self.starved(stats, summary), self.value_of(params)
        coef = self.stepped(params, self.sparse_step(params, stats, summary), starved)
        if self.given is not None:
            return self.record(coef, old)  # type: ignore[call-arg]
        size = np.maximum(np.abs(stats.second), 1e-12 + 1e-3 * np.abs(stats.first))
        step = self._allowed(stats.first / size, old, starved, summary)
        return self.record(coef, old * np.exp(step)[:, None])  # type: ignore[call-arg]

    def translate(self, stats: Any, old: Any, new: Any) -> Any:
        """Scores at ``old`` as they are at ``new``, to second order."""
        A = unpack_symmetric(stats.gram, old.coef.shape[-1])
        delta = new.coef - old.coef
        moved = np.log(self.value_of(new) / self.value_of(old))[:, 0]
        return replace(
            stats,
            score=stats.score - delta @ A + stats.cross * moved[:, None, None],
            first=stats.first + (stats.cross * delta).sum(axis=(1, 2)) + stats.second * moved,
        )

    def clip(self, params: Any, summary: Summary) -> Any:
        """The parameter between its bounds."""
        if self.given is not None:
            return params
        inside = np.clip(self.value_of(params), *self.bounds_of(summary))
        return replace(params, **{self.nuisance: inside})

    def degenerate(self, params: Any, summary: Summary) -> Bools:
        """Which experts sit at the bound that keeps the likelihood finite, (K,)."""
        value = self.value_of(params)[:, 0]
        if self.given is not None or self.unbounded_at is None:
            return np.zeros(value.size, dtype=bool)
        end = self.bounds_of(summary)[self.unbounded_at]
        return np.abs(np.log(value / end)) <= 1e-9

    def derivatives(self, params: Any, fwd: Forward, y: np.ndarray) -> tuple[Floats, Floats]:
        """In (eta, t)."""
        (eta, row, work), phi = fwd.work, self.value_of(params)
        first = self.first_derivatives(params, fwd, y)
        bend, mixed, rest = self.second(eta, row, phi, work)
        if self.given is not None:
            return first, bend[:, None, None]
        second = np.empty((len(first), 2, 2, first.shape[-1]))
        second[:, 0, 0], second[:, 1, 1] = bend, rest
        second[:, 0, 1] = second[:, 1, 0] = mixed
        return first, second

    def first_derivatives(self, params: Any, fwd: Forward, y: np.ndarray) -> Floats:
        """The first of them alone."""
        eta, row, work = fwd.work
        slope, rise = self.first(eta, row, self.value_of(params), work)
        return slope[:, None] if self.given is not None else np.stack([slope, rise], axis=1)

    def draw(self, params: Any, noise: Floats, rng: np.random.Generator) -> dict[str, Floats]:
        """The parameter that goes with a noise of this size, unless it was given."""
        value = self.value_of(params) if self.given is not None else self.from_noise(noise)[:, None]
        return {self.nuisance: value}

    def from_noise(self, noise: Floats) -> Floats:
        """The parameter under which y varies by ``noise`` (K,) relative to its mean, about."""
        return np.square(noise)

    # -------------------------------------------------------------------- answers about y

    def density_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """Density, or probability of a value, (K, 1, n)."""
        value, possible = self.moved_inside(y)
        log_density = self.parts(eta[:, 0], value[:, 0], self.value_of(params))[0]
        with np.errstate(over="ignore"):
            return np.where(possible, np.exp(log_density)[:, None], 0.0)


def known_parameter(grams: Floats, score: Floats, mass: Floats) -> JointStats:
    """Sums of the coefficients alone, where the parameter was given."""
    nothing = np.zeros((2, mass.size))
    return JointStats(grams, score, mass, np.zeros_like(score), *nothing)
