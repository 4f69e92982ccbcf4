"""Experts that are scikit-learn estimators: any regressor, any classifier with probabilities.

::

    p_k(y | x) = density((y - f_k(x)) / s_k) / s_k      f_k a fitted regressor, density Gaussian,
                                                        Laplace or Student-t
    P_k(y = c | x) = (1 - e) P_k(c | f_k(x)) + e / C    f_k a fitted classifier, e = min_proba

Step: the estimator is refitted with the responsibilities as weights (times the latent precisions
``u = (v + 1) / (v + z^2)`` of the t density), then the scale takes its maximum-likelihood value
under the new residuals. A refit that does not raise ``sum S log p`` of its expert is not taken, so
that EM climbs whatever an estimator optimises. "The experts may be arbitrary functions": Jacobs,
Jordan, Nowlan & Hinton (1991), equation 1.3; Jordan & Jacobs (1994), section 5.
"""

from __future__ import annotations

from typing import Any, ClassVar

from moe_classic._adapters import check_prefit, check_proba, takes_missing, target_of
from moe_classic._data import Summary
from moe_classic.experts._base import Description, Expert
from moe_classic.experts._location_scale import (
    GaussianExpert,
    LaplaceExpert,
    LocationScaleExpert,
    StudentTExpert,
)

from .classifier import FittedClassifiers
from .regressor import FittedRegressors

_DENSITIES: dict[str, type[LocationScaleExpert]] = {
    cls.name: cls for cls in (GaussianExpert, LaplaceExpert, StudentTExpert)
}
_MIN_SCALE, _MIN_PROBA = 1e-3, 1e-6


class EstimatorExpert(Description):
    """Any scikit-learn regressor or classifier as an expert.

    The estimator is cloned for every expert and refitted in every pass with the responsibilities
    as sample weights. One that takes no ``sample_weight`` sees its rows repeated instead, by a
    fixed rule: as many rows as the weights are worth, ``m = (sum w)^2 / sum w^2``, each repeated
    in proportion to its weight, rounded along the running total. A ``random_state`` of None becomes
    the number of the expert. Estimators see X and y as the user gave them, not standardised, and
    under their column names if X has any. A prefit estimator inside
    :class:`~sklearn.frozen.FrozenEstimator` stays as it is: only its scale is learned.

    Parameters
    ----------
    estimator : estimator
        A regressor for :class:`MoERegressor`; a classifier with ``predict_proba`` for
        :class:`MoEClassifier`.
    features : None, list of column names or indices, or transformer, default=None
        What the estimator sees of X; see :class:`GaussianExpert`.
    density : {"gaussian", "laplace", "student_t"}, default="gaussian"
        Distribution of a regressor's residuals. An estimator of least squares goes with
        ``"gaussian"`` and ``"student_t"``, whose weights are then those of exact EM; one of least
        absolute errors, such as :class:`~sklearn.linear_model.QuantileRegressor`, with
        ``"laplace"``. Of no meaning for classifiers.
    df : float or None, default=None
        Degrees of freedom of the t density; None estimates them between 2 and 200.
    min_scale : float, default=1e-3
        Smallest scale, as a share of the noise that one robust linear fit leaves: an estimator may
        pass through its rows exactly, and then the likelihood has no bound.
    min_proba : float, default=1e-6
        Share of a classifier's probability that is spread evenly over the classes: trees and
        neighbours give classes the probability 0.
    n_jobs : int or None, default=None
        How many experts are refitted at a time, in threads unless a joblib context says
        otherwise; None takes that of the mixture.

    Notes
    -----
    What an estimator optimises need not be the likelihood, which may then creep up for hundreds of
    refits that deal out the same rows. From the twentieth pass on a fit also ends where in three
    passes in a row at most ``sqrt(tol)`` of the weight changed hands, a thousandth by default.

    ``n_parameters_``, and with it AIC and BIC, is nan where the number of parameters of an
    estimator is not known; coefficients, layers and leaves are counted.

    References
    ----------
    Jacobs, Jordan, Nowlan & Hinton (1991), Adaptive mixtures of local experts, Neural Computation
    3. Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6. Kish (1965), Survey sampling, Wiley: the effective number of rows.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.experts import EstimatorExpert
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> tree = EstimatorExpert(DecisionTreeRegressor(max_leaf_nodes=4))
    >>> moe = MoERegressor(1, expert=tree).fit(X, y)
    >>> moe.experts_[0].estimator_.get_n_leaves()
    np.int64(4)
    """

    name: ClassVar[str] = "estimator"
    additive: ClassVar[bool] = False
    raw: ClassVar[bool] = True

    def __init__(
        self,
        estimator: Any,
        *,
        features: Any = None,
        density: str = "gaussian",
        df: float | None = None,
        min_scale: float = _MIN_SCALE,
        min_proba: float = _MIN_PROBA,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.features = features
        self.density = density
        self.df = df
        self.min_scale = min_scale
        self.min_proba = min_proba
        self.n_jobs = n_jobs

    @property
    def target(self) -> str:  # type: ignore[override]
        """What y may be: "real" for a regressor, "class" for a classifier."""
        return target_of("EstimatorExpert", self.estimator)

    @property
    def several_outputs(self) -> bool:  # type: ignore[override]
        """Whether several outputs can be described."""
        tags = self.estimator.__sklearn_tags__()
        return bool(self.density == "gaussian" and tags.target_tags.multi_output)

    @property
    def takes_missing(self) -> bool:  # type: ignore[override]
        """Whether the estimator takes NaN, by its own tags."""
        return takes_missing(self.estimator)

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range or has no meaning for the estimator."""
        if self.density not in _DENSITIES:
            raise ValueError(
                f"EstimatorExpert: density={self.density!r} is not known; choose one of "
                f"{tuple(_DENSITIES)}."
            )
        if self.df is not None and self.density != "student_t":
            raise ValueError(
                f"EstimatorExpert: df={self.df!r} has no meaning for density={self.density!r}; "
                "leave it at None or use density='student_t'."
            )
        if not 0.0 < self.min_proba < 0.5:
            raise ValueError(f"EstimatorExpert: min_proba={self.min_proba!r} must lie in (0, 0.5).")
        if self.target == "class":
            self._check_classifier()
        else:
            if self.min_proba != _MIN_PROBA:
                raise ValueError("EstimatorExpert: min_proba has no meaning for a regressor.")
            self._noise().check()
        check_prefit("EstimatorExpert", self.estimator)

    def _check_classifier(self) -> None:
        """Raise unless there are probabilities and nothing about residuals."""
        check_proba("EstimatorExpert", self.estimator)
        if self.density != "gaussian" or self.min_scale != _MIN_SCALE:
            raise ValueError(
                "EstimatorExpert: density and min_scale describe the residuals of a regressor and "
                f"have no meaning for {self.estimator!r}; leave them at their defaults."
            )

    def _noise(self) -> LocationScaleExpert:
        """The family whose noise surrounds the predictions of a regressor."""
        settings: dict[str, Any] = {"min_scale": self.min_scale}
        if self.density == "student_t":
            settings |= {"df": self.df}
        if self.density == "gaussian":
            settings |= {"covariance_type": "diag"}
        return _DENSITIES[self.density](**settings)

    def bind(self, summary: Summary) -> Expert:
        """Expert that does the work, for numbers or for classes."""
        if summary.n_classes:
            return FittedClassifiers(self.estimator, self.features, self.min_proba, self.n_jobs)
        noise = self._noise()
        noise.bind(summary)
        return FittedRegressors(self.estimator, self.features, noise, self.n_jobs)
