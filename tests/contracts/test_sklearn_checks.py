"""scikit-learn's own checks on every public estimator, with several components each."""

import pytest
import sklearn
from sklearn.utils.fixes import parse_version

from moe_classic import (
    BayesianMoEClassifier,
    BayesianMoERegressor,
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MoEClassifier,
    MoERegressor,
)
from moe_classic.experts import GaussianExpert, StudentTExpert
from moe_classic.gates import GaussianGate, SoftmaxGate

from ..checks import parametrize_with_checks

#: Before 1.9 `check_positive_only_tag_during_fit` takes a mean off whole numbers in place.
CHECK_NEEDS_FLOATS = parse_version(sklearn.__version__) < parse_version("1.9")

# One start, few passes: the checks are about arguments and answers, not about optima.
ESTIMATORS = [
    BayesianMoERegressor(3, n_init=1, max_iter=4),
    BayesianMoEClassifier(2, n_init=1, max_iter=4),
    MoERegressor(n_init=1, max_iter=4),
    MoERegressor(3, expert="laplace", gate="gaussian", n_init=1, max_iter=4),
    MoERegressor(2, expert=StudentTExpert(df=4.0), gate="constant", n_init=1, max_iter=4),
    MoERegressor(
        2,
        expert=GaussianExpert(features=[0], alpha=1e-3, covariance_type="spherical", tied=True),
        gate=GaussianGate(covariance_type="tied"),
        n_init=1,
        max_iter=4,
    ),
    MoERegressor(2, expert=[("a", "gaussian"), ("b", "student_t")], n_init=1, max_iter=4),
    MoERegressor(2, gate="gaussian", missing="marginalize", n_init=1, max_iter=4),
    MoEClassifier(n_init=1, max_iter=4),
    MoEClassifier(3, expert="multinomial", gate="gaussian", n_init=1, max_iter=4),
    MoEClassifier(2, gate=SoftmaxGate(features=[0]), n_init=1, max_iter=4),
    MoERegressor(3, gate="tree", n_init=1, max_iter=4),
    HierarchicalMoERegressor([[2], 1], n_init=1, max_iter=4, least_squares_iter=1),
    HierarchicalMoERegressor("grow", max_leaves=3, n_init=1, max_iter=4),
    HierarchicalMoEClassifier((2,), n_init=1, max_iter=4),
    HierarchicalMoEClassifier("grow", max_leaves=3, n_init=1, max_iter=4),
]


# The checks fit noise of a few rows, where experts rightly report that they interpolate.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_estimator_passes_scikit_learns_check(estimator, check):
    name = getattr(check, "func", check).__name__
    if name == "check_positive_only_tag_during_fit" and CHECK_NEEDS_FLOATS:
        pytest.skip("this scikit-learn's check cannot run on estimators that take categories")
    check(estimator)
