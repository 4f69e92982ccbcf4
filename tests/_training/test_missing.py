"""Fits to rows with missing values: what is refused, what must agree, what comes out."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils import get_tags

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import GaussianGate
from moe_classic.inference import influence
from moe_classic.inspection import (
    ExpertsDisplay,
    FanDisplay,
    marginal_effects,
    predictions_at,
    report,
)
from moe_classic.metrics import get_scorer
from moe_classic.model_selection import select
from moe_classic.penalties import Lasso
from moe_classic.solvers import EM

LINES = np.array([[1.0, 2.0, -1.0], [-1.0, 0.0, 1.0]])


def table(n=300, share=0.3, seed=0):
    """Rows of two experts, complete and with values missing at random, and y."""
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 2, n)
    X = rng.standard_normal((n, 3))
    X[:, 1] += 0.8 * X[:, 0]
    X += np.where(z, -2.0, 2.0)[:, None]
    y = (X * LINES[z]).sum(axis=1) + 0.3 * rng.standard_normal(n)
    gaps = np.where(rng.random(X.shape) < share, np.nan, X)
    return X, gaps, y


def regressor(n_experts=2, **options):
    """A mixture that marginalises, from few starts."""
    options = {"gate": "gaussian", "missing": "marginalize", "n_init": 3} | options
    return MoERegressor(n_experts, random_state=0, **options)


@pytest.fixture(scope="module")
def fitted():
    X, gaps, y = table()
    return regressor().fit(gaps, y), X, gaps, y


# ------------------------------------------------------------------------- what must agree


@pytest.mark.parametrize("y_of", [lambda y: y, lambda y: np.column_stack([y, -2.0 * y**2])])
def test_with_nothing_missing_it_is_the_plain_fit(y_of):
    X, _, y = table()
    y = y_of(y)
    plain, marginal = regressor(missing="error").fit(X, y), regressor().fit(X, y)
    np.testing.assert_allclose(marginal.trace_, plain.trace_, rtol=1e-10)
    assert marginal.log_likelihood_ == pytest.approx(plain.log_likelihood_, rel=1e-12)
    np.testing.assert_allclose(marginal.predict(X), plain.predict(X), rtol=1e-10)
    np.testing.assert_allclose(marginal.gate_.means_, plain.gate_.means_, rtol=1e-10)
    pairs = zip(marginal.experts_, plain.experts_, strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-10)
    tables = [moe.inference(X, y).table.std_error for moe in (plain, marginal)]
    np.testing.assert_allclose(*tables, rtol=1e-8)


def test_truth_is_found_and_the_trace_never_falls(fitted):
    moe, _, gaps, y = fitted
    lines = np.stack([expert.coef_ for expert in moe.experts_])
    order = [0, 1] if lines[0, 1] > 1.0 else [1, 0]
    np.testing.assert_allclose(lines[order], LINES, atol=0.15)
    assert (np.diff(moe.trace_) >= 0.0).all()
    assert moe.converged_
    assert moe.log_likelihood(gaps, y) == pytest.approx(moe.log_likelihood_, rel=1e-10)


def test_the_trace_is_the_likelihood_of_what_was_observed(fitted):
    moe, _, gaps, y = fitted
    joint = moe.score_samples(gaps, y) + moe.score_samples(gaps)
    assert moe.trace_[-1] == pytest.approx(joint.sum(), rel=1e-10)
    best = moe.start_report_.objective.iloc[0]
    assert best == pytest.approx(joint.sum(), rel=1e-6)


def test_held_out_scores_are_above_those_of_means():
    _, gaps, y = table(600)
    train, test = slice(0, 400), slice(400, None)
    plain = make_pipeline(SimpleImputer(), regressor(missing="error"))
    with_means = plain.fit(gaps[train], y[train])
    observed = regressor().fit(gaps[train], y[train])
    score = get_scorer("log_score")
    above = score(observed, gaps[test], y[test]) - score(with_means, gaps[test], y[test])
    assert above > 0.1


def test_weights_are_repeated_rows_and_their_order_is_none():
    _, gaps, y = table(150)
    w = np.random.default_rng(1).integers(0, 3, 150)
    weighted = regressor().fit(gaps, y, sample_weight=w)
    repeated = regressor().fit(np.repeat(gaps, w, axis=0), np.repeat(y, w))
    assert weighted.trace_[-1] == pytest.approx(repeated.trace_[-1], rel=1e-9)
    np.testing.assert_allclose(weighted.predict(gaps), repeated.predict(gaps), rtol=1e-6)
    order = np.random.default_rng(2).permutation(150)
    moe = regressor().fit(gaps, y)
    shuffled = regressor().fit(gaps[order], y[order])
    np.testing.assert_allclose(shuffled.predict(gaps), moe.predict(gaps), rtol=1e-8)
    np.testing.assert_allclose(moe.predict(gaps[order]), moe.predict(gaps)[order], rtol=1e-10)


def test_units_of_the_features_do_not_matter(fitted):
    moe, _, gaps, y = fitted
    other = regressor().fit(gaps * [10.0, 0.01, 1.0] + [5.0, 0.0, -300.0], 3.0 * y + 7.0)
    np.testing.assert_allclose(
        other.predict(gaps * [10.0, 0.01, 1.0] + [5.0, 0.0, -300.0]),
        3.0 * moe.predict(gaps) + 7.0,
        rtol=1e-4,
    )
    raw = regressor(standardize=False).fit(gaps, y)
    assert raw.log_likelihood_ == pytest.approx(moe.log_likelihood_, abs=1e-2)


def test_a_constant_column_is_known_where_it_is_missing(fitted):
    moe, _, gaps, y = fitted
    column = np.where(np.random.default_rng(0).random(len(y)) < 0.5, np.nan, 3.0)
    wider = regressor().fit(np.column_stack([gaps, column]), y)
    assert wider.log_likelihood_ == pytest.approx(moe.log_likelihood_, rel=1e-8)
    assert wider.n_parameters_ == moe.n_parameters_


def test_blocks_and_threads_change_nothing(fitted):
    moe, _, gaps, y = fitted
    for options in ({"block_size": 64}, {"n_jobs": 2, "block_size": 64}):
        other = regressor(**options).fit(gaps, y)
        np.testing.assert_allclose(other.predict(gaps), moe.predict(gaps), rtol=1e-6)


def test_tables_nullable_types_and_single_precision(fitted):
    moe, _, gaps, y = fitted
    frame = pd.DataFrame(gaps, columns=list("abc"))
    for given in (frame, frame.astype("Float64"), frame.astype({"a": "Float64"})):
        other = regressor().fit(given, y)
        np.testing.assert_allclose(other.predict(given), moe.predict(gaps), rtol=1e-10)
        assert other.feature_names_in_.tolist() == ["a", "b", "c"]
    single = gaps.astype(np.float32)
    np.testing.assert_allclose(
        regressor().fit(single, y).predict(single), moe.predict(gaps), atol=1e-3
    )


def test_rare_columns_stay_finite():
    _, gaps, y = table()
    column = np.full(len(y), np.nan)
    column[:9] = np.random.default_rng(0).standard_normal(9)
    expert, gate = GaussianExpert(alpha=1e-2), GaussianGate(reg_covar=1e-2)
    wider = np.column_stack([gaps, column])
    moe = regressor(expert=expert, gate=gate, max_iter=60)
    with pytest.warns(ConvergenceWarning):
        moe.fit(wider, y)
    assert np.isfinite(moe.predict(wider)).all()
    assert np.isfinite([expert.coef_ for expert in moe.experts_]).all()


# ------------------------------------------------------------------------- all of the surface


@pytest.mark.parametrize(
    "options",
    [
        {"expert": GaussianExpert(alpha=0.1)},
        {"expert": GaussianExpert(penalty=Lasso(0.05))},
        {"expert": GaussianExpert(tied=True), "gate": GaussianGate(covariance_type="tied")},
        {"gate": GaussianGate(covariance_type="diag")},
        {"expert": [("one", "gaussian"), ("other", GaussianExpert(alpha=0.1))]},
        {"solver": EM(finish=None)},
        {"solver": EM(annealing=0.5)},
        {"solver": EM(assignment="stochastic")},
        {"n_experts": 1},
    ],
    ids=str,
)
def test_forms_of_components_and_of_em(options):
    _, gaps, y = table(200)
    moe = regressor(**options).fit(gaps, y)
    assert (np.diff(moe.trace_) >= 0.0).all()
    assert np.isfinite(moe.predict_interval(gaps)).all()
    assert len(moe.summary())


def test_what_follows_a_fit(fitted):
    moe, _, gaps, y = fitted
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(moe)).predict(gaps), moe.predict(gaps))
    assert np.isfinite(moe.bic(gaps, y))
    assert np.isfinite(moe.icl(gaps, y))
    assert not moe.explain(gaps[:5]).isna().any().any()
    assert np.isfinite(influence(moe, gaps, y).distance).all()
    assert np.isfinite(moe.residuals(gaps, y)).all()
    again = clone(moe).set_params(warm_start=True).fit(gaps, y)
    assert again.fit(gaps, y).n_iter_ < moe.n_iter_
    given = regressor(init=moe.responsibilities(gaps, y), n_init=1).fit(gaps, y)
    assert given.log_likelihood_ == pytest.approx(moe.log_likelihood_, abs=1e-2)
    chosen = select(gaps, y, estimator=regressor(), n_experts=[1, 2])
    assert chosen.best_estimator_.n_experts == 2


@pytest.mark.parametrize("kind", ["observed", "opg", "sandwich"])
def test_errors_grow_by_what_is_missing(fitted, kind):
    moe, X, gaps, y = fitted
    whole = regressor().fit(X, y).inference(X, y, kind=kind).table.std_error
    some = moe.inference(gaps, y, kind=kind).table.std_error
    assert np.isfinite(some).all()
    assert 1.05 < np.median(some.to_numpy() / whole.to_numpy()) < 2.0


@pytest.mark.parametrize("kind", ["bootstrap", "parametric_bootstrap"])
def test_refits_agree_with_the_information(fitted, kind):
    moe, _, gaps, y = fitted
    errors = moe.inference(gaps, y).table.std_error
    drawn = moe.inference(gaps, y, kind=kind, n_bootstrap=30, random_state=0).table.std_error
    assert 0.75 < np.median(drawn / errors) < 1.33


def test_pictures_and_effects_of_rows_with_gaps(fitted):
    moe, X, gaps, y = fitted
    display = ExpertsDisplay.from_estimator(moe, gaps, y, feature=0, average=True, n_points=5)
    assert np.isfinite(display.bands).all()
    assert np.isfinite(display.predictions).all()
    fan = FanDisplay.from_estimator(moe, gaps, y, feature=1, average=True, n_points=5)
    assert np.isfinite(fan.quantiles).all()
    plt.close("all")
    with pytest.raises(ValueError, match=r"marginal_effects: features \['x0', 'x1', 'x2'\]"):
        marginal_effects(moe, gaps, y)
    assert np.isfinite(predictions_at(moe, gaps, y, {0: [0.0, 1.0]})).all().all()
    part = np.column_stack([X[:80, 0], gaps[:80, 1:]])
    small = regressor(1).fit(part, y[:80])
    assert np.isfinite(marginal_effects(small, part, y[:80], features=[0])).all().all()
    assert "<h2>Experts along x0</h2>" in report(small, part, y[:80]).html


# ------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gate": "softmax"}, "gate='softmax' does not describe x"),
        ({"gate": "mixed"}, "gate='mixed' does not describe x"),
        ({"expert": "laplace"}, "expert 'laplace' is none"),
        ({"expert": [("a", "gaussian"), ("b", "student_t")]}, "expert 'student_t' is none"),
        ({"expert": GaussianExpert(features=[0])}, "features of its own"),
        ({"gate": GaussianGate(features=SimpleImputer())}, "features of its own"),
        ({"expert": GaussianExpert(fit_intercept=False)}, "no intercept"),
        ({"solver": "newton"}, "solver='newton' is not EM"),
        ({"solver": EM(assignment="hard")}, "climbs the classification likelihood"),
        ({"solver": EM(finish="lbfgs")}, "derivatives of complete rows"),
    ],
    ids=str,
)
def test_arguments_without_a_meaning_are_refused(options, said):
    X, gaps, y = table(60)
    for rows in (X, gaps):
        with pytest.raises(ValueError, match=f"missing='marginalize'.*{said}"):
            regressor(**options).fit(rows, y)
    assert not get_tags(regressor(**options)).input_tags.allow_nan


def test_other_ways_of_fitting_are_refused():
    _, gaps, y = table(60)
    with pytest.raises(ValueError, match=r"groups: .*missing='marginalize'"):
        regressor().fit(gaps, y, groups=np.arange(60) // 2)
    with pytest.raises(ValueError, match="fit_blocks and Dask collections take"):
        regressor().fit_blocks([(gaps, y)])
    assert not hasattr(regressor(), "partial_fit")
    assert hasattr(MoERegressor(), "partial_fit")
    with pytest.raises(ValueError, match="classes have none"):
        MoEClassifier(2, gate="gaussian", missing="marginalize").fit(gaps, y > 0.0)
    for wrong in ("drop", None, True):
        with pytest.raises(ValueError, match="must be one of"):
            regressor(missing=wrong).fit(gaps, y)


def test_the_default_names_columns_counts_and_three_ways_out():
    _, gaps, y = table(60)
    counts = np.isnan(gaps).sum(axis=0)
    frame = pd.DataFrame(gaps, columns=list("abc"))
    for gate in ("softmax", "gaussian"):
        with pytest.raises(ValueError, match=rf"'a' \({counts[0]} rows\), 'b'") as caught:
            MoERegressor(2, gate=gate).fit(frame, y)
        for way in ("missing='marginalize'", "SimpleImputer", "HistGradientBoosting"):
            assert way in str(caught.value)


def test_infinite_values_are_refused_by_their_columns(fitted):
    moe, _, gaps, y = fitted
    bad = gaps.copy()
    bad[[3, 5], 1] = np.inf
    frame = pd.DataFrame(bad, columns=list("abc"))
    for work, name in [
        (lambda: regressor().fit(frame, y), "'b'"),
        (lambda: regressor().fit(frame.astype("Float64"), y), "'b'"),
        (lambda: MoERegressor(2).fit(bad, y), "'x1'"),
        (lambda: moe.predict(bad), "'x1'"),
    ]:
        with pytest.raises(ValueError, match=rf"infinity.*{name} \(2 rows\)"):
            work()


def test_rows_that_say_nothing_are_refused(fitted):
    moe, _, gaps, y = fitted
    empty = np.column_stack([gaps, np.full(len(y), np.nan)])
    with pytest.raises(ValueError, match=r"no value at all in columns \['x3'\]"):
        regressor().fit(empty, y)
    levels = pd.DataFrame(gaps, columns=list("abc")).assign(city=np.where(y > 0.0, "r", "l"))
    with pytest.raises(ValueError, match=r"columns \['city'\] of X hold levels"):
        regressor().fit(levels, y)
    with pytest.raises(ValueError, match="top_k=1"):
        moe.predict(gaps, top_k=1)
    with pytest.raises(ValueError, match="groups: the gate sees the mean"):
        moe.predict(gaps, groups=np.arange(len(y)))
    assert np.isfinite(moe.predict(np.nan_to_num(gaps), top_k=1)).all()


def test_a_refused_fit_leaves_the_last_one(fitted):
    moe, _, gaps, y = fitted
    moe = pickle.loads(pickle.dumps(moe))
    before = moe.predict(gaps)
    with pytest.raises(ValueError, match="is not EM"):
        moe.set_params(solver="lbfgs").fit(gaps, y)
    np.testing.assert_array_equal(moe.predict(gaps), before)


def test_tags_and_indicators_by_features():
    assert get_tags(regressor()).input_tags.allow_nan
    assert not get_tags(MoERegressor(gate="gaussian")).input_tags.allow_nan
    assert not get_tags(MoEClassifier(missing="marginalize")).input_tags.allow_nan
    features = make_union(SimpleImputer(), MissingIndicator(features="all"))
    told = MoERegressor(
        2, expert=GaussianExpert(features=features), gate="constant", random_state=0, n_init=2
    )
    assert get_tags(told).input_tags.allow_nan
    _, gaps, y = table(100)
    assert np.isfinite(told.fit(gaps, y).predict(gaps)).all()
