"""Shares of the rows for hard mixtures: random and balanced, greedy, or best under a capacity."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize

from moe_classic._numerics import log_sum_exp
from moe_classic._typing import Floats, Ints

#: Gains below this share of the weights' spread count as rounding.
_ROUNDING = 1e-12
#: Softness of the smoothed dual problem, in standard deviations of the weights.
_SOFTNESS = 0.05


def capacity_of(capacity: Any, n_rows: int, n_experts: int) -> int:
    """Most rows an expert may have.

    Parameters
    ----------
    capacity : None, int or float
        None: one more than an even share, as in the paper. An integer counts rows, a float is a
        multiple of an even share.
    n_rows, n_experts : int

    Raises
    ------
    ValueError, TypeError
        If all experts together cannot hold all rows, or ``capacity`` is no number.
    """
    even = n_rows / n_experts
    if capacity is None:
        return int(np.ceil(even)) + 1
    if isinstance(capacity, (bool, np.bool_)) or not isinstance(
        capacity, (int, float, np.integer, np.floating)
    ):
        raise TypeError(
            f"capacity={capacity!r} must be None, an integer (rows) or a float (multiple of "
            "n_rows / n_experts)."
        )
    rows = capacity if isinstance(capacity, (int, np.integer)) else capacity * even
    if not rows * n_experts >= n_rows:
        raise ValueError(
            f"capacity={capacity!r} leaves room for {max(rows, 0) * n_experts:.0f} rows in "
            f"{n_experts} experts, and there are {n_rows}; use at least {int(np.ceil(even))} (or "
            "1.0)."
        )
    return int(min(np.ceil(rows), n_rows))


def random_partition(strata: Ints, n_experts: int, rng: np.random.Generator) -> Ints:
    """A random balanced partition, (n,), in which every stratum is spread evenly."""
    order = rng.permutation(strata.size)
    order = order[np.argsort(strata[order], kind="stable")]
    share = np.empty(strata.size, dtype=np.intp)
    share[order] = np.arange(strata.size) % n_experts
    return share


def greedy_assignment(weights: Floats, capacity: int, order: Ints) -> Ints:
    """Each row, in the order given, to the expert of highest weight that has room.

    Collobert, Bengio & Bengio (2002), step 4.

    Parameters
    ----------
    weights : ndarray of shape (K, n)
    capacity : int
    order : ndarray of int of shape (n,)

    Returns
    -------
    share : ndarray of int of shape (n,)
    """
    preference = np.argsort(-weights, axis=0, kind="stable").T.tolist()
    left = [capacity] * len(weights)
    share = np.empty(weights.shape[1], dtype=np.intp)
    for row in order.tolist():
        for k in preference[row]:
            if left[k]:
                left[k] -= 1
                share[row] = k
                break
    return share


def balanced_assignment(weights: Floats, capacity: int) -> Ints:
    """The assignment of largest total weight under which no expert has more than its room.

    A greedy assignment under the prices of the smoothed dual problem is improved by moving rows
    around cycles of experts until no cycle gains: the condition of optimality for flows of least
    cost (Klein 1967). Only the best row for each pair of experts matters, so that cycles are
    looked for among K + 1 nodes, the last of which stands for the room that is left.

    Parameters
    ----------
    weights : ndarray of shape (K, n)
    capacity : int

    Returns
    -------
    share : ndarray of int of shape (n,)
    """
    K, n = weights.shape
    if K == 1:
        return np.zeros(n, dtype=np.intp)
    priced = weights - _prices(weights, capacity)[:, None]
    top = np.sort(priced, axis=0)[-2:]
    share = greedy_assignment(priced, capacity, np.argsort(top[0] - top[1], kind="stable"))
    slack = _ROUNDING * max(float(np.ptp(weights)), np.finfo(float).tiny)
    gain, row = np.full((K + 1, K + 1), -np.inf), np.zeros((K, K), dtype=np.intp)
    changed = set(range(K))
    while True:
        for i in changed:
            _best_moves(weights, share, i, gain, row)
        load = np.bincount(share, minlength=K)
        gain[:K, K] = np.where(load < capacity, 0.0, -np.inf)
        gain[K, :K] = np.where(load > 0, 0.0, -np.inf)
        cycle = _gaining_cycle(gain, slack)
        if cycle is None:
            return share
        steps = zip(cycle, [*cycle[1:], cycle[0]], strict=True)
        moves = [(i, j) for i, j in steps if K not in (i, j)]
        for i, j in moves:
            share[row[i, j]] = j
        changed = {k for move in moves for k in move}


def _prices(weights: Floats, capacity: int) -> Floats:
    """Prices of the experts' room, (K,), from the dual problem with the maximum softened."""
    soft = _SOFTNESS * float(weights.std())
    if soft == 0.0:
        return np.zeros(len(weights))

    def dual(price: Floats) -> tuple[float, Floats]:
        a = (weights - price[:, None]) / soft
        lse = log_sum_exp(a)
        load = np.exp(a - lse).sum(axis=1)
        return soft * float(lse.sum()) + capacity * float(price.sum()), capacity - load

    bounds = [(0.0, None)] * len(weights)
    return minimize(dual, np.zeros(len(weights)), jac=True, method="L-BFGS-B", bounds=bounds).x


def _best_moves(weights: Floats, share: Ints, i: int, gain: Floats, row: Ints) -> None:
    """For each other expert, the row of expert ``i`` that gains most by going there."""
    K, mine = len(weights), np.flatnonzero(share == i)
    gain[i, :K] = -np.inf
    if mine.size:
        more = weights[:, mine] - weights[i, mine]
        best = more.argmax(axis=1)
        gain[i, :K], row[i] = more[np.arange(K), best], mine[best]
        gain[i, i] = -np.inf


def _gaining_cycle(gain: Floats, slack: float) -> list[int] | None:
    """Nodes of a cycle whose gains sum to more than rounding, or None (Bellman & Ford)."""
    size = len(gain)
    reach, before = np.zeros(size), np.full(size, -1)
    last = -1
    for _ in range(size):
        through = reach[:, None] + gain
        best = through.argmax(axis=0)
        new = through[best, np.arange(size)]
        better = new > reach + slack
        if not better.any():
            return None
        reach, before = np.where(better, new, reach), np.where(better, best, before)
        last = int(np.flatnonzero(better)[0])
    for _ in range(size):
        last = int(before[last])
    cycle, node = [last], int(before[last])
    while node != last:
        cycle.append(node)
        node = int(before[node])
    cycle.reverse()
    # Ties leave cycles that gain nothing but rounding; following them would never end.
    return cycle if sum(gain[cycle, np.roll(cycle, -1)]) > slack else None
