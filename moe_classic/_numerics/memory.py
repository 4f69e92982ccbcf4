"""Temporary arrays that are reused from block to block.

A pass over the data makes the same dozen arrays for every block. Fresh ones of a few hundred
kilobytes come from the system page by page and go back to it at once, which costs several times the
arithmetic done on them. Inside a :func:`workspace` they come from one buffer of the thread instead.

An array from :func:`empty` lives until the workspace, or the :class:`frame` in it, ends: it must
not escape into a result.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from moe_classic._typing import Floats

#: Arrays start on multiples of this many numbers: whole cache lines.
_ALIGN = 8
#: Views of the buffer that a thread remembers before it forgets them all.
_MANY = 2000
#: Numbers that numpy's own buffers hold meanwhile. With more than a row of products it copies
#: operands that it cannot run through in one stride, which takes as long as their product.
_NUMPY_BUFFER = 512


class _Arena(threading.local):
    """The buffer of one thread, handed out from the front."""

    def __init__(self) -> None:
        self.state = _State()


class _State:
    """What a thread has handed out; plain, as a thread's own attributes are slow to get."""

    __slots__ = ("active", "buffer", "most", "used", "views")

    def __init__(self) -> None:
        self.buffer: Floats = np.empty(0)
        self.used = self.most = 0
        self.active = False
        # Block after block asks for the same arrays in the same order.
        self.views: dict[tuple[int, tuple[int, ...]], tuple[Floats, int]] = {}

    def view(self, start: int, shape: tuple[int, ...]) -> tuple[Floats, int]:
        """Array at ``start``, and where the next one may start."""
        size = math.prod(shape)
        stop = start + -(-size // _ALIGN) * _ALIGN
        if start + size > self.buffer.size:
            return np.empty(shape), stop
        if len(self.views) > _MANY:
            self.views.clear()
        seen = self.views[start, shape] = self.buffer[start : start + size].reshape(shape), stop
        return seen


_arena = _Arena()


@contextmanager
def workspace() -> Iterator[None]:
    """Within it, :func:`empty` reuses memory; a workspace inside another is part of it."""
    state = _arena.state
    if state.active:
        yield
        return
    state.active, state.used, state.most = True, 0, 0
    usual = np.setbufsize(_NUMPY_BUFFER)
    try:
        yield
    finally:
        np.setbufsize(usual)
        state.active = False
        if state.most > state.buffer.size:
            state.buffer = np.empty(state.most)
            state.views.clear()


class frame:  # noqa: N801 - used like a function, as contextlib's own
    """Arrays from :func:`empty` made within it end with it, and their memory is next in line.

    The fewer arrays are in use, the more of them stay in cache.
    """

    __slots__ = ("_start", "_state")

    def __enter__(self) -> None:
        self._state = _arena.state
        self._start = self._state.used

    def __exit__(self, *error: object) -> None:
        self._state.used = self._start


def empty(shape: tuple[int, ...]) -> Floats:
    """Uninitialised array; temporary inside a :func:`workspace`, an ordinary one outside."""
    state = _arena.state
    if not state.active:
        return np.empty(shape)
    array, stop = state.views.get((state.used, shape)) or state.view(state.used, shape)
    state.used = stop
    if stop > state.most:
        state.most = stop
    return array
