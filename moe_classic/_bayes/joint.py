"""The posterior of gate and experts with labels and precisions summed over, point by point.

::

    p(V, theta | y) ~ prod_n (sum_k g_k(x_n; V) p(y_n | x_n, theta_k))^w_n p(V) p(theta)
    p(V) ~ prod_j (rate + |v_j|^2 / 2)^-(shape + (K - 1) / 2)      the precision of a feature gone

A product of independent factors misses what this density has between them: rows that two experts
share, borders that may as well be sharper. From the normal that variational Bayes finds it is
reached by :func:`~moe_classic._bayes.draws.adapted`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from moe_classic._data import Design
from moe_classic._typing import Floats

from .draws import Draws, adapted
from .logits import BayesianLogits, contrasts

#: Draws a round, fewer where rows times experts times draws were more than this many.
_MOST, _LEAST, _WORK = 1024, 256, 4_000_000
#: Parameters up to which draws are worth their while, and how many draws each asks for.
_WIDEST, _DRAWS_EACH = 48, 8
#: Elements that are held at a time, few enough for a processor's cache.
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Joint:
    """The joint posterior of a gate and ``n_experts`` experts.

    Parameters stand expert by expert, (K, P): those of the gate, then the expert's own.
    """

    family: Any
    gate: BayesianLogits
    expert_design: Design
    gate_design: Design
    y: np.ndarray
    w: Floats
    n_experts: int

    @cached_property
    def basis(self) -> Floats:
        """From free parameters to all, (K P, d), with orthonormal columns."""
        K, q = self.n_experts, self.gate_design.width
        own = self.family.basis(self.expert_design.width)
        P = q + len(own)
        places = np.arange(K * P).reshape(K, P)
        order = np.concatenate([places[:, :q].ravel(), places[:, q:].ravel()])
        free = block_diag(np.kron(contrasts(K), np.eye(q)), np.kron(np.eye(K), own))
        basis = np.empty_like(free)
        basis[order] = free
        return basis

    def draws(self, mean: Floats, cov: Floats) -> Draws | None:
        """Draws of all parameters (S, K P); None if they could not do better than the normal.

        ``mean`` (K, P) and ``cov`` (K, P, K, P) are those of a normal near the posterior.
        """
        d, per_draw = self.basis.shape[1], self.n_experts * self.w.size
        size = int(np.clip(_WORK // per_draw, _LEAST, _MOST))
        if d > min(_WIDEST, size // _DRAWS_EACH):
            return None
        flat = cov.reshape(mean.size, mean.size)
        start, spread = mean.ravel() @ self.basis, self.basis.T @ flat @ self.basis
        found = adapted(self.log_density, start, spread, size)
        return None if found is None else Draws(found.points @ self.basis.T, found.weights)

    def log_density(self, X: Floats) -> Floats:
        """Up to a constant, of free parameters (S, d), (S,)."""
        each = self.n_experts * self.w.size * self.family.outputs
        step = max(1, _CHUNK // each)
        return np.concatenate([self._of(X[i : i + step]) for i in range(0, len(X), step)])

    def _of(self, X: Floats) -> Floats:
        """The same of a few."""
        theta = (X @ self.basis.T).reshape(len(X), self.n_experts, -1)
        V, own = np.split(theta, [self.gate_design.width], axis=2)
        eta = V @ self.gate_design.Z
        lost = _log_sum_exp(eta)
        eta += self.family.log_density(own, self.expert_design, self.y)
        fit = (_log_sum_exp(eta) - lost) @ self.w
        return np.asarray(fit + self.gate.log_prior(V) + self.family.log_prior(own))


def _log_sum_exp(a: Floats) -> Floats:
    """Over the axis before the last."""
    top = a.max(axis=-2)
    return np.asarray(top + np.log(np.exp(a - top[..., None, :]).sum(axis=-2)))
