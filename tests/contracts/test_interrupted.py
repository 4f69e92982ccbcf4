"""A fit is a transaction: interrupted at every hundredth call, it leaves the old or the new."""

import inspect
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression

import moe_classic
from moe_classic import (
    HardMoEClassifier,
    HardMoERegressor,
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MetaPiClassifier,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
)

MetaPi = (MetaPiRegressor, MetaPiClassifier)
HOME = str(Path(moe_classic.__file__).parent)
#: Calls of the package between two interrupts; those of a long operation are spread over it.
EVERY, MOST = 100, 9
FEW = {"n_init": 1, "max_iter": 3, "random_state": 0}
ROUNDS = {"max_iter": 2, "random_state": 0}
MODELS = {
    "regressor": MoERegressor(2, **FEW),
    "classifier": MoEClassifier(2, **FEW),
    "tree": HierarchicalMoERegressor((2,), **FEW),
    "growing tree": HierarchicalMoERegressor("grow", max_leaves=3, **FEW),
    "tree of classes": HierarchicalMoEClassifier((2,), **FEW),
    "blend": MetaPiRegressor(LinearRegression(), max_iter=5, random_state=0),
    "blend of classes": MetaPiClassifier(LogisticRegression(), max_iter=5, random_state=0),
    "hard": HardMoERegressor(2, expert=LinearRegression(), **ROUNDS),
    "hard classes": HardMoEClassifier(2, expert=LogisticRegression(), **ROUNDS),
}
MIXTURES = ["regressor", "classifier", "tree", "tree of classes"]


def data(name, seed, width):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, width))
    y = np.abs(X[:, 0]) + 0.1 * rng.normal(size=40)
    return X, np.where(y > np.median(y), "b", "a") if "class" in name else y


def sources(model, X):
    return (
        {"sources": X[:, 0] > 0.0}
        if hasattr(model, "source_table_") or "MetaPi" in type(model).__name__
        else {}
    )


def fit(model, X, y):
    return model.fit(X, y, **sources(model, X))


def refit_from_there(model, X, y):
    return model.set_params(warm_start=True).fit(X, y)


def learn(model, X, y):
    more = {"classes": ["a", "b"]} if isinstance(y[0], str) else {}
    return model.partial_fit(X, y, **more)


def read_blocks(model, X, y):
    return model.fit_blocks([(X[:20], y[:20]), (X[20:], y[20:])])


def recur(model, X, y):
    return model.learn_recursively(X, y)


class Interrupt:
    """Raises KeyboardInterrupt at a call of a function of the package."""

    def __init__(self, at=None):
        self.at, self.calls = at, 0

    def __call__(self, frame, event, argument):
        code = frame.f_code
        # Nobody hears what is raised while a generator is closed.
        if code.co_flags & inspect.CO_GENERATOR:
            return
        if event == "call" and code.co_filename.startswith(HOME):
            self.calls += 1
            if self.calls == self.at:
                raise KeyboardInterrupt

    def __enter__(self):
        sys.setprofile(self)
        return self

    def __exit__(self, *error):
        sys.setprofile(None)


def state(model, X):
    """All that a user sees of a model: answers, and numbers that fits leave."""
    seen = {"features": getattr(model, "n_features_in_", None)}
    for name, value in vars(model).items():
        if name.endswith("_") and isinstance(value, (int, float, str, np.ndarray)):
            seen[name] = np.asarray(value).tolist()
    try:
        seen["answers"] = model.predict(X).tolist()
    except NotFittedError:
        seen["answers"] = None
    except ValueError:  # another number of features
        seen["answers"] = "other"
    return seen


def check(name, operation, width, *, prepare=True):
    """Interrupts an operation again and again; every time the model is what it was, or is new."""
    (X, y), (Z, target) = data(name, 0, 2), data(name, 1, width)

    first = clone(MODELS[name])
    if prepare:
        (prepare if callable(prepare) else fit)(first, X, y)

    def begun():
        return deepcopy(first)

    old = [state(begun(), part) for part in (X, Z)]
    model = begun()
    with Interrupt() as counted:
        operation(model, Z, target)
    new = [state(model, part) for part in (X, Z)]
    assert new != old
    step = max(EVERY, counted.calls // MOST)
    for at in range(step, counted.calls, step):
        model = begun()
        raised = False
        try:
            with Interrupt(at) as interrupt:
                operation(model, Z, target)
        except KeyboardInterrupt:
            raised = True
        # What is remembered between fits saves a few calls.
        assert raised or interrupt.calls < at, f"call {at} went on"
        model.set_params(**clone(MODELS[name]).get_params(deep=False))
        found = [state(model, part) for part in (X, Z)]
        assert found in (old, new), f"torn at call {at} of {counted.calls}"


pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")


@pytest.mark.parametrize("name", MODELS)
def test_an_interrupted_fit_leaves_the_last_one(name):
    check(name, fit, 3)


@pytest.mark.parametrize("name", MODELS)
def test_an_interrupted_first_fit_leaves_nothing(name):
    check(name, fit, 2, prepare=False)


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("operation", [refit_from_there, read_blocks], ids=lambda f: f.__name__)
def test_other_ways_to_fit_are_transactions_too(name, operation):
    check(name, operation, 2)


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("begin", [False, fit, learn], ids=["first", "after fit", "after batch"])
def test_interrupted_batches_are_not_learned(name, begin):
    check(name, learn, 2, prepare=begin)


@pytest.mark.parametrize("begin", [False, fit], ids=["first", "after fit"])
def test_interrupted_recursions_are_not_learned(begin):
    check("tree", recur, 2, prepare=begin)
