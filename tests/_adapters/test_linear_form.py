"""Equations of linear estimators of scikit-learn."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeRegressor

from moe_classic._adapters.linear_form import linear_log_odds, linear_margin, linear_mean

LINEAR = {
    "least squares": LinearRegression(),
    "no intercept": LinearRegression(fit_intercept=False),
    "ridge": Ridge(),
    "elastic net": ElasticNet(alpha=0.1),
    "all slopes zero": ElasticNet(alpha=1e6),
    "huber": HuberRegressor(max_iter=1000),
    "bayes": BayesianRidge(),
    "linear kernel": make_pipeline(StandardScaler(), SVR(kernel="linear")),
    "mean": DummyRegressor(),
    "standardised": make_pipeline(StandardScaler(), Ridge()),
    "only centred": make_pipeline(StandardScaler(with_std=False), Ridge()),
    "only scaled": make_pipeline(StandardScaler(with_mean=False), Ridge()),
    "robust": make_pipeline(RobustScaler(), Ridge()),
    "robust, only centred": make_pipeline(RobustScaler(with_scaling=False), Ridge()),
    "to the unit interval": make_pipeline(MinMaxScaler(), Ridge()),
    "by the largest": make_pipeline(MaxAbsScaler(), Ridge()),
    "selected": make_pipeline(SelectKBest(f_regression, k=2), Ridge()),
    "rotated": make_pipeline(StandardScaler(), PCA(2), Ridge()),
    "whitened": make_pipeline(PCA(2, whiten=True), Ridge()),
    "singular vectors": make_pipeline(TruncatedSVD(2, random_state=0), Ridge()),
    "nested": make_pipeline("passthrough", make_pipeline(StandardScaler(), Ridge())),
    "target standardised": TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
    "target as it is": TransformedTargetRegressor(Ridge()),
    "searched": GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2),
}
CURVED = {
    "tree": DecisionTreeRegressor(max_depth=2),
    "log link": make_pipeline(StandardScaler(), PoissonRegressor()),
    "radial kernel": SVR(),
    "polynomial": make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge()),
    "clipped": make_pipeline(MinMaxScaler(clip=True), Ridge()),
    "unknown transformer": make_pipeline(FunctionTransformer(np.tanh), Ridge()),
    "log target": TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp),
    "perceptron": MLPRegressor(
        hidden_layer_sizes=(3,), solver="lbfgs", max_iter=2000, random_state=0
    ),
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    # Features of unlike size and place, as equations on the original scale must cope with.
    X = np.array([1.0, 1e-3, 1e3]) * rng.normal([0.0, 5.0, 20.0], 1.0, (80, 3))
    y = 30.0 + X @ [2.0, 500.0, 1e-3] + rng.standard_normal(80)
    return X, y


@pytest.mark.parametrize("name", LINEAR)
def test_equation_of_a_linear_regressor_gives_its_predictions(data, name):
    X, y = data
    fitted = LINEAR[name].fit(X, y)
    form = linear_mean(fitted, 3)
    assert form is not None
    np.testing.assert_allclose(form(X)[0], np.ravel(fitted.predict(X)), rtol=1e-10)


@pytest.mark.parametrize("name", CURVED)
def test_regressor_that_is_not_linear_has_no_equation(data, name):
    assert linear_mean(CURVED[name].fit(*data), 3) is None


def test_coefficients_of_centred_features_are_not_taken_for_an_equation(data):
    X, y = data
    fitted = PLSRegression(1).fit(X, y)
    form = linear_mean(fitted, 3)
    # Whether they are one depends on scikit-learn's version; a wrong one must not come through.
    assert form is None or np.allclose(form(X)[0], fitted.predict(X))


class Named(RegressorMixin, BaseEstimator):
    """A regressor that keeps its coefficients by name."""

    def fit(self, X, y):
        self.coef_, self.intercept_ = {"x0": 1.0}, 0.0
        return self

    def predict(self, X):
        return X[:, 0]


def test_coefficients_that_are_no_array_are_left_alone(data):
    assert linear_mean(Named().fit(*data), 3) is None


def test_several_outputs_have_an_equation_each(data):
    X, y = data
    fitted = Ridge().fit(X, np.column_stack([y, -2.0 * y]))
    np.testing.assert_allclose(linear_mean(fitted, 3)(X).T, fitted.predict(X), rtol=1e-10)


def test_frozen_estimators_have_the_equation_of_what_is_inside(data):
    X, y = data
    fitted = FrozenEstimator(Ridge().fit(X, y))
    np.testing.assert_allclose(linear_mean(fitted, 3)(X)[0], fitted.predict(X), rtol=1e-10)


def test_sparse_coefficients_are_read(data):
    X, y = data
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y > np.median(y))
    dense = linear_log_odds(fitted, 3)
    fitted[-1].sparsify()
    np.testing.assert_allclose(linear_log_odds(fitted, 3).coef, dense.coef)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        LinearDiscriminantAnalysis(),
        DummyClassifier(strategy="prior"),
    ],
    ids=["logistic", "discriminant", "shares"],
)
def test_log_odds_against_the_last_class(data, estimator, n_classes):
    X, y = data
    labels = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes + 0.05))
    fitted = estimator.fit(X, labels)
    logs = np.log(fitted.predict_proba(X))
    form = linear_log_odds(fitted, 3)
    np.testing.assert_allclose(form(X).T, logs[:, :-1] - logs[:, -1:], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    "estimator",
    [
        GaussianNB(),
        DummyClassifier(strategy="most_frequent"),
        # Normalised logistic functions are no softmax.
        make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0)),
        make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression())),
    ],
)
def test_classifier_whose_log_odds_are_not_linear_has_no_equation(data, estimator):
    X, y = data
    assert linear_log_odds(estimator.fit(X, np.digitize(y, np.quantile(y, [0.3, 0.7]))), 3) is None


@pytest.mark.parametrize("cuts", [[0.5], [0.3, 0.7]], ids=["two", "three"])
@pytest.mark.parametrize(
    "estimator", [LinearSVC(), RidgeClassifier(), LogisticRegression()], ids=["svc", "ridge", "lr"]
)
def test_margins_are_decision_values(data, estimator, cuts):
    X, y = data
    fitted = make_pipeline(StandardScaler(), estimator).fit(X, np.digitize(y, np.quantile(y, cuts)))
    said = np.asarray(fitted.decision_function(X))
    form = linear_margin(fitted, 3)
    np.testing.assert_allclose(form(X).T.reshape(said.shape), said, rtol=1e-9, atol=1e-9)


def test_classifier_without_linear_decision_values_has_no_margins(data):
    X, y = data
    assert linear_margin(SVC().fit(X, y > np.median(y)), 3) is None
    assert (
        linear_margin(SVC(kernel="linear").fit(X, np.digitize(y, np.quantile(y, [0.3, 0.7]))), 3)
        is None
    )


def test_regressors_have_no_log_odds_and_classifiers_no_mean(data):
    X, y = data
    assert linear_log_odds(Ridge().fit(X, y), 3) is None
    assert linear_mean(LogisticRegression(max_iter=10_000).fit(X, y > np.median(y)), 3) is None
