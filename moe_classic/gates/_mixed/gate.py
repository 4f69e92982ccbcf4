"""Mixed gate: every expert describes each column of x by an exponential family of its own kind.

::

    log_joint_k(x) = log pi_k + sum_j log f_j(x_j | v_kj)
    g_k(x) = exp(log_joint_k) / sum_l exp(log_joint_l)

where missing values are left out of the sum. The log odds of two experts are linear in the
sufficient statistics. Step: ``E[t_j] = sum h t_j / sum h`` over the rows in which column j is
known, an exact M-step of the likelihood of (x, y) jointly. Jordan & Xu (1995), Convergence results
for the EM approach to mixtures of experts architectures, Neural Networks 8, after Xu, Jordan &
Hinton (1995).
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import (
    ComponentTerms,
    Forward,
    Regions,
    Units,
    block_diagonal,
    joined_terms,
    proportion_terms,
)
from moe_classic._data import Design, DesignMap, Summary
from moe_classic._numerics import choose
from moe_classic._typing import Bools, Floats, Ints
from moe_classic.gates._base import Gate, GateRow
from moe_classic.gates._constant import SMALLEST, vanished_proportions

from .columns import check_families, described, floor_of, unseen
from .families import FAMILIES, Column
from .graph import statistics_node
from .places import MixedGateParams, MixedStats, Place
from .shown import column_terms, density_of, table_rows

#: Smallest variance that is told apart from rounding, in standardised units.
_SMALLEST_VARIANCE = 1e-10
#: Variance of a column, in smallest variances, that makes an expert with the smallest a spike.
_SPIKE = 1e3
#: An expert with less than this share of the weight keeps its parameters for the round.
_STARVED = 1e-8


class MixedGate(Gate):
    """Products of exponential families over x, one a column; the gate is their posterior.

    For tables of unlike columns: measurements, indicators, categories, counts, waiting times. As
    with a :class:`GaussianGate`, EM climbs the likelihood of (x, y) jointly: ``trace_`` is that
    likelihood, while scores and predictions use the conditional density of y. Within an expert
    columns are independent. Counts and categories are never standardised.

    Parameters
    ----------
    families : "auto" or dict, default="auto"
        Families of columns, by name or by index among the features of the gate: ``"gaussian"``,
        ``"bernoulli"`` (0 and 1), ``"categorical"`` (whole numbers as codes), ``"poisson"``
        (counts), ``"gamma"`` (> 0) or ``"exponential"`` (>= 0). Columns that a dict leaves out,
        and all with "auto", are taken as bernoulli if they hold 0 and 1 only, poisson if they hold
        whole numbers >= 0 of mean 20 at most and one Poisson density is likelier than one normal,
        gamma if they are positive and one gamma density is likelier, else as gaussian, bent where
        that is likelier (Notes). Codes of categories look like counts: name them.
    features : None, list of column names or indices, or transformer, default=None
        What the gate sees of X; see :class:`SoftmaxGate`.
    reg_covar : float, default=1e-6
        Smallest variance of continuous columns, in units of theirs (of logarithms, for gamma;
        with ``standardize=False`` in those of X, squared). Columns whose values repeat have at
        least the variance of an interval between values, as with a :class:`GaussianGate`.
    prior : float, default=1e-3
        Weight of a typical row, as a share of that of all rows, that every expert has seen before
        the first in its Bernoulli, categorical and Poisson columns: an expert with no ones, no
        rows of a category or no counts does not rule them out. Part of the objective.

    Notes
    -----
    Columns that nobody named and that have long tails are described as with a
    :class:`GaussianGate`, by normal densities of ``asinh((x - m) / u)``; tables call them
    ``asinh(name)``. So are counts that vary more than Poisson's: a family that cannot carry how a
    column varies makes experts differ by that column instead of by y. A family that is named is
    taken at its word, as is every column with ``standardize=False``.

    A value that no expert can draw, such as a category that was not in the training data, says
    nothing: like a missing one, NaN, it is left out of the product, in fits and in predictions.
    Experts that see such columns must take them missing too, or see others by ``features=``.

    References
    ----------
    Jordan & Xu (1995), Convergence results for the EM approach to mixtures of experts
    architectures, Neural Networks 8.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.gates import MixedGate
    >>> rng = np.random.default_rng(0)
    >>> z = rng.random(300) < 0.5
    >>> X = np.column_stack([rng.normal(size=300), rng.poisson(np.where(z, 3.0, 5.0))])
    >>> y = np.where(z, X[:, 0], 4.0 - X[:, 0]) + 0.3 * rng.normal(size=300)
    >>> moe = MoERegressor(2, gate=MixedGate(), random_state=0).fit(X, y)
    >>> moe.gate_.families_
    {'x0': 'gaussian', 'x1': 'poisson'}
    """

    name: ClassVar[str] = "mixed"
    generative: ClassVar[bool] = True
    plain: ClassVar[bool] = True
    own_units: ClassVar[bool] = True
    takes_missing = True
    #: What is known of the columns once the gate has seen them.
    _columns: tuple[Column, ...] | None = None
    #: Smallest variances that repeated values ask for, times what starts need; (p,).
    _within: Floats | None = None

    def __init__(
        self,
        *,
        families: Any = "auto",
        features: Any = None,
        reg_covar: float = 1e-6,
        prior: float = 1e-3,
    ) -> None:
        self.families = families
        self.features = features
        self.reg_covar = reg_covar
        self.prior = prior

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        check_families(self.families)
        if not (isinstance(self.reg_covar, Real) and 0.0 <= self.reg_covar < np.inf):
            raise ValueError(
                f"MixedGate: reg_covar={self.reg_covar!r} must be a finite number >= 0."
            )
        if not (isinstance(self.prior, Real) and 0.0 < self.prior <= 1.0):
            raise ValueError(
                f"MixedGate: prior={self.prior!r} must lie in (0, 1], a share of the weight of "
                "all rows."
            )

    # -------------------------------------------------------------------- what it has seen

    def seeing(
        self, design: DesignMap, raw: Floats, w: Floats, *, standardize: bool
    ) -> tuple[MixedGate, DesignMap]:
        """The gate that knows its columns, and its design in units that suit them."""
        knowing = copy(self)
        knowing._columns, design = described(
            self.families, design, raw, w, self._low, standardize=standardize
        )
        return knowing, design

    def informed(self, Z: Floats, w: Floats) -> MixedGate:
        """The gate with variances that columns must have where their values repeat."""
        knowing = copy(self)
        knowing._within = np.array(
            [
                floor_of(p.column, z, w)
                for p, z in zip(self._places(2 * (len(Z) - 1)), Z[:-1], strict=True)
            ]
        )
        return knowing

    def guarded(self) -> MixedGate:
        """The gate with twice those variances: pure levels are then worth less than the target."""
        if self._within is None:
            return self
        wide = copy(self)
        wide._within = 2.0 * self._within
        return wide

    @property
    def _low(self) -> float:
        """Smallest variance."""
        return max(self.reg_covar, _SMALLEST_VARIANCE)

    def _places(self, values: int | None = None) -> Iterator[Place]:
        """All columns, in order; before rows were seen as many normal ones as ``values`` tell."""
        columns = self._columns
        if columns is None:
            columns = (unseen("gaussian", self._low),) * ((values or 0) // 2)
        v = j = t = 0
        for number, column in enumerate(columns):
            family = FAMILIES[column.family]
            if self._within is not None:
                column = replace(column, floor=max(column.floor, float(self._within[number])))
            V, J, T = family.width(column.levels)
            places = slice(v, v + V), slice(j, j + J), slice(t, t + T)
            yield Place(number, column, family, *places)
            v, j, t = v + V, j + J, t + T

    def _of(self, params: MixedGateParams) -> list[Place]:
        """Columns of these parameters."""
        return list(self._places(params.values.shape[1]))

    def start(self, n_experts: int, width: int, summary: Summary) -> MixedGateParams:
        """The densities of all rows for every expert."""
        typical = [p.column.typical for p in self._places(2 * (width - 1))]
        values = np.concatenate([np.empty(0), *typical])
        return MixedGateParams(np.full(n_experts, 1.0 / n_experts), np.tile(values, (n_experts, 1)))

    def degenerate(self, params: MixedGateParams) -> Bools:
        """Experts with next to no variance in a column in which others have some, (K,)."""
        K = len(params.proportions)
        found = np.zeros(K, dtype=bool)
        for p in self._of(params) if K > 1 else []:
            if not (p.family.centred or p.family.scaled) or p.column.floor > self._low:
                continue  # repeated values have their variance from the start, and are none
            variance = p.family.variances(params.values[:, p.v])
            mean = params.values[:, p.v.start]
            apart = params.proportions @ np.square(mean - params.proportions @ mean)
            spread = variance.max() if p.column.family == "gamma" else variance.max() + apart
            found |= (variance <= self._low * (1.0 + 1e-6)) & (spread > _SPIKE * self._low)
        return found

    # -------------------------------------------------------------------- evaluation

    def forward(self, params: MixedGateParams, design: Design) -> Forward:
        """Log pi_k + sum_j log f_j, (K, n), and the sufficient statistics (T, n)."""
        places = self._of(params)
        t, base = self._statistics(places, design.Z)
        log_prob = self._natural(places, params) @ t + base
        log_prob += np.log(np.maximum(params.proportions, SMALLEST))[:, None]
        return Forward(log_prob, None, t)

    @staticmethod
    def _statistics(places: list[Place], Z: Floats) -> tuple[Floats, Floats]:
        """Sufficient statistics of all columns (T, n), and what experts have in common (n,)."""
        t, base = np.empty((places[-1].t.stop if places else 0, Z.shape[1])), np.zeros(Z.shape[1])
        for p in places:
            t[p.t] = p.family.statistics(Z[p.number], p.column.levels)
            base += p.family.base(Z[p.number], p.column.levels)
        return t, base

    @staticmethod
    def _natural(places: list[Place], params: MixedGateParams) -> Floats:
        """Natural parameters of all columns, (K, T)."""
        parts = [p.family.natural(params.values[:, p.v]) for p in places]
        return np.concatenate([np.empty((len(params.proportions), 0)), *parts], axis=1)

    def curvature(self, params: MixedGateParams, fwd: Forward, S: Floats) -> Floats:
        """No Gram matrix is needed."""
        return S[:0]

    def statistics(
        self, params: MixedGateParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> MixedStats:
        """Masses, and sums of the sufficient statistics."""
        return MixedStats(S.sum(axis=1), S @ fwd.work.T)

    def update(
        self, params: MixedGateParams, stats: MixedStats, summary: Summary
    ) -> MixedGateParams:
        """Densities whose expected statistics are their weighted means."""
        values, least = params.values.copy(), _STARVED * summary.weight
        for p in self._of(params):
            sums = stats.sums[:, p.t] + self.prior * summary.weight * p.column.prior
            fed = (p.family.mass(stats.sums[:, p.t]) > least) & (p.family.mass(sums) > least)
            values[fed, p.v] = p.family.fitted(sums[fed], p.column.floor)
        return MixedGateParams(stats.mass / stats.mass.sum(), values)

    def translate(
        self, stats: MixedStats, old: MixedGateParams, new: MixedGateParams
    ) -> MixedStats:
        """The same: these sums do not refer to the parameters."""
        return stats

    # -------------------------------------------------------------------- derivatives

    def gradient(self, params: MixedGateParams, design: Design, S: Floats) -> Floats:
        """Gradient of ``sum S log_joint`` for any signed ``S``, (n_theta,)."""
        places, mass = self._of(params), S.sum(axis=1)
        sums = S @ self._statistics(places, design.Z)[0].T
        d_pi = (mass - params.proportions * mass.sum())[:-1]
        return np.concatenate([d_pi, self._sloped(places, params, sums).ravel()])

    @staticmethod
    def _sloped(places: list[Place], params: MixedGateParams, sums: Floats) -> Floats:
        """Derivatives of ``natural . sums`` in the coordinates, for sums (K or 1, T); (K, J)."""
        parts = [
            (p.family.slopes(params.values[:, p.v]) @ sums[:, p.t, None])[..., 0] for p in places
        ]
        return np.concatenate([np.empty((len(params.proportions), 0)), *parts], axis=1)

    @staticmethod
    def _bent(places: list[Place], params: MixedGateParams, sums: Floats) -> Floats:
        """Second derivatives likewise, (K, J, J)."""
        J = places[-1].j.stop if places else 0
        out = np.zeros((len(params.proportions), J, J))
        for p in places:
            bends = p.family.bends(params.values[:, p.v])
            out[:, p.j, p.j] = (bends @ sums[:, None, p.t, None])[..., 0]
        return out

    def derivatives(
        self, params: MixedGateParams, fwd: Forward, S: Floats
    ) -> tuple[Floats, Floats]:
        """Derivatives of ``log_joint`` in all coordinates; see :class:`GaussianGate`."""
        places, K = self._of(params), len(params.proportions)
        g, J = params.proportions[:-1], places[-1].j.stop if places else 0
        first, curvature = np.zeros((K - 1 + K * J, K, S.shape[1])), np.zeros((K - 1 + K * J,) * 2)
        first[: K - 1] = (np.eye(K - 1, K) - g[:, None])[:, :, None]
        curvature[: K - 1, : K - 1] = (np.diag(g) - np.outer(g, g)) * S.sum()
        bent = self._bent(places, params, S @ fwd.work.T)
        for k in range(K):
            mine = slice(K - 1 + k * J, K - 1 + (k + 1) * J)
            for p, own in ((p, first[mine, k]) for p in places):
                own[p.j] = p.family.slopes(params.values[k : k + 1, p.v])[0] @ fwd.work[p.t]
            curvature[mine, mine] = -bent[k]
        return first, curvature

    def _prior(self, places: list[Place], summary: Summary) -> Floats:
        """Sums of the rows that every expert has seen before the first, (1, T)."""
        parts = [p.column.prior for p in places]
        return self.prior * summary.weight * np.concatenate([np.empty(0), *parts])[None]

    def penalty_value(self, params: MixedGateParams, summary: Summary) -> float:
        """What typical rows lose under the densities of the experts, times their weight."""
        places = self._of(params)
        best = self.start(1, len(places) + 1, summary)
        lost = self._natural(places, best) - self._natural(places, params)
        return float((lost @ self._prior(places, summary)[0]).sum())

    def penalty_gradient(self, params: MixedGateParams, summary: Summary) -> Floats:
        """Gradient of the penalty with respect to theta, (n_theta,)."""
        places, K = self._of(params), len(params.proportions)
        sloped = self._sloped(places, params, self._prior(places, summary))
        return np.concatenate([np.zeros(K - 1), -sloped.ravel()])

    def penalty_hessian(self, params: MixedGateParams, summary: Summary) -> Floats:
        """Hessian of the penalty with respect to theta, (n_theta, n_theta)."""
        places, K = self._of(params), len(params.proportions)
        bent = self._bent(places, params, self._prior(places, summary))
        return block_diagonal([np.zeros((K - 1, K - 1)), *(-bent)])

    # -------------------------------------------------------------------- packing

    def pack(self, params: MixedGateParams) -> Floats:
        """Logits of the proportions, then coordinates of all densities, expert by expert."""
        log_pi = np.log(np.maximum(params.proportions, SMALLEST))
        parts = [p.family.pack(params.values[:, p.v]) for p in self._of(params)]
        own = np.concatenate([np.empty((log_pi.size, 0)), *parts], axis=1)
        return np.concatenate([log_pi[:-1] - log_pi[-1], own.ravel()])

    def unpack(self, theta: Floats, like: MixedGateParams, summary: Summary) -> MixedGateParams:
        """Inverse of :meth:`pack`; variances are at least the smallest."""
        K = len(like.proportions)
        eta = np.append(theta[: K - 1], 0.0)
        g = np.exp(eta - eta.max())
        own, values = theta[K - 1 :].reshape(K, -1), np.empty(like.values.shape)
        for p in self._of(like):
            values[:, p.v] = p.family.bounded(p.family.unpack(own[:, p.j]), p.column.floor)
        return MixedGateParams(g / g.sum(), values)

    def reorder(self, params: MixedGateParams, order: np.ndarray) -> MixedGateParams:
        """Parameters for experts in a new order."""
        return MixedGateParams(params.proportions[order], params.values[order])

    # -------------------------------------------------------------------- draws

    def sample_rows(
        self, params: MixedGateParams, n: int, rng: np.random.Generator
    ) -> tuple[Ints, Floats]:
        """Experts from their proportions, columns from their densities."""
        z = choose(np.repeat(params.proportions[:, None], n, axis=1), rng)
        places = self._of(params)
        drawn = [p.family.draw(params.values[z, p.v], p.column.levels, rng) for p in places]
        return z, np.column_stack([np.empty((n, 0)), *drawn])

    def draw(self, params: MixedGateParams, regions: Regions) -> MixedGateParams:
        """Normal densities around the centres, for gates of normal columns."""
        if any(p.column.family != "gaussian" for p in self._of(params)):
            raise ValueError(
                "make_moe draws features around centres of regions, so that a MixedGate must be "
                "of gaussian columns; leave families at 'auto'."
            )
        centres = regions.centres
        size = regions.size * np.sqrt(regions.rng.uniform(0.25, 1.0, centres.shape))
        return MixedGateParams(
            regions.shares, np.stack([centres, size], axis=2).reshape(len(centres), -1)
        )

    # -------------------------------------------------------------------- what users see

    def shown(self, params: MixedGateParams, design: DesignMap) -> dict[str, Any]:
        """Proportions, families, and values of the densities by feature."""
        families, densities = {}, {}
        for p in self._of(params):
            name = design.names[p.number]
            families[name] = p.column.family
            densities[name] = density_of(p, params.values[:, p.v], design)
        return {"weights_": params.proportions, "families_": families, "densities_": densities}

    def redundant(self, params: MixedGateParams, null: Floats) -> int:
        """Values of normal columns that do not vary."""
        constant = np.linalg.norm(null[:-1], axis=1) > 1.0 - 1e-3
        mine = [p for p in self._of(params) if p.family.centred and constant[p.number]]
        return 2 * len(params.proportions) * len(mine)

    def rows(self, shown: dict[str, Any], names: tuple[str, ...], K: int) -> list[GateRow]:
        """Proportion, and the values of every density, of each expert."""
        return table_rows(shown)

    def terms(self, params: MixedGateParams, units: Units) -> ComponentTerms:
        """Proportions, and the values of all densities."""
        parts = [
            column_terms(p, label, k, units)
            for k, label in enumerate(units.labels)
            for p in self._of(params)
        ]
        return joined_terms([proportion_terms(units.labels), *parts])

    def vanished(self, params: MixedGateParams) -> Ints:
        """Proportions of zero."""
        return vanished_proportions(params)

    def about(self, params: MixedGateParams, features: Ints) -> Ints:
        """Coordinates that describe some of the features."""
        places, K = self._of(params), len(params.proportions)
        J = places[-1].j.stop if places else 0
        own = [np.arange(p.j.start, p.j.stop) for p in places if p.number in features]
        here = np.concatenate([np.empty(0, dtype=np.intp), *own])
        return (K - 1 + J * np.arange(K)[:, None] + here).ravel()

    def graph(self, graph: Any, params: MixedGateParams, linear: Any) -> str:
        """Softmax of ``log pi + natural . t``."""
        places = self._of(params)
        constant = graph.constant(np.log(np.maximum(params.proportions, SMALLEST)))
        axes = np.eye(len(places), len(places) + 1)
        logits = linear(np.zeros((len(params.proportions), len(places) + 1)))
        if places:
            columns = [linear(axes[p.number : p.number + 1]) for p in places]
            parts = [
                statistics_node(graph, p.column, z) for p, z in zip(places, columns, strict=True)
            ]
            t = graph.node("Concat", *parts, axis=1)
            logits = graph.node("MatMul", t, graph.constant(self._natural(places, params).T.copy()))
        return str(graph.node("Softmax", graph.node("Add", logits, constant), axis=1))
