"""Layers over a stream of rows: an affine map, and experts behind a router.

The stream has a last column of ones. ``forward`` returns the new stream and what ``backward``
needs; ``backward`` takes the gradient in the new stream, without the column of ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from moe_classic.routers import Plan, Router, Rows, Slots

from .activations import ACTIVATIONS
from .buffers import Buffers
from .experts import Experts, Kept, Step

Array = np.ndarray


@dataclass
class Batch:
    """Rows of the stream and what goes with them.

    Attributes
    ----------
    X : ndarray of shape (n T, q + 1)
        Tokens of the samples, or the samples (T = 1), with a column of ones.
    w : ndarray of shape (n,)
        Weights of the samples, of mean 1.
    inputs : ndarray of shape (n, p), or None
        What routers with ``features`` see.
    group : int
        Tokens of a sample; 0 without tokens.
    """

    X: Array
    w: Array
    inputs: Array | None = None
    group: int = 0

    def rows(self, h: Array) -> Rows:
        """Rows as routers see them."""
        w, inputs = self.w, self.inputs
        if self.group:
            w = np.repeat(w, self.group)
            inputs = None if inputs is None else np.repeat(inputs, self.group, axis=0)
        return Rows(h[:, :-1], w, inputs, self.group)


class Affine:
    """``h <- act(h W + b)``, and with tokens a learned vector for each place.

    Parameters
    ----------
    width, out : int
    activation : str
    places : int, default=0
        Tokens of a sample, if places have vectors.
    """

    def __init__(self, width: int, out: int, activation: str, *, places: int = 0) -> None:
        self.width, self.out, self.activation, self.places = width, out, activation, places
        self.arrays: dict[str, Array] = {}
        self.grads: dict[str, Array] = {}

    def start(self, rng: np.random.Generator, dtype: Any) -> None:
        """Glorot's uniform weights; biases and places 0."""
        bound = np.sqrt(6.0 / max(self.width + self.out, 1))
        W = np.zeros((self.width + 1, self.out), dtype=dtype)
        W[:-1] = rng.uniform(-bound, bound, (self.width, self.out))
        self.arrays = {"W": W}
        if self.places:
            self.arrays["places"] = np.zeros((self.places, self.out), dtype=dtype)

    def weights(self) -> dict[str, Array]:
        """Which numbers are weights, not biases."""
        masks = {name: np.zeros(a.shape, dtype=bool) for name, a in self.arrays.items()}
        masks["W"][:-1] = True
        return masks

    def forward(self, h: Array, batch: Batch, buffers: Buffers, rng: Any) -> tuple[Array, Any]:
        """The mapped stream."""
        out = buffers.rows(f"affine{id(self)}", len(h), self.out)
        np.matmul(h, self.arrays["W"], out=out[:, :-1])
        if self.places:
            cube = out.reshape(-1, self.places, self.out + 1)
            cube[:, :, :-1] += self.arrays["places"]
        ACTIVATIONS[self.activation][0](out[:, :-1])
        return out, (h, out)

    def backward(self, g: Array, memo: Any, *, inputs: bool) -> Array | None:
        """Gradients of the map, and in the stream if wanted; uses ``g`` up."""
        h, out = memo
        ACTIVATIONS[self.activation][1](out[:, :-1], g)
        self.grads["W"][...] = h.T @ g
        if self.places:
            self.grads["places"][...] = g.reshape(-1, self.places, self.out).sum(axis=0)
        return g @ self.arrays["W"][:-1].T if inputs else None


class SparseLayer:
    """Experts behind a router: ``h <- h + sum_e w_e f_e(h)``, or without ``h +``.

    Parameters
    ----------
    router : Router
    experts : Experts
        The routed ones and those that are always on.
    residual : bool, default=True
    """

    router: Router
    experts: Experts
    residual: bool
    out: int

    def __init__(self, router: Router, experts: Experts, *, residual: bool = True) -> None:
        self.router, self.experts, self.residual = router, experts, residual
        self.out = experts.out
        self.arrays: dict[str, Array] = {}
        self.grads: dict[str, Array] = {}
        self.state: dict[str, Array] = {}
        self.table: Array = np.empty((0, 0))

    @property
    def n_routed(self) -> int:
        """Experts that the router chooses among."""
        return self.experts.n_experts - self.router.extra_experts()

    def start(self, rng: np.random.Generator, dtype: Any, *, seen: int) -> None:
        """Random experts and router, which sees ``seen`` columns."""
        self.table = self.experts.start(rng, dtype)
        self.arrays = self.router.start(seen, self.n_routed, rng, dtype)
        self.state = self.router.state(self.n_routed)

    def weights(self) -> dict[str, Array]:
        """Which of the router's numbers are weights: its matrices."""
        return {name: np.full(a.shape, a.ndim == 2) for name, a in self.arrays.items()}

    def plan(self, h: Array, batch: Batch, rng: Any) -> Plan:
        """Where the rows go."""
        return self.router.plan(self.arrays, self.state, batch.rows(h), rng)

    def forward(
        self, h: Array, batch: Batch, buffers: Buffers, rng: Any
    ) -> tuple[Array, tuple[Plan, Array, Kept]]:
        """The stream after the experts."""
        plan, X, Y, kept = self.pairs(h, batch, buffers, rng)
        out = buffers.rows(f"sparse{id(self)}", len(h), self.out)
        out[:, :-1] = h[:, :-1] if self.residual else 0.0
        plan.put(Y, onto=out[:, :-1])
        return out, (plan, X, kept)

    def pairs(
        self, h: Array, batch: Batch, buffers: Buffers, rng: Any
    ) -> tuple[Plan, Array, Array, Kept]:
        """Plan, rows by expert, what the experts say to them, and what the gradient needs."""
        plan = self.plan(h, batch, rng)
        X = buffers.get(f"X{id(self)}", plan.n_pairs, h.shape[1])
        plan.take(h, out=X)
        own = _scope(buffers, id(self))
        Y, kept = self.experts.forward(self.table, X, plan.offsets, own)
        return plan, X, Y, kept

    def backward(
        self,
        g: Array,
        memo: tuple[Plan, Array, Kept],
        buffers: Buffers,
        step: Step,
        row_loss: Array | None,
        *,
        inputs: bool,
    ) -> Array | None:
        """Gradients of experts, which step at once, and router; in the stream if wanted.

        Uses ``g`` up.
        """
        plan, X, kept = memo
        G = plan.pull_put(g, out=buffers.get("G", plan.n_pairs, self.out))
        slots = isinstance(plan, Slots)
        g_pairs, g_X = self.experts.backward(
            self.table,
            X,
            kept,
            G,
            plan.weights,
            plan.offsets,
            buffers,
            step,
            inputs=inputs or slots,
        )
        # What the stream felt goes on beside the experts, and is not needed any more.
        onto = g if self.residual else None
        g_h = plan.pull_take(g_X, onto=onto) if g_X is not None else None
        g_in = self.pull_router(plan, plan.gradients(g_pairs), row_loss)
        if not inputs or g_h is None:
            return None
        if g_in is not None:
            g_h += g_in
        return g_h

    def pull_router(self, plan: Plan, g_weights: Any, row_loss: Array | None) -> Array | None:
        """Gradients of the router; in the stream, if it looks at it."""
        if row_loss is not None and len(row_loss) != getattr(plan, "n_rows", len(row_loss)):
            row_loss = np.repeat(row_loss, plan.n_rows // len(row_loss))  # type: ignore[attr-defined]
        g_in, g_params = self.router.pull(self.arrays, plan, g_weights, row_loss)
        for name, value in g_params.items():
            self.grads[name][...] = value
        return g_in

    def settle(self, plan: Plan) -> None:
        """State after a batch."""
        self.state = self.router.settle(self.state, plan)

    def calibrate(self, h: Array, batch: Batch) -> None:
        """What single rows need, from training rows."""
        self.state = self.router.calibrate(self.arrays, self.state, batch.rows(h))


def _scope(buffers: Buffers, key: int) -> Buffers:
    """Buffers of one layer, whose hidden units must outlive other layers' forward passes."""
    scopes: dict[int, Buffers] = buffers.__dict__.setdefault("scopes", {})
    return scopes.setdefault(key, Buffers(buffers.dtype))
