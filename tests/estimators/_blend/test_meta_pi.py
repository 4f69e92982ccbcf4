"""MetaPiRegressor and MetaPiClassifier: sources, gates, sparse prediction, bad input."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from moe_classic import MetaPiClassifier, MetaPiRegressor
from moe_classic.datasets import make_speakers

from ...checks import parametrize_with_checks

REGRESSORS = [LinearRegression(), DecisionTreeRegressor(max_depth=2, random_state=0)]
CLASSIFIERS = [LogisticRegression(), DecisionTreeClassifier(max_depth=2, random_state=0)]


@pytest.fixture(scope="module")
def speakers():
    return make_speakers(900, random_state=0)


@pytest.fixture(scope="module")
def listeners():
    """Further rows of the same speakers."""
    return make_speakers(3000, random_state=1)


@pytest.fixture
def bent(rng):
    """A line that bends at 0; its two sides are the sources."""
    X = rng.uniform(-2.0, 2.0, (120, 2))
    side = np.where(X[:, 0] > 0.0, "right", "left")
    return X, 5.0 * np.abs(X[:, 0]) + X[:, 1] + 0.05 * rng.standard_normal(120), side


@parametrize_with_checks(
    [
        MetaPiRegressor(REGRESSORS),
        MetaPiRegressor(REGRESSORS, gate="constant"),
        MetaPiRegressor(
            LinearRegression(), gate="sigmoid", hidden_units=2, max_iter=50, joint=True
        ),
        MetaPiClassifier(CLASSIFIERS),
        MetaPiClassifier(LogisticRegression(), gate="sigmoid"),
        MetaPiClassifier(
            [("logit", LogisticRegression()), ("tree", DecisionTreeClassifier(max_depth=2))],
            hidden_units=2,
            gate_features=[0],
            max_iter=30,
        ),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimator_passes_scikit_learns_check(estimator, check):
    check(estimator)


# ------------------------------------------------------------------------- the paper's findings


def test_blend_comes_near_an_oracle_that_is_told_the_speaker(speakers, listeners):
    X, y, source = speakers
    X_new, y_new, source_new = listeners
    model = LogisticRegression()
    blend = MetaPiClassifier(model).fit(X, y, sources=source)
    wrong = 1.0 - blend.score(X_new, y_new)
    pooled = 1.0 - clone(model).fit(X, y).score(X_new, y_new)
    alone = [1.0 - np.mean(e.predict(X_new) == y_new) for e in blend.experts_]
    guess = np.empty_like(y_new)
    for s, expert in enumerate(blend.experts_):
        guess[source_new == s] = expert.predict(X_new[source_new == s])
    oracle = np.mean(guess != y_new)
    assert oracle <= wrong < 2.0 * oracle < 0.05 < pooled
    assert wrong < 0.2 * min(alone)


def test_speaker_between_others_is_served_without_an_expert_of_its_own(speakers, listeners):
    X, y, source = speakers
    X_new, y_new, source_new = listeners
    mine = source_new == 5
    own = LogisticRegression().fit(X[source == 5], y[source == 5])
    others = [
        FrozenEstimator(LogisticRegression().fit(X[source == s], y[source == s])) for s in range(5)
    ]
    blend = MetaPiClassifier(others).fit(X, y, sources=source)
    wrong, best = (1.0 - m.score(X_new[mine], y_new[mine]) for m in (blend, own))
    # As well as its own expert, within the noise of 500 rows.
    assert wrong < best + 0.015
    # Its two neighbours do the work, together.
    assert blend.source_table_.loc[5, ["logisticregression-3", "logisticregression-4"]].sum() > 0.9


def test_weights_find_the_speakers_without_their_labels(speakers):
    X, y, source = speakers
    table = MetaPiClassifier(LogisticRegression()).fit(X, y, sources=source).source_table_
    assert table.to_numpy()[:5, :5].argmax(axis=1).tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(table.sum(axis=1), 1.0)


# ------------------------------------------------------------------------- experts and sources


def test_each_expert_learns_from_its_own_source(bent):
    X, y, side = bent
    blend = MetaPiRegressor(LinearRegression()).fit(X, y, sources=side)
    assert blend.expert_names_ == ["left", "right"]
    for name, expert in zip(blend.expert_names_, blend.experts_, strict=True):
        alone = LinearRegression().fit(X[side == name], y[side == name])
        np.testing.assert_allclose(expert.coef_, alone.coef_)


@pytest.mark.parametrize(
    ("experts", "order"),
    [
        ([Ridge(1.0), Ridge(2.0)], [1.0, 2.0]),
        ([("right", Ridge(1.0)), ("left", Ridge(2.0))], [2.0, 1.0]),
        ([("one", Ridge(1.0)), ("two", Ridge(2.0))], [1.0, 2.0]),
    ],
    ids=["by place", "by name", "other names, by place"],
)
def test_listed_experts_find_their_sources(bent, experts, order):
    X, y, side = bent
    blend = MetaPiRegressor(experts).fit(X, y, sources=side)
    for alpha, name in zip(order, ["left", "right"], strict=True):
        alone = Ridge(alpha).fit(X[side == name], y[side == name]).coef_
        fitted = next(e for e in blend.experts_ if e.alpha == alpha)
        np.testing.assert_allclose(fitted.coef_, alone)


def test_without_sources_all_experts_learn_from_all_rows(bent):
    X, y, _ = bent
    blend = MetaPiRegressor(REGRESSORS).fit(X, y)
    np.testing.assert_allclose(blend.experts_[0].coef_, LinearRegression().fit(X, y).coef_)
    assert blend.source_table_.shape == (1, 2)


def test_prefit_experts_stay_whatever_the_sources(bent):
    X, y, side = bent
    fitted = [LinearRegression().fit(X[side == s], y[side == s]) for s in ("left", "right")]
    blend = MetaPiRegressor([FrozenEstimator(m) for m in fitted])
    blend.fit(X, y, sources=np.arange(len(X)) % 5)
    np.testing.assert_array_equal(
        blend.expert_predictions(X), np.column_stack([m.predict(X) for m in fitted])
    )
    assert blend.source_table_.shape == (5, 2)


def test_frame_reaches_experts_with_its_names(bent):
    X, y, side = bent
    frame = pd.DataFrame(X, columns=["a", "b"])
    blend = MetaPiRegressor(LinearRegression(), gate_features=["a"]).fit(frame, y, sources=side)
    assert blend.experts_[0].feature_names_in_.tolist() == ["a", "b"]
    assert blend.gate_.coef_.shape == (2, 1)
    assert blend.score(frame, y) > 0.99


def test_sources_are_metadata(bent):
    X, y, side = bent
    pipe = make_pipeline(StandardScaler(), MetaPiRegressor(LinearRegression()))
    with sklearn.config_context(enable_metadata_routing=True):
        pipe[-1].set_fit_request(sources=True)
        scores = cross_validate(pipe, X, y, params={"sources": side}, cv=3)["test_score"]
        search = GridSearchCV(pipe, {"metapiregressor__gate": ["softmax", "constant"]}, cv=3)
        search.fit(X, y, sources=side)
    assert scores.min() > 0.99
    assert search.best_params_ == {"metapiregressor__gate": "softmax"}


def test_grid_reaches_into_the_expert(bent):
    X, y, _ = bent
    search = GridSearchCV(MetaPiRegressor(Ridge()), {"experts__alpha": [1e-3, 1e4]}, cv=2)
    assert search.fit(X, y).best_params_ == {"experts__alpha": 1e-3}


def test_grid_reaches_into_a_list_of_experts_by_name(bent):
    X, y, _ = bent
    model = MetaPiRegressor([("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=1))])
    search = GridSearchCV(model, {"tree__max_depth": [1, 4], "ridge__alpha": [1.0]}, cv=2)
    assert search.fit(X, y).best_params_ == {"tree__max_depth": 4, "ridge__alpha": 1.0}
    model.set_params(tree=LinearRegression())
    assert isinstance(model.fit(X, y).experts_[1], LinearRegression)


def test_weights_are_repeated_rows(bent):
    X, y, side = bent
    w = np.arange(len(X)) % 3
    rows = np.repeat(np.arange(len(X)), w)
    model = MetaPiRegressor(LinearRegression())
    weighted = clone(model).fit(X, y, sample_weight=w, sources=side)
    repeated = clone(model).fit(X[rows], y[rows], sources=side[rows])
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))


# ------------------------------------------------------------------------- gates


@pytest.mark.parametrize("options", [{}, {"gate": "sigmoid"}, {"hidden_units": 4}])
def test_gate_lowers_the_loss_at_every_step(bent, options):
    X, y, side = bent
    model = MetaPiRegressor(LinearRegression(), random_state=0, tol=1e-5, **options)
    blend = model.fit(X, y, sources=side)
    assert np.diff(blend.trace_).max() <= 0.0
    assert blend.loss_ == pytest.approx(np.mean((y - blend.predict(X)) ** 2), rel=1e-9)
    np.testing.assert_allclose(blend.gate_proba(X).sum(axis=1), 1.0)
    assert blend.score(X, y) > 0.98


def test_constant_gate_is_least_squares_on_the_simplex(bent):
    X, y, side = bent
    blend = MetaPiRegressor(LinearRegression(), gate="constant").fit(X, y, sources=side)
    O = blend.expert_predictions(X)
    found = minimize(
        lambda p: np.mean((y - O @ p) ** 2),
        [0.5, 0.5],
        method="SLSQP",
        bounds=[(0, 1)] * 2,
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1.0},
        options={"ftol": 1e-14},
    )
    np.testing.assert_allclose(blend.gate_.weights_, found.x, atol=1e-6)
    with pytest.raises(AttributeError, match="see weights_"):
        _ = blend.gate_.coef_


def test_joint_training_lowers_the_loss_further(speakers):
    X, y, source = speakers
    model = MetaPiClassifier(LogisticRegression(), tol=1e-4)
    alone = clone(model).fit(X, y, sources=source)
    joint = clone(model).set_params(joint=True).fit(X, y, sources=source)
    assert joint.loss_ < alone.loss_
    assert np.diff(joint.trace_).max() <= 0.0
    assert not np.allclose(joint.experts_[0].coef_, alone.experts_[0].coef_)


def test_error_of_the_blend_is_that_of_its_experts_less_their_disagreement(speakers, bent):
    for model, X, y, source in (
        (MetaPiClassifier(LogisticRegression()), *speakers),
        (MetaPiRegressor(LinearRegression()), *bent),
    ):
        blend = model.fit(X, y, sources=source)
        terms = blend.ambiguity(X, y)
        assert terms["blend"] == pytest.approx(blend.loss_, rel=1e-9)
        assert terms["blend"] == pytest.approx(terms["experts"] - terms["ambiguity"], rel=1e-9)
        assert terms["ambiguity"] > 0.0


# ------------------------------------------------------------------------- predictions


def test_prediction_blends_the_experts(bent):
    X, y, side = bent
    blend = MetaPiRegressor(LinearRegression()).fit(X, y, sources=side)
    whole = (blend.gate_proba(X) * blend.expert_predictions(X)).sum(axis=1)
    np.testing.assert_allclose(blend.predict(X), whole, rtol=1e-12)


def test_several_outputs_are_blended(bent):
    X, y, side = bent
    Y = np.column_stack([y, -2.0 * y + X[:, 1]])
    blend = MetaPiRegressor(LinearRegression()).fit(X, Y, sources=side)
    assert blend.predict(X).shape == Y.shape
    assert blend.expert_predictions(X).shape == (len(X), 2, 2)
    assert blend.score(X, Y) > 0.99


class Counting(RegressorMixin, BaseEstimator):
    """Counts the rows that it is asked about."""

    def fit(self, X, y):
        self.mean_, self.asked_ = float(np.mean(y)), 0
        return self

    def predict(self, X):
        self.asked_ += len(X)
        return np.full(len(X), self.mean_)


def test_sparse_prediction_asks_each_expert_about_its_rows_only(bent, rng):
    X, y, _ = bent
    blend = MetaPiRegressor(Counting()).fit(X, y, sources=rng.integers(0, 6, len(X)))
    for expert in blend.experts_:
        expert.asked_ = 0
    blend.predict(X, top_k=2)
    assert sum(expert.asked_ for expert in blend.experts_) == 2 * len(X)


@pytest.mark.parametrize("top_k", [1, 2])
def test_sparse_prediction_is_the_blend_of_the_highest_weights(speakers, top_k):
    X, y, source = speakers
    blend = MetaPiClassifier(LogisticRegression()).fit(X, y, sources=source)
    g = blend.gate_proba(X)
    g[g < np.sort(g, axis=1)[:, [-top_k]]] = 0.0
    P = np.einsum("nk,nkc->nc", g / g.sum(axis=1, keepdims=True), blend.expert_predictions(X))
    np.testing.assert_allclose(blend.predict_proba(X, top_k=top_k), P, atol=1e-12)
    np.testing.assert_array_equal(blend.predict(X, top_k=top_k), P.argmax(axis=1))


def test_log_probabilities_are_the_logarithms(speakers):
    X, y, source = speakers
    blend = MetaPiClassifier(LogisticRegression()).fit(X, y, sources=source)
    np.testing.assert_allclose(np.exp(blend.predict_log_proba(X)), blend.predict_proba(X))


def test_fitted_blend_survives_a_pickle(bent):
    X, y, side = bent
    blend = MetaPiRegressor(LinearRegression(), hidden_units=2, tol=1e-4, random_state=0)
    blend.fit(X, y, sources=side)
    again = pickle.loads(pickle.dumps(blend))
    np.testing.assert_array_equal(again.predict(X), blend.predict(X))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_fit_does_not_depend_on_threads(bent, n_jobs):
    X, y, side = bent
    tree = DecisionTreeRegressor(max_depth=3, max_features=1)
    one = MetaPiRegressor(tree, random_state=0).fit(X, y, sources=side)
    other = MetaPiRegressor(tree, random_state=0, n_jobs=n_jobs).fit(X, y, sources=side)
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("sources", "match"),
    [
        (["a"] * 3, "sources has 3 entries and X has 120 rows"),
        ([np.nan, *[1.0] * 119], "sources must not be missing"),
        (["odd", *["even"] * 119], "source 'odd' has 1 row of positive weight"),
        (np.zeros((120, 2)), r"sources has shape \(120, 2\)"),
    ],
)
def test_sources_that_make_no_sense_are_refused(bent, sources, match):
    X, y, _ = bent
    with pytest.raises(ValueError, match=match):
        MetaPiRegressor(LinearRegression()).fit(X, y, sources=sources)


def test_sources_of_unlike_types_are_refused(bent):
    X, y, _ = bent
    mixed = np.array([1] * 60 + ["a"] * 60, dtype=object)
    with pytest.raises(TypeError, match=r"labels of the types \['int', 'str'\]"):
        MetaPiRegressor(LinearRegression()).fit(X, y, sources=mixed)


def test_sources_may_be_one_column(bent):
    X, y, side = bent
    model = MetaPiRegressor(LinearRegression())
    one, other = (clone(model).fit(X, y, sources=s) for s in (side, side[:, None]))
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


def test_source_with_one_class_is_refused(speakers):
    X, y, source = speakers
    some = (source != 3) | (y == 1)
    with pytest.raises(ValueError, match="source 3 has the one class 1; a classifier cannot learn"):
        MetaPiClassifier(LogisticRegression()).fit(X[some], y[some], sources=source[some])


def test_source_whose_rows_have_no_weight_is_refused(bent):
    X, y, side = bent
    with pytest.raises(ValueError, match="source 'left' has 0 rows of positive weight"):
        MetaPiRegressor(LinearRegression()).fit(
            X, y, sample_weight=(side == "right").astype(float), sources=side
        )


def test_number_of_experts_must_be_that_of_the_sources(bent):
    X, y, side = bent
    with pytest.raises(ValueError, match="lists 3 estimators and there are 2 sources"):
        MetaPiRegressor([Ridge(), Ridge(), Ridge()]).fit(X, y, sources=side)


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        (MetaPiRegressor(StandardScaler()), TypeError, "needs fit, predict and get_params"),
        (MetaPiRegressor(Ridge), TypeError, r"Ridge\(\) with parentheses"),
        (MetaPiRegressor([]), ValueError, "empty list"),
        (MetaPiRegressor([("a", Ridge()), ("a", Ridge())]), ValueError, "names must differ"),
        (MetaPiRegressor([("gate", Ridge()), ("a", Ridge())]), ValueError, "names conflict"),
        (MetaPiRegressor(KNeighborsClassifier()), TypeError, "must be one of the regressors"),
        (MetaPiRegressor(FrozenEstimator(Ridge())), ValueError, "is not fitted"),
        (MetaPiRegressor(Ridge(), gate="linear"), ValueError, "gate='linear' is not known"),
        (MetaPiRegressor(Ridge(), hidden_units=-1), ValueError, "hidden_units=-1"),
        (MetaPiRegressor(Ridge(), alpha=-1.0), ValueError, "alpha=-1.0"),
        (MetaPiRegressor(Ridge(), max_iter=0), ValueError, "max_iter=0"),
        (MetaPiRegressor(Ridge(), joint="yes"), TypeError, "joint='yes'"),
        (MetaPiRegressor(Ridge(), gate_features=["z"]), ValueError, "gate_features"),
        (MetaPiRegressor(Ridge(), gate="constant", hidden_units=2), ValueError, "does not look"),
        (MetaPiRegressor(Ridge(), gate="constant", joint=True), ValueError, "looks at x"),
        (MetaPiRegressor(KNeighborsRegressor(), joint=True), ValueError, "differentiable"),
    ],
)
def test_argument_that_makes_no_sense_is_refused(bent, model, error, match):
    X, y, side = bent
    with pytest.raises(error, match=match):
        model.fit(X, y, sources=side)


def test_prefit_expert_of_other_outputs_is_refused(bent):
    X, y, _ = bent
    two = FrozenEstimator(Ridge().fit(X, np.column_stack([y, y])))
    with pytest.raises(ValueError, match=r"experts \(ridge\): .* predicts 2 outputs and y has 1"):
        MetaPiRegressor([two]).fit(X, y)


def test_frozen_experts_cannot_be_trained_jointly(bent):
    X, y, _ = bent
    frozen = FrozenEstimator(Ridge().fit(X, y))
    with pytest.raises(ValueError, match="a FrozenEstimator stays as it is"):
        MetaPiRegressor(frozen, joint=True).fit(X, y)


def test_classifier_without_probabilities_is_refused(speakers):
    X, y, source = speakers
    with pytest.raises(TypeError, match="CalibratedClassifierCV"):
        MetaPiClassifier(LinearSVC()).fit(X, y, sources=source)


def test_prefit_classifier_of_other_classes_is_refused(speakers):
    X, y, _ = speakers
    stranger = FrozenEstimator(LogisticRegression().fit(X, y + 1))
    with pytest.raises(ValueError, match=r"knows the classes \[3\], which y does not have"):
        MetaPiClassifier([stranger]).fit(X, y)


@pytest.mark.parametrize(("top_k", "match"), [(0, "top_k=0"), (7, "more than the 6 experts")])
def test_top_k_out_of_range_is_refused(speakers, top_k, match):
    X, y, source = speakers
    blend = MetaPiClassifier(LogisticRegression()).fit(X, y, sources=source)
    with pytest.raises(ValueError, match=match):
        blend.predict(X, top_k=top_k)


def test_one_class_is_refused(speakers):
    X, y, _ = speakers
    with pytest.raises(ValueError, match="one class"):
        MetaPiClassifier(LogisticRegression()).fit(X, np.zeros_like(y))


def test_ambiguity_of_unknown_classes_is_refused(speakers):
    X, y, source = speakers
    blend = MetaPiClassifier(LogisticRegression()).fit(X, y, sources=source)
    with pytest.raises(ValueError, match=r"the class 9, which was not seen in fit"):
        blend.ambiguity(X, np.full_like(y, 9))


def test_expert_that_fails_is_named_and_the_rest_is_kept(bent):
    X, y, side = bent
    experts = [("left", Ridge(alpha=-1.0)), ("right", Ridge())]
    with pytest.warns(FitFailedWarning, match="'left' could not be fitted.*alpha"):
        blend = MetaPiRegressor(experts).fit(X, y, sources=side)
    np.testing.assert_allclose(blend.expert_predictions(X)[:, 0], y[side == "left"].mean())


def test_expert_that_cannot_predict_has_failed(speakers):
    X, y, source = speakers
    few = (source != 2) | (np.cumsum(source == 2) <= 20)
    with pytest.warns(FitFailedWarning, match="'2' could not be fitted.*n_neighbors"):
        MetaPiClassifier(KNeighborsClassifier(30)).fit(X[few], y[few], sources=source[few])


def test_experts_that_all_fail_are_an_error(bent):
    X, y, side = bent
    with pytest.raises(ValueError, match="No expert could be fitted; left raised"):
        MetaPiRegressor(Ridge(alpha=-1.0)).fit(X, y, sources=side)


def test_gate_that_needs_more_steps_says_so(speakers):
    X, y, source = speakers
    with pytest.warns(ConvergenceWarning, match="still learning after max_iter=3 steps"):
        MetaPiClassifier(LogisticRegression(), max_iter=3).fit(X, y, sources=source)
