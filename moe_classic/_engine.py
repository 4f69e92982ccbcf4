"""Who does the adding: the one place that knows about loops over blocks and threads.

``map_reduce(f, source)`` returns the sum of ``f(block)`` over all blocks. Sums are taken in block
order within each thread's contiguous share, so a result depends on the number of threads only
through rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from joblib import effective_n_jobs
from threadpoolctl import threadpool_limits

from ._blocks import ArraySource, Block, Source
from ._stats import Stats, total

T = TypeVar("T", bound=Stats)


class SerialEngine:
    """A plain loop."""

    def map_reduce(self, f: Callable[[Block], T], source: Source) -> T:
        """Sum of ``f(block)`` over the blocks of ``source``."""
        return total(f(block) for block in source)


class ThreadedEngine:
    """Threads over contiguous shares of the blocks, BLAS held at one thread in each."""

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads

    def map_reduce(self, f: Callable[[Block], T], source: ArraySource) -> T:
        """Sum of ``f(block)`` over the blocks of ``source``."""
        shares = np.array_split(np.arange(len(source)), min(self.n_threads, len(source)))

        def work(share: np.ndarray) -> T:
            return total(f(source[i]) for i in share)

        with threadpool_limits(1, "blas"), ThreadPoolExecutor(len(shares)) as pool:
            return total(pool.map(work, shares))


def make_engine(n_jobs: int | None) -> SerialEngine | ThreadedEngine:
    """Engine for scikit-learn's ``n_jobs``: None means one, -1 all processors."""
    n_threads = effective_n_jobs(n_jobs)
    return SerialEngine() if n_threads == 1 else ThreadedEngine(n_threads)
