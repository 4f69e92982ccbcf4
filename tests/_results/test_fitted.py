"""Answers are given block by block, by as many threads as asked for, and are the same."""

import threading

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic._results import fitted as fitted_module
from moe_classic.datasets import make_moe

#: What an estimator answers about rows alone, and about rows with targets.
REAL = {
    "predict": {},
    "predict top 1": {"top_k": 1},
    "predict std": {"return_std": True},
    "predict_quantile": {"q": [0.1, 0.9]},
    "predict_interval": {},
    "predict_mode": {},
}
COMMON = {"gate_proba": {}, "predict_expert": {}, "expert_predictions": {}, "score_samples": {}}
CLASSES = {"predict": {}, "predict_proba": {}, "predict_proba top 1": {"top_k": 1}}
WITH_TARGET = ("score_samples", "responsibilities", "log_likelihood")
CASES = {
    "flat": (MoERegressor(2, n_init=2, random_state=0), REAL, ("predict_cdf", "crps")),
    "t": (MoERegressor(2, expert="student_t", n_init=2, random_state=0), REAL, ("predict_cdf",)),
    "classes": (MoEClassifier(2, n_init=2, random_state=0), CLASSES, ()),
    "tree": (
        HierarchicalMoERegressor((2, 2), n_init=2, random_state=0),
        REAL | {"node_proba": {}},
        ("node_responsibilities",),
    ),
}


def answers(moe, X, y, calls, targets):
    """Everything that an estimator says, as a list of arrays."""
    found = [
        getattr(moe, name.split()[0])(X, **options) for name, options in (calls | COMMON).items()
    ]
    found += [getattr(moe, name)(X, y) for name in (*WITH_TARGET, *targets)]
    return [
        np.asarray(a) for answer in found for a in (answer if type(answer) is tuple else [answer])
    ]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", CASES)
def test_answers_depend_neither_on_blocks_nor_on_threads(monkeypatch, name):
    moe, calls, targets = CASES[name]
    X, y = make_moe(403, n_experts=2, n_features=2, random_state=0)
    target = (y > np.median(y)).astype(int) if name == "classes" else y
    moe.fit(X, target)
    whole = answers(moe, X, target, calls, targets)
    monkeypatch.setattr(fitted_module, "_ROWS", 50)
    for n_jobs in (1, 3):
        moe.n_jobs = n_jobs
        pieces = answers(moe, X, target, calls, targets)
        for a, b in zip(whole, pieces, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_draws_depend_on_the_seed_and_not_on_threads(monkeypatch):
    monkeypatch.setattr(fitted_module, "_ROWS", 50)
    X, y = make_moe(403, n_experts=2, random_state=0)
    moe = MoERegressor(2, n_init=2, random_state=0).fit(X, y)
    drawn = moe.sample(X, 3, random_state=1)
    moe.n_jobs = 2
    np.testing.assert_allclose(moe.sample(X, 3, random_state=1), drawn, rtol=1e-12)


class Watched(LinearRegression):
    """Notes which threads ask it."""

    seen: set = set()  # noqa: RUF012 - shared by clones on purpose

    def predict(self, X):
        Watched.seen.add(threading.get_ident())
        return super().predict(X)


def test_estimators_of_the_user_are_asked_by_the_calling_thread(monkeypatch):
    X, y = make_moe(403, n_experts=2, random_state=0)
    moe = MoERegressor(2, expert=Watched(), n_init=1, max_iter=5, tol=1.0, random_state=0)
    moe.fit(X, y)
    monkeypatch.setattr(fitted_module, "_ROWS", 50)
    Watched.seen.clear()
    moe.set_params(n_jobs=2).predict(X)
    assert Watched.seen == {threading.get_ident()}


def test_own_components_are_asked_by_threads(monkeypatch):
    X, y = make_moe(403, n_experts=2, random_state=0)
    moe = MoERegressor(2, n_init=2, random_state=0).fit(X, y)
    monkeypatch.setattr(fitted_module, "_ROWS", 50)
    asked = set()
    block = fitted_module.FittedMixture.block

    def noted(self, *rows):
        asked.add(threading.get_ident())
        return block(self, *rows)

    monkeypatch.setattr(fitted_module.FittedMixture, "block", noted)
    moe.set_params(n_jobs=2).predict(X)
    assert asked
    assert threading.get_ident() not in asked
