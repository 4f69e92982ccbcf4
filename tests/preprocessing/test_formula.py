"""Terms of formulas as columns of tables."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from moe_classic._adapters import variables_of
from moe_classic.preprocessing import FormulaTerms, UnseenLevelWarning

pytest.importorskip("formulaic", reason="needs the extra formula")


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.uniform(1.0, 3.0, 12),
            "arm": ["a", "b", "c"] * 4,
            "dose": [1.0, 2.0] * 6,
            "my var": np.arange(12.0),
        }
    )


def test_terms_are_columns_with_their_names(table):
    terms = FormulaTerms("x * arm + log(x) + `my var`").fit(table)
    names = terms.get_feature_names_out().tolist()
    assert names == ["x", "arm[T.b]", "arm[T.c]", "log(x)", "my var", "x:arm[T.b]", "x:arm[T.c]"]
    b, c = table.arm == "b", table.arm == "c"
    x = table.x
    expected = np.column_stack([x, b, c, np.log(x), table["my var"], x * b, x * c])
    assert_allclose(terms.transform(table), expected)
    assert terms.variables_ == ["x", "arm", "my var"]


def test_whole_numbers_are_levels_without_a_point(table):
    assert FormulaTerms("C(dose)").fit(table).get_feature_names_out().tolist() == ["C(dose)[T.2]"]


def test_what_terms_learn_is_kept(table):
    terms = FormulaTerms("center(x) + bs(x, df=4)").fit(table)
    some = terms.transform(table.iloc[:3])
    assert_allclose(some, terms.transform(table)[:3])
    assert_allclose(some[:, 0], table.x[:3] - table.x.mean())
    again = pickle.loads(pickle.dumps(terms))
    assert_allclose(again.transform(table.iloc[:3]), some)
    assert clone(terms).get_params() == terms.get_params()


@pytest.mark.parametrize(
    ("terms", "variables"),
    [
        ("x", ["x"]),
        ("bs(x, df=4) + C(arm)", ["x", "arm"]),
        ("center(x):arm", ["x", "arm"]),
        ("np.sin(x) + I(dose**2)", ["x", "dose"]),
        ("{x + dose} * `my var`", ["x", "dose", "my var"]),
        ("log(`my var` + 1)", ["my var"]),
        ("(x + arm + dose)^2", ["x", "arm", "dose"]),
        ("C(arm, contr.treatment(base='b'))", ["arm"]),
        ("1", []),
    ],
)
def test_variables_are_what_expressions_name(table, terms, variables):
    assert variables_of(terms, list(table)) == variables
    FormulaTerms(terms).fit(table)


def test_levels_that_the_fit_did_not_see_are_told_or_refused(table):
    new = table.assign(arm="z")
    with pytest.warns(UnseenLevelWarning, match=r"'arm'.*\['z'\].*'a'"):
        out = FormulaTerms("x * arm").fit(table).transform(new)
    assert_allclose(out, FormulaTerms("x * arm").fit(table).transform(table.assign(arm="a")))
    with pytest.raises(ValueError, match=r"'arm'.*\['z'\]"):
        FormulaTerms("x * arm", handle_unknown="error").fit(table).transform(new)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ("x + age", r"names \['age'\], which the data do not have; they have \['x', 'arm'"),
        ("x +", "cannot be read"),
        ("x + f(dose)", "cannot be read.*'f' is not defined"),
        ("0 + x", "intercept"),
        ("x - 1", "intercept"),
    ],
)
def test_terms_that_cannot_be_used_say_why(table, terms, words):
    with pytest.raises(ValueError, match=words):
        FormulaTerms(terms).fit(table)


def test_rows_that_cannot_be_used_say_why(table):
    with pytest.raises(TypeError, match="table with named columns"):
        FormulaTerms("x").fit(np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"NaN.*'x' \(1 rows\).*the formula"):
        FormulaTerms("x").fit(table.assign(x=table.x.where(table.x.index > 0)))
    terms = FormulaTerms("bs(x, df=4)").fit(table)
    with pytest.raises(ValueError, match=r"X lacks \['x'\]"):
        terms.transform(table[["arm"]])
    with pytest.raises(ValueError, match="no value at some rows"):
        terms.transform(table.assign(x=99.0))
    with pytest.raises(ValueError, match="handle_unknown='no'"):
        FormulaTerms("x", handle_unknown="no").fit(table)


def test_without_formulaic_the_extra_is_named(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "formulaic", None)
    with pytest.raises(ImportError, match=r"moe_classic\[formula\]"):
        FormulaTerms("x").fit(table)
