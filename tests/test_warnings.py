"""Fits that give no warnings of convergence, each thread on its own."""

import threading
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from moe_classic import MoERegressor
from moe_classic._warnings import quiet, without_convergence_warnings


@pytest.fixture
def data(rng):
    X = rng.standard_normal((80, 2))
    return X, X[:, 0] * X[:, 1] + 0.5 * rng.standard_normal(80)


def test_capped_fits_are_quiet_inside_and_warn_outside(data):
    moe = MoERegressor(2, max_iter=2, tol=0.0, n_init=1, random_state=0)
    with without_convergence_warnings():
        moe.fit(*data)
    assert not moe.converged_
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        moe.fit(*data)


def test_estimators_that_stop_early_are_quiet_too(data):
    net = MLPRegressor(hidden_layer_sizes=3, max_iter=2, random_state=0)
    moe = MoERegressor(1, expert=net, max_iter=3, random_state=0)
    with without_convergence_warnings():
        moe.fit(*data)
    with pytest.warns(ConvergenceWarning, match="Stochastic Optimizer"):
        moe.fit(*data)


def test_other_threads_are_not_quiet(data):
    seen = []
    with without_convergence_warnings():
        thread = threading.Thread(target=lambda: seen.append(quiet()))
        thread.start()
        thread.join()
        assert quiet()
    assert seen == [False]
    assert not quiet()


def test_filters_stay_as_they_were(data):
    before = list(warnings.filters)
    with without_convergence_warnings():
        MoERegressor(2, max_iter=2, n_init=1, random_state=0).fit(*data)
    assert list(warnings.filters) == before
    assert np.isfinite(data[0]).all()
