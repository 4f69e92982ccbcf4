"""Starts: samples that follow the content of the rows, and the portfolio of partitions."""

import os
import subprocess
import sys

import numpy as np
import pytest

from moe_classic._data.blocks import Block, Design
from moe_classic._data.sample import MOST_ROWS, row_hashes, sample_size, take_sample
from moe_classic._data.stats import summarise
from moe_classic._model.model import Group, Model
from moe_classic._objectives.likelihood import FixedResponsibilities
from moe_classic._training.starts import (
    STRATEGIES,
    StartData,
    params_from_responsibilities,
    portfolio,
    soften,
)
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate


@pytest.fixture
def table(rng):
    """Rows (500, 2), a target (1, 500), weights."""
    return rng.standard_normal((500, 2)), rng.standard_normal((1, 500)), rng.uniform(0.5, 2.0, 500)


def view_of(X, y, w, n_experts=3):
    return StartData(X, y.T, w, n_experts)


# ------------------------------------------------------------------------- the sample


def test_hashes_follow_the_rows(table, rng):
    X, y, _ = table
    order = rng.permutation(500)
    hashes = row_hashes([*X.T, *y])
    np.testing.assert_array_equal(row_hashes([*X[order].T, *y[:, order]]), hashes[order])
    assert np.unique(hashes).size == 500


def test_hashes_tell_columns_apart_and_zeros_not():
    a, b = np.array([1.0, 2.0]), np.array([2.0, 1.0])
    assert (row_hashes([a, b]) != row_hashes([b, a])).all()
    zeros = np.array([0.0, -0.0])
    assert np.unique(row_hashes([zeros])).size == 1


def test_hashes_are_spread_evenly(rng):
    hashes = row_hashes([np.arange(20000.0)])
    counts = np.histogram(hashes / 2.0**64, bins=10, range=(0.0, 1.0))[0]
    # 2000 a bin with a standard deviation of 42.
    assert np.abs(counts - 2000).max() < 250


def test_sample_of_few_rows_holds_them_all(table):
    sample = take_sample(*table, 1000)
    assert sample.complete
    assert sample.X.shape == (500, 2)
    assert sample.w.sum() == pytest.approx(table[2].sum(), rel=1e-12)


def test_sample_merges_equal_rows(table, rng):
    X, y, w = table
    times = rng.integers(1, 4, 500)
    repeated = take_sample(
        np.repeat(X, times, axis=0), np.repeat(y, times, axis=1), np.repeat(w, times), 1000
    )
    once = take_sample(X, y, w * times, 1000)
    np.testing.assert_array_equal(repeated.X, once.X)
    np.testing.assert_array_equal(repeated.y, once.y)
    np.testing.assert_allclose(repeated.w, once.w, rtol=1e-12)
    assert repeated.complete


def test_sample_does_not_depend_on_the_order_of_the_rows(table, rng):
    X, y, w = table
    order = rng.permutation(500)
    a, b = take_sample(X, y, w, 100), take_sample(X[order], y[:, order], w[order], 100)
    np.testing.assert_array_equal(a.X, b.X)
    np.testing.assert_array_equal(a.y, b.y)
    np.testing.assert_array_equal(a.w, b.w)
    assert a.w.size == 100
    assert not a.complete


def test_sample_does_not_depend_on_its_slices(table, rng, monkeypatch):
    X, y, w = table
    again = rng.permutation(np.repeat(np.arange(500), 2))
    whole = take_sample(X[again], y[:, again], w[again], 100)
    monkeypatch.setattr("moe_classic._data.sample._SLICE", 37)
    sliced = take_sample(X[again], y[:, again], w[again], 100)
    np.testing.assert_array_equal(sliced.X, whole.X)
    np.testing.assert_allclose(sliced.w, whole.w, rtol=1e-12)
    assert sliced.complete is whole.complete is False


def test_sample_size_grows_with_the_parameters_within_bounds():
    assert sample_size(1) == 2000
    assert sample_size(200) == 4000
    assert sample_size(10**6) == MOST_ROWS


# ------------------------------------------------------------------------- the portfolio


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("rows", "p", "K"), [(500, 2, 3), (500, 0, 2), (7, 2, 3), (3, 1, 3)])
def test_strategy_gives_every_row_an_expert(table, strategy, rows, p, K):
    X, y, w = table
    view = view_of(X[:rows, :p], y[:, :rows], w[:rows], K)
    labels = STRATEGIES[strategy](view, np.random.default_rng(0))
    assert labels.shape == (rows,)
    assert labels.min() >= 0
    assert labels.max() < K
    if rows > 100 and p > 0:
        assert np.unique(labels).size == K


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategy_repeats_itself_for_the_same_random_numbers(table, strategy):
    view = view_of(*table)
    a, b = (STRATEGIES[strategy](view, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategy_survives_a_constant_target_and_equal_rows(strategy):
    view = StartData(np.zeros((20, 2)), np.zeros((20, 1)), np.ones(20), 3)
    labels = STRATEGIES[strategy](view, np.random.default_rng(0))
    assert set(labels) <= {0, 1, 2}


def test_principal_segments_follow_the_longest_axis(rng):
    t = np.linspace(-1.0, 1.0, 300)
    X = np.column_stack([t, -t]) + 0.05 * rng.standard_normal((300, 2))
    labels = STRATEGIES["principal"](StartData(X, t[:, None], np.ones(300), 3), rng)
    means = sorted(t[labels == k].mean() for k in range(3))
    # The middles of three thirds.
    np.testing.assert_allclose(means, [-2 / 3, 0.0, 2 / 3], atol=0.1)


@pytest.mark.parametrize("strategy", ["elemental", "local"])
def test_strategy_finds_two_well_separated_lines(rng, strategy):
    x = rng.uniform(-1.0, 1.0, 200)
    side = (x > 0.0).astype(int)
    y = np.where(side, 3.0 * x, -3.0 * x)[None]
    view = view_of((x[:, None] - x.mean()) / x.std(), y / y.std(), np.ones(200), 2)
    best = 0.0
    for seed in range(10):
        labels = STRATEGIES[strategy](view, np.random.default_rng(seed))
        agreement = (labels == side).mean()
        best = max(best, agreement, 1.0 - agreement)
    assert best > 0.9


def test_picks_follow_the_weights():
    view = StartData(np.zeros((4, 1)), np.zeros((4, 1)), np.array([0.0, 1.0, 3.0, 0.0]), 2)
    picks = np.bincount(view.pick(4000, np.random.default_rng(0)), minlength=4)
    assert picks[0] == picks[3] == 0
    # The standard error of the share is .007.
    assert picks[2] / 4000 == pytest.approx(0.75, abs=0.03)


def test_segments_have_the_shares_that_are_asked_for(rng):
    w = rng.uniform(0.5, 1.5, 2000)
    view = StartData(rng.standard_normal((2000, 1)), rng.standard_normal((2000, 1)), w, 3)
    label = view.cut(view.X[:, 0], np.array([0.2, 0.5, 0.3]))
    shares = np.bincount(label, weights=w) / w.sum()
    np.testing.assert_allclose(shares, [0.2, 0.5, 0.3], atol=2e-3)
    assert view.X[label == 0].max() < view.X[label == 1].min()


def test_segments_have_equal_weight(table):
    _, y, w = table
    labels = view_of(*table).cut(y[0])
    weight = np.bincount(labels, weights=w)
    np.testing.assert_allclose(weight / w.sum(), 1 / 3, atol=w.max() / w.sum())
    # Segments follow each other along the axis.
    assert (np.diff(labels[np.argsort(y[0])]) >= 0).all()


def test_responsibilities_lean_towards_the_labels():
    R = soften(np.array([2, 0, 1]), 3)
    np.testing.assert_allclose(R.sum(axis=0), 1.0)
    np.testing.assert_array_equal(R.argmax(axis=0), [2, 0, 1])
    assert R.min() > 0.0


def test_portfolio_begins_with_the_cheap_strategies_and_goes_round():
    names = portfolio("auto", 20)
    assert len(names) == 20
    assert names[0] == "principal"
    assert set(names) == set(STRATEGIES)
    # The same start twice is a start wasted.
    assert names.count("principal") == names.count("cut") == 1
    assert portfolio("kmeans", 3) == ["kmeans"] * 3


# ------------------------------------------------------------------------- first parameters


def test_updates_under_fixed_responsibilities_climb(rng):
    x = rng.uniform(-1.0, 1.0, 200)
    y = np.abs(x)[None] + 0.1 * rng.standard_normal((1, 200))
    block = Block((Design(np.vstack([x, np.ones(200)])),), y, np.ones(200))
    model = Model(SoftmaxGate(), (Group(GaussianExpert(), 2, 0),))
    summary, R = summarise(y, np.ones(200)), soften((x > 0.0).astype(int), 2)
    params = params_from_responsibilities(model, [block], R, summary)
    objective = FixedResponsibilities(model, R)
    before = objective(model.start([2], summary), block).objective
    assert objective(params, block).objective > before + 50.0
    # The two slopes have been found.
    assert sorted(np.sign(params.experts[0].coef[:, 0, 0])) == [-1.0, 1.0]


FORK = """
import multiprocessing
import os
import subprocess
import sys

import numpy as np
from sklearn.cluster import KMeans
from moe_classic import MoERegressor

X = np.random.default_rng(0).normal(size=(3000, 3))
y = np.abs(X[:, 0]) + 0.1 * X[:, 1]
fit = lambda: MoERegressor(2, n_init=4, max_iter=5, tol=1.0, random_state=0).fit(X, y)
fit()


def child():
    KMeans(4, n_init=1, random_state=0).fit(X)
    fit()


process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join(60)
print("ended" if process.exitcode == 0 else "hangs")
process.kill()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_forked_after_a_fit_can_run_k_means():
    # With as many threads as the machine has: the suite's own processes have one each.
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, env=free
    )
    assert done.stdout.strip() == "ended", done.stderr


@pytest.mark.parametrize("strategy", ["elemental", "local"])
def test_strategies_bear_repeated_columns_with_a_sentinel(rng, strategy):
    x = rng.normal(size=20)
    x[3] = 1e12
    X, y = np.column_stack([x, x]), rng.normal(size=(20, 1))
    for seed in range(20):
        view = StartData(X, y, np.ones(20), 2)
        labels = STRATEGIES[strategy](view, np.random.default_rng(seed))
        assert labels.shape == (20,)
