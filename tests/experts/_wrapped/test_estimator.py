"""scikit-learn estimators as experts: the same optimum, monotone climbs, prefit ones, failures."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic._data.stats import Summary
from moe_classic.experts import EstimatorExpert, Expert, GaussianExpert, StudentTExpert

from ...checks import parametrize_with_checks

#: One start from given responsibilities, followed to the end.
TO_THE_END = {"n_init": 1, "tol": 1e-12, "max_iter": 3000}
QUICK = {"n_init": 1, "max_iter": 200, "tol": 1e-3, "random_state": 0}


@pytest.fixture
def lines(rng):
    """Two noisy lines that cross, y far from 0, and responsibilities that lean the right way."""
    n = 200
    x = rng.uniform(-2.0, 2.0, n)
    X = np.column_stack([x, 100.0 + 5.0 * rng.standard_normal(n)])
    y = 1000.0 + np.where(x > 0.3, 1.0 + 2.0 * x, -x) + 0.3 * rng.standard_normal(n)
    R = np.column_stack([x > 0.3, x <= 0.3]) * 0.6 + 0.2
    return X, y, R


@pytest.fixture
def labels(lines):
    X, y, _ = lines
    return X, np.where(y > 1000.8, "high", "low")


def one_pass_data(lines):
    X, y, R = lines
    return X, y, {"init": R, **TO_THE_END}


# ------------------------------------------------------------------------- the same optimum


def test_least_squares_ends_where_gaussian_experts_end(lines):
    X, y, start = one_pass_data(lines)
    ours = MoERegressor(2, expert="gaussian", **start).fit(X, y)
    theirs = MoERegressor(2, expert=LinearRegression(), **start).fit(X, y)
    assert theirs.log_likelihood_ == pytest.approx(ours.log_likelihood_, abs=1e-6)
    assert theirs.n_parameters_ == ours.n_parameters_
    np.testing.assert_allclose(theirs.predict(X), ours.predict(X), rtol=1e-7)


def test_least_squares_with_a_t_density_ends_where_t_experts_end(lines):
    X, y, start = one_pass_data(lines)
    y = y.copy()
    y[::20] += 8.0
    ours = MoERegressor(2, expert=StudentTExpert(df=3.0), **start).fit(X, y)
    expert = EstimatorExpert(LinearRegression(), density="student_t", df=3.0)
    theirs = MoERegressor(2, expert=expert, **start).fit(X, y)
    # EM of the estimators stops at tol; the other run is polished by Newton's method.
    assert theirs.log_likelihood_ == pytest.approx(ours.log_likelihood_, abs=1e-5)


def test_degrees_of_freedom_are_estimated(lines, rng):
    X, y, R = lines
    y = y + 0.3 * rng.standard_t(2.5, y.size)
    expert = EstimatorExpert(LinearRegression(), density="student_t")
    theirs = MoERegressor(2, expert=expert, init=R, **TO_THE_END).fit(X, y)
    ours = MoERegressor(2, expert="student_t", init=R, **TO_THE_END).fit(X, y)
    # Both stop on a ridge along which df hardly matters.
    assert theirs.log_likelihood_ == pytest.approx(ours.log_likelihood_, abs=1e-3)


def test_laplace_scale_is_the_mean_absolute_residual(lines):
    X, y, _ = lines
    median = QuantileRegressor(alpha=0.0)
    expert = EstimatorExpert(median, density="laplace")
    moe = MoERegressor(1, expert=expert, **QUICK).fit(X, y)
    residual = y - clone(median).fit(X, y).predict(X)
    assert moe.experts_[0].scale_ == pytest.approx(np.abs(residual).mean(), rel=1e-9)


def test_gaussian_scale_is_the_root_mean_square_residual(lines):
    X, y, _ = lines
    w = np.linspace(0.5, 2.0, y.size)
    moe = MoERegressor(1, expert=Ridge(), **QUICK).fit(X, y, sample_weight=w)
    residual = y - Ridge().fit(X, y, sample_weight=w).predict(X)
    assert moe.experts_[0].scale_ == pytest.approx(
        np.sqrt(np.average(residual**2, weights=w)), rel=1e-9
    )


def test_one_classifier_is_the_classifier_itself(labels):
    X, y = labels
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    moe = MoEClassifier(1, expert=tree, **QUICK).fit(X, y)
    P = tree.fit(X, y).predict_proba(X)
    # A millionth of the probability is spread over both classes.
    np.testing.assert_allclose(moe.predict_proba(X), (1 - 1e-6) * P + 5e-7, rtol=1e-12)


def test_several_outputs_are_described_where_the_estimator_does(lines, rng):
    X, y, R = lines
    Y = np.column_stack([y, X @ [1.0, 0.1] + rng.standard_normal(y.size)])
    start = {"init": R, **TO_THE_END}
    ours = GaussianExpert(covariance_type="diag")
    a = MoERegressor(2, expert=ours, **start).fit(X, Y)
    b = MoERegressor(2, expert=LinearRegression(), **start).fit(X, Y)
    assert b.log_likelihood_ == pytest.approx(a.log_likelihood_, abs=1e-6)
    assert b.predict(X).shape == Y.shape


# ------------------------------------------------------------------------- climbing


@pytest.mark.parametrize(
    "estimator",
    [
        Ridge(alpha=100.0),
        DecisionTreeRegressor(max_depth=3),
        KNeighborsRegressor(15),
        RandomForestRegressor(5, max_depth=3),
    ],
    ids=["ridge", "tree", "neighbours without weights", "forest"],
)
def test_trace_never_falls_whatever_the_estimator_optimises(lines, estimator):
    X, y, R = lines
    moe = MoERegressor(2, expert=estimator, init=R, n_init=1, tol=1e-4)
    with sklearn.config_context(assume_finite=True):
        moe.fit(X, y)
    assert np.diff(moe.trace_).min() >= 0.0
    assert moe.trace_[-1] > moe.trace_[0]


def test_refit_that_lowers_the_likelihood_is_not_taken(lines):
    X, y, R = lines
    one = MoERegressor(2, expert=Contrary(), init=R, n_init=1).fit(X, y)
    # Its first fit is right and every later one is nonsense: the first stays.
    assert one.score(X, y) > 0.5
    assert np.diff(one.trace_).min() >= 0.0


class Contrary(RegressorMixin, BaseEstimator):
    """Least squares on nearly equal weights, as at the start; nonsense on others."""

    def fit(self, X, y, sample_weight):
        self.model_ = LinearRegression().fit(X, y, sample_weight=sample_weight)
        self.shift_ = 0.0 if sample_weight.min() > 0.1 else 1e3
        return self

    def predict(self, X):
        return self.model_.predict(X) + self.shift_


def test_fit_does_not_depend_on_blocks_or_threads(lines):
    X, y, R = lines
    fits = [
        MoERegressor(2, expert=Ridge(), init=R, n_init=1, tol=1e-3, **options).fit(X, y)
        for options in ({}, {"block_size": 17}, {"n_jobs": 2, "block_size": 50})
    ]
    for other in fits[1:]:
        # Sums over blocks round differently.
        np.testing.assert_allclose(other.predict(X), fits[0].predict(X), rtol=1e-9)


def test_weight_of_two_is_a_repeated_row(lines):
    X, y, _ = lines
    w = 1.0 + np.arange(y.size) % 2
    rows = np.repeat(np.arange(y.size), w.astype(int))
    model = MoERegressor(2, expert=KNeighborsRegressor(5), **QUICK)
    weighted = clone(model).fit(X, y, sample_weight=w)
    repeated = clone(model).fit(X[rows], y[rows])
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-12)


# ------------------------------------------------------------------------- what estimators see


class Witness(LinearRegression):
    """Remembers what it was fitted on."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight=sample_weight)
        self.first_ = np.asarray(X)[0], np.asarray(y)[0], getattr(X, "columns", None)
        return self


def test_estimator_sees_x_and_y_as_the_user_gave_them(lines):
    X, y, R = lines
    frame = pd.DataFrame(X, columns=["a", "b"])
    moe = MoERegressor(2, expert=Witness(), init=R, n_init=1, max_iter=3)
    with pytest.warns(ConvergenceWarning):
        moe.fit(frame, y)
    row, target, columns = moe.experts_[0].first_
    assert row in X
    assert target in y
    assert list(columns) == ["a", "b"]


def test_features_select_what_the_estimator_sees(lines):
    X, y, _ = lines
    expert = EstimatorExpert(LinearRegression(), features=[0])
    moe = MoERegressor(2, expert=expert, **QUICK).fit(X, y)
    assert moe.experts_[0].estimator_.n_features_in_ == 1
    assert moe.experts_[0].feature_names_ == ("x0",)


def test_prefit_experts_keep_their_predictions(lines):
    X, y, _ = lines
    right = X[:, 0] > 0.3
    models = [LinearRegression().fit(X[side], y[side]) for side in (right, ~right)]
    moe = MoERegressor(2, expert=[FrozenEstimator(m) for m in models], **QUICK).fit(X, y)
    np.testing.assert_array_equal(
        moe.expert_predictions(X), np.column_stack([m.predict(X) for m in models])
    )
    np.testing.assert_array_equal(
        moe.predict_expert(X)[np.abs(X[:, 0] - 0.3) > 0.5], (~right)[np.abs(X[:, 0] - 0.3) > 0.5]
    )
    # Two scales and a gate of three coefficients: nothing of the experts.
    assert moe.n_parameters_ == 5


def test_prefit_classifiers_may_know_fewer_classes(lines):
    X, y, _ = lines
    three = np.digitize(y, [999.5, 1001.0])
    some = three < 2
    known = FrozenEstimator(LogisticRegression(C=0.1, max_iter=1000).fit(X[some], three[some]))
    moe = MoEClassifier(2, expert=[known, DecisionTreeClassifier(max_depth=2)], **QUICK)
    P = moe.fit(X, three).expert_predictions(X)[:, 0]
    np.testing.assert_allclose(P[:, 2], 1e-6 / 3)


def test_random_estimators_give_the_same_fit_twice(lines):
    X, y, R = lines
    forest = RandomForestRegressor(3, max_depth=2)
    fits = [
        MoERegressor(2, expert=forest, init=R, n_init=1, max_iter=4, tol=1.0).fit(X, y)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(fits[0].predict(X), fits[1].predict(X))


# ------------------------------------------------------------------------- one mixture of many


def test_unlike_estimators_stand_side_by_side(lines):
    X, y, _ = lines
    experts = [Ridge(), DecisionTreeRegressor(max_depth=2), Ridge(alpha=3.0), ("t", "student_t")]
    moe = MoERegressor(4, expert=experts, **QUICK).fit(X, y)
    assert [e.label for e in moe.experts_] == ["ridge-1", "decisiontreeregressor", "ridge-2", "t"]
    # What is wrapped goes by the name of its estimator too.
    experts[0] = EstimatorExpert(Ridge(), density="laplace")
    assert list(moe.fit(X, y).summary().columns)[:3] == [
        "ridge-1",
        "decisiontreeregressor",
        "ridge-2",
    ]
    assert isinstance(moe.experts_[1].estimator_, DecisionTreeRegressor)


def test_summary_shows_coefficients_of_linear_estimators(lines):
    X, y, _ = lines
    moe = MoERegressor(2, expert=LinearRegression(), **QUICK).fit(X, y)
    table = moe.summary()
    assert table.loc[("expert", "slope", "x0"), "expert 1"] == moe.experts_[0].coef_[0]
    assert table.loc[("expert", "scale", "scale"), "expert 2"] == moe.experts_[1].scale_


def test_view_of_an_expert_has_the_attributes_of_its_estimator(lines):
    X, y, _ = lines
    moe = MoERegressor(2, expert=DecisionTreeRegressor(max_depth=2), **QUICK).fit(X, y)
    assert moe.experts_[0].feature_importances_.shape == (2,)
    with pytest.raises(AttributeError, match="no attribute 'coef_'"):
        _ = moe.experts_[0].coef_


def test_predictive_distribution_is_complete(lines):
    X, y, _ = lines
    expert = EstimatorExpert(DecisionTreeRegressor(max_depth=2), density="student_t", df=5.0)
    moe = MoERegressor(2, expert=expert, **QUICK).fit(X, y)
    low, high = moe.predict_interval(X[:9]).T
    np.testing.assert_allclose(moe.predict_cdf(X[:9], low), 0.05, atol=1e-9)
    mode, draws = moe.predict_mode(X[:9]), moe.sample(X[:9], 20, random_state=0)
    assert (moe.score_samples(X[:9], mode) >= moe.score_samples(X[:9], moe.predict(X[:9]))).all()
    assert draws.shape == (9, 20)
    assert ((low < mode) & (mode < high)).all()


def test_grid_reaches_into_the_estimator(lines):
    X, y, _ = lines
    grid = {"expert__estimator__alpha": [1e-3, 1e4], "expert__density": ["gaussian", "student_t"]}
    moe = MoERegressor(2, expert=EstimatorExpert(Ridge()), **QUICK)
    search = GridSearchCV(moe, grid, cv=2).fit(X, y)
    assert search.best_params_["expert__estimator__alpha"] == 1e-3


def test_grid_reaches_into_a_plain_estimator(lines):
    X, y, _ = lines
    moe = MoERegressor(2, expert=Ridge(), **QUICK).set_params(expert__alpha=7.0)
    assert moe.fit(X, y).experts_[0].alpha == 7.0


def test_mixture_of_estimators_survives_a_pickle(lines):
    X, y, _ = lines
    moe = MoERegressor(2, expert=make_pipeline(StandardScaler(), Ridge()), **QUICK).fit(X, y)
    again = pickle.loads(pickle.dumps(moe))
    np.testing.assert_array_equal(again.predict(X), moe.predict(X))


def test_criteria_are_nan_where_parameters_cannot_be_counted(lines):
    X, y, _ = lines
    moe = MoERegressor(2, expert=KNeighborsRegressor(20), **QUICK).fit(X, y)
    assert np.isnan(moe.n_parameters_)
    assert np.isnan(moe.bic(X, y))


@parametrize_with_checks(
    [
        MoERegressor(
            2,
            expert=[
                ("tree", DecisionTreeRegressor(max_depth=2)),
                ("line", EstimatorExpert(Ridge(), density="student_t", features=[0])),
            ],
            gate=DecisionTreeClassifier(max_depth=2),
            n_init=1,
            max_iter=3,
        ),
        MoEClassifier(2, expert=DecisionTreeClassifier(max_depth=2), n_init=1, max_iter=3),
        HierarchicalMoERegressor((2,), expert=LinearRegression(), n_init=1, max_iter=3),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_mixture_of_estimators_passes_scikit_learns_check(estimator, check):
    check(estimator)


# ------------------------------------------------------------------------- trouble


class Fussy(LinearRegression):
    """Refuses rows on one side."""

    def fit(self, X, y, sample_weight=None):
        if np.average(X[:, 0], weights=sample_weight) < -0.2:
            raise ValueError("nothing from the left, please")
        return super().fit(X, y, sample_weight=sample_weight)


def test_expert_that_fails_is_named_and_the_rest_is_kept(lines):
    X, y, R = lines
    moe = MoERegressor(2, expert=Fussy(), init=R, n_init=1)
    with pytest.warns(
        FitFailedWarning, match="expert 2 could not be fitted.*from the left"
    ) as seen:
        moe.fit(X, y)
    assert len(seen) == 1
    assert moe.experts_[0].estimator_ is not None
    assert np.isfinite(moe.predict(X)).all()


def test_one_of_unlike_experts_that_fails_predicts_the_mean(lines):
    X, y, _ = lines
    moe = MoERegressor(2, expert=[Ridge(alpha=-1.0), Ridge()], **QUICK)
    with pytest.warns(FitFailedWarning, match="ridge-1 could not be fitted"):
        moe.fit(X, y)
    np.testing.assert_allclose(moe.expert_predictions(X)[:, 0], y.mean())


@pytest.mark.parametrize("n_experts", [1, 2])
def test_estimator_that_fails_everywhere_is_an_error(lines, n_experts):
    X, y, _ = lines
    with pytest.raises(ValueError, match=r"[Nn]o expert could be fitted.*alpha"):
        MoERegressor(n_experts, expert=Ridge(alpha=-1.0), **QUICK).fit(X, y)


def test_warnings_of_estimators_come_once(lines):
    X, y, R = lines
    slow = MLPRegressor(hidden_layer_sizes=2, max_iter=2)
    moe = MoERegressor(2, expert=slow, init=R, n_init=1, max_iter=3, tol=1e9)
    with pytest.warns(ConvergenceWarning, match="Stochastic Optimizer") as seen:
        moe.fit(X, y)
    assert len([w for w in seen if "Stochastic" in str(w.message)]) == 1


@pytest.mark.parametrize(
    ("expert", "error", "match"),
    [
        (StandardScaler(), TypeError, "needs fit, predict and get_params"),
        (Ridge, TypeError, r"Ridge\(\) with parentheses"),
        (KNeighborsClassifier(), ValueError, "describes a class target"),
        (EstimatorExpert(Ridge(), density="cauchy"), ValueError, "density='cauchy' is not known"),
        (EstimatorExpert(Ridge(), df=3.0), ValueError, "df=3.0 has no meaning"),
        (EstimatorExpert(Ridge(), min_proba=0.1), ValueError, "no meaning for a regressor"),
        (EstimatorExpert(Ridge(), min_scale=2.0), ValueError, "min_scale=2.0"),
        (FrozenEstimator(Ridge()), ValueError, "is not fitted"),
    ],
)
def test_expert_that_makes_no_sense_is_refused(lines, expert, error, match):
    X, y, _ = lines
    with pytest.raises(error, match=match):
        MoERegressor(2, expert=expert, **QUICK).fit(X, y)


@pytest.mark.parametrize(
    ("expert", "error", "match"),
    [
        (LinearSVC(), TypeError, "CalibratedClassifierCV"),
        (EstimatorExpert(LogisticRegression(), density="laplace"), ValueError, "no meaning"),
        (EstimatorExpert(LogisticRegression(), min_proba=0.7), ValueError, "min_proba=0.7"),
    ],
)
def test_classifier_that_makes_no_sense_is_refused(labels, expert, error, match):
    X, y = labels
    with pytest.raises(error, match=match):
        MoEClassifier(2, expert=expert, **QUICK).fit(X, y)


def test_prefit_classifier_of_other_classes_is_refused(labels):
    X, y = labels
    stranger = FrozenEstimator(DecisionTreeClassifier(max_depth=1).fit(X, y == "high"))
    with pytest.raises(ValueError, match=r"knows the classes \[False, True\]"):
        MoEClassifier(1, expert=stranger, **QUICK).fit(X, y)


def test_calibrated_classifier_is_an_expert(labels):
    X, y = labels
    machine = CalibratedClassifierCV(LinearSVC(), cv=2)
    moe = MoEClassifier(1, expert=make_pipeline(StandardScaler(), machine), **QUICK).fit(X, y)
    assert moe.score(X, y) > 0.7


def test_laplace_density_of_several_outputs_is_refused(lines):
    X, y, _ = lines
    expert = EstimatorExpert(LinearRegression(), density="laplace")
    with pytest.raises(ValueError, match="1d array"):
        MoERegressor(2, expert=expert, **QUICK).fit(X, np.column_stack([y, y]))


def test_solver_with_gradients_is_refused(lines):
    X, y, _ = lines
    with pytest.raises(ValueError, match="Use solver='em'"):
        MoERegressor(2, expert=Ridge(), solver="lbfgs", **QUICK).fit(X, y)


def test_warm_start_is_refused_and_responsibilities_take_its_place(lines):
    X, y, _ = lines
    moe = MoERegressor(2, expert=LinearRegression(), n_init=1, tol=1e-12, random_state=0)
    with pytest.raises(ValueError, match=r"cannot go on from scikit-learn estimators.*init="):
        clone(moe).set_params(warm_start=True).fit(X, y)
    moe.fit(X, y)
    height = moe.log_likelihood_
    moe.set_params(init=moe.responsibilities(X, y)).fit(X, y)
    assert moe.log_likelihood_ >= height - 1e-6


def test_blocks_and_batches_are_refused(lines):
    X, y, _ = lines
    moe = MoERegressor(2, expert=Ridge(), **QUICK)
    with pytest.raises(ValueError, match="cannot be trained block by block"):
        moe.fit_blocks([(X, y)])
    assert not hasattr(moe, "partial_fit")


def test_description_is_no_working_expert():
    description = EstimatorExpert(Ridge())
    assert not isinstance(description, Expert)
    bound = description.bind(Summary(1.0, np.zeros(1), np.ones(1)))
    assert isinstance(bound, Expert)
    assert bound.start(2, 3, Summary(1.0, np.zeros(1), np.ones(1))).n_experts == 2


def test_moves_of_refitted_experts_are_few(monkeypatch):
    fits, fit = [], GaussianNB.fit
    monkeypatch.setattr(GaussianNB, "fit", lambda *a, **k: fits.append(1) or fit(*a, **k))
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 1)), rng.integers(0, 2, 40)
    model = MoEClassifier(4, expert=GaussianNB(), n_init=2, max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    # 4,500 where as many moves are made as own experts make.
    assert 4 < len(fits) < 2000
