"""Criteria and summary tables of a fit."""

import numpy as np
import pandas as pd
import pytest

from .models import regressor


def test_criteria_follow_their_formulas(real, rng):
    X, y = real
    model = regressor(3).fit(X, y)
    w = rng.uniform(0.0, 3.0, len(y))
    rows, d = model.score_samples(X, y), model.n_parameters_
    R = model.responsibilities(X, y)
    entropy = -(R * np.log(np.maximum(R, 1e-300))).sum(axis=1)
    for weight in (np.ones(len(y)), w):
        options = {} if weight is not w else {"sample_weight": w}
        L = rows @ weight
        # sums in another order
        assert model.log_likelihood(X, y, **options) == pytest.approx(L, rel=1e-12)
        assert model.aic(X, y, **options) == pytest.approx(-2 * L + 2 * d, rel=1e-12)
        bic = -2 * L + d * np.log(weight.sum())
        assert model.bic(X, y, **options) == pytest.approx(bic, rel=1e-12)
        assert model.icl(X, y, **options) == pytest.approx(bic + 2 * weight @ entropy, rel=1e-12)


def test_criteria_take_one_weight_for_all_rows(real):
    X, y = real
    model = regressor().fit(X, y)
    expected = model.bic(X, y, sample_weight=np.full(len(y), 2.0))
    assert model.bic(X, y, sample_weight=2.0) == pytest.approx(expected, rel=1e-12)


def test_summary_shows_every_published_parameter(real):
    X = pd.DataFrame(real[0], columns=["age", "dose"])
    model = regressor(expert="student_t").fit(X, real[1])
    table = model.summary()
    assert list(table.columns) == ["expert 1", "expert 2"]
    for k, (label, e) in enumerate(zip(table, model.experts_, strict=True)):
        column = table[label]
        assert column["mixture", "share", "share"] == e.weight_
        assert column["expert", "intercept", "intercept"] == e.intercept_
        assert list(column["expert"]["slope"][["age", "dose"]]) == list(e.coef_)
        assert column["expert", "scale", "scale"] == e.scale_
        assert column["expert", "df", "df"] == e.df_
        assert column["gate", "intercept", "intercept"] == model.gate_.intercept_[k]
        assert list(column["gate"]["slope"][["age", "dose"]]) == list(model.gate_.coef_[k])
    assert len(table) == 1 + 5 + 3


def test_summary_leaves_cells_of_unlike_experts_empty(real):
    model = regressor(expert=[("line", "gaussian"), ("wild", "student_t")]).fit(*real)
    table = model.summary()
    assert list(table.columns) == ["line", "wild"]
    assert np.isnan(table.loc[("expert", "df", "df"), "line"])
    assert table.loc[("expert", "df", "df"), "wild"] == model.experts_[1].df_


@pytest.mark.parametrize(
    ("gate", "terms"),
    [
        ("constant", ["weight"]),
        ("gaussian", ["weight", "mean x0", "mean x1", "std x0", "std x1"]),
    ],
)
def test_summary_shows_other_gates_in_their_own_terms(real, gate, terms):
    model = regressor(gate=gate).fit(*real)
    part = model.summary().loc["gate"]
    assert [" ".join(dict.fromkeys(label)) for label in part.index] == terms
    np.testing.assert_allclose(part.loc["weight"].loc["weight"], model.gate_.weights_)
