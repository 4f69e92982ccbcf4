"""Rows along which a model is looked at."""

import numpy as np
import pandas as pd
import pytest

from moe_classic.inspection._profile import make_profile


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "age": [20.0, 30.0, 70.0, 40.0],
            "rooms": [1, 2, 2, 7],
            "city": ["b", "a", "b", "c"],
            "owner": [True, False, True, True],
        }
    )


def profile(X, features, **options):
    settings = {"caller": "Here", "n_points": 3, "average": False, "subsample": 100} | options
    return make_profile(X, features, **settings)


def test_profile_holds_other_columns_at_median_or_most_frequent_value(table):
    found = profile(table, ("age",))
    assert found.rows.age.tolist() == [20.0, 45.0, 70.0]
    # Whole numbers may be codes: one that occurs.
    assert found.rows.rooms.tolist() == [2, 2, 2]
    assert found.rows.city.tolist() == ["b"] * 3
    assert found.rows.owner.tolist() == [True] * 3
    assert found.label() == "age  (others at their median)"


def test_averaged_profile_repeats_every_row_for_every_value(table):
    found = profile(table, ("age",), average=True)
    assert found.rows.age.tolist() == [20.0] * 4 + [45.0] * 4 + [70.0] * 4
    assert found.rows.city.tolist() == ["b", "a", "b", "c"] * 3
    answers = np.arange(12.0)
    np.testing.assert_array_equal(found.fold(answers), [1.5, 5.5, 9.5])


def test_profile_of_two_features_is_folded_to_a_grid_of_both(rng):
    X = rng.standard_normal((20, 3))
    found = profile(X, (2, 0), average=True)
    grid = found.fold(10.0 * found.rows[:, 2] + found.rows[:, 0])
    np.testing.assert_allclose(grid, 10.0 * found.axes[0][:, None] + found.axes[1])
    assert found.names == ("x2", "x0")


def test_categories_and_two_values_are_points(table):
    cities = profile(table, ("city",))
    assert cities.categories == ("a", "b", "c")
    assert cities.rows.city.tolist() == ["a", "b", "c"]
    assert cities.rows.age.tolist() == [35.0] * 3
    np.testing.assert_array_equal(cities.places(table), [1.0, 0.0, 1.0, 2.0])
    assert cities.deciles(table) is None
    owners = profile(table, ("owner",))
    assert owners.categories == ("False", "True")
    assert owners.rows.owner.tolist() == [False, True]
    assert owners.rows.owner.dtype == bool
    coded = profile(table.assign(rooms=[1, 3, 3, 1]), ("rooms",))
    assert (coded.categories, coded.axes[0].tolist()) == (("1", "3"), [1.0, 3.0])
    assert coded.rows.rooms.dtype == table.rooms.dtype


def test_ordered_categories_keep_their_order_and_those_that_do_not_occur_are_left_out(table):
    sizes = pd.Categorical(["M", "S", "M", "L"], ["S", "M", "L", "XL"], ordered=True)
    found = profile(table.assign(size=sizes), ("size",))
    assert found.categories == ("S", "M", "L")
    assert found.rows["size"].dtype == sizes.dtype


def test_averaging_takes_at_most_so_many_rows_evenly(rng):
    X = np.column_stack([np.arange(50.0), np.arange(50.0)])
    found = profile(X, (0,), average=True, subsample=5)
    assert found.n_held == 5
    np.testing.assert_array_equal(found.rows[:5, 1], [0.0, 12.0, 24.0, 37.0, 49.0])


def test_lone_column_needs_no_name_and_no_remark():
    found = profile(np.arange(5.0)[:, None], (None,))
    assert found.label() == "x0"
    assert found.rows.shape == (3, 1)


@pytest.mark.parametrize(
    ("features", "options", "message"),
    [
        (("height",), {}, "feature='height' is not a column of X"),
        ((None,), {}, "X has 4 columns .* such as feature='age'"),
        ((4,), {}, "feature=4 is not a column"),
        (("city",), {"categories": False}, "'city' is not a number"),
        (("age", 0), {}, "names a column twice"),
        (("age",), {"n_points": 1}, "n_points=1 must be at least 2"),
    ],
)
def test_features_that_cannot_be_varied_are_refused(table, features, options, message):
    with pytest.raises(ValueError, match=f"Here: .*{message}"):
        profile(table, features, **options)
