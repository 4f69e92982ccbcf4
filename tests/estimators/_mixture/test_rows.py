"""Rows of tables with categories, text, dates and missing values, in every estimator."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags

from moe_classic import (
    HardMoERegressor,
    HierarchicalMoERegressor,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
    SparseMoERegressor,
)
from moe_classic.experts import (
    CensoredExpert,
    EstimatorExpert,
    GaussianExpert,
    PoissonExpert,
    ZeroInflatedExpert,
)
from moe_classic.gates import EstimatorGate, SoftmaxGate
from moe_classic.model_selection import select
from moe_classic.preprocessing import TableEncoder, UnseenLevelWarning

QUICK = {"n_init": 2, "random_state": 0, "tol": 1e-5}
COLUMNS = ["x", "city", "grade", "count", "flag"]
ONE_HOT = make_column_transformer(
    (OneHotEncoder(drop="first"), ["city", "grade"]), remainder="passthrough"
)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    n = 240
    table = pd.DataFrame(
        {
            "x": rng.uniform(-2.0, 2.0, n),
            "city": rng.choice(["Rome", "Oslo", "Bern"], n),
            "grade": pd.Categorical(rng.choice(["low", "high"], n), ["low", "high"]),
            "count": pd.array(rng.integers(0, 5, n), dtype="Int64"),
            "flag": rng.random(n) < 0.5,
        }
    )
    member = rng.random(n) < expit(2.0 * table.x)
    mean = np.where(~member, 2.0 * table.x + 3.0 * (table.city == "Rome"), table.flag - table.x)
    return table, mean + 0.2 * rng.standard_normal(n)


def dummies(table):
    """The same by hand: columns of numbers only."""
    out = table[["x"]].copy()
    out["city[Oslo]"], out["city[Rome]"] = table.city == "Oslo", table.city == "Rome"
    out["grade[high]"] = table.grade == "high"
    return out.assign(count=table["count"], flag=table["flag"]).astype(float)


def test_levels_are_columns_of_zeros_and_ones(data):
    table, y = data
    moe = MoERegressor(2, **QUICK).fit(table, y)
    plain = MoERegressor(2, **QUICK).fit(dummies(table), y)
    assert moe.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=1e-3)
    np.testing.assert_allclose(moe.predict(table), plain.predict(dummies(table)), atol=1e-4)
    terms = moe.summary().loc["expert"].loc["slope"].index.tolist()
    assert terms == list(dummies(table))
    assert moe.feature_names_in_.tolist() == COLUMNS
    tested = moe.inference(table, y).gate.index.get_level_values("term")
    assert "city[Rome]" in tested
    assert "city[Rome]" in moe.explain(table[:1])["equation"].iloc[0]


def test_rows_and_columns_come_in_any_order(data):
    table, y = data
    moe = MoERegressor(2, **QUICK).fit(table, y)
    order = np.random.default_rng(1).permutation(len(y))
    other = MoERegressor(2, **QUICK).fit(table.iloc[order], y[order])
    assert np.array_equal(moe.predict(table.iloc[:, ::-1]), moe.predict(table))
    np.testing.assert_allclose(other.predict(table), moe.predict(table), atol=1e-10)
    doubled = MoERegressor(2, **QUICK).fit(pd.concat([table, table]), np.r_[y, y])
    weighted = MoERegressor(2, **QUICK).fit(table, y, np.full(len(y), 2.0))
    np.testing.assert_allclose(doubled.predict(table), weighted.predict(table), atol=1e-10)


def test_tables_of_polars(data):
    pl = pytest.importorskip("polars")
    table, y = data
    theirs = pl.DataFrame({name: table[name].to_list() for name in table})
    ours = table.assign(grade=table.grade.astype(str))
    moe = MoERegressor(2, **QUICK).fit(theirs, y)
    expected = MoERegressor(2, **QUICK).fit(ours, y).predict(ours)
    assert np.array_equal(moe.predict(theirs), expected)
    numbers = theirs.select("x", "count", "flag")
    moe = MoERegressor(2, **QUICK).fit(numbers, y)
    assert moe.feature_names_in_.tolist() == ["x", "count", "flag"]


def test_what_nobody_selects_is_not_looked_at(data):
    table, y = data
    messy = table.assign(
        parts=[[i] for i in range(len(y))], day=pd.Timestamp("2020-01-01"), gap=np.nan
    )

    def model(columns):
        parts = {"expert": GaussianExpert(features=columns), "gate": SoftmaxGate(features=columns)}
        return MoERegressor(2, **parts, **QUICK)

    moe = model(["x", "city"]).fit(messy, y)
    alone = model(None).fit(table[["x", "city"]], y)
    assert moe.log_likelihood_ == pytest.approx(alone.log_likelihood_, abs=1e-3)
    changed = messy.assign(parts=0.0, day="never", gap=np.nan)
    assert np.array_equal(moe.predict(changed), moe.predict(messy))


@pytest.mark.parametrize(
    ("extra", "kind", "words"),
    [
        ({"day": pd.Timestamp("2020-01-01")}, TypeError, "SoftmaxGate: column 'day' holds date"),
        ({"gap": np.nan}, ValueError, r"NaN.*'gap' \(240 rows\).*SimpleImputer"),
        ({"id": [f"p{i}" for i in range(240)]}, ValueError, "'id' has 240 different values"),
    ],
)
def test_what_own_components_cannot_take_is_named(data, extra, kind, words):
    table, y = data
    with pytest.raises(kind, match=words):
        MoERegressor(2, **QUICK).fit(table.assign(**extra), y)


def test_a_column_that_stands_in_the_equation_holds_numbers(data):
    table, y = data
    moe = MoERegressor(2, expert=PoissonExpert(offset="city"), **QUICK)
    with pytest.raises(ValueError, match="'city' must hold numbers"):
        moe.fit(table, np.abs(y).round())


def test_unseen_levels_are_told_or_refused(data):
    table, y = data
    moe = MoERegressor(2, **QUICK).fit(table, y)
    new = table.assign(city="Kyiv")
    with pytest.warns(UnseenLevelWarning, match="'city'"):
        found = moe.predict(new)
    assert np.array_equal(found, moe.predict(table.assign(city="Bern")))
    strict = TableEncoder(handle_unknown="error")
    moe = MoERegressor(2, expert=GaussianExpert(features=strict), gate="constant", **QUICK)
    moe.fit(table, y)
    with pytest.raises(ValueError, match="'Kyiv'"):
        moe.predict(new)


def test_transformers_and_estimators_see_the_table_as_it_came(data):
    table, y = data
    notes = [f"{'good' if v > 0.0 else 'bad'} {i}" for i, v in enumerate(table.x)]
    text = table[["x"]].assign(note=notes)
    words = make_column_transformer(
        (CountVectorizer(vocabulary=["bad", "good"]), "note"), ("passthrough", ["x"])
    )
    parts = {"expert": GaussianExpert(features=words), "gate": SoftmaxGate(features=["x"])}
    moe = MoERegressor(2, **parts, **QUICK).fit(text, y)
    # Texts that the fit did not see are read as any others.
    good, bad = (moe.predict(text.assign(note=f"{word} new")) for word in ("good", "bad"))
    assert np.abs(good - bad).max() > 1e-3

    options = {"gate": "constant", "n_init": 1, "random_state": 0, "tol": 1e-3}
    piped = MoERegressor(2, expert=make_pipeline(ONE_HOT, Ridge(1e-6)), **options)
    by_hand = MoERegressor(2, expert=EstimatorExpert(Ridge(1e-6)), **options)
    piped.fit(table, y)
    by_hand.fit(dummies(table), y)
    np.testing.assert_allclose(piped.predict(table), by_hand.predict(dummies(table)), atol=1e-3)


def test_an_estimator_that_takes_no_levels_says_so(data):
    table, y = data
    with pytest.raises(ValueError, match=r"could not convert.*TableEncoder\(\)"):
        MoERegressor(2, expert=Ridge(), gate="constant", **QUICK).fit(table, y)


def test_missing_values_go_to_whom_they_do_no_harm(data):
    table, y = data
    gaps = table[["x", "flag", "count"]].assign(x=table.x.where(table.x > -1.5), idle="text")
    tree = EstimatorExpert(DecisionTreeRegressor(max_depth=2), features=["x", "flag"])
    gate = SoftmaxGate(features=["flag", "count"])
    moe = MoERegressor(2, expert=tree, gate=gate, **QUICK).fit(gaps, y)
    assert np.isfinite(moe.predict(gaps)).all()
    with pytest.raises(ValueError, match=r"'flag' \(240 rows\).*SoftmaxGate"):
        moe.predict(gaps.assign(flag=np.nan))
    with pytest.raises(ValueError, match=r"NaN.*'x' \(\d+ rows\).*GaussianExpert"):
        MoERegressor(2, expert=GaussianExpert(features=["x"]), gate=gate, **QUICK).fit(gaps, y)


def test_missing_values_of_arrays(data):
    table, y = data
    X = table[["x", "flag"]].to_numpy(dtype=float)
    gaps = np.where(X < -1.5, np.nan, X)
    filled = GaussianExpert(features=SimpleImputer())
    moe = MoERegressor(2, expert=filled, gate="constant", **QUICK).fit(gaps, y)
    means = np.where(np.isnan(gaps), np.nanmean(gaps, axis=0), gaps)
    by_hand = MoERegressor(2, gate="constant", **QUICK).fit(means, y)
    np.testing.assert_allclose(moe.predict(gaps), by_hand.predict(means), atol=1e-6)
    tree = DecisionTreeRegressor(max_depth=2)
    moe = MoERegressor(2, expert=tree, gate="constant", **QUICK)
    # Whether missing values are taken does not depend on whether there were some in the fit.
    assert np.isfinite(moe.fit(X, y).predict(gaps)).all()
    with pytest.raises(ValueError, match=r"NaN.*'x0' \(\d+ rows\)"):
        MoERegressor(2, **QUICK).fit(X, y).predict(gaps)
    scaled = GaussianExpert(features=StandardScaler())
    with pytest.raises(ValueError, match="gave NaN"):
        MoERegressor(2, expert=scaled, gate="constant", **QUICK).fit(gaps, y)
    with pytest.raises(ValueError, match="infinity"):
        moe.predict(np.where(np.isnan(gaps), np.inf, gaps))


def test_tags_tell_what_a_model_takes():
    def tags(**parts):
        said = get_tags(MoERegressor(**parts)).input_tags
        return said.allow_nan, said.categorical

    boosted = HistGradientBoostingRegressor()
    assert tags() == (False, True)
    assert tags(expert=boosted) == (False, False)
    assert tags(expert=boosted, gate="constant") == (True, False)
    assert tags(expert=boosted, gate=HistGradientBoostingClassifier()) == (True, False)
    assert tags(expert=GaussianExpert(features=SimpleImputer()), gate="constant")[0]
    assert not tags(expert=GaussianExpert(features=StandardScaler()), gate="constant")[0]
    assert tags(expert=DummyRegressor(), gate=LogisticRegression()) == (False, False)
    assert get_tags(HierarchicalMoERegressor("nonsense")).input_tags.categorical


def test_every_way_of_fitting_takes_a_table(data):
    table, y = data
    whole = MoERegressor(2, **QUICK).fit(table, y)
    parts = [(table[i::3], y[i::3]) for i in range(3)]
    blocks = MoERegressor(2, **QUICK).fit_blocks(parts)
    assert blocks.log_likelihood_ == pytest.approx(whole.log_likelihood_, abs=0.05)
    online = MoERegressor(2, **QUICK)
    for X, target in parts:
        online.partial_fit(X, target)
    assert online.score(table, y) > 0.6
    assert np.isfinite(cross_val_predict(MoERegressor(2, **QUICK), table, y, cv=3)).all()
    table_of = select(table, y, estimator=MoERegressor(**QUICK), n_experts=[1, 2]).table
    assert len(table_of) == 2
    moe = MoERegressor(2, **QUICK, warm_start=True).fit(table, y)
    assert moe.fit(table, y).log_likelihood_ == pytest.approx(whole.log_likelihood_, abs=1e-3)
    assert len(whole.inference(table, y, kind="bootstrap", n_bootstrap=3, random_state=0).experts)


@pytest.mark.parametrize(
    "model",
    [
        HierarchicalMoERegressor((2,), **QUICK),
        SparseMoERegressor(2, max_iter=2, random_state=0),
        HardMoERegressor(2, expert=make_pipeline(ONE_HOT, Ridge()), max_iter=2, random_state=0),
        MetaPiRegressor(make_pipeline(ONE_HOT, Ridge()), gate_features=["x", "city"]),
        MetaPiRegressor(make_pipeline(ONE_HOT, Ridge()), joint=True, max_iter=500),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_estimator_takes_a_table(data, model):
    table, y = data
    moe = model.fit(table, y)
    answers = moe.predict(table)
    assert np.isfinite(answers).all()
    assert np.array_equal(moe.predict(table.iloc[:, ::-1]), answers)
    assert moe.feature_names_in_.tolist() == COLUMNS
    assert moe.gate_proba(table).shape[0] == len(y)


def test_classes_of_a_table(data):
    table, y = data
    said = np.where(y > 0.0, "yes", "no")
    moe = MoEClassifier(2, **QUICK).fit(table, said)
    assert moe.score(table, said) > 0.85


def test_a_router_that_hashes_needs_numbers(data):
    from moe_classic.routers import HashRouter

    table, y = data
    router = HashRouter(features=["city"])
    with pytest.raises(ValueError, match="hashes numbers"):
        SparseMoERegressor(2, router=router, max_iter=1).fit(table, y)


# ------------------------------------------------------------------------- beside groups and ends


def table_of_visits(n=240):
    """A table with levels that are constant within groups and levels that are not."""
    rng = np.random.default_rng(0)
    member = np.repeat(np.arange(n // 4), 4)
    table = pd.DataFrame({"t": rng.normal(size=n), "sex": np.array(["f", "m"])[member % 2]})
    table["city"] = np.array(["A", "B", "C"])[rng.integers(3, size=n)]
    y = np.where(table.sex == "m", 2.0, -1.0) * table.t + 0.3 * rng.normal(size=n)
    return table, y.to_numpy(), member


def test_gates_of_groups_see_means_of_levels():
    table, y, member = table_of_visits()
    moe = MoERegressor(2, random_state=0, tol=1e-10).fit(table, y, groups=member)
    assert moe.gate_.feature_names_ == ("mean(t)", "sex[m]", "mean(city[B])", "mean(city[C])")
    dummies = pd.get_dummies(table, drop_first=True, dtype=float)
    plain = MoERegressor(2, random_state=0, tol=1e-10).fit(dummies, y, groups=member)
    assert moe.log_likelihood_ == pytest.approx(plain.log_likelihood_, rel=1e-8)


def test_an_estimator_as_gate_is_refused_levels_that_vary_within_a_group():
    table, y, member = table_of_visits()
    gate = EstimatorGate(DecisionTreeClassifier(max_depth=2))
    with pytest.raises(ValueError, match="'city' varies within a group"):
        MoERegressor(2, gate=gate).fit(table, y, groups=member)


def test_ends_of_intervals_stand_beside_gaps_that_nobody_sees():
    table, y, _ = table_of_visits()
    ends = np.column_stack([np.where(y < -1.0, -np.inf, y), np.maximum(y, -1.0)])
    expert = CensoredExpert(GaussianExpert(features=["t"]))
    gate = SoftmaxGate(features=["t"])
    gaps = table.assign(u=np.where(y > 0.0, np.nan, 1.0))
    moe = MoERegressor(2, expert=expert, gate=gate, random_state=0, tol=1e-10)
    without = moe.fit(table, ends).log_likelihood_
    assert moe.fit(gaps, ends).log_likelihood_ == pytest.approx(without, rel=1e-8)


def test_a_later_block_with_gaps_is_refused_by_the_column():
    table, y, _ = table_of_visits()
    rows = table[["t"]].assign(u=1.0 * (table.sex == "m"))
    later = rows[100:].assign(u=np.nan)
    blocks = [(rows[:100], y[:100]), (later, y[100:])]
    with pytest.raises(ValueError, match="missing values in 'u'"):
        MoERegressor(2, gate=SoftmaxGate(features=["t"])).fit_blocks(blocks)


def test_extra_zeros_depend_on_numbers_of_a_table_with_levels():
    table, y, _ = table_of_visits()
    counts = np.round(np.abs(y))
    expert = ZeroInflatedExpert(PoissonExpert(), features=["t"])
    moe = MoERegressor(1, expert=expert, random_state=0).fit(table, counts)
    dummies = pd.get_dummies(table, drop_first=True, dtype=float)
    plain = MoERegressor(1, expert=expert, random_state=0).fit(dummies, counts)
    assert moe.log_likelihood_ == pytest.approx(plain.log_likelihood_, rel=1e-8)
    with pytest.raises(ValueError, match="'city', which does not hold numbers"):
        moe.set_params(expert=ZeroInflatedExpert(PoissonExpert(), features=["city"])).fit(
            table, counts
        )
