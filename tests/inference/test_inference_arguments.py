"""Arguments without a meaning are refused."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from moe_classic import MoERegressor
from moe_classic.inference import inference

from .fits import fitted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "wald"}, "kind='wald' is not known"),
        ({"level": 1.0}, "level=1.0 must lie strictly"),
        ({"level": "high"}, "level='high' must lie strictly"),
        ({"n_bootstrap": 10}, "n_bootstrap=10 has no meaning with kind='observed'"),
        ({"n_jobs": 2}, "n_jobs=2 has no meaning"),
        ({"random_state": 0}, "random_state=0 has no meaning"),
        ({"clusters": [0] * 200}, "clusters has no meaning with kind='observed'"),
        ({"clusters": [0] * 200, "kind": "sandwich"}, "clusters has a single label"),
        ({"clusters": [0, 1], "kind": "sandwich"}, "clusters has shape"),
        ({"n_bootstrap": 1, "kind": "bootstrap"}, "n_bootstrap=1 must be an integer >= 2"),
        ({"n_bootstrap": True, "kind": "bootstrap"}, "n_bootstrap=True must be"),
        ({"sample_weight": [1.0, 2.0]}, "sample_weight has shape"),
        ({"sample_weight": np.full(200, -1.0)}, "sample_weight must be finite"),
        ({"sample_weight": np.zeros(200)}, "sample_weight must be finite"),
    ],
)
def test_argument_without_meaning_is_refused(line, options, message):
    X, y = line
    fit = MoERegressor(1).fit(X, y)
    with pytest.raises(ValueError, match=message):
        inference(fit, X, y, **options)


def test_estimator_without_parameters_is_refused(line):
    X, y = line
    with pytest.raises(TypeError, match="such as MoERegressor"):
        inference(LinearRegression().fit(X, y), X, y)
    with pytest.raises(NotFittedError):
        inference(MoERegressor(), X, y)


def test_experts_without_parameters_are_refused(line):
    from moe_classic.experts import EstimatorExpert

    X, y = line
    fit = fitted(MoERegressor(1, expert=EstimatorExpert(LinearRegression())), X, y)
    with pytest.raises(ValueError, match="'estimator' experts have none"):
        inference(fit, X, y)
