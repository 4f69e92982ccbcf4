"""Tasks side by side: in order, only where it pays, and to the same digits."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from joblib import parallel_config
from pandas.testing import assert_frame_equal

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic._data.blocks import ArraySource
from moe_classic._data.stats import Stats
from moe_classic._engine import tasks as _workers
from moe_classic._engine.map_reduce import SerialEngine, ThreadedEngine
from moe_classic._engine.tasks import Workers
from moe_classic._training import together
from moe_classic.datasets import make_moe


class Clock:
    """Stands still but for the seconds that tasks take."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    still = Clock()
    monkeypatch.setattr(_workers, "perf_counter", still)
    monkeypatch.setattr(Workers, "_used", -_workers._KEPT)
    monkeypatch.setattr(_workers, "locked", lambda: True)
    return still


@pytest.fixture
def sent(monkeypatch):
    """Sizes of the batches that were sent away."""
    batches = []
    original = Workers._sent

    def counted(self, task, items):
        batches.append(len(items))
        with parallel_config("threading"):
            return original(self, task, items)

    monkeypatch.setattr(Workers, "_sent", counted)
    return batches


def lasting(clock, seconds):
    """A task that takes so long, and the items that it was given."""
    given = []

    def task(item):
        given.append(item)
        clock.now += seconds
        return 10 * item

    return task, given


# ------------------------------------------------------------------------- when it pays


@pytest.mark.parametrize(
    ("n_jobs", "seconds", "batches"),
    [
        (1, 100.0, []),  # nobody to send to
        (2, 0.1, []),  # 0.9 s to go, half of it saved, against 2 s to begin
        (2, 1.0, [9]),
        (4, 0.1, []),
        (4, 0.4, [9]),
    ],
)
def test_tasks_are_sent_once_that_saves_more_than_it_costs(clock, sent, n_jobs, seconds, batches):
    task, given = lasting(clock, seconds)
    assert list(Workers(n_jobs).map(task, list(range(10)))) == [10 * i for i in range(10)]
    assert sent == batches
    assert sorted(given) == list(range(10))


def test_processes_that_are_there_cost_next_to_nothing(clock, sent):
    task, _ = lasting(clock, 1.0)
    workers = Workers(2)
    list(workers.map(task, list(range(10))))
    quick, _ = lasting(clock, 0.1)
    assert list(workers.map(quick, [1, 2])) == [10, 20]
    assert sent == [9, 2]
    # Another fit has tasks of its own to time, and does not wait for processes either.
    assert list(Workers(2).map(quick, [1, 2, 3])) == [10, 20, 30]
    assert sent == [9, 2, 2]
    clock.now += _workers._KEPT
    list(Workers(2).map(quick, [1, 2, 3]))
    assert sent == [9, 2, 2]


def test_fit_that_took_long_is_taken_to_go_on(clock, sent):
    task, _ = lasting(clock, 0.5)
    workers = Workers(2)
    for _ in range(16):
        list(workers.map(task, [1]))
    list(workers.map(task, [1]))
    assert sent == []
    list(workers.map(task, [1, 2]))
    assert sent == [2]


def test_threads_that_need_no_lock_begin_at_once(clock, sent, monkeypatch):
    monkeypatch.setattr(_workers, "locked", lambda: False)
    task, _ = lasting(clock, 0.2)
    list(Workers(2).map(task, [1, 2, 3, 4]))
    assert sent == [3]


def test_nothing_runs_that_nobody_asks_for(clock, sent):
    task, given = lasting(clock, 100.0)
    assert next(Workers(1).map(task, [1, 2, 3])) == 10
    assert given == [1]
    results = Workers(2).map(task, [1, 2, 3, 4, 5, 6], ahead=1)
    assert [next(results), next(results)] == [10, 20]
    assert sorted(given) == [1, 1, 2, 3]
    assert sent == [2]


# ------------------------------------------------------------------------- the same digits


@dataclass(frozen=True)
class Sum(Stats):
    value: float


def test_engine_sent_elsewhere_adds_in_the_same_order(rng):
    X = rng.standard_normal((1000, 1)) * np.exp(rng.standard_normal((1000, 1)) * 10.0)
    source = ArraySource(X, X.T, np.ones(1000), (), block_size=7)
    engine = ThreadedEngine(3)
    other = pickle.loads(pickle.dumps(engine))
    assert isinstance(other, SerialEngine)
    sums = [e.map_reduce(lambda b: Sum(float(b.y.sum())), source) for e in (engine, other)]
    assert sums[0].value == sums[1].value
    assert SerialEngine().map_reduce(lambda b: Sum(float(b.y.sum())), source).value != sums[0].value


def fits():
    """Estimators, each with data on which its starts end at several optima."""
    X, y = make_moe(300, n_experts=3, n_features=2, separation=0.8, random_state=3)
    classes = np.digitize(y, np.quantile(y, [0.5]))
    yield MoERegressor(3, n_init=4, random_state=0, n_jobs=2), X, y
    yield MoERegressor(3, solver="newton", n_init=4, random_state=0, n_jobs=2), X, y
    yield MoEClassifier(2, n_init=3, max_iter=60, random_state=0, n_jobs=2), X, classes
    yield HierarchicalMoERegressor((2, 2), n_init=3, random_state=0, n_jobs=2), X, y


def ends():
    """Log-likelihoods and reports of all fits."""
    found = [(m.fit(X, y).log_likelihood_, m.start_report_) for m, X, y in fits()]
    X, y = make_moe(3000, n_experts=2, random_state=0)
    moe = MoERegressor(2, n_init=4, random_state=0, n_jobs=2)
    moe.fit_blocks(lambda: ((X[i : i + 500], y[i : i + 500]) for i in range(0, 3000, 500)))
    return [*found, (moe.log_likelihood_, moe.start_report_)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_starts_end_alike_wherever_they_run(monkeypatch, backend):
    # few starts advance together, so that there is something to send
    monkeypatch.setattr(together, "TOGETHER", 1)
    here = ends()
    batches = []
    original = Workers._sent

    def counted(self, task, items):
        batches.append(len(items))
        return original(self, task, items)

    monkeypatch.setattr(Workers, "_sent", counted)
    monkeypatch.setattr(_workers, "_BEGINNING", 0.0)
    monkeypatch.setattr(_workers, "_SENDING", 0.0)
    with parallel_config(backend):
        elsewhere = ends()
    assert len(batches) >= 2 * len(here)
    for (value, report), (same, other) in zip(here, elsewhere, strict=True):
        assert value == same
        # Sums of starts that advance together are rounded as the products of their number are.
        assert_frame_equal(report, other, rtol=1e-12)


def test_runs_that_are_watched_stay_here(monkeypatch, caplog, sent):
    monkeypatch.setattr(_workers, "_BEGINNING", 0.0)
    monkeypatch.setattr(_workers, "_SENDING", 0.0)
    monkeypatch.setattr(together, "TOGETHER", 1)
    X, y = make_moe(200, n_experts=2, random_state=0)
    moe = MoERegressor(2, n_init=4, n_jobs=2, random_state=0)
    with caplog.at_level("INFO"):
        moe.set_params(verbose=1).fit(X, y)
    assert sent == [3]  # short runs only
    assert "start 1" in caplog.text
    moe.set_params(verbose=0).fit(X, y)
    assert len(sent) > 2
