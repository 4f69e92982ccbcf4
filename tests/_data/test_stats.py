"""Statistics records that add, and the summary of a target."""

from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pytest

from moe_classic._data import stats as _stats
from moe_classic._data.stats import Stats, Summary, summarise, total


@dataclass(frozen=True)
class Inner(Stats):
    mass: np.ndarray


@dataclass(frozen=True)
class Outer(Stats):
    value: float
    sums: np.ndarray
    parts: tuple
    inner: Inner


def record(x):
    parts = (Inner(np.array([x])), Inner(np.array([2.0 * x, 3.0 * x])))
    return Outer(x, np.array([x, -x]), parts, Inner(np.array([4.0 * x])))


def assert_equal(a, b):
    assert a.value == b.value
    np.testing.assert_array_equal(a.sums, b.sums)
    assert len(a.parts) == len(b.parts)
    for u, v in zip(a.parts, b.parts, strict=True):
        np.testing.assert_array_equal(u.mass, v.mass)
    np.testing.assert_array_equal(a.inner.mass, b.inner.mass)


def test_records_add_field_by_field_and_tuples_item_by_item():
    assert_equal(record(1.0) + record(2.0), record(3.0))


def test_records_scale_in_every_field():
    assert_equal(record(1.0).scaled(0.25), record(0.25))


def test_tuples_of_unequal_length_do_not_add():
    short = Outer(1.0, np.zeros(2), (Inner(np.zeros(1)),), Inner(np.zeros(1)))
    with pytest.raises(ValueError, match="shorter"):
        record(1.0) + short


def test_records_are_frozen():
    with pytest.raises(FrozenInstanceError):
        record(1.0).value = 2.0


def test_total_adds_in_order():
    assert_equal(total(record(x) for x in (1.0, 2.0, 4.0)), record(7.0))
    only = record(5.0)
    assert total([only]) is only


def test_total_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no blocks"):
        total([])


# ------------------------------------------------------------------------- summary


def test_summary_holds_weighted_moments(rng):
    y, w = rng.standard_normal((2, 50)), rng.uniform(size=50)
    summary = summarise(y, w)
    assert summary.weight == pytest.approx(w.sum(), rel=1e-14)
    np.testing.assert_allclose(summary.y_mean, np.average(y, axis=1, weights=w), rtol=1e-12)
    expected = [np.cov(row, aweights=w, ddof=0) for row in y]
    np.testing.assert_allclose(summary.y_var, expected, rtol=1e-12)
    np.testing.assert_allclose(summary.y_scale, np.sqrt(expected), rtol=1e-12)


def test_summary_takes_weights_for_repetitions(rng):
    y, times = rng.standard_normal((1, 20)), rng.integers(0, 4, 20)
    a, b = (
        summarise(y, times.astype(float)),
        summarise(np.repeat(y, times, 1), np.ones(times.sum())),
    )
    assert a.weight == b.weight
    np.testing.assert_allclose(a.y_mean, b.y_mean, rtol=1e-12)
    np.testing.assert_allclose(a.y_var, b.y_var, rtol=1e-12)


def test_summary_survives_a_large_offset(rng):
    y = rng.standard_normal((1, 1000))
    near, far = summarise(y, np.ones(1000)), summarise(y + 1e9, np.ones(1000))
    # The target itself is rounded at 1e-7 there.
    np.testing.assert_allclose(far.y_var, near.y_var, rtol=1e-6)


def test_summary_does_not_depend_on_its_slices(rng, monkeypatch):
    y, w = rng.standard_normal((2, 103)), rng.uniform(size=103)
    whole = summarise(y, w)
    monkeypatch.setattr(_stats, "_SLICE", 10)
    sliced = summarise(y, w)
    np.testing.assert_allclose(sliced.y_mean, whole.y_mean, rtol=1e-12)
    np.testing.assert_allclose(sliced.y_var, whole.y_var, rtol=1e-12)


def test_constant_target_has_scale_one():
    summary = summarise(np.array([[3.0, 3.0], [1.0, 3.0]]), np.ones(2))
    np.testing.assert_array_equal(summary.y_scale, [1.0, 1.0])
    np.testing.assert_array_equal(summary.y_var, [0.0, 1.0])


def test_summary_of_classes_holds_their_shares():
    summary = summarise(np.array([0, 2, 2, 0]), np.array([1.0, 2.0, 1.0, 4.0]), 4)
    np.testing.assert_allclose(summary.y_mean, [5 / 8, 0.0, 3 / 8, 0.0])
    np.testing.assert_allclose(summary.y_var, [15 / 64, 0.0, 15 / 64, 0.0])
    assert summary.n_classes == 4
    assert Summary(1.0, np.zeros(1), np.ones(1)).n_classes == 0


def test_one_wild_value_does_not_set_the_moments_of_a_target():
    rng = np.random.default_rng(5)
    y, w = rng.normal(3.0, 2.0, (2, 400)), np.ones(400)
    clean = summarise(y, w)
    np.testing.assert_allclose(clean.y_var, y.var(axis=1), rtol=1e-12)
    spoilt = y.copy()
    spoilt[0, 7] = -1e12
    moments = summarise(spoilt, w)
    np.testing.assert_allclose(moments.y_mean, clean.y_mean, atol=0.1)
    np.testing.assert_allclose(moments.y_scale, clean.y_scale, rtol=0.2)
    assert moments.y_var[1] == clean.y_var[1]


def test_wild_rows_count_by_their_weight():
    rng = np.random.default_rng(6)
    y, times = rng.normal(size=(1, 300)), rng.integers(1, 4, 300)
    y[0, 0] = 1e6
    weighted = summarise(y, times.astype(float))
    repeated = summarise(np.repeat(y, times, axis=1), np.ones(times.sum()))
    np.testing.assert_allclose(weighted.y_mean, repeated.y_mean, rtol=1e-12)
    np.testing.assert_allclose(weighted.y_var, repeated.y_var, rtol=1e-12)


def test_floors_are_shares_of_the_noise_where_it_is_known():
    summary = Summary(1.0, np.zeros(3), np.array([4.0, 4.0, 4.0]))
    np.testing.assert_array_equal(summary.noise_unit, [2.0, 2.0, 2.0])
    known = Summary(1.0, np.zeros(3), np.array([4.0, 4.0, 4.0]), 0, 0, np.array([0.0, 0.5, 9.0]))
    np.testing.assert_array_equal(known.noise_unit, [2.0, 0.5, 2.0])
