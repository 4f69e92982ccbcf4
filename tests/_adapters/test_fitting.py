"""Fits of estimators inside a mixture: weights, seeds, names, failures."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from moe_classic._adapters.fitting import (
    FitTask,
    check_prefit,
    check_proba,
    class_places,
    count_parameters,
    emit_warnings,
    outputs_of,
    proba_of,
    repeat_counts,
    run_jobs,
    target_of,
    weight_argument,
    with_feature_names,
    with_seed,
)


@pytest.fixture
def line(rng):
    X = rng.standard_normal((40, 2))
    return X, 1.0 + X @ [2.0, -1.0] + rng.standard_normal(40), rng.random(40)


# ------------------------------------------------------------------------- weights


def test_equal_fractions_repeat_no_row():
    assert repeat_counts(np.full(7, 0.3)).tolist() == [1] * 7


def test_whole_weights_repeat_rows_as_often_as_they_say():
    assert repeat_counts(np.array([2.0, 0.0, 3.0, 1.0])).tolist() == [2, 0, 3, 1]


def test_fractions_give_as_many_rows_as_they_are_worth(rng):
    w = rng.random(500)
    assert repeat_counts(w).sum() == round(w.sum() ** 2 / (w**2).sum())


def test_copies_are_never_off_by_more_than_half_a_row_along_the_way(rng):
    w = rng.random(300)
    size = repeat_counts(w).sum()
    wanted = size * np.cumsum(w) / w.sum()
    # Half a row by construction, and rounding of the running sum.
    assert np.abs(np.cumsum(repeat_counts(w)) - wanted).max() <= 0.5 + 1e-9


def test_huge_whole_weights_do_not_repeat_rows_without_end():
    assert repeat_counts(np.array([1e9, 1e9, 2e9])).sum() == 3


@pytest.mark.parametrize(
    ("estimator", "argument"),
    [
        (Ridge(), "sample_weight"),
        (KNeighborsRegressor(), None),
        (make_pipeline(StandardScaler(), Ridge()), "ridge__sample_weight"),
        (make_pipeline(StandardScaler(), KNeighborsRegressor()), None),
        (TransformedTargetRegressor(Ridge()), "sample_weight"),
        (TransformedTargetRegressor(), None),
        (MultiOutputRegressor(Ridge()), "sample_weight"),
        (MultiOutputRegressor(KNeighborsRegressor()), None),
        (CalibratedClassifierCV(LinearSVC()), "sample_weight"),
        (CalibratedClassifierCV(make_pipeline(StandardScaler(), LinearSVC())), None),
        (BaggingRegressor(), "sample_weight"),
    ],
)
def test_weights_go_to_the_step_that_takes_them(estimator, argument):
    assert weight_argument(estimator) == argument


def test_fit_uses_the_weights(line):
    X, y, w = line
    fitted = FitTask(make_pipeline(StandardScaler(), LinearRegression()), X, y, w, 0).run()
    direct = LinearRegression().fit(X, y, sample_weight=w)
    # The same least squares in other coordinates.
    np.testing.assert_allclose(fitted.predict(X), direct.predict(X), rtol=1e-10)


def test_fit_without_weights_sees_rows_repeated(line):
    X, y, _ = line
    w = np.arange(40.0) % 3
    fitted = FitTask(KNeighborsRegressor(3), X, y, w, 0).run()
    rows = np.repeat(np.arange(40), w.astype(int))
    direct = KNeighborsRegressor(3).fit(X[rows], y[rows])
    np.testing.assert_array_equal(fitted.predict(X), direct.predict(X))


def test_meta_estimator_around_one_without_weights_sees_rows_repeated(line):
    X, y, w = line
    Y = np.column_stack([y, -y])
    outcome = FitTask(MultiOutputRegressor(KNeighborsRegressor(3)), X, Y, w, 0).try_run()
    rows = np.repeat(np.arange(40), repeat_counts(w))
    direct = KNeighborsRegressor(3).fit(X[rows], Y[rows])
    np.testing.assert_array_equal(outcome.estimator.predict(X), direct.predict(X))


def test_fit_leaves_the_description_alone(line):
    X, y, w = line
    ridge = Ridge()
    FitTask(ridge, X, y, w, 0).run()
    assert not hasattr(ridge, "coef_")


def test_frozen_estimator_comes_back_as_it_is(line):
    X, y, w = line
    frozen = FrozenEstimator(Ridge().fit(X, y))
    assert FitTask(frozen, X, -y, w, 0).run() is frozen


def test_classifier_with_rows_of_one_class_becomes_a_constant(line):
    X, _, w = line
    labels = np.array(["a"] * 39 + ["b"])
    w[-1] = 0.0
    fitted = FitTask(LogisticRegression(), X, labels, w, 0).run()
    assert isinstance(fitted, DummyClassifier)
    assert set(fitted.predict(X)) == {"a"}


# ------------------------------------------------------------------------- seeds, names


def test_seed_stands_in_where_there_is_none():
    pipe = make_pipeline(StandardScaler(), DecisionTreeRegressor())
    assert with_seed(pipe, 7)[-1].random_state == 7


def test_seed_of_the_user_stays():
    assert with_seed(DecisionTreeRegressor(random_state=3), 7).random_state == 3


def test_names_are_those_the_estimator_was_fitted_on(line):
    X, y, w = line
    fitted = FitTask(Ridge(), X, y, w, 0, ["a", "b"]).run()
    assert fitted.feature_names_in_.tolist() == ["a", "b"]
    assert isinstance(with_feature_names(fitted, X), pd.DataFrame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outputs_of(fitted, X)


# ------------------------------------------------------------------------- many fits


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_failed_fit_is_told_and_the_rest_is_kept(line, n_jobs):
    X, y, w = line
    jobs = [FitTask(Ridge(alpha=a), X, y, w, 0) for a in (1.0, -1.0, 2.0)]
    outcomes, _ = run_jobs(jobs, n_jobs)
    assert [o.error is None for o in outcomes] == [True, False, True]
    assert "alpha" in outcomes[1].error
    assert outcomes[2].estimator.alpha == 2.0


def test_jobs_give_the_same_on_any_number_of_threads(line):
    X, y, w = line
    jobs = [FitTask(DecisionTreeRegressor(max_features=1), X, y, w, k) for k in range(4)]
    one, _ = run_jobs(jobs, None)
    two, _ = run_jobs(jobs, 2)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.estimator.predict(X), b.estimator.predict(X))


def test_warnings_of_estimators_are_kept_and_shown_once(line):
    X, y, w = line
    jobs = [FitTask(MLPRegressor(hidden_layer_sizes=2, max_iter=1, random_state=0), X, y, w, 0)] * 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, notices = run_jobs(jobs, None)
    assert [category for category, _ in notices] == [ConvergenceWarning]
    with pytest.warns(ConvergenceWarning, match="Maximum iterations") as seen:
        emit_warnings(notices * 2, stacklevel=1)
    assert len(seen) == 1


# ------------------------------------------------------------------------- what comes back


def test_probabilities_stand_at_the_places_of_their_classes(line):
    X, y, _ = line
    labels = np.where(y > 1.0, "c", "a")
    fitted = GaussianNB().fit(X, labels)
    P = proba_of(fitted, X, np.array(["a", "b", "c"]))
    np.testing.assert_array_equal(P[[0, 2]], fitted.predict_proba(X).T)
    assert (P[1] == 0.0).all()


def test_foreign_classes_are_refused(line):
    X, y, _ = line
    fitted = GaussianNB().fit(X, np.where(y > 1.0, "x", "a"))
    with pytest.raises(ValueError, match=r"knows the classes \['x'\], which y does not have"):
        class_places("expert", fitted, np.array(["a", "b"]))


@pytest.mark.parametrize(
    ("estimator", "count"),
    [
        (LinearRegression(), 3),
        (LinearRegression(fit_intercept=False), 2),
        (make_pipeline(StandardScaler(), Ridge()), 3),
        (DecisionTreeRegressor(max_leaf_nodes=4), 4),
        (
            MLPRegressor(hidden_layer_sizes=3, max_iter=2000, tol=1e-2, random_state=0),
            2 * 3 + 3 + 3 + 1,
        ),
    ],
)
def test_parameters_are_counted(line, estimator, count):
    X, y, _ = line
    assert count_parameters(estimator.fit(X, y)) == count


def test_parameters_of_a_classification_tree_are_its_free_shares(line):
    X, y, _ = line
    tree = DecisionTreeClassifier(max_leaf_nodes=3).fit(X, np.digitize(y, [0.0, 2.0]))
    assert count_parameters(tree) == 3 * 2


def test_parameters_are_nan_where_nobody_knows_and_none_where_nothing_is_learned(line):
    X, y, _ = line
    assert np.isnan(count_parameters(KNeighborsRegressor().fit(X, y)))
    assert count_parameters(FrozenEstimator(Lasso().fit(X, y))) == 0


# ------------------------------------------------------------------------- what is refused


def test_target_of_an_estimator_is_known():
    assert target_of("expert", Ridge()) == "real"
    assert target_of("expert", KNeighborsClassifier()) == "class"


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (Ridge, r"Write Ridge\(\) with parentheses"),
        (StandardScaler(), "needs fit, predict and get_params"),
        (3.0, "is not a scikit-learn estimator"),
        (KMeans(), "neither a regressor nor a classifier"),
    ],
)
def test_what_is_no_regressor_or_classifier_is_refused(value, match):
    with pytest.raises(TypeError, match=match):
        target_of("expert", value)


def test_classifier_without_probabilities_is_refused():
    with pytest.raises(TypeError, match="CalibratedClassifierCV"):
        check_proba("expert", SVC())


def test_unfitted_prefit_estimator_is_refused():
    with pytest.raises(ValueError, match=r"Ridge\(\) is not fitted"):
        check_prefit("expert", FrozenEstimator(Ridge()))


def test_prefit_estimator_of_other_features_is_refused(line):
    X, y, _ = line
    with pytest.raises(ValueError, match="fitted on 2 features, here it would see 5"):
        check_prefit("expert", FrozenEstimator(Ridge().fit(X, y)), 5)
