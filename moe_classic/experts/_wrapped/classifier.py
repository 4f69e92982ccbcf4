"""Classifiers with probabilities; see :class:`EstimatorExpert`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from moe_classic._adapters import class_places, count_parameters, proba_of
from moe_classic._components import Forward
from moe_classic._data import Design, Summary
from moe_classic._typing import Floats, Names
from moe_classic.experts._glm import draw_classes

from .base import BoundEstimator, EstimatorParams, Rows, RowStats


class FittedClassifiers(BoundEstimator):
    """Classifiers, a little of whose probability is spread over all classes.

    Parameters
    ----------
    estimator : classifier
    features : what it sees of X
    min_proba : share of the probability that is spread
    n_jobs : int or None
    """

    target: ClassVar[str] = "class"
    classes: np.ndarray

    def __init__(self, estimator: Any, features: Any, min_proba: float, n_jobs: int | None) -> None:
        self.estimator = estimator
        self.features = features
        self.min_proba = min_proba
        self.n_jobs = n_jobs

    def with_data_names(
        self, names: Names, width: int, classes: np.ndarray | None, n_jobs: int | None
    ) -> BoundEstimator:
        """Expert that knows the labels of the classes too; see the base class."""
        expert: Any = super().with_data_names(names, width, classes, n_jobs)
        if classes is not None:
            expert.classes = classes
        if self.frozen:
            class_places("EstimatorExpert", self.estimator, expert.classes)
        return expert

    def start(self, n_experts: int, width: int, summary: Summary) -> EstimatorParams:
        """Experts that predict the class shares everywhere."""
        return self._start(n_experts, summary.y_mean)

    def _one(self, fitted: Any, X: Floats) -> Floats:
        """Class probabilities of one classifier, (C, n)."""
        return proba_of(fitted, X, self.classes, self.names)

    def _labels(self, y: np.ndarray) -> np.ndarray:
        """The user's labels, (n,)."""
        return self.classes[y]

    # -------------------------------------------------------------------- the step

    def _spread(self, P: Floats) -> Floats:
        """Probabilities of which none is 0."""
        return (1.0 - self.min_proba) * P + self.min_proba / P.shape[1]

    def forward(self, params: EstimatorParams, design: Design, y: np.ndarray) -> Forward:
        """Log probability of the observed classes, and all probabilities."""
        P = self.predictor(params, design)
        return Forward(self._log_prob(P, y), None, (P, y))

    def _log_prob(self, P: Floats, y: np.ndarray) -> Floats:
        """Log probability of the classes ``y`` (n,), (K, n)."""
        return np.log(self._spread(P)[:, y, np.arange(y.size)])

    def statistics(
        self, params: EstimatorParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> RowStats:
        """The rows, with their weights and probabilities."""
        P, y = fwd.work
        return RowStats((Rows(design.Z, y, S, P),))

    def update(self, params: EstimatorParams, stats: RowStats, summary: Summary) -> EstimatorParams:
        """Refits, taken where they raise ``sum S log P``."""
        rows = stats.joined()
        fitted, seen = self.refit(params, rows, rows.S, summary)
        new = (rows.S * self._log_prob(seen, rows.y)).sum(axis=1)
        old = (rows.S * self._log_prob(rows.seen, rows.y)).sum(axis=1)
        _, keep = self.kept(params, rows.S.sum(axis=1), summary, new, old)
        return replace(fitted, estimators=self.chosen(params, fitted, keep))

    # -------------------------------------------------------------------- moments, sampling

    def mean_at(self, params: EstimatorParams, eta: Floats) -> Floats:
        """Class probabilities, (K, C, n)."""
        return self._spread(eta)

    def sample_at(
        self, params: EstimatorParams, eta: Floats, rng: np.random.Generator
    ) -> np.ndarray:
        """A class code from every expert at every row, (K, n)."""
        return draw_classes(self._spread(eta), rng)

    def n_parameters(self, params: EstimatorParams) -> float:
        """Free parameters of the classifiers; nan where not known."""
        return sum(count_parameters(e) for e in params.estimators if e is not None)
