"""What is asked of a splitter, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from moe_classic._model import MoEParams
from moe_classic._typing import Floats
from moe_classic.gates import Nested

from .branch import Branch

#: Where a local fit began, where it ended, and how high.
Trial = tuple[MoEParams, MoEParams, float]
#: A branch to be grown: its shape, weights of the rows at its node, partitions, random numbers.
Growing = tuple[Nested, Floats, tuple[str, ...], np.random.Generator]


@dataclass(frozen=True)
class Ask:
    """A node that is to be split.

    Attributes
    ----------
    h : ndarray of shape (n,)
        Weights of the rows at the node.
    count : int
        Number of children C.
    names : tuple of str
        Partitions that are tried.
    rng : Generator
    rank : callable or None
        Says which local fit is best; None takes the likeliest.
    """

    h: Floats
    count: int
    names: tuple[str, ...]
    rng: np.random.Generator
    rank: Callable[[Branch], float] | None = None


@dataclass(frozen=True)
class Split:
    """A node with C new leaves.

    Attributes
    ----------
    branch : Branch
    posterior : ndarray of shape (C, n)
        Weights of the rows at the leaves, summing to those at the node.
    """

    branch: Branch
    posterior: Floats
