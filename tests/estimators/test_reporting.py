"""Tables and cards of blends: summaries, explanations, HTML views."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from moe_classic import (
    HardMoEClassifier,
    HardMoERegressor,
    MetaPiClassifier,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
)
from moe_classic._results import fitted_record

SCALED = make_pipeline(StandardScaler(), LinearRegression())

#: Blends of regressors all of whose experts are linear, and whether they are fitted by source.
LINEAR = {
    "meta-pi": MetaPiRegressor(SCALED, random_state=0),
    "meta-pi, sigmoid": MetaPiRegressor(Ridge(), gate="sigmoid", random_state=0),
    "meta-pi, hidden units": MetaPiRegressor(Ridge(), hidden_units=3, random_state=0),
    "meta-pi, constant": MetaPiRegressor(Ridge(), gate="constant"),
    "meta-pi, joint": MetaPiRegressor(SCALED, joint=True, random_state=0, max_iter=2000),
    "hard": HardMoERegressor(3, expert=SCALED, max_iter=2, random_state=0),
    "hard, softmax": HardMoERegressor(3, expert=SCALED, gate="softmax", max_iter=2, random_state=0),
    "hard, sigmoid, no hidden": HardMoERegressor(
        2, expert=Ridge(), gate="sigmoid", hidden_units=0, max_iter=2, random_state=0
    ),
}
NOT_FITTED = [
    MetaPiRegressor(Ridge()),
    MetaPiClassifier(SVC()),
    HardMoERegressor(2),
    HardMoEClassifier(2, expert=LinearSVC()),
]
FEATURES = ["age", "income", "size"]


@pytest.fixture(scope="module")
def plane():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.uniform(-2.0, 2.0, (120, 3)), columns=FEATURES, index=np.arange(500, 620))
    X["income"] = 2e4 + 1e3 * X.income
    y = 100.0 + np.abs(X.age) + 1e-3 * X.income + 0.1 * rng.standard_normal(120)
    return X, y


def fitted(estimator, X, y):
    """The estimator, by source where it has sources."""
    if hasattr(estimator, "experts"):
        return estimator.fit(X, y, sources=X.age > 0.0)
    return estimator.fit(X, y)


def values(lines, X):
    """What the equations of a table give at their rows, (L,)."""
    rows = X.loc[lines.index.get_level_values("row")].to_numpy()
    return lines.intercept + (lines[[f"coef {f}" for f in FEATURES]].to_numpy() * rows).sum(axis=1)


# ------------------------------------------------------------------------- explain


@pytest.mark.parametrize("name", LINEAR)
def test_equations_of_linear_experts_are_exact_and_add_up(plane, name):
    X, y = plane
    blend = fitted(LINEAR[name], X, y)
    table = blend.explain(X)
    assert list(table.columns) == list(MoERegressor(1).fit(X, y).explain(X[:1]).columns)
    np.testing.assert_allclose(values(table, X), table.prediction, rtol=1e-10)
    own = blend.expert_predictions(X)
    for k, label in enumerate(fitted_record(blend).labels):
        np.testing.assert_allclose(
            table.xs(label, level="expert").prediction, own[:, k], rtol=1e-12
        )
    parts = table.drop(index="blend", level="expert")
    added = (parts.weight * parts.prediction).groupby(level="row").sum()
    np.testing.assert_allclose(parts.weight.groupby(level="row").sum(), 1.0)
    np.testing.assert_allclose(added.loc[X.index], blend.predict(X), rtol=1e-10)
    whole = table.xs("blend", level="expert")
    np.testing.assert_allclose(whole.prediction, blend.predict(X), rtol=1e-12)


def test_mean_of_y_has_what_a_linear_gate_leaves_of_one(plane):
    X, y = plane
    moe = fitted(LINEAR["hard"], X, y)
    rest = moe.explain(X).xs("mean", level="expert")
    np.testing.assert_allclose(rest.weight, 1.0 - moe.gate_proba(X).sum(axis=1), atol=1e-12)
    assert rest.prediction.nunique() == 1
    softmax = fitted(LINEAR["hard, softmax"], X, y).explain(X[:2])
    assert "mean" not in softmax.index.get_level_values("expert")


def test_experts_stand_by_falling_size_of_their_weight(plane):
    X, y = plane
    table = fitted(LINEAR["hard"], X, y).explain(X[:20], min_weight=0.05)
    assert (table.weight < 0.0).any()
    for row in X.index[:20]:
        size = table.loc[row].weight[:-1].abs().to_numpy()
        assert (np.diff(size) <= 0.0).all()
        assert (size[1:] >= 0.05).all()


def test_expert_without_an_equation_says_what_it_is(plane):
    X, y = plane
    experts = [
        ("tree", make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=3))),
        (
            "net",
            MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", max_iter=3000, random_state=0),
        ),
        ("inner", MoERegressor(2, n_init=1, random_state=0)),
        ("line", Ridge()),
    ]
    X = (X - X.mean()) / X.std()
    blend = MetaPiRegressor(experts, random_state=0).fit(X, y)
    table = blend.explain(X[:5])
    for name, text in (
        ("tree", "y = DecisionTreeRegressor(StandardScaler(x))"),
        ("net", "y = MLPRegressor(x)"),
        ("inner", "y = MoERegressor(x)"),
    ):
        lines = table.xs(name, level="expert")
        assert (lines.equation == text).all()
        assert lines.filter(regex="coef|intercept").isna().all(axis=None)
        assert lines.prediction.notna().all()
    line = table.xs("line", level="expert")
    np.testing.assert_allclose(values(line, X), line.prediction, rtol=1e-10)
    whole = table.xs("blend", level="expert")
    assert whole.intercept.isna().all()
    np.testing.assert_allclose(whole.prediction, blend.predict(X[:5]))
    assert whole.equation.str.contains("line").all()


def test_expert_of_weight_zero_needs_no_equation(plane):
    X, y = plane
    # The tree sees noise, and least squares on the simplex gives it nothing.
    tree = FrozenEstimator(DecisionTreeRegressor(max_depth=1).fit(X, -1e3 * y))
    line = FrozenEstimator(LinearRegression().fit(X, y))
    blend = MetaPiRegressor([("tree", tree), ("line", line)], gate="constant").fit(X, y)
    table = blend.explain(X)
    np.testing.assert_allclose(values(table.xs("blend", level="expert"), X), blend.predict(X))


def test_several_outputs_have_a_line_each(plane):
    X, y = plane
    Y = np.column_stack([y, -2.0 * y])
    blend = MetaPiRegressor(LinearRegression(), random_state=0).fit(X, Y, sources=X.age > 0.0)
    table = blend.explain(X)
    assert table.index.names == ["row", "expert", "output"]
    np.testing.assert_allclose(values(table, X), table.prediction, rtol=1e-10)
    whole = table.xs("blend", level="expert").prediction
    np.testing.assert_allclose(whole.to_numpy().reshape(-1, 2), blend.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("joint", [False, True])
def test_classes_are_explained_by_log_odds_and_added_as_probabilities(plane, n_classes, joint):
    X, y = plane
    X = (X - X.mean()) / X.std()
    labels = np.array(["high", "low", "middle"])[np.digitize(y, np.quantile(y, [0.4, 0.7]))]
    labels = labels if n_classes == 3 else np.where(labels == "low", "low", "high")
    blend = MetaPiClassifier(LogisticRegression(), joint=joint, max_iter=2000, random_state=0)
    blend.fit(X, labels, sources=X.age > 0.0)
    table = blend.explain(X)
    own, last = blend.expert_predictions(X), blend.classes_[-1]
    for k, name in enumerate(blend.expert_names_):
        lines = table.xs(name, level="expert")
        odds = np.column_stack([values(lines, X).to_numpy().reshape(len(X), -1), np.zeros(len(X))])
        np.testing.assert_allclose(softmax(odds, axis=1), own[:, k], rtol=1e-8, atol=1e-12)
        starts = [f"log P({c}) / P({last}) = " for c in blend.classes_[:-1]] * len(X)
        assert all(map(str.startswith, lines.equation, starts))
    whole = table.xs("blend", level="expert")
    np.testing.assert_allclose(whole.prediction, blend.predict_proba(X)[:, :-1].ravel())
    assert whole.intercept.isna().all()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "expert", [make_pipeline(StandardScaler(), LinearSVC()), LinearDiscriminantAnalysis()]
)
def test_margins_have_exact_equations_at_every_row(plane, n_classes, expert):
    X, y = plane
    labels = np.array(["high", "low", "middle"])[np.digitize(y, np.quantile(y, [0.4, 0.7]))]
    labels = labels if n_classes == 3 else np.where(labels == "low", "low", "high")
    moe = HardMoEClassifier(2, expert=expert, max_iter=2, random_state=0).fit(X, labels)
    table = moe.explain(X)
    np.testing.assert_allclose(values(table, X), table.prediction, rtol=1e-8, atol=1e-8)
    shown = moe.classes_ if n_classes == 3 else moe.classes_[1:]
    assert list(table.index.get_level_values("class").unique()) == list(shown)
    whole = table.xs("blend", level="expert").prediction.to_numpy()
    np.testing.assert_allclose(whole, np.ravel(moe.decision_function(X)))
    parts = table.drop(index="blend", level="expert")
    added = (parts.weight * parts.prediction).groupby(level=["row", "class"]).sum()
    np.testing.assert_allclose(added, whole, rtol=1e-9, atol=1e-9)
    assert table.equation.str.startswith("margin of ").all()


@pytest.mark.parametrize("expert", [SVC(), RandomForestClassifier(3, max_depth=2)])
def test_classifiers_that_are_not_linear_have_margins_but_no_equation(plane, expert):
    X, y = plane
    moe = HardMoEClassifier(2, expert=expert, max_iter=1, random_state=0).fit(X, y > 121.0)
    table = moe.explain(X[:4])
    assert table.intercept.isna().all()
    name = type(expert).__name__
    assert (table.xs("expert 1", level="expert").equation == f"margin of True = {name}(x)").all()


def test_linear_estimators_inside_a_mixture_have_equations_too(plane):
    X, y = plane
    moe = MoERegressor(2, expert=SCALED, n_init=1, random_state=0).fit(X, y)
    table = moe.explain(X)
    np.testing.assert_allclose(values(table, X), table.prediction, rtol=1e-9)
    assert moe.summary().loc["expert"].drop("scale", level="kind").notna().all(axis=None)


def test_classifiers_inside_a_mixture_are_not_their_own_log_odds(plane):
    X, y = plane
    X = (X - X.mean()) / X.std()
    # A mixture spreads a little of their probability over all classes.
    moe = MoEClassifier(1, expert=LogisticRegression(), n_init=1, random_state=0)
    assert moe.fit(X, y > 121.0).explain(X[:2]).intercept.isna().all()


@pytest.mark.parametrize("estimator", [*NOT_FITTED, MoERegressor(2), MoEClassifier(2)])
def test_tables_need_a_fitted_estimator(plane, estimator):
    X, _ = plane
    with pytest.raises(NotFittedError):
        estimator.explain(X)
    with pytest.raises(NotFittedError):
        estimator.summary()


def test_rows_of_another_width_are_refused(plane):
    X, y = plane
    blend = fitted(LINEAR["meta-pi"], X, y)
    with pytest.raises(ValueError, match="feature names should match"):
        blend.explain(X[FEATURES[:2]])
    with pytest.raises(ValueError, match="min_weight=1"):
        blend.explain(X, min_weight=1)


# ------------------------------------------------------------------------- summary


def test_summary_has_shares_coefficients_and_gate(plane):
    X, y = plane
    blend = MetaPiRegressor(SCALED, random_state=0).fit(X, y, sources=np.where(X.age > 0, "b", "a"))
    table = blend.summary()
    assert list(table.columns) == ["a", "b"]
    assert list(table.index.get_level_values("part").unique()) == ["mixture", "expert", "gate"]
    share = table.loc[("mixture", "share", "share")]
    np.testing.assert_allclose(share, blend.gate_proba(X).mean(axis=0))
    for k, name in enumerate(blend.expert_names_):
        coef = table.loc["expert", name].droplevel("kind")
        line = coef["intercept"] + X.to_numpy() @ coef[FEATURES].to_numpy()
        np.testing.assert_allclose(line, blend.experts_[k].predict(X), rtol=1e-10)
    np.testing.assert_allclose(
        table.loc["gate"].loc["slope"].loc[FEATURES].to_numpy().T, blend.gate_.coef_
    )


def test_summary_of_a_hard_mixture_has_the_shares_that_experts_learned_from(plane):
    X, y = plane
    w = np.tile([1.0, 2.0, 3.0], 40)
    moe = HardMoERegressor(2, max_iter=2, validation_fraction=0.0, random_state=0)
    moe.fit(X, y, sample_weight=w)
    mass = np.bincount(moe.partition_, weights=w)
    np.testing.assert_allclose(moe.summary().loc[("mixture", "share", "share")], mass / mass.sum())
    # Machines with a radial kernel have no coefficients, a gate with hidden units no slopes.
    assert len(moe.summary()) == 1


def test_summary_of_a_constant_gate_has_its_weights(plane):
    X, y = plane
    blend = MetaPiRegressor(Ridge(), gate="constant").fit(X, y, sources=X.age > 0.0)
    np.testing.assert_allclose(
        blend.summary().loc[("gate", "weight", "weight")], blend.gate_.weights_
    )


def test_summary_of_classes_names_the_class_of_every_equation(plane):
    X, y = plane
    labels = np.array(["high", "low", "middle"])[np.digitize(y, np.quantile(y, [0.4, 0.7]))]
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    blend = MetaPiClassifier(pipe, random_state=0).fit(X, labels)
    parts = list(blend.summary().index.get_level_values("part").unique())
    assert parts == ["mixture", "expert: high", "expert: low", "gate"]
    hard = HardMoEClassifier(2, expert=pipe, max_iter=1, random_state=0).fit(X, labels)
    parts = list(hard.summary().index.get_level_values("part").unique())
    assert parts == ["mixture", "expert: high", "expert: low", "expert: middle"]


# ------------------------------------------------------------------------- cards


@pytest.mark.parametrize(
    ("estimator", "texts"),
    [
        (LINEAR["meta-pi"], ["mean squared error", "StandardScaler, LinearRegression", "income"]),
        (LINEAR["hard"], ["on rows held out, that of round", "size, with a layer of 20 tanh"]),
        (LINEAR["meta-pi, constant"], ["constant gate", "gate converged after 1 step<"]),
    ],
)
def test_cards_of_blends_say_what_was_fitted(plane, estimator, texts):
    html = fitted(estimator, *plane)._repr_html_()
    assert 'class="moe-cards"' in html
    for text in texts:
        assert text in html


def test_cards_of_classes_say_by_which_loss(plane):
    X, y = plane
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    blend = MetaPiClassifier(tree).fit(X, y > 121.0, sources=X.age > 0.0)
    assert "Brier score" in blend._repr_html_()
    hard = HardMoEClassifier(2, expert=tree, max_iter=1, validation_fraction=0.0, random_state=0)
    assert "squared error of tanh(margin)" in hard.fit(X, y > 121.0)._repr_html_()


@pytest.mark.parametrize("estimator", NOT_FITTED)
def test_view_before_fit_has_no_cards(estimator):
    html = estimator._repr_html_()
    assert "moe-cards" not in html
    assert type(estimator).__name__ in html


def test_names_of_sources_are_escaped(plane):
    X, y = plane
    blend = MetaPiRegressor(Ridge()).fit(X, y, sources=np.where(X.age > 0.0, "<i>a</i>", "b"))
    html = blend._repr_html_()
    assert "<i>a" not in html
    assert "&lt;i&gt;a" in html
