"""What estimators of a class answer."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from moe_classic._arguments import check_integer
from moe_classic._compat import with_callbacks
from moe_classic._data import Block, RawBlock, RawData, RowStream, Summary, TrainingData, class_data
from moe_classic._numerics import choose
from moe_classic._training import learns_by_batches
from moe_classic._typing import Floats
from moe_classic.estimators._probabilities import FromProba

from .prediction import CommonSurface, generator


class ClassSurface(FromProba, CommonSurface):
    """Predictions of classes."""

    def _validated(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True, whole: bool = True
    ) -> RawData:
        """Validated rows with positive weight and class codes."""
        X, labels, w, used, seen = self._labelled(X, y, sample_weight, reset)
        if not whole:
            return RawData(X, self._coded(labels), w, used)
        self.classes_ = np.unique(seen)
        present = np.unique(labels).size
        if present < 2 or present < self.classes_.size:
            raise ValueError(
                f"y needs at least two classes, each with a row of positive weight; it has "
                f"{self.classes_.size} and rows with weight from {present} class"
                f"{'es' if present != 1 else ''}."
            )
        return RawData(X, self._coded(labels), w, used)

    def _coded(self, labels: np.ndarray) -> Floats:
        """Class codes (1, n) of labels, all of which must be known."""
        return self._target_codes(labels)[None].astype(np.float64)

    def _stream(self, blocks: Any) -> RowStream:
        """A user's blocks; one pass finds the classes, which later passes code."""

        def look(X: Any, y: Any, w: Any, first: bool) -> RawBlock:  # noqa: FBT001
            return self._labelled(X, y, w, first)[:3]

        classes: set[Any] = set()
        for _, labels, _ in RowStream(blocks, look):
            classes.update(labels.tolist())
        self.classes_ = np.unique(np.array(list(classes)))
        if self.classes_.size < 2:
            raise ValueError(
                f"y needs at least two classes with positive weight; it has {sorted(classes)}."
            )

        def validate(X: Any, y: Any, w: Any, first: bool) -> RawBlock:  # noqa: FBT001
            X, labels, w = self._labelled(X, y, w, first)[:3]
            return X, self._coded(labels), w

        return RowStream(blocks, validate)

    def _labelled(self, X: Any, y: Any, w: Any, first: bool) -> tuple[Any, ...]:  # noqa: FBT001
        """Rows with positive weight: X, labels, weights; which rows those are, and all labels."""
        X, y, w, used = self._validate_rows(X, y, w, reset=first)
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        return (X, y, w, used, y) if used.all() else (X[used], y[used], w[used], used, y)

    def _training_data(self, raw: RawData, moments: Summary | None = None) -> TrainingData:
        """Rows with class codes."""
        return class_data(raw, self.classes_.size, moments)

    def _no_target(self, n: int) -> np.ndarray:
        """A target for blocks whose target is not looked at."""
        return np.zeros(n, dtype=np.intp)

    def _target_columns(self, y: Any) -> np.ndarray:
        """Class codes of a target to score, (n,)."""
        check_is_fitted(self)
        return self._target_codes(column_or_1d(y))

    def _target_codes(self, y: np.ndarray) -> np.ndarray:
        """Class codes of known labels, (n,)."""
        codes = np.searchsorted(self.classes_, y).clip(max=self.classes_.size - 1)
        strangers = self.classes_[codes] != y
        if strangers.any():
            raise ValueError(
                f"y has the class {y[strangers].tolist()[0]!r}, which was not seen in fit; known "
                f"are {self.classes_[:10].tolist()}."
            )
        return codes

    def _output_names(self) -> list[str]:
        """Names of the linear predictors: classes but the last."""
        if self.classes_.size == 2:
            return [str(self.classes_[0])]
        return [str(c) for c in self.classes_[:-1]]

    @available_if(learns_by_batches)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
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
        if self._online_state is None:
            if classes is None:
                raise ValueError("classes must be given in the first call of partial_fit.")
            known = np.unique(column_or_1d(classes))
            if known.size < 2:
                raise ValueError(f"classes={classes!r} must name at least two classes.")
            self.classes_ = known
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes={classes!r} differs from the classes of the first call, "
                f"{self.classes_.tolist()}."
            )
        return self._partial_fit(X, y, sample_weight)

    def _expert_proba(self, block: Block) -> Floats:
        """Class probabilities of the experts, (K, C, n)."""
        return np.concatenate(
            [
                g.expert.mean(p, block.designs[g.design])
                for g, p in zip(self._model.groups, self._params.experts, strict=True)
            ]
        )

    # -------------------------------------------------------------------- predictions

    def predict_proba(self, X: Any, *, top_k: int | None = None) -> Floats:
        """Class probabilities, the experts' blended by the gate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top_k : int or None, default=None
            How many experts a row consults; see :meth:`predict`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
        """
        X = self._check_rows(X)
        if top_k is None:
            parts = self._answers(self._blended, X)
        else:
            consulting = self._consulting(top_k)
            parts = self._answers(lambda b: consulting(b).proba().T, X)
        proba = np.concatenate(parts)
        return proba / proba.sum(axis=1, keepdims=True)

    def _blended(self, block: Block) -> Floats:
        """Class probabilities of one block, (n, C)."""
        blend: Floats = np.einsum("kn,kcn->nc", self._gate(block), self._expert_proba(block))
        return blend

    def expert_predictions(self, X: Any) -> Floats:
        """Class probabilities of each expert by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_experts, n_classes)
        """
        parts = self._answers(self._expert_proba, self._check_rows(X))
        return np.concatenate(parts, axis=2).transpose(2, 0, 1)

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
