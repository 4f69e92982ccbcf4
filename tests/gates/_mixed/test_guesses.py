"""Families of columns that nobody named: none that cannot carry how a column varies."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm, poisson

from moe_classic import MoEClassifier, MoERegressor
from moe_classic._data import likeliest_bend
from moe_classic.experts import GaussianExpert
from moe_classic.gates import MixedGate
from moe_classic.gates._mixed.guesses import Guess, guessed
from moe_classic.inference._case import _draw_features, fitted_model
from moe_classic.onnx import to_onnx


def guess(x, w=None, bends=True):
    x = np.asarray(x, dtype=float)
    return guessed(x, np.ones(len(x)) if w is None else w, bends=bends)


def negative_binomial(rng, n, mean, size):
    return rng.poisson(rng.gamma(size, mean / size, n)).astype(float)


# ------------------------------------------------------------------------- what is guessed


@pytest.mark.parametrize("mean", [0.05, 0.3, 1.0, 4.0, 15.0])
def test_counts_that_vary_as_poissons_do_are_poisson(mean):
    for seed in range(10):
        x = np.random.default_rng(seed).poisson(mean, 300)
        if x.max() > 1:
            assert guess(x).family == "poisson"


@pytest.mark.parametrize(("mean", "size"), [(3.0, 1.0), (5.0, 0.3), (15.0, 1.5), (12.0, 3.0)])
def test_counts_that_vary_more_are_normal(mean, size):
    for seed in range(10):
        x = negative_binomial(np.random.default_rng(seed), 300, mean, size)
        assert guess(x).family == "gaussian"


def test_a_share_of_zeros_is_no_poisson_count():
    rng = np.random.default_rng(0)
    assert guess(np.where(rng.random(400) < 0.5, 0.0, rng.poisson(5.0, 400))).family == "gaussian"


def test_the_likelier_of_two_is_taken():
    rng = np.random.default_rng(1)
    for size in (1.0, 3.0, 5.0, 8.0, 30.0):
        x = negative_binomial(rng, 400, 6.0, size)
        middle, unit = likeliest_bend(x, np.ones(400))

        def bent(x, middle=middle, unit=unit):
            return np.arcsinh((x - middle) / unit) if unit else x

        law = norm(bent(x).mean(), bent(x).std())
        normal = np.log(law.cdf(bent(x + 0.5)) - law.cdf(bent(x - 0.5))).sum()
        counts = poisson.logpmf(x, x.mean()).sum()
        assert guess(x) == (
            Guess("poisson") if counts > normal else Guess("gaussian", middle, unit)
        )


def test_long_tails_are_bent_and_others_not():
    rng = np.random.default_rng(2)
    assert guess(rng.normal(size=300)) == ("gaussian", 0.0, 0.0)
    assert guess(rng.gamma(3.0, size=300)).family == "gamma"
    sentinel = np.r_[rng.normal(size=299), 9999.0]
    for x in (rng.standard_cauchy(300), sentinel, np.exp(2.5 * rng.normal(size=300))):
        found = guess(x)
        assert found.family == "gaussian"
        assert found[1:] == likeliest_bend(x, np.ones(300))
        assert found.unit > 0.0
        assert guess(x, bends=False).unit == 0.0


@pytest.mark.parametrize("power", [-200, 150])
def test_units_do_not_matter(power):
    x = np.random.default_rng(3).standard_cauchy(200) * 2.0**power
    found = guess(x)
    assert found.family == "gaussian"
    assert found.unit == pytest.approx(guess(x / 2.0**power).unit * 2.0**power)


def test_weights_are_repeated_rows():
    rng = np.random.default_rng(4)
    w = rng.integers(1, 4, 200)
    for x in (negative_binomial(rng, 200, 5.0, 0.5), rng.poisson(3.0, 200), rng.gamma(1.0, 1, 200)):
        assert guess(x, w.astype(float)) == pytest.approx(guess(np.repeat(x, w)))


# ------------------------------------------------------------------------- what it is worth

BESIDE = {
    "sentinel": lambda rng, n: np.where(np.arange(n) == 3, 9999.0, rng.normal(size=n)),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "dispersed": lambda rng, n: negative_binomial(rng, n, 15.0, 1.5),
    "many zeros": lambda rng, n: negative_binomial(rng, n, 100.0, 0.1),
    "zero-inflated": lambda rng, n: np.where(rng.random(n) < 0.5, 0.0, rng.poisson(5.0, n)),
}


def switching(seed, kind, classes, n=400):
    """Two lines with a soft switch, as they are or cut into classes; a column beside them."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3.0, 3.0, n)
    right = rng.random(n) < expit(6.0 * (x - 0.3))
    y = np.where(right, 2.0 * x + 1.0, -2.0 * x - 1.0) + 0.3 * rng.normal(size=n)
    if classes:
        y = np.where(right, x > 1.5, x < -1.5).astype(int)
    return (x[:, None] if kind is None else np.c_[x, BESIDE[kind](rng, n)]), y


def score(kind, gate, classes, seed):
    """On new rows, of which none has the sentinel."""
    model = (MoEClassifier if classes else MoERegressor)(2, gate=gate, random_state=0)
    model.fit(*switching(seed, kind, classes))
    X, y = switching(seed + 100, kind, classes)
    tame = np.delete(np.arange(400), 3)
    return model.score(X[tame], y[tame])


@pytest.mark.parametrize("gate", ["mixed", "gaussian"])
@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("kind", BESIDE)
def test_a_column_beside_the_others_ruins_nothing(kind, classes, gate):
    assert score(kind, gate, classes, 4200) > score(None, gate, classes, 4200) - 0.03


# ------------------------------------------------------------------------- what users see


@pytest.fixture(scope="module")
def tailed():
    rng = np.random.default_rng(5)
    z = rng.random(300) < 0.5
    X = np.c_[rng.normal(size=300), rng.standard_cauchy(300) + 4.0 * z, rng.random(300) < 0.3]
    return X, np.where(z, X[:, 0], 4.0 - X[:, 0]) + 0.3 * rng.normal(size=300)


def test_tables_say_what_is_bent(tailed):
    X, y = tailed
    model = MoERegressor(2, gate="mixed", random_state=0).fit(X, y)
    assert model.gate_.families_ == {
        "x0": "gaussian",
        "asinh(x1)": "gaussian",
        "x2": "bernoulli",
    }
    assert ("gate", "mean", "asinh(x1)") in model.summary().index
    bent = np.arcsinh((X[:, 1] - np.median(X[:, 1])) / likeliest_bend(X[:, 1], np.ones(300))[1])
    means = model.gate_.densities_["asinh(x1)"]["mean"]
    assert bent.min() < means.min() < means.max() < bent.max()
    assert np.diff(np.sort(means))[0] > 0.5


def test_it_is_the_gate_of_features_bent_by_hand(tailed):
    X, y = tailed
    middle, unit = likeliest_bend(X[:, 1], np.ones(300))
    by_hand = np.c_[X[:, 0], np.arcsinh((X[:, 1] - middle) / unit), X[:, 2]]
    first = GaussianExpert(features=[0])
    ours, theirs = (
        MoERegressor(2, gate=gate, expert=first, random_state=0).fit(Z, y).gate_proba(Z)
        for Z, gate in ((X, "mixed"), (by_hand, MixedGate(families={1: "gaussian"})))
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-4)  # where either stopped


def test_named_families_and_units_that_are_to_stay_are_kept(tailed):
    X, y = tailed
    named = MoERegressor(2, gate=MixedGate(families={"x1": "gaussian"}), random_state=0).fit(X, y)
    plain = MoERegressor(2, gate="mixed", standardize=False, random_state=0).fit(X, y)
    for model in (named, plain):
        assert list(model.gate_.families_) == ["x0", "x1", "x2"]


def test_missing_values_are_left_out(tailed):
    X, y = tailed
    gaps = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    gaps[:, 0] = X[:, 0]
    model = MoERegressor(2, gate="mixed", expert=GaussianExpert(features=[0]), random_state=0)
    model.fit(gaps, y)
    assert list(model.gate_.families_)[1] == "asinh(x1)"
    far = gaps.copy()
    far[np.isnan(gaps[:, 1]), 2] = np.nan
    both = np.isnan(far[:, 1:]).all(axis=1)
    proba = model.gate_proba(far)[both]
    x = model.gate_.densities_["x0"]
    joint = model.gate_.weights_ * norm.pdf(X[both, :1], x["mean"], x["std"])
    np.testing.assert_allclose(proba, joint / joint.sum(axis=1, keepdims=True), atol=1e-10)


def test_draws_are_in_the_units_of_x(tailed):
    X, y = tailed
    model = MoERegressor(2, gate="mixed", random_state=0).fit(X, y)
    case = fitted_model(model, X, y, None)
    drawn = _draw_features(case, X, np.random.default_rng(0), None)[0][:, 1]
    quartiles = np.quantile(X[:, 1], [0.25, 0.5, 0.75])
    np.testing.assert_allclose(np.quantile(drawn, [0.25, 0.5, 0.75]), quartiles, atol=1.2)


def test_bent_columns_are_exported(tailed):
    pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    X, y = tailed
    model = MoERegressor(2, gate="mixed", random_state=0).fit(X, y)
    graph = reference.ReferenceEvaluator(to_onnx(model, dtype=np.float64))
    proba = graph.run(["gate"], {graph.input_names[0]: X})[0]
    np.testing.assert_allclose(proba, model.gate_proba(X), atol=1e-10)
