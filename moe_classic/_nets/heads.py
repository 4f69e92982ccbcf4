"""What the last stream says of a target: squared error, cross-entropy, or densities mixed.

::

    outputs:    o = h W + b,   l = |y - o|^2 / 2   or   l = -log softmax(o)_y
    densities:  o_k = u_k W + b for each pair of a row,   l = -log sum_k w_k p(y | o_k)
                p: normal with mean o_k and the deviation of expert k, or softmax(o_k)_y

With densities the gradients in o_k are those of each pair's own loss times its posterior r_k, and
that in w_k is -r_k / w_k (Jacobs, Jordan, Nowlan & Hinton 1991).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic.routers import Pairs

from .buffers import Buffers

Array = np.ndarray

#: Smallest standard deviation of an expert, in those of y.
SMALLEST = 1e-3
_LOG_2PI = float(np.log(2.0 * np.pi))


class Head:
    """A linear map of the stream, and the loss of what it says.

    Parameters
    ----------
    width, out : int
        Columns of the stream; outputs, or classes.
    kind : {"real", "class"}
    linear : bool, default=True
        Whether there is a map; False: the stream itself is what is said.
    density_experts : int, default=0
        With densities of a real target: experts that have a deviation each.
    mixed : bool, default=False
        Whether densities are mixed.
    """

    width: int
    out: int
    kind: str
    linear: bool
    mixed: bool
    density_experts: int

    def __init__(
        self,
        width: int,
        out: int,
        kind: str,
        *,
        linear: bool = True,
        mixed: bool = False,
        density_experts: int = 0,
    ) -> None:
        self.width, self.out, self.kind, self.linear = width, out, kind, linear
        self.mixed, self.density_experts = mixed, density_experts
        self.arrays: dict[str, Array] = {}
        self.grads: dict[str, Array] = {}

    def start(self, rng: np.random.Generator, dtype: Any) -> None:
        """Glorot's uniform weights, biases 0; deviations 1."""
        if self.linear:
            bound = np.sqrt(6.0 / (self.width + self.out))
            W = np.zeros((self.width + 1, self.out), dtype=dtype)
            W[:-1] = rng.uniform(-bound, bound, (self.width, self.out))
            self.arrays["W"] = W
        if self.mixed and self.kind == "real":
            self.arrays["log_sigma"] = np.zeros((self.density_experts, self.out), dtype=dtype)

    def weights(self) -> dict[str, Array]:
        """Which numbers are weights."""
        masks = {name: np.zeros(a.shape, dtype=bool) for name, a in self.arrays.items()}
        if self.linear:
            masks["W"][:-1] = True
        return masks

    def said(self, h: Array) -> Array:
        """Outputs (n, out), or logits, of rows of the stream."""
        return h @ self.arrays["W"] if self.linear else h[:, : self.out]

    def answer(self, said: Array) -> Array:
        """Predictions, or probabilities."""
        return said if self.kind == "real" else np.exp(said - _lse(said)[:, None])

    def sigma(self) -> Array:
        """Standard deviations (experts, out), in those of y."""
        return np.maximum(np.exp(self.arrays["log_sigma"]), SMALLEST)

    def losses(self, said: Array, y: Array) -> tuple[Array, Array]:
        """Loss of each row, and its gradient in what is said."""
        if self.kind == "real":
            gap = said - y
            return 0.5 * np.einsum("no,no->n", gap, gap), gap
        lse = _lse(said)
        g = np.exp(said - lse[:, None])
        at = np.arange(len(said)), y
        losses = lse - said[at]
        g[at] -= 1.0
        return losses, g

    def pull(self, h: Array, g: Array) -> Array:
        """Gradient of the map, and in the stream."""
        if not self.linear:
            out = np.zeros((len(h), h.shape[1] - 1), dtype=g.dtype)
            out[:, : self.out] = g
            return out
        self.grads["W"][...] = h.T @ g
        W = self.arrays["W"][:-1]
        # BLAS takes four times as long for a product over one column.
        return g * W[:, 0] if W.shape[1] == 1 else g @ W.T

    # -------------------------------------------------------------------- densities

    def log_densities(self, said: Array, y: Array, plan: Pairs) -> Array:
        """Log densities (m,) of pairs, sorted by expert, for targets of their rows."""
        target = y[plan.rows]
        if self.kind == "class":
            return said[np.arange(len(said)), target] - _lse(said)
        sigma = np.repeat(self.sigma(), np.diff(plan.offsets), axis=0)
        z = (target - said) / sigma
        return -(0.5 * np.square(z) + np.log(sigma) + 0.5 * _LOG_2PI).sum(axis=1)

    def mixed_losses(self, said: Array, y: Array, plan: Pairs) -> tuple[Array, Array]:
        """Loss of each row, and the ratios (m,) of each pair's density to its row's."""
        k = plan.k
        ll = self.log_densities(said, y, plan)
        own = plan.own(ll).reshape(-1, k)
        w = plan.own(plan.weights).reshape(-1, k)
        top = own.max(axis=1)
        density = (w * np.exp(own - top[:, None])).sum(axis=1)
        tiny = np.finfo(density.dtype).tiny
        row = top + np.log(np.maximum(density, tiny))
        with np.errstate(over="ignore"):
            ratio = np.minimum(np.exp(ll - row[plan.rows]), 1.0 / np.sqrt(tiny))
        return -row, ratio

    def pull_mixed(
        self, U: Array, said: Array, y: Array, plan: Pairs, r: Array, share: Array
    ) -> Array:
        """Gradient in the pairs' streams, from posteriors r (m,) and shares of the rows (n,)."""
        target = y[plan.rows]
        mass = r * share[plan.rows]
        if self.kind == "class":
            g = np.exp(said - _lse(said)[:, None])
            g[np.arange(len(said)), target] -= 1.0
            g *= mass[:, None]
        else:
            sigma = np.repeat(self.sigma(), np.diff(plan.offsets), axis=0)
            z = (said - target) / sigma
            g = mass[:, None] * z / sigma
            pull = mass[:, None] * (1.0 - np.square(z))
            pull *= sigma > SMALLEST
            starts = plan.offsets[:-1]
            sums = np.add.reduceat(np.concatenate([pull, np.zeros_like(pull[:1])]), starts)
            self.grads["log_sigma"][...] = sums * (np.diff(plan.offsets) > 0)[:, None]
        return self.pull(U, g.astype(said.dtype))


def _lse(said: Array) -> Array:
    """Log-sum-exp of the rows."""
    top = said.max(axis=1)
    return top + np.log(np.exp(said - top[:, None]).sum(axis=1))


def pair_streams(X: Array, Y: Array, *, residual: bool, buffers: Buffers) -> Array:
    """Streams (m, out + 1) of pairs: what their expert says, with what it saw added."""
    U = buffers.rows("U", len(Y), Y.shape[1])
    if residual:
        np.add(X[:, :-1], Y, out=U[:, :-1])
    else:
        U[:, :-1] = Y
    return U
