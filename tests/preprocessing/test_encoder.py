"""Levels of tables as columns of zeros and ones."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.preprocessing import OneHotEncoder

from moe_classic.preprocessing import TableEncoder, UnseenLevelWarning


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "age": [31.0, 54.0, 40.0, 22.0],
            "city": ["Rome", "Oslo", "Bern", "Oslo"],
            "grade": pd.Categorical(["low", "high", "low", "mid"], ["mid", "low", "high", "top"]),
            "smokes": [True, False, True, True],
            "children": pd.array([0, 2, 1, 3], dtype="Int64"),
        }
    )


def test_levels_are_those_of_scikit_learns_encoder(table):
    theirs = OneHotEncoder(drop="first", sparse_output=False).fit_transform(table[["city"]])
    ours = TableEncoder(["city"]).fit_transform(table)
    assert np.array_equal(ours, theirs)


def test_names_say_column_and_level_and_categories_keep_their_order(table):
    encoder = TableEncoder().fit(table)
    assert encoder.get_feature_names_out().tolist() == [
        "age",
        "city[Oslo]",
        "city[Rome]",
        "grade[low]",
        "grade[high]",
        "smokes",
        "children",
    ]
    assert encoder.levels_["grade"] == ["mid", "low", "high"]  # "top" has no row
    expected = [[31, 0, 1, 1, 0, 1, 0], [54, 1, 0, 0, 1, 0, 2], [40, 0, 0, 1, 0, 1, 1]]
    assert encoder.transform(table)[:3].tolist() == expected


def test_nothing_is_dropped_on_demand(table):
    encoder = TableEncoder(["city"], drop=None).fit(table)
    assert encoder.get_feature_names_out().tolist() == ["city[Bern]", "city[Oslo]", "city[Rome]"]
    assert encoder.transform(table).sum(axis=1).tolist() == [1.0] * 4


def test_columns_are_found_by_name_and_others_not_looked_at(table):
    encoder = TableEncoder(["city", "age"]).fit(table.assign(note=[[1], [2], [3], [4]]))
    back = table[["city", "age"]].iloc[:, ::-1]
    assert np.array_equal(encoder.transform(back), encoder.transform(table))


def test_an_unseen_level_counts_as_the_first_one_and_is_told(table):
    encoder = TableEncoder(["city"]).fit(table)
    with pytest.warns(UnseenLevelWarning, match=r"'city'.*\['Kyiv'\].*'Bern'"):
        out = encoder.transform(table.assign(city=["Kyiv", "Oslo", "Bern", "Rome"]))
    assert out.tolist() == [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]


def test_an_unseen_level_is_an_error_on_demand(table):
    encoder = TableEncoder(handle_unknown="error").fit(table)
    with pytest.raises(ValueError, match="'Kyiv'"):
        encoder.transform(table.assign(city="Kyiv"))


@pytest.mark.parametrize(
    ("column", "kind", "words"),
    [
        (pd.Timestamp("2020-01-01"), TypeError, r"'bad' holds datetime.*dt\.year"),
        (pd.Timedelta("1D"), TypeError, "'bad' holds timedelta"),
        (["a", None, "b", "c"], ValueError, r"NaN.*'bad' \(1 rows\)"),
        (pd.array([1, None, None, 2], dtype="Int64"), ValueError, r"'bad' \(2 rows\)"),
    ],
)
def test_what_has_no_levels_is_refused_by_name(table, column, kind, words):
    with pytest.raises(kind, match=words):
        TableEncoder().fit(table.assign(bad=column))


def test_text_and_identifiers_are_refused(table):
    with pytest.raises(ValueError, match=r"'id' has 4 different values.*max_levels=4"):
        TableEncoder(max_levels=3).fit(table.assign(id=["a", "b", "c", "d"]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"handle_unknown": "ignore"}, "handle_unknown='ignore'"),
        ({"drop": "last"}, "drop='last'"),
        ({"max_levels": 0}, "max_levels=0"),
    ],
)
def test_arguments_out_of_range_are_named(table, arguments, words):
    with pytest.raises(ValueError, match=words):
        TableEncoder(**arguments).fit(table)


def test_what_is_no_table_and_columns_that_are_not_there(table):
    with pytest.raises(TypeError, match="must be a table"):
        TableEncoder().fit(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"lacks the columns \['b'\]"):
        TableEncoder(["b"]).fit(table)
    with pytest.raises(ValueError, match=r"lacks the columns \['city'\]"):
        TableEncoder().fit(table).transform(table.drop(columns="city"))


def test_it_is_an_estimator_like_others(table):
    encoder = clone(TableEncoder(["city"], drop=None)).fit(table)
    again = pickle.loads(pickle.dumps(encoder))
    assert np.array_equal(again.transform(table), encoder.transform(table))
    encoder.set_output(transform="pandas")
    assert list(encoder.transform(table)) == ["city[Bern]", "city[Oslo]", "city[Rome]"]
