"""Errors of every gate and expert, and how their terms are named."""

import numpy as np
import pytest
from scipy.special import ndtri

from moe_classic import MoERegressor
from moe_classic.experts import EXPERTS, GaussianExpert, StudentTExpert
from moe_classic.gates import GaussianGate
from moe_classic.gates._tree.gate import TreeGate
from moe_classic.inference import inference

from .fits import fitted, two_lines


@pytest.mark.parametrize("covariance_type", ["full", "diag", "tied"])
def test_errors_of_a_gaussian_gate_have_their_closed_forms(line, covariance_type):
    X, y = line
    gate = GaussianGate(covariance_type=covariance_type, reg_covar=0.0)
    table = inference(MoERegressor(1, gate=gate).fit(X, y), X, y).gate
    n = len(X)
    owner = "all" if covariance_type == "tied" and len(table) == 0 else "expert 1"
    for j in (0, 1):
        mean, std = (
            table.loc["gate", owner, "mean", f"x{j}"],
            table.loc["gate", owner, "std", f"x{j}"],
        )
        assert std.estimate == pytest.approx(X[:, j].std(), rel=1e-6)
        assert mean.std_error == pytest.approx(std.estimate / np.sqrt(n), rel=1e-6)
        assert std.std_error == pytest.approx(std.estimate / np.sqrt(2 * n), rel=1e-6)
    if covariance_type != "diag":
        row = table.loc["gate", owner, "correlation", "x1, x0"]
        assert row.estimate == pytest.approx(np.corrcoef(X.T)[0, 1], rel=1e-6)
        assert row.std_error == pytest.approx((1.0 - row.estimate**2) / np.sqrt(n), rel=1e-6)


def test_errors_of_a_full_covariance_have_their_closed_forms(line):
    X, y = line
    Y = np.column_stack([100.0 * y, 0.4 * y + np.sin(7.0 * X[:, 1])])
    table = inference(MoERegressor(1).fit(X, Y), X, Y).table
    n = len(y)
    for part in ("expert: y0", "expert: y1"):
        row = table.loc[part, "expert 1", "scale", "scale"]
        assert row.std_error == pytest.approx(row.estimate / np.sqrt(2 * n), rel=1e-6)
    row = table.loc["expert: y1", "expert 1", "correlation", "y0"]
    E = (
        Y
        - np.column_stack([np.ones(n), X])
        @ np.linalg.lstsq(np.column_stack([np.ones(n), X]), Y, rcond=None)[0]
    )
    assert row.estimate == pytest.approx(np.corrcoef(E.T)[0, 1], rel=1e-8)
    assert row.std_error == pytest.approx((1.0 - row.estimate**2) / np.sqrt(n), rel=1e-6)


def test_errors_of_proportions_are_binomial_when_experts_are_far_apart(rng):
    n = 500
    side = rng.random(n) < 0.3
    X = rng.standard_normal((n, 1))
    y = np.where(side, 50.0, -50.0) + rng.standard_normal(n)
    fit = MoERegressor(2, gate="constant", n_init=2, random_state=0).fit(X, y)
    row = inference(fit, X, y).table.loc["gate", "expert 2", "weight", "weight"]
    share = side.mean()
    assert row.estimate == pytest.approx(share, rel=1e-6)
    assert row.std_error == pytest.approx(np.sqrt(share * (1.0 - share) / n), rel=1e-6)
    logit, reach = np.log(share / (1.0 - share)), ndtri(0.975) / np.sqrt(n * share * (1.0 - share))
    assert row.low == pytest.approx(1.0 / (1.0 + np.exp(reach - logit)), rel=1e-5)
    assert row.high == pytest.approx(1.0 / (1.0 + np.exp(-reach - logit)), rel=1e-5)


def test_parameters_that_experts_share_appear_once(lines):
    X, y = lines
    expert = GaussianExpert(tied=True)
    fit = MoERegressor(2, expert=expert, n_init=2, random_state=0).fit(X, y)
    scales = inference(fit, X, y).table.xs("scale", level="term")
    assert list(scales.index) == [("expert", "all", "scale")]


def test_a_tree_with_one_node_equals_the_softmax_gate(pair):
    fit, X, y = pair
    tree = MoERegressor(2, gate=TreeGate((2,)), n_init=2, random_state=0, tol=1e-10).fit(X, y)
    flat = inference(fit, X, y).gate
    node = inference(tree, X, y).gate
    sign = np.sign(node.estimate.iloc[1] * flat.estimate.iloc[1])
    assert set(node.index.get_level_values("expert")) == {"node 1"}
    np.testing.assert_allclose(sign * node.estimate, flat.estimate, rtol=1e-5)
    np.testing.assert_allclose(errors_of(node), errors_of(flat), rtol=1e-5)


def errors_of(table):
    return table.std_error.to_numpy()


def test_nodes_of_a_tree_are_named_by_their_paths(rng):
    X, y = two_lines(rng)
    estimator = MoERegressor(3, gate=TreeGate([[2], 1]), n_init=2, random_state=0)
    names = inference(estimator.fit(X, y), X, y).gate.index.get_level_values("expert")
    assert list(dict.fromkeys(names)) == ["node 1", "node 1.1"]


# Slants near 0 are noted: tests/experts/_location_scale/test_skew.py.
SYMMETRIC = [
    n
    for n, cls in EXPERTS.items()
    if cls.target == "real" and n != "uniform" and not cls.singular_near
]


@pytest.mark.parametrize("name", SYMMETRIC)
@pytest.mark.parametrize("gate", ["softmax", "gaussian", "constant"])
def test_every_symmetric_expert_has_finite_errors(lines, name, gate):
    X, y = lines
    expert = StudentTExpert(df=5.0) if name == "student_t" else EXPERTS[name]()
    fit = fitted(MoERegressor(2, expert=expert, gate=gate, n_init=2, random_state=0), X, y)
    table = inference(fit, X, y, kind="sandwich").table
    assert np.isfinite(table.std_error).all()
    assert ((table.low < table.estimate) & (table.estimate < table.high)).all()
