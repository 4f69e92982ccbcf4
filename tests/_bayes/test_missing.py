"""Information that is missing on labels, against its definition row by row."""

import numpy as np

from moe_classic._bayes.missing import Scores, blocks, with_missing_labels


def parts(seed, K=3, n=40):
    """Two lines an expert on one design, one number an expert on another."""
    rng = np.random.default_rng(seed)
    Z = np.vstack([rng.normal(size=n), np.ones(n)])

    def spread(size):
        root = 0.02 * rng.normal(size=(K * size, K * size))
        return (root @ root.T).reshape(K, size, K, size)

    first = Scores(rng.normal(size=(K, 2, n)), Z, spread(4))
    second = Scores(rng.normal(size=(K, 1, n)), np.ones((1, n)), spread(1))
    return [first, second], rng.dirichlet(np.ones(K), n).T, rng.uniform(0.5, 2.0, n)


def split(both, R, w):
    return blocks(with_missing_labels(both, R, w), both)


def test_covariance_is_the_inverse_of_the_information_that_is_there():
    (first, second), R, w = parts(0)
    K, n, P = 3, 40, 5
    V = np.zeros((K, P, K, P))
    V[:, :4, :, :4], V[:, 4:, :, 4:] = first.cov, second.cov
    M = np.zeros((K * P, K * P))
    for i in range(n):
        scores = np.zeros((K, K, P))
        for k in range(K):
            line = np.outer(first.factor[k, :, i], first.Z[:, i]).ravel()
            scores[k, k] = [*line, second.factor[k, 0, i]]
        s = scores.reshape(K, -1)
        mean = R[:, i] @ s
        M += w[i] * ((s.T * R[:, i]) @ s - np.outer(mean, mean))
    exact = np.linalg.inv(np.linalg.inv(V.reshape(K * P, -1)) - M).reshape(K, P, K, P)
    one, other = split([first, second], R, w)
    np.testing.assert_allclose(one, exact[:, :4, :, :4], rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(other, exact[:, 4:, :, 4:], rtol=1e-6, atol=1e-10)


def test_nothing_is_missing_where_labels_are_known():
    (first, second), R, w = parts(1)
    sure = np.eye(3)[R.argmax(axis=0)].T
    one, other = split([first, second], sure, w)
    np.testing.assert_allclose(one, first.cov, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(other, second.cov, rtol=1e-9, atol=1e-14)


def test_covariances_that_are_singular_or_tell_nothing_stay_finite():
    (first, second), R, w = parts(2)
    flat = Scores(first.factor, first.Z, np.zeros_like(first.cov))
    wide = Scores(second.factor, second.Z, 1e6 * second.cov)
    one, other = split([flat, wide], R, w)
    np.testing.assert_allclose(one, 0.0, atol=1e-12 * np.abs(wide.cov).max())
    assert np.isfinite(other).all()
