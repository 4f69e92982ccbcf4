"""Student-t experts: robust regression with given or estimated degrees of freedom."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize

from moe_classic._data.stats import Summary, summarise
from moe_classic.experts import GaussianExpert, StudentTExpert

from ..steps import fit, make_design, statistics, update


@pytest.fixture
def heavy(rng):
    """A line in one feature with t noise of 3 degrees of freedom, and weights."""
    x = rng.standard_normal((1, 300))
    y = 1.0 - 2.0 * x + 0.5 * rng.standard_t(3.0, size=(1, 300))
    return make_design(x), y, rng.uniform(0.2, 3.0, 300)


def most_likely(design, y, w, *, df=None):
    """Slope, intercept, scale and df by a general optimiser on scipy's density."""

    def loss(theta):
        v = df if df is not None else np.exp(theta[3])
        return -w @ stats.t.logpdf(y[0], v, theta[:2] @ design.Z, np.exp(theta[2]))

    start = np.array([-2.0, 1.0, np.log(0.5), *([] if df is not None else [np.log(3.0)])])
    best = minimize(loss, start, method="BFGS", options={"gtol": 1e-4}).x
    return np.r_[best[:2], np.exp(best[2:])]


def test_fit_with_given_df_is_the_most_likely_one(heavy):
    design, y, w = heavy
    params, _ = fit(StudentTExpert(df=3.0), design, y, w, times=200)
    found = np.r_[params.coef[0, 0], params.scale.item()]
    # The general optimiser differentiates numerically.
    np.testing.assert_allclose(found, most_likely(design, y, w, df=3.0), rtol=1e-5)
    assert params.df.item() == 3.0


def test_fit_with_free_df_is_the_most_likely_one(heavy):
    design, y, w = heavy
    params, _ = fit(StudentTExpert(), design, y, w, times=200)
    found = np.r_[params.coef[0, 0], params.scale.item(), params.df.item()]
    np.testing.assert_allclose(found, most_likely(design, y, w), rtol=1e-4)


def test_log_density_is_that_of_the_t_distribution(heavy):
    design, y, w = heavy
    params, _ = fit(StudentTExpert(), design, y, w)
    expected = stats.t.logpdf(
        y[0], params.df.item(), params.coef[0, 0] @ design.Z, params.scale.item()
    )
    np.testing.assert_allclose(
        StudentTExpert().log_prob(params, design, y)[0], expected, rtol=1e-10
    )


def test_huge_df_is_the_gaussian_expert(heavy):
    design, y, w = heavy
    t, _ = fit(StudentTExpert(df=1e9), design, y, w, times=3)
    normal, _ = fit(GaussianExpert(), design, y, w)
    # The t density differs from the normal one by terms z^4 / df.
    np.testing.assert_allclose(t.coef, normal.coef, rtol=1e-6)
    np.testing.assert_allclose(t.scale, normal.scale, rtol=1e-6)
    log_prob = StudentTExpert(df=1e9).log_prob(t, design, y)
    np.testing.assert_allclose(
        log_prob, GaussianExpert().log_prob(normal, design, y), rtol=1e-5, atol=1e-5
    )


def test_scale_divides_by_the_latent_weights(heavy):
    design, y, w = heavy
    expert, summary = StudentTExpert(df=4.0), summarise(y, w)
    start = expert.start(1, 2, summary)
    u = 5.0 / (4.0 + ((y[0] - start.coef[0, 0, -1]) / start.scale.item()) ** 2)
    root = np.sqrt(w * u)
    coef = np.linalg.lstsq((design.Z * root).T, y[0] * root, rcond=None)[0]
    e = y[0] - coef @ design.Z
    new = update(expert, start, design, y, w[None], summary)
    np.testing.assert_allclose(new.coef[0, 0], coef, rtol=1e-10)
    # Kent, Tyler & Vardi (1994): by the sum of the weights times u, not of the weights.
    assert new.scale.item() ** 2 == pytest.approx((w * u) @ e**2 / (w @ u), rel=1e-10)


def test_df_goes_to_its_upper_bound_when_tails_are_light(rng):
    x = rng.standard_normal((1, 200))
    y = x + rng.uniform(-1.0, 1.0, (1, 200))
    params, _ = fit(StudentTExpert(df_bounds=(2.0, 50.0)), make_design(x), y, times=100)
    assert params.df.item() == 50.0


def test_df_goes_to_its_lower_bound_when_tails_are_heavy(rng):
    x = rng.standard_normal((1, 400))
    y = x + rng.standard_t(1.0, (1, 400))
    params, _ = fit(StudentTExpert(df_bounds=(2.0, 50.0)), make_design(x), y, times=100)
    assert params.df.item() == 2.0


def test_every_expert_has_a_df_of_its_own(rng):
    x = rng.standard_normal((1, 2000))
    side = np.arange(2000) % 2
    noise = np.where(side, rng.standard_t(3.0, 2000), rng.standard_t(30.0, 2000))
    design, y, w = make_design(x), (x + noise), np.ones(2000)
    expert, summary = StudentTExpert(), summarise(y, w)
    S = np.stack([1.0 - side, side])
    params = update(expert, expert.start(2, 2, summary), design, y, S, summary, times=100)
    assert params.df[0, 0] > 10.0
    # The standard error of an estimated df of 3 from 1000 rows is about .3.
    assert params.df[1, 0] == pytest.approx(3.0, abs=1.0)


def test_start_takes_df_from_the_middle_of_the_allowed_range():
    summary = Summary(10.0, np.zeros(1), np.ones(1))
    assert StudentTExpert(df=7.0).start(2, 1, summary).df.tolist() == [[7.0], [7.0]]
    assert StudentTExpert().start(1, 1, summary).df.item() == 4.0
    assert StudentTExpert(df_bounds=(10.0, 30.0)).start(1, 1, summary).df.item() == 10.0
    assert StudentTExpert(df_bounds=(0.5, 3.0)).start(1, 1, summary).df.item() == 3.0


def test_given_df_is_not_a_parameter():
    summary = Summary(10.0, np.zeros(1), np.ones(1))
    for expert, extra in ((StudentTExpert(), 2), (StudentTExpert(df=3.0), 1)):
        assert expert.n_parameters(expert.start(4, 3, summary)) == 4 * (3 + extra)


def test_given_df_costs_no_sums_for_its_derivatives(heavy):
    design, y, w = heavy
    expert, summary = StudentTExpert(df=3.0), summarise(y, w)
    stats_ = statistics(expert, expert.start(1, 2, summary), design, y, w[None])
    assert not stats_.df_first.any()
    assert not stats_.df_second.any()


@pytest.mark.parametrize("df", [0.7, 2.0])
def test_variance_is_infinite_when_it_does_not_exist(heavy, df):
    design, y, w = heavy
    expert = StudentTExpert(df=df)
    params, _ = fit(expert, design, y, w)
    assert np.isposinf(expert.variance(params, design)).all()
    np.testing.assert_array_equal(expert.mean(params, design), expert.location(params, design))


def test_gross_outlier_is_ignored(heavy):
    design, y, w = heavy
    expert = StudentTExpert(df=3.0)
    clean, _ = fit(expert, design, y, w, times=100)
    wild = y.copy()
    wild[0, 0] = 1e7
    robust, _ = fit(expert, design, wild, w, times=100)
    # One row in 300 moves the line by a fraction of its standard error, .04.
    np.testing.assert_allclose(robust.coef, clean.coef, atol=0.03)


@pytest.mark.parametrize("df", [0.0, -1.0, np.nan, np.inf, "many", [3.0]])
def test_impossible_df_is_refused(df):
    with pytest.raises(ValueError, match=r"StudentTExpert: df=.* must be > 0 and finite") as caught:
        StudentTExpert(df=df).check()
    assert f"df={df!r}" in str(caught.value)


@pytest.mark.parametrize(
    "bounds", [(3.0, 2.0), (0.0, 5.0), (1.0,), (1.0, np.inf), (1.0, "x"), None, 5.0, "ab"]
)
def test_impossible_df_bounds_are_refused(bounds):
    with pytest.raises(ValueError, match="0 < low < high") as caught:
        StudentTExpert(df_bounds=bounds).check()
    assert f"df_bounds={bounds!r}" in str(caught.value)


def test_several_outputs_are_refused(rng):
    with pytest.raises(ValueError, match="StudentTExpert describes one output, y has 2"):
        StudentTExpert().bind(summarise(rng.standard_normal((2, 9)), np.ones(9)))


def test_translated_sums_foretell_the_slope_in_df(heavy):
    design, y, w = heavy
    expert = StudentTExpert()
    params, _ = fit(expert, design, y, w)
    start = statistics(expert, params, design, y, w[None])
    misses = []
    for step in (0.1, 0.05):
        new = replace(params, df=params.df * np.exp(step))
        moved = expert.translate(start, params, new)
        true = statistics(expert, new, design, y, w[None])
        misses.append(abs((moved.df_first - true.df_first) * new.df).item())
    # Second order: half the step leaves a quarter of the error.
    assert misses[1] < 0.3 * misses[0]
