"""A fit that goes on from the last one."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate

from .models import classifier, regressor


def test_warm_start_goes_on_from_the_last_fit(real):
    X, y = real
    model = regressor(3, warm_start=True, n_init=4).fit(X, y)
    value = model.log_likelihood_
    model.fit(X, y)
    assert list(model.start_report_.strategy) == ["warm start"]
    assert model.n_iter_ < 10
    # tol is 1e-6 nats a row
    assert model.log_likelihood_ == pytest.approx(value, abs=1e-3)


def test_warm_start_starts_from_the_lines_it_had_when_y_moves(real):
    X, y = real
    model = regressor(3, warm_start=True, n_init=4).fit(X, y)
    lines = model.expert_predictions(X)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        model.set_params(max_iter=1).fit(X, y + 50.0)
    # One pass evaluates the start and takes no step: the lines are those of the first fit, though
    # far from all rows, so that experts may change places.
    np.testing.assert_allclose(np.sort(model.expert_predictions(X)), np.sort(lines), rtol=1e-8)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_experts": 2},
        {"expert": "student_t"},
        {"expert": "laplace"},
        {"expert": GaussianExpert(tied=True)},
        {"expert": GaussianExpert(features=[0])},
        {"gate": "gaussian"},
        {"gate": "constant"},
        {"gate": SoftmaxGate(features=[1])},
    ],
    ids=str,
)
def test_warm_start_refuses_another_model(real, changes):
    model = regressor(3, warm_start=True).fit(*real).set_params(**changes)
    with pytest.raises(ValueError, match=r"warm_start=True cannot go on.*Set warm_start=False"):
        model.fit(*real)


def test_warm_start_refuses_other_data(real):
    X, y = real
    model = regressor(3, warm_start=True).fit(X, y)
    for new_X, new_y in ((X[:, :1], y), (X, np.column_stack([y, y**2]))):
        with pytest.raises(ValueError, match="warm_start=True cannot go on"):
            model.fit(new_X, new_y)


def test_warm_start_refuses_other_classes(classes):
    X, y = classes
    model = classifier(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="warm_start=True cannot go on"):
        model.fit(X, y == "a")
