"""Processes over one table: the digits of threads, begun where they pay, left where they fail."""

import gc
import os
import sys
import threading
import warnings
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pytest
from joblib import parallel_config

from moe_classic import MoEClassifier, MoERegressor
from moe_classic._compat import cloudpickle
from moe_classic._data.blocks import ArraySource
from moe_classic._data.stats import Stats
from moe_classic._data.subjects import Subjects
from moe_classic._engine import processes
from moe_classic._engine.map_reduce import ThreadedEngine
from moe_classic._engine.processes import ProcessEngine, make_engine
from moe_classic._engine.tasks import Workers, locked
from moe_classic.experts import GaussianExpert
from moe_classic.solvers import EM

# Processes need not find the tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

pytestmark = pytest.mark.skipif(not locked(), reason="threads do not queue here")


@dataclass(frozen=True)
class Sums(Stats):
    gram: np.ndarray
    rows: int
    places: frozenset = frozenset()

    def __add__(self, other):
        both = self.places | other.places
        return Sums(self.gram + other.gram, self.rows + other.rows, both)


class Affine:
    width = 3
    averaged = False

    def __call__(self, X):
        return np.vstack([X.T, np.ones(len(X))])


def sums(block):
    w = block.w[None]
    return Sums(block.designs[0].grams(w), block.w.size, frozenset({os.getpid()}))


def cut(rng, *, n=205, keep=True, subjects=None):
    X, y = rng.standard_normal((n, 2)), rng.standard_normal((1, n))
    maps = (Affine(),)
    w = rng.uniform(size=n)
    return ArraySource(X, y, w, maps, block_size=20, keep=keep, subjects=subjects)


@pytest.fixture
def loky():
    with parallel_config(backend="loky"):
        yield


@pytest.fixture
def engine():
    made = ProcessEngine(2)
    yield made
    made.close()


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when a test says so, while one of two processors works."""
    now = [0.0]
    monkeypatch.setattr(processes, "perf_counter", lambda: now[0])
    monkeypatch.setattr(processes, "process_time", lambda: now[0])
    monkeypatch.setattr(Workers, "_used", -1e9)
    return now


def names(engine):
    return [t.shared.name for t in engine._tables.values() if t.shared is not None]


def gone(name):
    try:
        SharedMemory(name).close()
    except FileNotFoundError:
        return True
    return False


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("grouped", [False, True])
def test_two_processes_add_to_the_digits_of_threads(rng, loky, engine, keep, grouped):
    subjects = Subjects(np.full(41, 5), np.ones(41)) if grouped else None
    source = cut(rng, keep=keep, subjects=subjects)
    there = [engine.map_reduce(sums, source) for _ in range(2)]
    here = ThreadedEngine(2).map_reduce(sums, source)
    for said in there:
        np.testing.assert_array_equal(said.gram, here.gram)
        assert said.rows == 205
        assert len(said.places) == 2
        assert os.getpid() in said.places


def test_a_map_of_a_file_is_read_by_both(rng, loky, engine, tmp_path):
    rows = np.memmap(tmp_path / "rows", np.float64, "w+", shape=(205, 2))
    rows[:] = rng.standard_normal((205, 2))
    y = np.zeros((1, 205))
    source = ArraySource(rows, y, np.ones(205), (Affine(),), block_size=20, keep=False)
    there = engine.map_reduce(sums, source)
    np.testing.assert_array_equal(there.gram, ThreadedEngine(2).map_reduce(sums, source).gram)
    (table,) = engine._tables.values()
    assert table.shared.size < rows.nbytes + y.nbytes + 8 * 205 + 4000


def test_memory_goes_with_the_engine_and_with_the_rows(rng, loky):
    engine, source = ProcessEngine(2), cut(rng)
    engine.map_reduce(sums, source)
    (name,) = names(engine)
    assert not gone(name)
    engine.close()
    assert gone(name)
    engine.map_reduce(sums, source)
    (name,) = names(engine)
    del source
    gc.collect()
    assert gone(name)


def test_a_context_with_threads_has_threads_alone(rng, engine):
    source = cut(rng)
    with parallel_config(backend="threading"):
        said = engine.map_reduce(sums, source)
    assert said.places == {os.getpid()}
    assert engine._tables[source].over


def test_processes_begin_once_threads_have_waited_as_long(rng, clock, engine):
    source = cut(rng)

    def slow(block):
        clock[0] += 0.1
        return sums(block)

    for _ in range(30):
        before = engine._tables[source].idle if engine._tables else 0.0
        said = engine.map_reduce(slow, source)
        (table,) = engine._tables.values()
        if table.begun:
            break
        assert said.places == {os.getpid()}
    assert before > 0.75 - 1e-6
    assert before < 2.0
    for future in table.begun:
        future.result()
    assert len(engine.map_reduce(sums, source).places) == 2


def test_processes_that_are_no_faster_are_left(rng, clock, engine):
    source = cut(rng)
    table = processes._Table(2)
    engine._tables[source] = table
    table.waited(processes._kind(sums), 100.0, 100.0)
    table.ready(sums, source)
    for future in table.begun:
        future.result()
    table.fastest[processes._kind(sums)] = -1.0
    seen = [len(engine.map_reduce(sums, source).places) for _ in range(5)]
    assert seen == [2, 2, 2, 1, 1]
    assert table.shared is None


def test_errors_in_either_share_are_those_of_threads(rng, loky, engine):
    source = cut(rng)
    where = os.getpid()

    def fails_elsewhere(block):
        if os.getpid() != where:
            raise ZeroDivisionError("elsewhere")
        return sums(block)

    def fails(block):
        raise ZeroDivisionError("in block")

    said = engine.map_reduce(fails_elsewhere, source)
    assert said.places == {where}
    assert engine._tables[source].over
    with pytest.raises(ZeroDivisionError, match="in block"):
        engine.map_reduce(fails, cut(rng))


def test_a_process_that_dies_costs_time_only(rng, loky, engine):
    source, where = cut(rng), os.getpid()
    whole = engine.map_reduce(sums, source)

    def deadly(block):
        if os.getpid() != where:
            os._exit(1)
        return sums(block)

    said = engine.map_reduce(deadly, source)
    np.testing.assert_array_equal(said.gram, whole.gram)
    assert said.places == {where}
    # The next table has processes again.
    assert len(engine.map_reduce(sums, cut(rng)).places) == 2


def test_what_cannot_be_sent_stays(rng, loky, engine):
    lock = threading.Lock()
    said = engine.map_reduce(lambda block: lock and sums(block), cut(rng))
    assert said.places == {os.getpid()}


def test_warnings_and_the_error_state_cross_over(rng, loky, engine):
    where = os.getpid()

    def warn(block):
        if os.getpid() != where:
            warnings.warn("elsewhere", UserWarning, stacklevel=1)
        return sums(block)

    def overflow(block):
        return Sums(np.exp(1000.0 + 0.0 * block.w[:1]), block.w.size)

    with pytest.warns(UserWarning, match="elsewhere"):
        engine.map_reduce(warn, cut(rng))
    with np.errstate(over="ignore"):
        assert np.isinf(engine.map_reduce(overflow, cut(rng)).gram).all()


def test_an_interrupt_leaves_nothing_behind(rng, loky, engine):
    source, where = cut(rng), os.getpid()
    engine.map_reduce(sums, source)

    def interrupt(block):
        if os.getpid() == where:
            raise KeyboardInterrupt
        return sums(block)

    (name,) = names(engine)
    with pytest.raises(KeyboardInterrupt):
        engine.map_reduce(interrupt, source)
    assert len(engine.map_reduce(sums, source).places) == 2
    engine.close()
    assert gone(name)


# ------------------------------------------------------------------------- fits


def own_gaussian():
    """An expert of a class that no other process can import."""

    class OwnGaussian(GaussianExpert):
        name = "own_gaussian"

    return OwnGaussian()


def watched(monkeypatch):
    """Names of the shared memory of each pass in processes."""
    told, tell = [], processes._Table.told

    def watch(table, f, source):
        said = tell(table, f, source)
        told.append(table.shared.name)
        return said

    monkeypatch.setattr(processes._Table, "told", watch)
    return told


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"expert": own_gaussian()},
        {"expert": "student_t", "gate": "gaussian"},
        {"solver": "newton"},
        {"solver": "lbfgs"},
        {"solver": EM(assignment="stochastic")},
    ],
    ids=str,
)
def test_a_fit_in_processes_is_that_in_threads(rng, monkeypatch, options):
    X = rng.normal(size=(900, 2))
    y = np.where(X[:, 0] > 0.0, X[:, 1], 1.0 - X[:, 1]) + 0.1 * rng.normal(size=900)
    moe = MoERegressor(2, n_init=1, random_state=0, n_jobs=2, block_size=100, **options)
    with parallel_config(backend="threading"):
        here = moe.fit(X, y)
        expected = here.log_likelihood_, here.predict(X), here.gate_proba(X)
    told = watched(monkeypatch)
    with parallel_config(backend="loky"):
        there = moe.fit(X, y)
    assert len(told) >= 3
    assert all(map(gone, told))
    assert there.log_likelihood_ == expected[0]
    np.testing.assert_array_equal(there.predict(X), expected[1])
    np.testing.assert_array_equal(there.gate_proba(X), expected[2])


def test_classes_in_processes(rng, monkeypatch):
    X = rng.normal(size=(900, 2))
    labels = np.where(X[:, 0] * X[:, 1] > 0.2 * rng.normal(size=900), "a", "b")
    moe = MoEClassifier(2, n_init=1, random_state=0, n_jobs=2, block_size=100)
    with parallel_config(backend="threading"):
        expected = moe.fit(X, labels).predict_proba(X)
    told = watched(monkeypatch)
    with parallel_config(backend="loky"):
        np.testing.assert_array_equal(moe.fit(X, labels).predict_proba(X), expected)
    assert len(told) >= 3


def test_n_jobs_chooses_the_engine(monkeypatch):
    assert type(make_engine(2)) is ProcessEngine
    monkeypatch.setattr(processes, "locked", lambda: False)
    assert type(make_engine(2)) is ThreadedEngine
