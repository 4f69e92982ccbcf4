"""Reaching a mixture of experts through pipelines and searches."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import MoERegressor
from moe_classic._results.unwrap import fitted_moe, inner_rows
from moe_classic.datasets import load_tone

MOE = MoERegressor(2, n_init=1, random_state=0)


@pytest.fixture(scope="module")
def tone():
    return load_tone(return_X_y=True)


def test_pipeline_in_a_search_gives_its_last_step_and_transformed_rows(tone):
    X, y = tone
    pipeline = make_pipeline(StandardScaler(), MOE)
    search = GridSearchCV(pipeline, {"moeregressor__n_experts": [2]}, cv=2).fit(X, y)
    moe = fitted_moe(search, needs="gate_proba", caller="test")
    assert moe is search.best_estimator_[-1]
    np.testing.assert_allclose(inner_rows(search, X), StandardScaler().fit_transform(X))


def test_pipeline_of_one_step_leaves_rows_alone(tone):
    X, y = tone
    pipeline = make_pipeline(MOE).fit(X, y)
    assert inner_rows(pipeline, X) is X


def test_estimator_without_the_answer_is_refused(tone):
    with pytest.raises(TypeError, match=r"GateDisplay needs an estimator with gate_proba"):
        fitted_moe(LinearRegression().fit(*tone), needs="gate_proba", caller="GateDisplay")


def test_estimator_before_fit_is_refused():
    with pytest.raises(NotFittedError):
        fitted_moe(MoERegressor(2), needs="gate_proba", caller="test")
