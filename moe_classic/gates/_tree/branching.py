"""What users write for the shape of a tree, and nested tuples, which the package works with."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

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
        child, an integer m > 1 a node over m leaves, 1 a leaf. The number 1 by itself is a lone
        leaf, which has no gate at all.
    owner : name of the component, for messages.

    Raises
    ------
    TypeError, ValueError
        If it is not a sequence, is empty, gives a node a single child or has too many leaves.
    """
    if _is_integer(branching) and branching == 1:
        return 1
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


def balanced(leaves: int) -> Nested:
    """A binary tree with this many leaves whose sides differ by one leaf at most, everywhere."""
    if leaves == 1:
        return 1
    right = leaves // 2
    return balanced(leaves - right), balanced(right)


def write_branching(nested: Nested) -> Any:
    """What a user would write for nested tuples; inverse of :func:`parse_branching`.

    A balanced tree becomes the tuple of its levels, any other nested lists, a lone leaf 1.
    """
    if nested == 1:
        return 1
    counts: list[int] = []
    level = nested
    while level != 1:
        if any(child != level[0] for child in level):
            return [1 if child == 1 else list(write_branching(child)) for child in nested]
        counts.append(len(level))
        level = level[0]
    return tuple(counts)
