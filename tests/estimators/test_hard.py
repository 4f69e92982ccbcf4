"""HardMoERegressor and HardMoEClassifier: shares, capacities, rounds, bad input."""

from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from moe_classic import HardMoEClassifier, HardMoERegressor


@parametrize_with_checks(
    [
        HardMoERegressor(max_iter=2, gate_iter=20),
        HardMoERegressor(2, expert=LinearRegression(), gate="linear", hidden_units=0, max_iter=2),
        HardMoEClassifier(max_iter=2, gate_iter=20),
        HardMoEClassifier(
            3, expert=LogisticRegression(), assignment="balanced", capacity=1.2, max_iter=2
        ),
        HardMoEClassifier(
            2, expert=DecisionTreeClassifier(max_depth=2), validation_fraction=0, max_iter=2
        ),
    ]
)
def test_estimator_passes_scikit_learns_check(estimator, check):
    check(estimator)
