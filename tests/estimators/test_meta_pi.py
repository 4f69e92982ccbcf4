"""MetaPiRegressor and MetaPiClassifier: sources, gates, sparse prediction, bad input."""

import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from moe_classic import MetaPiClassifier, MetaPiRegressor

REGRESSORS = [LinearRegression(), DecisionTreeRegressor(max_depth=2, random_state=0)]
CLASSIFIERS = [LogisticRegression(), DecisionTreeClassifier(max_depth=2, random_state=0)]


@parametrize_with_checks(
    [
        MetaPiRegressor(REGRESSORS),
        MetaPiRegressor(REGRESSORS, gate="constant"),
        MetaPiRegressor(
            LinearRegression(), gate="sigmoid", hidden_units=2, max_iter=50, joint=True
        ),
        MetaPiClassifier(CLASSIFIERS),
        MetaPiClassifier(LogisticRegression(), gate="sigmoid"),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimator_passes_scikit_learns_check(estimator, check):
    check(estimator)
