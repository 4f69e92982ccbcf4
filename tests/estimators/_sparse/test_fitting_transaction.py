"""What a net's fit leaves is set all at once and last; what learns on trains a copy."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPRegressor

from moe_classic import (
    DeepMoEClassifier,
    DeepMoERegressor,
    MixtureOfSoftmaxesClassifier,
    SparseMoEClassifier,
    SparseMoERegressor,
    upcycle,
)
from moe_classic._nets import Trainer
from moe_classic._results import fitted_net, fitted_record
from moe_classic._targets import ClassTarget, RealTarget

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::moe_classic.routers.RoutingWarning"
)

NETS = [
    SparseMoERegressor(4, router="expert_choice", width=8, expert_width=8),
    SparseMoEClassifier(4, router="deepseek_v3", width=8, expert_width=8),
    DeepMoERegressor(3, expert_width=6, gate_units=6, balance_iter=2),
    DeepMoEClassifier(3, expert_width=6, gate_units=6),
    MixtureOfSoftmaxesClassifier(3, context_width=8, latent_width=6),
]
BY_NAME = pytest.mark.parametrize("net", NETS, ids=lambda net: type(net).__name__)


@pytest.fixture
def table(rng):
    X = pd.DataFrame(rng.standard_normal((200, 3)), columns=["a", "b", "c"])
    return X, np.digitize(X.a + X.b**2, [0.0, 1.5])


def fresh(net, **options):
    settings = {"random_state": 0, "max_iter": 3} | options
    return type(net)(**net.get_params() | settings)


def interrupt_after(monkeypatch, steps):
    """Training that is interrupted in the middle of an epoch."""
    plain, done = Trainer.step, []

    def step(self, *args):
        if len(done) >= steps:
            raise KeyboardInterrupt
        done.append(None)
        return plain(self, *args)

    monkeypatch.setattr(Trainer, "step", step)


def state_of(net, X):
    return dict(vars(net)), net.predict(X), net.gate_proba(X), net.history_, net.load_.copy()


def assert_same(net, X, before):
    attributes, *answers = before
    assert vars(net) == attributes
    for was, now in zip(answers, state_of(net, X)[1:], strict=True):
        np.testing.assert_array_equal(was, now)


@BY_NAME
@pytest.mark.parametrize("how", ["fit", "warm", "partial_fit"])
def test_interrupted_training_leaves_the_last_one(net, how, table, monkeypatch):
    X, y = table
    net = fresh(net, warm_start=how == "warm").fit(X, y)
    before = state_of(net, X)
    interrupt_after(monkeypatch, 2)
    # Batches of 20 rows: the interruption comes within an epoch.
    net.set_params(batch_size=20)
    learn = net.partial_fit if how == "partial_fit" else net.fit
    rows = (np.ones((90, 5)), np.arange(90) % 4) if how == "fit" else (X, y)
    with pytest.raises(KeyboardInterrupt):
        learn(*rows)
    monkeypatch.undo()
    net.set_params(batch_size="auto")
    assert_same(net, X, before)
    assert list(net.feature_names_in_) == ["a", "b", "c"]


@BY_NAME
def test_learning_on_after_an_interruption_is_as_if_there_had_been_none(net, table, monkeypatch):
    X, y = table
    one, other = (fresh(net, warm_start=True).fit(X, y) for _ in range(2))
    interrupt_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        one.fit(X, y)
    monkeypatch.undo()
    np.testing.assert_array_equal(one.fit(X, y).predict(X), other.fit(X, y).predict(X))
    np.testing.assert_array_equal(
        one.partial_fit(X, y).gate_proba(X), other.partial_fit(X, y).gate_proba(X)
    )


@BY_NAME
@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_interrupted_first_training_leaves_nothing(net, how, table, monkeypatch):
    X, y = table
    net = fresh(net)
    before = dict(vars(net))
    interrupt_after(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        getattr(net, how)(X, y)
    assert vars(net) == before
    for answer in (net.predict, net.gate_proba, net.routing, fitted_record):
        with pytest.raises(NotFittedError):
            answer(net if answer is fitted_record else X)
    for told in (lambda: net.history_, net.summary):
        with pytest.raises(NotFittedError):
            told()


@BY_NAME
@pytest.mark.parametrize("how", ["warm", "partial_fit"])
def test_refused_rows_leave_the_last_fit(net, how, table):
    X, y = table
    net = fresh(net, warm_start=True).fit(X, y)
    before = state_of(net, X)
    learn = net.fit if how == "warm" else net.partial_fit
    for rows, target in (
        (X[["b", "a", "c"]], y),
        (X[["a", "b"]], y),
        (X.where(X.a < 1, np.nan), y),
        (X, y[:-1]),
        (X, np.full(200, 9 if hasattr(net, "classes_") else "z")),
    ):
        with pytest.raises(ValueError, match=r"."):
            learn(rows, target)
        assert_same(net, X, before)


def test_upcycled_net_that_is_interrupted_predicts_as_the_perceptron(table, monkeypatch):
    X, y = table
    mlp = MLPRegressor(hidden_layer_sizes=(9,), max_iter=20, random_state=0).fit(X, y)
    moe = upcycle(mlp, 4, random_state=0)
    interrupt_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        moe.fit(X, y)
    np.testing.assert_allclose(moe.predict(X), mlp.predict(X), atol=1e-12)


def test_answers_while_a_copy_learns_are_those_of_the_last_fit(table, monkeypatch):
    X, y = table
    moe = fresh(NETS[0]).fit(X, y)
    before, heard, plain = moe.predict(X), [], Trainer.step

    def step(self, *args):
        heard.append(np.array_equal(moe.predict(X), before))
        return plain(self, *args)

    monkeypatch.setattr(Trainer, "step", step)
    moe.partial_fit(X, y)
    assert heard
    assert all(heard)
    assert not np.array_equal(moe.predict(X), before)


def test_fit_without_names_forgets_those_of_the_last(table):
    X, y = table
    moe = fresh(NETS[0]).fit(X, y)
    assert not hasattr(moe.fit(X.to_numpy(), y), "feature_names_in_")


@BY_NAME
def test_record_says_what_the_estimator_answers(net, table):
    X, y = table
    net = fresh(net).fit(X, y)
    record = fitted_net(net)
    assert fitted_record(net) is record
    raw = X.to_numpy()
    said = record.predictions(raw)
    if isinstance(record.target, RealTarget):
        expected = net.predict(X)
        said = said[:, 0] * y.std() + y.mean()
    else:
        assert isinstance(record.target, ClassTarget)
        expected = net.predict_proba(X)
    np.testing.assert_allclose(said, expected, rtol=1e-12)
    np.testing.assert_array_equal(record.weights(raw, -1), net.gate_proba(X))
    assert record.labels == [f"expert {e}" for e in range(net.n_experts)]
    assert record.outcome.best == net.best_iter_
    assert net.routers_ == record.net.sparse


def test_classes_must_agree_in_later_batches(table):
    X, y = table
    moe = fresh(NETS[1]).partial_fit(X, y, classes=[0, 1, 2, 3])
    np.testing.assert_array_equal(moe.classes_, [0, 1, 2, 3])
    moe.partial_fit(X, y, classes=[3, 2, 1, 0])
    with pytest.raises(ValueError, match="differs from the classes of the first call"):
        moe.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="at least two classes"):
        fresh(NETS[1]).partial_fit(X, y, classes=[1])
