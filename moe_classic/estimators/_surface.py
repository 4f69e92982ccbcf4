"""What estimators answer: the surface for real targets and the one for classes."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d

from moe_classic._blocks import Block
from moe_classic._crps import predictive_crps
from moe_classic._stats import Summary
from moe_classic._typing import Floats
from moe_classic.experts import GaussianExpert
from moe_classic.predictive import Predictive, choose

from ._blend_topk import TopExperts, check_top_k
from ._data import RawData, TrainingData, class_data, real_data
from ._outside import components, describes_outputs, keeps_target, learns_by_batches
from ._resolve import check_integer
from ._stream import RawBlock, RowStream


def _generator(random_state: Any) -> np.random.Generator:
    """A generator from scikit-learn's ``random_state``."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))


def _fraction(name: str, value: Any) -> float:
    """A number strictly between 0 and 1."""
    if not isinstance(value, numbers.Real) or not 0.0 < value < 1.0:
        raise ValueError(f"{name}={value!r} must lie strictly between 0 and 1.")
    return float(value)


def _consulted(estimator: Any, X: Any, top_k: Any) -> list[TopExperts]:
    """Mixtures of the ``top_k`` likeliest experts of each row, a block at a time."""
    X = estimator._check_rows(X)
    count = check_top_k(top_k, estimator._model.n_experts)
    model, params = estimator._model, estimator._params
    return [TopExperts(model, params, b, count) for b in estimator._blocks(X)]


class RealSurface:
    """Predictions of real targets."""

    def __sklearn_tags__(self) -> Any:
        """Tags; several outputs where the expert describes them."""
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = self._describes_outputs()
        return tags

    def _describes_outputs(self) -> bool:
        """Whether the expert describes several outputs."""
        return all(
            e == "gaussian" or isinstance(e, GaussianExpert) or describes_outputs(e)
            for e in components(self.expert)
        )

    # -------------------------------------------------------------------- fit

    def _validated(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True, whole: bool = True
    ) -> RawData:
        """Validated rows with positive weight."""
        outputs = self._describes_outputs()
        X, y, w, used = self._validate_rows(
            X, y, sample_weight, y_numeric=True, multi_output=outputs, reset=reset
        )
        self._flat_target = y.ndim == 1
        key = np.atleast_2d(np.asarray(y, dtype=np.float64).T)
        if used.all():
            return RawData(X, key, w, used)
        return RawData(X[used], key[:, used], w[used], used)

    def _training_data(self, raw: RawData, moments: Summary | None = None) -> TrainingData:
        """Rows with a standardised target."""
        common = not self._scales_apart()
        standardize = self.standardize and not keeps_target(self.expert)
        return real_data(raw, moments, standardize=standardize, common=common)

    def _scales_apart(self) -> bool:
        """Whether outputs may be scaled each by its own factor: not with spherical noise."""
        experts = components(self.expert)
        return all(getattr(e, "covariance_type", "full") != "spherical" for e in experts)

    def _target_columns(self, y: Any) -> np.ndarray:
        """The target to score, (d, n)."""
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        target = np.atleast_2d(y.T)
        if target.shape[0] != self._shift.size:
            raise ValueError(
                f"y has {target.shape[0]} outputs, the model was fitted on {self._shift.size}."
            )
        return target

    def _output_names(self) -> list[str]:
        """Names of the outputs."""
        d = self._shift.size
        return ["y"] if d == 1 else [f"y{j}" for j in range(d)]

    def _shaped(self, columns: Floats) -> Floats:
        """(d, n) to what the user gave: (n,) or (n, d)."""
        return columns[0] if self._flat_target else columns.T

    def _predictives(self, X: Any) -> list[Predictive]:
        """Predictive distributions, a block at a time."""
        X = self._check_rows(X)
        return [Predictive(self._model, self._params, b) for b in self._blocks(X)]

    @available_if(learns_by_batches)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Learn from one batch of rows that need not be seen again.

        The first batch is fitted as :meth:`fit` would, and fixes the standardisation; it should
        hold several rows a parameter. Each further batch updates averaged statistics and takes
        one step (Cappe & Moulines 2009); with a single expert these are the exact weighted
        statistics of all rows. After :meth:`fit`, learning goes on from there. ``trace_`` then
        holds running estimates, which may fall.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : estimator
        """
        return self._partial_fit(X, y, sample_weight)

    # -------------------------------------------------------------------- predictions

    def predict(
        self,
        X: Any,
        return_std: bool = False,  # noqa: FBT001, FBT002
        *,
        top_k: int | None = None,
    ) -> Any:
        """Conditional mean.

        Where an expert has none (Student-t with ``df <= 1``), its location takes the place.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        return_std : bool, default=False
            Whether to return the standard deviation too; infinite where it does not exist.
        top_k : int or None, default=None
            How many experts a row consults, those that the gate ranks highest, their
            probabilities scaled to sum to one; None consults all. An expert is evaluated on the
            rows that consult it and on no others, which pays where experts are expensive.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        std : ndarray of the same shape
            Only with ``return_std=True``.
        """
        mixtures = self._predictives(X) if top_k is None else _consulted(self, X, top_k)
        mean = self._shaped(np.concatenate([m.mean() for m in mixtures], axis=1))
        if not return_std:
            return mean
        variance = np.concatenate([m.variance() for m in mixtures], axis=1)
        return mean, self._shaped(np.sqrt(variance))

    def predict_quantile(self, X: Any, q: Any) -> Floats:
        """Conditional quantiles; of each output on its own.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        q : float or sequence of float in (0, 1)

        Returns
        -------
        quantile : ndarray of shape (n_samples[, n_outputs]), with a last axis for a sequence ``q``
        """
        levels = [_fraction("q", v) for v in np.atleast_1d(q)]
        if not levels:
            raise ValueError(f"q={q!r} is empty; give at least one level between 0 and 1.")
        mixtures = self._predictives(X)
        columns = [
            self._shaped(np.concatenate([m.quantile(v) for m in mixtures], axis=1)) for v in levels
        ]
        return columns[0] if np.ndim(q) == 0 else np.stack(columns, axis=-1)

    def predict_interval(self, X: Any, coverage: float = 0.9) -> Floats:
        """Central prediction interval.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        coverage : float in (0, 1), default=0.9

        Returns
        -------
        interval : ndarray of shape (n_samples[, n_outputs], 2)
        """
        tail = 0.5 * (1.0 - _fraction("coverage", coverage))
        return self.predict_quantile(X, [tail, 1.0 - tail])

    def predict_cdf(self, X: Any, y: Any) -> Floats:
        """P(Y <= y | x), of each output on its own: the probability integral transform.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)

        Returns
        -------
        p : ndarray of the shape of y
        """
        X, target = self._pairs(X, y)
        parts = [Predictive(self._model, self._params, b).cdf(b.y) for b in self._blocks(X, target)]
        return self._shaped(np.concatenate(parts, axis=1))

    def crps(self, X: Any, y: Any) -> Floats:
        """Continuous ranked probability score of each row, in the units of y; lower is better.

        Gneiting & Raftery (2007), Strictly proper scoring rules, prediction, and estimation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)

        Returns
        -------
        crps : ndarray of the shape of y
        """
        X, target = self._pairs(X, y)
        blocks = self._blocks(X, target)
        parts = [predictive_crps(Predictive(self._model, self._params, b), b.y) for b in blocks]
        return self._shaped(np.concatenate(parts, axis=1))

    def predict_mode(self, X: Any) -> Floats:
        """Highest point of the conditional density.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        return self._shaped(np.concatenate([m.mode() for m in self._predictives(X)], axis=1))

    def expert_predictions(self, X: Any) -> Floats:
        """What each expert predicts by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples, n_experts) or (n_samples, n_experts, n_outputs)
        """
        location = np.concatenate([m.location for m in self._predictives(X)], axis=2)
        return location[:, 0].T if self._flat_target else location.transpose(2, 0, 1)

    def sample(self, X: Any, n_samples: int = 1, random_state: Any = None) -> Floats:
        """Draws from the conditional distribution.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        n_samples : int, default=1
            Draws a row.
        random_state : int, RandomState or None, default=None

        Returns
        -------
        y : ndarray of shape (n_rows, n_samples) or (n_rows, n_samples, n_outputs)
        """
        check_integer("n_samples", n_samples, 1, "draws a row")
        mixtures, rng = self._predictives(X), _generator(random_state)
        draws = [
            np.concatenate([m.sample(rng) for m in mixtures], axis=1) for _ in range(n_samples)
        ]
        stacked = np.stack(draws, axis=1)
        return stacked[0].T if self._flat_target else stacked.transpose(2, 1, 0)


class ClassSurface:
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

        The first batch is fitted as :meth:`fit` would, and fixes the standardisation; each further
        one takes a step on averaged statistics (Cappe & Moulines 2009). After :meth:`fit`, learning
        goes on from there. ``trace_`` then holds running estimates, which may fall.

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

    def _mixtures(self, X: Any) -> list[tuple[Floats, Floats]]:
        """(gate (K, n), class probabilities of the experts (K, C, n)), a block at a time."""
        X, parts = self._check_rows(X), []
        for block in self._blocks(X):
            gate = np.exp(self._model.log_gate(self._params, block))
            parts.append((gate, self._expert_proba(block)))
        return parts

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
        if top_k is None:
            parts = [np.einsum("kn,kcn->nc", gate, P) for gate, P in self._mixtures(X)]
        else:
            parts = [m.proba().T for m in _consulted(self, X, top_k)]
        proba = np.concatenate(parts)
        return proba / proba.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X: Any, *, top_k: int | None = None) -> Floats:
        """Logarithms of :meth:`predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X, top_k=top_k))

    def predict(self, X: Any, *, top_k: int | None = None) -> np.ndarray:
        """Most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top_k : int or None, default=None
            How many experts a row consults, those that the gate ranks highest, their
            probabilities scaled to sum to one; None consults all. An expert is evaluated on the
            rows that consult it and on no others, which pays where experts are expensive.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        best = self.predict_proba(X, top_k=top_k).argmax(axis=1)
        return self.classes_[best]

    def expert_predictions(self, X: Any) -> Floats:
        """Class probabilities of each expert by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_experts, n_classes)
        """
        return np.concatenate([P for _, P in self._mixtures(X)], axis=2).transpose(2, 0, 1)

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
        proba, rng = self.predict_proba(X).T, _generator(random_state)
        codes = np.stack([choose(proba, rng) for _ in range(n_samples)], axis=1)
        return self.classes_[codes]
