"""What a long run reports while it climbs: to the log, and to scikit-learn's callbacks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("moe_classic")


def _announce(verbose: int, message: str, *values: Any) -> None:
    """Log ``message``; with ``verbose`` make sure that somebody hears it."""
    if verbose and not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())
    if verbose and logger.getEffectiveLevel() > logging.INFO:
        logger.setLevel(logging.INFO)
    logger.log(logging.INFO if verbose else logging.DEBUG, message, *values)


class Monitor:
    """Logs the passes of one long run and reports them to callbacks."""

    def __init__(self, estimator: Any, name: str, run: Any) -> None:
        self.estimator, self.name, self.run = estimator, name, run
        if run is not None:
            run.call_on_fit_task_begin(estimator=estimator)

    def __call__(self, iteration: int, value: float) -> bool:
        """Report an accepted step; True asks to stop."""
        message = "%s, iteration %d: objective %.6f"
        _announce(self.estimator.verbose, message, self.name, iteration, value)
        if self.run is None:
            return False
        step = self.run.subcontext(task_name="iteration")
        step.call_on_fit_task_begin(estimator=self.estimator)
        return bool(step.call_on_fit_task_end(estimator=self.estimator))

    def close(self) -> None:
        """Report the end of the run."""
        if self.run is not None:
            self.run.call_on_fit_task_end(estimator=self.estimator)


def no_monitor(name: str) -> None:
    """Watches no run."""


def monitors_of(estimator: Any, root: Any) -> Callable[[str], Any]:
    """Hands out a monitor for each long run of a fit: logs, and reports to callbacks."""
    callbacks = bool(getattr(estimator, "_skl_callbacks", None))
    if not callbacks and not estimator.verbose:
        return no_monitor

    def monitor(name: str) -> Monitor:
        run = root.subcontext(task_name=name, max_subtasks=None) if callbacks else None
        return Monitor(estimator, name, run)

    return monitor
