"""Adam on one vector of shared parameters, and on single experts with their own step counts.

::

    m <- b1 m + g,   v <- b2 v + g^2,   x <- x - a_t m / (sqrt(v) + e_t)
    a_t = rate (1 - b1) / (1 - b1^t) / c_t,   e_t = eps / c_t,   c_t^2 = (1 - b2) / (1 - b2^t)

the usual update, with its factors gathered into two numbers. Moments and counts of experts that no
row was sent to stand still. Weight decay is decoupled: matrices shrink by ``rate decay`` when they
move. Kingma & Ba (2015), Adam. Loshchilov & Hutter (2019), Decoupled weight decay regularization.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray

_B1, _B2, _EPS = 0.9, 0.999, 1e-8
#: First moments below this are set to zero once an epoch: subnormal numbers are slow.
_TINY = 1e-30


def _factors(t: Any, rate: float) -> tuple[Any, Any]:
    """Step length and guard after ``t`` steps."""
    c = np.sqrt((1.0 - _B2) / (1.0 - _B2**t))
    return rate * (1.0 - _B1) / (1.0 - _B1**t) / c, _EPS / c


def _move(x: Array, g: Array, m: Array, v: Array, step: Any, guard: Any) -> None:
    """One step, in place; ``g`` is used up."""
    m *= _B1
    m += g
    np.square(g, out=g)
    v *= _B2
    v += g
    np.sqrt(v, out=g)
    g += guard
    np.divide(m, g, out=g)
    g *= step
    x -= g


class Adam:
    """Moments of a vector of shared parameters and of tables of experts.

    Parameters
    ----------
    rate : float
    decay : float
    flat : ndarray of shape (size,)
        Shared parameters, moved in place.
    matrices : ndarray of bool of shape (size,)
        Which of them belong to weight matrices.
    tables : list of ndarray of shape (n_experts, size)
        Experts of each layer, one a row, moved in place.
    table_matrices : list of ndarray of bool of shape (size,)
    """

    rate: float
    m: Array
    v: Array
    t: int
    tables_m: list[Array]
    tables_v: list[Array]
    tables_t: list[np.ndarray]
    keep: Array | None
    table_keep: list[Array | None]

    def __init__(
        self,
        rate: float,
        decay: float,
        flat: Array,
        matrices: Array,
        tables: list[Array],
        table_matrices: list[Array],
    ) -> None:
        self.rate = rate
        self.m, self.v, self.t = np.zeros_like(flat), np.zeros_like(flat), 0
        self.tables_m = [np.zeros_like(T) for T in tables]
        self.tables_v = [np.zeros_like(T) for T in tables]
        self.tables_t = [np.zeros(len(T), dtype=np.int64) for T in tables]
        shrink = rate * decay
        self.keep = self._shrinking(matrices, shrink, flat.dtype)
        self.table_keep = [
            self._shrinking(mask, shrink, T.dtype)
            for mask, T in zip(table_matrices, tables, strict=True)
        ]

    @staticmethod
    def _shrinking(mask: Array, shrink: float, dtype: Any) -> Array | None:
        """Factor of each parameter in a step; None if all stay."""
        return np.where(mask, 1.0 - shrink, 1.0).astype(dtype) if shrink > 0.0 else None

    def move(self, flat: Array, g: Array) -> None:
        """A step of the shared parameters."""
        self.t += 1
        step, guard = _factors(self.t, self.rate)
        if self.keep is not None:
            flat *= self.keep
        _move(flat, g, self.m, self.v, flat.dtype.type(step), flat.dtype.type(guard))

    def move_experts(self, layer: int, T: Array, first: int, stop: int, g: Array) -> None:
        """A step of the experts ``first`` to ``stop - 1`` of a layer, all of which had rows."""
        t = self.tables_t[layer][first:stop]
        t += 1
        step, guard = _factors(t[:, None], self.rate)
        x, keep = T[first:stop], self.table_keep[layer]
        if keep is not None:
            x *= keep
        m, v = self.tables_m[layer][first:stop], self.tables_v[layer][first:stop]
        _move(x, g, m, v, step.astype(x.dtype), guard.astype(x.dtype))

    def slow(self, factor: float) -> None:
        """Shorter steps from now on."""
        self.rate *= factor

    def rest(self) -> None:
        """Between epochs: first moments that have died away become zero."""
        for m in (self.m, *self.tables_m):
            m[np.abs(m) < _TINY] = 0.0
