"""BayesianMoERegressor: a mixture of regressions with a posterior."""

from __future__ import annotations

from typing import Any

from moe_classic._bayes import BayesianLines, LineParams, PosteriorGaussianExpert
from moe_classic.estimators._mixture import RegressorAnswers, store_arguments

from .base import BayesianEstimator
from .options import checked_prior


class BayesianMoERegressor(RegressorAnswers, BayesianEstimator):
    """Mixture of Gaussian regressions whose parameters, and number, are inferred from the data.

    ::

        p(y | x) = sum_k E g_k(x) t_k(y | x)

    stands to :class:`MoERegressor` as :class:`~sklearn.mixture.BayesianGaussianMixture` stands to
    :class:`~sklearn.mixture.GaussianMixture`. Variational Bayes gives a posterior of every
    coefficient and scale, and a lower bound on the log evidence of the data. The fit begins with
    ``n_experts`` experts and drops one after the other as long as an estimate of the evidence
    rises. Predictions
    average over the posterior: the density of an expert is a Student-t that widens away from the
    rows that it has seen.

    Parameters
    ----------
    n_experts : int, default=8
        Number of experts to begin with, at most one a distinct row.
    expert_features, gate_features : None, list, or transformer, default=None
        What experts and gate see of X. None: all columns; a list of column names or indices: these;
        ``[]``: nothing; a transformer is cloned
        and fitted inside.
    noise_prior : tuple of float, default=(0.5, 0.005)
        Shape and rate of the gamma distribution of the precision of the noise of an expert, where y
        has unit variance. The default is next to flat for standard deviations between 0.03 and 1.
    coef_prior : tuple of float, default=(0.5, 2.0)
        Shape and rate of the gamma distribution of the precision of each coefficient of each
        expert, in units of its noise (automatic relevance determination): features without an
        effect are shrunk to zero. A coefficient is so, by default, Cauchy distributed with twice
        the standard deviation of the noise as its scale.
    gate_prior : tuple of float, default=(0.5, 2.0)
        The same of the gate, with one precision a feature for all experts.
    prune : bool, default=True
        Whether experts are dropped that the evidence does not ask for.
    init : str or array-like of shape (n_samples, n_experts), default="auto"
        As for :class:`MoERegressor`.
    n_init : int, default=10
        Number of starts; the best five are followed to their ends, and the highest evidence wins.
        On more than 20,000 rows they are tried on a sample, which settles the number of experts.
    max_iter : int, default=500
        Largest number of sweeps of a run.
    tol : float, default=1e-6
        A run ends when the bound still to gain, estimated by Aitken's method, is below ``tol`` nats
        per unit of weight.
    n_jobs : int or None, default=None
        Threads over blocks of rows in predictions.
    random_state : int, RandomState or None, default=None
        Seed of the starts.
    order_by : str, default="mass"
        Order in which experts are published, as for :class:`MoERegressor`.

    Attributes
    ----------
    experts_ : list of fitted experts
        With posterior means ``coef_``, ``intercept_``, ``scale_``; ``df_`` are the degrees of
        freedom of their predictions.
    gate_ : fitted gate
        With posterior means relative to the last expert.
    n_experts_ : int
        Number of experts that are left.
    lower_bound_ : float
        Lower bound on the log evidence of the training data, in nats.
    trace_ : ndarray
        The bound after every sweep of the winning run with the experts that are left; never falls.
    n_iter_ : int
    converged_ : bool
    start_report_ : DataFrame
        What became of every start, best first.
    pruning_report_ : DataFrame
        Numbers of experts on the way, with bounds and estimates of the evidence.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If X had names.

    See Also
    --------
    MoERegressor : maximum likelihood, other experts and gates.
    BayesianMoEClassifier : the same for classes.

    Notes
    -----
    The factors of the posterior that is climbed (responsibilities, each expert with its noise, the
    gate, the precisions) are independent of each other, and the gate has its by a quadratic bound.
    Both make it too narrow. What is told, predicted with and drawn from comes from weighted draws
    of the posterior of all parameters (adaptive multiple importance sampling, Cornuet, Marin, Mira
    & Robert 2012), which begin at the bound's means with the information put back that is missing
    on which expert a row belongs to (linear response, Giordano, Broderick & Jordan 2018). The gate
    keeps draws, as posteriors of sharp borders are skew; an expert the nearest normal-gamma
    distribution. The draws are the same at every fit to equal data. With more than 48 parameters
    the beginning is told.

    References
    ----------
    Waterhouse, MacKay & Robinson (1996), Bayesian methods for mixtures of experts, NIPS 8. Ueda &
    Ghahramani (2002), Bayesian model search for mixture models based on optimizing variational
    bounds, Neural Networks 15. Baldacchino, Cross, Worden & Rowson (2016), Variational Bayesian
    mixture of experts models and sensitivity analysis for nonlinear dynamical systems, Mechanical
    Systems and Signal Processing 66-67.

    Examples
    --------
    >>> from moe_classic import BayesianMoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = BayesianMoERegressor(random_state=0).fit(X, y)
    >>> moe.n_experts_
    4
    """

    def __init__(
        self,
        n_experts: int = 8,
        *,
        expert_features: Any = None,
        gate_features: Any = None,
        noise_prior: tuple[float, float] = (0.5, 0.005),
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

    def _several_outputs(self) -> bool:
        """One output."""
        return False

    def _family(self, n_classes: int) -> BayesianLines:
        """Gaussian regressions with conjugate priors."""
        return BayesianLines(
            checked_prior("noise_prior", self.noise_prior, "the noise"),
            checked_prior("coef_prior", self.coef_prior, "the coefficients of experts"),
        )

    def _predictive_expert(self) -> PosteriorGaussianExpert:
        """Student-t predictive densities."""
        return PosteriorGaussianExpert(features=self.expert_features)

    def _expert_params(self, experts: Any) -> LineParams:
        """The posterior itself."""
        return LineParams.of(experts)
