"""A fitted perceptron as a net of identical experts (sparse upcycling).

::

    W_0, act, W_1, ..., W_L:   an expert is two neighbouring maps (W_i, act, W_i+1)

Komatsuzaki et al. (2023), Sparse upcycling: training mixture-of-experts from dense checkpoints.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic.routers import Router

from .activations import ACTIVATIONS
from .experts import Experts
from .heads import Head
from .layers import Affine, SparseLayer
from .net import Layer, Net

Array = np.ndarray

#: Standard deviation of a fresh router's weights.
_ROUTER_SD = 0.02


def net_of_copies(
    maps: list[tuple[Array, Array]],
    activation: str,
    kind: str,
    router: Router,
    n_experts: int,
    place: str,
    rng: np.random.Generator,
    dtype: Any,
) -> Net:
    """A net whose experts are copies of two maps of a perceptron.

    Parameters
    ----------
    maps : list of (weights (m, o), biases (o,))
        At least two.
    activation : str
        Between them.
    kind : {"real", "class"}
    router : Router
    n_experts : int
    place : {"first", "last"}
        Which two maps become the experts.
    rng : Generator
    dtype : dtype

    Returns
    -------
    net : Net
    """
    stacked = [np.vstack([W, b]).astype(dtype) for W, b in maps]
    at = len(stacked) - 2 if place == "last" else 0
    layers: list[Layer] = [_affine(W, activation) for W in stacked[:at]]
    first, second = stacked[at : at + 2]
    total = n_experts + router.extra_experts()
    experts = Experts(total, len(first) - 1, first.shape[1], second.shape[1], activation)
    layer = SparseLayer(router, experts, residual=False)
    layer.start(rng, dtype, seen=len(first) - 1)
    layer.table[...] = np.concatenate([first.reshape(-1), second.reshape(-1)])
    for name, array in layer.arrays.items():
        if array.ndim == 2:
            layer.arrays[name] = (_ROUTER_SD * rng.standard_normal(array.shape)).astype(dtype)
    layers.append(layer)
    rest = stacked[at + 2 :]
    if rest:
        # What follows the experts begins with the activation.
        layers.append(Activation(second.shape[1], activation))
        layers += [_affine(W, activation) for W in rest[:-1]]
        head = Head(len(rest[-1]) - 1, rest[-1].shape[1], kind)
        head.arrays = {"W": rest[-1].copy()}
    else:
        out = second.shape[1]
        head = Head(out, out, kind, linear=False)
    return Net(layers, head, dtype)


def _affine(W: Array, activation: str) -> Affine:
    """A layer with given numbers."""
    layer = Affine(len(W) - 1, W.shape[1], activation)
    layer.arrays = {"W": W.copy()}
    return layer


class Activation(Affine):
    """``h <- act(h)``: an affine layer without a map."""

    def __init__(self, width: int, activation: str) -> None:
        super().__init__(width, width, activation)

    def weights(self) -> dict[str, Array]:
        """None."""
        return {}

    def forward(self, h: Array, batch: Any, buffers: Any, rng: Any) -> tuple[Array, Any]:
        """The activated stream."""
        out = buffers.rows(f"act{id(self)}", len(h), self.out)
        out[:, :-1] = h[:, :-1]
        ACTIVATIONS[self.activation][0](out[:, :-1])
        return out, (h, out)

    def backward(self, g: Array, memo: Any, *, inputs: bool) -> Array | None:
        """Gradient in the stream; uses ``g`` up."""
        ACTIVATIONS[self.activation][1](memo[1][:, :-1], g)
        return g
