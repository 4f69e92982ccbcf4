"""Where to start: a portfolio of responsibilities on a bounded sample, short runs, the best go on.

Everything random is a function of the *content* of the rows, never of their position: the sample
is cut by a hash of each row, equal rows are merged, and picks are made on the weights. So a fit
does not depend on the order of the rows, and a weight of 2 equals a repeated row, in the start too.

References
----------
Biernacki, Celeux & Govaert (2003), Choosing starting values for the EM algorithm, Computational
Statistics & Data Analysis 41: short runs of EM. Random elemental subsets assigned by residual:
Rousseeuw (1984), Least median of squares regression, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, cycle, islice

import numpy as np
from sklearn.cluster import KMeans

from moe_classic._data import Source, Summary
from moe_classic._engine import one_thread
from moe_classic._model import Model, MoEParams, stack, stackable, unstack
from moe_classic._numerics import solve_psd
from moe_classic._objectives import update_under
from moe_classic._typing import Floats, Ints

from .clusters import FEW, few_clusters
from .thresholds import affordable_features, best_cut

#: Share of a row that goes to the expert it is assigned to; the rest is spread evenly.
CERTAINTY = 0.9
#: Parameter of the Dirichlet distribution of random shares: 1 is any shares, large ones are equal.
_EVENNESS = 1.5
#: Steps of k-means at most.
_LLOYD = 30
#: Updates under fixed responsibilities: Newton components need a few.
_WARM_UPDATES = 3


# ------------------------------------------------------------------------- the sample


# ------------------------------------------------------------------------- the portfolio


@dataclass(frozen=True)
class StartData:
    """What the portfolio looks at: standardised features (m, p), targets (m, d) and weights."""

    X: Floats
    target: Floats
    w: Floats
    n_experts: int

    def pick(self, count: int, rng: np.random.Generator) -> Ints:
        """Rows drawn in proportion to their weights, with replacement."""
        below = np.cumsum(self.w)
        return np.searchsorted(below, rng.random(count) * below[-1], side="right").clip(
            max=self.w.size - 1
        )

    def cut(self, position: Floats, shares: Floats | None = None) -> Ints:
        """Segments of equal weight, or of ``shares`` (K,) of it, along ``position`` (m,)."""
        order = np.argsort(position, kind="stable")
        middle = np.cumsum(self.w[order]) - 0.5 * self.w[order]
        label = np.empty(position.size, dtype=np.intp)
        if shares is None:
            label[order] = (middle * self.n_experts / self.w.sum()).astype(np.intp)
        else:
            edges = np.cumsum(shares)[:-1] * self.w.sum()
            label[order] = np.searchsorted(edges, middle)
        return np.minimum(label, self.n_experts - 1)

    def cluster(self, points: Floats, rng: np.random.Generator) -> Ints:
        """Weighted k-means of ``points`` (m, r)."""
        distinct = np.unique(points, axis=0) if len(points) < 50 * self.n_experts else points
        if len(distinct) <= self.n_experts:
            return self.cut(points[:, 0])
        seed = int(rng.integers(2**31))
        if len(points) <= FEW:
            return few_clusters(points, self.w, self.n_experts, seed, max_iter=_LLOYD)
        means = KMeans(self.n_experts, n_init=1, max_iter=_LLOYD, random_state=seed)
        # GNU's OpenMP does not survive a fork once it has had threads: a child that the caller
        # forks later would hang in a k-means of its own.
        with one_thread("openmp"):
            return means.fit(points, sample_weight=self.w).labels_


def single_fit(view: StartData) -> Floats:
    """Residuals (m, d) of one weighted least-squares fit."""
    root = np.sqrt(view.w)[:, None]
    A = np.column_stack([view.X, np.ones(len(view.X))])
    coef = np.linalg.lstsq(A * root, view.target * root, rcond=None)[0]
    return view.target - A @ coef


def principal_segments(view: StartData, rng: np.random.Generator) -> Ints:
    """Segments along the first principal axis of (x, y)."""
    Z = np.column_stack([view.X, view.target])
    _, axes = np.linalg.eigh((Z.T * view.w) @ Z)
    return view.cut(Z @ axes[:, -1])


def column_segments(view: StartData, rng: np.random.Generator) -> Ints:
    """Segments of random weights along one feature or a random direction."""
    p = view.X.shape[1]
    direction = np.eye(p)[rng.integers(p)] if rng.random() < 0.5 else rng.standard_normal(p)
    position = view.X @ direction if p else view.target[:, 0]
    return view.cut(position, rng.dirichlet(np.full(view.n_experts, _EVENNESS)))


def joint_clusters(view: StartData, rng: np.random.Generator) -> Ints:
    """k-means on (x, y), the target weighted up at random."""
    stretch = np.exp(rng.uniform(-1.0, 1.5)) * np.sqrt(max(view.X.shape[1], 1))
    return view.cluster(np.column_stack([view.X, stretch * view.target]), rng)


def residual_clusters(view: StartData, rng: np.random.Generator) -> Ints:
    """k-means on (x, residual of a single fit)."""
    r = single_fit(view)
    spread = r.std(axis=0)
    r = r / np.where(spread > 0.0, spread, 1.0)
    stretch = np.exp(rng.uniform(-0.5, 1.5)) * np.sqrt(max(view.X.shape[1], 1))
    return view.cluster(np.column_stack([view.X, stretch * r]), rng)


def elemental_fits(view: StartData, rng: np.random.Generator) -> Ints:
    """Fits through few rows each, every row to the fit that misses it least."""
    A = np.column_stack([view.X, np.ones(len(view.X))])
    rows = A.shape[1] + (1 if A.shape[1] > 2 else 0)
    miss = np.empty((view.n_experts, len(A)))
    for k in range(view.n_experts):
        chosen = view.pick(rows, rng)
        gram = A[chosen].T @ A[chosen] + 1e-6 * np.eye(A.shape[1])
        coef = _solved(gram, A[chosen].T @ view.target[chosen])
        miss[k] = ((view.target - A @ coef) ** 2).sum(axis=1)
    return miss.argmin(axis=0)


def _solved(gram: Floats, b: Floats) -> Floats:
    """Solution (q, m); where a wild value makes the ridge no more than rounding, the least one."""
    try:
        return np.asarray(np.linalg.solve(gram, b))
    except np.linalg.LinAlgError:
        return solve_psd(gram[None], b[None])[0]


def local_fits(view: StartData, rng: np.random.Generator) -> Ints:
    """Fits around randomly drawn centres, every row to the fit that misses it least."""
    A = np.column_stack([view.X, np.ones(len(view.X))])
    near = min(len(A), max(3 * A.shape[1], len(A) // (2 * view.n_experts)))
    miss = np.empty((view.n_experts, len(A)))
    for k, centre in enumerate(view.pick(view.n_experts, rng)):
        distance = ((view.X - view.X[centre]) ** 2).sum(axis=1)
        chosen = np.argpartition(distance, near - 1)[:near]
        B = A[chosen] * view.w[chosen, None]
        gram = B.T @ A[chosen] + 1e-3 * view.w[chosen].mean() * np.eye(A.shape[1])
        coef = _solved(gram, B.T @ view.target[chosen])
        error = ((view.target - A @ coef) ** 2).sum(axis=1)
        miss[k] = error + 1e-3 * distance
    return miss.argmin(axis=0)


def feature_cut(view: StartData, rng: np.random.Generator) -> Ints:
    """The best cut along one feature, with a fit on either side."""
    labels = best_cut(view.X, view.target, view.w, view.n_experts, rng)
    return view.cut(view.target[:, 0]) if labels is None else labels


Strategy = Callable[[StartData, np.random.Generator], Ints]

STRATEGIES: dict[str, Strategy] = {
    "principal": principal_segments,
    "kmeans": joint_clusters,
    "elemental": elemental_fits,
    "residual": residual_clusters,
    "segments": column_segments,
    "local": local_fits,
    "cut": feature_cut,
}


def draws_nothing(name: str, view: StartData) -> bool:
    """Whether a strategy finds the same labels whatever the random numbers."""
    few = affordable_features(len(view.X), view.X.shape[1] + 1 + view.target.shape[1])
    return name == "principal" or (name == "cut" and few >= view.X.shape[1])


#: Order in which a portfolio of any length is filled; deterministic and cheap ones first. Those
#: without chance come once.
_ONCE = ("principal", "cut")
_DRAWN = ("kmeans", "elemental", "residual", "segments", "elemental", "local")


def portfolio(init: str, n_init: int) -> list[str]:
    """Names of the strategies of ``n_init`` starts."""
    if init != "auto":
        return [init] * n_init
    rounds = ([once, *_DRAWN] for once in _ONCE)
    return list(islice(chain(*rounds, cycle(_DRAWN)), n_init))


def soften(labels: Ints, n_experts: int) -> Floats:
    """Responsibilities (K, m) that lean towards the labels."""
    R = np.full((n_experts, labels.size), (1.0 - CERTAINTY) / n_experts)
    R[labels, np.arange(labels.size)] += CERTAINTY
    return R


# ------------------------------------------------------------------------- from R to parameters


def params_from_responsibilities(
    model: Model, blocks: Source, R: Floats, summary: Summary, params: MoEParams | None = None
) -> MoEParams:
    """Parameters after a few updates under fixed responsibilities, from ``params`` if given."""
    if params is None:
        first = next(iter(blocks))
        params = model.start([d.width for d in first.designs], summary)
    return update_under(model, params, blocks, R, summary, n_updates=_WARM_UPDATES)


def several_from_responsibilities(
    model: Model,
    blocks: Source,
    several: list[Floats],
    summary: Summary,
    begun: list[MoEParams] | None = None,
) -> list[MoEParams]:
    """The same from each of several responsibilities, side by side where that goes."""
    if begun is None:
        first = next(iter(blocks))
        begun = [model.start([d.width for d in first.designs], summary)] * len(several)
    if len(several) < 2 or not stackable(model, begun[0]):
        each = zip(several, begun, strict=True)
        return [params_from_responsibilities(model, blocks, R, summary, p) for R, p in each]
    R = np.stack(several)
    stacked = params_from_responsibilities(model, blocks, R, summary, stack(begun))
    return unstack(stacked, model, len(several))
