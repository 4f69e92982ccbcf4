"""Experts choose rows: perfect balance, and rows of any number of experts.

::

    p = softmax(h W + b),   expert e takes its C = ceil(capacity n / E) rows of largest p_e
    prediction: e takes a row if p_e >= threshold_e

Zhou et al. (2022), Mixture-of-experts with expert choice routing, NeurIPS.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np

from moe_classic._typing import Ints

from ._base import Array, Params, Router, Rows, State, check_capacity, pull_softmax
from ._plans import Pairs, Plan
from ._select import capacity_rows, softmax


class ExpertChoiceRouter(Router):
    """Each expert takes its best rows of the batch, as many as it has room for.

    ::

        p = softmax(h W + b),   expert e takes its C = ceil(capacity n / E) rows of largest p_e

    In prediction a row has no batch to compete with: an expert takes it if its probability is at
    least the one that lay between taking and leaving among the training rows.

    Parameters
    ----------
    capacity : float or int, default=2.0
        Rows of an expert: float times n / E, int as given.
    features : None, list of column names or indices, or transformer, default=None
        What the router sees; None: the rows of its layer.

    References
    ----------
    Zhou et al. (2022), Mixture-of-experts with expert choice routing, NeurIPS.

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.routers import ExpertChoiceRouter
    >>> moe = SparseMoERegressor(8, router=ExpertChoiceRouter(capacity=2.0))
    """

    name: ClassVar[str] = "expert_choice"
    batchwise: ClassVar[bool] = True
    calibrated: ClassVar[tuple[str, ...]] = ("threshold",)

    def __init__(self, capacity: Any = 2.0, *, features: Any = None) -> None:
        self.capacity = capacity
        self.features = features

    def check(self, n_experts: int) -> None:
        """Raise unless there is a positive capacity."""
        if self.capacity is None:
            raise ValueError(
                "ExpertChoiceRouter: capacity=None, but experts choose as many rows as they have "
                "room for; give a number, such as 2.0."
            )
        check_capacity(self)

    def choices(self, n_experts: int) -> float:
        """As many as experts have room for."""
        if isinstance(self.capacity, (int, np.integer)):
            return float(n_experts)
        return float(min(self.capacity, n_experts))

    def _room(self, n: int, E: int) -> int:
        """Rows of each expert."""
        return min(n, capacity_rows(self.capacity, 1, n, E))

    def plan(self, params: Params, state: State, rows: Rows, rng: Any = None) -> Pairs:
        """The best rows of each expert; without ``rng`` those above its threshold."""
        X = self._seen(rows)
        P = softmax(self._logits(params, X))[0]
        if rows.group:
            taken = self._of_groups(P, rows.group)
        elif rng is not None or "threshold" not in state:
            taken = self._best(P.T, self._room(*P.shape))
        else:
            # One row a line already: pairs sorted by expert.
            found = np.nonzero((state["threshold"].astype(P.dtype) <= P).T)
            taken = found[0], found[1]
        experts, chosen = taken
        plan = _pairs(chosen, experts, P)
        if rng is not None:
            plan.memo = {"X": X, "P": P}
        return plan

    @staticmethod
    def _best(columns: Array, room: int) -> tuple[Ints, Ints]:
        """Experts and rows of the ``room`` largest entries of each line of (E, n)."""
        E = len(columns)
        order = np.argsort(-columns, axis=1, kind="stable")[:, :room]
        return np.repeat(np.arange(E), room), np.sort(order, axis=1).reshape(-1)

    def _of_groups(self, P: Array, T: int) -> tuple[Ints, Ints]:
        """The same within each group of T rows."""
        E = P.shape[1]
        cube = P.reshape(-1, T, E)
        room = self._room(T, E)
        order = np.argsort(-cube, axis=1, kind="stable")[:, :room]
        rows = order + np.arange(len(cube))[:, None, None] * T
        return np.repeat(np.arange(E), len(cube) * room), rows.transpose(2, 0, 1).reshape(-1)

    def pull(
        self, params: Params, plan: Plan, g_weights: Any, row_loss: Array | None
    ) -> tuple[Array | None, Params]:
        """Gradients in rows and map of logits; who was taken is a constant."""
        memo = plan.memo
        g_P = np.zeros_like(memo["P"])
        pairs = cast("Pairs", plan)
        g_P[pairs.rows, np.repeat(np.arange(len(pairs.load)), pairs.load)] = g_weights
        return self._pull_logits(params, memo["X"], pull_softmax(memo["P"], g_P))

    def calibrate(self, params: Params, state: State, rows: Rows) -> State:
        """Midpoints of the last probability taken and the first one left, over these rows."""
        if rows.group:
            return state
        P = softmax(self._logits(params, self._seen(rows)))[0]
        n, E = P.shape
        room = self._room(n, E)
        threshold = np.zeros(E)
        if room < n:
            # Not the last one taken itself: asked alone, rounding may put it below.
            top = -np.sort(-P.astype(np.float64), axis=0)[room - 1 : room + 1]
            threshold = top.mean(axis=0)
        return {**state, "threshold": threshold}


def _pairs(rows: Ints, experts: Ints, P: Array) -> Pairs:
    """Pairs from rows and experts in any order."""
    n, E = P.shape
    order = np.argsort(rows, kind="stable")
    rows, experts = rows[order], experts[order]
    plan = Pairs(rows, experts, P[rows, experts], n, E)
    plan.uncovered = float(1.0 - np.unique(rows).size / n)
    return plan
