"""Shared memory: arrays are read where they lie, and given back."""

import io
import pickle
import subprocess
import sys
import time
from collections import namedtuple
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pytest

from moe_classic._data.blocks import Design
from moe_classic._engine import shared
from moe_classic._engine.shared import Attached, SharedObject, _in_file, _Pickler


def gone(name):
    try:
        SharedMemory(name).close()
    except FileNotFoundError:
        return True
    return False


def again(value):
    """A value as another process gets it, if arrays are not out of band."""
    file = io.BytesIO()
    _Pickler(file, protocol=5).dump(value)
    return file.getvalue(), pickle.loads(file.getvalue())


@pytest.fixture
def attached():
    held = Attached(kept=60.0)
    yield held
    for name in list(held._held):
        held._drop(name)


def test_arrays_lie_in_shared_memory(rng, attached):
    value = {
        "a": rng.normal(size=(30, 7)),
        "b": np.arange(5),
        "f": np.asfortranarray(np.eye(3)[:2]),
    }
    there = SharedObject(value)
    seen = attached(there.name)
    for name, array in value.items():
        np.testing.assert_array_equal(seen[name], array)
        assert not seen[name].flags.writeable
        assert seen[name].strides == array.strides
        assert seen[name].__array_interface__["data"][0] % 64 == 0
    assert attached(there.name) is seen
    there._memory.buf[there._memory.buf.tobytes().find(value["a"].tobytes())] ^= 0xFF
    assert seen["a"][0, 0] != value["a"][0, 0]
    del seen
    there.close()
    assert gone(there.name)


def test_memory_is_given_back_with_the_object():
    there = SharedObject(np.zeros(100))
    name = there.name
    there.close()
    there.close()
    assert gone(name)
    name = SharedObject(np.zeros(100)).name
    assert gone(name)


def test_memory_is_given_back_when_a_process_is_killed():
    code = (
        "import numpy as np, os, signal\n"
        "from moe_classic._engine.shared import SharedObject\n"
        "kept = SharedObject(np.zeros(10))\n"
        "print(kept.name, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    deadline = time.monotonic() + 20.0
    while not gone(done.stdout.strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert gone(done.stdout.strip())


def test_what_would_not_fit_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(shared, "_PLACE", tmp_path)
    monkeypatch.setattr(shared.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(1000))
    with pytest.raises(MemoryError, match="more than half of what is free"):
        SharedObject(np.zeros(100))


def test_a_number_that_is_repeated_stays_one():
    sent, seen = again(np.broadcast_to(1.5, 100_000))
    assert len(sent) < 1000
    assert seen.shape == (100_000,)
    assert seen.strides == (0,)
    assert seen[7] == 1.5


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_in_files_are_mapped_again(tmp_path, order):
    kept = np.memmap(tmp_path / "rows", np.float64, "w+", 16, (50, 4), order)
    kept[:] = np.arange(200.0).reshape(50, 4)
    kept.flush()
    some = np.asarray(kept)[10:30] if order == "C" else np.asarray(kept)[:, 1:3]
    sent, seen = again(some)
    assert len(sent) < 1000
    np.testing.assert_array_equal(seen, some)
    assert seen.strides == some.strides
    assert _in_file(np.asarray(kept)[::2]) is None  # copied
    np.testing.assert_array_equal(again(kept[::2])[1], kept[::2])


def test_what_is_written_to_a_private_map_is_sent(tmp_path):
    np.zeros(10).tofile(tmp_path / "rows")
    private = np.memmap(tmp_path / "rows", np.float64, "c")
    private[3] = 7.0
    np.testing.assert_array_equal(again(private)[1], private)


@pytest.mark.parametrize("q", [3, 40])
def test_a_kept_design_keeps_its_ring(rng, q):
    design = Design(rng.normal(size=(q, 50)), keep=True)
    design.settle()
    seen = again(design)[1]
    w = rng.uniform(size=(2, 50))
    assert (seen._ring is None) == (q == 40)
    np.testing.assert_array_equal(seen.Z, design.Z)
    np.testing.assert_array_equal(seen.grams(w), design.grams(w))
    assert seen.pieces == design.pieces == ()


def test_what_is_not_used_is_let_go(monkeypatch):
    held = Attached(kept=0.05)
    there = SharedObject(np.arange(4))
    assert held(there.name)[3] == 3
    assert len(held) == 1
    deadline = time.monotonic() + 20.0
    while len(held) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(held) == 0
    there.close()


def test_few_are_kept_at_a_time(attached):
    there = [SharedObject(np.full(3, i)) for i in range(6)]
    for i, one in enumerate(there):
        assert attached(one.name)[0] == i
    assert len(attached) == 4
    assert attached(there[0].name)[0] == 0
    for one in there:
        one.close()
