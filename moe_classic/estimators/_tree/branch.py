"""A fitted tree taken apart into branches, so that branches can be grown, cut and replaced.

Parameters live in arrays over all nodes; surgery is easier on nested records. Both directions are
exact: ``assemble(take_apart(model, params)) == params``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from moe_classic._data import Summary
from moe_classic._model import Model, MoEParams
from moe_classic._typing import Floats
from moe_classic.gates import (
    Gate,
    Nested,
    TreeGate,
    TreeParams,
    count_leaves,
    tree_shape,
    write_branching,
)


@dataclass(frozen=True, eq=False)
class Branch:
    """A node and everything below it.

    Attributes
    ----------
    coef : ndarray of shape (C - 1, q), or None
        Gate over the children; None at a leaf.
    children : tuple of Branch
    expert : parameter record of one expert, or None
        None at a node with children.
    """

    coef: Floats | None = None
    children: tuple[Branch, ...] = ()
    expert: Any = None

    @property
    def nested(self) -> Nested:
        """Its shape as nested tuples."""
        return tuple(child.nested for child in self.children) if self.children else 1

    @property
    def leaves(self) -> list[Branch]:
        """Leaves from left to right."""
        if not self.children:
            return [self]
        return [leaf for child in self.children for leaf in child.leaves]

    def breadth_first(self) -> Iterator[Branch]:
        """Itself, its children, their children and so on."""
        queue = [self]
        for node in queue:  # grows while it is walked
            queue.extend(node.children)
            yield node

    def replaced(self, changes: dict[int, Branch]) -> Branch:
        """The same tree with other branches in the place of some nodes, numbered breadth first."""
        numbers = {id(node): i for i, node in enumerate(self.breadth_first())}

        def rebuild(node: Branch) -> Branch:
            change = changes.get(numbers[id(node)])
            if change is not None:
                return change
            return replace(node, children=tuple(rebuild(child) for child in node.children))

        return rebuild(self)


# ------------------------------------------------------------------------- one expert of many


@dataclass(frozen=True)
class Shared:
    """What all experts of a group have in common: names of fields, and columns of ``coef``."""

    fields: frozenset[str]
    slopes: tuple[int, ...]

    @classmethod
    def of(cls, expert: Any, width: int, summary: Summary) -> Shared:
        """That of a group of linear experts."""
        pair = expert.start(2, width, summary)
        names = {f.name for f in fields(pair) if len(getattr(pair, f.name)) == 1}
        return cls(frozenset(names), expert.common(pair.coef))

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.fields or self.slopes)


def stack_experts(parts: list[Any], shared: Shared) -> Any:
    """One record for experts that were fitted apart; what they share is averaged."""
    changes = {}
    for f in fields(parts[0]):
        values = [getattr(part, f.name) for part in parts]
        together = np.mean(values, axis=0) if f.name in shared.fields else np.concatenate(values)
        changes[f.name] = together
    if shared.slopes:
        coef, columns = changes["coef"], list(shared.slopes)
        coef[..., columns] = coef[..., columns].mean(axis=0)
    return replace(parts[0], **changes)


def adopt(branch: Branch, expert: Any, shared: Shared) -> Branch:
    """The branch with the shared parameters of a tree that it is to become part of."""
    if not shared:
        return branch
    if branch.expert is not None:
        common = {name: getattr(expert, name) for name in shared.fields}
        coef, columns = np.array(branch.expert.coef), list(shared.slopes)
        coef[..., columns] = expert.coef[..., columns]
        return replace(branch, expert=replace(branch.expert, coef=coef, **common))
    return replace(branch, children=tuple(adopt(c, expert, shared) for c in branch.children))


def copies(expert: Any, count: int, width: int) -> Branch:
    """A node over equal leaves, each as likely as the others: it changes no density."""
    leaves = tuple(Branch(expert=expert) for _ in range(count))
    return Branch(np.zeros((count - 1, width)), leaves)


# ------------------------------------------------------------------------- whole trees


def take_apart(model: Model, params: MoEParams) -> Branch:
    """Nested branches from the parameters of a tree over one group of experts."""
    gate: TreeParams = params.gate
    shape = gate.shape
    expert_of = {int(leaf): k for k, leaf in enumerate(shape.leaf_numbers)}

    def build(node: int) -> Branch:
        if node in expert_of:
            return Branch(expert=model.take(params, expert_of[node]))
        start = int(shape.first_row[node])
        rows = gate.coef[start : start + int(shape.n_children[node]) - 1]
        return Branch(rows, tuple(build(child) for child in shape.children_of(node)))

    return build(0)


def assemble(tree: Branch, width: int, shared: Shared) -> MoEParams:
    """Parameters of a whole tree; ``width`` is that of the gate's design."""
    rows = [node.coef for node in tree.breadth_first() if node.coef is not None]
    coef = np.concatenate(rows) if rows else np.zeros((0, width))
    gate = TreeParams(coef, tree_shape(tree.nested))
    return MoEParams(gate, (stack_experts([leaf.expert for leaf in tree.leaves], shared),))


def tree_model(model: Model, nested: Nested) -> Model:
    """The same components in a tree of another shape."""
    count = count_leaves(nested)
    gate = TreeGate(write_branching(nested), node=node_of(model.gate))
    return replace(model, gate=gate, groups=(replace(model.groups[0], count=count),))


def node_of(gate: Gate) -> Any:
    """The gate at every node of a tree gate."""
    return gate.node if isinstance(gate, TreeGate) else gate
