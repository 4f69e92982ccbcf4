"""A shared expert or the routed ones: conditional routing of NLLB.

::

    s = sigmoid(h v + c),   y = (1 - s) f_shared(h) + s sum_e g_e f_e(h),   g: top k, normalised

NLLB team (2022), No language left behind: scaling human-centered machine translation.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np

from moe_classic._arguments import check_real

from ._base import Array, Params, Router, Rows, State
from ._plans import Pairs, Plan, make_pairs, spread
from ._select import sigmoid
from ._top_k import TopKRouter


class SharedOrExpertsRouter(Router):
    """A learned share of each row for an expert that all rows have, the rest for its k best.

    ::

        y = (1 - s) f_shared(h) + s sum_e g_e f_e(h),   s = sigmoid(h v + c)

    Parameters
    ----------
    top_k : int, default=2
    balance : float, default=0.01
        Coefficient of the balance loss of the routed experts.
    budget : float, default=0.8
        Mean share of the routed experts that is aimed at.
    budget_loss : float, default=0.01
        Coefficient of ``abs(mean s - budget)``.
    dropout : float, default=0.2
        In training s is set to 0 with this probability, and divided by its complement otherwise.
    masking : float, default=0.0
        In training, what the routed experts say is left out with this probability, for whole rows,
        and divided by its complement otherwise.
    features : None, list of column names or indices, or transformer, default=None
        What the router sees; None: the rows of its layer.

    References
    ----------
    NLLB team (2022), No language left behind, arXiv 2207.04672, section 6.2.

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.routers import SharedOrExpertsRouter
    >>> moe = SparseMoERegressor(8, router=SharedOrExpertsRouter())
    """

    name: ClassVar[str] = "nllb"

    def __init__(
        self,
        top_k: int = 2,
        *,
        balance: float = 0.01,
        budget: float = 0.8,
        budget_loss: float = 0.01,
        dropout: float = 0.2,
        masking: float = 0.0,
        features: Any = None,
    ) -> None:
        self.top_k = top_k
        self.balance = balance
        self.budget = budget
        self.budget_loss = budget_loss
        self.dropout = dropout
        self.masking = masking
        self.features = features

    def _inner(self) -> TopKRouter:
        """What chooses among the routed experts."""
        return TopKRouter(
            self.top_k, normalise="auto", balance=self.balance, features=self.features
        )

    def check(self, n_experts: int) -> None:
        """Raise unless the arguments make sense for this many experts."""
        self._inner().check(n_experts)
        self._check_coefficient("budget_loss", "0 leaves it out")
        for name in ("budget", "dropout", "masking"):
            value = check_real(
                f"{type(self).__name__}: {name}", getattr(self, name), 0.0, "a share"
            )
            if value > 1.0 or (value == 1.0 and name != "budget"):
                raise ValueError(
                    f"{type(self).__name__}: {name}={value} is a share and must be below 1."
                )

    def convex(self) -> bool:
        """Shares sum to one where those of the routed experts do."""
        return self.top_k > 1

    def full(self) -> bool:
        """Without dropout and masking the weights sum to one in training too."""
        return self.convex() and self.dropout == 0.0 and self.masking == 0.0

    def extra_experts(self) -> int:
        """The shared expert."""
        return 1

    def start(self, width: int, n_experts: int, rng: Any, dtype: Any) -> Params:
        """Small random maps."""
        params = super().start(width, n_experts, rng, dtype)
        v = 0.1 / np.sqrt(max(width, 1)) * rng.standard_normal(width)
        return params | {"v": v.astype(dtype), "c": np.zeros((), dtype=dtype)}

    def plan(self, params: Params, state: State, rows: Rows, rng: Any = None) -> Pairs:
        """The k best experts times s, and the shared one times 1 - s."""
        inner = self._inner().plan(params, state, rows, rng)
        X = self._seen(rows)
        n, k = len(X), self.top_k
        E = len(inner.load)
        s = sigmoid(X @ params["v"] + params["c"])
        drop, mask = self._masks(n, s.dtype, rng)
        used = s * drop
        g = inner.own(inner.weights).reshape(n, k)
        chosen = np.concatenate(
            [inner_choice(inner, n, k), np.full((n, 1), E, dtype=np.intp)], axis=1
        )
        weights = np.concatenate([g * (used * mask)[:, None], (1.0 - used)[:, None]], axis=1)
        plan = make_pairs(chosen, weights, None, E, extra=1)
        if rng is not None:
            plan.memo = {"inner": inner, "X": X, "s": s, "used": used, "drop": drop, "mask": mask}
            plan.memo |= {"g": g, "w": rows.w}
            plan.losses = dict(inner.losses)
            gap = float(rows.w @ s / rows.w.sum() - self.budget)
            plan.losses["budget"] = self.budget_loss * abs(gap)
            plan.memo["g_budget"] = self.budget_loss * np.sign(gap) * rows.w / rows.w.sum()
        return plan

    def _masks(self, n: int, dtype: Any, rng: Any) -> tuple[Array, Array]:
        """Factors of s and of what the routed experts say, (n,) each."""
        factors = []
        for rate in (self.dropout, self.masking):
            factor = np.ones(n, dtype=dtype)
            if rng is not None and rate > 0.0:
                factor = ((rng.random(n) >= rate) / (1.0 - rate)).astype(dtype)
            factors.append(factor)
        return factors[0], factors[1]

    def pull(
        self, params: Params, plan: Plan, g_weights: Any, row_loss: Array | None
    ) -> tuple[Array | None, Params]:
        """Gradients in rows, the share and the map of logits, with those of the losses."""
        memo, k = plan.memo, self.top_k
        inner, g = memo["inner"], memo["g"]
        full = spread(cast("Pairs", plan), g_weights, None, (len(g), k + 1))
        routed, shared = full[:, :k], full[:, k]
        mask = memo["mask"]
        g_used = (routed * g).sum(axis=1) * mask - shared
        g_s = g_used * memo["drop"] + memo["g_budget"].astype(g.dtype)
        g_raw = g_s * memo["s"] * (1.0 - memo["s"])
        own = (routed * (memo["used"] * mask)[:, None]).reshape(-1)
        by_expert = np.empty_like(own)
        by_expert[inner.inv] = own
        g_h, g_params = self._inner().pull(params, inner, by_expert, row_loss)
        g_params |= {"v": memo["X"].T @ g_raw, "c": np.asarray(g_raw.sum())}
        if g_h is not None:
            g_h = g_h + g_raw[:, None] * params["v"]
        return g_h, g_params


def inner_choice(plan: Pairs, n: int, k: int) -> Array:
    """Experts of each row in the router's own order, (n, k)."""
    experts = np.repeat(np.arange(len(plan.offsets) - 1), np.diff(plan.offsets))
    return plan.own(experts).reshape(n, k)
