"""Fixtures shared by the whole suite."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)
