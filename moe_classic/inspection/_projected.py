"""Sobol's indices where the logits of a gate are lines of normal inputs: few integrals, any width.

::

    f(x) = sum_k g_k(t) (a_k + b_k x),   t = Q'z,   z standard normal,   g softmax of lines of t

A gate of K experts sees K - 1 directions t of space, however many features these mix. For feature
i, ``t = s + q_i z_i`` with s independent of z_i; lines given (s, z_i) are lines again, and what is
left of them is normal with a covariance R that no longer depends on x. So both indices of a feature
are integrals over s and z_i alone::

    h = sum_k g_k(t) E(a_k + b_k x | s, z_i)
    Var E(f | x_i) = Var_z E_s h
    E Var(f | all but x_i) = E_s [Var_z h + sum_kl R_kl Cov_z(g_k, g_l)]

Integrals of softmaxes over normal densities have no closed form: these are sums over an even grid,
whose error falls faster than any power of its spacing, and is told by every other point. Features
that the gate does not see need a mean and a variance, no normal density.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import product

import numpy as np
from scipy.special import softmax

from moe_classic._typing import Floats

from ._sobol import Frozen, Indices, Marginal, Normal, shares

#: Most directions, and points of the grid along each of them and along a feature.
MOST_DIRECTIONS = 2
_POINTS = {1: (513, 129), 2: (65, 65)}
#: Where the grid ends, in standard deviations.
_END = 8.0
#: Distance from a line, over its size, at which logits are none; a direction that is none.
_BENT, _FLAT = 1e-6, 1e-10
#: Deviations from the middle within which logits are looked at.
_NEAR = 0.125
#: Difference to half as many points up to which the grid is believed.
_ENOUGH = 2e-3


@cache
def _even(n: int) -> tuple[Floats, Floats]:
    """Points and weights of a sum under a standard normal density."""
    x = np.linspace(-_END, _END, n)
    w = np.exp(-0.5 * x**2)
    return x, w / w.sum()


def is_normal(marginal: Marginal) -> bool:
    """Whether an input is normal."""
    if isinstance(marginal, Frozen):
        return getattr(getattr(marginal.known, "dist", None), "name", "") == "norm"
    return isinstance(marginal, Normal)


@dataclass(frozen=True)
class _Part:
    """The function around one feature: h (s, z), gate (K, s, z), R (K, K), weights of s and z."""

    h: Floats
    g: Floats
    R: Floats
    along_s: Floats
    along_z: Floats

    def averages(self) -> Floats:
        """Means of f where the feature is held, (z,)."""
        return np.asarray(self.along_s @ self.h)

    def variances(self) -> tuple[float, float, float, float]:
        """Mean and variance of f, that of its first order, and the total one."""
        held = self.averages()
        mean = float(held @ self.along_z)
        alone = float((held - mean) ** 2 @ self.along_z)
        left = (self.g * np.tensordot(self.R, self.g, 1)).sum(axis=0)
        g = self.g @ self.along_z
        inside = ((self.h - (self.h @ self.along_z)[:, None]) ** 2 + left) @ self.along_z
        together = float(self.along_s @ (inside - (g * (self.R @ g)).sum(axis=0)))
        whole = float(self.along_s @ (((self.h - mean) ** 2 + left) @ self.along_z))
        return mean, whole, alone, together

    def halved(self, directions: int) -> _Part:
        """The same with every other point."""
        n = round(len(self.along_s) ** (1.0 / directions))
        kept = np.arange(n**directions).reshape((n,) * directions)
        kept = kept[(slice(None, None, 2),) * directions].ravel()
        along_s, along_z = self.along_s[kept], self.along_z[::2]
        return replace(
            self,
            h=self.h[kept, ::2],
            g=self.g[:, kept, ::2],
            along_s=along_s / along_s.sum(),
            along_z=along_z / along_z.sum(),
        )


@dataclass(frozen=True)
class ProjectedLines:
    """``f(x) = sum_k g_k(x) (a_k + b_k x)`` with a softmax of lines as weights.

    Attributes
    ----------
    logits, lines : ndarrays of shape (K, p + 1)
        Slopes on standardised inputs, and intercepts; logits relative to the last expert.
    """

    logits: Floats
    lines: Floats

    @classmethod
    def of(
        cls,
        weights: Callable[[Floats], Floats],
        slopes: Floats,
        intercepts: Floats,
        inputs: Sequence[Marginal],
    ) -> ProjectedLines | None:
        """The function, if the logits of its weights are lines in few directions of normal inputs.

        ``weights`` gives (K, m) at rows (m, p).
        """
        mean = np.array([m.mean for m in inputs])
        sd = np.sqrt([m.var for m in inputs])
        p = len(inputs)
        # Around the middle, where no weight underflows; then elsewhere, to see that it is a line.
        z = np.vstack([np.zeros(p), np.eye(p), np.random.default_rng(0).uniform(-1, 1, (8, p))])
        z *= _NEAR
        with np.errstate(divide="ignore"):
            log_g = np.log(weights(mean + sd * z))
        logits = log_g - log_g[-1]
        if not np.isfinite(logits).all():
            return None
        constant = logits[:, 0]
        steep = (logits[:, 1 : p + 1] - constant[:, None]) / _NEAR
        told = constant[:, None] + steep @ z.T
        if not (np.abs(told - logits) <= _BENT * (1.0 + np.abs(logits))).all():
            return None
        steep = np.where(np.abs(steep) > _BENT, steep, 0.0)
        lines = np.column_stack([slopes * sd, intercepts + slopes @ mean])
        found = cls(np.column_stack([steep, constant]), lines)
        seen = np.flatnonzero(steep.any(axis=0))
        few = 0 < found.basis.shape[1] <= MOST_DIRECTIONS
        return found if few and all(is_normal(inputs[int(j)]) for j in seen) else None

    @cached_property
    def basis(self) -> Floats:
        """Orthonormal directions Q that the logits see, (p, r)."""
        _, size, rows = np.linalg.svd(self.logits[:-1, :-1], full_matrices=False)
        return np.asarray(rows[size > _FLAT * max(float(size.max(initial=0.0)), _FLAT)].T)

    def _around(self, i: int, z: Floats, along_z: Floats) -> _Part:
        """The function around feature i at its standardised values z."""
        Q, (b, a) = self.basis, (self.lines[:, :-1], self.lines[:, -1])
        r, q = Q.shape[1], Q[i]
        x, w = _even(_POINTS[r][0])
        nodes = np.array(list(product(x, repeat=r)))
        along_s = np.prod(np.array(list(product(w, repeat=r))), axis=1)
        # s = P w has the covariance I - q q'; where q has length 1 nothing of it is left.
        length = float(q @ q)
        left = np.sqrt(max(1.0 - length, 0.0))
        shrunk = (1.0 - left) / length if length > _FLAT else 0.5
        P = np.eye(r) - shrunk * np.outer(q, q)
        inverse = np.linalg.pinv(P, rcond=1e-7)
        others = np.delete(b, i, axis=1)
        on_s = others @ np.delete(Q, i, axis=0) @ inverse
        R = others @ others.T - on_s @ on_s.T
        t = (nodes @ P)[:, None, :] + z[:, None] * q
        steep = self.logits[:, :-1] @ Q
        g = softmax(np.tensordot(steep, t, (1, 2)) + self.logits[:, -1, None, None], axis=0)
        line = (a[:, None] + on_s @ nodes.T)[:, :, None] + b[:, i, None, None] * z
        return _Part((g * line).sum(axis=0), g, R, along_s, along_z)

    def both(self) -> tuple[Indices, Indices]:
        """Indices, (1, p), and the same with half as many points in each direction."""
        r = self.basis.shape[1]
        z, along_z = _even(_POINTS[r][1])
        fine, coarse = [], []
        for i in range(self.lines.shape[1] - 1):
            part = self._around(i, z, along_z)
            fine.append(part.variances())
            coarse.append(part.halved(r).variances())
        return _indices(fine), _indices(coarse)

    def indices(self, inputs: Sequence[Marginal]) -> Indices:
        """Indices of the function, (1, p), with the distance to half as many points."""
        fine, coarse = self.both()
        errors = np.abs([fine.first - coarse.first, fine.total - coarse.total])
        return replace(fine, errors=errors)

    def effects(self, inputs: Sequence[Marginal], grids: Floats) -> Floats:
        """Main effects at values (p, m) of the features, (1, p, m), around their mean."""
        effect = np.empty(grids.shape)
        for i, (one, values) in enumerate(zip(inputs, grids, strict=True)):
            z = (values - one.mean) / np.sqrt(one.var if one.var > 0.0 else 1.0)
            effect[i] = self._around(i, z, np.full(z.size, 1.0 / z.size)).averages()
        return np.asarray(effect - effect.mean(axis=1, keepdims=True))[None]


def _indices(found: list[tuple[float, float, float, float]]) -> Indices:
    """Indices from mean, variance, and variances of each feature."""
    mean, variance, alone, together = np.array(found).T
    return shares(alone[None], together[None], mean[:1], variance[:1])


def believed(found: Indices) -> bool:
    """Whether half as many points of the grid say the same."""
    return found.errors is None or bool(found.errors.max(initial=0.0) <= _ENOUGH)
