"""Rows of a stream that are kept for the starts."""

import numpy as np

from moe_classic._data.rows import RawData
from moe_classic._training.buffer import RowBuffer


def raw(values, weights=None):
    """Rows whose feature and target are the same numbers."""
    X = np.asarray(values, dtype=float)
    w = np.ones(X.size) if weights is None else np.asarray(weights, dtype=float)
    return RawData(X[:, None], X[None], w, np.ones(X.size, dtype=bool))


def test_equal_rows_are_merged():
    kept = RowBuffer.of(raw([1.0, 2.0, 1.0])).append(raw([2.0, 3.0], [0.5, 1.0])).merged()
    rows = kept.rows()
    order = np.argsort(rows.X[:, 0])
    np.testing.assert_array_equal(rows.X[order, 0], [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(rows.key[0, order], [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(rows.w[order], [2.0, 1.5, 1.0])
    assert kept.weight == 4.5


def test_a_fit_is_due_whenever_the_weight_has_doubled():
    kept = RowBuffer.of(raw([1.0, 2.0])).fitted()
    assert not kept.needs_refit
    kept = kept.append(raw([3.0]))
    assert not kept.needs_refit
    kept = kept.append(raw([1.0])).merged()
    assert kept.needs_refit
    assert not kept.fitted().needs_refit


def test_repeated_rows_take_no_room():
    kept = RowBuffer.of(raw(np.arange(100.0)))
    for _ in range(50):
        kept = kept.append(raw(np.arange(100.0)))
        assert kept.size + sum(b.w.size for b in kept.waiting) <= 1100
    assert kept.merged().size == 100
    assert kept.merged().rows().w.min() == 51.0


def test_rows_beyond_the_bound_make_it_full(monkeypatch):
    monkeypatch.setattr("moe_classic._training.buffer.MOST_ROWS", 10)
    kept = RowBuffer.of(raw(np.arange(6.0))).fitted()
    assert not kept.is_full
    kept = kept.append(raw(np.arange(4.0, 12.0))).merged()
    assert kept.is_full
    assert kept.needs_refit


def test_rows_near_the_bound_are_merged_at_once(monkeypatch):
    monkeypatch.setattr("moe_classic._training.buffer.MOST_ROWS", 100)
    monkeypatch.setattr("moe_classic._training.buffer._WAITING", 5)
    kept = RowBuffer.of(raw(np.arange(60.0))).fitted()
    for start in range(60, 100, 4):
        kept = kept.append(raw(np.arange(start, start + 4.0)))
        # Within what waits, the bound is strict.
        assert kept.size + sum(b.w.size for b in kept.waiting) < 100 + 5
    assert kept.merged().is_full
