"""What estimators of a real target answer."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array

from moe_classic._arguments import check_integer
from moe_classic._compat import with_callbacks
from moe_classic._data import Block, RawData, Summary, TrainingData, real_data
from moe_classic._training import components, describes_outputs, keeps_target, learns_by_batches
from moe_classic._typing import Floats
from moe_classic.predictive import Predictive, predictive_crps

from .prediction import CommonSurface, generator


def _fraction(name: str, value: Any) -> float:
    """A number strictly between 0 and 1."""
    if not isinstance(value, numbers.Real) or not 0.0 < float(value) < 1.0:
        raise ValueError(f"{name}={value!r} must lie strictly between 0 and 1.")
    return float(value)


class RealSurface(CommonSurface):
    """Predictions of real targets."""

    _width_out: int

    def __sklearn_tags__(self) -> Any:
        """Tags; several outputs where the expert describes them."""
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = self._describes_outputs()
        return tags

    def _describes_outputs(self) -> bool:
        """Whether the expert describes several outputs."""
        return all(describes_outputs(e) for e in components(self.expert))

    # -------------------------------------------------------------------- fit

    def _validated(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True, whole: bool = True
    ) -> RawData:
        """Validated rows with positive weight."""
        outputs = self._describes_outputs()
        X, y, w, used = self._validate_rows(
            X, y, sample_weight, y_numeric=True, multi_output=outputs, reset=reset
        )
        key = np.atleast_2d(np.asarray(y, dtype=np.float64).T)
        if reset:
            self._flat_target, self._width_out = y.ndim == 1, len(key)
        elif len(key) != self._width_out:
            raise ValueError(
                f"y has {len(key)} outputs, the first rows had {self._width_out}; every batch must "
                "have the same."
            )
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
        return all(getattr(e, "own_scales", True) for e in experts)

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

    def _predictive(self, block: Block) -> Predictive:
        """Predictive distributions of one block."""
        return Predictive(self._model, self._params, block)

    def _joined(self, parts: list[Floats]) -> Floats:
        """Answers (d, n) of all blocks in the shape of the user's target."""
        return self._shaped(np.concatenate(parts, axis=1))

    @available_if(learns_by_batches)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Learn from one batch of rows that need not be seen again.

        The first batch is fitted as :meth:`fit` would. Because a few rows choose a poor hill, the
        first 20,000 distinct rows are kept, and fitted anew from all starts whenever their weight
        has doubled; in between, and for good once there are that many, a batch updates averaged
        statistics and takes one step (Cappe & Moulines 2009). The standardisation is that of the
        last fit. Several passes over up to 20,000 rows so end at the top that :meth:`fit` finds, up
        to the luck of its starts; over more rows, near the top of the hill that starts find for the
        first 20,000. With a single linear Gaussian expert the result is exact after every batch.

        After :meth:`fit` or :meth:`fit_blocks`, and with responsibilities for ``init``, no rows are
        kept: learning goes on from there. ``trace_`` then holds running estimates, which may fall.
        The order of the experts may change where rows are fitted anew.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError, TypeError
            If a batch is empty or has other columns than the first, if a component has no sums to
            carry along, or ``solver`` climbs something else than the likelihood.

        References
        ----------
        Cappe & Moulines (2009), On-line expectation-maximization algorithm for latent data models,
        Journal of the Royal Statistical Society B 71.
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
        X = self._check_rows(X)
        mixture = self._predictive if top_k is None else self._consulting(top_k)

        def moments(block: Block) -> list[Floats]:
            seen = mixture(block)
            return [seen.mean(), np.sqrt(seen.variance())] if return_std else [seen.mean()]

        answers = [
            self._joined(list(parts)) for parts in zip(*self._answers(moments, X), strict=True)
        ]
        return tuple(answers) if return_std else answers[0]

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

        def quantiles(block: Block) -> list[Floats]:
            seen = self._predictive(block)
            return [seen.quantile(v) for v in levels]

        parts = self._answers(quantiles, self._check_rows(X))
        columns = [self._joined(list(level)) for level in zip(*parts, strict=True)]
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
        return self._joined(self._answers(lambda b: self._predictive(b).cdf(b.y), X, target))

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
        return self._joined(
            self._answers(lambda b: predictive_crps(self._predictive(b), b.y), X, target)
        )

    def predict_mode(self, X: Any) -> Floats:
        """Highest point of the conditional density.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        X = self._check_rows(X)
        return self._joined(self._answers(lambda b: self._predictive(b).mode(), X))

    def expert_predictions(self, X: Any) -> Floats:
        """What each expert predicts by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples, n_experts) or (n_samples, n_experts, n_outputs)
        """
        X = self._check_rows(X)
        location = np.concatenate(self._answers(lambda b: self._predictive(b).location, X), axis=2)
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
        X, rng = self._check_rows(X), generator(random_state)
        mixtures = self._answers(self._predictive, X)
        draws = [
            np.concatenate([m.sample(rng) for m in mixtures], axis=1) for _ in range(n_samples)
        ]
        stacked = np.stack(draws, axis=1)
        return stacked[0].T if self._flat_target else stacked.transpose(2, 1, 0)
