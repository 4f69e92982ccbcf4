"""Rows of three experts, of three classes, and the tone data."""

import numpy as np
import pytest

from moe_classic.datasets import load_tone, make_moe


@pytest.fixture(scope="module")
def real():
    """Rows of three experts on two features."""
    return make_moe(150, n_experts=3, n_features=2, random_state=3)


@pytest.fixture(scope="module")
def classes():
    """Rows of two experts for three classes."""
    X, y = make_moe(
        150, expert="multinomial", n_classes=3, n_features=2, separation=5.0, random_state=1
    )
    return X, np.array(["a", "b", "c"])[y]


@pytest.fixture(scope="module")
def tone():
    return load_tone(return_X_y=True)
