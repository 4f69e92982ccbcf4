"""Temporary arrays that are reused from block to block."""

import threading

import numpy as np
import pytest

from moe_classic._numerics import memory as _memory
from moe_classic._numerics.memory import empty, frame, workspace


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """A buffer of this test's own."""
    monkeypatch.setattr(_memory, "_arena", _memory._Arena())


def test_arrays_outside_a_workspace_are_ordinary():
    a, b = empty((2, 3)), empty((2, 3))
    assert a.shape == (2, 3)
    assert a.flags.owndata
    assert not np.shares_memory(a, b)


def test_arrays_of_one_workspace_do_not_overlap():
    for _ in range(2):  # before and after the buffer has its size
        with workspace():
            arrays = [empty((3, 5)), empty((7,)), empty((2, 2, 2))]
            for i, a in enumerate(arrays):
                a[...] = i
            assert [(a == i).all() for i, a in enumerate(arrays)] == [True] * 3


def test_second_workspace_reuses_the_memory_of_the_first():
    with workspace():
        empty((100,))
    with workspace():
        a = empty((10, 10))
    with workspace():
        b = empty((50,))
    assert np.shares_memory(a, b)


def test_workspace_inside_another_is_part_of_it():
    with workspace():
        empty((100,))
    with workspace():
        a = empty((20,))
        with workspace():
            b = empty((20,))
        c = empty((20,))
    assert not np.shares_memory(a, b)
    assert not np.shares_memory(a, c)
    assert not np.shares_memory(b, c)


def test_larger_needs_than_before_are_met():
    with workspace():
        empty((10,))
    with workspace():
        a, b = empty((8,)), empty((1000,))
        a[...], b[...] = 1.0, 2.0
        assert (a == 1.0).all()
    with workspace():
        assert np.shares_memory(empty((1008,)), _memory._arena.state.buffer)


def test_workspace_ends_when_the_work_fails():
    with pytest.raises(ZeroDivisionError), workspace():
        raise ZeroDivisionError
    assert empty((3,)).flags.owndata


def test_threads_have_memory_of_their_own():
    arrays, both = [], threading.Barrier(2)

    def work():
        with workspace():
            empty((64,))
        with workspace():
            arrays.append(empty((64,)))
            both.wait(timeout=10)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(arrays) == 2
    assert not np.shares_memory(*arrays)


def test_memory_of_a_frame_is_next_in_line():
    for _ in range(2):  # before and after the buffer has its size
        with workspace():
            first = empty((10,))
            with frame():
                inner = empty((20,))
                with frame():
                    innermost = empty((5,))
            later = empty((20,))
    assert np.shares_memory(inner, later)
    assert not np.shares_memory(first, inner)
    assert not np.shares_memory(inner, innermost)


def test_frame_outside_a_workspace_changes_nothing():
    with frame():
        a = empty((4,))
    assert a.flags.owndata


def test_buffers_of_numpy_are_as_before_afterwards():
    usual, seen = np.getbufsize(), []

    def fail():
        with workspace():
            seen.append(np.getbufsize())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen[0] < usual
    assert np.getbufsize() == usual
