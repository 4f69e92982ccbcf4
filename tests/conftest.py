"""Fixtures shared by the whole suite."""

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


@pytest.fixture
def rng():
    return np.random.default_rng(0)
