"""Experts drawn at random and learned by reward: conditional computation by REINFORCE.

::

    e ~ p = softmax(h W + b),   gradient in the logits: (loss - baseline) / sd (onehot(e) - p)

Bengio, Bacon, Pineau & Precup (2015), Conditional computation in neural networks for faster
models. Williams (1992), Simple statistical gradient-following algorithms.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from moe_classic._arguments import check_range

from ._base import Array, Params, Router, Rows, State
from ._plans import Pairs, Plan, make_pairs
from ._select import softmax


class ReinforceRouter(Router):
    """One expert a row, drawn from a softmax that learns from the losses of the draws.

    ::

        e ~ p,   p = softmax(h W + b),   g = (loss - baseline) / sd (onehot(e) - p)

    Prediction takes the most probable expert.

    Parameters
    ----------
    entropy : float, default=0.01
        Reward for uncertain draws: coefficient of the mean entropy of p.
    balance : float, default=0.01
        Coefficient of ``E sum_e (mean p_e)^2``.
    memory : float, default=0.9
        How much of the baseline, and of the spread of losses, stays from batch to batch.
    features : None, list of column names or indices, or transformer, default=None
        What the router sees; None: the rows of its layer.

    References
    ----------
    Bengio et al. (2015), arXiv 1511.06297. Williams (1992), Machine Learning 8.

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.routers import ReinforceRouter
    >>> moe = SparseMoERegressor(8, router=ReinforceRouter())
    """

    name: ClassVar[str] = "reinforce"

    def __init__(
        self,
        *,
        entropy: float = 0.01,
        balance: float = 0.01,
        memory: float = 0.9,
        features: Any = None,
    ) -> None:
        self.entropy = entropy
        self.balance = balance
        self.memory = memory
        self.features = features

    def check(self, n_experts: int) -> None:
        """Raise unless the arguments make sense."""
        check_range(self, "memory", "share of the baseline that stays", high=1.0)
        for name in ("entropy", "balance"):
            self._check_coefficient(name, "0 leaves it out")

    def convex(self) -> bool:
        """One expert of weight 1."""
        return True

    def full(self) -> bool:
        """One expert of weight 1."""
        return True

    def state(self, n_experts: int) -> State:
        """Running mean and mean square of the losses, and what share of memory is filled."""
        return {"losses": np.zeros(3)}

    def plan(self, params: Params, state: State, rows: Rows, rng: Any = None) -> Pairs:
        """The most probable expert, or with ``rng`` one drawn."""
        X = self._seen(rows)
        P = softmax(self._logits(params, X))[0]
        n, E = P.shape
        if rng is None:
            chosen = P.argmax(axis=1)
        else:
            draw = np.asarray(rng.random(n)).astype(P.dtype)
            chosen = np.minimum((P.cumsum(axis=1) < draw[:, None]).sum(axis=1), E - 1)
        plan = make_pairs(chosen[:, None], np.ones((n, 1), dtype=P.dtype), None, E)
        if rng is not None:
            plan.memo = {"X": X, "P": P, "chosen": chosen, "w": rows.w, "losses": state["losses"]}
            self._add_losses(plan)
        return plan

    def _add_losses(self, plan: Pairs) -> None:
        """Entropy and balance of the probabilities."""
        P, w = plan.memo["P"], plan.memo["w"]
        mean = w @ P / w.sum()
        plan.losses["balance"] = float(self.balance * P.shape[1] * np.square(mean).sum())
        logs = np.log(np.maximum(P, np.finfo(P.dtype).tiny))
        plan.losses["entropy"] = float(self.entropy * (w @ (P * logs).sum(axis=1)) / w.sum())
        plan.memo |= {"mean": mean, "logs": logs}

    def _advantage(self, plan: Plan, row_loss: Array) -> Array:
        """How much worse than usual each draw was, in usual spreads, (n,)."""
        w, (first, second, filled) = plan.memo["w"], plan.memo["losses"]
        if filled == 0.0:
            first, second, filled = *_moments(row_loss, w), 1.0
        mean = first / filled
        sd = np.sqrt(max(second / filled - mean**2, 0.0))
        return (row_loss - mean) / max(sd, np.finfo(np.float32).tiny) if sd > 0.0 else 0 * row_loss

    def pull(
        self, params: Params, plan: Plan, g_weights: Any, row_loss: Array | None
    ) -> tuple[Array | None, Params]:
        """Gradients in rows and map of logits: an unbiased guess, and those of the losses."""
        memo = plan.memo
        P, w, chosen = memo["P"], memo["w"], memo["chosen"]
        share = (w / w.sum()).astype(P.dtype)[:, None]
        g_P = 2.0 * self.balance * P.shape[1] * memo["mean"] + self.entropy * (memo["logs"] + 1.0)
        g_S = P * (g_P - (g_P * P).sum(axis=1, keepdims=True))
        if row_loss is not None:
            gain = self._advantage(plan, row_loss).astype(P.dtype)
            g_S -= gain[:, None] * P
            g_S[np.arange(len(P)), chosen] += gain
            memo["batch"] = _moments(row_loss, w)
        return self._pull_logits(params, memo["X"], (g_S * share).astype(P.dtype))

    def settle(self, state: State, plan: Plan) -> State:
        """Move the baseline towards the losses of the batch."""
        if "batch" not in plan.memo:
            return state
        new = np.array([*plan.memo["batch"], 1.0])
        return {**state, "losses": self.memory * state["losses"] + (1.0 - self.memory) * new}


def _moments(row_loss: Array, w: Array) -> tuple[float, float]:
    """Weighted mean and mean square."""
    w = w.astype(np.float64) / w.sum()
    return float(w @ row_loss), float(w @ np.square(row_loss, dtype=np.float64))
