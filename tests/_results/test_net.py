"""The record of a net: blocks of rows, copies, targets."""

import numpy as np
import pytest

from moe_classic import SparseMoERegressor
from moe_classic._results import fitted_net, net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def fitted(rng):
    X = rng.normal(size=(300, 3))
    y = np.column_stack([X[:, 0] ** 2, 100.0 * X[:, 1] + 7.0])
    moe = SparseMoERegressor(4, width=6, expert_width=6, max_iter=3, mix="densities")
    return X, y, fitted_net(moe.set_params(random_state=0).fit(X, y))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_rows_in_blocks_are_the_rows_at_once(fitted, monkeypatch, n_jobs):
    X, y, record = fitted
    whole = [
        record.predictions(X),
        record.weights(X, -1),
        record.log_densities(X, y.T),
    ]
    monkeypatch.setattr(net, "_EACH", 10)
    monkeypatch.setattr(net, "_LEAST", 40)
    assert len(record.answers(lambda batch: len(batch.w), X)) == 8
    parts = [
        record.predictions(X, n_jobs=n_jobs),
        record.weights(X, -1, n_jobs=n_jobs),
        record.log_densities(X, y.T, n_jobs=n_jobs),
    ]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_target_is_standardised_by_its_moments(fitted):
    X, y, record = fitted
    said = record.target_of(y.T)
    np.testing.assert_allclose(said, (y - y.mean(axis=0)) / y.std(axis=0), rtol=1e-10)
    assert said.flags["C_CONTIGUOUS"]
    data = record.data(X, y.T, np.full(300, 4.0))
    np.testing.assert_array_equal(data.w, 1.0)


def test_copy_is_trained_alone(fitted):
    X, _, record = fitted
    before = record.predictions(X)
    other = record.copied()
    other.net.sparse[0].table[...] += 1.0
    other.adam.m[...] = np.nan
    np.testing.assert_array_equal(record.predictions(X), before)
    assert np.isfinite(record.adam.m).all()
    assert not np.array_equal(other.predictions(X), before)


def test_layer_that_is_not_there_is_refused(fitted):
    X, _, record = fitted
    with pytest.raises(ValueError, match=r"layer=1 must lie in \[-1, 1\)"):
        record.weights(X, 1)
