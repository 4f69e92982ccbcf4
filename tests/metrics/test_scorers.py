"""Scorers in searches and cross-validation, with and without metadata routing."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss, mean_pinball_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from moe_classic import HardMoEClassifier, MetaPiClassifier, MoEClassifier, MoERegressor
from moe_classic.datasets import load_tone
from moe_classic.metrics import (
    crps_samples,
    get_scorer,
    get_scorer_names,
    interval_coverage,
    interval_score,
    interval_width,
    log_score_scorer,
    neg_crps_scorer,
    pit_error,
    pit_values,
)


@pytest.fixture(scope="module")
def tone():
    return load_tone(return_X_y=True)


@pytest.fixture(scope="module")
def weights(tone):
    return np.random.default_rng(0).integers(1, 4, tone[1].size).astype(float)


@pytest.fixture(scope="module")
def moe(tone):
    return MoERegressor(2, n_init=2, random_state=0).fit(*tone)


# ------------------------------------------------------------------------- values


def expected(name, moe, X, y, w):
    ends = moe.predict_interval(X, 0.9)
    return {
        "log_score": np.average(moe.score_samples(X, y), weights=w),
        "neg_crps": -np.average(crps_samples(moe, X, y), weights=w),
        "neg_pinball_loss": -mean_pinball_loss(y, moe.predict_quantile(X, 0.5), sample_weight=w),
        "neg_interval_score": -interval_score(y, ends, sample_weight=w),
        "neg_interval_width": -interval_width(ends, sample_weight=w),
        "interval_coverage": interval_coverage(y, ends, sample_weight=w),
        "neg_coverage_error": -abs(interval_coverage(y, ends, sample_weight=w) - 0.9),
        "neg_pit_error": -pit_error(pit_values(moe, X, y), sample_weight=w),
    }[name]


@pytest.mark.parametrize("name", get_scorer_names())
def test_scorer_gives_its_weighted_score(moe, tone, weights, name):
    X, y = tone
    value = get_scorer(name)(moe, X, y, sample_weight=weights)
    assert value == pytest.approx(expected(name, moe, X, y, weights), rel=1e-12)


@pytest.mark.parametrize("name", get_scorer_names())
def test_scorer_counts_a_weight_as_repeated_rows(moe, tone, weights, name):
    X, y = tone
    times = weights.astype(int)
    scorer = get_scorer(name)
    repeated = scorer(moe, np.repeat(X, times, axis=0), np.repeat(y, times))
    assert scorer(moe, X, y, sample_weight=weights) == pytest.approx(repeated, rel=1e-9)


def test_log_score_of_a_classifier_is_minus_its_log_loss(rng):
    X = rng.standard_normal((60, 2))
    y = np.where(X[:, 0] > 0.5, "a", np.where(X[:, 1] > 0.0, "b", "c"))
    moe = MoEClassifier(1, random_state=0).fit(X, y)
    assert log_score_scorer(moe, X, y) == pytest.approx(-log_loss(y, moe.predict_proba(X)))


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), MetaPiClassifier(LogisticRegression())),
        GridSearchCV(HardMoEClassifier(2, max_iter=1, random_state=0), {"n_experts": [2]}, cv=2),
    ],
    ids=["scikit-learn's", "blend", "search"],
)
def test_log_score_compares_with_every_classifier_that_has_probabilities(rng, estimator):
    X = rng.standard_normal((60, 2))
    y, w = np.where(X[:, 0] > 0.5, "a", "b"), rng.uniform(0.5, 2.0, 60)
    fitted = estimator.fit(X, y)
    expected = -log_loss(y, fitted.predict_proba(X), sample_weight=w)
    assert log_score_scorer(fitted, X, y, sample_weight=w) == pytest.approx(expected, rel=1e-12)


def test_log_score_needs_probabilities_of_classes_and_a_fit(rng):
    X = rng.standard_normal((30, 2))
    with pytest.raises(TypeError, match="score_samples"):
        log_score_scorer(LinearSVC().fit(X, X[:, 0] > 0.0), X, X[:, 0] > 0.0)
    with pytest.raises(NotFittedError):
        log_score_scorer(LogisticRegression(), X, X[:, 0] > 0.0)


def test_pinball_option_takes_one_level_or_averages_several(moe, tone):
    X, y = tone
    one = [get_scorer("neg_pinball_loss", quantile=q)(moe, X, y) for q in (0.1, 0.9)]
    both = get_scorer("neg_pinball_loss", quantile=[0.1, 0.9])(moe, X, y)
    assert both == pytest.approx(np.mean(one), rel=1e-12)


# ------------------------------------------------------------------------- getting one


def test_scorer_by_name_is_a_copy(moe):
    one, other = get_scorer("neg_interval_score", coverage=0.5), get_scorer("neg_interval_score")
    assert one.options == {"coverage": 0.5}
    assert other.options == {"coverage": 0.9}


def test_several_names_give_a_dict_with_those_of_scikit_learn():
    scorers = get_scorer(["log_score", "r2"])
    assert list(scorers) == ["log_score", "r2"]
    assert repr(scorers["log_score"]) == "get_scorer('log_score')"


def test_scorer_object_comes_back_as_it_is():
    assert get_scorer(neg_crps_scorer) is neg_crps_scorer


def test_scorer_survives_pickling(moe, tone):
    scorer = pickle.loads(pickle.dumps(get_scorer("neg_pinball_loss", quantile=0.2)))
    assert scorer(moe, *tone) == get_scorer("neg_pinball_loss", quantile=0.2)(moe, *tone)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("crps", {}, "scoring='crps' is not known"),
        ("log_score", {"quantile": 0.5}, "has no option"),
        ("r2", {"quantile": 0.5}, "takes no options"),
        ("neg_pinball_loss", {"quantile": 1.5}, "quantile=1.5"),
        ("neg_pinball_loss", {"quantile": [0.5, 0.0]}, "quantile=0.0"),
        ("neg_interval_score", {"coverage": "wide"}, "coverage='wide'"),
    ],
)
def test_unknown_scorers_and_options_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        get_scorer(name, **options)


def test_estimator_without_densities_is_refused(tone):
    with pytest.raises(TypeError, match="score_samples"):
        log_score_scorer(LinearRegression().fit(*tone), *tone)


# ------------------------------------------------------------------------- searches


def test_grid_search_over_a_pipeline_takes_scorers_by_object_and_in_a_dict(tone):
    X, y = tone
    pipeline = make_pipeline(StandardScaler(), MoERegressor(n_init=1, random_state=0))
    grid = {"moeregressor__n_experts": [1, 2], "moeregressor__expert": ["gaussian", "laplace"]}
    single = GridSearchCV(pipeline, grid, scoring=neg_crps_scorer, cv=2).fit(X, y)
    several = GridSearchCV(
        pipeline, grid, scoring=get_scorer(["log_score", "neg_crps"]), refit="neg_crps", cv=2
    ).fit(X, y)
    np.testing.assert_allclose(
        single.cv_results_["mean_test_score"], several.cv_results_["mean_test_neg_crps"]
    )
    assert single.best_params_["moeregressor__n_experts"] == 2


def test_search_without_routing_hands_its_weights_to_the_scorer(tone, weights):
    X, y = tone
    folds = [(np.arange(150), np.arange(150))]
    search = GridSearchCV(
        MoERegressor(n_init=1, random_state=0), {"n_experts": [1]}, scoring="r2", cv=folds
    )
    search.set_params(scoring=log_score_scorer).fit(X, y, sample_weight=weights)
    value = log_score_scorer(search.best_estimator_, X, y, sample_weight=weights)
    assert search.best_score_ == pytest.approx(value, rel=1e-9)
    assert value != pytest.approx(log_score_scorer(search.best_estimator_, X, y), rel=1e-6)


@pytest.mark.parametrize("wanted", [True, False])
def test_routing_hands_weights_to_scorers_that_ask_for_them(tone, weights, wanted):
    X, y = tone
    folds = [(np.arange(150), np.arange(150))]
    with config_context(enable_metadata_routing=True):
        moe = MoERegressor(1).set_fit_request(sample_weight=True)
        scorer = get_scorer("log_score").set_score_request(sample_weight=wanted)
        scores = cross_validate(
            moe,
            X,
            y,
            scoring={"log": scorer},
            cv=folds,
            params={"sample_weight": weights},
            return_estimator=True,
        )
    fitted = scores["estimator"][0]
    used = weights if wanted else None
    assert scores["test_log"][0] == log_score_scorer(fitted, X, y, sample_weight=used)


def test_routing_refuses_weights_that_nobody_spoke_of(tone, weights):
    with config_context(enable_metadata_routing=True):
        moe = MoERegressor(1).set_fit_request(sample_weight=True)
        with pytest.raises(UnsetMetadataPassedError, match="log_score"):
            cross_validate(
                moe, *tone, scoring=get_scorer("log_score"), params={"sample_weight": weights}
            )


# ------------------------------------------------------------------------- groups


@pytest.fixture
def panel(rng):
    """Subjects (60) with 4 rows each, of two regimes; X, y, groups."""
    subject = np.repeat(np.arange(60), 4)
    X = rng.standard_normal((240, 1))
    slope = np.where(subject % 2 == 0, 2.0, -2.0)
    return X, slope * X[:, 0] + 0.5 * rng.standard_normal(240), subject


def test_log_score_of_groups_is_their_mean(panel, rng):
    X, y, groups = panel
    moe = MoERegressor(2, gate="constant", random_state=0).fit(X, y, groups=groups)
    value = log_score_scorer(moe, X, y, groups=groups)
    assert value == pytest.approx(moe.log_likelihood(X, y, groups=groups) / 60.0, rel=1e-12)
    assert value != pytest.approx(4.0 * log_score_scorer(moe, X, y), rel=1e-3)
    w = rng.uniform(0.5, 2.0, 60)
    weighted = log_score_scorer(moe, X, y, sample_weight=w[groups], groups=groups)
    parts = moe.score_samples(X, y, groups=groups)
    assert weighted == pytest.approx(np.average(parts, weights=w), rel=1e-12)
    # As many groups as rows are the rows.
    alone = log_score_scorer(moe, X, y, groups=np.arange(240))
    assert alone == pytest.approx(log_score_scorer(moe, X, y), rel=1e-10)


def test_search_routes_groups_to_fits_folds_and_scorer(panel):
    X, y, groups = panel
    with config_context(enable_metadata_routing=True):
        moe = MoERegressor(gate="constant", n_init=2, random_state=0).set_fit_request(groups=True)
        scorer = get_scorer("log_score").set_score_request(groups=True)
        search = GridSearchCV(moe, {"n_experts": [1, 2]}, scoring=scorer, cv=GroupKFold(3))
        search.fit(X, y, groups=groups)
    assert search.best_params_ == {"n_experts": 2}
    train, test = next(iter(GroupKFold(3).split(X, y, groups)))
    fold = clone(moe).set_params(n_experts=2).fit(X[train], y[train], groups=groups[train])
    expected = fold.log_likelihood(X[test], y[test], groups=groups[test])
    value = search.cv_results_["split0_test_score"][1]
    assert value == pytest.approx(expected / np.unique(groups[test]).size, rel=1e-12)


def test_groups_go_through_pipelines_to_the_scorer(panel):
    X, y, groups = panel
    with config_context(enable_metadata_routing=True):
        moe = MoERegressor(2, gate="constant", random_state=0).set_fit_request(groups=True)
        pipe = make_pipeline(StandardScaler(), moe)
        scorer = get_scorer("log_score").set_score_request(groups=True)
        found = cross_validate(
            pipe, X, y, scoring=scorer, cv=GroupKFold(3), params={"groups": groups}
        )
    assert found["test_score"].shape == (3,)
    assert (found["test_score"] > -8.0).all()


def test_groups_that_nobody_spoke_of_or_rows_alone_are_refused(panel):
    X, y, groups = panel
    moe = MoERegressor(2, gate="constant", random_state=0).fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="groups has no meaning for get_scorer\\('neg_crps'\\)"):
        neg_crps_scorer(moe, X, y, groups=groups)
    with pytest.raises(ValueError, match="groups has no meaning"):
        get_scorer("neg_pit_error").set_score_request(groups=True)
    with pytest.raises(ValueError, match="groups has no meaning for LogisticRegression"):
        log_score_scorer(LogisticRegression().fit(X, y > 0), X, y > 0, groups=groups)
    with pytest.raises(ValueError, match="groups has shape"):
        log_score_scorer(moe, X, y, groups=groups[1:])
    with config_context(enable_metadata_routing=True):
        asked = clone(moe).set_fit_request(groups=True)
        with pytest.raises(UnsetMetadataPassedError, match="log_score"):
            cross_validate(
                asked,
                X,
                y,
                scoring=get_scorer("log_score"),
                cv=GroupKFold(3),
                params={"groups": groups},
            )
