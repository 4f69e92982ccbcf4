"""What mixtures with classes for a target answer."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from moe_classic._arguments import check_integer, generator
from moe_classic._compat import with_callbacks
from moe_classic._data import Block
from moe_classic._model import check_said
from moe_classic._numerics import choose
from moe_classic._results import FittedMixture, checked_rows, fitted_mixture, told_experts
from moe_classic._routing import check_top_k
from moe_classic._sklearn import ClassifierMixin
from moe_classic._targets import ClassTarget, Target
from moe_classic._training import learns_by_batches
from moe_classic._typing import Floats, same_as
from moe_classic.estimators import _probabilities
from moe_classic.predictive import TopExperts

from .lazy import lazily
from .online import learn_batch


class ClassifierAnswers(ClassifierMixin):
    """Predictions of classes."""

    _target: ClassVar[type[Target]] = ClassTarget

    classes_: np.ndarray
    n_jobs: int | None

    @same_as(_probabilities.score)
    def score(self) -> Any: ...

    @available_if(learns_by_batches)
    @with_callbacks
    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        *,
        groups: Any = None,
    ) -> Self:
        """Learn from one batch of rows that need not be seen again.

        The first batch is fitted as :meth:`fit` would. Because a few rows choose a poor hill, the
        first 20,000 distinct rows are kept, and fitted anew from all starts whenever their weight
        has doubled; in between, and for good once there are that many, a batch updates averaged
        statistics and takes one step (Cappe & Moulines 2009). The standardisation is that of the
        last fit. Several passes over up to 20,000 rows so end at the top that :meth:`fit` finds, up
        to the luck of its starts; over more rows, near the top of the hill that starts find for the
        first 20,000.

        After :meth:`fit` or :meth:`fit_blocks`, and with responsibilities for ``init``, no rows are
        kept: learning goes on from there. ``trace_`` then holds running estimates, which may fall.
        The order of the experts may change where rows are fitted anew.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur; needed in the first call, must agree later.
        sample_weight : array-like of shape (n_samples,), default=None
        groups : array-like of shape (n_samples,), default=None
            Labels of subjects, as for :meth:`fit`; in all batches or in none. A group must come
            whole, in one batch: one that comes again is taken for another.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError, TypeError
            If a batch is empty, has other columns than the first or a class that was not named, if
            a component has no sums to carry along, or ``solver`` climbs something else than the
            likelihood.

        References
        ----------
        Cappe & Moulines (2009), On-line expectation-maximization algorithm for latent data models,
        Journal of the Royal Statistical Society B 71.
        """
        target = None
        if not hasattr(self, "classes_"):
            if classes is None:
                raise ValueError("classes must be given in the first call of partial_fit.")
            target = ClassTarget(np.unique(column_or_1d(classes)))
            if target.classes.size < 2:
                raise ValueError(f"classes={classes!r} must name at least two classes.")
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes={classes!r} differs from the classes of the first call, "
                f"{self.classes_.tolist()}."
            )
        return learn_batch(self, X, y, sample_weight, target, groups=groups)

    # -------------------------------------------------------------------- predictions

    @lazily
    def predict(
        self, X: Any, *, top_k: int | None = None, groups: Any = None, history: Any = None
    ) -> np.ndarray:
        """Most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top_k : int or None, default=None
            How many experts a row consults, those that the gate ranks highest, their weights
            scaled to sum to one; None consults all. An expert is evaluated on the rows that
            consult it and on no others, which pays where experts are expensive.
        groups : array-like of shape (n_samples,), default=None
            Labels of the subjects that the rows are of; see :meth:`fit`. The gate sees the mean of
            the rows of each. None: every row is a subject of its own.
        history : tuple (X_past, y_past, groups_past), default=None
            Rows that were seen of subjects, by the labels in ``groups``: the posterior of these
            rows takes the place of the gate. Subjects without a history are new, and have the gate.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        proba = self.predict_proba(X, top_k=top_k, groups=groups, history=history)
        return self.classes_[proba.argmax(axis=1)]

    @lazily
    def predict_log_proba(
        self, X: Any, *, top_k: int | None = None, groups: Any = None, history: Any = None
    ) -> Floats:
        """Logarithms of :meth:`predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X, top_k=top_k, groups=groups, history=history))

    @lazily
    def predict_proba(
        self, X: Any, *, top_k: int | None = None, groups: Any = None, history: Any = None
    ) -> Floats:
        """Class probabilities, the experts' blended by the gate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top_k : int or None, default=None
            How many experts a row consults; see :meth:`predict`.
        groups, history
            Which subject each row is of, and what was seen of these; see :meth:`predict`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
        """
        X, fitted = checked_rows(self, X), fitted_mixture(self)
        count = None if top_k is None else check_top_k(top_k, fitted.model.n_experts)

        def blend(block: Block) -> Floats:
            if count is not None:
                return TopExperts(fitted.model, fitted.params, block, count).proba().T
            return np.einsum("kn,kcn->nc", fitted.gate_proba(block), _expert_proba(fitted, block))

        known = told_experts(self, X, groups, history)
        proba = np.concatenate(fitted.answers(blend, X, n_jobs=self.n_jobs, told=known))
        return proba / proba.sum(axis=1, keepdims=True)

    def expert_predictions(self, X: Any) -> Floats:
        """Class probabilities of each expert by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_experts, n_classes)
        """
        X, fitted = checked_rows(self, X), fitted_mixture(self)
        parts = fitted.answers(lambda b: _expert_proba(fitted, b), X, n_jobs=self.n_jobs)
        return fitted.target.shaped(np.concatenate(parts, axis=2))

    def sample(self, X: Any, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draws from the class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        n_samples : int, default=1
            Draws a row.
        random_state : int, RandomState or None, default=None

        Returns
        -------
        y : ndarray of shape (n_rows, n_samples)
        """
        check_integer("n_samples", n_samples, 1, "draws a row")
        proba, rng = self.predict_proba(X).T, generator(random_state)
        codes = np.stack([choose(proba, rng) for _ in range(n_samples)], axis=1)
        return self.classes_[codes]


def _expert_proba(fitted: FittedMixture, block: Block) -> Floats:
    """Class probabilities of the experts, (K, C, n)."""
    said = np.concatenate(
        [
            g.expert.mean(p, block.designs[g.design])
            for g, p in zip(fitted.model.groups, fitted.params.experts, strict=True)
        ]
    )
    return check_said(fitted.model, "probability", said)
