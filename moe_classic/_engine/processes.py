"""Processes over one table, where threads queue for the interpreter's lock and rows are many.

The calling process adds up the first share of the blocks, and each of joblib's workers another.
Rows lie in shared memory; what is sent in a pass are the parameters, and sums come back. Shares are
those of threads and are added in their order, to the same digits.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from time import perf_counter, process_time
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from joblib import Parallel, effective_n_jobs
from joblib.externals.loky import get_reusable_executor
from joblib.parallel import get_active_backend

from moe_classic._data import ArraySource, Block, Source, Stats, total

from .libraries import one_thread
from .map_reduce import SerialEngine, ThreadedEngine, share_of, shares
from .shared import Attached, SharedObject, pickled
from .tasks import Workers, locked

T = TypeVar("T", bound=Stats)

#: Seconds of all processors together that a process takes to begin.
_BEGINNING = 1.5
#: Bytes a second that are laid out in shared memory.
_COPIED = 1e9
#: Passes in processes after which they are compared with threads.
_TRIED = 3
#: Bytes that a question may have to be sent away in every pass.
_LARGE = 4 << 20
#: What goes wrong with memory, processes and pickles; threads do without all of them.
_IN_THE_WAY = (
    OSError,
    MemoryError,
    RuntimeError,
    ImportError,
    AttributeError,
    TypeError,
    ValueError,
    pickle.PickleError,
)


class ProcessEngine(ThreadedEngine):
    """Threads over the blocks, until it is clear that processes would have paid.

    Processes are begun beside the passes of threads, once the time for which those have waited
    exceeds what processes take to begin; they are kept if their passes then are shorter. A joblib
    context may say which: ``parallel_config(backend="loky")`` takes processes from the first pass,
    any other backend threads alone.

    Parameters
    ----------
    n_threads : int
        Shares of the blocks, of which this process does one.
    bound : bool, default=False
        As for :class:`ThreadedEngine`.
    """

    def __init__(self, n_threads: int, *, bound: bool = False) -> None:
        super().__init__(n_threads, bound=bound)
        self._tables: WeakKeyDictionary[ArraySource, _Table] = WeakKeyDictionary()

    def map_reduce(self, f: Callable[[Block], T], source: Source) -> T:
        """Sum of ``f(block)`` over the blocks of ``source``."""
        if not isinstance(source, ArraySource) or len(source) < 2:
            return super().map_reduce(f, source)
        table = self._tables.get(source)
        if table is None:
            table = self._tables[source] = _Table(min(self.n_threads, len(source)))
        if table.ready(f, source):
            try:
                return table.told(f, source)
            except _UnansweredError:
                table.end()
        begun = perf_counter(), process_time()
        said = super().map_reduce(f, source)
        table.waited(_kind(f), perf_counter() - begun[0], process_time() - begun[1])
        return said

    def close(self) -> None:
        """Give the shared memory back."""
        for table in list(self._tables.values()):
            table.end()
        self._tables.clear()


class _UnansweredError(Exception):
    """Processes had no answer; threads then find one, or say what is wrong."""


class _Table:
    """The passes over one table, and whether processes share it.

    Parameters
    ----------
    count : int
        Shares of its blocks.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.idle = 0.0
        self.fastest: dict[Any, float] = {}
        self.tried: dict[Any, list[float]] = {}
        self.pool: Any = None
        self.begun: list[Future[None]] = []
        self.shared: SharedObject | None = None
        wanted = _wanted()
        self.over, self.at_once = wanted is False, wanted is True

    # -------------------------------------------------------------------- whether

    def waited(self, kind: Any, seconds: float, worked: float) -> None:
        """A pass of threads, with the seconds for which their processors worked."""
        self.idle += max(seconds - worked / self.count, 0.0)
        self.fastest[kind] = min(seconds, self.fastest.get(kind, np.inf))

    def ready(self, f: Callable[[Block], Any], source: ArraySource) -> bool:
        """Whether processes are there; begins them if it is time."""
        if self.over:
            return False
        if self.shared is not None:
            return True
        try:
            return self._begin(f, source)
        except _IN_THE_WAY:
            self.end()
            return False

    def _begin(self, f: Callable[[Block], Any], source: ArraySource) -> bool:
        """Begin processes if it is time, and share the rows once they are there."""
        if not self.begun:
            price = 0.0 if Workers.awake() else _BEGINNING * (self.count - 1) / self.count
            if not self.at_once and self.idle < price + source.n_bytes / _COPIED:
                return False
            self.pool = _joblib_pool(self.count)
            asked = pickled(f)
            self.begun = [self.pool.submit(_awake, asked) for _ in range(self.count - 1)]
        if not self.at_once and not all(future.done() for future in self.begun):
            return False
        if any(future.exception() is not None for future in self.begun):
            raise RuntimeError("processes did not begin")
        first = int(shares(source, self.count)[1][0])
        self.shared = SharedObject(source.blocks_from(first))
        source.forget_from(first)
        return True

    def end(self) -> None:
        """No processes over this table any more."""
        self.over = True
        shared, self.shared = self.shared, None
        if shared is not None:
            shared.close()

    # -------------------------------------------------------------------- a pass

    def told(self, f: Callable[[Block], T], source: ArraySource) -> T:
        """Sum of ``f(block)``, this process's share and the others'."""
        begun = perf_counter()
        own, *others = shares(source, self.count)
        flying = self._sent(f, others)
        try:
            with one_thread("blas"):
                said = [share_of(f, source, own)]
            said += [_received(future) for future in flying]
        finally:
            for future in flying:
                future.cancel()
        Workers.used()
        self._compare(_kind(f), perf_counter() - begun)
        return total(iter(said))

    def _sent(self, f: Callable[[Block], Any], parts: list[np.ndarray]) -> list[Future[Any]]:
        """The question on its way, to each process with another share."""
        try:
            asked = pickled((f, np.geterr()))
            if len(asked) > _LARGE or self.shared is None:
                raise _UnansweredError
            name = self.shared.name
            return [self.pool.submit(_told, name, asked, part) for part in parts]
        except _IN_THE_WAY as error:
            raise _UnansweredError from error

    def _compare(self, kind: Any, seconds: float) -> None:
        """End processes if passes of a kind have shown to be as fast in threads."""
        tried = self.tried.setdefault(kind, [])
        if self.at_once or len(tried) >= _TRIED:
            return
        tried.append(seconds)
        if len(tried) == _TRIED and min(tried) > self.fastest.get(kind, np.inf):
            self.end()


def _kind(f: Callable[..., Any]) -> Any:
    """What passes that do the same have in common."""
    f = getattr(f, "func", f)
    f = getattr(f, "__func__", f)
    return getattr(f, "__code__", type(f))


def _wanted() -> bool | None:
    """Whether a joblib context asks for processes; None if it leaves that open."""
    if _is_loky(get_active_backend(prefer="threads")[0]):
        return True
    return None if _is_loky(get_active_backend(prefer="processes")[0]) else False


def _is_loky(backend: Any) -> bool:
    """Whether a backend is joblib's own with processes."""
    return type(backend).__name__ == "LokyBackend"


def _joblib_pool(n_jobs: int) -> Any:
    """The workers that joblib keeps, in which the starts of a fit may have been tried."""
    with Parallel(n_jobs=n_jobs, prefer="processes"):
        pass  # which makes them, unless they are there
    return get_reusable_executor(reuse=True)


def _received(future: Future[Any]) -> Any:
    """What another process said."""
    if (error := future.exception()) is not None:
        raise _UnansweredError from error
    said, remarks = future.result()
    for remark in remarks:
        warnings.warn_explicit(*remark)
    return said


# ------------------------------------------------------------------------- in other processes


_attached = Attached()


def _awake(asked: bytes) -> None:
    """A first task: by its end all is imported that answers need."""
    pickle.loads(asked)


def _told(name: str, asked: bytes, part: np.ndarray) -> tuple[Any, list[tuple[Any, ...]]]:
    """Sum over a share of the blocks, and the warnings on the way."""
    f, errors = pickle.loads(asked)
    blocks: Sequence[Block] = _attached(name)
    with (
        warnings.catch_warnings(record=True) as remarks,
        one_thread("blas"),
        np.errstate(**errors),
    ):
        warnings.simplefilter("always")
        said = share_of(f, blocks, part)
    return said, [(r.message, r.category, r.filename, r.lineno) for r in remarks]


def make_engine(n_jobs: int | None, *, bound: bool = False) -> SerialEngine | ThreadedEngine:
    """Engine for scikit-learn's ``n_jobs``: None means one, -1 all processors."""
    n_threads = effective_n_jobs(n_jobs)
    if n_threads == 1:
        return SerialEngine()
    return (ProcessEngine if locked() else ThreadedEngine)(n_threads, bound=bound)
