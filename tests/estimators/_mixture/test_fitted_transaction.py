"""What a fit leaves is set all at once and last: a refused or interrupted one leaves the old."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from moe_classic import HardMoERegressor, MetaPiRegressor, MoEClassifier, MoERegressor
from moe_classic._results import fitted_mixture
from moe_classic._training import Trainer
from moe_classic.estimators._blend import base as blend_module


@pytest.fixture
def table(rng):
    X = pd.DataFrame(rng.standard_normal((60, 2)), columns=["a", "b"])
    return X, X.a.to_numpy() + 0.1 * rng.standard_normal(60)


def interrupted(*args, **options):
    raise KeyboardInterrupt


def test_interrupted_fit_leaves_the_last_one(table, monkeypatch):
    X, y = table
    moe = MoEClassifier(2, n_init=1, random_state=0).fit(X, y > 0.0)
    before, answer = dict(vars(moe)), moe.predict_proba(X)
    monkeypatch.setattr(Trainer, "from_portfolio", interrupted)
    other = np.arange(60) % 3
    with pytest.raises(KeyboardInterrupt):
        moe.fit(np.ones((60, 5)), other)
    assert vars(moe) == before
    np.testing.assert_array_equal(moe.predict_proba(X), answer)
    assert list(moe.feature_names_in_) == ["a", "b"]


@pytest.mark.parametrize("kind", [MoERegressor, MoEClassifier])
def test_interrupted_first_fit_leaves_nothing(table, monkeypatch, kind):
    X, y = table
    monkeypatch.setattr(Trainer, "from_portfolio", interrupted)
    moe = kind(2, n_init=1)
    before = dict(vars(moe))
    with pytest.raises(KeyboardInterrupt):
        moe.fit(X, y > 0.0)
    assert vars(moe) == before


def test_interrupted_blend_leaves_the_last_one(table, monkeypatch):
    X, y = table
    blend = MetaPiRegressor(LinearRegression()).fit(X, y, sources=X.a > 0.0)
    before = dict(vars(blend))
    monkeypatch.setattr(blend_module, "train_gate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        blend.fit(np.ones((60, 5)), y)
    assert vars(blend) == before


def test_fit_without_names_forgets_those_of_the_last(table):
    X, y = table
    moe = MoERegressor(2, n_init=1, random_state=0).fit(X, y).fit(X.to_numpy(), y)
    assert not hasattr(moe, "feature_names_in_")


def test_record_at_its_own_parameters_is_itself(table):
    X, y = table
    moe = MoERegressor(2, n_init=1, random_state=0).fit(X, y)
    fitted = fitted_mixture(moe)
    assert fitted.experts is moe.experts_
    as_fitted = fitted.model.reorder(fitted.standard_params, np.argsort(fitted.order))
    again = fitted.at(as_fitted, np.ones(2))
    a, b = (fitted.model.pack(f.params) for f in (fitted, again))
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_record_is_asked_of_mixtures_alone(table):
    X, y = table
    hard = HardMoERegressor(2, expert=LinearRegression(), max_iter=1, random_state=0).fit(X, y)
    for estimator in (hard, LinearRegression().fit(X, y)):
        with pytest.raises(TypeError, match="whose parameters have a likelihood"):
            fitted_mixture(estimator)
