"""Sparse prediction: each row consults only the experts that its gate ranks highest.

An expert is evaluated on the rows that are routed to it and on no others, so that the cost of a
prediction is that of ``top_k`` experts a row, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from moe_classic._blocks import Block, Design
from moe_classic._model import Model, MoEParams
from moe_classic._typing import Bools, Floats, Ints

from ._resolve import check_integer

#: Predictions (d, m) of expert k at some rows: (k, rows (m,)) -> (d, m).
Evaluate = Callable[[int, Ints], Floats]


def check_top_k(top_k: Any, n_experts: int) -> int:
    """``top_k`` as a number of experts; None means all."""
    if top_k is None:
        return n_experts
    k = check_integer("top_k", top_k, 1, "how many experts a row consults, or None for all")
    if k > n_experts:
        raise ValueError(f"top_k={k} is more than the {n_experts} experts; use None for all.")
    return k


def top_k_weights(weights: Floats, top_k: int, *, normalise: bool = True) -> tuple[Floats, Bools]:
    """Keep the ``top_k`` largest weights of each row; of equal ones the first.

    Parameters
    ----------
    weights : ndarray of shape (K, n)
    top_k : int
    normalise : bool
        Whether the weights kept are divided by their sum. Not where weights may be negative.

    Returns
    -------
    kept : ndarray of shape (K, n)
        Zero for experts that are not consulted.
    consulted : ndarray of bool of shape (K, n)
    """
    if top_k >= len(weights):
        return weights, np.ones(weights.shape, dtype=bool)
    rank = np.argsort(-weights, axis=0, kind="stable")[:top_k]
    consulted = np.zeros(weights.shape, dtype=bool)
    np.put_along_axis(consulted, rank, True, axis=0)  # noqa: FBT003
    kept = np.where(consulted, weights, 0.0)
    return (kept / kept.sum(axis=0) if normalise else kept), consulted


def routed_blend(weights: Floats, consulted: Bools, evaluate: Evaluate, width: int) -> Floats:
    """``sum_k p_k o_k`` over the experts that each row consults.

    Parameters
    ----------
    weights : ndarray of shape (K, n)
    consulted : ndarray of bool of shape (K, n)
    evaluate : callable
        ``evaluate(k, rows)`` gives the predictions (d, m) of expert k at m rows.
    width : int
        Number of outputs d.

    Returns
    -------
    blend : ndarray of shape (d, n)
    """
    out = np.zeros((width, weights.shape[1]))
    for k, chosen in enumerate(consulted):
        rows = np.flatnonzero(chosen)
        if rows.size:
            out[:, rows] += weights[k, rows] * evaluate(k, rows)
    return out


class TopExperts:
    """What the likeliest experts of each row of a block say: a mixture of ``top_k`` experts a row.

    Parameters
    ----------
    model : Model
    params : MoEParams
        On the scale on which answers are wanted.
    block : Block
        Its target is not looked at.
    top_k : int
    """

    def __init__(self, model: Model, params: MoEParams, block: Block, top_k: int) -> None:
        self.block, self.n_rows = block, block.w.size
        gate = np.exp(model.log_gate(params, block))
        self.weights, self.consulted = top_k_weights(gate, top_k)
        groups = zip(model.groups, params.experts, strict=True)
        self.owners = [(g, p, j) for g, p in groups for j in range(g.count)]

    def _ask(self, quantity: str) -> Iterator[tuple[Ints, Floats, Floats]]:
        """Rows (m,), weights (m,) and answers (d or C, m) of every expert that is consulted."""
        for k, (group, params, j) in enumerate(self.owners):
            rows = np.flatnonzero(self.consulted[k])
            if rows.size:
                one = group.expert.reorder(params, np.array([j]))
                design = Design(self.block.designs[group.design].Z[:, rows])
                yield rows, self.weights[k, rows], getattr(group.expert, quantity)(one, design)[0]

    def _summed(self, parts: Iterable[tuple[Ints, Floats, Floats]]) -> Floats:
        """``sum_k p_k o_k``, (d or C, n)."""
        out = np.empty(0)
        for rows, p, answers in parts:
            out = out if out.size else np.zeros((len(answers), self.n_rows))
            out[:, rows] += p * answers
        return out

    def proba(self) -> Floats:
        """Class probabilities, (C, n)."""
        return self._summed(self._ask("mean"))

    def mean(self) -> Floats:
        """Blended locations, (d, n)."""
        return self._summed(self.locations)

    @cached_property
    def locations(self) -> list[tuple[Ints, Floats, Floats]]:
        """Answers of the experts, each asked once: mean and variance both need them."""
        return list(self._ask("location"))

    def variance(self) -> Floats:
        """Variances, (d, n): within experts plus between experts."""
        mean = self.mean()
        between = ((rows, p, np.square(at - mean[:, rows])) for rows, p, at in self.locations)
        return self._summed(self._ask("variance")) + self._summed(between)
