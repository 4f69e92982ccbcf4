"""What growth may do, what it goes through, and what it ends with."""

from __future__ import annotations

from dataclasses import dataclass

from moe_classic._model import Model, MoEParams

from .branch import Branch


@dataclass(frozen=True)
class Growth:
    """How far a tree may grow.

    Attributes
    ----------
    max_leaves : int
    max_depth : int or None
    criterion : {"bic", "held_out"}
    validation_fraction : float
        Part of the rows that is held out.
    """

    max_leaves: int = 32
    max_depth: int | None = None
    criterion: str = "bic"
    validation_fraction: float = 0.2


@dataclass(frozen=True)
class GrowthStep:
    """One line of the history of a tree.

    Attributes
    ----------
    action : {"split", "prune"}
    leaves : int
    depth : int
    log_likelihood : penalised log-likelihood of the rows that the tree was grown on
    score : what decides; higher is better
    """

    action: str
    leaves: int
    depth: int
    log_likelihood: float
    score: float


@dataclass(frozen=True)
class Stage:
    """A tree as it is at some time, with its objective on the rows that it is grown on."""

    model: Model
    params: MoEParams
    objective: float


@dataclass(frozen=True)
class Grown:
    """The tree that growth ended with, and how it came about."""

    model: Model
    params: MoEParams
    history: list[GrowthStep]


@dataclass(frozen=True)
class Proposal:
    """A branch in the place of a node, with what it gains and what it costs."""

    node: int
    branch: Branch
    net: float
