"""A balanced assignment of the rows of each batch (BASE layers).

::

    a = argmax sum_i s_{i, a_i}   with floor(n/E) or ceil(n/E) rows an expert,   w = sigmoid(s_a)

Lewis, Bhosale, Dettmers, Goyal & Zettlemoyer (2021), BASE layers: simplifying training of large,
sparse models, ICML.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np
from scipy.optimize import linear_sum_assignment

from moe_classic._routing import balanced_assignment
from moe_classic._typing import Ints

from ._base import Array, Params, Router, Rows, State
from ._plans import Pairs, Plan, make_pairs
from ._select import entries, sigmoid

#: Up to this many rows the general method for assignments is faster than that for few experts.
_SMALL = 512


class BalancedRouter(Router):
    """One expert a row, all experts with as many rows of a batch, of largest total score.

    ::

        a = argmax sum_i s_{i, a_i},   s = h W + b,   w = sigmoid(s_a)

    In prediction each row goes to its own best expert.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the router sees; None: the rows of its layer.

    References
    ----------
    Lewis et al. (2021), BASE layers, ICML.

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.routers import BalancedRouter
    >>> moe = SparseMoERegressor(8, router=BalancedRouter())
    """

    name: ClassVar[str] = "base"
    batchwise: ClassVar[bool] = True

    def __init__(self, *, features: Any = None) -> None:
        self.features = features

    @staticmethod
    def assign(scores: Array) -> Ints:
        """Experts (n,) of the balanced assignment of largest total score.

        Parameters
        ----------
        scores : ndarray of shape (n, E)

        Returns
        -------
        experts : ndarray of int of shape (n,)
            Every expert has floor(n / E) or ceil(n / E) rows.
        """
        return balanced(np.asarray(scores, dtype=np.float64))

    def plan(self, params: Params, state: State, rows: Rows, rng: Any = None) -> Pairs:
        """The balanced assignment; without ``rng`` the best expert of each row."""
        X = self._seen(rows)
        S = self._logits(params, X)
        chosen = (S.argmax(axis=1) if rng is None else self.assign(S))[:, None]
        weights = sigmoid(entries(S, chosen))
        plan = make_pairs(chosen, weights, None, S.shape[1])
        if rng is not None:
            plan.memo = {"X": X, "chosen": chosen, "weights": weights, "E": S.shape[1]}
        return plan

    def pull(
        self, params: Params, plan: Plan, g_weights: Any, row_loss: Array | None
    ) -> tuple[Array | None, Params]:
        """Gradients in rows and map of scores, by way of the weight."""
        memo = plan.memo
        a = memo["weights"]
        n = len(a)
        g_S = np.zeros((n, memo["E"]), dtype=a.dtype)
        g = cast("Pairs", plan).own(g_weights).reshape(n, 1)
        g_S[np.arange(n)[:, None], memo["chosen"]] = g * a * (1.0 - a)
        return self._pull_logits(params, memo["X"], g_S)


def balanced(scores: Array) -> Ints:
    """See :meth:`BalancedRouter.assign`."""
    n, E = scores.shape
    if n > _SMALL:
        share = balanced_assignment(np.ascontiguousarray(scores.T), -(-n // E))
        return _raise_to(scores, share, n // E)
    least, rest = divmod(n, E)
    place = np.repeat(np.arange(E), least + (rest > 0))
    table = scores[:, place]
    if rest:
        # Each expert has one place that a row need not take; stand-ins fill those left over.
        stand_in = np.full((E - rest, len(place)), -np.inf)
        stand_in[:, :: least + 1] = 0.0
        table = np.concatenate([table, stand_in])
    return place[linear_sum_assignment(table, maximize=True)[1][:n]]


def _raise_to(scores: Array, share: Ints, least: int) -> Ints:
    """Give every expert at least ``least`` rows, by chains of moves that cost least.

    Shortest augmenting paths: the result stays the best one under the bounds met so far.
    """
    E = scores.shape[1]
    while True:
        load = np.bincount(share, minlength=E)
        poor = int(load.argmin())
        if load[poor] >= least:
            return share
        cost, row = np.full((E, E), np.inf), np.zeros((E, E), dtype=np.intp)
        for i in np.flatnonzero(load).tolist():
            mine = np.flatnonzero(share == i)
            loss = scores[mine, i][:, None] - scores[mine]
            best = loss.argmin(axis=0)
            cost[i], row[i] = loss[best, np.arange(E)], mine[best]
        for i, j in _cheapest_chain(cost, np.flatnonzero(load > least), poor):
            share[row[i, j]] = j


def _cheapest_chain(cost: Array, sources: Ints, target: int) -> list[tuple[int, int]]:
    """Moves (from, to) of the cheapest path from any source to the target (Bellman & Ford)."""
    E = len(cost)
    reach, before = np.full(E, np.inf), np.full(E, -1)
    reach[sources] = 0.0
    for _ in range(E):
        through = reach[:, None] + cost
        best = through.argmin(axis=0)
        new = through[best, np.arange(E)]
        better = new < reach - 1e-12 * (1.0 + np.abs(new))
        if not better.any():
            break
        reach, before = np.where(better, new, reach), np.where(better, best, before)
    chain: list[tuple[int, int]] = []
    node = target
    while before[node] >= 0 and len(chain) < E:
        chain.append((int(before[node]), node))
        node = int(before[node])
    return chain
