"""All experts for every row; the deep mixture of experts.

::

    w = softmax(s),   s = h W + b   or   s = relu(h V + c) W + b
    in training, experts with G_e - mean(G) > margin are left out, G: running sums of w

Jacobs, Jordan, Nowlan & Hinton (1991), Adaptive mixtures of local experts. Eigen, Ranzato &
Sutskever (2013), Learning factored representations in a deep mixture of experts.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np

from moe_classic._arguments import check_integer, check_range

from ._base import Array, Params, Router, Rows, State, pull_softmax
from ._plans import Pairs, Plan, make_pairs
from ._select import softmax


class DenseRouter(Router):
    """Every row to every expert, weighted by a softmax.

    ::

        w = softmax(s),   s = h W + b   or   s = relu(h V + c) W + b

    Parameters
    ----------
    hidden_units : int, default=0
        Units of a hidden layer of the gate; 0: linear.
    margin : float or None, default=None
        In training, experts whose running sum of weights is above the mean by more than this are
        left out for the batch, their weights shared by the others: keeps one expert from learning
        everything early. None: no such rule.
    intercept : bool, default=True
        Whether logits have an intercept.
    features : None, list of column names or indices, or transformer, default=None
        What the router sees; None: the rows of its layer.

    References
    ----------
    Jacobs et al. (1991), Neural Computation 3. Eigen, Ranzato & Sutskever (2013), arXiv 1312.4314.

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.routers import DenseRouter
    >>> moe = SparseMoERegressor(8, router=DenseRouter())
    """

    name: ClassVar[str] = "dense"

    def __init__(
        self,
        *,
        hidden_units: int = 0,
        margin: float | None = None,
        intercept: bool = True,
        features: Any = None,
    ) -> None:
        self.hidden_units = hidden_units
        self.margin = margin
        self.intercept = intercept
        self.features = features

    @property
    def batchwise(self) -> bool:  # type: ignore[override]
        """Whether running sums tie batches together."""
        return self.margin is not None

    def check(self, n_experts: int) -> None:
        """Raise unless the arguments make sense."""
        check_integer("DenseRouter: hidden_units", self.hidden_units, 0, "0 for a linear gate")
        if self.margin is not None:
            check_range(self, "margin", "in rows, or None")

    def convex(self) -> bool:
        """A softmax sums to one."""
        return True

    def full(self) -> bool:
        """All experts, always; with a margin some have weight 0."""
        return self.margin is None

    def choices(self, n_experts: int) -> float:
        """All of them."""
        return float(n_experts)

    def start(self, width: int, n_experts: int, rng: Any, dtype: Any) -> Params:
        """Small random logits, after a hidden layer by Glorot's rule."""
        H = self.hidden_units
        params = super().start(H or width, n_experts, rng, dtype)
        if not self.intercept:
            del params["b"]
        if H:
            bound = np.sqrt(6.0 / (width + H))
            params["V"] = rng.uniform(-bound, bound, (width, H)).astype(dtype)
            params["c"] = np.zeros(H, dtype=dtype)
        return params

    def state(self, n_experts: int) -> State:
        """Running sums of the weights."""
        return {"totals": np.zeros(n_experts)} if self.margin is not None else {}

    def plan(self, params: Params, state: State, rows: Rows, rng: Any = None) -> Pairs:
        """All experts for every row."""
        X = self._seen(rows)
        A = X
        if self.hidden_units:
            A = np.maximum(X @ params["V"] + params["c"], 0.0)
        p = softmax(self._logits(params, A))[0]
        n, E = p.shape
        weights, total = p, None
        if rng is not None and self.margin is not None and "totals" in state:
            totals = state["totals"]
            used = (totals - totals.mean() <= self.margin).astype(p.dtype)
            weights = p * used
            total = np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(p.dtype).tiny)
            weights = weights / total
        plan = make_pairs(np.broadcast_to(np.arange(E), (n, E)), weights, None, E)
        if rng is not None:
            plan.memo = {"X": X, "A": A, "p": p, "weights": weights, "total": total}
            plan.memo["w"] = rows.w
        return plan

    def pull(
        self, params: Params, plan: Plan, g_weights: Any, row_loss: Array | None
    ) -> tuple[Array | None, Params]:
        """Gradients in rows and maps; which experts are left out is a constant."""
        memo = plan.memo
        g = cast("Pairs", plan).own(g_weights).reshape(memo["p"].shape)
        # Renormalising over the experts in use is a softmax over their logits.
        g_S = pull_softmax(memo["weights"], g)
        if not self.hidden_units:
            return self._pull_logits(params, memo["X"], g_S)
        A = memo["A"]
        g_A = (g_S @ params["W"].T) * (A > 0.0)
        g_params = {"W": A.T @ g_S, "V": memo["X"].T @ g_A, "c": g_A.sum(axis=0)}
        if "b" in params:
            g_params["b"] = g_S.sum(axis=0)
        return (g_A @ params["V"].T if self.features is None else None), g_params

    def settle(self, state: State, plan: Plan) -> State:
        """Add the weights that were used to the running sums."""
        if self.margin is None:
            return state
        used = plan.memo["w"].astype(np.float64) @ plan.memo["weights"]
        return {**state, "totals": state["totals"] + used}
