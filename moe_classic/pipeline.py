"""A pipeline that ends in a mixture of experts and answers everything that the mixture does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from sklearn.utils.metaestimators import available_if

from moe_classic._results import fitted_moe, inner_rows, unwrapped
from moe_classic._sklearn import Pipeline
from moe_classic._typing import Floats, Ints
from moe_classic.inference import Inference, inference

__all__ = ["MoEPipeline"]


def _ends_in(name: str) -> Callable[[Any], bool]:
    """Whether a pipeline's last step, or what that one wraps, has a method."""

    def check(pipeline: Any) -> bool:
        last = pipeline.steps[-1][1]
        while not hasattr(last, name) and hasattr(last, "regressor"):
            last = last.regressor
        return hasattr(last, name)

    return check


class MoEPipeline(Pipeline):
    """Pipeline whose last step is a mixture of experts, with the mixture's own answers.

    All that :class:`~sklearn.pipeline.Pipeline` has, and methods of the mixture on rows as the
    pipeline is given them. Tables bear the names that the step before the mixture gives to its
    columns. The last step may be a :class:`~sklearn.compose.TransformedTargetRegressor` around a
    mixture: quantiles, intervals, draws, log densities and criteria are then those of y itself,
    and what has no rule to be turned back (CRPS, modes, means of experts) is refused.

    Parameters
    ----------
    steps : list of (name, estimator)
        As for :class:`~sklearn.pipeline.Pipeline`; the last one is a mixture of experts.
    transform_input : list of str, default=None
    memory : str or object with the joblib.Memory interface, default=None
    verbose : bool, default=False
        As for :class:`~sklearn.pipeline.Pipeline`.

    Attributes
    ----------
    named_steps : Bunch
    classes_ : ndarray
        Of a classifier.
    moe_ : estimator
        The fitted mixture.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.pipeline import MoEPipeline
    >>> X, y = load_tone(return_X_y=True, as_frame=True)
    >>> steps = [("scale", StandardScaler()), ("moe", MoERegressor(2, random_state=0))]
    >>> pipe = MoEPipeline(steps).fit(X, y)
    >>> pipe.predict_interval(X).shape
    (150, 2)
    >>> pipe.summary().loc[("expert", "slope")].index.tolist()
    ['stretchratio']
    """

    @property
    def moe_(self) -> Any:
        """The fitted mixture inside, its features called as the step before calls them."""
        return self._inner("gate_proba")

    def _inner(self, name: str) -> Any:
        """The mixture inside, which has ``name``."""
        return fitted_moe(self, needs=name, caller=f"MoEPipeline.{name}", named=True)

    def _ask(self, name: str, X: Any, *args: Any, **options: Any) -> Any:
        """What the mixture inside says of rows."""
        method = getattr(self._inner(name), name)
        return method(inner_rows(self, X), *args, **self._with_inner_history(options))

    def _with_inner_history(self, options: dict[str, Any]) -> dict[str, Any]:
        """Options with the past rows of known subjects as the mixture takes them."""
        history = options.get("history")
        if not (isinstance(history, (tuple, list)) and len(history) == 3):
            return options
        X, y, groups = history
        return {**options, "history": (inner_rows(self, X), y, groups)}

    @available_if(_ends_in("predict"))
    def predict(self, X: Any, **params: Any) -> Any:
        """What :class:`~sklearn.pipeline.Pipeline` predicts.

        Parameters
        ----------
        X : array-like or table
            Rows as the pipeline takes them.
        **params
            As for the mixture: ``groups``, and ``history=(X_past, y_past, groups_past)`` with rows
            as the pipeline takes them.

        Returns
        -------
        y : ndarray of shape (n_samples[, n_outputs])
        """
        return super().predict(X, **self._with_inner_history(params))

    @available_if(_ends_in("predict_proba"))
    def predict_proba(self, X: Any, **params: Any) -> Any:
        """Class probabilities. Arguments as for :meth:`predict`."""
        return super().predict_proba(X, **self._with_inner_history(params))

    # -------------------------------------------------------------------- who

    @available_if(_ends_in("gate_proba"))
    def gate_proba(self, X: Any, **options: Any) -> Floats:
        """Gate probabilities, (n_samples, n_experts).

        Parameters
        ----------
        X : array-like or table
            Rows as the pipeline takes them.
        **options
            As for the mixture: ``groups``, ``history``.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_experts)
        """
        proba: Floats = self._ask("gate_proba", X, **options)
        return proba

    @available_if(_ends_in("predict_expert"))
    def predict_expert(self, X: Any, **options: Any) -> Ints:
        """Number of the expert with the highest gate probability.

        Parameters
        ----------
        X : array-like or table
        **options
            As for the mixture: ``groups``, ``history``.

        Returns
        -------
        expert : ndarray of int of shape (n_samples,)
        """
        expert: Ints = self._ask("predict_expert", X, **options)
        return expert

    @available_if(_ends_in("responsibilities"))
    def responsibilities(self, X: Any, y: Any, **options: Any) -> Floats:
        """Posterior probabilities of the experts given x and y.

        Parameters
        ----------
        X : array-like or table
        y : array-like
        **options
            As for the mixture: ``groups``.

        Returns
        -------
        R : ndarray of shape (n_samples, n_experts)
        """
        R: Floats = self._ask("responsibilities", X, y, **options)
        return R

    @available_if(_ends_in("expert_predictions"))
    def expert_predictions(self, X: Any) -> Floats:
        """What each expert predicts by itself.

        Parameters
        ----------
        X : array-like or table

        Returns
        -------
        y : ndarray of shape (n_samples, n_experts[, n_outputs])
        """
        y: Floats = self._ask("expert_predictions", X)
        return y

    # -------------------------------------------------------------------- the distribution of y

    @available_if(_ends_in("predict_quantile"))
    def predict_quantile(self, X: Any, q: Any, **options: Any) -> Floats:
        """Conditional quantiles.

        Parameters
        ----------
        X : array-like or table
        q : float or sequence of float in (0, 1)
        **options
            As for the mixture: ``groups``, ``history``.

        Returns
        -------
        quantile : ndarray of shape (n_samples[, n_outputs]), with a last axis for a sequence ``q``
        """
        quantile: Floats = self._ask("predict_quantile", X, q, **options)
        return quantile

    @available_if(_ends_in("predict_interval"))
    def predict_interval(self, X: Any, coverage: float = 0.9, **options: Any) -> Floats:
        """Central prediction interval.

        Parameters
        ----------
        X : array-like or table
        coverage : float in (0, 1), default=0.9
        **options
            As for the mixture: ``groups``, ``history``.

        Returns
        -------
        interval : ndarray of shape (n_samples[, n_outputs], 2)
        """
        interval: Floats = self._ask("predict_interval", X, coverage, **options)
        return interval

    @available_if(_ends_in("predict_cdf"))
    def predict_cdf(self, X: Any, y: Any, **options: Any) -> Floats:
        """P(Y <= y | x).

        Parameters
        ----------
        X : array-like or table
        y : array-like
        **options
            As for the mixture: ``groups``, ``history``.

        Returns
        -------
        p : ndarray of the shape of y
        """
        p: Floats = self._ask("predict_cdf", X, y, **options)
        return p

    @available_if(_ends_in("predict_mode"))
    def predict_mode(self, X: Any, **options: Any) -> Floats:
        """Highest point of the conditional density.

        Parameters
        ----------
        X : array-like or table
        **options
            As for the mixture: ``groups``, ``history``.

        Returns
        -------
        y : ndarray of shape (n_samples[, n_outputs])
        """
        y: Floats = self._ask("predict_mode", X, **options)
        return y

    @available_if(_ends_in("crps"))
    def crps(self, X: Any, y: Any, **options: Any) -> Floats:
        """Continuous ranked probability score of each row.

        Parameters
        ----------
        X : array-like or table
        y : array-like
        **options
            As for the mixture: ``groups``, ``history``.

        Returns
        -------
        crps : ndarray of the shape of y
        """
        crps: Floats = self._ask("crps", X, y, **options)
        return crps

    @available_if(_ends_in("sample"))
    def sample(self, X: Any, n_samples: int = 1, random_state: Any = None) -> Floats:
        """Draws from the conditional distribution.

        Parameters
        ----------
        X : array-like or table
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None

        Returns
        -------
        y : ndarray of shape (n_rows, n_samples[, n_outputs])
        """
        y: Floats = self._ask("sample", X, n_samples, random_state)
        return y

    # -------------------------------------------------------------------- likelihood

    @available_if(_ends_in("score_samples"))
    def score_samples(self, X: Any, y: Any = None, **options: Any) -> Floats:
        """Log density of y given x.

        Parameters
        ----------
        X : array-like or table
        y : array-like, default=None
        **options
            As for the mixture: ``groups``.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
        """
        log_density: Floats = self._ask("score_samples", X, y, **options)
        return log_density

    @available_if(_ends_in("log_likelihood"))
    def log_likelihood(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> float:
        """Total conditional log-likelihood in nats.

        Parameters
        ----------
        X : array-like or table
        y : array-like
        sample_weight : array-like of shape (n_samples,), default=None
        **options
            As for the mixture: ``groups``.

        Returns
        -------
        value : float
        """
        return float(self._ask("log_likelihood", X, y, sample_weight, **options))

    @available_if(_ends_in("aic"))
    def aic(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> float:
        """Akaike's criterion; lower is better.

        Parameters
        ----------
        X : array-like or table
        y : array-like
        sample_weight : array-like of shape (n_samples,), default=None
        **options
            ``weight_kind``, as for the mixture.

        Returns
        -------
        value : float
        """
        return float(self._ask("aic", X, y, sample_weight, **options))

    @available_if(_ends_in("bic"))
    def bic(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> float:
        """Schwarz's criterion; lower is better. Arguments as for :meth:`aic`."""
        return float(self._ask("bic", X, y, sample_weight, **options))

    @available_if(_ends_in("icl"))
    def icl(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> float:
        """Integrated completed likelihood; lower is better. Arguments as for :meth:`aic`."""
        return float(self._ask("icl", X, y, sample_weight, **options))

    # -------------------------------------------------------------------- how it reads

    @available_if(_ends_in("summary"))
    def summary(self) -> pd.DataFrame:
        """Parameters of gate and experts, in the units of the step before.

        Returns
        -------
        table : DataFrame
        """
        table: pd.DataFrame = self._inner("summary").summary()
        return table

    @available_if(_ends_in("explain"))
    def explain(self, X: Any, **options: Any) -> Any:
        """What experts and gate say about rows.

        Parameters
        ----------
        X : array-like or table
        **options
            As for the mixture's ``explain``.

        Returns
        -------
        explanation : DataFrame
        """
        return self._ask("explain", X, **options)

    @available_if(_ends_in("inference"))
    def inference(self, X: Any, y: Any, **options: Any) -> Inference:
        """Standard errors, tests and intervals.

        Parameters
        ----------
        X, y : array-like
            The rows that the pipeline was fitted to.
        **options
            As for :func:`moe_classic.inference.inference`.

        Returns
        -------
        result : Inference
        """
        moe, X, y = unwrapped(self, X, y, needs="inference", caller="MoEPipeline.inference")
        return inference(moe, X, y, **options)
