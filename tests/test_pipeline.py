"""Pipelines and transformed targets around mixtures."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer, StandardScaler

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.inference import inference
from moe_classic.inspection import (
    CalibrationDisplay,
    CoefficientDisplay,
    ExpertsDisplay,
    FanDisplay,
    GateDisplay,
    ResponsibilityDisplay,
)
from moe_classic.metrics import get_scorer
from moe_classic.model_selection import bootstrap_lrt, select
from moe_classic.pipeline import MoEPipeline

MOE = MoERegressor(2, n_init=2, random_state=0, tol=1e-9)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"dose": rng.uniform(1.0, 9.0, 200), "site": rng.choice(["a", "b"], 200)})
    up = rng.random(200) < 0.5
    z = np.where(up, 0.3 * X.dose + 0.5 * (X.site == "b"), 2.0 - 0.2 * X.dose)
    return X, np.exp(z + 0.2 * rng.standard_normal(200))


def encoder():
    return make_column_transformer(
        (OneHotEncoder(drop="first"), ["site"]),
        (StandardScaler(), ["dose"]),
        verbose_feature_names_out=False,
    )


def piped(last=MOE):
    return MoEPipeline([("columns", encoder()), ("moe", clone(last))])


def log_target(**options):
    return TransformedTargetRegressor(MOE, func=np.log, inverse_func=np.exp, **options)


@pytest.fixture(scope="module")
def pipe(data):
    return piped().fit(*data)


@pytest.fixture(scope="module")
def alone(data):
    X, y = data
    rows = encoder().fit_transform(X)
    return clone(MOE).fit(rows, y), rows


def test_a_pipeline_answers_what_the_mixture_does(data, pipe, alone):
    X, y = data
    moe, rows = alone
    for name in ("gate_proba", "predict_expert", "expert_predictions", "predict_mode", "predict"):
        assert_allclose(getattr(pipe, name)(X), getattr(moe, name)(rows), err_msg=name)
    for name in ("responsibilities", "predict_cdf", "crps", "score_samples"):
        assert_allclose(getattr(pipe, name)(X, y), getattr(moe, name)(rows, y), err_msg=name)
    for name in ("log_likelihood", "aic", "bic", "icl"):
        assert getattr(pipe, name)(X, y) == pytest.approx(getattr(moe, name)(rows, y))
    assert_allclose(pipe.predict_quantile(X, [0.1, 0.9]), moe.predict_quantile(rows, [0.1, 0.9]))
    assert_allclose(pipe.predict_interval(X, 0.8), moe.predict_interval(rows, 0.8))
    drawn = pipe.sample(X, 2, random_state=0)
    assert_allclose(drawn, moe.sample(rows, 2, random_state=0))
    weighed = pipe.bic(X, y, np.full(len(y), 2.0))
    assert weighed == pytest.approx(moe.bic(rows, y, np.full(len(y), 2.0)))


def test_tables_bear_the_names_of_the_step_before(data, pipe, alone):
    X, y = data
    moe, rows = alone
    names = ["site_b", "dose"]
    assert pipe.summary().loc[("expert", "slope")].index.tolist() == names
    assert "dose" in pipe.explain(X[:1])["equation"].iloc[0]
    found, expected = pipe.inference(X, y).table, moe.inference(rows, y).table
    assert set(names) <= set(found.index.get_level_values("term"))
    assert_allclose(found["std_error"], expected["std_error"])
    plain = make_pipeline(encoder(), clone(MOE)).fit(X, y)
    pd.testing.assert_frame_equal(inference(plain, X, y).table, found)
    # The mixture inside is what it was.
    assert "x0" in plain[-1].summary().index.get_level_values("term")


def test_searches_over_pipelines(data, pipe):
    X, y = data
    grid = {"moe__n_experts": [1, 2]}
    search = GridSearchCV(piped(), grid, scoring=get_scorer("log_score"), cv=3).fit(X, y)
    assert search.best_params_ == {"moe__n_experts": 2}
    pd.testing.assert_frame_equal(inference(search, X, y).table, inference(pipe, X, y).table)


def test_what_the_last_step_lacks_the_pipeline_lacks(data):
    X, y = data
    said = piped(MoEClassifier(2, n_init=1, random_state=0)).fit(X, y > np.median(y))
    assert not hasattr(said, "crps")
    assert said.gate_proba(X).shape == (200, 2)
    assert not hasattr(MoEPipeline([("columns", encoder()), ("line", LinearRegression())]), "bic")


def test_selection_of_pipelines(data, alone):
    X, y = data
    _, rows = alone
    chosen = select(X, y, estimator=piped(), n_experts=[1, 2])
    by_hand = select(rows, y, estimator=clone(MOE), n_experts=[1, 2])
    pd.testing.assert_frame_equal(chosen.table, by_hand.table)
    best = chosen.best_estimator_
    assert isinstance(best, MoEPipeline)
    assert_allclose(best.predict(X), by_hand.best_estimator_.predict(rows))
    held_out = select(X, y, estimator=piped(), n_experts=[2], criterion="log_score", cv=3)
    assert np.isfinite(held_out.table["log_score"]).all()


def test_steps_are_fitted_to_the_training_rows_of_a_fold(data):
    X, y = data
    # The scale of a column is learned: on all rows the last fold would set it.
    far = X.assign(dose=np.where(np.arange(200) >= 150, 1e3, 1.0) * X.dose)
    folds = [(np.arange(150), np.arange(150, 200))]
    options = {"n_experts": [1], "criterion": "log_score", "cv": folds}
    found = select(far, y, estimator=piped(), **options)
    first = piped(clone(MOE).set_params(n_experts=1)).fit(far[:150], y[:150])
    expected = first.score_samples(far[150:], y[150:]).mean()
    assert found.table["log_score"][0] == pytest.approx(expected)


def test_likelihood_ratio_of_pipelines(data, alone):
    X, y = data
    _, rows = alone
    options = {"n_experts": 1, "n_bootstrap": 3, "random_state": 0}
    found = bootstrap_lrt(X, y, estimator=piped(), **options)
    expected = bootstrap_lrt(rows, y, estimator=clone(MOE), **options)
    assert found.statistic == pytest.approx(expected.statistic)
    assert_allclose(found.null, expected.null)
    assert str(found) == str(expected)
    assert_allclose(found.estimators_[1].predict(X), expected.estimators_[1].predict(rows))


def test_templates_that_cannot_be_used_are_named(data):
    X, y = data
    with pytest.raises(TypeError, match="transformed before"):
        select(X[["dose"]], y, estimator=log_target())
    with pytest.raises(TypeError, match="a pipeline that ends in one"):
        select(X, y, estimator=make_pipeline(encoder(), LinearRegression()))


# ------------------------------------------------------------------------- transformed targets


def test_densities_of_a_logarithm_are_lognormal(data):
    X, y = data
    logs = piped(log_target()).fit(X, y)
    rows = encoder().fit_transform(X)
    own = clone(MOE).set_params(expert="lognormal").fit(rows, y)
    assert logs.log_likelihood(X, y) == pytest.approx(own.log_likelihood_, abs=1e-4)
    assert logs.bic(X, y) == pytest.approx(own.bic(rows, y), abs=1e-3)
    assert_allclose(logs.predict_interval(X), own.predict_interval(rows), rtol=1e-4)
    inner = clone(MOE).fit(rows, np.log(y))
    assert_allclose(
        logs.score_samples(X, y), inner.score_samples(rows, np.log(y)) - np.log(y), atol=1e-9
    )
    assert_allclose(logs.predict_cdf(X, y), inner.predict_cdf(rows, np.log(y)))
    assert_allclose(logs.responsibilities(X, y), inner.responsibilities(rows, np.log(y)))
    assert_allclose(logs.sample(X, 2, 0), np.exp(inner.sample(rows, 2, 0)))
    assert_allclose(
        logs.inference(X, y).table["std_error"], inner.inference(rows, np.log(y)).table["std_error"]
    )


def test_a_falling_transformation_turns_tails_around(data):
    X, y = data
    rows = X[["dose"]]
    minus = TransformedTargetRegressor(MOE, func=np.negative, inverse_func=np.negative).fit(rows, y)
    plain = clone(MOE).fit(rows, y)
    for name, options in [("log_score", {}), ("neg_pinball_loss", {"quantile": 0.8})]:
        scorer = get_scorer(name, **options)
        assert scorer(minus, rows, y) == pytest.approx(scorer(plain, rows, y), rel=1e-5)
    scorer = get_scorer("neg_pit_error")
    assert scorer(minus, rows, y) == pytest.approx(scorer(plain, rows, y), abs=1e-5)
    assert get_scorer("neg_interval_score")(minus, rows, y) == pytest.approx(
        get_scorer("neg_interval_score")(plain, rows, y), rel=1e-5
    )


def test_densities_of_learned_transformations_integrate_to_one(data):
    X, y = data
    model = piped(TransformedTargetRegressor(MOE, transformer=PowerTransformer())).fit(X, y)
    grid = np.exp(np.linspace(-4.0, 6.0, 4001))
    row = X.iloc[np.zeros(grid.size, dtype=int)]
    mass = np.trapezoid(np.exp(model.score_samples(row, grid)), grid)
    below = np.diff(model.predict_cdf(row[:2], grid[[0, -1]]))[0]
    assert mass == pytest.approx(below, abs=1e-5)


def test_what_has_no_rule_is_refused(data):
    X, y = data
    logs = piped(log_target()).fit(X, y)
    for name in ("crps", "explain", "expert_predictions", "predict_mode"):
        arguments = (X, y) if name == "crps" else (X,)
        with pytest.raises(TypeError, match="describes a transformed y"):
            getattr(logs, name)(*arguments)
    with pytest.raises(TypeError, match="describes a transformed y"):
        get_scorer("neg_crps")(logs, X, y)
    with pytest.raises(TypeError, match="describes a transformed y"):
        ExpertsDisplay.from_estimator(logs, X, feature="dose")
    with pytest.raises(TypeError, match="transform y before"):
        FanDisplay.from_estimator(logs, X, feature="dose")


def test_a_transformation_that_is_flat_has_no_density(data):
    X, y = data
    cut = TransformedTargetRegressor(
        MOE, func=np.log, inverse_func=lambda z: np.exp(np.minimum(z, 1.0)), check_inverse=False
    ).fit(X[["dose"]], y)
    with pytest.raises(ValueError, match="flat, not defined or not monotone"):
        get_scorer("log_score")(cut, X[["dose"]], y)


def test_several_transformed_outputs_are_refused(data):
    X, y = data
    both = np.column_stack([y, y**2])
    model = TransformedTargetRegressor(MOE, transformer=StandardScaler()).fit(X[["dose"]], both)
    with pytest.raises(ValueError, match="several transformed outputs"):
        get_scorer("log_score")(model, X[["dose"]], both)


def test_pictures_of_pipelines_and_of_transformed_targets(data, pipe):
    X, y = data
    logs = piped(log_target()).fit(X, y)
    shown = CoefficientDisplay.from_estimator(pipe, X, y)
    assert shown is not None
    FanDisplay.from_estimator(pipe, X, y, feature="dose")
    GateDisplay.from_estimator(logs, X, feature="dose")
    CalibrationDisplay.from_estimator(logs, X, y)
    R = ResponsibilityDisplay.from_estimator(logs, X, y).responsibilities
    assert_allclose(R.sum(axis=1), 1.0)
    plt.close("all")


def test_intervals_of_a_logarithm_have_their_coverage(data):
    X, y = data
    line = TransformedTargetRegressor(
        clone(MOE).set_params(n_experts=1), func=np.log, inverse_func=np.exp
    ).fit(X[["dose"]], y)
    pipe = MoEPipeline([("line", line)])
    center = line.regressor_.predict(X[["dose"]])
    scale = float(line.regressor_.experts_[0].scale_)
    expected = np.exp(center + scale * norm.ppf(0.9))
    assert_allclose(pipe.predict_quantile(X[["dose"]], 0.9), expected, rtol=1e-6)


# ------------------------------------------------------------------------- subjects


def test_pipelines_know_groups_and_their_history(rng):
    groups = np.repeat(np.arange(40), 5)
    X = rng.normal(50.0, 10.0, (200, 1))
    slope = np.where(groups % 2 == 0, 2.0, -2.0)
    y = slope * (X[:, 0] - 50.0) / 10.0 + 0.3 * rng.standard_normal(200)
    moe = MoERegressor(2, gate="constant", random_state=0)
    pipe = MoEPipeline([("scale", StandardScaler()), ("moe", moe)])
    pipe.fit(X, y, moe__groups=groups)
    alone = clone(moe).fit(pipe[:-1].transform(X), y, groups=groups)
    seen = np.arange(200) % 5 < 3
    history = (X[seen], y[seen], groups[seen])
    inner = (pipe[:-1].transform(X[seen]), y[seen], groups[seen])
    rows, new = X[~seen], groups[~seen]
    Z = pipe[:-1].transform(rows)
    known = {"groups": new, "history": history}
    for name, arguments in (("predict", ()), ("predict_interval", (0.8,)), ("gate_proba", ())):
        said = getattr(pipe, name)(rows, *arguments, **known)
        told = getattr(alone, name)(Z, *arguments, groups=new, history=inner)
        np.testing.assert_allclose(said, told, rtol=1e-10)
    assert np.abs(pipe.predict(rows, **known) - y[~seen]).mean() < 0.5
    R = pipe.responsibilities(X, y, groups=groups)
    np.testing.assert_allclose(R, alone.responsibilities(pipe[:-1].transform(X), y, groups=groups))
    value = pipe.log_likelihood(X, y, groups=groups)
    assert value == pytest.approx(alone.log_likelihood_, rel=1e-9)
    assert pipe.score_samples(X, y, groups=groups).shape == (40,)
