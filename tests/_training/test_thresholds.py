"""Cuts along one feature: the best of all, between values, blind to how rows are counted."""

import numpy as np
import pytest

from moe_classic._training.thresholds import best_cut, thresholds


def misfit(X, T, w):
    """Weighted residual sum of squares of a linear fit."""
    root = np.sqrt(w)[:, None]
    A = np.column_stack([X, np.ones(len(X))]) * root
    coef = np.linalg.lstsq(A, T * root, rcond=None)[0]
    return ((T * root - A @ coef) ** 2).sum()


def bent(rng, n=400):
    """A target whose slope changes along the second of three features."""
    X = rng.standard_normal((n, 3))
    T = np.column_stack([np.abs(X[:, 1] - 0.4) + X[:, 0], X[:, 2]])
    return X, T + 0.1 * rng.standard_normal((n, 2)), rng.uniform(0.5, 2.0, n)


def test_cut_is_the_best_of_all_thresholds_and_features(rng):
    X, T, w = bent(rng)
    labels = best_cut(X, T, w, 2, rng)
    tried = []
    for j in range(3):
        for t in thresholds(X[:, j], w, 8):
            right = X[:, j] > t
            total = misfit(X[right], T[right], w[right]) + misfit(X[~right], T[~right], w[~right])
            tried.append((total, right))
    best = min(tried, key=lambda pair: pair[0])
    np.testing.assert_array_equal(labels.astype(bool), best[1])


def test_several_parts_lie_along_the_feature_that_bends(rng):
    X, T, w = bent(rng)
    labels = best_cut(X, T, w, 4, rng)
    order = np.argsort(X[:, 1])
    assert (np.diff(labels[order]) >= 0).all()
    assert np.unique(labels).tolist() == [0, 1, 2, 3]


def test_equal_values_stay_on_one_side(rng):
    x = rng.integers(0, 2, 100).astype(float)
    T = (x * rng.standard_normal(100))[:, None]
    labels = best_cut(x[:, None], T, np.ones(100), 2, rng)
    np.testing.assert_array_equal(labels, x)


@pytest.mark.parametrize("X", [np.ones((20, 2)), np.ones((20, 0))], ids=["constant", "none"])
def test_nothing_is_cut_where_no_feature_varies(rng, X):
    assert best_cut(X, rng.standard_normal((20, 1)), np.ones(20), 2, rng) is None


def test_weights_cut_as_repeated_rows_do(rng):
    X, T, _ = bent(rng, 150)
    w = rng.integers(1, 4, 150)
    labels = best_cut(X, T, w.astype(float), 2, rng)
    again = best_cut(np.repeat(X, w, axis=0), np.repeat(T, w, axis=0), np.ones(w.sum()), 2, rng)
    np.testing.assert_array_equal(np.repeat(labels, w), again)


def test_wide_rows_are_cut_by_some_of_their_features(rng, monkeypatch):
    X = rng.standard_normal((60, 30))
    monkeypatch.setattr("moe_classic._training.thresholds._BUDGET", 3.5 * 60 * 32**2)
    T = X[:, :1]
    searched = {
        tuple(best_cut(X, T, np.ones(60), 2, np.random.default_rng(seed))) for seed in range(6)
    }
    assert len(searched) > 1
