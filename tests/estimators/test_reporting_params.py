"""scikit-learn citizenship: cloning, pickling, nested names, grids, pipelines, routing."""

import pickle
from functools import cache

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.fixes import parse_version

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.experts import (
    EXPERTS,
    GaussianExpert,
    LaplaceExpert,
    LinearExpert,
    StudentTExpert,
)
from moe_classic.gates import GATES, GaussianGate, SoftmaxGate

REAL = sorted(
    name for name, cls in EXPERTS.items() if cls.target == "real" and issubclass(cls, LinearExpert)
)
CLASS = sorted(name for name, cls in EXPERTS.items() if cls.target == "class")
COMPONENTS = [*(cls() for cls in EXPERTS.values()), *(cls() for cls in GATES.values())]
every_component = pytest.mark.parametrize("component", COMPONENTS, ids=str)
QUICK = {"n_init": 1, "random_state": 0}
LINE_AND_WILD = [("line", GaussianExpert(alpha=0.1)), ("wild", StudentTExpert(df=3.0))]

MODELS = {
    **{f"{e}": MoERegressor(2, expert=e, **QUICK) for e in REAL},
    **{f"{e}": MoEClassifier(2, expert=e, **QUICK) for e in CLASS},
    **{f"{g} gate": MoERegressor(2, gate=g, **QUICK) for g in sorted(GATES)},
    "instances": MoERegressor(2, expert=StudentTExpert(df=3.0), gate=GaussianGate(), **QUICK),
    "unlike": MoERegressor(2, expert=LINE_AND_WILD, **QUICK),
    "transformer": MoERegressor(2, expert=GaussianExpert(features=PolynomialFeatures(2)), **QUICK),
}
every_model = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def frame():
    """A regression with named columns."""
    X, y = make_moe(100, n_features=2, random_state=0)
    return pd.DataFrame(X, columns=["age", "dose"]), y


@pytest.fixture(scope="module")
def bits():
    """Two classes."""
    return make_moe(100, expert="logistic", n_features=2, random_state=0)


def data_for(model, frame, bits):
    return bits if is_classifier(model) else frame


@pytest.fixture(scope="module")
def fitted(frame, bits):
    """Models by name, each fitted once, for those who only look at them."""
    return cache(lambda name: clone(MODELS[name]).fit(*data_for(MODELS[name], frame, bits)))


def plain(value):
    """Parameters without the objects in them: what can be compared."""
    return {k: v for k, v in value.items() if not hasattr(v, "get_params") and k != "expert"}


# ------------------------------------------------------------------------- clone and pickle


@every_component
def test_component_is_cloned_and_set_like_an_estimator(component):
    copy = clone(component)
    assert type(copy) is type(component)
    assert copy.get_params() == component.get_params()
    for name, value in component.get_params().items():
        assert copy.set_params(**{name: value}) is copy


@every_model
def test_clone_has_the_same_arguments_and_no_fit(name, fitted):
    model = fitted(name)
    copy = clone(model)
    assert plain(copy.get_params(deep=True)) == plain(model.get_params(deep=True))
    assert not hasattr(copy, "experts_")
    assert not any(key.endswith("_") for key in vars(copy))


@every_model
@pytest.mark.parametrize("how", ["pickle", "joblib"])
def test_fitted_model_survives_being_written(name, how, frame, bits, fitted, tmp_path):
    X, y = data_for(MODELS[name], frame, bits)
    model = fitted(name)
    if how == "pickle":
        again = pickle.loads(pickle.dumps(model))
    else:
        joblib.dump(model, tmp_path / "model")
        again = joblib.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.score_samples(X, y), model.score_samples(X, y))
    pd.testing.assert_frame_equal(again.summary(), model.summary())
    assert again.experts_[0].coef_ is not None
    assert again.gate_.name == model.gate_.name


@every_model
def test_fit_leaves_the_arguments_as_they_were(name, frame, bits):
    model = clone(MODELS[name])
    before, texts = model.get_params(deep=False), repr(model)
    model.fit(*data_for(model, frame, bits))
    after = model.get_params(deep=False)
    assert all(after[key] is before[key] for key in before)
    assert repr(model) == texts


@every_model
def test_fit_takes_read_only_arrays_and_leaves_them_alone(name, frame, bits):
    X, y = (np.array(part) for part in data_for(MODELS[name], frame, bits))
    copies = X.copy(), y.copy()
    X.flags.writeable = y.flags.writeable = False
    clone(MODELS[name]).fit(X, y).predict(X)
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(y, copies[1])


# ------------------------------------------------------------------------- nested names


def test_nested_names_reach_a_component():
    model = MoERegressor(expert=StudentTExpert(), gate=SoftmaxGate())
    model.set_params(expert__df=3.0, gate__alpha=0.5, n_experts=4)
    assert (model.expert.df, model.gate.alpha, model.n_experts) == (3.0, 0.5, 4)
    assert model.get_params()["expert__df"] == 3.0
    assert "expert__df" not in model.get_params(deep=False)


def test_nested_names_reach_a_transformer_inside_a_component(frame):
    expert = GaussianExpert(features=PolynomialFeatures(1, include_bias=False))
    model = MoERegressor(1, expert=expert, **QUICK)
    model.set_params(expert__features__degree=3)
    assert model.fit(*frame).experts_[0].coef_.shape == (9,)


def test_nested_names_reach_unlike_experts_by_their_names():
    model = MoERegressor(2, expert=[("line", GaussianExpert()), ("wild", StudentTExpert())])
    model.set_params(line__alpha=0.25, wild__df=2.5)
    assert model.expert[0][1].alpha == 0.25
    assert model.get_params()["wild__df"] == 2.5
    laplace = LaplaceExpert()
    model.set_params(line=laplace)
    assert model.expert[0] == ("line", laplace)
    assert "line" not in model.get_params(deep=False)


def test_list_of_experts_is_replaced_as_a_whole():
    model = MoERegressor(2, expert=[("line", GaussianExpert()), ("wild", StudentTExpert())])
    assert model.set_params(expert="laplace").expert == "laplace"
    assert "line" not in model.get_params()
    model.set_params(expert=[("a", "gaussian"), ("b", GaussianExpert())], b__alpha=1.0)
    assert model.get_params()["b__alpha"] == 1.0


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (MoERegressor(), "experts"),
        (MoERegressor(expert=StudentTExpert()), "expert__degrees"),
        (MoERegressor(expert=[("a", GaussianExpert()), ("b", "laplace")]), "c__alpha"),
        (MoERegressor(expert=[("a", GaussianExpert()), ("b", "laplace")]), "a__df"),
    ],
)
def test_unknown_name_is_refused(model, name):
    with pytest.raises(ValueError, match="Invalid parameter"):
        model.set_params(**{name: 1})


# ------------------------------------------------------------------------- grids and pipelines


def searched(model, grid, X, y, **options):
    return GridSearchCV(model, grid, cv=2, **options).fit(X, y)


def test_grid_runs_over_names_instances_and_numbers(frame):
    grid = {"expert": [*REAL, StudentTExpert(df=4.0)], "gate": ["constant", SoftmaxGate()]}
    search = searched(MoERegressor(2, **QUICK), grid, *frame)
    assert len(search.cv_results_["params"]) == 2 * (len(REAL) + 1)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(frame[0]).shape == (100,)


def test_grid_runs_over_arguments_of_an_expert(frame):
    grid = {"expert": [StudentTExpert()], "expert__df": [3.0, None], "n_experts": [1, 2]}
    search = searched(MoERegressor(**QUICK), grid, *frame)
    tried = [(p["expert__df"], p["n_experts"]) for p in search.cv_results_["params"]]
    assert sorted(tried, key=str) == sorted([(3.0, 1), (3.0, 2), (None, 1), (None, 2)], key=str)
    assert search.best_estimator_.expert.df == search.best_params_["expert__df"]


def test_grid_runs_over_arguments_of_unlike_experts(frame):
    model = MoERegressor(2, expert=LINE_AND_WILD, **QUICK)
    search = searched(model, {"line__alpha": [0.0, 0.5], "wild__df": [2.0, 30.0]}, *frame)
    best = dict(search.best_estimator_.expert)
    assert best["line"].alpha == search.best_params_["line__alpha"]
    assert best["wild"].df == search.best_params_["wild__df"]
    assert LINE_AND_WILD[0][1].alpha == 0.1, "the user's experts are cloned"
    assert len(set(search.cv_results_["mean_test_score"])) == 4


@pytest.mark.parametrize("expert", CLASS)
def test_grid_runs_over_class_experts_with_a_proper_score(expert, bits):
    grid = {"n_experts": [1, 2], "expert": [expert, EXPERTS[expert](alpha=0.1)]}
    search = searched(MoEClassifier(**QUICK), grid, *bits, scoring="neg_log_loss")
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_cross_validation_scores_are_those_of_the_folds(frame):
    X, y = frame
    scores = cross_val_score(MoERegressor(**QUICK), X, y, cv=4)
    model = MoERegressor(**QUICK).fit(X.iloc[25:], y[25:])
    assert scores[0] == pytest.approx(model.score(X.iloc[:25], y[:25]), rel=1e-12)


def test_pipeline_and_target_transformer_work(frame):
    X, y = frame
    scaled = make_pipeline(StandardScaler(), MoERegressor(**QUICK))
    scaled.set_params(moeregressor__n_experts=3).fit(X, y)
    assert scaled[-1].n_experts == 3
    plain = MoERegressor(**QUICK).fit(X, y)
    outer = TransformedTargetRegressor(MoERegressor(**QUICK), transformer=StandardScaler())
    # Fits do not depend on the units of y; rows are put in another order inside, tol is 1e-6 a row.
    np.testing.assert_allclose(outer.fit(X, y).predict(X), plain.predict(X), atol=1e-3)


def test_frames_from_set_output_bring_their_names(frame):
    X, y = frame
    steps = make_column_transformer((StandardScaler(), ["dose"]), remainder="passthrough")
    steps.set_output(transform="pandas")
    model = MoERegressor(2, gate=SoftmaxGate(features=["standardscaler__dose"]), **QUICK)
    pipe = make_pipeline(steps, model).fit(X, y)
    assert list(pipe[-1].feature_names_in_) == ["standardscaler__dose", "remainder__age"]
    assert pipe[-1].gate_.feature_names_ == ("standardscaler__dose",)


# ------------------------------------------------------------------------- names of features


def test_feature_names_are_remembered_and_checked(frame):
    X, y = frame
    model = MoERegressor(**QUICK).fit(X, y)
    assert list(model.feature_names_in_) == ["age", "dose"]
    assert model.n_features_in_ == 2
    assert model.experts_[0].feature_names_ == ("age", "dose")
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[["dose", "age"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X.to_numpy())


def test_columns_without_names_are_numbered(frame):
    X, y = frame
    model = MoERegressor(**QUICK).fit(X.to_numpy(), y)
    assert not hasattr(model, "feature_names_in_")
    assert model.experts_[0].feature_names_ == ("x0", "x1")
    with pytest.raises(ValueError, match="X has 1 features, but MoERegressor is expecting 2"):
        model.predict(X.to_numpy()[:, :1])


# ------------------------------------------------------------------------- routing and tags


def test_sample_weight_is_routed_through_a_grid(frame):
    X, y = frame
    w = np.linspace(0.1, 3.0, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = MoERegressor(**QUICK).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"n_experts": [2]}, cv=2)
        search.fit(X, y, sample_weight=w)
    expected = MoERegressor(2, **QUICK).fit(X, y, sample_weight=w)
    np.testing.assert_array_equal(search.predict(X), expected.predict(X))
    halves = []
    for test in (slice(0, 50), slice(50, 100)):
        train = np.ones(100, dtype=bool)
        train[test] = False
        part = MoERegressor(2, **QUICK).fit(X[train], y[train], sample_weight=w[train])
        halves.append(part.score(X.iloc[test], y[test], sample_weight=w[test]))
    assert search.best_score_ == pytest.approx(np.mean(halves), rel=1e-9)


def test_sample_weight_is_routed_through_a_pipeline(frame):
    X, y = frame
    w = np.linspace(0.1, 3.0, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = MoERegressor(**QUICK).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        line = make_pipeline(scaler, model)
        # scikit-learn 1.7 asks the pipeline itself as well; from 1.8 on its last step is enough.
        if parse_version(sklearn.__version__) < parse_version("1.8"):
            line.set_score_request(sample_weight=True)
        scores = cross_validate(line, X, y, cv=2, params={"sample_weight": w})
    X, half = X.to_numpy(), slice(50, 100)
    scaler = StandardScaler().fit(X[half])
    alone = MoERegressor(**QUICK).fit(scaler.transform(X[half]), y[half], sample_weight=w[half])
    expected = alone.score(scaler.transform(X[:50]), y[:50], sample_weight=w[:50])
    assert scores["test_score"][0] == pytest.approx(expected, rel=1e-9)


def test_tags_say_what_the_estimators_are():
    assert is_regressor(MoERegressor())
    assert is_classifier(MoEClassifier())
    assert get_tags(MoERegressor()).target_tags.multi_output
    assert not get_tags(MoERegressor(expert="laplace")).target_tags.multi_output
    assert not get_tags(MoERegressor(expert=LINE_AND_WILD)).target_tags.multi_output
    assert get_tags(MoEClassifier()).classifier_tags.multi_class
    assert get_tags(MoERegressor()).target_tags.required


# ------------------------------------------------------------------------- views


@every_model
def test_model_has_a_text_and_an_html_view(name, frame, bits):
    model = clone(MODELS[name])
    assert repr(model).startswith(type(model).__name__)
    assert type(model).__name__ in model._repr_html_()
    model.fit(*data_for(model, frame, bits))
    assert "fitted" in model._repr_html_()


def test_text_shows_what_differs_from_the_defaults():
    model = MoERegressor(3, expert=StudentTExpert(df=4.0), gate="gaussian")
    assert repr(model) == (
        "MoERegressor(expert=StudentTExpert(df=4.0), gate='gaussian', n_experts=3)"
    )
