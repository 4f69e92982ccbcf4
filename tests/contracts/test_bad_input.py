"""Data that cannot be used, or hardly: a clear error, or a finite fit that says what happened."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.experts import GaussianExpert, LogisticExpert, MultinomialExpert
from moe_classic.gates import GaussianGate

REAL = ["gaussian", "laplace", "student_t"]
GATES = [
    "constant",
    "softmax",
    "gaussian",
    GaussianGate(covariance_type="diag"),
    GaussianGate(covariance_type="tied"),
]
every_real = pytest.mark.parametrize("expert", REAL)
every_gate = pytest.mark.parametrize("gate", GATES, ids=str)
both = pytest.mark.parametrize("estimator", [MoERegressor, MoEClassifier])


@pytest.fixture(scope="module")
def real():
    return make_moe(60, n_features=2, random_state=0)


@pytest.fixture(scope="module")
def start():
    """Responsibilities near the truth: runs that begin alike must end alike."""
    truth = make_moe(60, n_features=2, random_state=0, return_params=True)[2]
    return 0.8 * np.eye(2)[truth.z] + 0.1


@pytest.fixture(scope="module")
def classes():
    return make_moe(60, expert="multinomial", n_features=2, n_classes=3, random_state=0)


def regressor(n_experts=2, **options):
    return MoERegressor(n_experts, **{"n_init": 1, "random_state": 0} | options)


def classifier(n_experts=2, **options):
    return MoEClassifier(n_experts, **{"n_init": 1, "random_state": 0} | options)


def assert_finite(model, X, y):
    """Every answer is a finite number."""
    answers = [model.gate_proba(X), model.responsibilities(X, y), model.score_samples(X, y)]
    answers += [model.expert_predictions(X), model.trace_, [model.log_likelihood_]]
    if isinstance(model, MoERegressor):
        answers += [model.predict(X), model.predict_interval(X), model.predict_mode(X)]
    else:
        answers += [model.predict_proba(X)]
    for answer in answers:
        assert np.isfinite(answer).all()


# ------------------------------------------------------------------------- missing and infinite


@both
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_missing_or_infinite_features_are_refused(estimator, value, word, classes):
    X, y = classes[0].copy(), classes[1]
    X[3, 1] = value
    with pytest.raises(ValueError, match=f"Input X contains {word}"):
        estimator().fit(X, y)
    model = estimator(n_init=1).fit(*classes)
    with pytest.raises(ValueError, match=f"Input X contains {word}"):
        model.predict(X)


@both
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_missing_or_infinite_targets_are_refused(estimator, value, word, classes):
    X, y = classes[0], classes[1].astype(float)
    y[3] = value
    with pytest.raises(ValueError, match=f"y contains {word}"):
        estimator().fit(X, y)


def test_missing_or_infinite_targets_are_refused_when_scored(real):
    X, y = real
    model = regressor().fit(X, y)
    for value in (np.nan, np.inf):
        y_bad = np.where(np.arange(60) == 3, value, y)
        with pytest.raises(ValueError, match="Input y contains"):
            model.score_samples(X, y_bad)


@both
def test_missing_target_is_refused(estimator, classes):
    with pytest.raises(ValueError, match="requires y to be passed"):
        estimator().fit(classes[0], None)


# ------------------------------------------------------------------------- weights


@both
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.r_[np.nan, np.ones(59)], "sample_weight contains NaN"),
        (np.r_[np.inf, np.ones(59)], "sample_weight contains infinity"),
        (np.r_[-1.0, np.ones(59)], "Negative values in data passed to `sample_weight`"),
        (np.zeros(60), "[Ss]ample.weight"),
        (np.ones(59), r"sample_weight.shape == \(59,\), expected \(60,\)"),
        (np.ones((60, 2)), "Sample weights must be 1D array or scalar"),
        (["heavy"] * 60, "could not convert string to float"),
    ],
    ids=["nan", "inf", "negative", "zero", "short", "two columns", "text"],
)
def test_weights_that_are_none_are_refused(estimator, classes, weights, message):
    with pytest.raises(ValueError, match=message):
        estimator().fit(*classes, sample_weight=weights)


@pytest.mark.parametrize("method", ["log_likelihood", "aic", "bic", "icl"])
def test_weights_that_are_none_are_refused_when_scored(real, method):
    model = regressor().fit(*real)
    for weights in (np.r_[-1.0, np.ones(59)], np.r_[np.nan, np.ones(59)], np.ones(3)):
        with pytest.raises(ValueError, match="sample_weight"):
            getattr(model, method)(*real, sample_weight=weights)


def test_class_without_weight_is_refused(classes):
    X, y = classes
    with pytest.raises(ValueError, match=r"at least two classes.*positive weight"):
        classifier().fit(X, y == 2, sample_weight=(y != 2).astype(float))


# ------------------------------------------------------------------------- sizes


@both
def test_no_rows_and_one_row_are_refused(estimator, classes):
    X, y = classes
    for n in (0, 1):
        with pytest.raises(ValueError, match=rf"{n} sample\(s\).*minimum of 2 is required"):
            estimator().fit(X[:n], y[:n])


@both
def test_lengths_that_differ_are_refused(estimator, classes):
    X, y = classes
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[60, 59\]"):
        estimator().fit(X, y[:-1])
    model = estimator(n_init=1).fit(X, y)
    with pytest.raises(ValueError, match="X has 60 rows and y has 59"):
        model.score_samples(X, y[:-1])


@both
def test_features_in_one_dimension_are_refused(estimator, classes):
    X, y = classes
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array instead"):
        estimator().fit(X[:, 0], y)


@both
def test_no_columns_are_refused(estimator, classes):
    X, y = classes
    with pytest.raises(ValueError, match=r"0 feature\(s\)"):
        estimator().fit(X[:, :0], y)


@both
def test_more_experts_than_rows_are_refused(estimator, classes):
    X, y = classes
    with pytest.raises(ValueError, match=r"n_experts=9 is more than the n_samples=8 rows"):
        estimator(9).fit(X[:8], y[:8])
    weights = np.r_[np.zeros(2), np.ones(6)]
    with pytest.raises(ValueError, match=r"n_experts=7 is more than the n_samples=6 rows"):
        estimator(7).fit(X[:8], np.arange(8) % 2, sample_weight=weights)


@every_real
@pytest.mark.parametrize("K", [2, 5])
def test_as_many_experts_as_rows_interpolate_and_say_so(real, expert, K):
    X, y = real[0][:K], real[1][:K]
    with pytest.warns(ConvergenceWarning, match=f"of {K} experts have the smallest scale"):
        model = regressor(K, expert=expert).fit(X, y)
    assert_finite(model, X, y)


@every_real
def test_more_columns_than_rows_interpolate_and_say_so(expert, rng):
    X, y = rng.standard_normal((10, 20)), rng.standard_normal(10)
    with pytest.warns(ConvergenceWarning, match="smallest scale allowed"):
        model = regressor(expert=expert, gate="constant").fit(X, y)
    assert_finite(model, X, y)


def test_several_outputs_are_refused_by_experts_of_one(real):
    X, y = real
    for expert in ("laplace", "student_t"):
        with pytest.raises(ValueError, match=r"1d array|one output"):
            regressor(expert=expert).fit(X, np.column_stack([y, y]))


# ------------------------------------------------------------------------- kinds of columns


@both
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_text_is_refused_in_arrays_and_taken_in_tables(estimator, classes):
    X, y = classes
    frame = pd.DataFrame({"size": X[:, 0], "city": ["Oslo"] * 60})
    with pytest.raises(ValueError, match="could not convert string to float: 'Oslo'"):
        estimator().fit(frame.to_numpy(dtype=object), y)
    model = estimator(n_init=1, random_state=0)
    terms = set(model.fit(frame, y).summary().index.get_level_values("term"))
    # One level has no column: it is the one that is left out.
    assert "size" in terms
    assert not [term for term in terms if "city" in term]


@both
def test_numbers_in_object_columns_are_taken(estimator, classes):
    X, y = classes
    model = estimator(n_init=1, random_state=0)
    expected = model.fit(X, y).predict(X)
    np.testing.assert_array_equal(model.fit(X.astype(object), y).predict(X), expected)


@both
def test_sparse_features_of_a_gaussian_gate_and_complex_ones_are_refused(estimator, classes):
    X, y = classes
    with pytest.raises(TypeError, match="'gaussian' cannot see sparse"):
        estimator(gate="gaussian").fit(sparse.csr_matrix(X), y)
    with pytest.raises(ValueError, match="Complex data not supported"):
        estimator().fit(X + 1j, y)


def test_text_target_of_a_regression_is_refused(real):
    with pytest.raises(ValueError, match="could not convert string to float"):
        regressor().fit(real[0], ["high"] * 60)


def test_real_target_of_a_classification_is_refused(real):
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        classifier().fit(*real)


# ------------------------------------------------------------------------- columns without news


@every_real
@every_gate
def test_constant_column_changes_nothing(real, start, expert, gate):
    X, y = real
    with_constant = np.column_stack([X[:, 0], np.full(60, 7.0), X[:, 1]])
    plain, more = (
        regressor(expert=expert, gate=gate, init=start).fit(data, y) for data in (X, with_constant)
    )
    assert_finite(more, with_constant, y)
    assert all(e.coef_[1] == 0.0 for e in more.experts_)
    # tol is 1e-6 nats a row, of the joint likelihood with a Gaussian gate
    assert more.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=2e-2)


@every_real
@every_gate
def test_collinear_columns_give_a_finite_fit(real, expert, gate):
    X, y = real
    collinear = np.column_stack([X, X @ [2.0, 1.0], X[:, 0]])
    model = regressor(expert=expert, gate=gate).fit(collinear, y)
    assert model.converged_
    assert_finite(model, collinear, y)


@every_real
def test_collinear_columns_do_not_change_the_lines(real, start, expert):
    X, y = real
    collinear = np.column_stack([X, X @ [2.0, 1.0], X[:, 0]])
    plain, more = (
        regressor(expert=expert, gate="constant", init=start).fit(data, y)
        for data in (X, collinear)
    )
    # tol is 1e-6 nats a row
    np.testing.assert_allclose(
        more.expert_predictions(collinear), plain.expert_predictions(X), atol=2e-2
    )


@every_real
@every_gate
def test_constant_features_leave_constant_experts(real, expert, gate):
    X, y = np.ones((60, 2)), real[1]
    with warnings.catch_warnings():
        # Of two constants one may sit on a few equal values, which the fit then reports.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = regressor(expert=expert, gate=gate).fit(X, y)
    assert_finite(model, X, y)
    assert np.ptp(model.predict(X)) == 0.0


def test_collinear_and_constant_columns_of_classes_give_a_finite_fit(classes):
    X, y = classes
    data = np.column_stack([X, X @ [2.0, 1.0], np.ones(60)])
    for gate in GATES:
        model = classifier(gate=gate).fit(data, y)
        assert_finite(model, data, y)


# ------------------------------------------------------------------------- targets without noise


@every_real
@every_gate
def test_constant_target_is_reported(real, expert, gate):
    X, y = real[0], np.full(60, 3.25)
    with pytest.warns(ConvergenceWarning, match="smallest scale allowed"):
        model = regressor(expert=expert, gate=gate).fit(X, y)
    assert_finite(model, X, y)
    np.testing.assert_allclose(model.predict(X), 3.25, rtol=1e-9)


# With no noise to estimate, Laplace experts creep along the floor of their scale.
@pytest.mark.filterwarnings("ignore:The fit stopped after max_iter")
@every_real
def test_target_on_a_plane_is_reported(real, expert):
    X = real[0]
    y = X @ [1.0, 2.0] - 5.0
    with pytest.warns(ConvergenceWarning, match="smallest scale allowed"):
        model = regressor(expert=expert).fit(X, y)
    assert_finite(model, X, y)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-5)


@every_real
def test_repeated_rows_that_experts_pass_through_are_reported(real, expert):
    X, y = np.repeat(real[0][:4], 6, axis=0), np.repeat(real[1][:4], 6)
    with pytest.warns(ConvergenceWarning, match=r"2 of 2 experts .*Use fewer experts"):
        model = regressor(expert=expert).fit(X, y)
    assert_finite(model, X, y)


def test_min_scale_keeps_experts_from_interpolating(real):
    X, y = np.repeat(real[0][:4], 6, axis=0), np.repeat(real[1][:4], 6)
    with pytest.warns(ConvergenceWarning):
        model = regressor(expert=GaussianExpert(min_scale=0.2)).fit(X, y)
    assert min(e.scale_ for e in model.experts_) >= 0.2 * y.std() * (1 - 1e-9)


# ------------------------------------------------------------------------- units


@every_real
@pytest.mark.parametrize("gate", GATES[:3])
@pytest.mark.parametrize(("shift", "factor"), [(1e8, 1.0), (0.0, 1e-8), (-1e3, 1e100)])
def test_fit_does_not_depend_on_the_units_of_the_features(real, start, expert, gate, shift, factor):
    X, y = real
    moved = shift + factor * X
    plain, other = (
        regressor(expert=expert, gate=gate, init=start).fit(data, y) for data in (X, moved)
    )
    # Features that stand at 1e8 are known to 1e-8 of their spread; tol is 1e-6 nats a row.
    assert other.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=2e-2)
    np.testing.assert_allclose(other.predict(moved), plain.predict(X), atol=2e-2)


@every_real
@every_gate
def test_unstandardised_fit_does_not_depend_on_the_offset_of_the_features(
    real, start, expert, gate
):
    X, y = real
    plain, other = (
        regressor(expert=expert, gate=gate, init=start, standardize=False).fit(data, y)
        for data in (X, X + 1e8)
    )
    # as above
    assert other.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=2e-2)
    np.testing.assert_allclose(other.predict(X + 1e8), plain.predict(X), atol=2e-2)


@every_real
@pytest.mark.parametrize(("shift", "factor"), [(1e8, 1.0), (0.0, 1e-8), (0.0, 1e100)])
def test_fit_follows_the_units_of_the_target(real, start, expert, shift, factor):
    X, y = real
    plain, other = (
        regressor(expert=expert, init=start).fit(X, target) for target in (y, shift + factor * y)
    )
    expected = plain.log_likelihood_ - 60 * np.log(factor)
    # A target that stands at 1e8 is known to 1e-8; tol is 1e-6 nats a row.
    assert other.log_likelihood_ == pytest.approx(expected, abs=2e-2)
    np.testing.assert_allclose((other.predict(X) - shift) / factor, plain.predict(X), atol=2e-2)


# ------------------------------------------------------------------------- classes


def test_single_class_is_refused(classes):
    with pytest.raises(ValueError, match="y needs at least two classes"):
        classifier().fit(classes[0], np.zeros(60))


def test_three_classes_are_refused_by_logistic_experts(classes):
    with pytest.raises(ValueError, match=r"two classes, y has 3. Use expert='multinomial'"):
        classifier(expert="logistic").fit(*classes)


@pytest.mark.parametrize(
    ("estimator", "expert", "message"),
    [
        (MoERegressor, "multinomial", "describes a class target.*or use MoEClassifier"),
        (MoERegressor, LogisticExpert(), "describes a class target.*or use MoEClassifier"),
        (MoEClassifier, "gaussian", "describes a real target.*or use MoERegressor"),
    ],
)
def test_experts_of_another_kind_of_target_are_refused(estimator, expert, message, classes):
    with pytest.raises(ValueError, match=message):
        estimator(expert=expert).fit(*classes)


@every_gate
def test_class_seen_once_gives_a_finite_fit(classes, gate):
    X, y = classes[0], np.r_[np.zeros(30), np.ones(29), 2.0]
    model = classifier(gate=gate).fit(X, y)
    assert_finite(model, X, y)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])


@every_gate
@pytest.mark.parametrize("alpha", [0.0, 1e-4])
@pytest.mark.parametrize("K", [1, 2])
def test_separable_classes_give_a_finite_fit(classes, gate, alpha, K):
    X, y = classes[0], (classes[0][:, 0] > 0).astype(int)
    with warnings.catch_warnings():
        # Without a penalty slopes grow until passes or gains run out.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = classifier(K, gate=gate, expert=MultinomialExpert(alpha=alpha)).fit(X, y)
    assert_finite(model, X, y)
    assert model.score(X, y) == 1.0
