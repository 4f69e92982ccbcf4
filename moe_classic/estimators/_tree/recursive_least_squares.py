"""On-line learning of trees by weighted recursive least squares, one row at a time.

For a leaf with posterior weight h, and for a gate with the log posteriors of its children as
targets, with forgetting factor l::

    e  = y - U z
    R <- (R - R z z' R / (l / h + z' R z)) / l
    U <- U + h e (R z)'

Jordan & Jacobs (1994), appendix B. There the recursion for R carries no weight h; with it, as
above, U is at every row the exact solution of weighted least squares with exponential forgetting,
for one expert without forgetting ordinary least squares. The noise follows the same weights:
``rss <- l rss + h e e' (1 - h z' R z)`` is the exact weighted sum of squares at the new U.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from moe_classic._model import Model, MoEParams
from moe_classic._numerics import unpack_symmetric
from moe_classic._training import OnlineState
from moe_classic._typing import Floats
from moe_classic.gates import TreeParams, TreeShape

from .least_squares import LEAST_POSTERIOR

#: Weights below this change nothing but rounding errors.
_LEAST_WEIGHT = 1e-8
#: Rows between two looks at the noise, whose factorisation costs more than a row.
_REFRESH = 20
#: Largest inverse Gram matrix: without it, forgetting winds up directions that are never seen.
_MOST = 1e8
#: Scale of the inverse Gram of directions that were never seen.
_UNSEEN = 1e-8


@dataclass(frozen=True)
class Forgetting:
    """How fast old rows lose weight.

    Attributes
    ----------
    factor : float in (0, 1]
        Weight that is left of a row after the next one.
    approach : float in [0, 1]
        Part of the way to 1 that the factor goes after every ``interval`` rows.
    interval : int
    """

    factor: float = 0.99
    approach: float = 0.6
    interval: int = 1000


class RecursiveTree:
    """Experts and gates in the middle of their recursions.

    Parameters
    ----------
    model : Model
        A tree over linear Gaussian experts.
    state : OnlineState
        Parameters and statistics to go on from.
    floor : ndarray of shape (d,)
        Smallest standard deviations.
    tied : bool
        Whether the experts share one covariance.
    """

    def __init__(self, model: Model, state: OnlineState, floor: Floats, *, tied: bool) -> None:
        params: MoEParams = state.params
        experts: Any = state.stats.experts[0]
        self.model, self.like, self.floor, self.tied = model, params, floor, tied
        self.shape: TreeShape = params.gate.shape
        self.U = params.experts[0].coef.copy()
        self.K, self.d, self.q = self.U.shape
        self.V = _all_rows(params.gate)
        gram = unpack_symmetric(experts.gram * state.weight, self.q)
        self.R = _inverses(gram)
        self.G = _inverses(self._gate_grams(gram, state))
        self.mass = np.asarray(experts.mass) * state.weight
        self.rss = _covariances(params.experts[0], self.K) * self.mass[:, None, None]
        self.n_rows = 0
        self._refresh()

    def _gate_grams(self, gram: Floats, state: OnlineState) -> Floats:
        """Weighted Grams of the nodes with children, (J, q, q)."""
        if self.model.gate_design == self.model.groups[0].design:
            ranges = self.shape.leaf_ranges()
            return np.array([gram[r.start : r.stop].sum(axis=0) for r in self._below(ranges)])
        # Other features: the diagonal of the curvature is the Gram but for a factor of 1/4 or less.
        q, experts = state.params.gate.coef.shape[1], cast(Any, state.stats.experts[0])
        mass = np.asarray(experts.mass) * state.weight
        ranges = self.shape.leaf_ranges()
        return np.array([mass[r.start : r.stop].sum() * np.eye(q) for r in self._below(ranges)])

    def _below(self, ranges: list[range]) -> list[range]:
        """Leaves below each node with children."""
        return [ranges[int(j)] for j in self.shape.inner]

    # -------------------------------------------------------------------- one row

    def learn(self, Zg: Floats, Ze: Floats, y: Floats, w: Floats, forgetting: Forgetting) -> None:
        """Take rows into account in order: designs (q, n), targets (d, n), weights (n,)."""
        for i in range(w.size):
            passed = self.n_rows // forgetting.interval
            rest = (1.0 - forgetting.factor) * (1.0 - forgetting.approach) ** passed
            self._row(Zg[:, i], Ze[:, i], y[:, i], w[i], 1.0 - rest)
            self.n_rows += 1
            if self.n_rows % _REFRESH == 0:
                self._refresh()
        self._refresh()

    def _row(self, zg: Floats, ze: Floats, y: Floats, w: float, keep: float) -> None:
        """One row of weight ``w``; ``keep`` is the forgetting factor."""
        error = y - self.U @ ze
        h = w * self._posterior(zg, error)
        self._move_experts(ze, error, h[self.shape.leaves], keep)
        if self.K > 1:
            self._move_gates(zg, h, keep)

    def _posterior(self, zg: Floats, error: Floats) -> Floats:
        """Posterior probabilities of all nodes, (N,)."""
        white = np.einsum("kij,kj->ki", self.white, error)
        log_f = -0.5 * (white**2).sum(axis=1) - self.log_det
        joint = self._log_prior(zg) + log_f
        joint -= joint.max()
        R = np.exp(joint)
        return self.shape.up((R / R.sum())[:, None])[:, 0]

    def _log_prior(self, zg: Floats) -> Floats:
        """Log gate of the leaves, (K,)."""
        shape, eta = self.shape, self.V @ zg
        log_g = np.zeros((shape.n_nodes, 1))
        for family in shape.families:
            logits = eta[family.children].reshape(-1, family.size)
            logits = logits - logits.max(axis=1, keepdims=True)
            logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
            log_g[family.children, 0] = logits.ravel()
        return shape.down(log_g)[shape.leaves, 0]

    def _move_experts(self, z: Floats, error: Floats, h: Floats, keep: float) -> None:
        """Recursions of the leaves that the row concerns."""
        live = h > _LEAST_WEIGHT
        self.R[live], gain, leverage = recursion(self.R[live], z, h[live], keep)
        self.U[live] += error[live][:, :, None] * gain[:, None, :]
        left = (h[live] * (1.0 - leverage))[:, None, None]
        squares = error[live][:, :, None] * error[live][:, None, :]
        self.rss[live] = keep * self.rss[live] + left * squares
        self.mass[live] = keep * self.mass[live] + h[live]

    def _move_gates(self, z: Floats, h: Floats, keep: float) -> None:
        """Recursions of the gates towards the log posteriors of their children."""
        shape = self.shape
        above = h[shape.inner]
        live = above > _LEAST_WEIGHT
        self.G[live], some, _ = recursion(self.G[live], z, above[live], keep)
        gain = np.zeros((above.size, z.size))
        gain[live] = some
        place = np.zeros(shape.n_nodes, dtype=np.intp)
        place[shape.inner] = np.arange(above.size)
        parent = shape.parent[1:]
        target = np.log(np.clip(h[1:] / np.maximum(h[parent], 1e-300), LEAST_POSTERIOR, 1.0))
        # The softmax does not see a constant over siblings: centred targets keep rows small.
        first, count = shape.first_child[parent] - 1, shape.n_children[parent]
        sums = np.concatenate([[0.0], np.cumsum(target)])
        target -= (sums[first + count] - sums[first]) / count
        self.V[1:] += (target - self.V[1:] @ z)[:, None] * gain[place[parent]]

    def _refresh(self) -> None:
        """Whitening matrices and log determinants of the noise."""
        covariance = self._covariance()
        chol = np.linalg.cholesky(covariance)
        self.white = np.linalg.inv(chol)
        self.log_det = np.log(np.einsum("kii->ki", chol)).sum(axis=1)

    def _covariance(self) -> Floats:
        """Covariances of the noise above their floor, (K, d, d)."""
        rss, mass = self.rss, self.mass
        if self.tied:
            rss = np.broadcast_to(rss.sum(axis=0), rss.shape)
            mass = np.full_like(mass, mass.sum())
        covariance = rss / np.maximum(mass, np.finfo(float).tiny)[:, None, None]
        scaled = covariance / (self.floor[:, None] * self.floor)
        values, vectors = np.linalg.eigh(scaled)
        scaled = (vectors * np.maximum(values, 1.0)[:, None, :]) @ vectors.transpose(0, 2, 1)
        return scaled * (self.floor[:, None] * self.floor)

    # -------------------------------------------------------------------- what was learned

    def params(self) -> MoEParams:
        """Parameters of the model as they stand."""
        last = self.shape.first_child + self.shape.n_children - 1
        relative = self.V[1:] - self.V[last[self.shape.parent[1:]]]
        free = np.ones(self.shape.n_nodes, dtype=bool)
        free[0] = False
        free[last[self.shape.inner]] = False
        gate = TreeParams(relative[free[1:]], self.shape)
        return MoEParams(gate, (_with_noise(self.like.experts[0], self.U, self._covariance()),))


def recursion(R: Floats, z: Floats, h: Floats, keep: float) -> tuple[Floats, Floats, Floats]:
    """One exact step of weighted recursive least squares for m systems.

    Parameters
    ----------
    R : (m, q, q) inverse weighted Grams
    z : (q,) row of the design
    h : (m,) weights of the row, positive
    keep : forgetting factor

    Returns
    -------
    R : (m, q, q) with the row taken in
    gain : (m, q), ``h R z``: what an error moves the coefficients by
    leverage : (m,), ``h z' R z``
    """
    Rz = R @ z
    spread = Rz @ z
    below = keep / h + spread
    new = R - Rz[:, :, None] * (Rz / below[:, None])[:, None, :]
    size = np.einsum("mii->m", new)
    new /= np.where(size < _MOST, keep, 1.0)[:, None, None]
    return new, Rz / below[:, None], spread / below


# ------------------------------------------------------------------------- records and arrays


def _all_rows(gate: TreeParams) -> Floats:
    """Gate coefficients of all nodes, zero for last children and the root, (N, q)."""
    shape, rows = gate.shape, np.zeros((gate.shape.n_nodes, gate.coef.shape[1]))
    for family in shape.families:
        full = np.zeros((family.nodes.size, family.size, gate.coef.shape[1]))
        full[:, :-1] = gate.coef[family.rows].reshape(full[:, :-1].shape)
        # Targets are centred over siblings; so are the coefficients that the recursion starts with.
        full -= full.mean(axis=1, keepdims=True)
        rows[family.children] = full.reshape(-1, gate.coef.shape[1])
    return rows


def _inverses(gram: Floats) -> Floats:
    """Inverses of Gram matrices (m, q, q); directions never seen get a large, finite one."""
    if not len(gram):
        return gram
    size = np.einsum("mii->m", gram) / gram.shape[1]
    ridge = np.maximum(_UNSEEN * size, np.finfo(float).tiny ** 0.5)
    return np.linalg.inv(gram + ridge[:, None, None] * np.eye(gram.shape[1]))


def _covariances(params: Any, K: int) -> Floats:
    """Covariances of the noise of K experts, (K, d, d)."""
    d = params.coef.shape[1]
    if hasattr(params, "chol"):
        covariance = params.covariance
    else:
        scale = np.broadcast_to(params.scale, (len(params.scale), d))
        covariance = scale[:, :, None] ** 2 * np.eye(d)
    return np.broadcast_to(covariance, (K, d, d)).copy()


def _with_noise(params: Any, coef: Floats, covariance: Floats) -> Any:
    """The record with new coefficients and covariances, in the form that it has."""
    if hasattr(params, "chol"):
        return replace(params, coef=coef, chol=np.linalg.cholesky(covariance)[: len(params.chol)])
    variance = np.einsum("kii->ki", covariance)
    if params.scale.shape[1] < variance.shape[1]:
        variance = variance.mean(axis=1, keepdims=True)
    return replace(params, coef=coef, scale=np.sqrt(variance)[: len(params.scale)])
