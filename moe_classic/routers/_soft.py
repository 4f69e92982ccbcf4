"""Soft mixtures: experts see mixtures of rows.

::

    L = scale cos(h, phi),   D = softmax of L over rows,   C = softmax of L over slots
    y = C f(D' h)

Puigcerver, Riquelme, Mustafa & Houlsby (2024), From sparse to soft mixtures of experts, ICLR.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from moe_classic._arguments import check_integer

from ._base import Array, Params, Router, Rows, State, pull_softmax
from ._plans import Plan, Slots
from ._select import softmax

#: Inside both norms.
_EPS = 1e-6
#: Logits of this many numbers are looked at at a time when slots are frozen.
_CHUNK = 1 << 20


class SoftRouter(Router):
    """Every expert sees a few mixtures of the rows, and every row a mixture of what they say.

    ::

        L = scale cos(h, phi),   D = softmax of L over rows,   C = softmax of L over slots

    With tokens, the rows of a group are the tokens of a sample. Without, they are all rows of a
    batch, and after training slots stay as they are over the training rows: the experts then say
    the same to every row, and a row chooses how to mix it.

    Parameters
    ----------
    slots : int, default=4
        Slots of each expert.

    References
    ----------
    Puigcerver et al. (2024), From sparse to soft mixtures of experts, ICLR.

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.routers import SoftRouter
    >>> moe = SparseMoERegressor(8, router=SoftRouter())
    """

    name: ClassVar[str] = "soft"
    batchwise: ClassVar[bool] = True
    calibrated: ClassVar[tuple[str, ...]] = ("slots",)

    def __init__(self, slots: int = 4) -> None:
        self.slots = slots

    def check(self, n_experts: int) -> None:
        """Raise unless there are slots."""
        check_integer("SoftRouter: slots", self.slots, 1, "slots of each expert")

    def start(self, width: int, n_experts: int, rng: Any, dtype: Any) -> Params:
        """``phi`` of variance 1 / width, ``scale`` 1."""
        phi = rng.standard_normal((width, n_experts * self.slots)) / np.sqrt(max(width, 1))
        return {"phi": phi.astype(dtype), "scale": np.ones((), dtype=dtype)}

    def plan(self, params: Params, state: State, rows: Rows, rng: Any = None) -> Slots:
        """Dispatch and combine weights; without ``rng`` and tokens, slots as they were frozen."""
        L, memo = self._cosines(params, rows.h)
        n, S = L.shape
        T = rows.group or n
        cube = L.reshape(-1, T, S)
        E = S // self.slots
        C = softmax(L)[0].reshape(cube.shape)
        if rng is None and not rows.group and "slots" in state:
            return Slots(None, C, E, fixed=state["slots"].astype(L.dtype))
        top = cube.max(axis=1, keepdims=True)
        D = np.exp(cube - top) * rows.w.reshape(-1, T, 1)
        D /= D.sum(axis=1, keepdims=True)
        plan = Slots(D.astype(L.dtype), C, E)
        if rng is not None:
            plan.memo = memo
        return plan

    @staticmethod
    def _cosines(params: Params, h: Array) -> tuple[Array, dict[str, Any]]:
        """Logits (n, S), and what their gradient needs."""
        phi = params["phi"]
        h_norm = np.sqrt(np.einsum("nd,nd->n", h, h) + h.dtype.type(_EPS))[:, None]
        phi_norm = np.sqrt(np.einsum("ds,ds->s", phi, phi) + phi.dtype.type(_EPS))
        unit, axis = h / h_norm, phi / phi_norm
        cos = unit @ axis
        memo = {"unit": unit, "axis": axis, "cos": cos, "h_norm": h_norm, "phi_norm": phi_norm}
        return params["scale"] * cos, memo

    def pull(
        self, params: Params, plan: Plan, g_weights: Any, row_loss: Array | None
    ) -> tuple[Array | None, Params]:
        """Gradients in rows, ``phi`` and ``scale``."""
        g_D, g_C = g_weights
        slots, memo = plan, plan.memo
        D, C = slots.D, slots.C  # type: ignore[attr-defined]
        S = C.shape[2]
        g_L = D * (g_D - np.einsum("gts,gts->gs", D, g_D)[:, None])
        g_L = g_L.reshape(-1, S) + pull_softmax(C.reshape(-1, S), g_C.reshape(-1, S))
        unit, axis = memo["unit"], memo["axis"]
        g_scale = np.asarray((g_L * memo["cos"]).sum())
        g_cos = params["scale"] * g_L
        g_unit, g_axis = g_cos @ axis.T, unit.T @ g_cos
        inner = np.einsum("nd,nd->n", g_unit, unit)[:, None]
        g_h = (g_unit - unit * inner) / memo["h_norm"]
        inner = np.einsum("ds,ds->s", g_axis, axis)
        g_phi = (g_axis - axis * inner) / memo["phi_norm"]
        return g_h, {"phi": g_phi, "scale": g_scale.astype(g_phi.dtype)}

    def calibrate(self, params: Params, state: State, rows: Rows) -> State:
        """Freeze the slots at the mixtures of these rows."""
        if rows.group:
            return state
        n, S = len(rows.h), params["phi"].shape[1]
        step = max(1, _CHUNK // S)
        top = np.full(S, -np.inf)
        total, mixed = np.zeros(S), np.zeros((S, rows.h.shape[1]))
        for start in range(0, n, step):
            part = slice(start, start + step)
            L = self._cosines(params, rows.h[part])[0].astype(np.float64)
            new = np.maximum(top, L.max(axis=0))
            shrink = np.exp(top - new)
            D = np.exp(L - new) * rows.w[part, None]
            total = total * shrink + D.sum(axis=0)
            mixed = mixed * shrink[:, None] + D.T @ rows.h[part]
            top = new
        return {**state, "slots": mixed / total[:, None]}


def slots_of(logits: Array, n_experts: int, w: Array | None = None) -> Slots:
    """The plan of given logits (n, S), all rows being one group."""
    e = np.exp(logits - logits.max(axis=0)) * (1.0 if w is None else w[:, None])
    D = e / e.sum(axis=0)
    return Slots(D[None], softmax(logits)[0][None], n_experts)
