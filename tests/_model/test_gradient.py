"""Gradients of the log-likelihood against differences, and the scaling that solvers take."""

import numpy as np
import pytest

from moe_classic._model.gradient import diagonal
from moe_classic._objectives.likelihood import FixedResponsibilities
from moe_classic.experts import EXPERTS, LinearExpert

from ..solvers.problems import drawn

EXPERT_NAMES = [n for n, cls in EXPERTS.items() if issubclass(cls, LinearExpert)]
GATE_NAMES = ["constant", "gaussian", "softmax", "tree"]
#: Step of a central difference: the error, step^2 f''' / 6 + eps |f| / step, is near its least.
STEP = 1e-5


def scene(expert, gate, **settings):
    n_experts = 3 if gate == "tree" else 2
    return drawn(expert, gate, n=60, n_experts=n_experts, n_features=2, **settings)


def assert_gradient_is_exact(problem, params):
    """Analytic gradient of the posed objective equals central differences."""
    model, summary = problem.model, problem.summary
    theta = model.pack(params)
    value, slope = problem.slope(params)
    assert value == pytest.approx(problem.value(params), rel=1e-13)
    numeric = np.empty_like(theta)
    for i in range(theta.size):
        step = np.zeros_like(theta)
        step[i] = STEP * max(1.0, abs(theta[i]))
        up, down = (problem.value(model.unpack(theta + s, params, summary)) for s in (step, -step))
        numeric[i] = (up - down) / (2.0 * step[i])
    # Accuracy of the differences themselves for sums over some sixty rows.
    scale = max(1.0, np.abs(numeric).max())
    np.testing.assert_allclose(slope, numeric, rtol=0.0, atol=1e-6 * scale)


@pytest.mark.parametrize("gate", GATE_NAMES)
@pytest.mark.parametrize("expert", EXPERT_NAMES)
def test_gradient_equals_central_differences(expert, gate):
    # At starts beside kinks even Laplace experts have a gradient.
    assert_gradient_is_exact(*scene(expert, gate))


@pytest.mark.parametrize(
    "settings",
    [{"covariance_type": "full"}, {"covariance_type": "diag", "tied": True}, {"alpha": 0.3}],
    ids=str,
)
def test_gradient_equals_central_differences_when_there_are_several_outputs(settings):
    assert_gradient_is_exact(*scene("gaussian", "softmax", outputs=2, **settings))


def test_gradient_is_the_sum_over_blocks():
    problem, params = drawn(n=100)
    whole = problem.slope(params)[1]
    source = problem.source
    source.block_size, source._kept = 7, {}
    # The order of summation alone differs.
    np.testing.assert_allclose(problem.slope(params)[1], whole, rtol=1e-11, atol=1e-10)


def test_value_equals_the_objective_of_the_statistics():
    problem, params = drawn("student_t", "gaussian", n=80)
    assert problem.value(params) == pytest.approx(problem.evaluate(params)[0], rel=1e-13)


@pytest.mark.parametrize("expert", ["gaussian", "multinomial"])
def test_diagonal_is_the_complete_data_curvature_along_each_coordinate(expert):
    problem, params = drawn(expert, "softmax", n=50)
    model, summary = problem.model, problem.summary
    block = next(iter(problem.source))
    held = FixedResponsibilities(model, model.responsibilities(params, block))
    theta, found = model.pack(params), diagonal(model, params, block).curvature
    step = 1e-4
    for i in range(theta.size):
        move = step * np.eye(theta.size)[i]
        up, mid, down = (
            held(model.unpack(theta + s, params, summary), block).objective
            for s in (move, 0, -move)
        )
        # Second differences: eps |f| / step^2 is about 1e-6 here.
        assert found[i] == pytest.approx(-(up - 2.0 * mid + down) / step**2, rel=1e-4, abs=1e-4)
