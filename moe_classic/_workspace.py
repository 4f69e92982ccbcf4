"""Temporary arrays that are reused from block to block.

A pass over the data makes the same dozen arrays for every block. Fresh ones of a few hundred
kilobytes come from the system page by page and go back to it at once, which costs several times the
arithmetic done on them. Inside a :func:`workspace` they come from one buffer of the thread instead.

An array from :func:`empty` lives until the workspace ends: it must not escape into a result.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ._typing import Floats

#: Arrays start on multiples of this many numbers: whole cache lines.
_ALIGN = 8


class _Arena(threading.local):
    """The buffer of one thread, handed out from the front."""

    buffer: Floats = np.empty(0)
    used: int = 0
    active: bool = False


_arena = _Arena()


@contextmanager
def workspace() -> Iterator[None]:
    """Within it, :func:`empty` reuses memory; a workspace inside another is part of it."""
    if _arena.active:
        yield
        return
    _arena.active, _arena.used = True, 0
    try:
        yield
    finally:
        _arena.active = False
        if _arena.used > _arena.buffer.size:
            _arena.buffer = np.empty(_arena.used)


def empty(shape: tuple[int, ...]) -> Floats:
    """Uninitialised array; temporary inside a :func:`workspace`, an ordinary one outside."""
    if not _arena.active:
        return np.empty(shape)
    size = math.prod(shape)
    start = _arena.used
    _arena.used = start + -(-size // _ALIGN) * _ALIGN
    if start + size > _arena.buffer.size:
        return np.empty(shape)
    return _arena.buffer[start : start + size].reshape(shape)
