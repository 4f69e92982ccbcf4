"""K-means of few rows against scikit-learn's, and where clusters run empty."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from moe_classic._training.clusters import FEW, few_clusters
from moe_classic._training.starts import StartData


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("width", [1, 4])
def test_labels_are_those_of_scikit_learn(count, width):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        m = int(rng.integers(3 * count, 300))
        X = rng.standard_normal((m, width)) + 3.0 * rng.integers(0, 3, (m, 1))
        w = rng.uniform(0.2, 3.0, m)
        means = KMeans(count, n_init=1, max_iter=30, random_state=seed)
        expected = means.fit(X, sample_weight=w).labels_
        np.testing.assert_array_equal(few_clusters(X, w, count, seed, max_iter=30), expected)


def test_every_cluster_has_rows_where_few_are_distinct():
    # More centres than places: copies leave clusters empty, which the farthest rows fill.
    X = np.repeat(np.array([[0.0], [1.0], [5.0], [9.0]]), 5, axis=0)
    for seed in range(20):
        labels = few_clusters(X, np.ones(20), 4, seed, max_iter=30)
        assert len(np.unique(labels)) == 4


def test_weight_of_two_is_a_repeated_row(rng):
    X = np.concatenate([rng.normal(size=(20, 2)), rng.normal(8.0, 1.0, (20, 2))])
    w = rng.integers(1, 4, 40).astype(float)
    labels = few_clusters(X, w, 2, 0, max_iter=30)
    again = few_clusters(
        np.repeat(X, w.astype(int), axis=0), np.ones(int(w.sum())), 2, 1, max_iter=30
    )
    same = np.repeat(labels, w.astype(int)) == again
    assert same.all() or not same.any()


def test_many_rows_go_to_scikit_learn(rng):
    X = rng.normal(size=(FEW + 1, 2))
    view = StartData(X, X[:, :1], np.ones(len(X)), 3)
    labels = view.cluster(X, np.random.default_rng(5))
    seed = int(np.random.default_rng(5).integers(2**31))
    means = KMeans(3, n_init=1, max_iter=30, random_state=seed)
    np.testing.assert_array_equal(labels, means.fit(X).labels_)
