"""Separation: closed forms on a line, coefficients that diverge elsewhere, gates of every kind."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic.experts import LogisticExpert, MultinomialExpert
from moe_classic.gates import SoftmaxGate

FEW = {"n_init": 1, "random_state": 0}


def fit(model, X, y, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, **more)


def notes(model):
    """Notes of the summary, empty ones where it has none."""
    table = model.summary()
    return table["note"] if "note" in table else pd.Series("", table.index)


def told(model, part):
    """Terms of a part that are told to be separated."""
    mine = notes(model)[lambda s: s.index.get_level_values("part").str.startswith(part)]
    return {(kind, term) for (_, kind, term), text in mine.items() if "separated" in text}


# ------------------------------------------------------------------------- classes


@pytest.mark.parametrize("alpha", [0.0, 1e-4, 1.0])
@pytest.mark.parametrize("seed", range(12))
def test_classes_on_a_line_are_separated_where_a_threshold_divides_them(seed, alpha):
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=14), 1) * 100.0 + 5.0
    y = (x + [0.0, 60.0, 150.0][seed % 3] * rng.normal(size=14) > 5.0).astype(int)
    if len(set(y)) == 1:
        y[0] = 1 - y[0]
    low, high = x[y == 0], x[y == 1]
    separated = low.max() <= high.min() or high.max() <= low.min()
    model = fit(MoEClassifier(1, expert=LogisticExpert(alpha=alpha)), x[:, None], y)
    assert bool(told(model, "expert")) == separated


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_separated_classes_are_those_whose_coefficients_diverge(seed, classes):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(25, 2))
    score = X @ [1.0, -1.0] + [0.0, 0.5][seed % 2] * rng.normal(size=25)
    y = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))
    sizes = []
    for C in (1e4, 1e8):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            other = LogisticRegression(C=C, max_iter=20_000, tol=1e-10).fit(X, y)
        sizes.append(np.abs(other.coef_).max())
    model = fit(MoEClassifier(1, expert=MultinomialExpert()), X, y)
    assert bool(told(model, "expert")) == (sizes[1] > 1.2 * sizes[0])


def quasi(n=300):
    """Rows whose d is 1 are all of class 1; the others overlap."""
    rng = np.random.default_rng(0)
    d, z = (rng.random(n) < 0.2).astype(float), rng.normal(size=n)
    y = np.where(d == 1.0, 1, rng.random(n) < 1.0 / (1.0 + np.exp(-z))).astype(int)
    return pd.DataFrame({"z": z, "d": d}), y


@pytest.mark.parametrize("alpha", [0.0, 1e-6, 1e-4, 0.1])
def test_quasi_separation_names_the_column_that_does_it(alpha):
    X, y = quasi()
    model = fit(MoEClassifier(1, expert=LogisticExpert(alpha=alpha)), X, y)
    assert told(model, "expert") == {("slope", "d")}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_errors_of_what_is_not_separated_are_those_of_the_rows_that_are_left():
    X, y = quasi()
    model = fit(MoEClassifier(1, expert=LogisticExpert(alpha=1e-9), tol=1e-12), X, y)
    table = model.inference(X, y).table
    assert np.isnan(table.std_error["expert", "expert 1", "slope", "d"])
    assert table.note.str.contains("separated").tolist() == [False, False, True]
    left = (X.d == 0.0).to_numpy()
    rest = fit(
        MoEClassifier(1, expert=LogisticExpert(alpha=1e-9), tol=1e-12), X[["z"]][left], y[left]
    )
    expected = rest.inference(X[["z"]][left], y[left]).table
    both = table.loc[expected.index]
    np.testing.assert_allclose(both.estimate, expected.estimate, rtol=1e-5)
    np.testing.assert_allclose(both.std_error, expected.std_error, rtol=1e-5)


def test_one_class_apart_from_two_that_overlap():
    X, y = load_iris(return_X_y=True)
    model = fit(MoEClassifier(1), X, y)
    # setosa is class 0; the odds of versicolor against virginica are determined.
    assert all("separated" not in text for text in notes(model)["expert: 1"])
    assert all("separated" in text for text in notes(model)["expert: 0"]["slope"])


def test_classes_inside_a_mixture_are_looked_at_expert_by_expert():
    rng = np.random.default_rng(1)
    x = rng.uniform(-1.0, 1.0, (600, 2))
    clear, noisy = x[:, 1] > 0.0, rng.random(600) < 1.0 / (1.0 + np.exp(-x[:, 1]))
    y = np.where(x[:, 0] < 0.0, clear, noisy).astype(int)
    X = x.copy()
    X[:, 0] += np.where(x[:, 0] < 0.0, -3.0, 3.0)
    R = np.column_stack([x[:, 0] < 0.0, x[:, 0] >= 0.0]).astype(float)
    model = fit(MoEClassifier(2, expert=LogisticExpert(features=[1]), init=R), X, y)
    clearest = int(np.argmax([abs(e.coef_[0]) for e in model.experts_]))
    text = notes(model)["expert", "slope", "x1"]
    assert text.endswith(f"(expert {clearest + 1})")
    assert "separated" in text


# ------------------------------------------------------------------------- gates


def switch(n, seed=0, gap=0.0):
    """Two lines that take over from each other at 0; a gap makes the place undetermined."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, n)
    x += gap * np.sign(x)
    y = np.where(x < 0.0, x, 5.0 - x) + 0.1 * rng.normal(size=n)
    return pd.DataFrame({"x": x}), y


@pytest.mark.parametrize("alpha", [0.0, 1e-6, 1e-2])
@pytest.mark.parametrize("n", [40, 400, 30_000])
def test_a_gate_that_switches_is_separated_at_every_size_and_penalty(n, alpha):
    X, y = switch(n)
    model = fit(MoERegressor(2, gate=SoftmaxGate(alpha=alpha), **FEW), X, y)
    assert told(model, "gate") == {("intercept", "intercept"), ("slope", "x")}
    assert told(model, "expert") == set()


@pytest.mark.parametrize("n", [40, 400, 30_000])
def test_one_row_on_the_other_side_is_enough_against_it(n):
    X, y = switch(n)
    X = pd.concat([X, pd.DataFrame({"x": [0.9, -0.9]})])
    y = np.append(y, [0.9, 5.9])
    assert told(fit(MoERegressor(2, **FEW), X, y), "gate") == set()


def test_a_group_that_one_expert_has_to_itself_is_quasi_separated():
    rng = np.random.default_rng(0)
    n = 600
    x, d = rng.normal(size=n), (rng.random(n) < 0.3).astype(float)
    first = (rng.random(n) < 1.0 / (1.0 + np.exp(-x))) | (d == 1.0)
    y = np.where(first, 10.0 + x, -10.0 - x) + 0.1 * rng.normal(size=n)
    X = pd.DataFrame({"x": x, "d": d})
    assert told(fit(MoERegressor(2, **FEW), X, y), "gate") == {("slope", "d")}
    y = np.where(rng.random(n) < 0.5, 10.0 + x, -10.0 - x) + 0.1 * rng.normal(size=n)
    # One start ends on a lower hill.
    model = MoERegressor(2, n_init=4, random_state=0)
    assert told(fit(model, X, y), "gate") == set()


def test_nodes_of_a_tree_are_told_one_by_one():
    rng = np.random.default_rng(0)
    x = rng.uniform(-2.0, 2.0, (900, 2))
    soft = rng.random(900) < 1.0 / (1.0 + np.exp(-2.0 * x[:, 1]))
    y = np.select([x[:, 0] < 0.0, soft], [np.full(900, -20.0), 10.0 + x[:, 1]], 20.0 - x[:, 1])
    y = y + 0.5 * rng.normal(size=900)
    right = x[:, 0] >= 0.0
    R = np.column_stack([right & soft, right & ~soft, ~right])
    model = fit(HierarchicalMoERegressor([[2], 1], init=R.astype(float)), x, y)
    assert told(model, "gate") >= {("slope", "root x0")}
    assert not any("node" in term for _, term in told(model, "gate"))


@pytest.mark.parametrize("seed", range(4))
def test_gates_that_overlap_are_not_separated(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 3))
    first = rng.random(300) < 1.0 / (1.0 + np.exp(-3.0 * X[:, 0]))
    y = np.where(first, 3.0 + X[:, 1], -3.0 - X[:, 2]) + 0.5 * rng.normal(size=300)
    assert (notes(fit(MoERegressor(2, **FEW), X, y)) == "").all()


# ------------------------------------------------------------------------- told


def test_separation_is_told_in_the_view_and_in_inference():
    X, y = switch(200)
    model = fit(MoERegressor(2, **FEW), X, y)
    assert "gate x: separated" in model._repr_html_().replace("gate intercept, ", "")
    with pytest.warns(UserWarning, match="gate expert 1 x.*separated"):
        gate = model.inference(X, y).gate
    assert gate.note.str.contains("separated").all()
    assert gate[["std_error", "z", "p_value", "low", "high"]].isna().all(axis=None)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bootstraps_print_no_errors_of_separated_gates():
    X, y = switch(200)
    model = fit(MoERegressor(2, **FEW), X, y)
    result = model.inference(X, y, kind="bootstrap", n_bootstrap=5, random_state=0)
    assert result.gate.std_error.isna().all()
    assert result.experts.std_error.notna().all()


def test_blocks_batches_and_warm_starts_tell_it_too():
    X, y = switch(400)
    parts = [(X[:200], y[:200]), (X[200:], y[200:])]
    blocks = fit(MoERegressor(2, **FEW), X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        streamed = MoERegressor(2, **FEW).fit_blocks(parts)
        learned = MoERegressor(2, **FEW).partial_fit(X, y)
        again = blocks.set_params(warm_start=True).fit(X, y)
    for model in (streamed, learned, again):
        assert ("slope", "x") in told(model, "gate")


def test_aliased_columns_are_not_called_separated():
    X, y = switch(200)
    wide = X.assign(again=X.x, one=3.0)
    text = notes(fit(MoERegressor(2, **FEW), wide, y))["gate", "slope"]
    assert text["one"] == "the feature is constant"
    assert text["x"] == text["again"]
    assert "aliased" in text["x"]
