"""Gate and experts trained together on the squared error of the blend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moe_classic._adapters import Layers
from moe_classic._typing import Floats

from .gate import FittedBlendGate
from .net import BlendData, Trace, blended, descend


@dataclass(frozen=True)
class JointBlend:
    """The loss of a blend as a function of everything: gate first, then every expert.

    Attributes
    ----------
    gate : FittedBlendGate
    layers : list of Layers
    data : BlendData
        Its outputs are not looked at: they move with the experts.
    alpha : float
        Penalty on the slopes of the gate.
    """

    gate: FittedBlendGate
    layers: list[Layers]
    data: BlendData
    alpha: float

    def start(self) -> Floats:
        """Coefficients of the gate and of the experts as they are."""
        return np.concatenate([self.gate.theta, *(layer.start for layer in self.layers)])

    def split(self, theta: Floats) -> list[Floats]:
        """Coefficients of the gate and of each expert."""
        stops = np.cumsum([self.gate.theta.size, *(layer.start.size for layer in self.layers)])
        return np.split(theta, stops[:-1])

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        """E and its gradient."""
        gate, *rest = self.split(theta)
        net, data = self.gate.trained, self.data
        ridge = self.alpha * net.slopes()
        forwards = [layer.forward(t) for layer, t in zip(self.layers, rest, strict=True)]
        outputs = np.stack([out for out, _ in forwards])
        A = net.hidden(gate, data.Z)
        s = net.split(gate)[1] @ A
        p = net.weights(gate, data.Z)
        miss = data.target - blended(outputs, p)
        w = data.w / data.unit
        value = float(np.square(miss).sum(axis=0) @ w) + 0.5 * float(ridge @ gate**2)
        D = -2.0 * w * miss
        pull = net.pull(gate, data.Z, A, s, np.einsum("dn,kdn->kn", D, outputs)) + ridge * gate
        parts = [pull]
        for k, (layer, t) in enumerate(zip(self.layers, rest, strict=True)):
            parts.append(layer.backward(t, forwards[k][1], p[k] * D))
        return value, np.concatenate(parts)


def train_jointly(
    joint: JointBlend, *, max_iter: int, tol: float
) -> tuple[FittedBlendGate, list[Any], Trace]:
    """Gate and experts at the end of a descent from where they are."""
    theta, trace = descend(joint, joint.start(), max_iter=max_iter, tol=tol)
    gate, *rest = joint.split(theta)
    experts = [layer.written(t) for layer, t in zip(joint.layers, rest, strict=True)]
    return replace(joint.gate, theta=gate), experts, trace
