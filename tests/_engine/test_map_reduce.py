"""Engines: serial and threaded sums over blocks are the same sums."""

import os
import threading
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import FunctionTransformer

from moe_classic import MoERegressor
from moe_classic._data.blocks import ArraySource
from moe_classic._data.stats import Stats
from moe_classic._engine.map_reduce import (
    SerialEngine,
    ThreadedEngine,
    _one_a_processor,
)
from moe_classic._engine.processes import make_engine
from moe_classic.gates import SoftmaxGate


@dataclass(frozen=True)
class Sums(Stats):
    gram: np.ndarray
    rows: int


class Affine:
    width = 3

    def __call__(self, X):
        return np.vstack([X.T, np.ones(len(X))])


class OneByOne:
    """A source that can only be iterated over."""

    def __init__(self, source):
        self.source = source

    def __iter__(self):
        return iter(self.source)


def sums(block):
    return Sums(block.designs[0].grams(block.w[None]), block.w.size)


@pytest.fixture
def source(rng):
    X, y = rng.standard_normal((205, 2)), rng.standard_normal((1, 205))
    return ArraySource(X, y, rng.uniform(size=205), (Affine(),), block_size=20)


@pytest.mark.parametrize("threads", [2, 3, 40])
@pytest.mark.parametrize("wrap", [lambda s: s, OneByOne], ids=["random access", "iterated"])
def test_threads_give_the_sums_of_a_loop(source, threads, wrap):
    serial = SerialEngine().map_reduce(sums, wrap(source))
    threaded = ThreadedEngine(threads).map_reduce(sums, wrap(source))
    assert serial.rows == threaded.rows == 205
    np.testing.assert_allclose(threaded.gram, serial.gram, rtol=1e-12)


def test_threaded_sums_repeat_exactly(source):
    first, second = (ThreadedEngine(3).map_reduce(sums, source) for _ in range(2))
    np.testing.assert_array_equal(first.gram, second.gram)


def test_iterated_source_is_read_by_the_calling_thread_only(source):
    readers = set()

    def watched():
        for block in source:
            readers.add(threading.get_ident())
            yield block

    assert ThreadedEngine(2).map_reduce(sums, watched()).rows == 205
    assert readers == {threading.get_ident()}


def test_a_single_block_stays_with_the_calling_thread(rng):
    X, y, workers = rng.standard_normal((9, 2)), rng.standard_normal((1, 9)), set()

    def watched(block):
        workers.add(threading.get_ident())
        return sums(block)

    for block_size in (9, 5):
        source = ArraySource(X, y, np.ones(9), (Affine(),), block_size=block_size)
        ThreadedEngine(2).map_reduce(watched, source)
        assert (workers == {threading.get_ident()}) == (block_size == 9)


def test_threads_that_take_all_processors_have_one_each(monkeypatch):
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("threads cannot be bound to processors here")
    allowed, bound = {3, 5}, []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: allowed)
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, places: bound.append(places))
    for n_threads in (2, 1, 3):
        bind = _one_a_processor(n_threads)
        for _ in range(n_threads):
            bind()
    assert bound == [{3}, {5}]


@pytest.mark.parametrize("engine", [SerialEngine(), ThreadedEngine(2)], ids=["serial", "threads"])
def test_errors_in_the_work_reach_the_caller(source, engine):
    def fail(block):
        raise ZeroDivisionError("in block")

    with pytest.raises(ZeroDivisionError, match="in block"):
        engine.map_reduce(fail, source)


@pytest.mark.parametrize("engine", [SerialEngine(), ThreadedEngine(2)], ids=["serial", "threads"])
@pytest.mark.parametrize("wrap", [lambda s: s, OneByOne], ids=["random access", "iterated"])
def test_work_runs_under_the_callers_error_state(source, engine, wrap):
    # The suite turns warnings into errors: an overflow in a thread would surface here.
    def overflow(block):
        return Sums(np.exp(1000.0 + 0.0 * block.w[:1]), block.w.size)

    with np.errstate(over="ignore"):
        assert np.isinf(engine.map_reduce(overflow, wrap(source)).gram).all()


def test_n_jobs_chooses_the_engine():
    assert type(make_engine(None)) is SerialEngine
    assert type(make_engine(1)) is SerialEngine
    engine = make_engine(2)
    assert isinstance(engine, ThreadedEngine)
    assert engine.n_threads == 2


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_answers_come_in_the_order_of_the_items(n_jobs):
    engine = make_engine(n_jobs)
    assert engine.map(lambda i: i * i, range(50)) == [i * i for i in range(50)]


def test_threads_answer_under_the_error_state_of_the_caller():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        make_engine(2).map(lambda i: np.ones(1) / np.zeros(i), [1, 1])


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux has it")
def test_code_of_the_user_is_not_bound_to_a_processor():
    allowed = os.sched_getaffinity(0)
    engine = ThreadedEngine(len(allowed) + (len(allowed) == 1))
    seen = engine.map(lambda item: os.sched_getaffinity(0), list(range(8)))
    assert all(places == allowed for places in seen)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux has it")
def test_transformers_and_estimators_see_all_processors():
    allowed, seen = os.sched_getaffinity(0), []

    def look(X):
        seen.append(os.sched_getaffinity(0))
        return X

    rng = np.random.default_rng(0)
    X = rng.normal(size=(40_000, 2))
    y = X[:, 0] + rng.normal(size=40_000)
    gate = SoftmaxGate(features=FunctionTransformer(look))
    model = MoERegressor(2, gate=gate, n_init=1, max_iter=3, n_jobs=len(allowed), random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    model.predict(X)
    assert len(seen) > 3
    assert all(places == allowed for places in seen)
