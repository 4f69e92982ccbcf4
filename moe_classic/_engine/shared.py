"""Objects whose arrays several processes read in one place, copied there once.

What is pickled goes into a segment of shared memory, its arrays beside it, out of band: who
attaches to the segment gets arrays that lie there. Arrays in files are mapped again instead.
"""

from __future__ import annotations

import io
import os
import pickle
import shutil
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from time import monotonic
from typing import Any, cast

import numpy as np

from moe_classic._compat import cloudpickle

#: Where Linux keeps shared memory; writing beyond what is free there ends a process.
_PLACE = Path("/dev/shm")
#: Arrays begin at multiples of this many bytes.
_LINE = 64
#: Seconds after its last use for which a process keeps what it is attached to, and how many such.
_KEPT, _MOST = 10.0, 4


class SharedObject:
    """An object in shared memory, until it is closed or forgotten.

    Parameters
    ----------
    value : object
        Pickled, functions and classes of scripts by value.

    Raises
    ------
    MemoryError
        If it would take more than half of the shared memory that is free.
    """

    def __init__(self, value: Any) -> None:
        buffers: list[pickle.PickleBuffer] = []
        file = io.BytesIO()
        _Pickler(file, protocol=5, buffer_callback=buffers.append).dump(value)
        arrays = [memoryview(file.getbuffer()), *(buffer.raw() for buffer in buffers)]
        sizes = np.array([len(array) for array in arrays], dtype=np.int64)
        head = struct.pack(f"<q{sizes.size}q", sizes.size, *sizes.tolist())
        starts, size = _places(len(head), sizes)
        if _PLACE.is_dir() and size > shutil.disk_usage(_PLACE).free // 2:
            raise MemoryError(f"{size} bytes are more than half of what is free in {_PLACE}")
        self._memory: SharedMemory | None = SharedMemory(create=True, size=size)
        self.name, self.size, self._owner = self._memory.name, size, os.getpid()
        room = _bytes_of(self._memory)
        room[: len(head)] = head
        for start, array in zip(starts, arrays, strict=True):
            room[start : start + len(array)] = array

    def close(self) -> None:
        """Give the memory back, once nobody is attached to it any more."""
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()
            with suppress(FileNotFoundError):
                memory.unlink()

    def __del__(self) -> None:
        # A process that was forked from the owner must leave its memory alone.
        if getattr(self, "_memory", None) is not None and os.getpid() == self._owner:
            self.close()


def _bytes_of(memory: SharedMemory) -> memoryview:
    """The bytes of shared memory that is open."""
    return cast("memoryview", memory.buf)


def _places(start: int, sizes: np.ndarray) -> tuple[list[int], int]:
    """Where arrays of some sizes begin after a head, and where the last one ends."""
    starts = []
    for size in sizes.tolist():
        start += -start % _LINE
        starts.append(start)
        start += size
    return starts, start


class _Pickler(cloudpickle.Pickler):
    """Maps arrays in files again, and leaves one number that is repeated as it is."""

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return super().reducer_override(value)
        if value.size > 1 and not any(value.strides):
            return _repeated, (value.flat[0], value.shape)
        place = _in_file(value)
        return NotImplemented if place is None else (_mapped, place)


def _repeated(number: Any, shape: tuple[int, ...]) -> np.ndarray:
    """An array of one number, which takes no memory."""
    return np.broadcast_to(number, shape)


def _in_file(value: np.ndarray) -> tuple[Any, ...] | None:
    """What maps an array again that is mapped from a file as it is there; None of others."""
    root = value
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not isinstance(root, np.memmap) or root.mode == "c" or root.filename is None:
        return None
    if not (value.size and value.flags.forc):
        return None
    offset = value.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    order = "C" if value.flags.c_contiguous else "F"
    return str(root.filename), value.dtype, int(offset + root.offset), value.shape, order


def _mapped(path: str, dtype: Any, offset: int, shape: tuple[int, ...], order: Any) -> np.ndarray:
    """An array in a file."""
    return np.asarray(np.memmap(path, dtype, "r", offset, shape, order))


# ------------------------------------------------------------------------- in other processes


class Attached:
    """Shared objects that this process is attached to; let go of when they are not used for long.

    Parameters
    ----------
    kept : float
        Seconds after its last use for which one is kept.
    """

    def __init__(self, kept: float = _KEPT) -> None:
        self.kept = kept
        self._held: dict[str, tuple[float, SharedMemory, Any]] = {}
        self._lock = threading.Lock()
        self._waiting = False

    def __len__(self) -> int:
        return len(self._held)

    def __call__(self, name: str) -> Any:
        """The object of that name."""
        with self._lock:
            memory, value = self._held.pop(name)[1:] if name in self._held else _attach(name)
            self._held[name] = monotonic(), memory, value
            for other in list(self._held)[:-_MOST]:
                self._drop(other)
            if not self._waiting:
                self._wait(self.kept)
        return value

    def _wait(self, seconds: float) -> None:
        """Look after a while what is not in use any more."""
        timer = threading.Timer(seconds, self._let_go)
        timer.daemon = True
        self._waiting = True
        timer.start()

    def _let_go(self) -> None:
        """Let go of what has not been used for long."""
        with self._lock:
            self._waiting = False
            for name, (used, *_) in list(self._held.items()):
                if monotonic() - used >= self.kept:
                    self._drop(name)
            if self._held:
                self._wait(self.kept)

    def _drop(self, name: str) -> None:
        """Let go of one."""
        memory = self._held.pop(name)[1]
        with suppress(BufferError):  # someone works on it: it goes with the last array
            memory.close()


def _attach(name: str) -> tuple[SharedMemory, Any]:
    """Shared memory, and the object that is in it."""
    untracked: dict[str, Any] = {"track": False} if sys.version_info >= (3, 13) else {}
    memory = SharedMemory(name, **untracked)
    seen = _bytes_of(memory).toreadonly()
    (count,) = struct.unpack_from("<q", seen)
    sizes = np.array(struct.unpack_from(f"<{count}q", seen, 8), dtype=np.int64)
    starts, _ = _places(8 * (1 + count), sizes)
    parts = [seen[a : a + b] for a, b in zip(starts, sizes.tolist(), strict=True)]
    return memory, pickle.loads(parts[0], buffers=parts[1:])


def pickled(value: Any) -> bytes:
    """Pickled with functions and classes of scripts by value."""
    dumps: Callable[[Any], bytes] = cloudpickle.dumps
    return dumps(value)
