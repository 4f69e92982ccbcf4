"""Who does the adding: the one place that knows about loops over blocks and threads.

``map(f, items)`` returns what ``f`` says of each item, ``map_reduce(f, source)`` the sum of
``f(block)`` over all blocks. Sums are taken in block order within each thread's contiguous share,
so a result depends on the number of threads only through rounding.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar, cast

import numpy as np
from threadpoolctl import ThreadpoolController

from moe_classic._data import ArraySource, Block, Source, Stats, total

T = TypeVar("T", bound=Stats)


Item = TypeVar("Item")
Answer = TypeVar("Answer")


class SerialEngine:
    """A plain loop.

    Parameters
    ----------
    n_shares : int, default=1
        Adds in the order in which this many threads would, to the same digits.
    """

    n_threads = 1

    def __init__(self, n_shares: int = 1) -> None:
        self.n_shares = n_shares

    def map_reduce(self, f: Callable[[Block], T], source: Source) -> T:
        """Sum of ``f(block)`` over the blocks of ``source``."""
        if not isinstance(source, ArraySource) and hasattr(source, "map_reduce"):
            return cast("T", source.map_reduce(f))
        if self.n_shares > 1 and isinstance(source, ArraySource):
            return total(share_of(f, source, part) for part in shares(source, self.n_shares))
        return total(f(block) for block in source)

    def map(self, f: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """``f`` of every item, in order."""
        return [f(item) for item in items]

    def close(self) -> None:
        """Nothing is kept that has to be given back."""


class ThreadedEngine:
    """Threads over the blocks, BLAS held at one thread in each.

    Sources with random access are cut into contiguous shares, one a thread; the calling thread
    does a single block itself. Other sources are read by the calling thread, a few blocks ahead of
    the work.

    Parameters
    ----------
    n_threads : int
    bound : bool, default=False
        Whether each thread may be bound to a processor. What the user's code starts in such a
        thread would be bound, too: only where all that runs in it is our own.
    """

    def __init__(self, n_threads: int, *, bound: bool = False) -> None:
        self.n_threads = n_threads
        # Looking for the libraries takes longer than a pass over a few thousand rows.
        self._libraries = ThreadpoolController()
        # The same threads in every pass: each has work arrays of its own that are warm.
        self._pool = ThreadPoolExecutor(
            n_threads, initializer=_one_a_processor(n_threads) if bound else None
        )

    def map_reduce(self, f: Callable[[Block], T], source: Source) -> T:
        """Sum of ``f(block)`` over the blocks of ``source``."""
        if isinstance(source, ArraySource) and len(source) == 1:
            return f(source[0])
        if not isinstance(source, ArraySource) and hasattr(source, "map_reduce"):
            return cast("T", source.map_reduce(f))  # whose rows are elsewhere
        f = _in_context(f)
        with self._libraries.limit(limits=1, user_api="blas"):
            if isinstance(source, ArraySource):
                parts = shares(source, self.n_threads)
                return total(self._pool.map(lambda part: share_of(f, source, part), parts))
            return total(self._ahead(f, source))

    def map(self, f: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """``f`` of every item, in order."""
        with self._libraries.limit(limits=1, user_api="blas"):
            return list(self._pool.map(_in_context(f), items))

    def close(self) -> None:
        """Nothing is kept that has to be given back."""

    def __reduce__(self) -> tuple[type[SerialEngine], tuple[int]]:
        """Sent to another process, which has threads enough beside it, it does without."""
        return SerialEngine, (self.n_threads,)

    def _ahead(self, f: Callable[[Block], T], source: Source) -> Iterator[T]:
        """Results in block order, at most two blocks a thread in flight."""
        flying: deque[Future[T]] = deque()
        for block in source:
            flying.append(self._pool.submit(f, block))
            if len(flying) >= 2 * self.n_threads:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()


def shares(source: ArraySource, count: int) -> list[np.ndarray]:
    """Numbers of the blocks of each thread: contiguous, as many for one as for another."""
    return np.array_split(np.arange(len(source)), min(count, len(source)))


def share_of(f: Callable[[Block], T], blocks: Any, part: np.ndarray) -> T:
    """What one thread, or process, adds up: over the blocks of these numbers."""
    return total(f(blocks[i]) for i in part.tolist())


def _one_a_processor(n_threads: int) -> Callable[[], None]:
    """What binds each of ``n_threads`` threads to a processor, where they take all there are.

    A thread that waits for the interpreter is often woken on the processor of the thread that it
    waited for, and then waits for that. With processors to spare there is no need.
    """
    if not hasattr(os, "sched_setaffinity"):  # Linux has it
        return lambda: None
    allowed = sorted(os.sched_getaffinity(0))
    places = iter(allowed if n_threads == len(allowed) else [])

    def bind() -> None:
        place = next(places, None)
        # What was allowed when the threads were planned need not be so by now.
        with suppress(OSError):
            if place is not None:
                os.sched_setaffinity(0, {place})

    return bind


def _in_context(f: Callable[[Item], Answer]) -> Callable[[Item], Answer]:
    """``f`` under the caller's context, numpy's error state in it, whatever thread runs it."""
    context = copy_context()
    return lambda item: context.copy().run(f, item)
