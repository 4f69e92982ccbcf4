"""Fits that a comparison of models asks for: on all rows, and on those of folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import is_classifier
from sklearn.model_selection import GroupKFold, check_cv
from sklearn.utils import _safe_indexing

from moe_classic._data import is_dask
from moe_classic._results import numbered_subjects, subject_weights
from moe_classic._typing import Floats, Ints

from ._path import PathFit, Steps, fresh_fits, path
from ._penalised import penalised_fits


@dataclass(frozen=True)
class Task:
    """A path over K for one family, on all rows or on the training rows of a fold."""

    template: Any
    counts: list[int]
    X: Any
    y: Any
    w: Floats | None
    groups: np.ndarray | None
    criterion: str = "bic"
    alphas: Any = None

    def fits(self) -> list[PathFit]:
        """Fits for the asked numbers of experts."""
        if self.alphas is not None:
            rows = self.X, self.y, self.w
            return penalised_fits(self.template, self.counts, self.alphas, self.criterion, *rows)
        low, high = self.counts[0], self.counts[-1]
        grown = fresh_fits if is_dask(self.X) else path
        fits = grown(self.template, low, high, self.X, self.y, self.w, self.groups)
        return [fit for K, fit in zip(range(low, high + 1), fits, strict=True) if K in self.counts]

    def scores(self, X: Any, y: Any, groups: np.ndarray | None) -> Floats:
        """Log densities (n_counts, n_test) of held-out rows, or groups."""
        return np.array([f.estimator.score_samples(X, y, groups=groups) for f in self.fits()])


def _weights(w: Floats | None, groups: np.ndarray | None, test: Ints) -> Floats:
    """Weights of held-out rows, or groups in the order of their labels."""
    own = np.ones(len(test)) if w is None else w[test]
    if groups is None:
        return own
    return subject_weights(*numbered_subjects(groups[test], len(test)), own)


@dataclass(frozen=True)
class Folds:
    """How rows are held out: steps before the model are fitted to the others alone."""

    steps: Steps
    X: Any
    cv: Any
    n_jobs: int | None

    def folds(self, y: Any, groups: np.ndarray | None, *, classifier: bool) -> list[Any]:
        """Rows to fit to and rows to hold out, of whole groups where there are any."""
        grouped = isinstance(self.cv, int) and groups is not None
        cv = GroupKFold(self.cv) if grouped else check_cv(self.cv, y, classifier=classifier)
        return list(cv.split(self.X, y, groups))

    def split(self, train: Any, test: Any, y: Any) -> tuple[Any, Any]:
        """Rows of a fold as the model sees them."""
        steps, rows = self.steps.fit(_safe_indexing(self.X, train), _safe_indexing(y, train))
        return rows, steps.rows(_safe_indexing(self.X, test))


def with_log_scores(table: pd.DataFrame, tasks: list[Task], held_out: Folds) -> pd.DataFrame:
    """The table with the mean log density of held-out rows."""
    first, n_jobs = tasks[0], held_out.n_jobs
    y, w, groups = first.y, first.w, first.groups
    folds = held_out.folds(y, groups, classifier=is_classifier(first.template))
    parts = [held_out.split(train, test, y) for train, test in folds]
    jobs = []
    for task in tasks:
        for (train, test), (seen, unseen) in zip(folds, parts, strict=True):
            part = Task(
                task.template,
                task.counts,
                seen,
                _safe_indexing(y, train),
                None if w is None else w[train],
                None if groups is None else groups[train],
                task.criterion,
                task.alphas,
            )
            labels = None if groups is None else groups[test]
            jobs.append((part, (unseen, _safe_indexing(y, test), labels)))
    scores = Parallel(n_jobs=n_jobs)(delayed(part.scores)(*test) for part, test in jobs)
    weights = np.concatenate([_weights(w, groups, test) for _, test in folds])
    means, errors = [], []
    for i in range(len(tasks)):
        rows = np.concatenate(scores[i * len(folds) : (i + 1) * len(folds)], axis=1)
        mean = rows @ weights / weights.sum()
        spread = np.sqrt(np.square(weights * (rows - mean[:, None])).sum(axis=1)) / weights.sum()
        means.append(mean)
        errors.append(spread)
    at = table.columns.get_loc("start")
    table.insert(at, "log_score", np.concatenate(means))
    table.insert(at + 1, "log_score_std_error", np.concatenate(errors))
    return table
