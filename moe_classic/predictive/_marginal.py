"""One output of a predictive distribution: quantiles, modes and probabilities of a mixture.

::

    F(y) = sum_k g_k F_k(y),   F^-1(q) between the smallest and the largest F_k^-1(q)

Quantiles are roots of the distribution function, bracketed by the experts' own; of a discrete
target the smallest value at which it reaches the level (Czado, Gneiting & Held 2009, Predictive
model assessment for count data, Biometrics 65, section 2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from scipy.optimize.elementwise import find_root

from moe_classic._components import Noise, TargetKind, crps_of_cdf, crps_on_lattice, first_reaching
from moe_classic._typing import Floats, Ints
from moe_classic.experts import Expert

#: Newton steps towards a quantile; rows that are still open then go to the search.
_NEWTON_STEPS = 10
#: Levels of the experts' quantiles at which a mode is looked for, and rounds that refine it.
_LEVELS, _ROUNDS = np.linspace(0.01, 0.99, 33), 40
#: Most values of a lattice whose probabilities are compared one by one.
_MOST_VALUES = 100_000
#: Tail of a discrete distribution beyond which nothing is added to a score.
_TAIL = 1e-12


@dataclass(frozen=True)
class Marginal:
    """Distribution of one output at n rows.

    Attributes
    ----------
    parts : expert, parameters of the output and predictor (K, 1 or M, n) of every group
    weights, location, spread : (K, n)
    kind : TargetKind
    """

    parts: list[tuple[Expert, Any, Floats]]
    weights: Floats
    location: Floats
    spread: Floats
    kind: TargetKind

    def _groups(self, rows: Ints | None) -> Iterator[tuple[Expert, Any, Floats, Floats]]:
        """Expert, parameters, predictor and weights of every group at some rows."""
        stops = accumulate(len(eta) for _, _, eta in self.parts)
        for stop, (expert, p, eta) in zip(stops, self.parts, strict=True):
            weights = self.weights[stop - len(eta) : stop]
            if rows is None:
                yield expert, p, eta, weights
            else:
                # Faster than by an index array.
                yield expert, p, eta.take(rows, axis=2), weights.take(rows, axis=1)

    def cdf(self, y: Floats, rows: Ints | None = None) -> Floats:
        """P(Y <= y) at some rows; ``y`` is (r,)."""
        value = np.zeros(y.size)
        for expert, p, eta, weights in self._groups(rows):
            value += (weights * expert.cdf_at(p, eta, y[None, None])[:, 0]).sum(axis=0)
        return value

    def density(self, y: Floats, rows: Ints | None = None) -> Floats:
        """Density, or probability of a value, at some rows; ``y`` is (r,)."""
        value = np.zeros(y.size)
        for expert, p, eta, weights in self._groups(rows):
            value += (weights * expert.density_at(p, eta, y[None, None])[:, 0]).sum(axis=0)
        return value

    def _cdf_and_density(self, y: Floats, rows: Ints) -> tuple[Floats, Floats]:
        """Both at once: their rows are looked up once."""
        value, slope = np.zeros(y.size), np.zeros(y.size)
        at = y[None, None]
        for expert, p, eta, weights in self._groups(rows):
            below, height = expert.cdf_and_density_at(p, eta, at)
            value += (weights * below[:, 0]).sum(axis=0)
            slope += (weights * height[:, 0]).sum(axis=0)
        return value, slope

    def expert_quantiles(self, q: float) -> Floats:
        """Quantiles of the experts, (K, n)."""
        level = np.full((1, 1, 1), q)
        own = [
            np.broadcast_to(e.quantile_at(p, eta, level)[:, 0], (len(eta), eta.shape[-1]))
            for e, p, eta in self.parts
        ]
        return np.concatenate(own)

    # -------------------------------------------------------------------- quantiles

    def quantile(self, q: float) -> Floats:
        """Quantile, (n,)."""
        low, high = self._bracket(q)
        answer = high if self.kind.discrete else 0.5 * (low + high)
        open_rows = np.flatnonzero(high > low)
        if open_rows.size:
            find = self._lattice_root if self.kind.discrete else self._roots
            answer[open_rows] = find(q, low[open_rows], high[open_rows], open_rows)
        return answer

    def _bracket(self, q: float) -> tuple[Floats, Floats]:
        """Smallest and largest quantile of the experts; one without weight must not widen it."""
        bracket, live = self.expert_quantiles(q), self.weights > 1e-300
        return (
            np.where(live, bracket, np.inf).min(axis=0),
            np.where(live, bracket, -np.inf).max(axis=0),
        )

    def _lattice_root(self, q: float, low: Floats, high: Floats, rows: Ints) -> Floats:
        """Smallest value of a discrete target at which the cdf reaches q."""
        # Rounding of the mixed cdf may leave q a hair above what the largest expert reaches.
        enough = np.full(rows.size, q * (1.0 - 1e-14))
        below = low - self.kind.step if self.kind.step else np.nextafter(low, -np.inf)
        found = first_reaching(lambda y: self.cdf(y, rows), enough, below, high, self.kind.step)
        return np.maximum(found, low)

    def _roots(self, q: float, low: Floats, high: Floats, rows: Ints) -> Floats:
        """Roots of ``cdf - q`` between ``low`` and ``high`` for some rows.

        A few Newton steps serve nearly all rows; what they leave open goes to a search that keeps
        its bracket, with what they found of it.
        """
        enough = 1e-13 * min(q, 1.0 - q)
        answer = 0.5 * (low + high)
        at, x, below, above = np.arange(rows.size), answer.copy(), low.copy(), high.copy()
        for _ in range(_NEWTON_STEPS):
            excess, slope = self._cdf_and_density(x, rows[at])
            excess -= q
            np.copyto(below, x, where=excess < 0.0)
            np.copyto(above, x, where=excess > 0.0)
            with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
                new = x - excess / slope
            new = np.where((new > below) & (new < above), new, 0.5 * (below + above))
            answer[at] = np.where(np.abs(excess) <= enough, x, new)
            open_ = (np.abs(excess) > enough) & (np.abs(new - x) > 1e-15 * np.abs(x))
            at, x, below, above = at[open_], new[open_], below[open_], above[open_]
            if not at.size:
                return np.clip(answer, low, high)
        answer[at] = self._search(q, below, above, rows[at])
        return np.clip(answer, low, high)

    def _search(self, q: float, low: Floats, high: Floats, rows: Ints) -> Floats:
        """Roots by a bracketed search that never fails."""

        def excess(y: Floats, at: Ints) -> Floats:
            at = np.broadcast_to(at, y.shape).ravel()
            return (self.cdf(y.ravel(), at) - q).reshape(y.shape)

        # Rounding may leave the ends a hair on the wrong side.
        margin = 1e-9 * (high - low) + 1e-12 * np.maximum(np.abs(low), np.abs(high))
        found = find_root(
            excess,
            (low - margin, high + margin),
            args=(rows,),
            # Relative to the tail: an absolute tolerance would lose far quantiles.
            tolerances={
                "xatol": 0.0,
                "xrtol": 1e-13,
                "fatol": 1e-13 * min(q, 1.0 - q),
                "frtol": 0.0,
            },
            maxiter=400,
        )
        low_end = excess(low, rows) >= 0.0
        return np.where(np.isfinite(found.x), found.x, np.where(low_end, low, high))

    # -------------------------------------------------------------------- modes

    def mode(self) -> Floats:
        """Highest point of the density, (n,)."""
        if self.kind.step:
            return self._likeliest_value()
        grid = np.sort(np.concatenate([self.expert_quantiles(q) for q in _LEVELS]), axis=0)
        heights = np.stack([self.density(y) for y in grid])
        best = heights.argmax(axis=0)[None]
        if self.kind.discrete:
            return np.take_along_axis(grid, best, axis=0)[0]
        low = np.take_along_axis(grid, np.maximum(best - 1, 0), axis=0)[0]
        high = np.take_along_axis(grid, np.minimum(best + 1, len(grid) - 1), axis=0)[0]
        return self._golden(low, high)

    def _likeliest_value(self) -> Floats:
        """The likeliest value of a lattice."""
        step, first = self.kind.step, self.quantile(_TAIL)
        last = self.quantile(1.0 - _TAIL)
        count = int((last - first).max(initial=0.0) / step) + 1
        if count > _MOST_VALUES:
            raise ValueError(
                f"predict_mode would compare {count} values of y in a row; ask for "
                "predict_quantile(X, 0.5) instead."
            )
        best, answer = np.full(first.shape, -1.0), first.copy()
        for i in range(count):
            height = self.density(first + i * step)
            better = height > best
            best, answer = (
                np.where(better, height, best),
                np.where(better, first + i * step, answer),
            )
        return answer

    def _golden(self, low: Floats, high: Floats) -> Floats:
        """Golden-section search for the highest point between ``low`` and ``high``."""
        share = 0.5 * (3.0 - 5.0**0.5)
        for _ in range(_ROUNDS):
            a, b = low + share * (high - low), high - share * (high - low)
            left = self.density(a) >= self.density(b)
            low, high = np.where(left, low, a), np.where(left, b, high)
        return 0.5 * (low + high)

    # -------------------------------------------------------------------- scores

    @property
    def noise(self) -> list[Noise] | None:
        """Noise of every expert, where all are known in closed form."""
        known: list[Noise] = []
        for expert, p, _ in self.parts:
            own = expert.noise_of(p)
            if own is None:
                return None
            known += own
        return known

    def crps(self, y: Floats) -> Floats:
        """Continuous ranked probability score at ``y`` (n,), from the distribution function."""
        if self.kind.step:
            first, last = self.quantile(_TAIL), self.quantile(1.0 - _TAIL)
            return crps_on_lattice(self.cdf, y, first, last, self.kind.step)
        if self.kind.discrete:
            raise TypeError(
                f"the CRPS of a {self.kind.name} target is a sum over its values, and its experts "
                "do not tell their distance; give them a `kind` with a `step`, or use log_score."
            )
        ends = [np.full((1, y.size), end) for end in (self.kind.low, self.kind.high)]
        known = [end for end in ends if np.isfinite(end).all()]
        cuts = np.concatenate([self.location, *known])
        return crps_of_cdf(self.cdf, y, cuts, self.spread.max(axis=0))
