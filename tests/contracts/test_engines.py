"""One fit, whoever does the adding: a loop, threads, processes, or Dask's partitions."""

import warnings
from copy import deepcopy

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.exceptions import ConvergenceWarning

from moe_classic import (
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MoEClassifier,
    MoERegressor,
)
from moe_classic._engine import processes
from moe_classic._engine.tasks import locked
from moe_classic.experts import EXPERTS
from moe_classic.gates import GATES

N = 420
#: What y is, by what experts say of it.
TARGETS = {
    "real": lambda mean, rng: mean + 0.3 * rng.normal(size=N),
    "positive": lambda mean, rng: np.exp(0.3 * mean + 0.2 * rng.normal(size=N)),
    "count": lambda mean, rng: rng.poisson(np.exp(0.4 * mean)).clip(max=12).astype(float),
    "share": lambda mean, rng: rng.beta(2.0 + np.abs(mean), 3.0),
    "class": lambda mean, rng: np.where(mean + rng.normal(size=N) > 0.0, "a", "b"),
}
#: Chunks of the rows in Dask: one, two, seven, 64, unlike ones.
CUTS = [(N,), (200, 220), (60,) * 7, tuple(map(len, np.array_split(range(N), 64))), (1, 300, 119)]


def rows(target, rng):
    X = rng.normal(size=(N, 2))
    first = rng.uniform(size=N) < 1.0 / (1.0 + np.exp(-2.0 * X[:, 0]))
    return X, TARGETS[target](np.where(first, X[:, 1], 1.5 - X[:, 1]), rng)


def described(expert):
    """An estimator whose experts are of a registered family, and what its y is."""
    made = EXPERTS[expert](**({"trials": 12} if expert == "binomial" else {}))
    kind = MoEClassifier if made.target == "class" else MoERegressor
    return kind(2, expert=made), made.target


ESTIMATORS = {
    **{name: described(name) for name in EXPERTS if EXPERTS[name].additive},
    **{
        f"{name} gate": (MoERegressor(2, gate=name), "real")
        for name in GATES
        if GATES[name].additive
    },
    **{
        f"{solver} solver": (MoERegressor(2, solver=solver), "real")
        for solver in ("newton", "lbfgs", "squarem")
    },
    "classifier": (MoEClassifier(2), "class"),
    "tree": (HierarchicalMoERegressor(branching=(2,)), "real"),
    "tree of classes": (HierarchicalMoEClassifier(branching=(2,)), "class"),
}


def answers(moe, X, y):
    """What a fit says of rows; labels of classes by their probabilities."""
    said = moe.predict_proba(X) if hasattr(moe, "predict_proba") else moe.predict(X)
    return moe.log_likelihood_, moe.gate_proba(X), moe.score_samples(X, y), said


def assert_alike(here, there, X, y, tolerance):
    for one, other in zip(answers(here, X, y), answers(there, X, y), strict=True):
        np.testing.assert_allclose(other, one, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope="module")
def begun():
    """Fits of a few passes, from which all engines go on: they are asked of the same start."""
    kept = {}

    def fit(name):
        if name not in kept:
            moe, target = ESTIMATORS[name]
            X, y = rows(target, np.random.default_rng(7))
            moe = deepcopy(moe).set_params(n_init=1, max_iter=2, random_state=0, block_size=60)
            kept[name] = moe.fit(X, y).set_params(warm_start=True, max_iter=4), X, y
        moe, X, y = kept[name]
        return deepcopy(moe), X, y

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield fit


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("name", ESTIMATORS)
def test_threads_and_processes_add_to_the_digits_of_a_loop(begun, monkeypatch, name):
    moe, X, y = begun(name)
    here = deepcopy(moe).fit(X, y)
    moe.set_params(n_jobs=2)
    with parallel_config(backend="threading"):
        threads = deepcopy(moe).fit(X, y)
    told, tell = [], processes._Table.told
    monkeypatch.setattr(processes._Table, "told", lambda *given: told.append(1) or tell(*given))
    with parallel_config(backend="loky"):
        there = deepcopy(moe).fit(X, y)
    assert bool(told) == locked()
    assert_alike(here, threads, X, y, 1e-10)
    assert_alike(threads, there, X, y, 0.0)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_partitions_add_to_the_digits_of_a_loop(begun, name):
    da = pytest.importorskip("dask.array")
    moe, X, y = begun(name)
    here = deepcopy(moe).fit(X, y)
    # Of most estimators one way of cutting, of the plain one all.
    for sizes in CUTS if name == "gaussian" else CUTS[4:]:
        parts = da.from_array(X, chunks=(sizes, 2)), da.from_array(y, chunks=(sizes,))
        assert_alike(here, deepcopy(moe).fit(*parts), X, y, 1e-10)
