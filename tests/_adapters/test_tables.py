"""Tables as arrays of numbers, and back."""

import pickle

import numpy as np
import pandas as pd
import pytest

from moe_classic._adapters import TableColumns, pandas_table, read_table
from moe_classic._adapters import tables as module


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "city": ["Rome", "Oslo", None, "Bern"],
            "grade": pd.Categorical(["u", "v", "u", None], ordered=True),
            "count": pd.array([1, None, 3, 4], dtype="Int64"),
            "flag": [True, False, True, True],
            "day": pd.to_datetime(["2020-01-01", "2021-01-01", None, "2020-01-01"]),
            "parts": [[1], [2], [3], [1]],
            "mixed": ["a", 2, None, "a"],
        }
    )


def test_a_table_comes_back_as_it_was(table):
    columns = TableColumns.learn(table)
    numbers = columns.numbers(table, keep=True)
    assert (numbers.dtypes == np.float64).all()
    back = columns.table(numbers.to_numpy())
    for name in ("city", "grade", "day", "mixed"):
        pd.testing.assert_series_equal(back[name], table[name])
    assert back["parts"].tolist() == table["parts"].tolist()
    assert np.array_equal(back["count"], [1.0, np.nan, 3.0, 4.0], equal_nan=True)
    assert columns.numeric.tolist() == [False, False, True, True, False, False, False]


def test_numbers_do_not_depend_on_the_order_of_the_rows(table):
    one = TableColumns.learn(table).numbers(table, keep=True)
    order = [2, 0, 3, 1]
    other = TableColumns.learn(table).numbers(table.iloc[order], keep=True)
    assert np.array_equal(one.iloc[order], other, equal_nan=True)


def test_values_that_the_fit_did_not_see_come_back(table):
    columns = TableColumns.learn(table)
    columns.numbers(table, keep=True)
    new = table.assign(city="Kyiv", grade=pd.Categorical(["w"] * 4))
    back = columns.table(columns.numbers(new, keep=False).to_numpy())
    assert back.city.tolist() == ["Kyiv"] * 4
    assert back.grade.tolist() == ["w"] * 4
    assert back.grade.cat.categories.tolist() == ["u", "v", "w"]


def test_columns_come_in_any_order_and_all_of_them(table):
    columns = TableColumns.learn(table)
    expected = columns.numbers(table.drop(columns="parts").assign(parts=0), keep=True)
    assert columns.numbers(table.assign(parts=0).iloc[:, ::-1], keep=True).equals(expected)
    with pytest.raises(ValueError, match=r"lacks columns \['city'\]"):
        columns.numbers(table.drop(columns="city"), keep=False)
    with pytest.raises(ValueError, match=r"further columns \['more'\]"):
        columns.numbers(table.assign(more=1), keep=False)
    with pytest.raises(ValueError, match="must be a table"):
        columns.numbers(np.zeros((2, 7)), keep=False)
    with pytest.raises(ValueError, match="'flag' held numbers in the fit and holds"):
        columns.numbers(table.assign(flag="yes"), keep=False)


def test_columns_of_numbers_need_no_books():
    numbers = pd.DataFrame({"a": [1.0, 2.0], "b": pd.array([1, None], dtype="Int64")})
    assert TableColumns.learn(numbers) is None
    assert TableColumns.learn(numbers.astype(object).assign(c=[True, False])) is None
    X = np.zeros((2, 2))
    assert read_table(X, None, fresh=True) == (X, None)


def test_two_columns_of_one_name_are_refused():
    twice = pd.DataFrame([["a", 1], ["b", 2]], columns=["x", "x"])
    with pytest.raises(ValueError, match="two columns called 'x'"):
        TableColumns.learn(twice)


def test_old_values_of_predictions_are_forgotten_and_those_of_fits_are_not(monkeypatch):
    monkeypatch.setattr(module, "_MOST_KEPT", 10)
    columns = TableColumns.learn(pd.DataFrame({"id": ["a", "b"]}))
    first = columns.numbers(pd.DataFrame({"id": ["a", "b"]}), keep=True)
    for start in range(0, 500, 5):
        rows = pd.DataFrame({"id": [f"p{i}" for i in range(start, start + 5)]})
        numbers = columns.numbers(rows, keep=False)
        assert columns.table(numbers.to_numpy())["id"].tolist() == rows["id"].tolist()
    assert len(columns.books[0].values) <= 2 + 2 * 10 + 5
    assert columns.table(first.to_numpy())["id"].tolist() == ["a", "b"]


def test_columns_survive_a_pickle(table):
    columns = TableColumns.learn(table)
    numbers = columns.numbers(table, keep=True).to_numpy()
    again = pickle.loads(pickle.dumps(columns))
    expected = columns.table(numbers).drop(columns="parts")
    pd.testing.assert_frame_equal(again.table(numbers).drop(columns="parts"), expected)


def test_tables_of_polars():
    pl = pytest.importorskip("polars")
    table = pl.DataFrame(
        {
            "a": [1, 2, None],
            "s": ["x", None, "y"],
            "b": [True, False, None],
            "f": [1.0, 2.0, 3.0],
            "c": pl.Series(["u", "v", "u"], dtype=pl.Categorical),
            "e": pl.Series(["u", "v", "u"], dtype=pl.Enum(["v", "u"])),
        }
    )
    out = pandas_table(table)
    assert out["s"].isna().tolist() == [False, True, False]
    assert out["f"].tolist() == [1.0, 2.0, 3.0]
    assert isinstance(out["c"].dtype, pd.CategoricalDtype)
    assert out["e"].cat.categories.tolist() == ["v", "u"]
    columns = TableColumns.learn(out)
    assert columns.numeric.tolist() == [True, False, True, True, False, False]
