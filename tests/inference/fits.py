"""Rows, fits and what tests of inference ask of them."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from moe_classic.inference import inference

#: The same formula in another order of summation, at an optimum found to some 1e-12.
EXACT = 1e-8
LINE = ["intercept", "x0", "x1"]


def line_data(rng, n=200):
    """One line, noise that grows with x0; features far from zero."""
    X = rng.uniform(-1.0, 1.0, (n, 2)) * [1.0, 50.0] + [3.0, 1000.0]
    noise = (0.5 + 0.3 * (X[:, 0] - 2.0)) * rng.standard_normal(n)
    return X, 1.0 + 2.0 * X[:, 0] - 0.05 * X[:, 1] + noise


def two_lines(rng, n=300):
    """Two crossing lines, noises of their own, a soft gate."""
    X = rng.standard_normal((n, 2))
    first = rng.random(n) < 1.0 / (1.0 + np.exp(-0.3 - 1.5 * X[:, 0] + X[:, 1]))
    one = 1.0 + 2.0 * X[:, 0] - X[:, 1] + 0.4 * rng.standard_normal(n)
    two = -1.0 - X[:, 0] + 0.5 * X[:, 1] + 0.7 * rng.standard_normal(n)
    return X, np.where(first, one, two)


def classes_of(y, count=3):
    return np.digitize(y, np.quantile(y, np.arange(1, count) / count))


def fitted(estimator, X, y, **fit):
    """A fit whose own warnings are not what the test is about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y, **fit)


def told(message, *args, **kwargs):
    """The result of an inference that warns once, of ``message``."""
    with pytest.warns(UserWarning, match=message) as record:
        result = inference(*args, **kwargs)
    assert len(record) == 1
    return result


def errors(result, *, rows=slice(None)):
    return result.table.std_error.to_numpy()[rows]
