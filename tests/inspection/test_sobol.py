"""Indices of functions whose indices are known."""

import numpy as np
import pytest
from scipy import stats

from moe_classic.inspection._sobol import (
    Empirical,
    Frozen,
    Normal,
    Uniform,
    WeightedLines,
    effect_rows,
    main_effects,
    sobol_indices,
    sobol_rows,
)

PI = np.pi


def ishigami(X):
    return np.sin(X[:, 0]) + 7.0 * np.sin(X[:, 1]) ** 2 + 0.1 * X[:, 2] ** 4 * np.sin(X[:, 0])


def test_ishigami_function():
    """Closed form of Homma & Saltelli (1996) with a = 7, b = 0.1."""
    inputs = [Uniform(-PI, PI)] * 3
    rows = sobol_rows(inputs, 4096, np.random.default_rng(0))
    found = sobol_indices(ishigami(rows)[None], 3)
    alone = 0.5 * (1.0 + 0.1 * PI**4 / 5.0) ** 2
    both = 0.01 * PI**8 * (1.0 / 18.0 - 1.0 / 50.0)
    middle = 49.0 / 8.0
    variance = alone + both + middle
    assert found.variance[0] == pytest.approx(variance, rel=0.005)
    assert found.mean[0] == pytest.approx(3.5, abs=0.02)
    first = np.array([alone, middle, 0.0]) / variance
    total = np.array([alone + both, middle, both]) / variance
    np.testing.assert_allclose(found.first[0], first, atol=0.01)
    np.testing.assert_allclose(found.total[0], total, atol=0.01)
    grid = np.linspace(-3.0, 3.0, 7)
    held = effect_rows(inputs, np.tile(grid, (3, 1)), np.random.default_rng(1))
    effects = main_effects(ishigami(held)[None], 3, 7)[0]
    exact = np.stack(
        [(1.0 + 0.1 * PI**4 / 5.0) * np.sin(grid), 7.0 * np.sin(grid) ** 2, 0.0 * grid]
    )
    np.testing.assert_allclose(effects, exact - exact.mean(axis=1, keepdims=True), atol=0.05)


def test_g_function():
    """Sobol' (1993), with coefficients 0, 1, 4.5 and 9."""
    a = np.array([0.0, 1.0, 4.5, 9.0])
    rows = sobol_rows([Uniform(0.0, 1.0)] * 4, 4096, np.random.default_rng(0))
    f = ((np.abs(4.0 * rows - 2.0) + a) / (1.0 + a)).prod(axis=1)
    found = sobol_indices(f[None], 4)
    own = 1.0 / (3.0 * (1.0 + a) ** 2)
    variance = np.prod(1.0 + own) - 1.0
    np.testing.assert_allclose(found.first[0], own / variance, atol=0.01)
    total = own * np.prod(1.0 + own) / (1.0 + own) / variance
    np.testing.assert_allclose(found.total[0], total, atol=0.01)


@pytest.mark.parametrize(
    ("one", "known"),
    [
        (Uniform(-1.0, 3.0), stats.uniform(-1.0, 4.0)),
        (Normal(2.0, 0.5), stats.norm(2.0, 0.5)),
        (Frozen(stats.beta(2.0, 3.0)), stats.beta(2.0, 3.0)),
    ],
)
def test_distributions_and_their_rules(one, known):
    assert one.mean == pytest.approx(known.mean())
    assert one.var == pytest.approx(known.var())
    u = np.linspace(0.05, 0.95, 5)
    np.testing.assert_allclose(one.ppf(u), known.ppf(u))
    x, w = one.rule(64)
    assert w.sum() == pytest.approx(1.0)
    assert w @ np.sin(x) == pytest.approx(known.expect(np.sin), abs=1e-6)


def test_values_that_were_seen():
    one = Empirical(np.array([3.0, 1.0, 2.0, 2.0]))
    assert (one.mean, one.var) == (2.0, 0.5)
    np.testing.assert_array_equal(one.ppf(np.array([0.1, 0.3, 0.6, 0.99])), [1.0, 2.0, 2.0, 3.0])
    x, w = one.rule(10)
    assert w @ x == 2.0
    assert one.rule(2)[0].size == 2


@pytest.mark.parametrize("seen", [[], [0], [1, 2]])
@pytest.mark.parametrize("kind", [Uniform(-1.0, 2.0), Normal(0.3, 1.2)])
def test_lines_with_weights_agree_with_sampling(seen, kind):
    rng = np.random.default_rng(len(seen))
    V, slopes, intercepts = rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)
    V[:, [j for j in range(3) if j not in seen]] = 0.0

    def weights(rows):
        g = np.exp(V @ rows.T)
        return g / g.sum(axis=0)

    lines = WeightedLines(weights, slopes, intercepts, np.array(seen, dtype=int))
    inputs = [kind, Uniform(0.0, 1.0), kind]

    def f(rows):
        return (weights(rows) * (intercepts[:, None] + slopes @ rows.T)).sum(axis=0)[None]

    exact = lines.indices(inputs)
    rows = sobol_rows(inputs, 1 << 14, np.random.default_rng(0))
    found = sobol_indices(f(rows), 3)
    for name in ("first", "total"):
        np.testing.assert_allclose(getattr(exact, name), getattr(found, name), atol=0.01)
    np.testing.assert_allclose(exact.mean, found.mean, atol=0.02)
    np.testing.assert_allclose(exact.variance, found.variance, rtol=0.02)
    grids = np.stack([m.ppf(np.linspace(0.1, 0.9, 5)) for m in inputs])
    held = effect_rows(inputs, grids, np.random.default_rng(1))
    np.testing.assert_allclose(lines.effects(inputs, grids), main_effects(f(held), 3, 5), atol=0.03)


def test_what_does_not_vary_has_no_shares():
    rows = sobol_rows([Uniform(1.0, 1.0)] * 2, 64, np.random.default_rng(0))
    found = sobol_indices(np.full((1, len(rows)), 5.0), 2)
    assert not found.first.any()
    assert not found.total.any()
