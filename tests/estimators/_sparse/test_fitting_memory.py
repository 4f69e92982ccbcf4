"""Most memory of a fit and of a prediction: no array of rows by experts by width."""

import tracemalloc

import numpy as np
import pytest

from moe_classic import SparseMoERegressor
from moe_classic.datasets import make_regimes
from moe_classic.estimators._sparse.options import batch_rows

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::moe_classic.routers.RoutingWarning"
)


def most(work):
    """Largest number of bytes that some work had at a time."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_experts", [16, 128])
def test_fit_needs_a_few_numbers_a_parameter_and_a_pair(n_experts, dtype):
    X, y = make_regimes(6000, n_regimes=8, n_features=8, random_state=0)
    X, y = X.astype(dtype), y.astype(dtype)
    moe = SparseMoERegressor(n_experts, max_iter=1, random_state=0)
    peak = most(lambda: moe.fit(X, y))
    batch = batch_rows("auto", int(0.9 * 6000), n_experts, 2)
    numbers = 6 * moe.n_parameters_ + 12 * batch * 2 * (moe.width + moe.expert_width) + 6 * X.size
    assert peak < numbers * np.dtype(dtype).itemsize


def test_prediction_needs_blocks_of_rows_and_not_all_experts():
    X, y = make_regimes(2000, n_regimes=8, n_features=8, random_state=0)
    moe = SparseMoERegressor(256, max_iter=1, batch_size=1800, random_state=0).fit(X, y)
    X = np.random.default_rng(0).normal(size=(50_000, 8))
    assert most(lambda: moe.predict(X[:1000])) < 8e6
    # A block has 4,096 rows: one logit an expert, and their two pairs each.
    peak = most(lambda: moe.predict(X))
    assert peak < X.shape[0] * 8 + 4096 * 8 * (2 * 256 + 6 * (64 + 32))
    assert peak < 40e6
