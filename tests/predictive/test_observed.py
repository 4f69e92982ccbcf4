"""Predictions at rows with missing values, against integrals over what is missing."""

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import GaussianGate

#: Points of a grid, and how far it goes: sums over it are integrals to the last digits.
GRID = np.linspace(-12.0, 12.0, 601)


def table(n=250, seed=0):
    """Rows of two experts with values missing at random."""
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 2, n)
    X = rng.standard_normal((n, 2)) @ [[1.0, 0.5], [0.0, 0.8]] + np.where(z, -1.5, 1.5)[:, None]
    y = np.where(z, X @ [1.0, 0.5], X @ [-0.5, 1.0] + 1.0) + 0.4 * rng.standard_normal(n)
    return np.where(rng.random(X.shape) < 0.3, np.nan, X), y


def _fit(y_of=lambda y: y, **options):
    X, y = table()
    options = {"gate": "gaussian"} | options
    moe = MoERegressor(2, missing="marginalize", n_init=2, random_state=0, **options)
    return moe.fit(X, y_of(y))


@pytest.fixture(scope="module")
def moe():
    return _fit()


@pytest.fixture(scope="module")
def pair():
    expert = GaussianExpert(covariance_type="diag")
    return _fit(lambda y: np.column_stack([y, np.cos(y)]), expert=expert)


def _whole(moe, row, points):
    """Complete rows and log p(x) at points of what is missing in a row."""
    rows = np.repeat(row[None], len(points), axis=0)
    rows[:, np.isnan(row)] = points
    return rows, moe.score_samples(rows)


def _points(row):
    """A grid of what is missing in a row, (m, missing), and the size of its cells."""
    count = int(np.isnan(row).sum())
    grid = GRID if count == 1 else GRID[::4]
    cells = np.meshgrid(*[grid] * count)
    return np.stack([c.ravel() for c in cells], axis=1), (grid[1] - grid[0]) ** count


ROWS = [np.array([0.7, np.nan]), np.array([np.nan, -1.2]), np.array([np.nan, np.nan])]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_likelihood_is_the_integral_over_what_is_missing(moe, row):
    points, cell = _points(row)
    rows, log_x = _whole(moe, row, points)
    total = np.exp(log_x).sum() * cell
    # Where all of x is missing, nothing was observed of it.
    np.testing.assert_allclose(np.exp(moe.score_samples(row[None])), total, rtol=1e-8)
    for y in (-1.0, 0.3, 2.5):
        joint = np.exp(log_x + moe.score_samples(rows, np.full(len(rows), y))).sum() * cell
        found = moe.score_samples(row[None], [y])
        np.testing.assert_allclose(np.exp(found), joint / total, rtol=1e-8)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gate_and_moments_are_integrals_too(moe, row):
    points, cell = _points(row)
    rows, log_x = _whole(moe, row, points)
    share = np.exp(log_x) * cell / (np.exp(log_x).sum() * cell)
    gate = moe.gate_proba(rows)
    np.testing.assert_allclose(moe.gate_proba(row[None])[0], share @ gate, atol=1e-8)
    mean, std = moe.predict(rows, return_std=True)
    found, spread = moe.predict(row[None], return_std=True)
    np.testing.assert_allclose(found[0], share @ mean, atol=1e-8)
    np.testing.assert_allclose(spread[0] ** 2, share @ (std**2 + mean**2) - found[0] ** 2)
    own = share[:, None] * gate
    alone = (own * moe.expert_predictions(rows)).sum(axis=0) / own.sum(axis=0)
    np.testing.assert_allclose(moe.expert_predictions(row[None])[0], alone, atol=1e-8)
    R = moe.responsibilities(rows, np.full(len(rows), 0.4))
    weight = share * np.exp(moe.score_samples(rows, np.full(len(rows), 0.4)))
    np.testing.assert_allclose(
        moe.responsibilities(row[None], [0.4])[0], weight @ R / weight.sum(), atol=1e-8
    )


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_distribution_function_quantiles_mode_and_score(moe, row):
    y = np.linspace(-15.0, 15.0, 6001)
    rows = np.repeat(row[None], y.size, axis=0)
    density = np.exp(moe.score_samples(rows, y))
    below = cumulative_trapezoid(density, y, initial=0.0)
    assert below[-1] == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(moe.predict_cdf(rows, y), below, atol=1e-5)
    levels = [0.05, 0.5, 0.95]
    quantiles = moe.predict_quantile(row[None], levels)[0]
    at = np.repeat(row[None], 3, axis=0)
    np.testing.assert_allclose(moe.predict_cdf(at, quantiles), levels, atol=1e-12)
    np.testing.assert_allclose(moe.predict_interval(row[None], 0.9)[0], quantiles[[0, 2]])
    assert moe.predict_mode(row[None])[0] == pytest.approx(y[density.argmax()], abs=0.01)
    score = np.trapezoid((below - (y >= 0.6)) ** 2, y)
    assert moe.crps(row[None], [0.6])[0] == pytest.approx(score, rel=5e-3)


def test_draws_have_the_moments(moe, pair):
    row = np.array([[0.7, np.nan]])
    mean, std = moe.predict(row, return_std=True)
    draws = moe.sample(row, 20_000, random_state=0)[0]
    assert draws.mean() == pytest.approx(mean[0], abs=4.0 * std[0] / 20_000**0.5)
    assert draws.std() == pytest.approx(std[0], rel=0.03)
    # What both outputs miss makes them depend on each other, whatever their noise.
    several = pair.sample(row, 20_000, random_state=0)[0]
    complete = pair.sample(np.array([[0.7, 1.2]]), 20_000, random_state=0)[0]
    np.testing.assert_allclose(
        several.std(axis=0), pair.predict(row, return_std=True)[1][0], rtol=0.03
    )
    assert abs(np.corrcoef(several.T)[0, 1]) > abs(np.corrcoef(complete.T)[0, 1]) + 0.05


def test_several_outputs(pair):
    rows = np.array([*ROWS, [0.3, 0.4]])
    y = np.column_stack([[0.1, -1.0, 2.0, 0.5], [0.5, 0.2, -0.3, 0.9]])
    mode = pair.predict_mode(rows)
    highest = pair.score_samples(rows, mode)
    for step in ([1e-3, 0.0], [0.0, 1e-3], [-1e-3, 1e-3]):
        assert (pair.score_samples(rows, mode + step) < highest).all()
    quantiles = pair.predict_quantile(rows, 0.3)
    np.testing.assert_allclose(pair.predict_cdf(rows, quantiles), 0.3, atol=1e-12)
    assert pair.crps(rows, y).shape == (4, 2)
    assert (pair.crps(rows, y) > 0.0).all()


def test_variance_grows_by_what_is_removed(moe):
    # Of one expert surely; of a mixture on average, by the law of total variance.
    X = np.random.default_rng(1).normal(0.0, 1.5, (300, 2))
    X[np.arange(300) % 2 == 0] += 1.5
    variances = []
    for gone in ([], [0], [1], [0, 1]):
        rows = X.copy()
        rows[:, gone] = np.nan
        variances.append((moe.predict(rows, return_std=True)[1] ** 2).mean())
    whole, one, other, none = variances
    assert whole < min(one, other)
    assert max(one, other) < none
    single = MoERegressor(1, gate="gaussian", missing="marginalize").fit(*table())
    stds = [single.predict(r[None], return_std=True)[1][0] for r in (np.array([0.7, 0.0]), *ROWS)]
    assert stds[0] < min(stds[1], stds[2])
    assert max(stds[1], stds[2]) < stds[3]


def test_complete_rows_beside_others_are_as_they_are_alone(moe):
    X = np.random.default_rng(0).standard_normal((30, 2))
    mixed = np.vstack([X, ROWS])
    np.testing.assert_allclose(moe.predict(mixed)[:30], moe.predict(X), rtol=1e-10)
    np.testing.assert_allclose(moe.predict_interval(mixed)[:30], moe.predict_interval(X), rtol=1e-9)
    np.testing.assert_allclose(moe.gate_proba(mixed)[:30], moe.gate_proba(X), atol=1e-12)


def test_a_diagonal_gate_tells_nothing_of_one_feature_by_another():
    moe = _fit(gate=GaussianGate(covariance_type="diag"))
    gate = moe.gate_
    row = np.array([[0.7, np.nan]])
    heights = np.exp(-0.5 * (0.7 - gate.means_[:, 0]) ** 2 / gate.covariances_[:, 0, 0])
    shares = gate.weights_ * heights / np.sqrt(gate.covariances_[:, 0, 0])
    np.testing.assert_allclose(moe.gate_proba(row)[0], shares / shares.sum(), rtol=1e-10)
    means = np.stack([[0.7, mean] for mean in gate.means_[:, 1]])
    said = [e.intercept_ + e.coef_ @ m for e, m in zip(moe.experts_, means, strict=True)]
    np.testing.assert_allclose(moe.expert_predictions(row)[0], np.ravel(said), rtol=1e-10)
