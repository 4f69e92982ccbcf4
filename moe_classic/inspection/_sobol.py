"""Variance-based sensitivity of a function of independent inputs: Sobol's indices.

::

    S_i = Var E(f | x_i) / Var f            what x_i explains alone
    T_i = E Var(f | all but x_i) / Var f    what it explains with all its interactions

By quasi-Monte Carlo, from rows A and B of a scrambled Sobol sequence and A with one column of B:
the first by Sobol' (1993) in the form of Saltelli, Annoni, Azzini, Campolongo, Ratto & Tarantola
(2010), Variance based sensitivity analysis of model output, Computer Physics Communications 181,
the second by Jansen (1999). Where f is a sum of lines whose weights depend on two features at most,
all other features are integrated in closed form, and the two by Gauss's rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Protocol

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.polynomial.legendre import leggauss
from scipy.special import ndtri
from scipy.stats import qmc

from moe_classic._typing import Floats, Ints

#: Most features of weights that are integrated by a rule, and its points for 0, 1 and 2 of them.
MOST_INTEGRATED = 2
_NODES = (1, 512, 96)
#: Rows over which main effects are averaged, and points of a Hermite rule that do not underflow.
_AVERAGED = 512
_MOST_HERMITE = 180
#: Blocks of a sequence whose spread tells errors, and rows that each of them has at least.
_BLOCKS, _LEAST = 8, 8


@cache
def _legendre(n: int) -> tuple[Floats, Floats]:
    """Gauss's points and weights on (-1, 1)."""
    return leggauss(n)


@cache
def _hermite(n: int) -> tuple[Floats, Floats]:
    """Gauss's points and weights under a standard normal density, up to a factor."""
    return hermegauss(n)


class Marginal(Protocol):
    """Distribution of one input."""

    @property
    def mean(self) -> float:
        """Mean."""

    @property
    def var(self) -> float:
        """Variance."""

    def ppf(self, u: Floats) -> Floats:
        """Quantiles."""

    def rule(self, n: int) -> tuple[Floats, Floats]:
        """Points and weights that integrate smooth functions."""


@dataclass(frozen=True)
class Uniform:
    """Even on an interval."""

    low: float
    high: float

    @property
    def mean(self) -> float:
        """Middle."""
        return 0.5 * (self.low + self.high)

    @property
    def var(self) -> float:
        """A twelfth of the squared length."""
        return (self.high - self.low) ** 2 / 12.0

    def ppf(self, u: Floats) -> Floats:
        """Quantiles."""
        return self.low + (self.high - self.low) * u

    def rule(self, n: int) -> tuple[Floats, Floats]:
        """Gauss-Legendre."""
        x, w = _legendre(n)
        return self.ppf(0.5 * (x + 1.0)), 0.5 * w


@dataclass(frozen=True)
class Normal:
    """Normal."""

    mean: float
    sd: float

    @property
    def var(self) -> float:
        """Squared deviation."""
        return self.sd**2

    def ppf(self, u: Floats) -> Floats:
        """Quantiles."""
        return np.asarray(self.mean + self.sd * ndtri(u), dtype=np.float64)

    def rule(self, n: int) -> tuple[Floats, Floats]:
        """Gauss-Hermite."""
        x, w = _hermite(min(n, _MOST_HERMITE))
        return self.mean + self.sd * x, w / w.sum()


@dataclass(frozen=True)
class Empirical:
    """Values as often as they were seen."""

    values: Floats

    @property
    def mean(self) -> float:
        """Mean."""
        return float(self.values.mean())

    @property
    def var(self) -> float:
        """Variance."""
        return float(self.values.var())

    @cached_property
    def _sorted(self) -> Floats:
        return np.sort(self.values)

    def ppf(self, u: Floats) -> Floats:
        """The value below which a share u lies."""
        place = np.minimum((u * self.values.size).astype(np.intp), self.values.size - 1)
        return np.asarray(self._sorted[place], dtype=np.float64)

    def rule(self, n: int) -> tuple[Floats, Floats]:
        """All values, or quantiles of many."""
        if self.values.size <= n:
            return self._sorted, np.full(self.values.size, 1.0 / self.values.size)
        return self.ppf((np.arange(n) + 0.5) / n), np.full(n, 1.0 / n)


@dataclass(frozen=True)
class Frozen:
    """A distribution of scipy.stats."""

    known: Any

    @property
    def mean(self) -> float:
        """Mean."""
        return float(self.known.mean())

    @property
    def var(self) -> float:
        """Variance."""
        return float(self.known.var())

    def ppf(self, u: Floats) -> Floats:
        """Quantiles."""
        return np.asarray(self.known.ppf(u), dtype=np.float64)

    def rule(self, n: int) -> tuple[Floats, Floats]:
        """Gauss-Legendre in probabilities."""
        x, w = _legendre(n)
        return self.ppf(0.5 * (x + 1.0)), 0.5 * w


@dataclass(frozen=True)
class Indices:
    """Indices of d outputs, (d, p) each, with their means and variances (d,).

    ``errors`` (2, d, p) are those of the integration, of first orders and totals, where known.
    """

    first: Floats
    total: Floats
    mean: Floats
    variance: Floats
    errors: Floats | None = None


# ------------------------------------------------------------------------- quasi-Monte Carlo


def sobol_rows(inputs: Sequence[Marginal], n: int, rng: np.random.Generator) -> Floats:
    """Rows A, B, and A with each column of B in turn, ((p + 2) n, p)."""
    p = len(inputs)
    u = qmc.Sobol(2 * p, scramble=True, rng=rng).random(n)
    # Scrambled points may be 0 to the last bit.
    u = np.clip(u, 1e-12, 1.0 - 1e-12)
    A = np.column_stack([m.ppf(c) for m, c in zip(inputs, u[:, :p].T, strict=True)])
    B = np.column_stack([m.ppf(c) for m, c in zip(inputs, u[:, p:].T, strict=True)])
    mixed = np.repeat(A[None], p, axis=0)
    every = np.arange(p)
    mixed[every, :, every] = B.T
    return np.concatenate([A, B, mixed.reshape(-1, p)])


def sobol_indices(f: Floats, p: int) -> Indices:
    """Indices from values (d, (p + 2) n) at :func:`sobol_rows`."""
    d = len(f)
    values = f.reshape(d, p + 2, -1)
    mean = values[:, :2].mean(axis=(1, 2))
    values = values - mean[:, None, None]
    A, B, mixed = values[:, 0], values[:, 1], values[:, 2:]
    variance = values[:, :2].var(axis=(1, 2))
    alone = (B[:, None] * (mixed - A[:, None])).mean(axis=2)
    together = 0.5 * np.square(A[:, None] - mixed).mean(axis=2)
    return shares(alone, together, mean, variance)


def sampling_errors(f: Floats, p: int) -> Floats | None:
    """Standard errors (2, d, p) of :func:`sobol_indices`, from blocks of the sequence.

    Each block is a scrambled net of its own; all of them together are more even than their mean,
    so that the errors are rather too large. None where there are too few rows.
    """
    values = f.reshape(len(f), p + 2, -1)
    if values.shape[2] < _BLOCKS * _LEAST:
        return None
    blocks = np.split(values, _BLOCKS, axis=2)
    found = [sobol_indices(block.reshape(len(f), -1), p) for block in blocks]
    each = np.array([[one.first, one.total] for one in found])
    return np.asarray(each.std(axis=0, ddof=1) / np.sqrt(_BLOCKS), dtype=np.float64)


def shares(alone: Floats, together: Floats, mean: Floats, variance: Floats) -> Indices:
    """Variances (d, p) as shares of all; 0 where nothing varies."""
    unit = np.where(variance > 0.0, variance, 1.0)[:, None]
    return Indices(alone / unit, together / unit, mean, variance)


def effect_rows(inputs: Sequence[Marginal], grids: Floats, rng: np.random.Generator) -> Floats:
    """Rows with one feature held at each of its values in turn, (p m r, p); grids are (p, m)."""
    p, m = grids.shape
    u = qmc.Sobol(p, scramble=True, rng=rng).random(_AVERAGED)
    u = np.clip(u, 1e-12, 1.0 - 1e-12)
    base = np.column_stack([one.ppf(c) for one, c in zip(inputs, u.T, strict=True)])
    rows = np.tile(base, (p, m, 1, 1))
    for j in range(p):
        rows[j, :, :, j] = grids[j][:, None]
    return rows.reshape(-1, p)


def main_effects(f: Floats, p: int, m: int) -> Floats:
    """Averages (d, p, m) of values (d, p m r) at :func:`effect_rows`, around their mean."""
    effect = f.reshape(len(f), p, m, -1).mean(axis=3)
    return np.asarray(effect - effect.mean(axis=2, keepdims=True), dtype=np.float64)


# ------------------------------------------------------------------------- lines and weights


@dataclass(frozen=True)
class WeightedLines:
    """``f(x) = sum_k g_k(x) (a_k + b_k x)`` with weights that see few features.

    Attributes
    ----------
    weights : rows (m, p) -> (K, m)
    slopes : (K, p), intercepts : (K,)
    seen : places of the features that the weights see
    """

    weights: Callable[[Floats], Floats]
    slopes: Floats
    intercepts: Floats
    seen: Ints

    def _at(self, rows: Floats) -> tuple[Floats, Floats]:
        """F (m,) at rows whose other features are at their means, and its slopes (m, p)."""
        g = self.weights(rows)
        return np.einsum("km,km->m", g, self._lines(rows)), g.T @ self.slopes

    def _lines(self, rows: Floats) -> Floats:
        """What the lines say, (K, m)."""
        return self.intercepts[:, None] + self.slopes @ rows.T

    def _grid(self, inputs: Sequence[Marginal], held: tuple[int, Floats] | None = None) -> Any:
        """Rows of a rule over the features that are seen, their shape, and weights an axis."""
        rules = [inputs[j].rule(_NODES[len(self.seen)]) for j in self.seen]
        if held is not None:
            place = list(self.seen).index(held[0])
            rules[place] = (held[1], np.ones(held[1].size))
        mesh = np.meshgrid(*[x for x, _ in rules], indexing="ij")
        shape = mesh[0].shape if mesh else ()
        rows = np.tile([m.mean for m in inputs], (int(np.prod(shape)), 1))
        for j, x in zip(self.seen, mesh, strict=True):
            rows[:, j] = x.ravel()
        return rows, shape, [w for _, w in rules]

    def indices(self, inputs: Sequence[Marginal]) -> Indices:
        """Indices of the function, (1, p)."""
        rows, shape, weights = self._grid(inputs)
        h, c = self._at(rows)
        h, c = h.reshape(shape), c.T.reshape(-1, *shape)
        var = np.array([m.var for m in inputs])
        rest = np.setdiff1d(np.arange(len(inputs)), self.seen)
        squares = var * np.array([_over(s**2, weights) for s in c])
        alone = var * np.array([_over(s, weights) for s in c]) ** 2
        together = squares.copy()
        mean = _over(h, weights)
        variance = _over((h - mean) ** 2, weights) + squares[rest].sum()
        for axis, j in enumerate(self.seen):
            others = [w for i, w in enumerate(weights) if i != axis]
            average = np.array([_over(row, others) for row in np.moveaxis(h, axis, 0)])
            alone[j] = _over((average - mean) ** 2, [weights[axis]])
            own = [_spread(h, axis, weights)]
            own += [var[i] * _spread(c[i], axis, weights) for i in rest]
            together[j] = sum(own)
        return shares(alone[None], together[None], np.array([mean]), np.array([variance]))

    def effects(self, inputs: Sequence[Marginal], grids: Floats) -> Floats:
        """Main effects at values (p, m) of the features, (1, p, m), around their mean."""
        rows, shape, weights = self._grid(inputs)
        slopes = [_over(s.reshape(shape), weights) for s in self._at(rows)[1].T]
        effect = grids * np.array(slopes)[:, None]
        for axis, j in enumerate(self.seen):
            rows, shape, weights = self._grid(inputs, (int(j), grids[j]))
            h = np.moveaxis(self._at(rows)[0].reshape(shape), axis, 0)
            others = [w for i, w in enumerate(weights) if i != axis]
            effect[j] = [_over(row, others) for row in h]
        return np.asarray(effect - effect.mean(axis=1, keepdims=True))[None]


def _over(values: Floats, weights: Sequence[Floats]) -> float:
    """Integral of values on a grid."""
    for w in reversed(weights):
        values = values @ w
    return float(values)


def _spread(values: Floats, axis: int, weights: Sequence[Floats]) -> float:
    """Variance along one axis, averaged over the others."""
    along = np.moveaxis(values, axis, -1)
    others = [w for i, w in enumerate(weights) if i != axis]
    mean = along @ weights[axis]
    return _over(((along - mean[..., None]) ** 2) @ weights[axis], others)
