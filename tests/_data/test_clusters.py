"""A cluster whose workers die, or that is not there any more."""

import asyncio
import operator
import os
import signal
import sys

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from moe_classic import HierarchicalMoERegressor, MoERegressor
from moe_classic._data import clusters, partitions
from moe_classic._data.partitions import DaskStream
from moe_classic._data.stream import RawBlock
from moe_classic._training import settle
from moe_classic.estimators._mixture import base

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

# Processes need not find the tests.
cloudpickle = pytest.importorskip("cloudpickle")
cloudpickle.register_pickle_by_value(sys.modules[__name__])

N = 2400
OPTIONS = {"n_init": 2, "random_state": 0}


@pytest.fixture(scope="module", autouse=True)
def _few_rows_for_starts():
    """Samples of 2,000 rows instead of ten times as many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "MOST_ROWS", 2000)
        yield


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, 2))
    y = np.where(X[:, 0] > 0.0, X[:, 1], 1.0 - X[:, 1]) + 0.1 * rng.normal(size=N)
    return X, y


@pytest.fixture(scope="module")
def in_blocks(data):
    X, y = data
    return MoERegressor(2, **OPTIONS).fit_blocks([(X[:900], y[:900]), (X[900:], y[900:])])


def rows(data, sizes=(900, N - 900)):
    X, y = data
    return da.from_array(X, chunks=(sizes, 2)), da.from_array(y, chunks=(sizes,))


@pytest.fixture(autouse=True)
def _as_before():
    """Clients that are closed out of their order leave Dask without a scheduler."""
    yield
    dask.config.config.pop("scheduler", None)


def local(n_workers, *, processes):
    return distributed.LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=processes,
        dashboard_address=":0",
        silence_logs=50,
    )


# ------------------------------------------------------------------------- workers that die


def mortal_partition():
    """A reader that dies the second time.

    Made here and not by the module, whose names pickle would look for in processes without it.
    """

    def read(X, y, reads):
        with reads.open("a") as file:
            file.write(f"{os.getpid()}\n")
        if len(reads.read_text().splitlines()) == 2:
            os._exit(1)
        return X, y

    return read


def pids(reads):
    """Processes that have read the partition, one after another."""
    return [int(line) for line in reads.read_text().splitlines()]


def test_workers_die_while_they_read_and_while_they_keep_rows(
    monkeypatch, data, in_blocks, tmp_path
):
    X, y = data
    reads = tmp_path / "reads"
    with local(2, processes=True) as cluster, distributed.Client(cluster):
        first = dask.delayed(mortal_partition(), pure=False)(X[:900], y[:900], reads)
        passes = after(monkeypatch, 5, lambda: os.kill(pids(reads)[-1], signal.SIGKILL))
        moe = MoERegressor(2, **OPTIONS).fit_blocks([first, dask.delayed((X[900:], y[900:]))])
    # Read for its first rows; to be kept, twice; and after the second death.
    assert len(pids(reads)) >= 4
    assert len(passes) > 5
    assert moe.log_likelihood_ == pytest.approx(in_blocks.log_likelihood_, rel=1e-10)
    np.testing.assert_allclose(moe.predict(X), in_blocks.predict(X), rtol=1e-10, atol=1e-10)


# ------------------------------------------------------------------------- in this process


@pytest.fixture
def client():
    with local(2, processes=False) as cluster, distributed.Client(cluster) as client:
        yield client


def after(monkeypatch, count, act):
    """Do something before the ``count``-th pass, and count them."""
    passes, reduce = [], DaskStream.reduce

    def watched(stream, f, merge):
        passes.append(f)
        if len(passes) == count:
            act()
        return reduce(stream, f, merge)

    monkeypatch.setattr(DaskStream, "reduce", watched)
    return passes


def test_errors_of_workers_name_partition_and_row(client, data):
    X, y = (a.copy() for a in data)
    X[905, 1] = np.nan
    with pytest.raises(ValueError, match=r"partition 1: .*NaN(.|\n)*row 5 of X"):
        MoERegressor(2).fit(*rows((X, y)))


@pytest.mark.parametrize("solver", ["em", "newton", "lbfgs"])
def test_the_last_good_parameters_are_kept(client, monkeypatch, data, in_blocks, solver):
    X, y = data
    after(monkeypatch, 6, client.close)
    moe = MoERegressor(2, solver=solver, max_iter=300, tol=1e-10, **OPTIONS)
    with pytest.raises(ConnectionError, match=r"client that .* is closed(.|\n)*warm_start=True"):
        moe.fit(*rows(data))
    assert not moe.converged_
    assert moe.n_iter_ >= 1
    reached = moe.log_likelihood(X, y)
    # What the sample says of all rows is right up to sampling.
    assert moe.log_likelihood_ == pytest.approx(reached, rel=0.05)
    assert reached == pytest.approx(in_blocks.log_likelihood_, rel=0.01)
    with distributed.Client(client.cluster):
        moe.set_params(warm_start=True).fit(*rows(data))
    assert moe.log_likelihood_ > reached - 1e-3
    assert moe.log_likelihood_ == pytest.approx(in_blocks.log_likelihood_, rel=1e-6)


def test_a_cluster_lost_before_the_climb_changes_nothing(client, monkeypatch, data):
    X, y = data
    moe = MoERegressor(2, **OPTIONS).fit(X[:300], y[:300])
    before = moe.predict(X)
    after(monkeypatch, 2, client.close)
    with pytest.raises(ConnectionError, match="fit again"):
        moe.fit(*rows(data))
    np.testing.assert_array_equal(moe.predict(X), before)
    fresh = MoERegressor(2, **OPTIONS)
    monkeypatch.undo()
    with local(1, processes=False) as cluster, distributed.Client(cluster) as other:
        after(monkeypatch, 2, other.close)
        with pytest.raises(ConnectionError):
            fresh.fit(*rows(data))
    assert not hasattr(fresh, "log_likelihood_")


def test_trees_keep_the_last_good_parameters_too(client, monkeypatch, data):
    after(monkeypatch, 6, client.close)
    tree = HierarchicalMoERegressor(branching=(2,), **OPTIONS)
    with pytest.raises(ConnectionError, match="warm_start=True"):
        tree.fit(*rows(data))
    assert tree.predict(data[0]).shape == (N,)


def test_a_cluster_whose_workers_leave_is_told(client, monkeypatch, data):
    monkeypatch.setattr(clusters, "_PATIENCE", 0.2)
    after(monkeypatch, 5, lambda: client.sync(gone, client))
    with pytest.raises(ConnectionError, match=r"has no workers, after waiting 0.2 s"):
        MoERegressor(2, **OPTIONS).fit(*rows(data))


async def gone(client):
    """Send all workers away, once each: one that is told twice is missed at the cluster's end."""
    scheduler = client.cluster.scheduler
    for address in list(scheduler.workers):
        scheduler.close_worker(address)
    while scheduler.workers:
        await asyncio.sleep(0.01)


def test_a_cluster_that_never_had_workers_is_told(monkeypatch, data):
    monkeypatch.setattr(clusters, "_PATIENCE", 0.2)
    with (
        local(0, processes=False) as cluster,
        distributed.Client(cluster),
        pytest.raises(ConnectionError, match="Start some"),
    ):
        MoERegressor(2, **OPTIONS).fit(*rows(data))


def test_workers_that_leave_in_mid_pass_are_told(client, monkeypatch, data):
    monkeypatch.setattr(clusters, "_PATIENCE", 0.2)
    X, y = data

    def leave():
        from distributed import get_worker, secede

        secede()
        worker = get_worker()
        worker.loop.add_callback(worker.close)
        while worker.status.name == "running":
            pass
        return X, y

    with pytest.raises(ConnectionError):
        MoERegressor(2).fit_blocks([dask.delayed(leave, pure=False)()])


def test_a_client_that_is_closed_before_the_fit_is_told(client, monkeypatch, data):
    client.close()
    with pytest.raises(ConnectionError, match="is closed"):
        MoERegressor(2).fit(*rows(data))
    monkeypatch.setattr(distributed, "default_client", nobody)
    with (
        dask.config.set(scheduler="dask.distributed"),
        pytest.raises(ConnectionError, match="no client is open"),
    ):
        MoERegressor(2).fit(*rows(data))


def nobody():
    """What Dask says where there is no client."""
    raise ValueError("No clients found")


@pytest.mark.parametrize("share", [0.25, 1e-9])
def test_rows_are_read_once_where_workers_can_keep_them(
    client, monkeypatch, data, in_blocks, share, tmp_path
):
    X, y = data
    monkeypatch.setattr(partitions, "_SHARE", share)
    monkeypatch.setattr(settle, "MOST_ROWS", 2000)
    passes = after(monkeypatch, 0, None)

    def read():
        with (tmp_path / "reads").open("a") as file:
            file.write(".")
        return X, y

    moe = MoERegressor(2, **OPTIONS).fit_blocks([dask.delayed(read, pure=False)()])
    assert len(passes) > 5
    # Its first rows, and what is kept or every pass: what is drawn in the first one shows that no
    # feature depends on others.
    count = 2 if share == 0.25 else 1 + len(passes)
    assert len((tmp_path / "reads").read_text()) == count
    assert moe.log_likelihood_ == pytest.approx(in_blocks.log_likelihood_, rel=1e-10)


def as_given(X, y, w, groups):
    """Rows of weight one, not looked at."""
    return RawBlock(X, y[None], np.ones(y.size), None)


def test_partitions_are_looked_at_where_they_are_kept(data):
    X, y = data
    with (
        dask.config.set({"distributed.scheduler.work-stealing": False}),
        local(2, processes=False) as cluster,
        distributed.Client(cluster) as client,
    ):
        parts = [dask.delayed((X[i : i + 150], y[i : i + 150])) for i in range(0, N, 150)]
        stream = partitions.stream_of(parts, as_given)

        def here(raw):
            return [distributed.get_worker().address]

        stream.reduce(here, operator.add)
        held = client.who_has(client.futures_of(stream._kept))
        kept = [list(held[value.key]) for value in stream._kept]
        for _ in range(6):
            assert [[where] for where in stream.reduce(here, operator.add)] == kept


@pytest.mark.parametrize("most", [0, 1_000_000])
def test_questions_go_with_every_task_or_apart(client, monkeypatch, data, in_blocks, most):
    monkeypatch.setattr(clusters, "_FEW_BYTES", most)
    moe = MoERegressor(2, **OPTIONS).fit(*rows(data))
    assert moe.log_likelihood_ == pytest.approx(in_blocks.log_likelihood_, rel=1e-10)


def test_rows_that_change_are_noticed_in_what_is_kept(client, data):
    X, y = data
    draws = iter(range(100))
    part = dask.delayed(lambda: (X + next(draws), y), pure=False)()
    with pytest.raises(ValueError, match="other rows than in an earlier pass"):
        MoERegressor(2, **OPTIONS).fit_blocks([part])


def test_a_task_that_times_out_says_so_itself(client, data):
    def late():
        raise TimeoutError("the database sleeps")

    with pytest.raises(TimeoutError, match="the database sleeps"):
        MoERegressor(2).fit_blocks([dask.delayed(late, pure=False)()])


def test_a_grid_on_the_cluster_chooses_as_one_here(client, data):
    X, y = (a[:300] for a in data)
    grid = GridSearchCV(MoERegressor(**OPTIONS), {"n_experts": [1, 2]}, cv=2)
    here = clone(grid).fit(X, y)
    with parallel_config(backend="dask"):
        there = clone(grid).set_params(n_jobs=2).fit(X, y)
    scores = "mean_test_score"
    np.testing.assert_allclose(there.cv_results_[scores], here.cv_results_[scores], rtol=1e-12)
    assert there.best_params_ == here.best_params_ == {"n_experts": 2}
