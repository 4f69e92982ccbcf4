"""Fixtures shared by the whole suite."""

import os

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

# Processes beside each other have the cores to share already.
if "PYTEST_XDIST_WORKER" in os.environ:
    threadpool_limits(1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
