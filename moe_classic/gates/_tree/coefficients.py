"""Coefficients of the gates of a tree, by node; those of several trees have a leading axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moe_classic._components import normalise
from moe_classic._data import Design
from moe_classic._numerics import empty
from moe_classic._typing import Floats, Ints

from .nodes import Family, TreeShape


@dataclass(frozen=True)
class TreeParams:
    """Coefficients (K - 1, q): C - 1 rows for a node with C children, nodes breadth first."""

    coef: Floats
    shape: TreeShape


def conditionals(params: TreeParams, design: Design) -> tuple[Floats, Floats]:
    """Log probabilities and probabilities of all nodes given their parents, both (..., N, n)."""
    shape, lead, n = params.shape, params.coef.shape[:-2], design.Z.shape[1]
    eta = design.linear(params.coef)
    log_g, g = (empty((*lead, shape.n_nodes, n)) for _ in range(2))
    log_g[..., 0, :], g[..., 0, :] = 0.0, 1.0
    for family in shape.families:
        m, size = family.nodes.size, family.size
        logits = empty((*lead, m, size, n))
        logits[..., :-1, :] = eta[..., family.rows, :].reshape(*lead, m, size - 1, n)
        logits[..., -1, :] = 0.0
        p = normalise(logits)
        log_g[..., family.children, :] = logits.reshape(*lead, -1, n)
        g[..., family.children, :] = p.reshape(*lead, -1, n)
    return log_g, g


def rows_of(params: TreeParams, family: Family) -> Floats:
    """Coefficients of the nodes of a family, (..., m, C - 1, q)."""
    *lead, _, q = params.coef.shape
    return params.coef[..., family.rows, :].reshape(*lead, -1, family.size - 1, q)


def full_rows(params: TreeParams, node: int, children: list[int]) -> Floats:
    """Coefficients of some children of ``node``, the reference's zeros included, (len, q)."""
    shape = params.shape
    start, m = shape.first_row[node], shape.n_children[node] - 1
    full = np.vstack([params.coef[start : start + m], np.zeros(params.coef.shape[1])])
    return full[np.array(children) - shape.first_child[node]]


def reordered(params: TreeParams, order: Ints) -> TreeParams:
    """Coefficients for experts in a new order that swaps whole branches of the same shape.

    Raises
    ------
    ValueError
        If the order tears a branch apart.
    """
    shape = params.shape
    below = shape.leaf_ranges()
    old_node = {frozenset(leaves): node for node, leaves in enumerate(below)}
    coef = np.empty_like(params.coef)
    for j in shape.inner:
        sets = [frozenset(order[below[c].start : below[c].stop]) for c in shape.children_of(j)]
        old = [old_node.get(s, -1) for s in sets]
        parents = {int(shape.parent[c]) if c >= 0 else -1 for c in old}
        if -1 in parents or len(parents) > 1:
            raise ValueError(
                f"TreeGate: the order {order.tolist()} tears a branch apart; in a tree only "
                "whole branches of the same shape can change places."
            )
        full = full_rows(params, parents.pop(), old)
        start = shape.first_row[j]
        coef[start : start + len(old) - 1] = full[:-1] - full[-1]
    return TreeParams(coef, shape)
