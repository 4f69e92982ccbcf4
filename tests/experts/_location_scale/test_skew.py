"""Skew-normal and skew-t experts: densities, fits, nesting, and what happens at slant 0."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import minimize, minimize_scalar

from moe_classic import MoERegressor
from moe_classic._data.stats import summarise
from moe_classic.experts import (
    GaussianExpert,
    SkewNormalExpert,
    SkewTExpert,
    StudentTExpert,
)
from moe_classic.experts._location_scale.skew import MOST_SLANT
from moe_classic.experts._location_scale.student_tail import StudentTail
from moe_classic.solvers import EM, Adam

from ..steps import make_design, statistics

BOTH = [SkewNormalExpert, SkewTExpert]
each = pytest.mark.parametrize("expert", BOTH, ids=lambda cls: cls.name)


def leaning(n, slant, rng, df=None):
    """Skew noise with scale 1."""
    delta = slant / np.hypot(1.0, slant)
    noise = delta * np.abs(rng.standard_normal(n))
    noise += np.sqrt(1.0 - delta**2) * rng.standard_normal(n)
    return noise if df is None else noise / np.sqrt(rng.chisquare(df, n) / df)


def log_density(z, slant, df=None):
    """Azzalini & Capitanio (2003), equation 24, or the skew-normal, by scipy."""
    if df is None:
        return stats.skewnorm.logpdf(z, slant)
    m = slant * z * np.sqrt((df + 1.0) / (df + z**2))
    return np.log(2.0) + stats.t.logpdf(z, df) + stats.t.logcdf(m, df + 1.0)


@pytest.fixture
def lines(rng):
    """A line with skew-t noise, and weights."""
    x = rng.standard_normal((500, 1))
    y = 1.0 - 2.0 * x[:, 0] + 0.5 * leaning(500, 3.0, rng, 5.0)
    return x, y, rng.uniform(0.2, 3.0, 500)


def record(expert, slant, df=5.0, scale=0.7):
    """Parameters of one expert without features at location 1."""
    start = expert.start(1, 1, summarise(np.array([[0.0, 1.0, 2.0]]), np.ones(3)))
    own = {"df": np.array([[df]])} if expert.name == "skew_t" else {}
    return replace(start, scale=np.array([[scale]]), slant=np.array([[slant]]), **own)


@pytest.mark.parametrize("slant", [-30.0, -1.0, 0.0, 0.3, 5.0, 100.0])
@pytest.mark.parametrize("df", [None, 1.5, 4.0, 60.0])
def test_density_is_that_of_the_papers(slant, df):
    expert = SkewNormalExpert() if df is None else SkewTExpert(df=df)
    params = record(expert, slant, df)
    z = np.linspace(-8.0, 8.0, 81)
    y = 1.0 + 0.7 * z[None]
    found = expert.log_prob(params, make_design(np.empty((0, 81))), y)[0]
    known = log_density(z, slant, df) - np.log(0.7)
    ok = np.isfinite(known) & (known > -500.0)
    assert ok.sum() > 40
    np.testing.assert_allclose(found[ok], known[ok], rtol=1e-10, atol=1e-10)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("df", [1.7, 3.0, 12.0, 500.0, 1e6])
def test_log_of_students_distribution_function_and_its_derivatives(df):
    m = np.linspace(-35.0, 35.0, 701)[None]

    def at(f):
        return StudentTail.of(np.array([[f]])).logs(m)

    here, known = at(df), stats.t.logcdf(m, df)
    ok = known > -300.0
    # scipy loses digits of t at a million degrees of freedom.
    np.testing.assert_allclose(here.value[ok], known[ok], rtol=1e-9 if df > 1e5 else 1e-11)
    step = 1e-3 * df
    first, second = here.df_slopes()
    size = np.abs(first).max()
    slope = (at(df + step).value - at(df - step).value) / (2.0 * step)
    np.testing.assert_allclose(first, slope, atol=1e-5 * size)
    np.testing.assert_array_equal(first, here.df_slope())
    bend = (at(df + step).df_slope() - at(df - step).df_slope()) / (2.0 * step)
    np.testing.assert_allclose(second, bend, atol=1e-4 * np.abs(second).max())


@pytest.mark.parametrize("m", [-1e3, -1e5, -1e12])
def test_far_tails_stay_finite(m):
    expert = SkewNormalExpert()
    params = record(expert, 1.0, scale=1.0)
    fwd = expert.forward(params, make_design(np.empty((0, 1))), np.array([[1.0 + m]]))
    assert fwd.work[3].item() == pytest.approx(-m - 1.0 / m, rel=1e-9)
    logs = StudentTail.of(np.array([[3.0]])).logs(np.array([[m]]))
    # t tails: T(m) = 2 sqrt(3) / (pi |m|^3), t / T = 3 / |m|.
    assert logs.value.item() == pytest.approx(np.log(2.0 * np.sqrt(3.0) / np.pi) - 3 * np.log(-m))
    assert logs.ratio.item() == pytest.approx(-3.0 / m, rel=1e-4)


def most_likely(x, y, w, *, df=None, heavy=False):
    """The log-likelihood of a line that a general optimiser reaches on scipy's densities."""

    def loss(theta):
        z = (y - theta[0] - theta[1] * x[:, 0]) / np.exp(theta[2])
        v = np.exp(theta[4]) if heavy else None
        return -w @ (log_density(z, theta[3], v) - theta[2])

    starts = [[0.8, -2.0, -0.7, s, *([1.5] if heavy else [])] for s in (-2.0, 2.0)]
    return max(-minimize(loss, s, method="BFGS", options={"gtol": 1e-3}).fun for s in starts)


@each
def test_one_expert_is_as_likely_as_direct_optimisation_finds(expert, lines):
    x, y, w = lines
    moe = MoERegressor(1, expert=expert(), tol=1e-10, max_iter=5000).fit(x, y, sample_weight=w)
    known = most_likely(x, y, w, heavy=expert is SkewTExpert)
    assert moe.log_likelihood_ == pytest.approx(known, abs=1e-4)
    z = (y - moe.experts_[0].intercept_ - x[:, 0] * moe.experts_[0].coef_[0]) / moe.experts_[
        0
    ].scale_
    df = moe.experts_[0].df_ if expert is SkewTExpert else None
    terms = log_density(z, moe.experts_[0].slant_, df) - np.log(moe.experts_[0].scale_)
    assert moe.log_likelihood_ == pytest.approx(w @ terms, rel=1e-9)


@pytest.mark.parametrize("slant", [-4.0, 0.5, 20.0])
@pytest.mark.parametrize("df", [None, 2.5, 7.0])
def test_distribution_moments_and_quantiles(slant, df):
    expert = SkewNormalExpert() if df is None else SkewTExpert(df=df)
    params, design = record(expert, slant, df), make_design(np.empty((0, 5)))

    def integral(f, low, high):
        return quad(lambda z: f(z) * np.exp(log_density(z, slant, df)), low, high, limit=200)[0]

    z = np.array([-2.0, -0.4, 0.1, 0.9, 3.0])
    below = [integral(lambda z: 1.0, -np.inf, end) for end in z]
    found = expert.cdf(params, design, np.broadcast_to(1.0 + 0.7 * z, (1, 1, 5)))[0, 0]
    np.testing.assert_allclose(found, below, atol=1e-8)
    q = np.array([1e-4, 0.1, 0.5, 0.9, 0.9999])
    back = expert.cdf(params, design, expert.quantile(params, design, q[None, None]))
    np.testing.assert_allclose(back[0, 0], q, rtol=1e-9)
    mean = integral(lambda z: z, -np.inf, 0.0) + integral(lambda z: z, 0.0, np.inf)
    assert expert.mean(params, design)[0, 0, 0] == pytest.approx(1.0 + 0.7 * mean, abs=1e-6)
    if df is None:
        variance = stats.skewnorm.var(slant)
        assert expert.variance(params, design)[0, 0, 0] == pytest.approx(0.49 * variance)


@pytest.mark.parametrize("df", [0.8, 2.0])
def test_moments_that_do_not_exist(df):
    expert = SkewTExpert(df=df)
    params, design = record(expert, 2.0, df), make_design(np.empty((0, 2)))
    assert np.isposinf(expert.variance(params, design)).all()
    if df <= 1.0:
        np.testing.assert_array_equal(expert.mean(params, design), 1.0)


def test_mode_and_crps_of_one_expert(rng):
    x = rng.standard_normal((400, 1))
    y = x[:, 0] + leaning(400, 6.0, rng)
    moe = MoERegressor(1, expert=SkewNormalExpert()).fit(x, y)
    fit = moe.experts_[0]
    at = fit.intercept_ + fit.coef_[0] * 0.3
    law = stats.skewnorm(fit.slant_, at, fit.scale_)
    mode = minimize_scalar(lambda v: -law.pdf(v), bounds=(at - 1.0, at + 2.0), method="bounded").x
    assert moe.predict_mode([[0.3]])[0] == pytest.approx(mode, abs=1e-4)
    score = quad(lambda v: (law.cdf(v) - (v >= 0.5)) ** 2, -8.0, 0.5)[0]
    score += quad(lambda v: (law.cdf(v) - 1.0) ** 2, 0.5, 10.0)[0]
    assert moe.crps([[0.3]], [0.5])[0] == pytest.approx(score, abs=1e-6)
    drawn = moe.sample([[0.3]] * 4000, random_state=0)
    assert stats.kstest(drawn, law.cdf).pvalue > 1e-3


# ------------------------------------------------------------------------- nesting


def two_sided(seed, df=None):
    """Two lines whose noise leans apart."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2.0, 2.0, (250, 1))
    left = x[:, 0] < 0.0
    noise = np.where(left, leaning(250, 4.0, rng, df), leaning(250, -1.0, rng, df))
    return x, np.where(left, 1.0 + x[:, 0], 2.0 - 3.0 * x[:, 0]) + 0.5 * noise


#: Starts need not find the best hill: that of the smaller family is a start of the larger.
FEW = {"n_init": 2, "random_state": 0}


@pytest.mark.parametrize("df", [None, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_larger_families_are_never_less_likely(seed, df):
    x, y = two_sided(seed, df)
    heights = {
        cls.name: MoERegressor(2, expert=cls(), **FEW).fit(x, y).log_likelihood_
        for cls in (GaussianExpert, StudentTExpert, SkewNormalExpert, SkewTExpert)
    }
    assert heights["skew_normal"] >= heights["gaussian"] - 1e-9
    # Its limit of many degrees of freedom is 1e8, not infinity.
    assert heights["skew_t"] >= heights["skew_normal"] - 1e-5
    assert heights["skew_t"] >= heights["student_t"] - 1e-9


@pytest.mark.filterwarnings(
    "ignore:The fit stopped after max_iter:sklearn.exceptions.ConvergenceWarning"
)
def test_solvers_that_may_fall_do_not_end_below_the_nested_fit():
    x, y = two_sided(0)
    solver = Adam(learning_rate=0.2, batch_size=32)
    fits = [
        MoERegressor(2, expert=cls(), solver=solver, max_iter=8, tol=1e-2, random_state=0).fit(x, y)
        for cls in (GaussianExpert, SkewNormalExpert)
    ]
    assert fits[1].log_likelihood_ >= fits[0].log_likelihood_ - 1e-9


def test_starts_from_nested_fits_are_reported():
    x, y = two_sided(0)
    report = MoERegressor(2, expert=SkewTExpert(), random_state=0).fit(x, y).start_report_
    assert {"fit of student_t", "fit of skew_normal"} <= set(report.strategy)
    assert report.index.is_unique
    assert (report.optimum == 1).any()
    assert report.objective.is_monotonic_decreasing


@each
def test_trace_never_falls(expert):
    x, y = two_sided(1, 4.0)
    moe = MoERegressor(2, expert=expert(), solver=EM(finish=None), random_state=0).fit(x, y)
    assert len(moe.trace_) > 2
    assert (np.diff(moe.trace_) >= 0.0).all()


# ------------------------------------------------------------------------- slant 0


def test_slant_zero_is_stationary_and_its_information_singular(rng):
    x = rng.standard_normal((300, 1))
    y = x[:, 0] + leaning(300, 1.0, rng)
    design = make_design(x.T)
    normal = MoERegressor(1, expert=GaussianExpert(), standardize=False).fit(x, y).experts_[0]
    expert = SkewNormalExpert()
    coef = np.array([[[normal.coef_[0], normal.intercept_]]])
    params = expert.from_nested(
        replace(record(expert, 0.0), coef=coef, scale=np.array([[normal.scale_]]))
    )
    S = np.ones((1, 300))
    np.testing.assert_allclose(expert.gradient(params, design, y[None], S), 0.0, atol=1e-4)
    first, _ = expert.derivatives(params, expert.forward(params, design, y[None]), y[None])
    scores = np.vstack([first[0, 0] * design.Z, first[0, 1:]])
    information = scores @ scores.T
    assert np.linalg.cond(information) > 1e12
    new = expert.update(
        params, statistics(expert, params, design, y[None], S), summarise(y[None], S[0])
    )
    assert new.slant.item() > 0.3


def test_a_small_slant_on_the_wrong_side_changes_sides(rng):
    x = rng.standard_normal((500, 1))
    y = x[:, 0] + leaning(500, 5.0, rng)
    design, S = make_design(x.T), np.ones((1, 500))
    expert, summary = SkewNormalExpert(), summarise(y[None], S[0])
    params = expert.start(1, 2, summary)
    params = replace(params, coef=np.array([[[1.0, y.mean()]]]), slant=np.array([[-0.1]]))
    for _ in range(8):
        params = expert.update(params, statistics(expert, params, design, y[None], S), summary)
    assert params.slant.item() > 2.0


def test_half_normal_noise_ends_at_the_largest_slant(rng):
    x = rng.standard_normal((200, 1))
    y = x[:, 0] + np.abs(rng.standard_normal(200))
    moe = MoERegressor(1, expert=SkewNormalExpert(), max_iter=5000).fit(x, y)
    assert 20.0 < moe.experts_[0].slant_ <= MOST_SLANT


def test_inference_says_that_no_information_is_left_near_zero(rng):
    x, notes = rng.standard_normal((400, 1)), []
    for slant in (0.2, 6.0):
        y = x[:, 0] + leaning(400, slant, rng)
        moe = MoERegressor(1, expert=SkewNormalExpert(), tol=1e-9, max_iter=5000).fit(x, y)
        assert (moe.experts_[0].slant_ > 1.0) == (slant > 1.0)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            table = moe.inference(x, y).table
        notes.append(
            (table.xs("slant", level="term").note.item(), [str(c.message) for c in caught])
        )
    assert "information is singular" in notes[0][0]
    assert any("information is singular" in text for text in notes[0][1])
    assert notes[1] == ("", [])


# ------------------------------------------------------------------------- arguments


@pytest.mark.parametrize("df", [0.0, -1.0, np.nan, np.inf, "many", 1e10])
def test_impossible_df_is_refused(df):
    with pytest.raises(ValueError, match="SkewTExpert: df=") as caught:
        SkewTExpert(df=df).check()
    assert f"df={df!r}" in str(caught.value)


@pytest.mark.parametrize("bounds", [(3.0, 2.0), (0.0, 5.0), (1.0,), (1.0, np.inf), None, "ab"])
def test_impossible_df_bounds_are_refused(bounds):
    with pytest.raises(ValueError, match="0 < low < high") as caught:
        SkewTExpert(df_bounds=bounds).check()
    assert f"df_bounds={bounds!r}" in str(caught.value)


@each
def test_several_outputs_are_refused(expert, rng):
    with pytest.raises(ValueError, match="describes one output, y has 2"):
        expert().bind(summarise(rng.standard_normal((2, 9)), np.ones(9)))


def test_given_df_is_not_a_parameter():
    summary = summarise(np.arange(5.0)[None], np.ones(5))
    for expert, extra in ((SkewNormalExpert(), 2), (SkewTExpert(), 3), (SkewTExpert(df=3.0), 2)):
        assert expert.n_parameters(expert.start(4, 3, summary)) == 4 * (3 + extra)


@each
def test_blocks_of_rows_are_fitted_with_the_families_inside(expert):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(600, 1))
    y = 1.0 + 2.0 * x[:, 0] + leaning(600, 3.0, rng, df=8.0)
    moe = MoERegressor(1, expert=expert(), n_init=2, random_state=0)
    whole = moe.fit(x, y).log_likelihood_
    blocks = [(x[i : i + 200], y[i : i + 200]) for i in range(0, 600, 200)]
    assert moe.fit_blocks(blocks).log_likelihood_ == pytest.approx(whole, abs=1e-3)
    assert moe.start_report_.strategy.str.startswith("fit of").any()


@each
def test_a_sum_of_squares_below_zero_by_rounding_gives_numbers(rng, expert):
    x = rng.standard_normal((50, 1))
    y = x[:, 0] + leaning(50, 5.0, rng)
    design, S = make_design(x.T), np.ones((1, 50))
    expert, summary = expert(), summarise(y[None], S[0])
    params = expert.start(1, 2, summary)
    stats_ = statistics(expert, params, design, y[None], S)
    with np.errstate(all="raise", under="ignore"):
        new = expert.update(params, replace(stats_, square=np.full(1, -1e-300)), summary)
    assert np.isfinite([new.scale.item(), new.slant.item()]).all()


def test_distribution_at_numbers_whose_squares_overflow():
    expert = SkewTExpert(df=3.0)
    params, design = record(expert, 2.0, 3.0), make_design(np.empty((0, 2)))
    ends = np.array([[[-1e200, 1e200]]])
    np.testing.assert_array_equal(expert.cdf(params, design, ends)[0, 0], [0.0, 1.0])


@each
@pytest.mark.parametrize("unit", [1e-150, 1e140])
def test_units_whose_cubes_overflow_or_vanish_change_nothing(expert, unit):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((60, 1))
    y = x[:, 0] + leaning(60, 4.0, rng)
    one, other = (
        MoERegressor(1, expert=expert(), standardize=False, tol=1e-10).fit(x, y * u)
        for u in (1.0, unit)
    )
    assert one.experts_[0].slant_ > 1.0
    assert other.experts_[0].slant_ == pytest.approx(one.experts_[0].slant_, rel=1e-2)
    np.testing.assert_allclose(other.predict(x) / unit, one.predict(x), rtol=1e-4, atol=1e-5)
