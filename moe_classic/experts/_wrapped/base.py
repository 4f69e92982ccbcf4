"""What regressors and classifiers as experts share: records of rows, refits, bookkeeping."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from sklearn.frozen import FrozenEstimator

from moe_classic._adapters import (
    FIT_ERRORS,
    FitTask,
    Notices,
    TableColumns,
    check_prefit,
    redundant_coefficients,
    run_jobs,
)
from moe_classic._components import Forward
from moe_classic._data import Design, Stats, Summary
from moe_classic._typing import Bools, Floats, Names
from moe_classic.experts._base import STARVED, Expert


@dataclass(frozen=True)
class EstimatorParams:
    """Fitted estimators of the experts, and the noise around them.

    Attributes
    ----------
    estimators : tuple of K fitted estimators
        None where no fit succeeded yet: the expert then predicts ``base``.
    base : ndarray of shape (d,), or (C,) class shares
    failures : tuple of K str or None
        Why the last refit of an expert failed.
    noise : parameters of the noise around the predictions, without coefficients; None for classes
    notices : warnings that estimators gave in the last refit
    """

    estimators: tuple[Any, ...]
    base: Floats
    failures: tuple[str | None, ...]
    noise: Any = None
    notices: Notices = ()

    @property
    def n_experts(self) -> int:
        """Number of experts K of the group."""
        return len(self.estimators)


@dataclass(frozen=True)
class Rows:
    """Rows of one block: design (q, n), target, weights (K, n), prediction (K, d or C, n)."""

    Z: Floats
    y: np.ndarray
    S: Floats
    seen: Any


@dataclass(frozen=True)
class RowStats(Stats):
    """The rows themselves: a refit needs them all. Adding puts blocks side by side."""

    parts: tuple[Rows, ...]

    def __add__(self, other: RowStats) -> RowStats:
        return RowStats(self.parts + other.parts)

    def scaled(self, factor: float) -> RowStats:
        """The same rows with all weights times ``factor``."""
        return RowStats(tuple(replace(p, S=p.S * factor) for p in self.parts))

    def joined(self) -> Rows:
        """All rows in one record."""
        if len(self.parts) == 1:
            return self.parts[0]
        columns = [[getattr(p, f) for p in self.parts] for f in ("Z", "y", "S", "seen")]
        return Rows(*(np.concatenate(c, axis=-1) for c in columns))

    def row_weights(self) -> Floats:
        """Weights of the rows for each expert, (K, n)."""
        return np.concatenate([p.S for p in self.parts], axis=-1)


def features_of(Z: Floats) -> Floats:
    """Rows of features (n, p) from a design (p + 1, n)."""
    return np.ascontiguousarray(Z[:-1].T)


class BoundEstimator(Expert):
    """What regressors and classifiers share: starts, refits, bookkeeping.

    Its predictor is what the estimators say, (K, d or C, n).
    """

    name: ClassVar[str] = "estimator"
    additive: ClassVar[bool] = False
    smooth: ClassVar[bool] = False
    raw: ClassVar[bool] = True
    estimator: Any
    n_jobs: int | None
    names: Names = None

    def with_data_names(
        self, names: Names, width: int, classes: np.ndarray | None, n_jobs: int | None
    ) -> BoundEstimator:
        """Expert that knows what the estimators need to know of the user's data.

        Parameters
        ----------
        names : column names of the design, or None if X has none
        width : number of features of the design
        classes : (C,) labels of the class codes, or None
        n_jobs : refits at a time where the expert has no number of its own
        """
        check_prefit("EstimatorExpert", self.estimator, width)
        expert = copy(self)
        expert.names = names
        expert.n_jobs = n_jobs if self.n_jobs is None else self.n_jobs
        return expert

    @property
    def frozen(self) -> bool:
        """Whether the estimator was fitted before and stays as it is."""
        return isinstance(self.estimator, FrozenEstimator)

    def redundant(self, params: EstimatorParams, null: Floats) -> int:
        """Coefficients of linear estimators on columns that others determine."""
        p = len(null) - 1
        return sum(
            redundant_coefficients(e, p, p - null.shape[1])
            for e in params.estimators
            if e is not None
        )

    def _start(self, n_experts: int, base: Floats) -> EstimatorParams:
        """Experts that predict ``base``; prefit ones predict at once."""
        first = self.estimator if self.frozen else None
        return EstimatorParams((first,) * n_experts, base, (None,) * n_experts)

    @abstractmethod
    def _one(self, fitted: Any, X: Floats) -> Floats:
        """Predictions of one fitted estimator at the rows of ``X`` (n, p), (d or C, n)."""

    @abstractmethod
    def _labels(self, y: np.ndarray) -> np.ndarray:
        """The target as estimators are given it."""

    def predictions(self, params: EstimatorParams, X: Floats) -> Floats:
        """Predictions of all experts at the rows of ``X`` (n, p), (K, d or C, n)."""
        out = np.empty((params.n_experts, params.base.size, len(X)))
        for k, fitted in enumerate(params.estimators):
            out[k] = params.base[:, None] if fitted is None else self._one(fitted, X)
        return out

    def predictor(self, params: EstimatorParams, design: Design) -> Floats:
        """What the estimators say, (K, d or C, n)."""
        return self.predictions(params, features_of(design.Z))

    def curvature(self, params: EstimatorParams, fwd: Forward, S: Floats) -> Floats:
        """No Gram matrix is needed."""
        return S[:0]

    def _hint(self) -> str:
        """What may help an estimator that cannot use the table that it was given."""
        if not isinstance(self.names, TableColumns):
            return ""
        return (
            ". It was given the columns as they are, and some do not hold numbers: encode them in "
            "a pipeline, or with EstimatorExpert(..., features=TableEncoder())."
        )

    # -------------------------------------------------------------------- refits

    def refit(
        self, params: EstimatorParams, rows: Rows, weights: Floats, summary: Summary
    ) -> tuple[EstimatorParams, Floats]:
        """Refits of the experts that have weight, and predictions at their rows.

        Experts that are frozen, starved or failed keep estimator and predictions. Where several
        experts are alike and none could ever be fitted, the estimator is to blame: an error.
        """
        if self.frozen:
            return params, rows.seen
        X, labels = features_of(rows.Z), self._labels(rows.y)
        live = np.flatnonzero(rows.S.sum(axis=1) > STARVED * summary.weight)
        jobs = [FitTask(self.estimator, X, labels, weights[k], int(k), self.names) for k in live]
        fitted, failures, seen = list(params.estimators), list(params.failures), rows.seen.copy()
        outcomes, notices = run_jobs(jobs, self.n_jobs)
        for k, outcome in zip(live, outcomes, strict=True):
            failures[k] = outcome.error
            if outcome.error is None:
                try:
                    seen[k] = self._one(outcome.estimator, X)
                    fitted[k] = outcome.estimator
                except FIT_ERRORS as error:
                    failures[k] = f"{type(error).__name__}: {error}"
        if len(fitted) > 1 and live.size and all(e is None for e in fitted):
            raise ValueError(
                f"EstimatorExpert: no expert could be fitted; {self.estimator!r} as expert "
                f"{live[0] + 1} of {len(fitted)} raised {failures[live[0]]}{self._hint()}"
            )
        new = replace(params, estimators=tuple(fitted), failures=tuple(failures), notices=notices)
        return new, seen

    def kept(
        self, params: EstimatorParams, mass: Floats, summary: Summary, new: Floats, old: Floats
    ) -> tuple[Bools, Bools]:
        """Which experts have no weight, and which keep the estimator they have, both (K,).

        ``new`` and ``old`` are ``sum S log p`` with and without the refit; before its first fit
        an expert has nothing to keep.
        """
        starved = mass <= STARVED * summary.weight
        known = np.array([e is not None for e in params.estimators])
        return starved, starved | (known & ~(new >= old))

    @staticmethod
    def chosen(old: EstimatorParams, new: EstimatorParams, keep: Bools) -> tuple[Any, ...]:
        """The old estimators where ``keep``, the new ones elsewhere."""
        pairs = zip(old.estimators, new.estimators, keep, strict=True)
        return tuple(a if stay else b for a, b, stay in pairs)

    # -------------------------------------------------------------------- bookkeeping

    def reorder(self, params: EstimatorParams, order: np.ndarray) -> EstimatorParams:
        """Parameters with the experts of the group in a new order."""
        return replace(
            params,
            estimators=tuple(params.estimators[i] for i in order),
            failures=tuple(params.failures[i] for i in order),
        )

    def estimator_of(self, params: EstimatorParams, k: int) -> Any:
        """The fitted estimator of expert ``k``, None before its first fit."""
        return params.estimators[k]

    def failures(self, params: EstimatorParams) -> tuple[str | None, ...]:
        """Why the last refit of each expert failed."""
        return params.failures

    def fitted(self, params: EstimatorParams) -> list[bool]:
        """Which experts were fitted at all."""
        return [e is not None for e in params.estimators]

    def notices(self, params: EstimatorParams) -> Notices:
        """Warnings that estimators gave in the last refit."""
        return params.notices
