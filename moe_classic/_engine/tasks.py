"""Like tasks of a fit, side by side where that saves time.

Starts work on few rows, in calls that are too short for threads: those queue for the
interpreter's lock. Processes do not, but take as long to begin as many a fit. So tasks run one by
one, timed, until it is clear that processes pay; threads, where Python has no lock, do at once. A
task gives the same digits wherever it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import TypeVar

from sklearn.utils.parallel import Parallel, delayed

from .libraries import one_thread

T = TypeVar("T")
R = TypeVar("R")

#: Seconds that processes take to begin, and that tasks take to be sent to them.
_BEGINNING, _SENDING = 2.0, 0.05
#: Seconds after their last task for which processes are counted on to be there: joblib keeps them
#: for 300.
_KEPT = 200.0


def locked() -> bool:
    """Whether threads queue for the interpreter."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


class Workers:
    """Runs tasks here or in joblib's workers; a joblib context may say which.

    Parameters
    ----------
    n_jobs : int
        Tasks at a time.
    """

    #: When processes were last used, whichever fit it was.
    _used = -_KEPT

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs
        self.locked = locked()
        self.spent, self.done = 0.0, 0

    def map(
        self, task: Callable[[T], R], items: list[T], *, ahead: int | None = None
    ) -> Iterator[R]:
        """Results in the order of ``items``, as they are asked for.

        Parameters
        ----------
        task : callable
            Pickled with what it is bound to, if it goes to another process.
        ahead : int or None
            Tasks that may be begun before their results are asked for, at least the number of
            jobs; None begins all of them.
        """
        start, most = 0, len(items) if ahead is None else max(ahead, self.n_jobs)
        while start < len(items):
            some = items[start : start + most]
            if len(some) > 1 and self._pays(len(items) - start):
                yield from self._sent(task, some)
                start += len(some)
                continue
            begun = perf_counter()
            result = task(items[start])
            self.spent, self.done = self.spent + perf_counter() - begun, self.done + 1
            start += 1
            yield result

    def _pays(self, count: int) -> bool:
        """Whether ``count`` tasks are worth sending away.

        They are taken to last as long as those before; and a fit, half as long again as so far.
        """
        if self.n_jobs == 1 or not self.done:
            return False
        left = max(self.spent / self.done * count, 0.5 * self.spent)
        awake = not self.locked or Workers.awake()
        return left * (1.0 - 1.0 / self.n_jobs) > (_SENDING if awake else _BEGINNING)

    @staticmethod
    def awake() -> bool:
        """Whether processes that were used are still there."""
        return perf_counter() - Workers._used < _KEPT

    @staticmethod
    def used() -> None:
        """Processes have been used just now."""
        Workers._used = perf_counter()

    def _sent(self, task: Callable[[T], R], items: list[T]) -> list[R]:
        """Results of tasks that run side by side."""
        pool = Parallel(n_jobs=self.n_jobs, prefer="processes" if self.locked else "threads")
        results = pool(delayed(_alone)(task, item) for item in items)
        Workers.used()
        return results


def _alone(task: Callable[[T], R], item: T) -> R:
    """One task with BLAS at one thread, as where it came from."""
    with one_thread("blas"):
        return task(item)
