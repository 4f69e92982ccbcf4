"""What mixtures with a real target answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, Self, overload

import numpy as np
from scipy.special import ndtri
from sklearn.metrics import d2_tweedie_score
from sklearn.utils.metaestimators import available_if

from moe_classic._arguments import check_fraction, check_integer, check_one_of, generator
from moe_classic._compat import with_callbacks
from moe_classic._data import Block
from moe_classic._results import (
    FittedMixture,
    checked_pairs,
    checked_rows,
    fitted_mixture,
    told_experts,
)
from moe_classic._routing import check_top_k
from moe_classic._sklearn import RegressorMixin
from moe_classic._targets import RealTarget, Target
from moe_classic._training import learns_by_batches
from moe_classic._typing import Floats
from moe_classic.metrics import pit_values
from moe_classic.predictive import TopExperts, predictive_crps

from .arguments import describes_several
from .lazy import lazily
from .online import learn_batch

#: Distance of probabilities from 0 and 1 where their normal quantiles are taken.
_CERTAIN = 1e-16


class RegressorAnswers(RegressorMixin):
    """Predictions of real targets."""

    _target: ClassVar[type[Target]] = RealTarget

    expert: Any
    n_jobs: int | None

    def __sklearn_tags__(self) -> Any:
        """Tags; several outputs where the expert describes them."""
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = self._several_outputs()
        return tags

    def _several_outputs(self) -> bool:
        """Whether y may have several columns."""
        return describes_several(self.expert)

    @available_if(learns_by_batches)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Learn from one batch of rows that need not be seen again.

        The first batch is fitted as :meth:`fit` would. Because a few rows choose a poor hill, the
        first 20,000 distinct rows are kept, and fitted anew from all starts whenever their weight
        has doubled; in between, and for good once there are that many, a batch updates averaged
        statistics and takes one step (Cappe & Moulines 2009). The standardisation is that of the
        last fit. Several passes over up to 20,000 rows so end at the top that :meth:`fit` finds, up
        to the luck of its starts; over more rows, near the top of the hill that starts find for the
        first 20,000. With a single linear Gaussian expert the result is exact after every batch.

        Batches of few rows wait, and there is nothing to predict with, until there are two rows and
        one an expert; batches whose rows all have weight 0 change nothing.

        After :meth:`fit` or :meth:`fit_blocks`, and with responsibilities for ``init``, no rows are
        kept: learning goes on from there. ``trace_`` then holds running estimates, which may fall.
        The order of the experts may change where rows are fitted anew.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
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
            If a batch is empty or has other columns than the first, if a component has no sums to
            carry along, or ``solver`` climbs something else than the likelihood.

        References
        ----------
        Cappe & Moulines (2009), On-line expectation-maximization algorithm for latent data models,
        Journal of the Royal Statistical Society B 71.
        """
        return learn_batch(self, X, y, sample_weight, groups=groups)

    # -------------------------------------------------------------------- predictions

    @overload
    def predict(
        self,
        X: Any,
        return_std: Literal[False] = False,  # noqa: FBT002
        *,
        top_k: int | None = None,
        groups: Any = None,
        history: Any = None,
    ) -> Floats: ...

    @overload
    def predict(
        self,
        X: Any,
        return_std: Literal[True],
        *,
        top_k: int | None = None,
        groups: Any = None,
        history: Any = None,
    ) -> tuple[Floats, Floats]: ...

    @overload
    def predict(
        self,
        X: Any,
        return_std: bool,  # noqa: FBT001
        *,
        top_k: int | None = None,
        groups: Any = None,
        history: Any = None,
    ) -> Floats | tuple[Floats, Floats]: ...

    @lazily
    def predict(
        self,
        X: Any,
        return_std: bool = False,  # noqa: FBT001, FBT002
        *,
        top_k: int | None = None,
        groups: Any = None,
        history: Any = None,
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
        groups : array-like of shape (n_samples,), default=None
            Labels of the subjects that the rows are of; see :meth:`fit`. The gate sees the mean of
            the rows of each. None: every row is a subject of its own.
        history : tuple (X_past, y_past, groups_past), default=None
            Rows that were seen of subjects, by the labels in ``groups``: the posterior of these
            rows takes the place of the gate. Subjects without a history are new, and have the gate.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        std : ndarray of the same shape
            Only with ``return_std=True``.
        """
        X, fitted = checked_rows(self, X), fitted_mixture(self)
        mixture = _mixtures(fitted, top_k)

        def moments(block: Block) -> list[Floats]:
            at_x = mixture(block)
            return [at_x.mean(), np.sqrt(at_x.variance())] if return_std else [at_x.mean()]

        known = told_experts(self, X, groups, history)
        parts = fitted.answers(moments, X, n_jobs=self.n_jobs, told=known)
        answers = [_joined(fitted, moment) for moment in zip(*parts, strict=True)]
        return tuple(answers) if return_std else answers[0]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of what a constant leaves unexplained that the predictions explain.

        Of squared errors (R^2); where all experts are Poisson, all gamma or all inverse Gaussian,
        of their deviance (D^2), as scikit-learn scores generalised linear models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
            1 at best, 0 for predictions as good as the mean of y.

        Raises
        ------
        ValueError
            If y is censored in some row: neither has an error there. The scorer ``"log_score"``
            of :func:`~moe_classic.metrics.get_scorer` does with ends.
        """
        fitted = fitted_mixture(self)
        if fitted.target.intervals:
            y = fitted.target.exact(fitted.target.scored(y))[0]
        powers = {g.expert.deviance_power for g in fitted.model.groups}
        power = powers.pop() if len(powers) == 1 else None
        if power is None:
            return float(super().score(X, y, sample_weight))
        predicted = self.predict(X)
        return float(d2_tweedie_score(y, predicted, sample_weight=sample_weight, power=power))

    def predict_quantile(
        self, X: Any, q: Any, *, groups: Any = None, history: Any = None
    ) -> Floats:
        """Conditional quantiles; of each output on its own.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        q : float or sequence of float in (0, 1)
        groups, history
            Which subject each row is of, and what was seen of these; as for :meth:`gate_proba`.

        Returns
        -------
        quantile : ndarray of shape (n_samples[, n_outputs]), with a last axis for a sequence ``q``
        """
        levels = [check_fraction("q", v) for v in np.atleast_1d(q)]
        if not levels:
            raise ValueError(f"q={q!r} is empty; give at least one level between 0 and 1.")

        X, fitted = checked_rows(self, X), fitted_mixture(self)

        def quantiles(block: Block) -> list[Floats]:
            at_x = fitted.predictive(block)
            return [at_x.quantile(v) for v in levels]

        known = told_experts(self, X, groups, history)
        parts = fitted.answers(quantiles, X, n_jobs=self.n_jobs, told=known)
        columns = [_joined(fitted, level) for level in zip(*parts, strict=True)]
        return columns[0] if np.ndim(q) == 0 else np.stack(columns, axis=-1)

    def predict_interval(
        self, X: Any, coverage: float = 0.9, *, groups: Any = None, history: Any = None
    ) -> Floats:
        """Central prediction interval.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        coverage : float in (0, 1), default=0.9
        groups, history
            Which subject each row is of, and what was seen of these; as for :meth:`gate_proba`.

        Returns
        -------
        interval : ndarray of shape (n_samples[, n_outputs], 2)
        """
        tail = 0.5 * (1.0 - check_fraction("coverage", coverage))
        return self.predict_quantile(X, [tail, 1.0 - tail], groups=groups, history=history)

    def predict_cdf(self, X: Any, y: Any, *, groups: Any = None, history: Any = None) -> Floats:
        """P(Y <= y | x), of each output on its own: the probability integral transform.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        groups, history
            Which subject each row is of, and what was seen of these; as for :meth:`gate_proba`.

        Returns
        -------
        p : ndarray of the shape of y
        """
        (X, columns), fitted = checked_pairs(self, X, y), fitted_mixture(self)
        columns = fitted.target.exact(columns)
        known = told_experts(self, X, groups, history)
        parts = fitted.answers(
            lambda b: fitted.predictive(b).cdf(b.y),
            X,
            columns,
            n_jobs=self.n_jobs,
            told=known,
        )
        return _joined(fitted, parts)

    def crps(self, X: Any, y: Any, *, groups: Any = None, history: Any = None) -> Floats:
        """Continuous ranked probability score of each row, in the units of y; lower is better.

        Gneiting & Raftery (2007), Strictly proper scoring rules, prediction, and estimation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        groups, history
            Which subject each row is of, and what was seen of these; as for :meth:`gate_proba`.

        Returns
        -------
        crps : ndarray of the shape of y
        """
        (X, columns), fitted = checked_pairs(self, X, y), fitted_mixture(self)
        columns = fitted.target.exact(columns)
        known = told_experts(self, X, groups, history)
        parts = fitted.answers(
            lambda b: predictive_crps(fitted.predictive(b), b.y),
            X,
            columns,
            n_jobs=self.n_jobs,
            told=known,
        )
        return _joined(fitted, parts)

    def residuals(
        self, X: Any, y: Any, *, kind: str = "quantile", random_state: Any = None
    ) -> Floats:
        """What is left of y after the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        kind : {"quantile", "response", "pearson"}, default="quantile"
            ``"quantile"``: standard normal under the right model, whatever the family: normal
            quantiles of ``P(Y <= y | x)``, drawn evenly between ``P(Y < y | x)`` and that where
            single values have a probability, as counts have. ``"response"``: y minus its predicted
            mean. ``"pearson"``: the same over the predicted standard deviation.
        random_state : int, RandomState or None, default=None
            Seed of the draws; of no consequence for continuous targets and the other kinds.

        Returns
        -------
        residuals : ndarray of the shape of y

        References
        ----------
        Dunn & Smyth (1996), Randomized quantile residuals, Journal of Computational and Graphical
        Statistics 5.
        """
        check_one_of("residuals", "kind", kind, ("quantile", "response", "pearson"))
        if kind == "quantile":
            pit = pit_values(self, X, y, random_state=random_state)
            return np.asarray(ndtri(np.clip(pit, _CERTAIN, 1.0 - _CERTAIN)), dtype=np.float64)
        (X, columns), target = checked_pairs(self, X, y), fitted_mixture(self).target
        mean, std = self.predict(X, return_std=True)
        rest = target.shaped(target.exact(columns)) - mean
        return np.asarray(rest if kind == "response" else rest / std, dtype=np.float64)

    def predict_mode(self, X: Any, *, groups: Any = None, history: Any = None) -> Floats:
        """Highest point of the conditional density.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        groups, history
            Which subject each row is of, and what was seen of these; as for :meth:`gate_proba`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        X, fitted = checked_rows(self, X), fitted_mixture(self)
        known = told_experts(self, X, groups, history)
        parts = fitted.answers(
            lambda b: fitted.predictive(b).mode(), X, n_jobs=self.n_jobs, told=known
        )
        return _joined(fitted, parts)

    def expert_predictions(self, X: Any) -> Floats:
        """What each expert predicts by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples, n_experts) or (n_samples, n_experts, n_outputs)
        """
        X, fitted = checked_rows(self, X), fitted_mixture(self)
        parts = fitted.answers(lambda b: fitted.predictive(b).location, X, n_jobs=self.n_jobs)
        return _joined(fitted, parts)

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
        X, fitted = checked_rows(self, X), fitted_mixture(self)
        rng = generator(random_state)
        mixtures = fitted.answers(fitted.predictive, X, n_jobs=self.n_jobs)
        draws = [
            np.concatenate([m.sample(rng) for m in mixtures], axis=1) for _ in range(n_samples)
        ]
        return fitted.target.shaped(np.stack(draws))


def _mixtures(fitted: FittedMixture, top_k: Any) -> Callable[[Block], Any]:
    """What turns a block into mixtures of all experts, or of the ``top_k`` likeliest of a row."""
    if top_k is None:
        return fitted.predictive
    count = check_top_k(top_k, fitted.model.n_experts)
    return lambda block: TopExperts(fitted.model, fitted.params, block, count)


def _joined(fitted: FittedMixture, parts: Sequence[Floats]) -> Floats:
    """Answers (..., d, n) of all blocks as y is written."""
    return fitted.target.shaped(np.concatenate(parts, axis=-1))
