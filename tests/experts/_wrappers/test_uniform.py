"""A background beside other experts."""

import numpy as np
import pytest

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert, LognormalExpert, PoissonExpert, UniformExpert
from moe_classic.experts._wrappers.uniform import UniformParams


@pytest.fixture(scope="module")
def stray():
    """A line, and rows that no line explains."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, (600, 1))
    wild = rng.random(600) < 0.15
    y = np.where(wild, rng.uniform(-9.0, 9.0, 600), 2.0 * x[:, 0] + 0.2 * rng.normal(size=600))
    return x, y, wild


def fit(x, y, uniform, expert=None, **options):
    experts = [expert or GaussianExpert(), uniform]
    options = {"gate": "constant", "random_state": 0, "tol": 1e-10} | options
    return MoERegressor(2, expert=experts, **options).fit(x, y)


def test_likelihood_is_that_of_the_written_mixture(stray):
    x, y, wild = stray
    moe = fit(x, y, UniformExpert())
    line, back = moe.experts_
    assert (back.low_, back.high_) == (y.min(), y.max())
    mean = line.intercept_ + x[:, 0] * line.coef_[0]
    normal = np.exp(-0.5 * ((y - mean) / line.scale_) ** 2) / (line.scale_ * np.sqrt(2 * np.pi))
    share = moe.gate_.weights_
    density = share[0] * normal + share[1] / np.ptp(y)
    assert moe.log_likelihood_ == pytest.approx(np.log(density).sum(), abs=1e-8)
    np.testing.assert_allclose(moe.score_samples(x, y), np.log(density), rtol=1e-10)
    # At the optimum shares are mean responsibilities.
    np.testing.assert_allclose(moe.responsibilities(x, y).mean(axis=0), share, atol=1e-5)
    assert ((moe.responsibilities(x, y)[:, 1] > 0.5) == wild).mean() > 0.97
    assert line.coef_[0] == pytest.approx(2.0, abs=0.05)
    assert moe.n_parameters_ == 4
    assert (np.diff(moe.trace_) >= -1e-9).all()


def test_answers_are_those_of_the_mixture(stray):
    x, y, _ = stray
    moe = fit(x, y, UniformExpert(low=-10.0, high=10.0))
    line, share = moe.experts_[0], moe.gate_.weights_
    mean = line.intercept_ + x[:, 0] * line.coef_[0]
    np.testing.assert_allclose(moe.predict(x), share[0] * mean, atol=1e-10)
    _, std = moe.predict(x, return_std=True)
    second = share[0] * (line.scale_**2 + mean**2) + share[1] * 100.0 / 3.0
    np.testing.assert_allclose(std**2, second - (share[0] * mean) ** 2, rtol=1e-9)
    q = moe.predict_quantile(x, [0.02, 0.5, 0.98])
    for j, level in enumerate((0.02, 0.5, 0.98)):
        np.testing.assert_allclose(moe.predict_cdf(x, q[:, j]), level, rtol=1e-8)
    np.testing.assert_allclose(moe.predict_mode(x), mean, atol=1e-3)
    assert np.isfinite(moe.crps(x, y)).all()
    assert np.abs(moe.sample(x, 20, random_state=0)).max() < 12.0
    assert (moe.score_samples(x[:1], [50.0]) < -100.0).all()


@pytest.mark.parametrize("solver", ["em", "newton", "lbfgs", "squarem", "adam"])
def test_every_solver_bears_an_expert_without_parameters(stray, solver):
    x, y, _ = stray
    # How long the steps of Adam go to and fro before they end depends on the kernels of BLAS.
    moe = fit(x, y, UniformExpert(), solver=solver, gate="softmax", tol=1e-5, max_iter=2000)
    best = fit(x, y, UniformExpert(), gate="softmax")
    assert moe.log_likelihood_ == pytest.approx(best.log_likelihood_, abs=0.2)


def test_tables_and_errors_are_those_of_the_others(stray):
    x, y, _ = stray
    moe = fit(x, y, UniformExpert())
    result = moe.inference(x, y)
    assert np.isfinite(result.experts.std_error).all()
    owners = set(result.experts.index.get_level_values("expert"))
    assert owners == {"gaussianexpert"}
    assert "uniformexpert" in moe.summary()


def test_units_of_y_change_units_alone(stray):
    x, y, _ = stray
    moe, scaled = fit(x, y, UniformExpert()), fit(x, 1e3 + 100.0 * y, UniformExpert())
    assert scaled.log_likelihood_ == pytest.approx(
        moe.log_likelihood_ - 600 * np.log(100.0), abs=1e-4
    )


def test_background_of_positive_targets(stray):
    x, y, _ = stray
    moe = fit(x, np.exp(0.3 * y), UniformExpert(), LognormalExpert())
    assert np.isfinite(moe.log_likelihood_)


def test_names_and_blocks(stray):
    x, y, _ = stray
    named = MoERegressor(2, expert=["gaussian", "uniform"], random_state=0).fit(x, y)
    whole = fit(x, y, UniformExpert(), gate="softmax")
    blocks = [(x[i : i + 200], y[i : i + 200]) for i in (0, 200, 400)]
    read = MoERegressor(2, expert=["gaussian", "uniform"], random_state=0).fit_blocks(blocks)
    assert named.log_likelihood_ == pytest.approx(whole.log_likelihood_, abs=1e-3)
    assert read.log_likelihood_ == pytest.approx(whole.log_likelihood_, abs=1e-3)


@pytest.mark.parametrize(
    ("expert", "words"),
    [
        (UniformExpert(low=1.0, high=0.0), "low < high"),
        (UniformExpert(low=np.inf), "finite number"),
        (UniformExpert(low="a"), "finite number"),
        (UniformExpert(low=99.0), "without any width"),
    ],
    ids=str,
)
def test_ranges_without_sense_are_refused(stray, expert, words):
    x, y, _ = stray
    with pytest.raises(ValueError, match=words):
        fit(x, y, expert)


def test_a_background_of_counts_is_refused(stray):
    x, _, _ = stray
    with pytest.raises(ValueError, match="cannot be mixed"):
        fit(x, np.arange(600) % 5, UniformExpert(), PoissonExpert())


@pytest.mark.parametrize("shift", [1e6, -1e9, 1e15])
def test_y_stays_in_its_range_beside_a_large_shift(shift):
    rng = np.random.default_rng(0)
    y, expert = shift + rng.normal(size=50), UniformExpert()
    ends = [np.array([[end]]) for end in (y.min(), y.max())]
    params = UniformParams(*ends, np.empty((1, 0, 1)))
    unit, middle = np.array([max(y.std(), 1.0)]), np.array([y.mean()])
    told = expert.rescale(params, -middle / unit, 1.0 / unit)
    back = expert.rescale(told, middle, unit)
    for range_, seen in ((told, (y - middle) / unit), (back, y)):
        log = expert.forward(range_, None, seen[None]).log_prob
        assert np.isfinite(log).all()
    np.testing.assert_allclose(back.high - back.low, np.ptp(y), atol=1e-14 * abs(shift))
