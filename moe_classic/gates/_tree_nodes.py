"""The shape of a tree of gates: who is whose child, in arrays that whole levels work through.

Nodes are numbered breadth first, so that the children of a node, and the nodes of a level, follow
each other. Leaves are numbered depth first, as they are written. A node with C children owns C - 1
rows of coefficients (relative to its last child); a tree with K leaves has K - 1 rows in all,
whatever its shape.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from moe_classic._typing import Floats, Ints

#: A leaf is 1, a node the tuple of its children.
Nested = Any

#: Most leaves that a branching may ask for; beyond, it is surely a slip.
MOST_LEAVES = 1 << 14


# ------------------------------------------------------------------------- reading a branching


def parse_branching(branching: Any, owner: str) -> Nested:
    """Nested tuples of children from what a user wrote.

    Parameters
    ----------
    branching : sequence of int, or nested sequences
        Integers alone are the number of children on each level of a balanced tree. With sequences
        among them the items are the children of one node: a sequence is the branching of that
        child, an integer m > 1 a node over m leaves, 1 a leaf.
    owner : name of the component, for messages.

    Raises
    ------
    TypeError, ValueError
        If it is not a sequence, is empty, gives a node a single child or has too many leaves.
    """
    items = _items(branching, owner)
    if all(_is_integer(item) for item in items):
        return _levels([int(item) for item in items], branching, owner)
    if len(items) == 1:
        raise ValueError(
            f"{owner}: branching has the node {branching!r} with a single child; a gate chooses "
            "between two or more."
        )
    nested = tuple(_child(item, owner) for item in items)
    _check_leaves(count_leaves(nested), branching, owner)
    return nested


def _items(branching: Any, owner: str) -> list[Any]:
    """The items of a sequence that is not empty."""
    if isinstance(branching, np.ndarray):
        branching = branching.tolist()
    if not isinstance(branching, (list, tuple)):
        raise TypeError(
            f"{owner}: branching={branching!r} must be a sequence: the number of children on each "
            "level, such as (2, 2, 2), or nested lists for an unbalanced tree, such as [[2, 2], 1]."
        )
    if len(branching) == 0:
        raise ValueError(
            f"{owner}: branching={branching!r} is empty; give at least one level, such as (2,)."
        )
    return list(branching)


def _is_integer(item: Any) -> bool:
    """Whether ``item`` is a whole number, not a truth value."""
    return isinstance(item, numbers.Integral) and not isinstance(item, (bool, np.bool_))


def _levels(counts: list[int], branching: Any, owner: str) -> Nested:
    """A balanced tree from the number of children on each level."""
    if min(counts) < 2:
        raise ValueError(
            f"{owner}: branching={branching!r} has a level with {min(counts)} children; a gate "
            "chooses between two or more. A node with a leaf beside a subtree is written with "
            "nested lists, such as [[2], 1]."
        )
    leaves = 1
    for count in counts:
        leaves *= count
        _check_leaves(leaves, branching, owner)
    nested: Nested = 1
    for count in reversed(counts):
        nested = (nested,) * count
    return nested


def _child(item: Any, owner: str) -> Nested:
    """One child of a node: a leaf, a node over leaves, or a subtree."""
    if not _is_integer(item):
        return parse_branching(item, owner)
    if item < 1:
        raise ValueError(
            f"{owner}: branching has the child {item!r}; a child is 1 (a leaf), a number of "
            "leaves, or a list of children."
        )
    _check_leaves(int(item), item, owner)
    return 1 if item == 1 else (1,) * int(item)


def _check_leaves(leaves: int, branching: Any, owner: str) -> None:
    """Raise if a tree is absurdly large."""
    if leaves > MOST_LEAVES:
        raise ValueError(
            f"{owner}: branching={branching!r} has more than {MOST_LEAVES} leaves; use fewer or "
            "smaller levels."
        )


def count_leaves(nested: Nested) -> int:
    """Number of leaves of nested tuples."""
    return 1 if nested == 1 else sum(count_leaves(child) for child in nested)


def write_branching(nested: Nested) -> Any:
    """What a user would write for nested tuples; inverse of :func:`parse_branching`.

    A balanced tree becomes the tuple of its levels, any other nested lists; a lone leaf ``()``.
    """
    counts: list[int] = []
    level = nested
    while level != 1:
        if any(child != level[0] for child in level):
            return [1 if child == 1 else list(write_branching(child)) for child in nested]
        counts.append(len(level))
        level = level[0]
    return tuple(counts)


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
        """Sums from the root: (N, n) logs of conditionals become logs of joints, in place."""
        for level in self.levels[2:]:
            conditional[level] += conditional[self.parent[level]]
        return conditional

    def up(self, leaves: Floats) -> Floats:
        """Sums towards the root: (K, n) at the leaves gives (N, n) at all nodes."""
        out = np.empty((self.n_nodes, leaves.shape[1]))
        out[self.leaves] = leaves
        for above, below in zip(self.levels[-2::-1], self.levels[:0:-1], strict=True):
            inner = np.arange(self.n_nodes)[above]
            inner = inner[self.n_children[inner] > 0]
            counts, children = self.n_children[inner], out[below]
            if (counts == counts[0]).all():
                sums = children.reshape(inner.size, counts[0], -1).sum(axis=1)
            else:
                sums = np.add.reduceat(children, self.first_child[inner] - below.start, axis=0)
            out[as_slice(inner)] = sums
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
        tuple(slice(int(a), int(b)) for a, b in zip(levels[:-1], levels[1:], strict=True)),
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
