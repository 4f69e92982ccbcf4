"""Bootstrap of a fitted mixture: refits from the estimates, experts matched with the original.

``"bootstrap"`` draws rows (or clusters of rows) with replacement, ``"parametric_bootstrap"`` draws
new targets from the model. Every refit starts at the estimates and climbs with the observed
information, which takes a few passes. Efron & Tibshirani (1993), chapters 6 and 13; for mixtures
McLachlan & Peel (2000), section 2.16.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from moe_classic._data import Subjects, design_of
from moe_classic._model import MoEParams, match_experts, supported
from moe_classic._objectives import MixtureLikelihood
from moe_classic._typing import Floats, Ints
from moe_classic.solvers import EM, Newton, Problem

from ._case import FittedModel, check_simulable, cut_blocks, simulate

#: Most passes of a refit; from the estimates a handful is usual.
_MAX_ITER = 500
#: Most parameters for which Newton's method is tried first.
_NEWTON_LIMIT = 600


@dataclass(frozen=True)
class Draws:
    """Refitted parameters.

    Attributes
    ----------
    params : list of MoEParams for the standardised target, refits that went well
    failed : int
        Refits that did not converge, or in which more experts than in the original fit interpolate
        their rows.
    """

    params: list[MoEParams]
    failed: int


def bootstrap(
    case: FittedModel,
    *,
    parametric: bool,
    clusters: Ints | None,
    count: int,
    n_jobs: int | None,
    rng: np.random.Generator,
) -> Draws:
    """Refits to ``count`` data sets; the same for any ``n_jobs``."""
    check_simulable(case) if parametric else _check_counts(case)
    work = _Refits(case, parametric, clusters)
    streams = rng.spawn(count)
    n_workers = min(effective_n_jobs(n_jobs), count)
    if n_workers == 1:
        results = work(streams)
    else:
        shares = [streams[i::n_workers] for i in range(n_workers)]
        parts = Parallel(n_jobs=n_workers)(delayed(work)(share) for share in shares)
        results = [parts[i % n_workers][i // n_workers] for i in range(count)]
    good = [params for params in results if params is not None]
    return Draws(good, count - len(good))


def _check_counts(case: FittedModel) -> None:
    """Raise if the weights add up to too few rows to resample."""
    rows, size = float(case.subject_w.sum()), case.model.pack(case.params).size
    if round(rows) <= size:
        raise ValueError(
            f"sample_weight adds up to {rows:g} rows, the model has {size} parameters: weights are "
            "read as counts of rows. Rescale them, so that they add up to the number of rows."
        )


@dataclass
class _Refits:
    """The work of one process: refits for a list of random streams."""

    case: FittedModel
    parametric: bool
    clusters: Ints | None

    def __call__(self, streams: list[np.random.Generator]) -> list[MoEParams | None]:
        """Parameters of every refit, None where it failed."""
        case = self.case
        self.designs = case.designs()
        self.blocks = cut_blocks(self.designs, case.y, case.w, case.subjects)
        self.R = self._responsibilities(case.params)
        return [self._matched(self._refit(rng)) for rng in streams]

    def _responsibilities(self, params: MoEParams) -> Floats:
        """Responsibilities at the original rows or subjects, (K, G)."""
        return np.concatenate(
            [self.case.model.responsibilities(params, b) for b in self.blocks], axis=1
        )

    def _refit(self, rng: np.random.Generator) -> MoEParams | None:
        """Parameters for one data set."""
        case = self.case
        if self.parametric:
            X, y, subjects = simulate(case, rng)
            designs, w = [design_of(m, X, subjects) for m in case.maps], np.ones(len(X))
        else:
            designs, y, w, subjects = self._drawn(rng)
        summary = replace(case.summary, weight=float(w.sum()))
        if subjects is not None:
            summary = replace(summary, per_row=float(subjects.w.sum()) / summary.weight)
        blocks = cut_blocks(designs, y, w, subjects)
        problem = Problem(case.model, MixtureLikelihood(case.model), blocks, summary)
        return climb(problem, case.params, case.tol)

    def _drawn(
        self, rng: np.random.Generator
    ) -> tuple[list[Floats], np.ndarray, Floats, Subjects | None]:
        """Designs, target, weights and subjects of a resample of the rows, or of the subjects."""
        case = self.case
        w = resampled(case.subject_w, self.clusters, rng)
        chosen = np.flatnonzero(w)
        if case.subjects is None:
            return [Z[:, chosen] for Z in self.designs], case.y[..., chosen], w[chosen], None
        subjects, rows = case.subjects.taken(chosen, w[chosen]), case.subjects.rows_of(chosen)
        designs = [
            Z[:, chosen if m.averaged else rows]
            for m, Z in zip(case.maps, self.designs, strict=True)
        ]
        return designs, case.y[..., rows], subjects.rows_weight, subjects

    def _matched(self, params: MoEParams | None) -> MoEParams | None:
        """Parameters with the experts in the order of the original fit."""
        model = self.case.model
        if params is None or model.n_experts == 1 or not model.exchangeable:
            return params
        order = match_experts(self.R, self._responsibilities(params), self.case.subject_w)
        return model.reorder(params, order)


def resampled(w: Floats, clusters: Ints | None, rng: np.random.Generator) -> Floats:
    """Weights of one resample of rows, or of whole clusters, (n,)."""
    if clusters is not None:
        count = int(clusters.max()) + 1
        return w * rng.multinomial(count, np.full(count, 1.0 / count))[clusters]
    rows = float(w.sum())
    whole = round(rows)
    return rng.multinomial(whole, w / rows).astype(np.float64) * (rows / whole)


def climb(problem: Problem, start: MoEParams, tol: float) -> MoEParams | None:
    """Optimum near ``start``, or None if there is none with scales above their floor."""
    model, result = problem.model, None
    if supported(model) and model.pack(start).size <= _NEWTON_LIMIT:
        result = Newton().run(problem, start, max_iter=_MAX_ITER, tol=tol)
    if result is None or not result.converged:
        result = EM().run(problem, start, max_iter=_MAX_ITER, tol=tol)
    before, after = (model.n_degenerate(p, problem.summary) for p in (start, result.params))
    return result.params if result.converged and after <= before else None
