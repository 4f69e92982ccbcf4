"""Parameters that exist: ranks by numpy and statsmodels, and the same data without the copies."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic.experts import (
    GaussianExpert,
    PoissonExpert,
    TruncatedExpert,
    ZeroInflatedExpert,
)
from moe_classic.gates import GaussianGate, SoftmaxGate
from moe_classic.inspection import CoefficientDisplay
from moe_classic.model_selection import select

FEW = {"n_init": 1, "max_iter": 100, "random_state": 0}


def rows(n=400, seed=2):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    first = rng.random(n) < 1.0 / (1.0 + np.exp(-2.0 * x[:, 0]))
    y = np.where(first, 2.0 + x @ [1.0, 1.0], -2.0 - x[:, 1]) + 0.5 * rng.normal(size=n)
    return x, y


def widened(x, how):
    """Columns that add nothing, and how many they are."""
    n = len(x)
    group = np.arange(n) % 3
    dummies = (group[:, None] == np.arange(3)).astype(float)
    more = {
        "constant": np.full((n, 1), 7.0),
        "constant far away": np.full((n, 1), 1e9 / 3.0),
        "copy": x[:, :1],
        "other unit": 32.0 + 1.8 * x[:, :1],
        "sum": (x[:, :1] + 3.0 * x[:, 1:]),
        "far sum": 1e7 + x[:, :1] + x[:, 1:],
        "all dummies": dummies,
    }[how]
    return np.column_stack([x, more])


HOW = ["constant", "constant far away", "copy", "other unit", "sum", "far sum"]
every_way = pytest.mark.parametrize("how", HOW)


def fit(model, X, y, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(model).fit(X, y, **more)


@pytest.mark.parametrize("how", [*HOW, "all dummies"])
@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
def test_one_expert_has_as_many_parameters_as_the_design_has_rank(how):
    x, y = rows()
    X = widened(x, how)
    model = MoERegressor(1).fit(X, y)
    ols = sm.OLS(y, np.column_stack([np.ones(len(y)), X / np.abs(X).max(axis=0)])).fit()
    assert model.n_parameters_ == ols.df_model + 1 + 1
    # statsmodels leaves the scale out of its count.
    assert model.bic(X, y) == pytest.approx(ols.bic + np.log(len(y)), rel=1e-9)


MODELS = {
    "softmax": MoERegressor(2, **FEW),
    "student_t": MoERegressor(2, expert="student_t", **FEW),
    "full": MoERegressor(2, gate=GaussianGate(covariance_type="full"), **FEW),
    "tied": MoERegressor(2, gate=GaussianGate(covariance_type="tied"), **FEW),
    "constant gate": MoERegressor(2, gate="constant", **FEW),
    "tree": HierarchicalMoERegressor((2, 2), **FEW),
    "estimators": MoERegressor(2, expert=LinearRegression(), **FEW),
    "classes": MoEClassifier(2, **FEW),
}


@cache
def narrow(name):
    """Parameters without columns that add nothing."""
    x, y = rows(200)
    return fit(
        MODELS[name], x, np.digitize(y, [-1.0, 1.0]) if name == "classes" else y
    ).n_parameters_


@every_way
@pytest.mark.parametrize("name", MODELS)
def test_columns_that_add_nothing_add_no_parameters(name, how):
    x, y = rows(200)
    target = np.digitize(y, [-1.0, 1.0]) if name == "classes" else y
    assert fit(MODELS[name], widened(x, how), target).n_parameters_ == narrow(name)


def test_variances_of_their_own_do_not_feel_copies():
    x, y = rows()
    model = MoERegressor(2, gate=GaussianGate(covariance_type="diag"), **FEW)
    plain, still, copied = (
        fit(model, X, y).n_parameters_ for X in (x, widened(x, "constant"), widened(x, "copy"))
    )
    assert still == plain
    # Each of two experts has one more mean and one more variance; slopes are none.
    assert copied == plain + 4


def test_each_component_counts_its_own_design():
    x, y = rows()
    X = widened(x, "copy")
    gate, expert = SoftmaxGate(features=[0, 2]), GaussianExpert(features=[0, 1])
    model = fit(MoERegressor(2, gate=gate, expert=expert, **FEW), X, y)
    assert model.n_parameters_ == 2 + 2 * (3 + 1)
    model = fit(MoERegressor(2, gate=SoftmaxGate(features=[1]), **FEW), X, y)
    assert model.n_parameters_ == 2 + 2 * (3 + 1)


def test_nearly_dependent_columns_are_parameters():
    x, y = rows()
    rng = np.random.default_rng(0)
    X = np.column_stack([x, x[:, 0] + 1e-6 * rng.normal(size=len(y))])
    assert MoERegressor(1).fit(X, y).n_parameters_ == 4 + 1
    z = np.linspace(-9.0, -3.0, 80)
    powers = np.column_stack([z**j for j in range(1, 11)])
    wave = np.sin(z) + 0.1 * rng.normal(size=80)
    assert fit(MoERegressor(1), powers, wave).n_parameters_ == 11 + 1


def test_fewer_rows_than_columns_have_no_more_parameters_than_rows():
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MoERegressor(1).fit(rng.normal(size=(5, 9)), rng.normal(size=5))
    assert model.n_parameters_ == 5 + 1


def test_blocks_and_batches_count_like_a_fit():
    x, y = rows()
    X = widened(x, "sum")
    whole = fit(MoERegressor(2, **FEW), X, y)
    halves = [(X[:150], y[:150]), (X[150:], y[150:])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        blocks = MoERegressor(2, **FEW).fit_blocks(halves)
        batches = MoERegressor(2, **FEW)
        for part in halves:
            batches.partial_fit(*part)
        again = whole.set_params(warm_start=True).fit(X, y)
    assert blocks.n_parameters_ == whole.n_parameters_ == batches.n_parameters_ == 11
    assert again.n_parameters_ == 11


def test_selection_does_not_change_for_a_constant_column():
    rng = np.random.default_rng(5)
    x = rng.uniform(-2.0, 2.0, (120, 1))
    y = np.abs(x[:, 0]) * 1.2 + 0.7 * rng.normal(size=120)
    template = MoERegressor(n_init=2, random_state=0)
    plain = select(x, y, estimator=template, n_experts=[1, 2, 3])
    wide = np.column_stack([x, np.full(120, 3.0)])
    still = select(wide, y, estimator=template, n_experts=[1, 2, 3])
    np.testing.assert_allclose(still.table.bic, plain.table.bic, rtol=1e-5)
    assert still.best_params_["n_experts"] == plain.best_params_["n_experts"]


def test_trees_grow_as_without_a_constant_column():
    x, y = rows(300)
    plain = fit(HierarchicalMoERegressor("grow", **FEW), x, y)
    still = fit(HierarchicalMoERegressor("grow", **FEW), widened(x, "constant"), y)
    assert still.n_parameters_ == plain.n_parameters_
    np.testing.assert_allclose(still.growth_.score, plain.growth_.score, rtol=1e-9)


# ------------------------------------------------------------------------- told in tables


@pytest.fixture(scope="module")
def copied():
    x, y = rows()
    X = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "a again": x[:, 0], "one": 1.0})
    return fit(MoERegressor(2, n_init=1, random_state=0, tol=1e-12), X, y), X, y


def test_summary_and_view_mark_what_is_not_determined(copied):
    model, _, _ = copied
    note = model.summary()["note"]
    for part in ("expert", "gate"):
        assert note[part, "slope", "a"] == note[part, "slope", "a again"]
        assert note[part, "slope", "a"].startswith("aliased")
        assert note[part, "slope", "one"] == "the feature is constant"
        assert note[part, "slope", "b"] == note[part, "intercept", "intercept"] == ""
    html = model._repr_html_()
    assert "expert a, expert a again: aliased" in html
    assert "note" not in MoERegressor(1).fit(*rows()).summary()


def test_intercepts_are_marked_where_columns_determine_them():
    x, y = rows()
    model = MoERegressor(1).fit(widened(x, "all dummies"), y)
    note = model.summary()["note"]
    assert note["expert", "intercept", "intercept"].startswith("aliased")
    assert (note["expert"]["slope"].str.startswith("aliased")).tolist() == [False] * 2 + [True] * 3


def test_unlike_experts_are_named():
    x, y = rows()
    X = widened(x, "copy")
    experts = [("all", GaussianExpert()), ("two", GaussianExpert(features=[0, 1]))]
    note = fit(MoERegressor(2, expert=experts, **FEW), X, y).summary()["note"]
    assert note["expert", "slope", "x0"].endswith("(all)")
    assert note["expert", "slope", "x1"] == ""


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["observed", "sandwich", "bootstrap"])
def test_errors_of_aliased_terms_are_missing_and_others_those_without_copies(copied, kind):
    model, X, y = copied
    extra = {"n_bootstrap": 3, "random_state": 0} if kind == "bootstrap" else {}
    result = model.inference(X, y, kind=kind, **extra)
    aliased = result.table.index.get_level_values("term").isin(["a", "a again", "one"])
    assert result.table.std_error[aliased].isna().all()
    assert result.table.note[aliased].str.contains("aliased|constant").all()
    assert np.isfinite(result.table.std_error[~aliased]).all()
    if kind != "bootstrap":
        plain = fit(MoERegressor(2, n_init=1, random_state=0, tol=1e-12), X[["a", "b"]], y)
        expected = plain.inference(X[["a", "b"]], y, kind=kind).table
        # The gate's small penalty is on more columns.
        both = result.table[~aliased].std_error
        np.testing.assert_allclose(both, expected.std_error[both.index], rtol=1e-3)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_sums_of_aliased_slopes_have_the_errors_of_the_one_slope(copied):
    model, X, y = copied
    label = ("expert", "expert 1", "slope")
    found = model.inference(X, y).delta(lambda t: t[(*label, "a")] + t[(*label, "a again")])
    plain = fit(MoERegressor(2, n_init=1, random_state=0, tol=1e-12), X[["a", "b"]], y)
    row = plain.inference(X[["a", "b"]], y).table.loc[(*label, "a")]
    assert found.estimate[0] == pytest.approx(row.estimate, rel=1e-4)
    assert found.std_error[0] == pytest.approx(row.std_error, rel=1e-3)
    alone = model.inference(X, y).delta(lambda t: t[(*label, "a")])
    assert alone.std_error.isna().all()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_displays_mark_aliased_terms(copied):
    model, X, y = copied
    display = CoefficientDisplay.from_estimator(model, X, y)
    names = list(dict.fromkeys(display.table.term))
    assert names == ["a (aliased)", "b", "a again (aliased)", "one"]


def counted(expert, X, y):
    return fit(MoERegressor(1, expert=expert), X, y)


@pytest.mark.parametrize("added", ["constant", "feature", "sum"])
def test_columns_without_coefficients_determine_none(added):
    x, _ = rows()
    offset = {"constant": np.zeros(len(x)), "feature": x[:, 0], "sum": x @ [1.0, -2.0]}[added]
    y = np.random.default_rng(0).poisson(np.exp(0.5 + 0.5 * x[:, 0]))
    moe = counted(PoissonExpert(alpha=0.0, offset=2), np.column_stack([x, offset]), y)
    known = sm.GLM(y, sm.add_constant(x), family=sm.families.Poisson(), offset=offset).fit()
    assert moe.n_parameters_ == known.params.size
    np.testing.assert_allclose(moe.experts_[0].coef_, known.params[1:], atol=1e-6)
    table = moe.summary()
    assert "note" not in table or (table.loc["expert", "note"] == "").all()


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_constant_column_beside_an_offset_is_told_and_not_counted(wrapped):
    x, _ = rows()
    offset = np.random.default_rng(1).normal(size=len(x))
    y = np.random.default_rng(0).poisson(np.exp(0.5 + 0.5 * x[:, 0]))
    expert = PoissonExpert(offset=2)
    expert = TruncatedExpert(expert, high=float(y.max())) if wrapped else expert
    moe = counted(expert, np.column_stack([x, offset, np.full(len(x), 7.0)]), y)
    assert moe.n_parameters_ == 3
    notes = moe.summary().loc["expert", "note"]
    assert notes["slope", "x3"] == "the feature is constant"
    assert (notes.drop(("slope", "x3")) == "").all()


def test_a_logit_of_zeros_has_no_parameters_for_what_it_does_not_see():
    x, _ = rows()
    rng = np.random.default_rng(0)
    y = rng.poisson(np.exp(0.5 + 0.5 * x[:, 0])) * (rng.random(len(x)) < 0.7)
    X = np.column_stack([x, np.ones(len(x))])
    counts = [
        counted(ZeroInflatedExpert(PoissonExpert(), features=some), X, y).n_parameters_
        for some in (None, [], [0], [2])
    ]
    assert counts == [3 + 3, 3 + 1, 3 + 2, 3 + 1]
