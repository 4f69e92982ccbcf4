"""BayesianMoEClassifier: a mixture of multinomial logits with a posterior."""

from __future__ import annotations

from typing import Any

from moe_classic._bayes import (
    BayesianClasses,
    BayesianLogits,
    LogitParams,
    PosteriorMultinomialExpert,
)
from moe_classic.estimators._mixture import ClassifierAnswers, store_arguments

from .base import BayesianEstimator
from .options import checked_prior


class BayesianMoEClassifier(ClassifierAnswers, BayesianEstimator):
    """Mixture of multinomial logits whose parameters, and number, are inferred from the data.

    ::

        P(y = c | x) = sum_k E g_k(x) E P_k(c | x)

    stands to :class:`MoEClassifier` as :class:`BayesianMoERegressor` stands to
    :class:`MoERegressor`: a posterior of every coefficient, a lower bound on the log evidence,
    experts dropped that the evidence does not ask for, probabilities that are averages over the
    posterior.

    Parameters
    ----------
    n_experts : int, default=8
        Number of experts to begin with, at most one a distinct row.
    expert_features, gate_features : None, list, or transformer, default=None
        As for :class:`BayesianMoERegressor`.
    coef_prior : tuple of float, default=(0.5, 2.0)
        Shape and rate of the gamma distribution of the precision of each feature of each expert,
        one for all classes, where features have unit variance (automatic relevance determination).
        A coefficient is so, by default, Cauchy distributed with scale 2 up to the coding of the
        classes.
    gate_prior : tuple of float, default=(0.5, 2.0)
        The same of the gate.
    prune, init, n_init, max_iter, tol, n_jobs, random_state, order_by
        As for :class:`BayesianMoERegressor`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    experts_, gate_, n_experts_, lower_bound_, trace_, n_iter_, converged_, start_report_,
    pruning_report_, n_features_in_, feature_names_in_
        As for :class:`BayesianMoERegressor`; ``coef_`` of an expert has one row a class but the
        last, to which they are relative.

    See Also
    --------
    MoEClassifier : maximum likelihood, other experts and gates.
    BayesianMoERegressor : the same for real targets.

    Notes
    -----
    The posterior of the logits is that of Bohning's quadratic bound, of two classes too. What is
    told comes from draws that begin at its means with the curvature at them, as for
    :class:`BayesianMoERegressor`; more than 48 parameters leave it there.

    References
    ----------
    Bohning (1992), Multinomial logistic regression algorithm, Annals of the Institute of
    Statistical Mathematics 44. Waterhouse, MacKay & Robinson (1996), Bayesian methods for mixtures
    of experts, NIPS 8.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import BayesianMoEClassifier
    >>> x = np.linspace(-3.0, 3.0, 300)[:, None]
    >>> y = np.abs(x[:, 0]) > 1.5
    >>> moe = BayesianMoEClassifier(4, random_state=0).fit(x, y)
    >>> moe.n_experts_
    2
    >>> round(moe.score(x, y), 2)
    1.0
    """

    def __init__(
        self,
        n_experts: int = 8,
        *,
        expert_features: Any = None,
        gate_features: Any = None,
        coef_prior: tuple[float, float] = (0.5, 2.0),
        gate_prior: tuple[float, float] = (0.5, 2.0),
        prune: bool = True,
        init: Any = "auto",
        n_init: int = 10,
        max_iter: int = 500,
        tol: float = 1e-6,
        n_jobs: int | None = None,
        random_state: Any = None,
        order_by: str = "mass",
    ) -> None:
        store_arguments(self, locals())

    def _family(self, n_classes: int) -> BayesianClasses:
        """Multinomial logits."""
        prior = checked_prior("coef_prior", self.coef_prior, "the coefficients of experts")
        return BayesianClasses(BayesianLogits(prior), n_classes)

    def _predictive_expert(self) -> PosteriorMultinomialExpert:
        """Averaged class probabilities."""
        return PosteriorMultinomialExpert(features=self.expert_features)

    def _expert_params(self, experts: Any) -> LogitParams:
        """Means and covariances."""
        return LogitParams(*experts)
