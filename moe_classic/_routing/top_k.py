"""Sparse prediction: each row consults only the experts that its gate ranks highest.

An expert is evaluated on the rows that are routed to it and on no others, so that the cost of a
prediction is that of ``top_k`` experts a row, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from moe_classic._arguments import check_integer
from moe_classic._typing import Bools, Floats, Ints

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
