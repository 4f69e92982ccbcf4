"""Features with long tails are bent where a component describes their densities."""

import numpy as np
import pytest
from scipy.stats import norm

from moe_classic._data.bends import Bends, bent_where_long
from moe_classic._data.moments import Parts
from moe_classic._data.units import slices_of


def bends_of(*columns, w=None):
    X = np.column_stack(columns)
    w = np.ones(len(X)) if w is None else w
    rows = slices_of(X, w)
    return bent_where_long(Parts(rows, lambda X: X, averaged=False), lambda: X)


@pytest.mark.parametrize("n", [9, 300, 5000])
@pytest.mark.parametrize("draw", ["normal", "uniform", "indicator", "rare", "count", "constant"])
def test_usual_columns_stay_as_they_are(draw, n):
    rng = np.random.default_rng(0)
    x = {
        "normal": lambda: rng.normal(size=n),
        "uniform": lambda: rng.uniform(size=n),
        "indicator": lambda: (rng.random(n) < 0.3).astype(float),
        "rare": lambda: (np.arange(n) == 3).astype(float),
        "count": lambda: rng.poisson(4.0, n).astype(float),
        "constant": lambda: np.full(n, 7.0),
    }[draw]()
    assert bends_of(x) is None


@pytest.mark.parametrize("n", [20, 300, 5000])
@pytest.mark.parametrize("draw", ["sentinel", "cauchy", "lognormal", "zeros"])
def test_long_tails_are_bent_until_nothing_is_far(draw, n):
    rng = np.random.default_rng(2)
    x = rng.normal(size=n)
    if draw == "sentinel":
        x[3] = -1e9
    elif draw == "cauchy":
        x = rng.standard_cauchy(n)
    elif draw == "lognormal":
        x = np.exp(2.5 * x)
    else:
        x = np.where(x < 0.2, 0.0, np.exp(2.0 * x))
    bends = bends_of(rng.normal(size=n), x)
    assert bends.places.tolist() == [1]
    bent = bends(np.c_[x, x])[:, 1]
    assert (np.diff(bent[np.argsort(x)]) >= 0.0).all()
    assert np.abs(bent - np.median(bent)).max() < 25.0
    assert np.abs(x - np.median(x)).max() > np.abs(bent - np.median(bent)).max()


def test_a_lognormal_column_is_bent_to_its_logarithm():
    x = np.random.default_rng(0).lognormal(1.0, 2.0, 2000)
    bent = bends_of(x)(x[:, None])[:, 0]
    # asinh(x / u) is log(2 x / u) up to (u / x)^2 / 4.
    assert np.corrcoef(bent, np.log(x))[0, 1] > 0.999


def test_the_likeliest_bend_is_taken():
    x = np.random.default_rng(1).standard_t(2.0, 800)
    found = bends_of(x)

    def height(u, slope):
        return norm.logpdf(u, u.mean(), u.std()).mean() + np.log(slope).mean()

    u = found(x[:, None])[:, 0]
    slope = 1.0 / (found.unit[0] * np.cosh(u))
    assert height(u, slope) > height(x, np.ones(800)) + 0.05


def test_bending_is_undone():
    bends = Bends(np.array([1.0, 0.0]), np.array([0.5, 0.0]))
    X = np.array([[1e8, 3.0], [-2.0, 4.0], [1.0, 5.0]])
    bent = bends(X)
    np.testing.assert_allclose(bent[:, 0], np.arcsinh((X[:, 0] - 1.0) / 0.5))
    np.testing.assert_array_equal(bent[:, 1], X[:, 1])
    np.testing.assert_allclose(bends.undone(bent), X, rtol=1e-12)
    assert bends.named(["a", "b"]) == ["asinh(a)", "b"]


def test_weights_are_repeated_rows():
    rng = np.random.default_rng(3)
    x, w = rng.standard_cauchy(200), rng.integers(1, 4, 200)
    a = bends_of(x, w=w.astype(float))
    b = bends_of(np.repeat(x, w))
    np.testing.assert_allclose([a.middle, a.unit], [b.middle, b.unit])
