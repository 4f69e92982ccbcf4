"""Criteria against the number of experts."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

from moe_classic import MoERegressor
from moe_classic.experts import StudentTExpert
from moe_classic.inspection import SelectionDisplay
from moe_classic.metrics import log_score_scorer
from moe_classic.model_selection import select


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "n_experts": [1, 2, 3, 1, 2, 3],
            "expert": ["gaussian"] * 3 + ["laplace"] * 3,
            "bic": [10.0, 5.0, 7.0, 11.0, 4.0, np.nan],
            "aic": [9.0, 4.0, 3.0, 10.0, 3.5, 6.0],
            "log_score": [-3.0, -1.0, -2.0, -3.0, -0.5, -1.0],
        }
    )


def drawn(display):
    return {c.get_label(): c.lines[0].get_ydata().tolist() for c in display.ax_.containers}


def test_each_family_is_a_line_and_the_least_is_best(table):
    display = SelectionDisplay.from_table(table)
    assert drawn(display) == {"gaussian": [10.0, 5.0, 7.0], "laplace": [11.0, 4.0]}
    best = display.best_.iloc[0]
    assert (best.n_experts, best.label) == (2, "laplace")
    assert display.ax_.get_ylabel() == "BIC  (lower is better)"
    assert display.ax_.get_xticks().tolist() == [1, 2, 3]


def test_scores_are_best_when_they_are_high(table):
    display = SelectionDisplay.from_table(table, criterion="log_score", by="expert")
    assert display.best_.iloc[0].value == -0.5
    assert "higher is better" in display.ax_.get_ylabel()


def test_several_criteria_have_a_line_and_a_ring_each(table):
    display = SelectionDisplay.from_table(table[:3], criterion=["bic", "aic"])
    assert set(drawn(display)) == {"BIC", "AIC"}
    assert dict(zip(display.best_.criterion, display.best_.n_experts, strict=True)) == {
        "bic": 2,
        "aic": 3,
    }


def test_number_of_experts_may_stand_in_the_index(table):
    display = SelectionDisplay.from_table(table[:3].set_index("n_experts"))
    assert list(drawn(display).values()) == [[10.0, 5.0, 7.0]]


def test_degenerate_models_are_crossed_out_and_not_the_best(table):
    display = SelectionDisplay.from_table(table.assign(degenerate_experts=[0, 0, 0, 0, 1, 0]))
    assert display.best_.iloc[0].label == "gaussian"
    crosses = [c for c in display.ax_.collections if c.get_label() == "degenerate"]
    assert crosses[0].get_offsets().tolist() == [[2.0, 4.0]]


def test_selection_over_families_is_drawn_with_its_choice(crash):
    chosen = select(
        *crash,
        estimator=MoERegressor(n_init=2, random_state=0),
        n_experts=[1, 2],
        experts=["gaussian", "laplace"],
        criterion="log_score",
        cv=2,
    )
    display = SelectionDisplay.from_table(chosen.table, criterion="log_score")
    assert set(drawn(display)) == {"gaussian", "laplace"}
    best = chosen.table.loc[chosen.best_index_]
    assert display.best_.iloc[0].n_experts == best.n_experts
    assert display.best_.iloc[0]["std"] == best.log_score_std_error


def test_grid_search_is_drawn_with_standard_errors(crash):
    grid = {"n_experts": [1, 2], "expert": ["laplace", StudentTExpert(df=4)]}
    search = GridSearchCV(
        MoERegressor(n_init=1, random_state=0), grid, scoring=log_score_scorer, cv=3
    ).fit(*crash)
    display = SelectionDisplay.from_cv_results(search)
    assert set(drawn(display)) == {"laplace", "StudentTExpert(df=4)"}
    best = display.best_.iloc[0]
    assert best.value == pytest.approx(search.best_score_)
    expected = search.cv_results_["std_test_score"] / np.sqrt(2.0)
    np.testing.assert_allclose(display.curves["std"], expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"criterion": "icl"}, r"has no \['icl'\]"),
        ({"by": "gate"}, r"has no \['gate'\]"),
        ({"criterion": ["bic", "log_score"]}, "draw them apart"),
    ],
)
def test_tables_that_lack_something_are_refused(table, options, message):
    with pytest.raises(ValueError, match=message):
        SelectionDisplay.from_table(table, **options)


def test_results_without_the_number_of_experts_are_refused():
    with pytest.raises(ValueError, match="need one param_"):
        SelectionDisplay.from_cv_results({"mean_test_score": [1.0], "param_alpha": [1]})
