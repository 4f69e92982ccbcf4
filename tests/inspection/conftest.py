"""Figures without a screen, closed after every test; a few fits to look at."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.datasets import load_motorcycle


@pytest.fixture(autouse=True)
def _figures():
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def crash():
    """Motorcycle data as a DataFrame and a named Series."""
    return load_motorcycle(return_X_y=True, as_frame=True)


@pytest.fixture(scope="session")
def crash_moe(crash):
    """Three experts along one feature."""
    return MoERegressor(3, n_init=3, random_state=0).fit(*crash)


@pytest.fixture(scope="session")
def plane():
    """Three features, a target whose regime changes in the first two."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.uniform(-2.0, 2.0, (200, 3)), columns=["age", "income", "town"])
    # A soft border, so that the gate has standard errors.
    steep = rng.random(200) < 1.0 / (1.0 + np.exp(-2.0 * (X.age + X.income - 0.5)))
    y = np.where(steep, 3.0 * X.age, X.town) + 0.2 * rng.standard_normal(200)
    return X, pd.Series(y, name="spending")


@pytest.fixture(scope="session")
def plane_moe(plane):
    """Two experts of several features."""
    return MoERegressor(2, n_init=3, random_state=0).fit(*plane)


@pytest.fixture(scope="session")
def plane_classifier(plane):
    """Two experts for three classes."""
    X, y = plane
    classes = np.where(y > 1.0, "high", np.where(y < -1.0, "low", "middle"))
    return MoEClassifier(2, n_init=2, random_state=0).fit(X, classes), classes
