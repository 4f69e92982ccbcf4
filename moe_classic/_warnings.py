"""Fits inside other work, whose convergence is read off their attributes and not warned of.

Many of them are never shown: what they separate need not be known either.

Filters of :mod:`warnings` are shared by all threads: one that leaves ``catch_warnings`` would give
the others the filters that it found. A context variable is each thread's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_QUIET = ContextVar("quiet", default=False)
_UNSEEN = ContextVar("unseen", default=False)


@contextmanager
def without_convergence_warnings() -> Iterator[None]:
    """Within, fits give no :class:`~sklearn.exceptions.ConvergenceWarning`."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


def quiet() -> bool:
    """Whether this is within :func:`without_convergence_warnings`."""
    return _QUIET.get()


@contextmanager
def without_separations() -> Iterator[None]:
    """Within, fits do not look for what their rows separate: ``separated`` of records is empty."""
    token = _UNSEEN.set(True)
    try:
        yield
    finally:
        _UNSEEN.reset(token)


def unseen() -> bool:
    """Whether this is within :func:`without_separations`."""
    return _UNSEEN.get()
