"""Penalties on the slopes of a tree: that of a softmax gate at each node, added up.

Squares are added family by family; what has kinks is worked on node by node, so that under a group
lasso a feature leaves all children of a node at once, and stays at others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from moe_classic._components import LogitStats
from moe_classic._typing import Bools, Floats, Ints
from moe_classic.gates._softmax import sparse_step
from moe_classic.penalties import Bound, SparseSlopes

from .coefficients import TreeParams
from .nodes import TreeShape, below_root, family_grams, sibling_rows


def node_rows(shape: TreeShape, *, each: bool = True) -> Iterator[Ints]:
    """Rows of coefficients of the nodes with children, (m, C - 1): of each, or of families."""
    for family in shape.families:
        rows = np.arange(shape.n_leaves - 1)[family.rows].reshape(-1, family.size - 1)
        yield from rows[:, None] if each else rows[None]


@dataclass(frozen=True)
class NodePenalties:
    """A penalty of softmax gates that is bound to data, on the nodes of a tree."""

    term: Bound

    @property
    def sparse(self) -> bool:
        """Whether slopes may be exactly zero."""
        return isinstance(self.term, SparseSlopes)

    def _parts(self, params: TreeParams) -> Iterator[tuple[Ints, Floats]]:
        """Rows of coefficients that are penalised together, and these, (m, C - 1, q)."""
        for rows in node_rows(params.shape, each=self.sparse):
            yield rows, params.coef[rows]

    # -------------------------------------------------------------------- value and slopes

    def value(self, params: TreeParams) -> float:
        """The penalty of all nodes."""
        return sum(self.term.value(coef) for _, coef in self._parts(params))

    def gradient(self, params: TreeParams) -> Floats:
        """Its derivatives where slopes are not zero, of the shape of ``coef``."""
        out = np.zeros(params.coef.shape)
        for rows, coef in self._parts(params):
            out[rows] = self.term.gradient(coef)
        return out

    def hessian(self, params: TreeParams) -> Floats:
        """Its Hessian where slopes are not zero, (size, size)."""
        places = np.arange(params.coef.size).reshape(params.coef.shape)
        out = np.zeros((params.coef.size, params.coef.size))
        for rows in node_rows(params.shape):
            at = places[rows].ravel()
            out[np.ix_(at, at)] = self.term.hessian(params.coef[rows])
        return out


@dataclass(frozen=True)
class SparseNodes:
    """The same of a penalty with kinks: steps, zeros, optimality."""

    term: SparseSlopes

    def step(self, params: TreeParams, stats: LogitStats) -> TreeParams:
        """One proximal step of Newton's method, or of a bound, at every node."""
        coef, q = params.coef.copy(), params.coef.shape[1]
        numbers = np.arange(len(coef))
        for family, rule, grams in family_grams(params.shape, stats.gram, q):
            scores = sibling_rows(stats.score, below_root(family), family)
            places = numbers[family.rows].reshape(-1, 1, family.size - 1)
            for rows, gram, score in zip(places, grams, scores, strict=True):
                coef[rows] = sparse_step(self.term, coef[rows], gram, score, rule)
        return TreeParams(coef, params.shape)

    def residual(self, params: TreeParams, score: Floats) -> float:
        """Largest violation of the conditions of optimality; ``score`` is (K - 1, q)."""
        nodes = node_rows(params.shape)
        return max(float(self.term.residual(params.coef[r], score[r]).max()) for r in nodes)

    def n_zero(self, params: TreeParams) -> int:
        """How many slopes are not free."""
        return sum(self.term.n_zero(params.coef[rows]) for rows in node_rows(params.shape))

    def support(self, params: TreeParams) -> tuple[Floats, Floats, Bools]:
        """Coordinates of what is not held at zero: ``theta = T u``, and whose signs stay."""
        places = np.arange(params.coef.size).reshape(params.coef.shape)
        nodes = list(node_rows(params.shape))
        parts = [self.term.support(params.coef[rows]) for rows in nodes]
        bases, values, signed = zip(*parts, strict=True)
        order = np.argsort(np.concatenate([places[rows].ravel() for rows in nodes]))
        return block_diag(*bases)[order], np.concatenate(values), np.concatenate(signed)
