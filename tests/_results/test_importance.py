"""Which features a mixture uses: as scikit-learn's selectors ask, and as closed forms have it."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.preprocessing import StandardScaler

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate


def switching(n=400, seed=0):
    """Two lines in column 1, chosen by column 3; columns 0 and 2 say nothing."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) * [1.0, 10.0, 0.01, 1.0] + [5.0, 0.0, 0.0, 100.0]
    sign = np.where(X[:, 3] > 100.0, 1.0, -1.0)
    return X, sign * 0.3 * X[:, 1] + 2.0 * sign + 0.3 * rng.normal(size=n)


# ------------------------------------------------------------------------- one equation


def test_one_expert_has_the_slopes_of_least_squares():
    X, y = switching()
    moe, line = MoERegressor(1).fit(X, y), LinearRegression().fit(X, y)
    np.testing.assert_allclose(moe.coef_, line.coef_, rtol=1e-8)
    assert moe.intercept_ == pytest.approx(line.intercept_)
    both = np.column_stack([y, X[:, 0] + y**2])
    moe, line = MoERegressor(1).fit(X, both), LinearRegression().fit(X, both)
    np.testing.assert_allclose(moe.coef_, line.coef_, atol=1e-8)
    np.testing.assert_allclose(moe.intercept_, line.intercept_, atol=1e-8)


def test_columns_that_an_expert_does_not_see_have_no_slope():
    X, y = switching()
    moe = MoERegressor(1, expert=GaussianExpert(features=[1, 3])).fit(X, y)
    line = LinearRegression().fit(X[:, [1, 3]], y)
    np.testing.assert_allclose(moe.coef_, [0.0, line.coef_[0], 0.0, line.coef_[1]], rtol=1e-8)


def test_a_constant_gate_blends_lines_to_a_line():
    X, y = switching()
    moe = MoERegressor(2, gate="constant", random_state=0).fit(X, y)
    np.testing.assert_allclose(X @ moe.coef_ + moe.intercept_, moe.predict(X), atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_classifier_has_the_slopes_of_logistic_regression(n_classes):
    X, y = switching()
    X = StandardScaler().fit_transform(X)
    codes = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))
    moe = MoEClassifier(1, tol=1e-10).fit(X, codes)
    right = LogisticRegression(C=1.0 / (1e-4 * len(X)), tol=1e-8, max_iter=1000).fit(X, codes)
    np.testing.assert_allclose(moe.coef_, right.coef_, atol=2e-3)
    np.testing.assert_allclose(moe.intercept_, right.intercept_, atol=2e-3)


def test_one_poisson_expert_has_the_slopes_of_its_link():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = rng.poisson(np.exp(0.5 * X[:, 0]))
    moe = MoERegressor(1, expert="poisson", tol=1e-10).fit(X, y)
    right = PoissonRegressor(alpha=1e-4, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(moe.coef_, right.coef_, atol=1e-4)


@pytest.mark.parametrize(
    "moe",
    [
        MoERegressor(2, random_state=0),
        MoERegressor(2, expert=LinearRegression(), gate="constant", random_state=0),
        HierarchicalMoERegressor((2,), random_state=0),
    ],
)
def test_what_is_no_single_equation_says_so(moe):
    with pytest.raises(NotFittedError):
        _ = moe.coef_
    moe.fit(*switching())
    assert not hasattr(moe, "coef_")
    assert not hasattr(moe, "intercept_")
    with pytest.raises(AttributeError, match=r"no single linear equation.*experts_\[k\].coef_"):
        _ = moe.coef_


# ------------------------------------------------------------------------- how much


@pytest.mark.parametrize(
    "moe",
    [
        MoERegressor(2, random_state=0),
        MoERegressor(2, gate="gaussian", random_state=0),
        MoERegressor(2, expert="student_t", gate=SoftmaxGate(features=[2, 3]), random_state=0),
        HierarchicalMoERegressor((2,), random_state=0),
    ],
)
def test_selectors_keep_what_chooses_and_what_slopes(moe):
    X, y = switching()
    importances = moe.fit(X, y).feature_importances_
    assert importances.sum() == pytest.approx(1.0)
    assert importances[[1, 3]].min() > 3.0 * importances[[0, 2]].max()
    selector = SelectFromModel(moe, max_features=2, threshold=-np.inf).fit(X, y)
    assert selector.get_support().tolist() == [False, True, False, True]


def test_recursive_elimination_keeps_them_too():
    X, y = switching()
    rfe = RFE(MoERegressor(2, random_state=0), n_features_to_select=2).fit(X, y)
    assert rfe.get_support().tolist() == [False, True, False, True]
    labels = (y > 0.0).astype(int)
    rfe = RFE(MoEClassifier(2, random_state=0), n_features_to_select=2).fit(X, labels)
    assert rfe.get_support().tolist() == [False, True, False, True]


def test_importances_of_one_line_are_slopes_of_standardised_features():
    X, y = switching()
    moe = MoERegressor(1).fit(X, y)
    size = np.abs(moe.coef_) * X.std(axis=0)
    np.testing.assert_allclose(moe.feature_importances_, size / size.sum(), rtol=1e-9)


def test_importances_bear_other_units():
    X, y = switching()
    moe = MoERegressor(2, random_state=0).fit(X, y)
    other = MoERegressor(2, random_state=0).fit(X * [1.0, 1e3, 1.0, 1e-3], 50.0 * y + 7.0)
    np.testing.assert_allclose(other.feature_importances_, moe.feature_importances_, atol=1e-4)


@pytest.mark.parametrize(
    ("moe", "sentence"),
    [
        (MoERegressor(2, expert=LinearRegression(), random_state=0), "is an estimator"),
        (MoERegressor(2, gate=LogisticRegression(), random_state=0), "not described by slopes"),
        (
            MoERegressor(2, expert=GaussianExpert(features=StandardScaler()), random_state=0),
            "go through StandardScaler",
        ),
    ],
)
def test_what_has_no_slopes_has_no_importances(moe, sentence):
    moe.fit(*switching())
    assert not hasattr(moe, "feature_importances_")
    with pytest.raises(AttributeError, match=f"{sentence}.*permutation_importance"):
        _ = moe.feature_importances_
