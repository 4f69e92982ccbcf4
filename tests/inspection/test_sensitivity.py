"""Sensitivity of fitted regressors: known indices, intervals, refusals, and its picture."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from moe_classic import (
    BayesianMoERegressor,
    HierarchicalMoERegressor,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
    SparseMoERegressor,
)
from moe_classic.experts import GaussianExpert
from moe_classic.gates import GaussianGate, SoftmaxGate
from moe_classic.inspection import SensitivityDisplay, sensitivity


def plane(n=300, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, X @ [2.0, -1.0, 0.5] + noise * rng.normal(size=n)


def switched(n=600, seed=0):
    """The first feature chooses which of the two others counts."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1.0, 1.0, (n, 3))
    y = np.where(X[:, 0] > 0.0, 2.0 * X[:, 1], X[:, 2] - X[:, 1])
    return X, y + 0.2 * rng.normal(size=n)


# ------------------------------------------------------------------------- known values


@pytest.mark.parametrize("inputs", ["uniform", "normal", "empirical", "given"])
def test_linear_models_are_exact(inputs):
    X, y = plane()
    moe = MoERegressor(1).fit(X, y)
    variance = {
        "uniform": np.ptp(X, axis=0) ** 2 / 12.0,
        "normal": X.var(axis=0),
        "empirical": X.var(axis=0),
        "given": np.array([1.0, 4.0, 2.0]),
    }[inputs]
    given = [stats.norm(0.0, s) for s in np.sqrt([1.0, 4.0, 2.0])]
    result = sensitivity(moe, X, inputs=given if inputs == "given" else inputs)
    share = moe.experts_[0].coef_ ** 2 * variance
    np.testing.assert_allclose(result.table.first_order, share / share.sum(), rtol=1e-10)
    np.testing.assert_allclose(result.table.total, share / share.sum(), rtol=1e-10)
    assert result.variance.iloc[0] == pytest.approx(share.sum())
    assert result.method == "exact"
    slope = result.effects[result.effects.feature == "x0"]
    np.testing.assert_allclose(
        np.diff(slope.effect), moe.experts_[0].coef_[0] * np.diff(slope.value), atol=1e-10
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_ishigami_by_a_mixture():
    rng = np.random.default_rng(0)
    X = rng.uniform(-np.pi, np.pi, (2500, 3))
    y = np.sin(X[:, 0]) * (1.0 + 0.1 * X[:, 2] ** 4) + 7.0 * np.sin(X[:, 1]) ** 2
    curves = PolynomialFeatures(4, include_bias=False)
    moe = BayesianMoERegressor(
        12, expert_features=curves, n_init=1, prune=False, max_iter=60, random_state=0
    ).fit(X, y)
    table = sensitivity(moe, X, n_draws=10, random_state=0).table
    np.testing.assert_allclose(table.first_order, [0.3139, 0.4424, 0.0], atol=0.03)
    np.testing.assert_allclose(table.total, [0.5576, 0.4424, 0.2437], atol=0.03)


@pytest.mark.parametrize("gate", [SoftmaxGate(features=[0]), GaussianGate(features=[0, 1])])
def test_both_methods_agree(gate):
    X, y = switched()
    moe = MoERegressor(2, gate=gate, n_init=3, random_state=0).fit(X, y)
    exact = sensitivity(moe, X, method="exact")
    sampled = sensitivity(moe, X, method="qmc", n_samples=1 << 14, random_state=0)
    np.testing.assert_allclose(exact.table, sampled.table, atol=0.005)
    np.testing.assert_allclose(exact.effects.effect, sampled.effects.effect, atol=0.01)
    assert exact.table.total["x0"] > 0.5
    assert exact.table.first_order["x0"] < 0.05


# ------------------------------------------------------------------------- intervals


def test_delta_intervals_of_a_line_are_those_of_its_slopes():
    """One feature against another: an index is a function of one ratio of slopes."""
    X, y = plane()
    moe = MoERegressor(1).fit(X[:, :2], y)
    result = sensitivity(moe, X[:, :2], y, inputs="normal", coverage=0.95)

    def share(estimator):
        own = estimator.experts_[0].coef_ ** 2 * X[:, :2].var(axis=0)
        return own[0] / own.sum()

    known = moe.inference(X[:, :2], y, level=0.95).delta(share, of="estimator").iloc[0]
    row = result.table.loc["x0"]
    assert row.first_order_low == pytest.approx(known.low, abs=1e-6)
    assert row.first_order_high == pytest.approx(known.high, abs=1e-6)
    assert result.coverage == 0.95


@pytest.mark.parametrize("method", ["exact", "qmc"])
def test_credible_intervals_hold_the_truth(method):
    X, y = switched()
    moe = BayesianMoERegressor(4, gate_features=[0], n_init=3, random_state=0).fit(X, y)
    result = sensitivity(
        moe, X, inputs=[stats.uniform(-1.0, 2.0)] * 3, method=method, random_state=0, n_samples=2048
    )
    # f = s 2 b + (1 - s)(c - b) with a fair coin s: every share is a ratio of small numbers.
    third, variance = 1.0 / 3.0, (4.0 + 1.0 + 1.0) / 6.0
    total = np.array([(9.0 + 1.0) / 4.0 * third, 2.5 * third, 0.5 * third]) / variance
    first = np.array([0.0, 0.25 * third, 0.25 * third]) / variance
    table = result.table
    slack = 0.01
    assert (table.total_low - slack <= total).all()
    assert (total <= table.total_high + slack).all()
    assert (table.first_order_low - slack <= first).all()
    assert (first <= table.first_order_high + slack).all()
    assert (result.effects.low <= result.effects.high).all()


# ------------------------------------------------------------------------- any regressor


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_regressors_of_every_kind():
    X, y = switched(300)
    for moe in (
        HierarchicalMoERegressor((2,), n_init=1, random_state=0),
        SparseMoERegressor(3, max_iter=2, random_state=0),
        make_pipeline(StandardScaler(), MoERegressor(2, n_init=1, random_state=0)),
        MoERegressor(2, expert=LinearRegression(), n_init=1, max_iter=5, random_state=0),
    ):
        result = sensitivity(moe.fit(X, y), X, n_samples=256, random_state=0)
        assert result.method == "qmc"
        assert list(result.table.index) == ["x0", "x1", "x2"]
        assert np.isfinite(result.table.to_numpy()).all()
    blend = MetaPiRegressor(LinearRegression(), random_state=0).fit(X, y, sources=X[:, 0] > 0.0)
    assert sensitivity(blend, X, n_samples=256).table.total["x2"] > 0.0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_names_outputs_and_pipelines():
    X, y = plane()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    both = np.column_stack([y, X[:, 2] + 0.1 * (y - X @ [2.0, -1.0, 0.5])])
    moe = make_pipeline(StandardScaler(), MoERegressor(1, expert=GaussianExpert()))
    result = sensitivity(moe.fit(frame, both), frame, random_state=0, inputs="normal")
    assert result.table.loc["y1"].total.round(2).tolist() == [0.0, 0.0, 1.0]
    assert list(result.mean.index) == ["y0", "y1"]
    assert set(result.effects.output) == {"y0", "y1"}
    display = SensitivityDisplay(result=result, output="y1").plot()
    assert display.ax_.get_yticklabels()[0].get_text() == "c"
    with pytest.raises(ValueError, match="output='z' is not known"):
        SensitivityDisplay(result=result, output="z").plot()
    plt.close("all")


def test_seed_decides():
    X, y = switched(200)
    moe = MoERegressor(2, n_init=1, random_state=0).fit(X, y)
    a, b, c = (sensitivity(moe, X, n_samples=128, random_state=s).table for s in (0, 0, 1))
    pd.testing.assert_frame_equal(a, b)
    assert not a.equals(c)


# ------------------------------------------------------------------------- refusals


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": 1000}, "n_samples=1000 must be a power of 2"),
        ({"inputs": "even"}, "inputs"),
        ({"inputs": [stats.norm()]}, "one distribution for each of the 3 features"),
        ({"method": "closed"}, "method"),
        ({"method": "exact"}, "a gate that sees at most 2"),
        ({"coverage": 1.5}, "coverage"),
        ({"sample_weight": np.ones(200)}, "sample_weight has no meaning without y"),
    ],
)
def test_arguments_without_a_meaning_are_refused(options, message):
    X, y = switched(200)
    moe = MoERegressor(2, n_init=1, max_iter=5, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=message):
        sensitivity(moe, X, **options)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_has_no_answer_is_refused():
    X, y = switched(200)
    with pytest.raises(TypeError, match="needs a regressor"):
        sensitivity(MoEClassifier(1).fit(X, y > 0.0), X)
    with pytest.raises(TypeError, match=r"scipy\.stats"):
        sensitivity(MoERegressor(1).fit(X, y), X, inputs=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="y has no meaning for a Bayesian mixture"):
        sensitivity(BayesianMoERegressor(1).fit(X, y), X, y)
    with pytest.raises(TypeError, match="has none"):
        sensitivity(SparseMoERegressor(2, max_iter=1, random_state=0).fit(X, y), X, y)
    with pytest.raises(ValueError, match="finite numbers"):
        sensitivity(MoERegressor(1).fit(X, y), np.full((3, 3), np.nan))


# ------------------------------------------------------------------------- the picture


@pytest.mark.parametrize("kind", ["indices", "effects"])
def test_display(kind):
    X, y = switched(200)
    moe = BayesianMoERegressor(3, gate_features=[0], n_init=1, random_state=0).fit(X, y)
    display = SensitivityDisplay.from_estimator(moe, X, kind=kind, n_draws=10)
    labels = display.ax_.get_legend_handles_labels()[1]
    expected = {"total", "first order"} if kind == "indices" else {"x0", "x1", "x2"}
    assert set(labels) == expected
    with pytest.raises(ValueError, match="kind"):
        display.plot(kind="both")
    plt.close("all")
