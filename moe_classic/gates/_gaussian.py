"""Gaussian gate: every expert has a normal density of its own over x.

::

    log_joint_k(x) = log pi_k + log N(x | m_k, C_k)
    g_k(x) = exp(log_joint_k) / sum_j exp(log_joint_j)

Step: weighted proportions, means and covariances; an exact M-step of the likelihood of (x, y)
jointly, which EM climbs in a single loop. Xu, Jordan & Hinton (1995), An alternative model for
mixtures of experts, equations 8-13.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import (
    CORRELATION,
    CORRELATION_KIND,
    LINE,
    MEAN,
    POSITIVE,
    STD,
    WEIGHT,
    ComponentTerms,
    Forward,
    Regions,
    Units,
    block_diagonal,
    covariance_moments,
    differences,
    joined_terms,
    normal_curvature,
    normal_scores,
    pack_field,
    proportion_terms,
    unpack_field,
)
from moe_classic._data import Design, DesignMap, Stats, Summary
from moe_classic._numerics import atom_variance, choose, floored_cholesky, unpack_symmetric
from moe_classic._typing import Bools, Floats, Ints

from ._base import Gate, GateRow
from ._constant import SMALLEST, vanished_proportions

_COVARIANCES = ("full", "diag", "tied")
#: Smallest variance that is told apart from rounding, in standardised units.
_SMALLEST_VARIANCE = 1e-10
#: Variance of all rows, in smallest variances, that makes an expert with the smallest a spike.
_SPIKE = 1e3
#: Norm of a row of a null space that is all of its axis.
_WHOLE = 0.999
#: An expert with less than this share of the weight keeps its parameters for the round.
_STARVED = 1e-8


@dataclass(frozen=True)
class GaussianGateParams:
    """Proportions (K,), means (K, p), Cholesky factors (K or 1, p, p) of the covariances."""

    proportions: Floats
    means: Floats
    chol: Floats


@dataclass(frozen=True)
class MomentStats(Stats):
    """Packed weighted second moments (K, q (q + 1) / 2) of the design about its fixed origin."""

    gram: Floats


class GaussianGate(Gate):
    """Normal densities over x; the gate is their posterior.

    EM then climbs the likelihood of (x, y) jointly: ``trace_`` is that likelihood, while scores
    and predictions use the conditional density of y.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the gate sees of X; see :class:`SoftmaxGate`.
    covariance_type : {"full", "diag", "tied"}, default="full"
        Covariances of x: one an expert, diagonal ones, or one shared by all experts (the gate is
        then linear in x).
    reg_covar : float, default=1e-6
        Smallest variance in any direction, in standardised units (with ``standardize=False`` in
        those of X, squared): keeps the likelihood finite where columns are constant or collinear.
        Columns whose values repeat (indicators, counts, rounded values, many zeros) have at least
        the variance of an interval between values, of h^2 / 12, so that no density shrinks on to
        one of them.

    References
    ----------
    Xu, Jordan & Hinton (1995), An alternative model for mixtures of experts, NIPS 7.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import make_piecewise_linear
    >>> from moe_classic.gates import GaussianGate
    >>> X, y = make_piecewise_linear(200, random_state=0)
    >>> gate = GaussianGate(covariance_type="diag")
    >>> moe = MoERegressor(2, gate=gate, random_state=0).fit(X, y)
    >>> moe.gate_proba(X).shape
    (200, 2)
    """

    name: ClassVar[str] = "gaussian"
    generative: ClassVar[bool] = True
    plain: ClassVar[bool] = True
    #: Variances within the intervals that repeated values of a column stand for, (p,).
    _within: Floats | None = None

    def __init__(
        self, *, features: Any = None, covariance_type: str = "full", reg_covar: float = 1e-6
    ) -> None:
        self.features = features
        self.covariance_type = covariance_type
        self.reg_covar = reg_covar

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        if self.covariance_type not in _COVARIANCES:
            raise ValueError(
                f"GaussianGate: covariance_type={self.covariance_type!r} is not known; choose one "
                f"of {_COVARIANCES}."
            )
        if not (isinstance(self.reg_covar, Real) and 0.0 <= self.reg_covar < np.inf):
            raise ValueError(
                f"GaussianGate: reg_covar={self.reg_covar!r} must be a finite number >= 0."
            )

    def start(self, n_experts: int, width: int, summary: Summary) -> GaussianGateParams:
        """The same standard normal for every expert."""
        p = width - 1
        factors = 1 if self.covariance_type == "tied" else n_experts
        return GaussianGateParams(
            np.full(n_experts, 1.0 / n_experts),
            np.zeros((n_experts, p)),
            np.tile(np.eye(p), (factors, 1, 1)),
        )

    def informed(self, Z: Floats, w: Floats) -> GaussianGate:
        """The gate with variances that each column must have where its values repeat."""
        seen = ~np.isnan(Z[:-1])
        pairs = zip(Z[:-1], seen, strict=True)
        within = np.array([atom_variance(x[mine], w[mine]) for x, mine in pairs])
        if not (within > self._low).any():
            return self
        knowing = copy(self)
        knowing._within = within
        return knowing

    def guarded(self) -> GaussianGate:
        """The gate with twice those variances: pure levels are then worth less than the target."""
        if self._within is None:
            return self
        wide = copy(self)
        wide._within = 2.0 * self._within
        return wide

    def unbounded(self) -> GaussianGate:
        """The gate with next to no smallest variance, for differences of parameters."""
        free = copy(self)
        free.reg_covar, free._within = 0.0, None
        return free

    @property
    def _low(self) -> float:
        """Smallest variance of any direction."""
        return max(self.reg_covar, _SMALLEST_VARIANCE)

    def degenerate(self, params: GaussianGateParams) -> Bools:
        """Experts with next to no variance in a direction in which others have some, (K,).

        Repeated values have theirs from the start, and are none.
        """
        K, p = params.means.shape
        if self.covariance_type == "tied" or K == 1 or not p:
            return np.zeros(K, dtype=bool)
        covariance = params.chol @ params.chol.transpose(0, 2, 1)
        values, axes = np.linalg.eigh(covariance)
        apart = params.means - params.proportions @ params.means
        spread = covariance + apart[:, :, None] * apart[:, None, :]
        whole = np.einsum("k,kij->ij", params.proportions, spread)
        along = np.einsum("kid,ij,kjd->kd", axes, whole, axes)
        spike = (values <= self._low * (1.0 + 1e-6)) & (along > _SPIKE * self._low)
        return np.asarray(spike.any(axis=1))

    # -------------------------------------------------------------------- evaluation

    def forward(self, params: GaussianGateParams, design: Design) -> Forward:
        """Log pi_k + log N(x | m_k, C_k), (K, n)."""
        K, p = params.means.shape
        P = np.linalg.solve(params.chol, np.eye(p)[None]) if p else params.chol
        shift = -(P @ params.means[:, :, None])
        white = design.linear(np.concatenate([np.broadcast_to(P, (K, p, p)), shift], axis=2))
        log_det = np.log(np.einsum("kii->ki", params.chol)).sum(axis=1)
        constant = np.log(np.maximum(params.proportions, SMALLEST)) - log_det
        constant = constant - 0.5 * p * np.log(2.0 * np.pi)
        log_prob = constant[:, None] - 0.5 * np.einsum("kin,kin->kn", white, white)
        return Forward(log_prob, None, white)

    def curvature(self, params: GaussianGateParams, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams: the responsibilities themselves."""
        return S

    def statistics(
        self, params: GaussianGateParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> MomentStats:
        """Weighted second moments; the constant column brings masses and sums along."""
        return MomentStats(grams)

    def update(
        self, params: GaussianGateParams, stats: MomentStats, summary: Summary
    ) -> GaussianGateParams:
        """Weighted proportions, means and covariances."""
        p = params.means.shape[1]
        M = unpack_symmetric(stats.gram, p + 1)
        mass = M[:, -1, -1]
        safe = np.maximum(mass, np.finfo(float).tiny)
        means = M[:, :-1, -1] / safe[:, None]
        scatter = M[:, :-1, :-1] - mass[:, None, None] * means[:, :, None] * means[:, None, :]
        starved = mass <= _STARVED * summary.weight
        if self.covariance_type == "tied":
            covariance = scatter.sum(axis=0, keepdims=True) / mass.sum()
        else:
            covariance = scatter / safe[:, None, None]
            covariance[starved] = np.eye(p)
        if self.covariance_type == "diag":
            covariance = covariance * np.eye(p)
        chol = self._floored(covariance)
        if self.covariance_type != "tied":
            chol[starved] = params.chol[starved]
        means[starved] = params.means[starved]
        return GaussianGateParams(mass / mass.sum(), means, chol)

    def _floored(self, covariance: Floats) -> Floats:
        """Factors of covariances whose eigenvalues are raised to the smallest variance.

        That is the maximiser of the likelihood under the bound: without one, constant or
        collinear columns make it infinite.
        """
        if not covariance.size:
            return covariance
        if self._within is None:
            return floored_cholesky(covariance, self._low)
        return floored_cholesky(covariance, 1.0, np.sqrt(np.maximum(self._low, self._within)))

    def translate(
        self, stats: MomentStats, old: GaussianGateParams, new: GaussianGateParams
    ) -> MomentStats:
        """The same: these sums do not refer to the parameters."""
        return stats

    # -------------------------------------------------------------------- derivatives

    def gradient(self, params: GaussianGateParams, design: Design, S: Floats) -> Floats:
        """Gradient of ``sum S log_joint`` for any signed ``S``, (n_theta,)."""
        return self.gradient_from_moments(params, unpack_symmetric(design.grams(S), design.width))

    def gradient_from_moments(self, params: GaussianGateParams, M: Floats) -> Floats:
        """The same from weighted second moments ``M`` (K, p + 1, p + 1) of (x, 1)."""
        K, p = params.means.shape
        mass, sums = M[:, -1, -1], M[:, :-1, -1]
        d_pi = (mass - params.proportions * mass.sum())[:-1]
        L = np.broadcast_to(params.chol, (K, p, p))
        P = np.linalg.solve(L, np.broadcast_to(np.eye(p), (K, p, p)))
        precision = P.transpose(0, 2, 1) @ P
        shift = sums - mass[:, None] * params.means
        d_means = (precision @ shift[:, :, None])[:, :, 0]
        cross = shift[:, :, None] * params.means[:, None, :]
        scatter = M[:, :-1, :-1] - sums[:, :, None] * params.means[:, None, :]
        scatter = scatter - cross.transpose(0, 2, 1)
        # d/dL of -1/2 tr(C^-1 scatter) - mass log det L, diagonal on the log scale.
        d_chol = precision @ scatter @ P.transpose(0, 2, 1)
        index = np.arange(p)
        d_chol[:, index, index] = d_chol[:, index, index] * L[:, index, index] - mass[:, None]
        if self.covariance_type == "tied":
            d_chol = d_chol.sum(axis=0, keepdims=True)
        return np.concatenate([d_pi, d_means.ravel(), self._free(d_chol).ravel()])

    def derivatives(
        self, params: GaussianGateParams, fwd: Forward, S: Floats
    ) -> tuple[Floats, Floats]:
        """Derivatives of ``log_joint`` in all A coordinates of :meth:`pack`.

        Returns
        -------
        first : ndarray of shape (A, K, n)
        curvature : ndarray of shape (A, A)
            ``- sum_n sum_k S_k d2 log_joint_k``: no coordinate multiplies a design, so that the
            sum over rows is all that the information needs.
        """
        K, p = params.means.shape
        chol = np.broadcast_to(params.chol, (K, p, p))
        kept = self._kept(p)
        d1 = normal_scores(chol, fwd.work)[:, kept]
        d2 = normal_curvature(chol, fwd.work, S)[:, kept[:, None], kept]
        g, size = params.proportions[:-1], self.pack(params).size
        first, curvature = np.zeros((size, K, S.shape[1])), np.zeros((size, size))
        first[: K - 1] = (np.eye(K - 1, K) - g[:, None])[:, :, None]
        curvature[: K - 1, : K - 1] = (np.diag(g) - np.outer(g, g)) * S.sum()
        free = kept.size - p
        for k in range(K):
            factor = 0 if self.covariance_type == "tied" else k
            start = K - 1 + K * p + factor * free
            mine = np.r_[K - 1 + k * p : K - 1 + (k + 1) * p, start : start + free]
            first[mine, k] = d1[k]
            curvature[mine[:, None], mine] -= d2[k]
        return first, curvature

    def _kept(self, p: int) -> np.ndarray:
        """Coordinates of a full normal density that are parameters."""
        rows, cols = np.tril_indices(p)
        free = np.flatnonzero((rows == cols) | (self.covariance_type != "diag"))
        return np.r_[np.arange(p), p + free]

    # -------------------------------------------------------------------- packing

    def _free(self, chol: Floats) -> Floats:
        """Entries of the factors that are parameters, (K or 1, count)."""
        p = chol.shape[-1]
        if self.covariance_type == "diag":
            return chol[:, np.arange(p), np.arange(p)]
        return chol[:, *np.tril_indices(p)]

    def pack(self, params: GaussianGateParams) -> Floats:
        """Logits of the proportions, means, log-Cholesky factors."""
        log_pi = np.log(np.maximum(params.proportions, SMALLEST))
        p = params.means.shape[1]
        if self.covariance_type == "diag":
            factors = np.log(self._free(params.chol))
        else:
            factors = pack_field("cholesky", params.chol) if p else np.empty(0)
        return np.concatenate([log_pi[:-1] - log_pi[-1], params.means.ravel(), factors.ravel()])

    def unpack(
        self, theta: Floats, like: GaussianGateParams, summary: Summary
    ) -> GaussianGateParams:
        """Inverse of :meth:`pack`."""
        K, p = like.means.shape
        eta = np.append(theta[: K - 1], 0.0)
        g = np.exp(eta - eta.max())
        means = theta[K - 1 : K - 1 + K * p].reshape(K, p).copy()
        rest = theta[K - 1 + K * p :].reshape(len(like.chol), -1)
        if self.covariance_type == "diag":
            chol = np.exp(np.clip(rest, -300.0, 300.0))[:, :, None] * np.eye(p)
        else:
            chol = unpack_field("cholesky", rest) if p else like.chol
        if p and self._below_floor(chol):
            chol = self._floored(chol @ chol.transpose(0, 2, 1))
        return GaussianGateParams(g / g.sum(), means, chol)

    def _below_floor(self, chol: Floats) -> bool:
        """Whether a covariance has less variance somewhere than it must have."""
        if self._within is None:
            return bool(np.linalg.svd(chol, compute_uv=False).min() ** 2 < self._low)
        unit = np.sqrt(np.maximum(self._low, self._within))
        return bool(np.linalg.svd(chol / unit[:, None], compute_uv=False).min() < 1.0 - 1e-12)

    def reorder(self, params: GaussianGateParams, order: np.ndarray) -> GaussianGateParams:
        """Parameters for experts in a new order."""
        chol = params.chol if len(params.chol) == 1 < len(order) else params.chol[order]
        return GaussianGateParams(params.proportions[order], params.means[order], chol)

    # -------------------------------------------------------------------- draws

    def sample_rows(
        self, params: GaussianGateParams, n: int, rng: np.random.Generator
    ) -> tuple[Ints, Floats]:
        """Experts from their proportions, features from their normal densities."""
        z = choose(np.repeat(params.proportions[:, None], n, axis=1), rng)
        K, p = params.means.shape
        chol = np.broadcast_to(params.chol, (K, p, p))
        noise = rng.standard_normal((n, p, 1))
        return z, params.means[z] + (chol[z] @ noise)[:, :, 0]

    def draw(self, params: GaussianGateParams, regions: Regions) -> GaussianGateParams:
        """Normal densities around the centres, with random covariances."""
        centres, rng = regions.centres, regions.rng
        values = rng.uniform(0.25, 1.0, params.chol.shape[:2])
        if self.covariance_type == "diag":
            factors = np.sqrt(values)[:, :, None] * np.eye(params.chol.shape[-1])
        else:
            axes = np.linalg.qr(rng.standard_normal(params.chol.shape))[0]
            factors = np.linalg.cholesky((axes * values[:, None, :]) @ axes.transpose(0, 2, 1))
        return GaussianGateParams(regions.shares, centres, regions.size * factors)

    # -------------------------------------------------------------------- what users see

    def shown(self, params: GaussianGateParams, design: DesignMap) -> dict[str, Any]:
        """Proportions, means and covariances."""
        covariance = params.chol @ params.chol.transpose(0, 2, 1)
        covariance = covariance * design.unit[:, None] * design.unit
        K = len(params.proportions)
        return {
            "weights_": params.proportions,
            "means_": design.centre + params.means * design.unit,
            "covariances_": np.broadcast_to(covariance, (K, *covariance.shape[1:])).copy(),
        }

    def redundant(self, params: GaussianGateParams, null: Floats) -> int:
        """Means and covariances of features that others determine, or that do not vary.

        Variances of their own do not feel that features depend on each other.
        """
        K, p = params.means.shape
        if self.covariance_type == "diag":
            constant = int((np.linalg.norm(null[:-1], axis=1) > _WHOLE).sum())
            return 2 * K * constant
        left = p - null.shape[1]
        entries = (p * (p + 1) - left * (left + 1)) // 2
        return K * null.shape[1] + len(params.chol) * entries

    def rows(self, shown: dict[str, Any], names: tuple[str, ...], K: int) -> list[GateRow]:
        """Proportion, and mean and standard deviation of every feature, of each expert."""
        table = []
        for k in range(K):
            row = {(WEIGHT, WEIGHT): float(shown["weights_"][k])}
            for j, name in enumerate(names):
                row[MEAN, name] = float(shown["means_"][k, j])
                row[STD, name] = float(np.sqrt(shown["covariances_"][k, j, j]))
            table.append(row)
        return table

    def terms(self, params: GaussianGateParams, units: Units) -> ComponentTerms:
        """Proportions, means, standard deviations and correlations."""
        K, p = params.means.shape
        design = units.design
        heads = [("gate", label, MEAN, name) for label in units.labels for name in design.names]
        means = ComponentTerms(
            heads,
            [LINE] * (K * p),
            heads,
            lambda params: (design.centre + params.means * design.unit).ravel(),
            lambda params: np.diag(np.tile(design.unit, K)),
        )
        return joined_terms(
            [proportion_terms(units.labels), means, self._spread_terms(params, units)]
        )

    def _spread_terms(self, like: GaussianGateParams, units: Units) -> ComponentTerms:
        """Standard deviations and correlations of the features."""
        names, p = units.design.names, len(units.design.names)
        owners = units.labels if len(like.chol) == len(units.labels) else ["all"]
        rows, cols = np.tril_indices(p)
        lower = [
            (STD, names[a]) if a == b else (CORRELATION_KIND, f"{names[a]}, {names[b]}")
            for a, b in zip(rows, cols, strict=True)
        ]
        # Of a diagonal factor only the diagonal is free.
        free = np.flatnonzero((rows == cols) | (self.covariance_type != "diag"))
        terms = [(STD, name) for name in names]
        terms += [lower[i] for i in free if rows[i] != cols[i]]
        scale = np.concatenate([units.design.unit, np.ones(len(terms) - p)])

        def spread(free_entries: Floats) -> Floats:
            entries = np.zeros(rows.size)
            entries[free] = free_entries
            moments = covariance_moments(unpack_field("cholesky", entries[None])[0])
            return scale * moments[: len(terms)]

        def entries_of(chol: Floats) -> Floats:
            return pack_field("cholesky", chol[None])[0][free]

        return ComponentTerms(
            [("gate", owner, *term) for owner in owners for term in terms],
            ([POSITIVE] * p + [CORRELATION] * (len(terms) - p)) * len(owners),
            [("gate", owner, *lower[i]) for owner in owners for i in free],
            lambda params: np.concatenate([spread(entries_of(L)) for L in params.chol]),
            lambda params: block_diagonal(
                [differences(spread, entries_of(L)) for L in params.chol]
            ),
        )

    def vanished(self, params: GaussianGateParams) -> Ints:
        """Proportions of zero."""
        return vanished_proportions(params)

    def about(self, params: GaussianGateParams, features: Ints) -> Ints:
        """Means, and entries of the factors, of some features."""
        K, width = params.means.shape
        means = K - 1 + np.arange(K * width).reshape(K, width)[:, features]
        rows, cols = np.tril_indices(width)
        rest = np.arange(K - 1 + K * width, self.pack(params).size).reshape(len(params.chol), -1)
        lower = np.flatnonzero(np.isin(rows, features) | np.isin(cols, features))
        if rest.shape[1] == width:
            lower = features
        return np.concatenate([means.ravel(), rest[:, lower].ravel()])

    def graph(self, graph: Any, params: GaussianGateParams, linear: Any) -> str:
        """Softmax of ``log pi - log det L - |L^-1 (z - m)|^2 / 2``."""
        K, p = params.means.shape
        P = np.broadcast_to(np.linalg.inv(params.chol), (K, p, p))
        shift = -(P @ params.means[:, :, None])
        white = linear(np.concatenate([P, shift], axis=2).reshape(K * p, p + 1))
        cube = graph.reshape(graph.node("Mul", white, white), K, p)
        half = graph.node("Mul", graph.total(cube, 2), graph.constant(np.array(-0.5)))
        log_det = np.log(np.einsum("kii->ki", params.chol)).sum(axis=1)
        constant = np.log(np.maximum(params.proportions, SMALLEST)) - log_det
        return str(graph.node("Softmax", graph.node("Add", half, graph.constant(constant)), axis=1))
