"""The three error functions of Jacobs et al. (1991), as objectives of the gradient solvers.

With gate probabilities g_k, outputs m_k of the experts and the desired output t, a row adds minus::

    cooperative       E1 = |t - sum_k g_k m_k|^2                       equation 1.1
    competitive       E2 = sum_k g_k |t - m_k|^2                       equation 1.2
    unit likelihood   E3 = -log sum_k g_k exp(-|t - m_k|^2 / 2)        equation 1.3

Under E1 experts share the work by cancelling each other's errors, so that they interfere; E2 makes
each answer for the whole output, but the best expert adapts slowest; E3, the likelihood under
Gaussian noise of unit variance, weights by the posterior and lets the best expert adapt fastest.

The output of an expert is its location, or for classes its probabilities; two classes are one
output, the probability of the first. Scales and degrees of freedom have no part in the errors. E1
and E2 are no likelihoods: there is no posterior, so EM cannot climb them.

Jacobs, Jordan, Nowlan & Hinton (1991), Adaptive mixtures of local experts, Neural Computation 3.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from moe_classic._data import Block, Design
from moe_classic._model import GradientStats, Group, Model, MoEParams
from moe_classic._numerics import softmax_in_place
from moe_classic._typing import Floats
from moe_classic.experts import LinearParams

from .likelihood import ValueStats


@dataclass(frozen=True)
class _Derivatives:
    """Minus the error (n,), its derivatives in the outputs (K, d, n) and in the logits (K, n)."""

    row: Floats
    outputs: Floats
    logits: Floats


@dataclass(frozen=True)
class ErrorFunction(ABC):
    """Minus an error function of gate and outputs, with its exact gradient."""

    name: ClassVar[str]
    model: Model

    @abstractmethod
    def derivatives(self, g: Floats, m: Floats, t: Floats) -> _Derivatives:
        """Slopes at gate ``g`` (K, n), outputs ``m`` (K, d, n) and target ``t`` (d, n)."""

    def value(self, params: MoEParams, block: Block) -> ValueStats:
        """Minus the error of one block."""
        row = self.derivatives(*self._parts(params, block)).row
        return ValueStats(float(row @ block.w))

    def gradient(self, params: MoEParams, block: Block) -> GradientStats:
        """Minus the error of one block, and its gradient in unconstrained coordinates."""
        model = self.model
        g, m, t = self._parts(params, block)
        slopes = self.derivatives(g, m, t)
        gate_design = block.designs[model.gate_design]
        parts = [model.gate.gradient(params.gate, gate_design, slopes.logits * block.w)]
        for group, p, share in zip(model.groups, params.experts, model.shares, strict=True):
            v = slopes.outputs[share] * block.w
            eta = group.expert.output_slopes(p, m[share], v)
            out = np.zeros(group.expert.pack(p).size)
            places = group.expert.coefficient_places(p)[:, : eta.shape[1]]
            learned, scores = places >= 0, block.designs[group.design].scores(eta)
            np.add.at(out, places[learned], scores[learned])
            parts.append(out)
        return GradientStats(float(slopes.row @ block.w), np.concatenate(parts))

    def _parts(self, params: MoEParams, block: Block) -> tuple[Floats, Floats, Floats]:
        """Gate (K, n), outputs (K, d, n) and target (d, n)."""
        g = np.exp(self.model.log_gate(params, block))
        m = np.concatenate(
            [
                _outputs(group, p, block.designs[group.design])
                for group, p in zip(self.model.groups, params.experts, strict=True)
            ]
        )
        if block.y.ndim == 2:
            return g, m, block.y
        return g, m, np.asarray(block.y == np.arange(m.shape[1])[:, None], dtype=np.float64)


@dataclass(frozen=True)
class Cooperative(ErrorFunction):
    """Minus the squared error of the blended output, E1."""

    name: ClassVar[str] = "cooperative"

    def derivatives(self, g: Floats, m: Floats, t: Floats) -> _Derivatives:
        """``2 g_k r`` and ``2 g_k r'(m_k - blend)`` with the residual r of the blend."""
        blend = np.einsum("kn,kdn->dn", g, m)
        r = t - blend
        outputs = 2.0 * g[:, None] * r
        return _Derivatives(-(r**2).sum(axis=0), outputs, (outputs * (m - blend)).sum(axis=1))


@dataclass(frozen=True)
class Competitive(ErrorFunction):
    """Minus the mean squared error of an expert drawn from the gate, E2."""

    name: ClassVar[str] = "competitive"

    def derivatives(self, g: Floats, m: Floats, t: Floats) -> _Derivatives:
        """``2 g_k (t - m_k)`` and ``g_k (E2 - |t - m_k|^2)``."""
        r = t - m
        q = (r**2).sum(axis=1)
        error = (g * q).sum(axis=0)
        return _Derivatives(-error, 2.0 * g[:, None] * r, g * (error - q))


@dataclass(frozen=True)
class UnitLikelihood(ErrorFunction):
    """Logarithm of the mixture of unit Gaussians, without its constant: minus E3."""

    name: ClassVar[str] = "unit_likelihood"

    def derivatives(self, g: Floats, m: Floats, t: Floats) -> _Derivatives:
        """``h_k (t - m_k)`` and ``h_k - g_k`` with the posterior h."""
        r = t - m
        h = np.log(np.maximum(g, np.finfo(float).tiny)) - 0.5 * (r**2).sum(axis=1)
        row = softmax_in_place(h)
        return _Derivatives(row, h[:, None] * r, h - g)


#: Error functions by name; besides, ``"likelihood"`` means the log-likelihood of the model itself.
ERRORS: dict[str, type[ErrorFunction]] = {
    cls.name: cls for cls in (Cooperative, Competitive, UnitLikelihood)
}


def has_outputs(group: Group) -> bool:
    """Whether experts have outputs that the error functions can compare with the target."""
    return group.expert.has("output_slopes")


def _outputs(group: Group, p: LinearParams, design: Design) -> Floats:
    """Outputs of the experts of a group, (K, d, n)."""
    if not group.expert.kind.classes:
        return group.expert.location(p, design)
    P = group.expert.mean(p, design)
    return P if P.shape[1] > 2 else P[:, :1]
