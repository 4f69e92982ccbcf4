"""Compiled libraries are held at one thread, and get theirs back."""

from threadpoolctl import threadpool_info

from moe_classic._engine import one_thread


def threads(kind):
    """Threads of the libraries of a kind."""
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == kind]


def test_blas_has_one_thread_within():
    before = threads("blas")
    with one_thread("blas"):
        assert set(threads("blas")) == {1}
    assert threads("blas") == before
