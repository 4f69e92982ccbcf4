"""The shape of a tree of gates: who is whose child, in arrays that whole levels work through.

Nodes are numbered breadth first, so that the children of a node, and the nodes of a level, follow
each other. Leaves are numbered depth first, as they are written. A node with C children owns C - 1
rows of coefficients (relative to its last child); a tree with K leaves has K - 1 rows in all,
whatever its shape. Nodes with equally many children are worked on together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from moe_classic._components import (
    GATE_LIMIT,
    block_step,
    bohning_step,
    curvatures,
    newton_step,
)
from moe_classic._numerics import empty
from moe_classic._typing import Floats, Ints
from moe_classic.gates._softmax import MANY, WIDE

from .branching import Nested

# ------------------------------------------------------------------------- the shape


@dataclass(frozen=True)
class Family:
    """All nodes with the same number of children C, worked on together.

    Attributes
    ----------
    size : int
        Number of children C.
    nodes : ndarray of shape (m,)
    children : slice or ndarray of shape (m C,)
        Numbers of the children, node by node.
    rows : slice or ndarray of shape (m (C - 1),)
        Rows of coefficients, node by node.
    """

    size: int
    nodes: Ints
    children: slice | Ints
    rows: slice | Ints


@dataclass(frozen=True, eq=False)
class TreeShape:
    """A tree with K leaves and N nodes in all.

    Attributes
    ----------
    nested : nested tuples
        What it was made from.
    parent : ndarray of shape (N,)
        -1 for the root.
    first_child, n_children : ndarrays of shape (N,)
        0 children at leaves.
    levels : tuple of slice
        Nodes at each depth.
    leaves : slice or ndarray of shape (K,)
        Node numbers of the leaves in the order in which experts are numbered.
    inner : ndarray of shape (J,)
        Nodes with children.
    first_row : ndarray of shape (N,)
        First row of coefficients of a node with children.
    families : tuple of Family
    """

    nested: Nested
    parent: Ints
    first_child: Ints
    n_children: Ints
    levels: tuple[slice, ...]
    leaves: slice | Ints
    inner: Ints
    first_row: Ints
    families: tuple[Family, ...]

    @property
    def n_nodes(self) -> int:
        """Number of nodes N, leaves included."""
        return self.parent.size

    @property
    def n_leaves(self) -> int:
        """Number of leaves K."""
        return self.n_nodes - self.inner.size

    @property
    def is_flat(self) -> bool:
        """Whether the root is the only gate, or there is none."""
        return self.inner.size <= 1

    @property
    def leaf_numbers(self) -> Ints:
        """Node numbers of the leaves, (K,)."""
        return np.arange(self.n_nodes)[self.leaves]

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickled shape comes back as the one that is cached."""
        return tree_shape, (self.nested,)

    def children_of(self, node: int) -> range:
        """Numbers of the children of ``node``."""
        first = int(self.first_child[node])
        return range(first, first + int(self.n_children[node]))

    def leaf_ranges(self) -> list[range]:
        """Experts below every node; those of a node follow each other."""
        ranges = [range(0)] * self.n_nodes
        for k, leaf in enumerate(self.leaf_numbers):
            ranges[leaf] = range(k, k + 1)
        for node in reversed(self.inner):
            below = self.children_of(node)
            ranges[node] = range(ranges[below[0]].start, ranges[below[-1]].stop)
        return ranges

    def paths(self) -> list[tuple[int, ...]]:
        """Child numbers on the way from the root to every node."""
        paths: list[tuple[int, ...]] = [()]
        for node in range(1, self.n_nodes):
            parent = int(self.parent[node])
            paths.append((*paths[parent], node - int(self.first_child[parent])))
        return paths

    # -------------------------------------------------------------------- sums along the tree

    def down(self, conditional: Floats) -> Floats:
        """Sums from the root: (..., N, n) logs of conditionals become those of joints, in place."""
        for level in self.levels[2:]:
            conditional[..., level, :] += conditional[..., self.parent[level], :]
        return conditional

    def up(self, leaves: Floats) -> Floats:
        """Sums towards the root: (..., K, n) at the leaves gives (..., N, n) at all nodes."""
        *lead, _, n = leaves.shape
        out = empty((*lead, self.n_nodes, n))
        out[..., self.leaves, :] = leaves
        for above, below in zip(self.levels[-2::-1], self.levels[:0:-1], strict=True):
            inner = np.arange(self.n_nodes)[above]
            inner = inner[self.n_children[inner] > 0]
            counts, children = self.n_children[inner], out[..., below, :]
            if (counts == counts[0]).all():
                sums = children.reshape(*lead, inner.size, counts[0], n).sum(axis=-2)
            else:
                sums = np.add.reduceat(children, self.first_child[inner] - below.start, axis=-2)
            out[..., as_slice(inner), :] = sums
        return out


def as_slice(index: Ints) -> slice | Ints:
    """A slice instead of consecutive indices: views are cheaper than copies."""
    if index.size and (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)
    return index


@lru_cache(maxsize=256)
def tree_shape(nested: Nested) -> TreeShape:
    """The arrays that describe nested tuples."""
    queue, parent, depth = [nested], [-1], [0]
    first, count = [], []
    for node, item in enumerate(queue):  # grows while it is walked: breadth first
        first.append(len(queue))
        count.append(0 if item == 1 else len(item))
        if item == 1:
            continue
        queue.extend(item)
        parent.extend([node] * len(item))
        depth.extend([depth[node] + 1] * len(item))
    parents, firsts, counts = np.array(parent), np.array(first), np.array(count)
    levels = np.searchsorted(depth, np.arange(depth[-1] + 2))
    inner = np.flatnonzero(counts)
    rows = np.zeros(len(queue), dtype=np.intp)
    rows[inner] = np.cumsum(counts[inner] - 1) - (counts[inner] - 1)
    return TreeShape(
        nested,
        parents,
        firsts,
        counts,
        tuple(slice(int(a), int(b)) for a, b in pairwise(levels)),
        as_slice(_depth_first_leaves(firsts, counts)),
        inner,
        rows,
        _families(inner, firsts, counts, rows),
    )


def _depth_first_leaves(first: Ints, count: Ints) -> Ints:
    """Node numbers of the leaves from left to right."""
    leaves, stack = [], [0]
    while stack:
        node = stack.pop()
        if count[node]:
            stack.extend(range(first[node] + count[node] - 1, first[node] - 1, -1))
        else:
            leaves.append(node)
    return np.array(leaves)


def _families(inner: Ints, first: Ints, count: Ints, rows: Ints) -> tuple[Family, ...]:
    """Nodes with children, by their number of children."""
    families = []
    for size in np.unique(count[inner]):
        nodes = inner[count[inner] == size]
        children = (first[nodes][:, None] + np.arange(size)).ravel()
        mine = (rows[nodes][:, None] + np.arange(size - 1)).ravel()
        families.append(Family(int(size), nodes, as_slice(children), as_slice(mine)))
    return tuple(families)


# ------------------------------------------------------------------------- siblings together


def below_root(family: Family) -> slice | Ints:
    """Rows of the children of a family among all nodes but the root."""
    children = family.children
    if isinstance(children, slice):
        return slice(children.start - 1, children.stop - 1)
    return children - 1


def sibling_rows(values: Floats, index: slice | Ints, family: Family) -> Floats:
    """Rows (..., N, n) of the children of a family as (..., m, C, n)."""
    *lead, _, n = values.shape
    return values[..., index, :].reshape(*lead, family.nodes.size, family.size, n)


def node_residual(shape: TreeShape, g: Floats, S: Floats) -> tuple[Floats, Floats]:
    """``S_c - S_j g_c|j`` of all nodes but the root (..., N - 1, n), and the masses ``S_j``."""
    mass, (*lead, _, n) = shape.up(S), S.shape
    out = empty((*lead, shape.n_nodes - 1, n))
    np.multiply(mass[..., shape.parent[1:], :], g[..., 1:, :], out=out)
    return np.subtract(mass[..., 1:, :], out, out=out), mass


def free_rows(shape: TreeShape, rows: Floats) -> Floats:
    """Rows (N - 1, ...) of all nodes but the root to the K - 1 rows that have coefficients."""
    out = np.empty((shape.n_leaves - 1, *rows.shape[1:]))
    for family in shape.families:
        mine = sibling_rows(rows, below_root(family), family)[:, :-1]
        out[family.rows] = mine.reshape(-1, *rows.shape[1:])
    return out


# ------------------------------------------------------------------------- curvature and steps


def family_rule(family: Family, q: int) -> str:
    """Which curvature the steps of a family use; as for the softmax gate."""
    m = family.size - 1
    if m < MANY:
        return "newton" if m * q <= GATE_LIMIT else "bound"
    return "block" if q <= WIDE else "bound"


def curvature_of(family: Family, rule: str, P: Floats, mass: Floats) -> Floats:
    """Row weights of the Grams of a family, node by node.

    ``P`` is (m, C, n), ``mass`` (m, n); of several starts, which take Newton's steps, both have a
    leading axis.
    """
    if rule == "bound":
        return mass
    if rule == "block":
        return (P * (1.0 - P) * mass[:, None]).reshape(-1, mass.shape[1])
    *lead, n = mass.shape
    rows = curvatures(P.reshape(-1, *P.shape[-2:]), mass.reshape(-1, n))
    return rows.reshape(*lead[:-1], -1, n)


def family_grams(shape: TreeShape, gram: Floats, q: int) -> Iterator[tuple[Family, str, Floats]]:
    """The rule and the packed Grams of each family, (..., m, rows a node, q (q + 1) / 2)."""
    stop = 0
    for family in shape.families:
        rule, size, m = family_rule(family, q), family.size, family.nodes.size
        each = {"newton": size * (size - 1) // 2, "block": size, "bound": 1}[rule]
        start, stop = stop, stop + each * m
        yield family, rule, gram[..., start:stop, :].reshape(*gram.shape[:-2], m, each, -1)


def steps_of(rule: str, coef: Floats, gram: Floats, score: Floats, pull: float) -> Floats:
    """Steps of m nodes: coefficients (..., m, C - 1, q), packed Grams, scores (..., m, C, q)."""
    if rule == "newton":
        return newton_step(coef, gram, score, pull)
    step = block_step if rule == "block" else bohning_step
    return np.stack([step(c, g, s, pull) for c, g, s in zip(coef, gram, score, strict=True)])
