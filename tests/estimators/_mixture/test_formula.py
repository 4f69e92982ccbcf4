"""Mixtures from formulas."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import Ridge

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.estimators._mixture.formula import Formula, cut
from moe_classic.experts import GaussianExpert, PoissonExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.preprocessing import UnseenLevelWarning

pytest.importorskip("formulaic", reason="needs the extra formula")

QUICK = {"n_init": 2, "random_state": 0}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 300
    out = pd.DataFrame(
        {
            "x": rng.uniform(0.0, 5.0, n),
            "treatment": rng.choice(["drug", "placebo"], n),
            "age": rng.integers(20, 80, n),
            "sex": rng.choice(["f", "m"], n),
            "days": rng.uniform(0.5, 2.0, n),
        }
    )
    old = rng.random(n) < 1.0 / (1.0 + np.exp(-(out.age - 50.0) / 8.0))
    mean = np.where(old, 1.0 + 2.0 * out.x * (out.treatment == "drug"), 5.0 - out.x)
    out["y"] = mean + 0.3 * rng.standard_normal(n)
    out["n"] = rng.poisson(out.days * np.exp(np.where(old, 0.3 * out.x, 1.5 - 0.4 * out.x)))
    out["said"] = np.where(out.y > 3.0, "high", "low")
    return out


@pytest.fixture(scope="module")
def moe(table):
    return MoERegressor.from_formula("y ~ x * treatment | age + sex", table, n_experts=2, **QUICK)


def test_experts_see_what_is_left_of_the_bar_and_the_gate_the_rest(table, moe):
    placebo = table.treatment == "placebo"
    by_hand = pd.DataFrame({"x": table.x, "p": placebo.astype(float)})
    by_hand["xp"] = by_hand.x * by_hand.p
    by_hand["age"], by_hand["m"] = table.age.astype(float), (table.sex == "m").astype(float)
    expert = GaussianExpert(features=["x", "p", "xp"])
    gate = SoftmaxGate(features=["age", "m"])
    plain = MoERegressor(2, expert=expert, gate=gate, **QUICK).fit(by_hand, table.y)
    assert_allclose(moe.predict(table), plain.predict(by_hand), atol=1e-5)
    assert moe.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=1e-4)
    summary = moe.summary()
    experts = summary.loc[("expert", "slope")].index.tolist()
    assert experts == ["x", "treatment[T.placebo]", "x:treatment[T.placebo]"]
    assert summary.loc[("gate", "slope")].index.tolist() == ["age", "sex[T.m]"]
    found = moe.inference(table, table.y).table.index.get_level_values("term")
    assert {"x:treatment[T.placebo]", "sex[T.m]"} <= set(found)
    assert "treatment[T.placebo]" in moe.explain(table[:1])["equation"].iloc[0]


def test_predictions_take_tables_that_have_the_variables(table, moe):
    expected = moe.predict(table)
    assert moe.variables_ == ["x", "treatment", "age", "sex"]
    assert moe.formula_ == "y ~ x * treatment | age + sex"
    assert_allclose(moe.predict(table[["sex", "age", "treatment", "x"]]), expected)
    assert_allclose(pickle.loads(pickle.dumps(moe)).predict(table), expected)
    X = table[moe.variables_]
    assert_allclose(clone(moe).fit(X, table.y).predict(X), expected)
    for answer in (moe.predict, moe.gate_proba, moe.predict_interval):
        with pytest.raises(ValueError, match=r"X lacks \['age'\], which the formula 'y ~ x"):
            answer(table.drop(columns="age"))
    with pytest.warns(UnseenLevelWarning, match="'sex'"):
        moe.predict(table.assign(sex="d"))


def test_tables_of_polars(table, moe):
    pl = pytest.importorskip("polars")
    theirs = pl.DataFrame({name: table[name].to_list() for name in table})
    assert_allclose(moe.predict(theirs), moe.predict(table))
    again = MoERegressor.from_formula(moe.formula_, theirs, n_experts=2, **QUICK)
    assert_allclose(again.predict(table), moe.predict(table))


def test_one_expert_is_the_regression_of_statsmodels(table):
    smf = pytest.importorskip("statsmodels.formula.api")
    formula = "y ~ x * C(treatment) + I(x**2)"
    theirs = smf.ols(formula, table).fit()
    ours = MoERegressor.from_formula(formula, table, n_experts=1, **QUICK)
    slopes = ours.summary()["expert 1"].loc[("expert", "slope")]
    names = dict(zip(theirs.params.index, theirs.params.index.str.replace(" ", ""), strict=True))
    for name, short in names.items():
        if name != "Intercept":
            place = [t for t in slopes.index if t.replace(" ", "") == short]
            assert slopes[place[0]] == pytest.approx(theirs.params[name], abs=1e-8)
    assert ours.log_likelihood_ == pytest.approx(theirs.llf, abs=1e-8)


def test_offsets_are_those_of_statsmodels(table):
    smf = pytest.importorskip("statsmodels.formula.api")
    sm = pytest.importorskip("statsmodels.api")
    theirs = smf.glm("n ~ x", table, family=sm.families.Poisson(), exposure=table.days).fit()
    options = {"n_experts": 1, "expert": "poisson", **QUICK}
    ours = MoERegressor.from_formula("n ~ x + offset(log(days))", table, **options)
    assert ours.log_likelihood_ == pytest.approx(theirs.llf, abs=1e-6)
    shifted = table.assign(shift=np.log(table.days))
    same = MoERegressor.from_formula("n ~ offset(shift) + x", shifted, **options)
    assert_allclose(same.predict(shifted), ours.predict(table), rtol=1e-8)
    assert ours.variables_ == ["x", "days"]


def test_proportions_may_be_the_same_everywhere(table):
    one = MoERegressor.from_formula("y ~ x | 1", table, n_experts=2, **QUICK)
    two = MoERegressor.from_formula("y ~ x", table, n_experts=2, gate="constant", **QUICK)
    assert np.ptp(one.gate_proba(table), axis=0).max() == 0.0
    assert one.log_likelihood_ == pytest.approx(two.log_likelihood_, abs=1e-3)


def test_without_a_bar_the_gate_sees_what_experts_see(table):
    found = MoERegressor.from_formula("y ~ x", table, n_experts=2, **QUICK)
    expected = MoERegressor(2, **QUICK).fit(table[["x"]], table.y)
    assert_allclose(found.predict(table), expected.predict(table[["x"]]), atol=1e-6)
    assert found.gate.features is found.expert.features


@pytest.mark.parametrize(
    ("formula", "params"),
    [
        ("y ~ bs(x, df=4) + C(sex) | age", {}),
        ("np.log(y + 10) ~ x | age", {}),
        ("y ~ . - n - said | center(age)", {}),
        ("y + n ~ x | age", {}),
        ("y ~ x | age", {"gate": "gaussian"}),
        ("y ~ x | age", {"expert": ["gaussian", "laplace"]}),
        ("y ~ x * treatment | age", {"expert": Ridge()}),
        ("y ~ x | age", {"sample_weight": "days"}),
    ],
)
def test_what_formulas_may_say(table, formula, params):
    moe = MoERegressor.from_formula(formula, table, n_experts=2, **QUICK, **params)
    assert np.isfinite(moe.predict(table)).all()


def test_weights_are_a_column_or_values(table):
    one = MoERegressor.from_formula("y ~ x", table, sample_weight="days", **QUICK)
    two = MoERegressor.from_formula("y ~ x", table, sample_weight=table.days.to_numpy(), **QUICK)
    assert_allclose(one.predict(table), two.predict(table))


def test_classes(table):
    moe = MoEClassifier.from_formula("said ~ x * treatment | age", table, n_experts=2, **QUICK)
    assert moe.classes_.tolist() == ["high", "low"]
    assert moe.score(table, table.said) > 0.8
    assert moe.gate.alpha == 1e-4  # as by name


@pytest.mark.parametrize(
    ("formula", "params", "kind", "words"),
    [
        ("x | age", {}, ValueError, "one tilde"),
        ("y ~ x ~ age", {}, ValueError, "one tilde"),
        (3, {}, ValueError, "must be a string"),
        ("y ~ x | age | sex", {}, ValueError, "at most one bar"),
        ("y ~ x |", {}, ValueError, "at most one bar"),
        ("~ x", {}, ValueError, "must have a target"),
        ("z ~ x", {}, ValueError, r"names \['z'\], which the data do not have"),
        ("y ~ height", {}, ValueError, r"names \['height'\]"),
        ("y ~ x | height", {}, ValueError, r"names \['height'\]"),
        ("y ~ 1", {}, ValueError, "names no column"),
        ("y ~ x - 1", {}, ValueError, "intercept"),
        ("y ~ x + offset(days)", {}, ValueError, "has no offset"),
        ("n ~ x + offset(days**2)", {"expert": "poisson"}, ValueError, "name one column"),
        ("n ~ x + offset(height)", {"expert": "poisson"}, ValueError, r"names \['height'\]"),
        ("n ~ x | offset(days)", {"expert": "poisson"}, ValueError, "belongs to the experts"),
        ("n ~ x * offset(days)", {"expert": "poisson"}, ValueError, "must be added"),
        ("y ~ x | age", {"gate": "constant"}, ValueError, "no meaning"),
        ("y ~ x", {"expert": GaussianExpert(features=["x"])}, ValueError, "give one of them"),
        ("y ~ x", {"sample_weight": "height"}, ValueError, "'height' is not a column"),
    ],
)
def test_formulas_that_cannot_be_used_say_why(table, formula, params, kind, words):
    with pytest.raises(kind, match=words):
        MoERegressor.from_formula(formula, table, **QUICK, **params)


def test_data_are_a_table(table):
    with pytest.raises(TypeError, match="table with named columns"):
        MoERegressor.from_formula("y ~ x", table.to_numpy())


def test_groups_go_to_fits_that_take_them(table, monkeypatch):
    seen = {}

    def fit(self, X, y, sample_weight=None, *, groups=None):
        seen["groups"] = groups
        return self

    monkeypatch.setattr(MoERegressor, "fit", fit)
    MoERegressor.from_formula("y ~ x", table, groups="sex")
    assert seen["groups"].tolist() == table.sex.tolist()
    monkeypatch.setattr(MoERegressor, "fit", lambda self, X, y, sample_weight=None: self)
    with pytest.raises(TypeError, match="takes no groups"):
        MoERegressor.from_formula("y ~ x", table, groups="sex")


def test_parts_are_cut_outside_parentheses_and_quotes():
    assert cut("x + f(a | b) | `c | d`", "|") == ["x + f(a | b) ", " `c | d`"]
    read = Formula.read("y ~ . + offset(log(`my n`)) | z", ["y", "z", "my n"])
    assert read.carried == {"exposure": "my n"}
    assert read.experts == "(`z` + `my n`)"
    assert PoissonExpert(**read.carried).exposure == "my n"
