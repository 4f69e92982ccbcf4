"""Experts of a layer: one table, a flat row of numbers each, so that products are grouped.

::

    two maps:  f(x) = act(x W1 + b1) W2 + b2        one map:  f(x) = act(x W1 + b1)

A row of the table is [W1; b1] and, with two maps, [W2; b2]. What experts see has a last column of
ones, and so have hidden units: biases cost no pass of their own. Work goes in runs of neighbouring
experts that all have rows: products one by one, everything else once a run, while it is in cache;
in training each run takes its step of the optimiser at once, and no gradient of all experts is
ever held. No array has an axis for rows and one for experts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from moe_classic._typing import Ints

from .activations import ACTIVATIONS, KEEPS_ONES
from .buffers import Buffers

Array = np.ndarray
#: Takes a run of experts (first, stop) and their gradients (stop - first, size).
Step = Callable[[int, int, Array], None]

#: Hidden units, and outputs: what gradients need of a forward pass.
Kept = tuple[Array, Array]

#: Rows that a run of experts has at most, and numbers, unless one alone has more.
_RUN, _NUMBERS = 2048, 1 << 18


@dataclass(frozen=True)
class Experts:
    """Shapes of the experts of a layer; their numbers are passed in.

    Parameters
    ----------
    n_experts : int
    width, hidden, out : int
        Columns of what they see, hidden units (0: one map), columns of what they say.
    activation : str
    """

    n_experts: int
    width: int
    hidden: int
    out: int
    activation: str

    @property
    def size(self) -> int:
        """Numbers of one expert."""
        first = (self.width + 1) * (self.hidden or self.out)
        return first + (self.hidden + 1) * self.out if self.hidden else first

    def start(self, rng: np.random.Generator, dtype: Any) -> Array:
        """A table (n_experts, size): Glorot's uniform weights, biases 0."""
        T = np.zeros((self.n_experts, self.size), dtype=dtype)
        for W in (matrix for e in range(self.n_experts) for matrix in self.maps(T[e])):
            rows, columns = W.shape[0] - 1, W.shape[1]
            bound = np.sqrt(6.0 / (rows + columns))
            W[:rows] = rng.uniform(-bound, bound, (rows, columns))
        return T

    def maps(self, T: Array) -> list[Array]:
        """Matrices of experts (..., size), biases being their last rows; views."""
        d, h, o = self.width, self.hidden, self.out
        if not h:
            return [T.reshape(*T.shape[:-1], d + 1, o)]
        cut = (d + 1) * h
        first = T[..., :cut].reshape(*T.shape[:-1], d + 1, h)
        return [first, T[..., cut:].reshape(*T.shape[:-1], h + 1, o)]

    def is_weight(self) -> Array:
        """Which numbers of an expert are weights, not biases, (size,)."""
        row = np.ones(self.size, dtype=bool)
        for W in self.maps(row):
            W[-1] = False
        return row

    # -------------------------------------------------------------------- runs

    def runs(self, offsets: Ints) -> list[tuple[int, int]]:
        """Neighbouring experts that all have rows, together no more than a run should have."""
        bounds, most = offsets.tolist(), max(_NUMBERS // self.size, 1)
        found: list[tuple[int, int]] = []
        first = None
        for e in range(len(bounds) - 1):
            empty = bounds[e] == bounds[e + 1]
            full = first is not None and (bounds[e + 1] - bounds[first] > _RUN or e - first >= most)
            if first is not None and (empty or full):
                found.append((first, e))
                first = None
            if first is None and not empty:
                first = e
        if first is not None:
            found.append((first, len(bounds) - 1))
        return found

    # -------------------------------------------------------------------- forward

    def forward(self, T: Array, X: Array, offsets: Ints, buffers: Buffers) -> tuple[Array, Kept]:
        """Outputs (m, out) and what the gradient needs, for rows (m, width + 1) by expert.

        Both live in ``buffers`` until the next call.
        """
        act, h, at = ACTIVATIONS[self.activation][0], self.hidden, offsets.tolist()
        m = len(X)
        if not h:
            Y = buffers.get("Y", m, self.out)
            for first, stop in self.runs(offsets):
                for e in range(first, stop):
                    rows = slice(at[e], at[e + 1])
                    np.matmul(X[rows], self.maps(T[e])[0], out=Y[rows])
                act(Y[at[first] : at[stop]])
            return Y, (Y, Y)
        H, Y = buffers.rows("H", m, h), buffers.get("Y", m, self.out)
        flat = self.activation in KEEPS_ONES
        for first, stop in self.runs(offsets):
            spans = [slice(at[e], at[e + 1]) for e in range(first, stop)]
            first_maps, second_maps = self.maps(T[first:stop])
            for rows, W in zip(spans, first_maps, strict=True):
                np.matmul(X[rows], W, out=H[rows, :h])
            part = H[at[first] : at[stop]]
            act(part if flat else part[:, :h])
            for rows, W in zip(spans, second_maps, strict=True):
                np.matmul(H[rows], W, out=Y[rows])
        return Y, (H, Y)

    # -------------------------------------------------------------------- backward

    def backward(
        self,
        T: Array,
        X: Array,
        kept: Kept,
        G: Array,
        weights: Array | None,
        offsets: Ints,
        buffers: Buffers,
        step: Step,
        *,
        inputs: bool = True,
    ) -> tuple[Array, Array | None]:
        """Pull a gradient back, run by run, and let each run take its step.

        Parameters
        ----------
        T, X : ndarray
            Table, and rows by expert.
        kept : tuple of ndarray
            What :meth:`forward` kept.
        G : ndarray of shape (m, out)
            Gradient that each pair's row feels, not yet weighted; used up.
        weights : ndarray of shape (m,), or None
            Weights of the pairs.
        offsets : ndarray of int
        buffers : Buffers
        step : callable
            Called with each run of experts and their gradients, after what needs their old numbers.
        inputs : bool, default=True
            Whether the gradient in X is wanted.

        Returns
        -------
        g_pairs : ndarray of shape (m,)
            Products of G with the outputs.
        g_X : ndarray of shape (m, width), or None
        """
        m, at = len(X), offsets.tolist()
        g_pairs, (H, Y) = buffers.get("g_pairs", m), kept
        g_X = buffers.get("g_X", m, self.width) if inputs else None
        pull = self._pull_two if self.hidden else self._pull_one
        for first, stop in self.runs(offsets):
            g = buffers.get("g_run", stop - first, self.size)
            maps = self.maps(T[first:stop])
            spans = [slice(at[e] - at[first], at[e + 1] - at[first]) for e in range(first, stop)]
            part = slice(at[first], at[stop])
            np.einsum("ij,ij->i", G[part], Y[part], out=g_pairs[part])
            if weights is not None:
                np.multiply(G[part], weights[part, None], out=G[part])
            into = None if g_X is None else g_X[part]
            pull(maps, spans, X[part], H[part], G[part], g, into, buffers)
            step(first, stop, g)
        return g_pairs, g_X

    def _pull_two(
        self,
        maps: list[Array],
        spans: list[slice],
        X: Array,
        H: Array,
        G: Array,
        g: Array,
        g_X: Array | None,
        buffers: Buffers,
    ) -> None:
        """Gradients of a run of experts with a hidden layer."""
        h, d = self.hidden, self.width
        D = buffers.get("D", len(X), h + 1)
        for rows, W2 in zip(spans, maps[1], strict=True):
            np.matmul(G[rows], W2.T, out=D[rows])
        pull = ACTIVATIONS[self.activation][1]
        if self.activation in KEEPS_ONES:
            pull(H, D)
        else:
            pull(H[:, :h], D[:, :h])
        for rows, W1, g1, g2 in zip(spans, maps[0], *self.maps(g), strict=True):
            mine, pulled = X[rows], D[rows, :h]
            np.matmul(H[rows].T, G[rows], out=g2)
            np.matmul(mine.T, pulled, out=g1)
            if g_X is not None:
                np.matmul(pulled, W1[:d].T, out=g_X[rows])

    def _pull_one(
        self,
        maps: list[Array],
        spans: list[slice],
        X: Array,
        H: Array,
        G: Array,
        g: Array,
        g_X: Array | None,
        buffers: Buffers,
    ) -> None:
        """Gradients of a run of experts of one map."""
        ACTIVATIONS[self.activation][1](H, G)
        for rows, W, g_W in zip(spans, maps[0], *self.maps(g), strict=True):
            np.matmul(X[rows].T, G[rows], out=g_W)
            if g_X is not None:
                np.matmul(G[rows], W[: self.width].T, out=g_X[rows])
