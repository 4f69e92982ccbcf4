"""Noise in the gate that spreads the load: the sparsely-gated layer, and Vision MoE.

::

    H = s + eps sd,   sd = softplus(h Wn + bn) + .01     or   sd = noise / E
    importance_e = sum_i w_ie,   load_e = sum_i Phi((s_ie - threshold_ie) / sd_ie)
    loss = importance cv2(importance) + load cv2(load)

Shazeer et al. (2017), Outrageously large neural networks: the sparsely-gated mixture-of-experts
layer, ICLR. Riquelme et al. (2021), Scaling vision with sparse mixture of experts, NeurIPS.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np
from scipy.special import ndtr

from moe_classic._arguments import check_range

from ._base import Array, Params, Router, Rows, State, check_top_k
from ._losses import cv_squared
from ._plans import Pairs, Plan, make_pairs
from ._select import entries, largest, softmax

#: Smallest standard deviation of learned noise.
_FLOOR = 0.01
_DENSITY = 1.0 / np.sqrt(2.0 * np.pi)


class NoisyTopKRouter(Router):
    """The k best experts after noise, which is learned or fixed.

    ::

        H = s + eps sd,   w = softmax(H over the k largest)      (learned noise)
        H = s + eps noise / E,   w_e = softmax(H)_e              (fixed noise)

    The load of an expert is made smooth: the probability that the noise would choose it again.

    Parameters
    ----------
    top_k : int, default=2
    noise : {"learned"} or float, default="learned"
        Standard deviation: learned from the row, or this number over the number of experts.
    importance, load : float, default=0.1
        Coefficients of the squared coefficients of variation.
    features : None, list of column names or indices, or transformer, default=None
        What the router sees; None: the rows of its layer.

    References
    ----------
    Shazeer et al. (2017), ICLR. Riquelme et al. (2021), NeurIPS.

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.routers import NoisyTopKRouter
    >>> moe = SparseMoERegressor(8, router=NoisyTopKRouter(top_k=2, noise="learned"))
    """

    name: ClassVar[str] = "noisy_top_k"

    def __init__(
        self,
        top_k: int = 2,
        *,
        noise: Any = "learned",
        importance: float = 0.1,
        load: float = 0.1,
        features: Any = None,
    ) -> None:
        self.top_k = top_k
        self.noise = noise
        self.importance = importance
        self.load = load
        self.features = features

    @property
    def _learned(self) -> bool:
        return isinstance(self.noise, str)

    def check(self, n_experts: int) -> None:
        """Raise unless the arguments make sense for this many experts."""
        check_top_k(self, n_experts)
        if self._learned and self.noise != "learned":
            raise ValueError(
                f"NoisyTopKRouter: noise={self.noise!r} must be 'learned' or a number > 0."
            )
        if not self._learned:
            check_range(self, "noise", "standard deviation times the number of experts")
        if self._learned and self.top_k == 1 and n_experts > 1:
            raise ValueError(
                "NoisyTopKRouter: top_k=1 with noise='learned': the weight is 1 for every row: the "
                "loss cannot reach the router; use top_k=2 or a number for noise."
            )
        for name in ("importance", "load"):
            self._check_coefficient(name, "0 leaves it out")

    def convex(self) -> bool:
        """Softmax over the kept logits sums to one."""
        return self._learned

    def full(self) -> bool:
        """No pair is ever dropped."""
        return self._learned

    def start(self, width: int, n_experts: int, rng: Any, dtype: Any) -> Params:
        """Zero for learned noise, which alone breaks the ties; else small random logits."""
        if not self._learned:
            return super().start(width, n_experts, rng, dtype)
        shapes = {"W": (width, n_experts), "b": n_experts, "Wn": (width, n_experts)}
        zeros = {name: np.zeros(shape, dtype=dtype) for name, shape in shapes.items()}
        return zeros | {"bn": np.zeros(n_experts, dtype=dtype)}

    def plan(self, params: Params, state: State, rows: Rows, rng: Any = None) -> Pairs:
        """The k best experts; with ``rng`` after noise."""
        X = self._seen(rows)
        S = self._logits(params, X)
        n, E = S.shape
        raw = sd = eps = None
        H = S
        if rng is not None:
            eps = np.asarray(rng.standard_normal((n, E))).astype(S.dtype)
            if self._learned:
                raw = X @ params["Wn"] + params["bn"]
                sd = np.logaddexp(raw, 0.0).astype(S.dtype) + S.dtype.type(_FLOOR)
            else:
                sd = np.full_like(S, self.noise / E)
            H = S + eps * sd
        k = self.top_k
        order = largest(H, min(k + 1, E))
        chosen = order[:, :k]
        if self._learned:
            weights = softmax(entries(H, chosen))[0]
            q = weights
        else:
            q = softmax(H)[0]
            weights = entries(q, chosen)
        plan = make_pairs(chosen, weights, None, E)
        if rng is not None:
            plan.memo = {"X": X, "S": S, "H": H, "sd": sd, "eps": eps, "raw": raw, "q": q}
            plan.memo |= {"order": order, "chosen": chosen, "w": rows.w}
            self._add_losses(plan)
        return plan

    # -------------------------------------------------------------------- losses

    def _add_losses(self, plan: Pairs) -> None:
        """Squared coefficients of variation, and what they pull."""
        memo = plan.memo
        w, chosen = memo["w"], memo["chosen"]
        E = memo["S"].shape[1]
        if self._learned:
            mass = (memo["q"] * w[:, None]).reshape(-1)
            importance = np.bincount(chosen.reshape(-1), weights=mass, minlength=E)
        else:
            memo["clean"] = softmax(memo["S"])[0]
            importance = w.astype(np.float64) @ memo["clean"]
        value, slope = cv_squared(importance)
        memo["importance"] = importance
        memo["g_importance"] = self.importance * slope
        plan.losses["importance"] = self.importance * value
        chance, source = self._chance(memo)
        load = w.astype(np.float64) @ chance
        value, slope = cv_squared(load)
        memo |= {"load": load, "g_load": self.load * slope, "source": source}
        plan.losses["load"] = self.load * value

    def _chance(self, memo: dict[str, Any]) -> tuple[Array, Array | None]:
        """Probability that an expert is chosen if its own noise is drawn again, (n, E).

        Second: number of the expert whose noisy logit is to be beaten.
        """
        S, H, order = memo["S"], memo["H"], memo["order"]
        (n, E), k = S.shape, self.top_k
        if self._learned:
            if k == E:
                return np.ones_like(S), None
            source = np.repeat(order[:, k - 1 : k], E, axis=1)
            source[np.arange(n)[:, None], order[:, :k]] = order[:, k : k + 1]
        else:
            source = np.repeat(order[:, k - 1 : k], E, axis=1)
        memo["u"] = u = (S - np.take_along_axis(H, source, axis=1)) / memo["sd"]
        return ndtr(u), source

    # -------------------------------------------------------------------- pull

    def pull(
        self, params: Params, plan: Plan, g_weights: Any, row_loss: Array | None
    ) -> tuple[Array | None, Params]:
        """Gradients in rows and maps of logits and noise, with those of the losses."""
        memo = plan.memo
        n, E = memo["S"].shape
        g_w = cast("Pairs", plan).own(g_weights).reshape(n, self.top_k)
        g_S, g_H, g_sd = (np.zeros((n, E), dtype=memo["S"].dtype) for _ in range(3))
        at = np.arange(n)[:, None], memo["chosen"]
        w, slope = memo["w"][:, None], memo["g_importance"].astype(g_S.dtype)
        if self._learned:
            q = memo["q"]
            g = g_w + w * slope[memo["chosen"]]
            g_H[at] = q * (g - (g * q).sum(axis=1, keepdims=True))
        else:
            g_H[at] = g_w * memo["q"][at]
            g_H -= memo["q"] * g_H.sum(axis=1, keepdims=True)
            clean = memo["clean"]
            g_S += w * clean * (slope - (clean @ slope)[:, None])
        self._pull_load(memo, g_S, g_H, g_sd)
        g_S += g_H
        g_sd += g_H * memo["eps"]
        return self._pull_maps(params, memo, g_S, g_sd)

    def _pull_load(self, memo: dict[str, Any], g_S: Array, g_H: Array, g_sd: Array) -> None:
        """Add the gradients of the load loss; its threshold carries gradient too."""
        if memo["source"] is None:
            return
        u, sd = memo["u"], memo["sd"]
        g_u = memo["w"][:, None] * memo["g_load"] * _DENSITY * np.exp(-0.5 * np.square(u)) / sd
        g_S += g_u
        g_sd -= g_u * u
        n, E = u.shape
        flat = ((np.arange(n) * E)[:, None] + memo["source"]).reshape(-1)
        g_H -= np.bincount(flat, weights=g_u.reshape(-1), minlength=n * E).reshape(n, E)

    def _pull_maps(
        self, params: Params, memo: dict[str, Any], g_S: Array, g_sd: Array
    ) -> tuple[Array | None, Params]:
        """From logits and noise to rows and maps."""
        g_h, g = self._pull_logits(params, memo["X"], g_S)
        if not self._learned:
            return g_h, g
        g_raw = g_sd * (0.5 * (1.0 + np.tanh(0.5 * memo["raw"])))
        g |= {"Wn": memo["X"].T @ g_raw, "bn": g_raw.sum(axis=0)}
        if g_h is not None:
            g_h += g_raw @ params["Wn"].T
        return g_h, g
