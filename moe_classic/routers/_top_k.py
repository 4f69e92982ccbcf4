"""The k best experts a row: Switch, GShard, Mixtral, OLMoE, DeepSeek and their like.

::

    s = h W + b,   q = softmax(s) or sigmoid(s)
    S = the k largest of q, or of q + bias,   w_e = scale q_e / sum_S q   or   scale q_e

Fedus, Zoph & Shazeer (2022), Switch transformers. Lepikhin et al. (2021), GShard. DeepSeek-AI
(2024), DeepSeek-V3, for groups and for balance by a bias.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np

from moe_classic._arguments import check_choice, check_integer, check_range
from moe_classic._typing import Bools, Ints

from ._base import Array, Params, Router, Rows, State, check_capacity, check_top_k
from ._losses import balance_loss, shares, z_loss
from ._plans import Pairs, Plan, make_pairs, spread
from ._select import (
    capacity_rows,
    entries,
    keep_groups,
    largest,
    sigmoid,
    softmax,
    within_capacity,
)


class TopKRouter(Router):
    """Each row to the k experts that its logits rank highest.

    ::

        s = h W + b,   q = softmax(s) or sigmoid(s),   w_e = scale q_e / sum_S q   or   scale q_e

    Parameters
    ----------
    top_k : int, default=2
        Experts that a row consults.
    score : {"softmax", "sigmoid"}, default="softmax"
        How logits become scores.
    normalise : {"auto", "kept"} or bool, default="auto"
        Whether the scores of the chosen experts are divided by their sum; "auto": if ``top_k`` is
        more than 1, as a single weight would be 1 for every row and teach the router nothing.
        "kept": divided by the sum over those that found room.
    scale : float, default=1.0
        Factor of the weights.
    balance : float, default=0.01
        Coefficient of the balance loss ``E sum_e f_e P_e``.
    balance_on : {"all", "first"}, default="all"
        Whether f counts all k choices or first choices only.
    z : float, default=0.0
        Coefficient of the loss ``mean lse(s)^2``.
    capacity : None, int or float, default=None
        Rows that an expert takes from a batch of training: int as given, float times an even share
        of the pairs. Pairs that find no room are dropped. Prediction has no limit.
    priority : {"order", "score"}, default="order"
        Who comes first in the queue: rows as they stand, or those of the largest score.
    second : {"always", "random", "never"}, default="always"
        With ``top_k=2``, whether second choices are used in training: always; with probability
        ``w_2 / second_threshold``; never, though they count in the sum of the weights.
    second_threshold : float, default=0.5
        See ``second``.
    n_groups : int, default=1
        Experts stand in this many groups of equal size.
    top_groups : int, default=1
        A row chooses among the experts of this many best groups.
    bias_rate : float, default=0.0
        Balance without a loss: after each batch, experts with less than the mean load get a bias
        higher by this much, others one lower by as much. It counts in the choice, not in the
        weights. 0: no bias.
    n_shared : int, default=0
        Experts that every row consults besides, with weight 1.
    jitter : float, default=0.0
        In training, what the router sees is multiplied by uniform numbers in 1 +- jitter.
    features : None, list of column names or indices, or transformer, default=None
        What the router sees; None: the rows of its layer.

    References
    ----------
    Fedus, Zoph & Shazeer (2022), Switch transformers, JMLR 23. Lepikhin et al. (2021), GShard,
    ICLR. DeepSeek-AI (2024), DeepSeek-V3 technical report.

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.routers import TopKRouter
    >>> moe = SparseMoERegressor(16, router=TopKRouter(top_k=1, capacity=1.25))
    """

    name: ClassVar[str] = "top_k"

    def __init__(
        self,
        top_k: int = 2,
        *,
        score: str = "softmax",
        normalise: Any = "auto",
        scale: float = 1.0,
        balance: float = 0.01,
        balance_on: str = "all",
        z: float = 0.0,
        capacity: Any = None,
        priority: str = "order",
        second: str = "always",
        second_threshold: float = 0.5,
        n_groups: int = 1,
        top_groups: int = 1,
        bias_rate: float = 0.0,
        n_shared: int = 0,
        jitter: float = 0.0,
        features: Any = None,
    ) -> None:
        self.top_k = top_k
        self.score = score
        self.normalise = normalise
        self.scale = scale
        self.balance = balance
        self.balance_on = balance_on
        self.z = z
        self.capacity = capacity
        self.priority = priority
        self.second = second
        self.second_threshold = second_threshold
        self.n_groups = n_groups
        self.top_groups = top_groups
        self.bias_rate = bias_rate
        self.n_shared = n_shared
        self.jitter = jitter
        self.features = features

    @property
    def batchwise(self) -> bool:  # type: ignore[override]
        """Whether a capacity ties the rows of a batch together."""
        return self.capacity is not None

    # -------------------------------------------------------------------- arguments

    def check(self, n_experts: int) -> None:
        """Raise unless the arguments make sense for this many experts."""
        check_top_k(self, n_experts)
        check_capacity(self)
        check_choice(self, "score", ("softmax", "sigmoid"))
        check_choice(self, "normalise", ("auto", "kept", True, False))
        check_choice(self, "balance_on", ("all", "first"))
        check_choice(self, "priority", ("order", "score"))
        check_choice(self, "second", ("always", "random", "never"))
        check_range(self, "scale", "a factor of the weights")
        check_range(self, "second_threshold", "see second")
        for name in ("balance", "z", "bias_rate", "jitter"):
            self._check_coefficient(name, "0 leaves it out")
        check_integer("TopKRouter: n_shared", self.n_shared, 0, "experts for every row")
        self._check_combinations(n_experts)
        self._check_groups(n_experts)

    def _check_combinations(self, n_experts: int) -> None:
        """Raise if arguments contradict each other."""
        if self.normalise in (True, "kept") and self.top_k == 1 and n_experts > 1:
            raise ValueError(
                f"TopKRouter: normalise={self.normalise!r} with top_k=1: the weight is 1 for every "
                "row: the loss cannot reach the router; use normalise=False."
            )
        if self.second != "always" and self.top_k != 2:
            raise ValueError(
                f"TopKRouter: second={self.second!r} speaks of second choices and needs top_k=2, "
                f"got top_k={self.top_k}."
            )
        if self.z > 0.0 and self.score == "sigmoid":
            raise ValueError(
                f"TopKRouter: z={self.z} penalises the normaliser of a softmax, which "
                "score='sigmoid' has not; use z=0."
            )

    def _check_groups(self, n_experts: int) -> None:
        """Raise unless groups divide the experts and can hold the choices."""
        G = check_integer("TopKRouter: n_groups", self.n_groups, 1, "groups of experts")
        top = check_integer("TopKRouter: top_groups", self.top_groups, 1, "groups to choose from")
        if n_experts % G:
            raise ValueError(
                f"TopKRouter: n_groups={G} must divide n_experts={n_experts} into equal groups."
            )
        if top > G or top * (n_experts // G) < self.top_k:
            raise ValueError(
                f"TopKRouter: top_groups={top} of n_groups={G} leaves {min(top, G)} groups of "
                f"{n_experts // G} experts to choose top_k={self.top_k} from; use more groups or "
                "a smaller top_k."
            )

    def normalises(self) -> bool:
        """Whether weights are divided by a sum."""
        return self.top_k > 1 if self.normalise == "auto" else bool(self.normalise)

    def convex(self) -> bool:
        """Whether the weights of each row sum to one in prediction."""
        return (
            self.normalises()
            and self.scale == 1.0
            and self.n_shared == 0
            and self.second != "never"
        )

    def full(self) -> bool:
        """Whether every row keeps all its pairs in training."""
        return self.convex() and self.capacity is None and self.second == "always"

    def extra_experts(self) -> int:
        """Shared experts."""
        return self.n_shared

    def state(self, n_experts: int) -> State:
        """The bias, 0 for every expert."""
        return {"bias": np.zeros(n_experts)} if self.bias_rate > 0.0 else {}

    # -------------------------------------------------------------------- plan

    def plan(self, params: Params, state: State, rows: Rows, rng: Any = None) -> Pairs:
        """The k best experts of each row; with ``rng`` jitter, capacity and losses."""
        X, factor = self._seen(rows), None
        if rng is not None and self.jitter > 0.0:
            factor = (1.0 + self.jitter * (2.0 * rng.random(X.shape) - 1.0)).astype(X.dtype)
            X = X * factor
        S = self._logits(params, X)
        if rng is None and self._needs_no_scores():
            return self._plan_by_logits(S)
        q, lse, chosen = self._chosen(S, state)
        picked = entries(q, chosen)
        kept, dropped = self._kept(chosen, picked, q.shape[1], rng)
        weights, total = self._weights(picked, kept)
        plan = self._pairs(chosen, weights, kept, q.shape[1])
        plan.dropped = dropped
        if rng is not None:
            plan.memo = {"X": X, "factor": factor, "q": q, "chosen": chosen, "picked": picked}
            plan.memo |= {"kept": kept, "total": total, "w": rows.w}
            self._add_losses(plan, q, lse, rows.w)
        return plan

    def _needs_no_scores(self) -> bool:
        """Whether the chosen logits alone give the weights: no pass of exponentials over all."""
        plain = self.n_groups == 1 and self.bias_rate == 0.0 and self.second != "never"
        return plain and self.score == "softmax" and self.normalises()

    def _plan_by_logits(self, S: Array) -> Pairs:
        """Prediction with normalised weights: the softmax of the chosen logits."""
        chosen = largest(S, self.top_k)
        weights = softmax(entries(S, chosen))[0]
        return self._pairs(chosen, S.dtype.type(self.scale) * weights, None, S.shape[1])

    def _chosen(self, S: Array, state: State) -> tuple[Array, Array | None, Ints]:
        """Scores and log-sum-exp of logits, and the experts of each row, best first, (n, k)."""
        if self.score == "sigmoid":
            q = sigmoid(S)
            return q, None, self._choose(q, state)
        if self.n_groups > 1 or "bias" in state:
            q, lse = softmax(S, out=S)
            return q, lse, self._choose(q, state)
        # Logits rank as their softmax does; what is largest is looked for once.
        first = S.argmax(axis=1)
        chosen = largest(S, self.top_k, first)
        q, lse = softmax(S, first, out=S)
        return q, lse, chosen

    def _choose(self, q: Array, state: State) -> Ints:
        """Experts of each row, best first, (n, k)."""
        bias = state.get("bias")
        scores = q if bias is None else q + bias.astype(q.dtype)
        if self.n_groups > 1:
            best = 1 if bias is None else min(2, q.shape[1] // self.n_groups)
            scores = keep_groups(scores, self.n_groups, self.top_groups, best)
        return largest(scores, self.top_k)

    def _kept(self, chosen: Ints, picked: Array, E: int, rng: Any) -> tuple[Bools | None, float]:
        """Pairs that are used, (n, k), None for all; and the share that found no room."""
        wanted = self._wanted(chosen, picked, rng)
        if rng is None or self.capacity is None:
            return wanted, 0.0
        if wanted is None:
            wanted = np.ones(chosen.shape, dtype=bool)
        room = capacity_rows(self.capacity, self.top_k, len(chosen), E)
        first = picked[:, 0] if self.priority == "score" else None
        kept = within_capacity(chosen, wanted, room, E, first)
        return kept, float(1.0 - kept.sum() / wanted.sum())

    def _wanted(self, chosen: Ints, picked: Array, rng: Any) -> Bools | None:
        """Pairs that are used if there is room, (n, k); None: all of them."""
        if self.second == "always" or (self.second == "random" and rng is None):
            return None
        wanted = np.ones(chosen.shape, dtype=bool)
        wanted[:, 1] = False
        if self.second == "random":
            second = picked[:, 1]
            if self.normalises() and self.normalise != "kept":
                second = second / picked.sum(axis=1)
            wanted[:, 1] = rng.random(len(chosen)) < second / self.second_threshold
        return wanted

    def _weights(self, picked: Array, kept: Bools | None) -> tuple[Array, Array | None]:
        """Weights of the chosen experts (n, k), and the sums they were divided by."""
        if not self.normalises():
            return self.scale * picked if self.scale != 1.0 else picked, None
        used = picked
        if self.normalise == "kept" and kept is not None:
            used = np.where(kept, picked, 0.0).astype(picked.dtype)
        total = used @ np.ones(used.shape[1], dtype=used.dtype)
        # Nothing kept, or scores that underflow all together.
        total[total <= 0.0] = 1.0
        return picked * (picked.dtype.type(self.scale) / total)[:, None], total

    def _pairs(self, chosen: Ints, weights: Array, kept: Bools | None, E: int) -> Pairs:
        """Pairs of the chosen experts, and of the shared ones."""
        n, s = len(chosen), self.n_shared
        if s:
            always = np.broadcast_to(E + np.arange(s), (n, s))
            ones = np.ones((n, s), dtype=weights.dtype)
            chosen = np.concatenate([chosen, always], axis=1)
            weights = np.concatenate([weights, ones], axis=1)
            kept = None if kept is None else np.concatenate([kept, ones.astype(bool)], axis=1)
        return make_pairs(chosen, weights, kept, E, extra=s)

    def _add_losses(self, plan: Pairs, q: Array, lse: Array | None, w: Array) -> None:
        """Values of the auxiliary losses, and the slopes that the rows will feel."""
        memo = plan.memo
        if self.bias_rate > 0.0:
            memo["counts"] = np.bincount(memo["chosen"].reshape(-1), minlength=q.shape[1])
        if self.balance > 0.0:
            counted = memo["chosen"][:, :1] if self.balance_on == "first" else memo["chosen"]
            f = shares(counted, w, q.shape[1])
            P = q
            if self.score == "sigmoid":
                memo["sum"] = q.sum(axis=1, keepdims=True)
                memo["share"] = P = q / memo["sum"]
            value, slope = balance_loss(f, P, w)
            plan.losses["balance"] = self.balance * value
            memo["slope"] = self.balance * slope
        if self.z > 0.0 and lse is not None:
            value, memo["g_lse"] = z_loss(lse, w)
            plan.losses["z"] = self.z * value
            memo["g_lse"] = self.z * memo["g_lse"]

    # -------------------------------------------------------------------- pull

    def pull(
        self, params: Params, plan: Plan, g_weights: Any, row_loss: Array | None
    ) -> tuple[Array | None, Params]:
        """Gradients in rows and logits' map, with those of the losses."""
        memo = plan.memo
        g_q = self._pull_weights(cast("Pairs", plan), g_weights)
        g_S = (
            self._pull_sigmoid(memo, g_q) if self.score == "sigmoid" else self._pull_soft(memo, g_q)
        )
        g_h, g_params = self._pull_logits(params, memo["X"], g_S)
        if g_h is not None and memo["factor"] is not None:
            g_h *= memo["factor"]
        return g_h, g_params

    def _pull_weights(self, plan: Pairs, g_weights: Array) -> Array:
        """Gradients in the scores of the chosen experts, (n, k)."""
        memo, s = plan.memo, self.n_shared
        n, k = memo["chosen"].shape
        kept = memo["kept"]
        if s and kept is not None:
            kept = np.concatenate([kept, np.ones((n, s), dtype=bool)], axis=1)
        g = spread(plan, g_weights, kept, (n, k + s))[:, :k]
        q, total = memo["picked"], memo["total"]
        if total is None:
            return self.scale * g if self.scale != 1.0 else g
        inner = np.einsum("nk,nk->n", g, q) / total
        g_q = (g - inner[:, None]) * (q.dtype.type(self.scale) / total)[:, None]
        if self.normalise == "kept" and memo["kept"] is not None:
            g_q[~memo["kept"]] = 0.0
        return g_q

    def _pull_soft(self, memo: dict[str, Any], g_q: Array) -> Array:
        """From scores to logits by way of the softmax: one pass over (n, E) if no loss needs more.

        ``g_S = q (g - <g, q>)``, where g is zero but for the chosen experts and the balance loss.
        """
        q, chosen, picked, w = memo["q"], memo["chosen"], memo["picked"], memo["w"]
        n, E = q.shape
        pulled = g_q * picked
        pull = pulled @ np.ones(pulled.shape[1], dtype=q.dtype)
        if "g_lse" in memo:
            pull -= memo["g_lse"].astype(q.dtype)
        if "slope" in memo:
            slope = memo["slope"]
            pull += w * (q @ slope)
            g_S = _slopes(w, slope)
            g_S = np.subtract(g_S, pull[:, None], out=g_S if len(g_S) == n else None)
            g_S *= q
        elif memo["total"] is not None and "g_lse" not in memo and self.normalise != "kept":
            # Weights that sum to a constant: the pull on experts not chosen vanishes.
            g_S = np.zeros_like(q)
        else:
            g_S = q * -pull[:, None]
        flat = (np.arange(n) * E)[:, None] + chosen
        g_S.reshape(-1)[flat] += pulled
        return g_S

    def _pull_sigmoid(self, memo: dict[str, Any], g_q: Array) -> Array:
        """From scores to logits by way of the logistic function."""
        q, chosen = memo["q"], memo["chosen"]
        n, E = q.shape
        g = np.zeros_like(q)
        if "slope" in memo:
            share, w = memo["share"], memo["w"][:, None]
            g = w * (memo["slope"] - (share @ memo["slope"])[:, None]) / memo["sum"]
        g.reshape(-1)[(np.arange(n) * E)[:, None] + chosen] += g_q
        return g * q * (1.0 - q)

    def settle(self, state: State, plan: Plan) -> State:
        """Raise the bias of experts chosen less than the mean, lower it of those chosen more."""
        if self.bias_rate == 0.0:
            return state
        counts = plan.memo["counts"]
        return {**state, "bias": state["bias"] + self.bias_rate * np.sign(counts.mean() - counts)}


def _slopes(w: Array, slope: Array) -> Array:
    """What a loss adds to the gradient of each row's scores: (n, E), or (1, E) if equal."""
    return (w[:1] if (w == w[0]).all() else w)[:, None] * slope
