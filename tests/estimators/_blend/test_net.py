"""The blended gate: gradients, exact constant weights, layers, rows."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic._adapters.fitting import outputs_of, proba_of
from moe_classic._adapters.layers import layers_of
from moe_classic._data.distinct import distinct_rows
from moe_classic.estimators._blend.gate import FittedBlendGate, GateOptions, train_gate
from moe_classic.estimators._blend.joint import JointBlend
from moe_classic.estimators._blend.net import (
    OUTPUTS,
    BlendData,
    BlendNet,
    blend_objective,
    blended,
    descend,
    error_of,
    simplex_weights,
)

#: Step of central differences, and how far they may be off for sums of order one.
STEP, SLOPE = 1e-6, 1e-7


def make_data(rng, *, squash=False, n=60):
    Z = np.vstack([rng.standard_normal((2, n)), np.ones(n)])
    outputs, target = rng.standard_normal((4, 2, n)), rng.standard_normal((2, n))
    return BlendData(Z, outputs, target, rng.random(n), squash)


def slopes(function, theta):
    """Central differences of the value of ``function``."""
    up = [function(theta + STEP * e)[0] for e in np.eye(theta.size)]
    down = [function(theta - STEP * e)[0] for e in np.eye(theta.size)]
    return (np.array(up) - np.array(down)) / (2.0 * STEP)


# ------------------------------------------------------------------------- gate and loss


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("hidden", [0, 3])
@pytest.mark.parametrize("squash", [False, True])
def test_gradient_of_the_blend_matches_differences(rng, output, hidden, squash):
    net = BlendNet(4, 3, hidden, output)
    objective = blend_objective(net, make_data(rng, squash=squash), alpha=0.3)
    theta = rng.standard_normal(net.start(rng).size)
    np.testing.assert_allclose(objective(theta)[1], slopes(objective, theta), atol=SLOPE)


def test_loss_does_not_depend_on_slices(rng):
    data = make_data(rng, n=50_000)
    assert len(data.slices()) > 1
    net = BlendNet(4, 3, 0, "softmax")
    theta = rng.standard_normal(12)
    value, _ = blend_objective(net, data, 0.0)(theta)
    whole = error_of(data, net.weights(theta, data.Z)) * data.w.sum() / data.unit
    assert value == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("hidden", [0, 3])
def test_gate_starts_with_equal_weights(rng, output, hidden):
    net = BlendNet(4, 3, hidden, output)
    np.testing.assert_allclose(net.weights(net.start(rng), make_data(rng).Z), 0.25, rtol=1e-12)


def test_normalised_sigmoids_are_what_the_paper_says(rng):
    net, Z = BlendNet(3, 3, 0, "sigmoid"), make_data(rng).Z
    theta = rng.standard_normal(9)
    M = 1.0 / (1.0 + np.exp(-theta.reshape(3, 3) @ Z))
    np.testing.assert_allclose(net.weights(theta, Z), M / M.sum(axis=0), rtol=1e-12)


def test_normalised_sigmoids_stay_finite_far_out(rng):
    net, Z = BlendNet(3, 3, 0, "sigmoid"), make_data(rng).Z
    objective = blend_objective(net, BlendData(Z, rng.random((3, 1, 60)), Z[:1], Z[2]), 0.0)
    value, gradient = objective(np.full(9, -1e4))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_penalty_is_on_slopes_alone(rng):
    net = BlendNet(2, 3, 2, "softmax")
    first, last = net.split(net.slopes())
    np.testing.assert_array_equal(first, [[1, 1, 0]] * 2)
    np.testing.assert_array_equal(last, [[1, 1, 0]] * 2)


def test_descent_never_climbs(rng):
    net, data = BlendNet(4, 3, 3, "softmax"), make_data(rng)
    objective = blend_objective(net, data, 1e-4)
    theta, trace = descend(objective, net.start(rng), max_iter=60, tol=1e-9)
    assert np.diff(trace.losses).max() <= 0.0
    assert objective(theta)[0] == trace.losses[-1]


# ------------------------------------------------------------------------- constant weights


@pytest.mark.parametrize("near", [0.0, 0.7, 1.0])
def test_constant_weights_solve_least_squares_on_the_simplex(rng, near):
    data = make_data(rng)
    target = near * data.outputs[1] + (1.0 - near) * data.target

    def loss(p):
        return float(
            np.square(target - blended(data.outputs, p[:, None] * np.ones(60))).sum(axis=0) @ data.w
        )

    p = simplex_weights(data.outputs, target, data.w)
    found = minimize(
        loss,
        np.full(4, 0.25),
        method="SLSQP",
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1.0},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert p.sum() == pytest.approx(1.0, abs=1e-14)
    assert (p >= 0.0).all()
    # SLSQP stops a little above the optimum.
    assert loss(p) <= found.fun + 1e-10
    np.testing.assert_allclose(p, found.x, atol=1e-5)


def test_constant_weights_of_equal_experts_are_weights_too(rng):
    outputs = np.repeat(rng.standard_normal((1, 1, 30)), 3, axis=0)
    p = simplex_weights(outputs, outputs[0], np.ones(30))
    assert p.sum() == pytest.approx(1.0)


def test_gate_without_features_ends_at_the_constant_weights(rng):
    data = make_data(rng)
    net = BlendNet(4, 1, 0, "softmax")
    alone = BlendData(np.ones((1, 60)), data.outputs, data.target, data.w)
    theta, _ = descend(blend_objective(net, alone, 0.0), np.zeros(4), max_iter=500, tol=0.0)
    exact = error_of(alone, np.repeat(simplex_weights(*_parts(data))[:, None], 60, axis=1))
    # A softmax reaches the border of the simplex in the limit only.
    assert error_of(alone, net.weights(theta, alone.Z)) == pytest.approx(exact, rel=1e-5)


def _parts(data):
    return data.outputs, data.target, data.w


# ------------------------------------------------------------------------- the fitted gate


def test_coefficients_are_on_the_original_scale(rng):
    X = rng.standard_normal((60, 2)) * [1.0, 50.0] + [0.0, 300.0]
    options = GateOptions("softmax", 0, None, 1e-3, 100, 1e-9)
    design = options.design(X, X[:, 0], np.ones(60), None, "test")
    data = make_data(rng)
    gate, _ = train_gate(
        options, design, BlendData(design(X), *_parts(data)), np.random.default_rng(0)
    )
    s = X @ gate.coef_.T + gate.intercept_
    p = np.exp(s - s.max(axis=1, keepdims=True))
    np.testing.assert_allclose(gate.weights(X).T, p / p.sum(axis=1, keepdims=True), rtol=1e-9)


def test_hidden_coefficients_are_on_the_original_scale(rng):
    X = rng.standard_normal((60, 2)) * [1.0, 50.0]
    options = GateOptions("linear", 3, None, 1e-3, 20, 1e-9)
    design = options.design(X, X[:, 0], np.ones(60), None, "test")
    net = options.net(4, design)
    gate = FittedBlendGate("linear", design, net, rng.standard_normal(net.start(rng).size))
    hidden = np.tanh(X @ gate.hidden_coef_.T + gate.hidden_intercept_)
    weights = hidden @ gate.coef_.T + gate.intercept_
    np.testing.assert_allclose(gate.weights(X).T, weights, rtol=1e-9)


# ------------------------------------------------------------------------- layers


@pytest.fixture
def classes(rng):
    X = rng.standard_normal((70, 3))
    return X, np.digitize(X @ [1.0, -1.0, 0.5] + 0.3 * rng.standard_normal(70), [-0.7, 0.7])


REGRESSORS = [
    LinearRegression(),
    Ridge(fit_intercept=False),
    make_pipeline(StandardScaler(), Ridge()),
    *(
        MLPRegressor(hidden_layer_sizes=(4, 3), activation=a, max_iter=20, random_state=1)
        for a in ("identity", "tanh", "logistic", "relu")
    ),
]


@pytest.mark.parametrize("estimator", REGRESSORS, ids=str)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("outputs", [1, 2])
def test_layers_of_a_regressor_predict_pull_back_and_write(classes, rng, estimator, outputs):
    X = classes[0]
    Y = X @ rng.standard_normal((3, outputs))
    fitted = estimator.fit(X, Y[:, 0] if outputs == 1 else Y)
    own = outputs_of(fitted, X)
    check_layers(layers_of("expert", fitted, X, own, np.arange(outputs)), outputs_of, own, rng, X)


CLASSIFIERS = [
    LogisticRegression(),
    make_pipeline(StandardScaler(), LogisticRegression()),
    MLPClassifier(hidden_layer_sizes=(4,), activation="tanh", max_iter=20, random_state=1),
]


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=str)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("known", [[0, 2], [0, 1, 2]], ids=["two", "three"])
def test_layers_of_a_classifier_predict_pull_back_and_write(classes, rng, estimator, known):
    X, y = classes
    some = np.isin(y, known)
    fitted = estimator.fit(X[some], y[some])
    labels = np.arange(3)
    own = proba_of(fitted, X, labels)
    layers = layers_of("expert", fitted, X, own, np.array(known))
    check_layers(layers, lambda e, X: proba_of(e, X, labels), own, rng, X)


def check_layers(layers, predict, own, rng, X):
    """Layers say what the estimator says, differentiate it, and write themselves back."""
    np.testing.assert_allclose(layers.forward(layers.start)[0], own, atol=1e-9)
    G = rng.standard_normal(own.shape)
    theta = layers.start + 0.01 * rng.standard_normal(layers.start.size)

    def scalar(t):
        return float((layers.forward(t)[0] * G).sum()), None

    pulled = layers.backward(theta, layers.forward(theta)[1], G)
    size = np.abs(pulled).max()
    np.testing.assert_allclose(pulled, slopes(scalar, theta), atol=1e-6 * max(size, 1.0))
    before = layers.estimator
    again = layers.written(theta)
    # Written in floating point as it was: the predictions agree to rounding.
    np.testing.assert_allclose(predict(again, X), layers.forward(theta)[0], atol=1e-9)
    np.testing.assert_allclose(predict(before, X), own, atol=1e-12)


@pytest.mark.parametrize("estimator", [RandomForestRegressor(3), PoissonRegressor()])
def test_estimator_whose_layers_are_not_known_is_refused(classes, estimator):
    X, _ = classes
    fitted = estimator.fit(X, np.exp(X[:, 0]))
    with pytest.raises(ValueError, match="joint=True needs experts that are differentiable"):
        layers_of("the expert 'a'", fitted, X, outputs_of(fitted, X), np.arange(1))


def test_joint_gradient_matches_differences(classes, rng):
    X, y = classes
    n = len(X)
    Y = np.eye(3)[y].T
    fits = [LogisticRegression(C=c).fit(X, y) for c in (0.1, 1.0)]
    labels = np.arange(3)
    layers = [layers_of("e", f, X, proba_of(f, X, labels), labels) for f in fits]
    options = GateOptions("sigmoid", 2, None, 1e-2, 5, 1e-9)
    design = options.design(X, y, np.ones(n), None, "test")
    data = BlendData(design(X), np.empty((2, 3, n)), Y, rng.random(n))
    net = options.net(2, design)
    gate = FittedBlendGate("sigmoid", design, net, net.start(rng))
    joint = JointBlend(gate, layers, data, 1e-2)
    theta = joint.start() + 0.3 * rng.standard_normal(joint.start().size)
    np.testing.assert_allclose(joint(theta)[1], slopes(joint, theta), atol=SLOPE)


# ------------------------------------------------------------------------- rows


def test_equal_rows_are_merged_in_an_order_of_their_own(rng):
    X = rng.integers(0, 3, (50, 2)).astype(float)
    y = np.array(["a", "b"])[rng.integers(0, 2, 50)]
    w, codes = rng.integers(0, 3, 50).astype(float), np.zeros(50, dtype=np.intp)
    rows = distinct_rows(X, y, w, codes)
    order = rng.permutation(50)
    again = distinct_rows(X[order], y[order], w[order], codes)
    np.testing.assert_array_equal(rows.X, again.X)
    np.testing.assert_array_equal(rows.y, again.y)
    np.testing.assert_array_equal(rows.w, again.w)
    assert len(np.unique(np.column_stack([rows.X, rows.y == "a"]), axis=0)) == len(rows.X)
    assert rows.w.sum() == w.sum()


def test_place_says_where_each_row_went(rng):
    X, w = rng.integers(0, 3, (30, 1)).astype(float), np.arange(30.0) % 4
    rows = distinct_rows(X, X[:, 0], w, np.zeros(30, dtype=np.intp))
    np.testing.assert_array_equal(rows.place == -1, w == 0.0)
    used = rows.place >= 0
    np.testing.assert_array_equal(rows.X[rows.place[used]], X[used])
