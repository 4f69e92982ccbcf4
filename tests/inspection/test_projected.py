"""Indices of lines under a softmax of many normal features, against other ways to them."""

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy import stats
from scipy.special import softmax

from moe_classic import MoERegressor
from moe_classic.gates import GaussianGate
from moe_classic.inspection import sensitivity
from moe_classic.inspection._projected import ProjectedLines, believed
from moe_classic.inspection._sobol import (
    Empirical,
    Frozen,
    Normal,
    Uniform,
    WeightedLines,
    main_effects,
    sampling_errors,
    sobol_indices,
    sobol_rows,
)


class Mixture:
    """Lines under a softmax, of given steepness."""

    def __init__(self, K, p, steep, seed=0):
        rng = np.random.default_rng(seed)
        self.V, self.c = steep * rng.standard_normal((K, p)), rng.standard_normal(K)
        self.b, self.a = rng.standard_normal((K, p)), rng.standard_normal(K)
        self.inputs = [Normal(0.3 * j - 0.5, 1.0 + 0.2 * j) for j in range(p)]

    def weights(self, rows):
        return softmax(self.V @ rows.T + self.c[:, None], axis=0)

    def __call__(self, rows):
        return (self.weights(rows) * (self.a[:, None] + self.b @ rows.T)).sum(axis=0)

    def projected(self, inputs=None):
        return ProjectedLines.of(self.weights, self.b, self.a, inputs or self.inputs)

    def on_a_grid(self, n):
        """Indices by Gauss-Hermite rules in all features at once."""
        x, w = hermegauss(n)
        w = w / w.sum()
        p = len(self.inputs)
        mesh = np.meshgrid(*[m.mean + m.sd * x for m in self.inputs], indexing="ij")
        f = self(np.column_stack([m.ravel() for m in mesh])).reshape((n,) * p)

        def over(values, axes):
            for axis in sorted(axes, reverse=True):
                values = np.tensordot(values, w, (axis, 0))
            return values

        mean, every = over(f, range(p)), set(range(p))
        variance = over((f - mean) ** 2, range(p))
        first = [over((over(f, every - {i}) - mean) ** 2, [0]) for i in range(p)]
        total = [
            over(over(f**2, [i]) - over(f, [i]) ** 2, range(p - 1)) for i in range(p)
        ]  # E Var(f | all but x_i)
        return np.array(first) / variance, np.array(total) / variance, mean, variance


@pytest.mark.parametrize(("K", "steep"), [(2, 0.6), (3, 0.4)])
def test_indices_are_those_of_a_rule_in_all_features(K, steep):
    f = Mixture(K, 3, steep)
    found = f.projected().indices(f.inputs)
    first, total, mean, variance = f.on_a_grid(60)
    np.testing.assert_allclose(found.first[0], first, atol=1e-7)
    np.testing.assert_allclose(found.total[0], total, atol=1e-7)
    assert found.mean[0] == pytest.approx(mean, abs=1e-7)
    assert found.variance[0] == pytest.approx(variance, rel=1e-7)
    assert found.errors.shape == (2, 1, 3)
    assert found.errors.max() < 1e-7


@pytest.mark.parametrize(("K", "p", "steep"), [(2, 8, 2.0), (2, 5, 10.0), (3, 6, 1.0)])
def test_indices_are_those_of_quasi_monte_carlo(K, p, steep):
    f = Mixture(K, p, steep)
    found = f.projected().indices(f.inputs)
    rows = sobol_rows(f.inputs, 2**14, np.random.default_rng(0))
    values = f(rows)[None]
    other, errors = sobol_indices(values, p), sampling_errors(values, p)
    gap = np.abs([found.first - other.first, found.total - other.total])
    assert (gap < 4.0 * errors + 1e-3).all()
    assert gap.max() < 0.03


def test_lines_in_one_feature_are_those_of_the_rule_for_one_feature():
    f = Mixture(2, 4, 1.5)
    f.V[:, [0, 2, 3]] = 0.0
    known = WeightedLines(f.weights, f.b, f.a, np.array([1]))
    grids = np.linspace(-1.0, 1.0, 5) + np.zeros((4, 1))
    # Features that the gate does not see may be of any distribution.
    inputs = [Uniform(-1.0, 2.0), f.inputs[1], Empirical(np.array([0.0, 1.0, 5.0])), f.inputs[3]]
    one, other = f.projected(inputs).indices(inputs), known.indices(inputs)
    np.testing.assert_allclose(one.first, other.first, atol=1e-10)
    np.testing.assert_allclose(one.total, other.total, atol=1e-10)
    assert one.variance[0] == pytest.approx(other.variance[0], rel=1e-10)
    effects = [lines.effects(inputs, grids) for lines in (f.projected(inputs), known)]
    np.testing.assert_allclose(*effects, atol=1e-10)


def test_main_effects_are_averages_over_the_other_features():
    f = Mixture(2, 5, 1.0)
    grids = np.stack([m.ppf(np.array([0.1, 0.4, 0.9])) for m in f.inputs])
    rng = np.random.default_rng(0)
    base = np.column_stack([m.mean + m.sd * rng.standard_normal(200_000) for m in f.inputs])
    values = []
    for j, grid in enumerate(grids):
        for value in grid:
            base[:, j], kept = value, base[:, j].copy()
            values.append(f(base))
            base[:, j] = kept
    told = main_effects(np.concatenate(values)[None], 5, 3)
    np.testing.assert_allclose(f.projected().effects(f.inputs, grids), told, atol=0.03)


def test_equal_experts_are_one_line():
    f = Mixture(3, 4, 1.0)
    f.b[:], f.a[:] = f.b[0], f.a[0]
    found = f.projected().indices(f.inputs)
    share = (f.b[0] * [m.sd for m in f.inputs]) ** 2
    np.testing.assert_allclose(found.first[0], share / share.sum(), atol=1e-12)
    np.testing.assert_allclose(found.total, found.first, atol=1e-12)


def test_what_is_no_softmax_of_few_lines_of_normal_features_is_left_to_others():
    f = Mixture(2, 4, 1.0)
    uniform = [Uniform(-1.0, 1.0), *f.inputs[1:]]
    assert f.projected(uniform) is None
    assert f.projected([Frozen(stats.norm(m.mean, m.sd)) for m in f.inputs]) is not None
    assert Mixture(4, 4, 1.0).projected() is None

    def bent(rows):
        return softmax(np.stack([rows[:, 0] ** 2, rows[:, 1]]), axis=0)

    assert ProjectedLines.of(bent, f.b, f.a, f.inputs) is None


def test_standard_errors_of_sampling_cover_what_they_are_errors_of():
    f = Mixture(2, 4, 1.0)
    known = f.projected().indices(f.inputs)
    inside = []
    for seed in range(10):
        rows = sobol_rows(f.inputs, 1024, np.random.default_rng(seed))
        values = f(rows)[None]
        found, errors = sobol_indices(values, 4), sampling_errors(values, 4)
        gap = np.abs([found.first - known.first, found.total - known.total])
        inside.append(gap <= 2.0 * errors)
    # Rather too large: more than the 95 in 100 of independent rows.
    assert np.mean(inside) > 0.9
    assert sampling_errors(values[:, : 6 * 16], 4) is None


@pytest.fixture(scope="module")
def fits():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 4))
    side = X[:, 0] + X[:, 1] + 0.5 * X[:, 2] + 0.7 * rng.standard_normal(400) > 0.0
    y = np.where(side, 2.0 * X[:, 3] + 1.0, -X[:, 3] - 1.0) + 0.3 * rng.standard_normal(400)
    tied = GaussianGate(covariance_type="tied")
    own = {"n_init": 2, "random_state": 0}
    return X, y, [MoERegressor(2, gate=gate, **own).fit(X, y) for gate in ("softmax", tied)]


def test_gates_of_more_than_two_features_are_exact_over_normal_inputs(fits):
    X, y, models = fits
    for moe in models:
        exact = sensitivity(moe, X, inputs="normal")
        sampled = sensitivity(moe, X, inputs="normal", method="qmc", n_samples=2**13)
        assert exact.method == "exact"
        assert exact.errors.to_numpy().max() < 1e-4
        assert sampled.errors.index.equals(exact.table.index)
        assert ((exact.table - sampled.table).abs() < 4.0 * sampled.errors + 1e-3).all(axis=None)
        assert sensitivity(moe, X).method == "qmc"
    ends = sensitivity(models[0], X, y, inputs="normal").table
    assert (ends.first_order_low <= ends.first_order).all()
    assert (ends.total <= ends.total_high).all()


def test_steep_gates_of_three_experts_are_sampled_unless_asked_for(fits):
    X, _, _ = fits
    f = Mixture(3, 4, 60.0)
    assert not believed(f.projected().indices(f.inputs))
    moe = MoERegressor(2, gate=GaussianGate(), n_init=2, random_state=0).fit(X, fits[1])
    assert sensitivity(moe, X, inputs="normal").method == "qmc"
    with pytest.raises(ValueError, match="or a softmax of up to 3 experts over inputs='normal'"):
        sensitivity(moe, X, inputs="normal", method="exact")
