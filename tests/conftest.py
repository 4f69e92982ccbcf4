"""Fixtures shared by the whole suite."""

import gc
import os

# Processes beside each other have the cores to share already. Before numpy is imported: libraries
# that are loaded later, and the processes that tests start, are to know it too.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

if "PYTEST_XDIST_WORKER" in os.environ:
    threadpool_limits(1)


# Collecting makes millions of objects that stay, and a test few: the collector is not to look for
# garbage meanwhile, and later not after every 700 objects. Objects are not frozen: hypothesis asks
# the collector who refers to its sources of random numbers, and it leaves frozen ones out.
gc.disable()

#: Files that take longest, or have a single long test that would keep one process when the other is
#: done, in this order.
LONGEST = (
    "test_notebooks.py",
    "test_sklearn_checks.py",
    "test_sparse_checks.py",
    "test_docs.py",
    "test_main.py",
    "test_typing.py",
    "test_clusters.py",
)


def pytest_collection_modifyitems(items):
    """Files that take longest come first: processes get file after file, in this order."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONGEST)))


def pytest_collection_finish():
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure():
    """Look once for garbage that complains when it goes; pytest looks one to five times."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def rng():
    return np.random.default_rng(0)
