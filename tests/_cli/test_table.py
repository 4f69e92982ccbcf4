"""The table behind the command line: kinds of columns and tasks."""

import numpy as np
import pandas as pd
import pytest

from moe_classic._cli.table import (
    Table,
    UsageError,
    check_complete,
    find_task,
    numbers,
    sample_of,
    tone_table,
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", "b", "a"], "classification"),
        ([True, False, True], "classification"),
        ([0, 1, 2], "classification"),
        ([0.0, 1.0, 2.0], "classification"),
        (list(range(10)), "classification"),
        (list(range(11)), "regression"),
        ([0.0, 0.5, 1.0], "regression"),
    ],
)
def test_task_follows_from_the_values(values, expected):
    assert find_task(pd.Series(values, name="y"), "t.csv", "auto") == expected


def test_task_that_is_asked_for_is_taken():
    assert find_task(pd.Series([0, 1], name="y"), "t.csv", "regression") == "regression"
    assert find_task(pd.Series(range(50), name="y"), "t.csv", "classification") == "classification"


def test_numbers_are_floats_and_truth_values_are_ones():
    found = numbers(pd.Series([True, False], name="x"), "t.csv", "hint")
    np.testing.assert_array_equal(found, [1.0, 0.0])
    assert found.dtype == np.float64


def test_text_is_no_number_and_its_first_value_is_named():
    with pytest.raises(
        UsageError, match=r"column 'x' of t\.csv is not numeric, it holds 'b'; hint"
    ):
        numbers(pd.Series(["1", "b", "c"], name="x"), "t.csv", "hint")


def test_missing_values_are_counted_and_the_first_is_placed():
    check_complete(pd.Series([1.0, 2.0]), "t.csv")
    with pytest.raises(UsageError, match=r"has 2 missing values, the first in row 2;"):
        check_complete(pd.Series([1.0, None, None], name="x"), "t.csv")


def test_tone_table_holds_the_bundled_rows():
    table = tone_table()
    assert table.X.shape == (150, 1)
    assert (table.target, table.task) == ("tuned", "regression")
    assert set(table.labels) == {"stretchratio", "tuned"}


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_sample_keeps_rows_together_and_shares_of_classes(task):
    n = 1000
    y = np.where(np.arange(n) < 10, 0, 1 + np.arange(n) % 2)
    table = Table("t", pd.DataFrame({"row": np.arange(n)}), y, "y", task)
    few = sample_of(table, 200, 0, 5)
    assert np.array_equal(y[few.X.row], few.y)
    assert few.X.row.is_unique
    if task == "regression":
        assert len(few.y) == 200
    else:
        # Two of two hundred would be the share of the first.
        assert np.bincount(few.y).tolist() == [5, 99, 99]
    assert few.X.equals(sample_of(table, 200, 0, 5).X)
    assert not few.X.equals(sample_of(table, 200, 1, 5).X)
    assert sample_of(table, n, 0, 5) is table
