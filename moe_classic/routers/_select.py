"""Which experts a row is sent to: softmax, largest entries, groups, places in a queue."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._typing import Anything, Bools, Ints

Array = np.ndarray

#: Up to this many choices, passes of argmax are faster than a sort.
_PASSES = 8


def softmax(
    S: Array, first: Ints | None = None, *, out: Array | None = None
) -> tuple[Array, Array]:
    """Softmax of the rows of ``S`` (n, E), and their log-sum-exp (n,); ``out`` may be ``S``.

    The largest entry is found by ``argmax``, unless its place ``first`` (n,) is known, and the sum
    by a product: for short rows numpy's ``max`` and ``sum`` along them take ten times as long.
    """
    top = S[np.arange(len(S)), S.argmax(axis=1) if first is None else first]
    P = np.subtract(S, top[:, None], out=out)
    np.exp(P, out=P)
    total = P @ np.ones(P.shape[1], dtype=P.dtype)
    P /= total[:, None]
    return P, top + np.log(total)


def sigmoid(S: Array) -> Array:
    """Logistic function, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * S))


def largest(scores: Array, k: int, first: Ints | None = None) -> Ints:
    """Columns of the ``k`` largest entries of each row, best first; of equal ones the lower.

    Parameters
    ----------
    scores : ndarray of shape (n, E)
        Entries that were found are hidden while others are looked for, and then put back: a copy
        would cost as much as the search.
    k : int
    first : ndarray of int of shape (n,), default=None
        Places of the largest entries, where they are known.

    Returns
    -------
    chosen : ndarray of int of shape (n, k)
    """
    n, E = scores.shape
    if k > _PASSES or k == E:
        return np.argsort(-scores, axis=1, kind="stable")[:, :k]
    chosen = np.empty((n, k), dtype=np.intp)
    chosen[:, 0] = scores.argmax(axis=1) if first is None else first
    if k == 1:
        return chosen
    flat, start, hidden = np.ascontiguousarray(scores).reshape(-1), np.arange(n) * E, []
    for j in range(1, k):
        place = start + chosen[:, j - 1]
        hidden.append((place, flat[place]))
        flat[place] = -np.inf
        chosen[:, j] = flat.reshape(n, E).argmax(axis=1)
    for place, values in hidden:
        flat[place] = values
    return chosen


def entries(A: Array, chosen: Ints) -> Array:
    """``A[i, chosen[i, j]]``, (n, k)."""
    n, E = A.shape
    return A.reshape(-1)[(np.arange(n) * E)[:, None] + chosen]


def keep_groups(scores: Array, n_groups: int, top_groups: int, best: int) -> Array:
    """Scores with all but the best groups of experts set to minus infinity.

    A group counts by the sum of its ``best`` largest scores. Setting the others to zero instead
    would let them win against negative scores.
    """
    n, E = scores.shape
    groups = scores.reshape(n, n_groups, E // n_groups)
    value = np.sort(groups, axis=2)[:, :, -best:].sum(axis=2)
    kept = np.zeros((n, n_groups), dtype=bool)
    kept[np.arange(n)[:, None], largest(value, top_groups)] = True
    return np.where(kept[:, :, None], groups, -np.inf).reshape(n, E)


def sort_key(experts: Ints, n_experts: int) -> Anything:
    """Numbers of experts in the smallest type that holds them: sorted by counting."""
    return experts.astype(np.uint8 if n_experts <= 256 else np.uint16)


def capacity_rows(capacity: Any, k: int, n: int, n_experts: int) -> int:
    """Rows that an expert may take: an int as it is, a float times an even share, rounded up."""
    if isinstance(capacity, (int, np.integer)):
        return int(capacity)
    # 1.1 * 10 is 11.000000000000002: rounding must not make room for one more.
    return int(np.ceil(round(capacity * k * n / n_experts, 9)))


def within_capacity(
    chosen: Ints, wanted: Bools, capacity: int, n_experts: int, first: Array | None = None
) -> Bools:
    """Which pairs find room: first choices queue before second ones, and so on.

    Parameters
    ----------
    chosen : ndarray of int of shape (n, k)
        Experts of each row, best first.
    wanted : ndarray of bool of shape (n, k)
        Pairs that queue at all.
    capacity : int
        Places of each expert.
    n_experts : int
    first : ndarray of shape (n,), default=None
        Rows with larger values come first among those of the same choice; None: in their order.

    Returns
    -------
    kept : ndarray of bool of shape (n, k)
    """
    n, k = chosen.shape
    row = np.arange(n) if first is None else np.argsort(-first, kind="stable")
    queue = (row[None, :] * k + np.arange(k)[:, None]).reshape(-1)
    queue = queue[wanted.reshape(-1)[queue]]
    experts = chosen.reshape(-1)[queue]
    order = np.argsort(sort_key(experts, n_experts), kind="stable")
    counts = np.bincount(experts, minlength=n_experts)
    place = np.arange(order.size) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = np.zeros(n * k, dtype=bool)
    kept[queue[order[place < capacity]]] = True
    return kept.reshape(n, k)
