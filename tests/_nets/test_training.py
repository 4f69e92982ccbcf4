"""Batches, and what a training that is compared may not spoil."""

import numpy as np

from moe_classic._nets import Data, Schedule, Trainer, with_ones
from moe_classic._nets.training import _batches

from .nets import make_net


def data(rng, n=200):
    x = rng.normal(size=(n, 4))
    return Data(with_ones(x)[:, None], np.sin(x[:, :2]), np.ones(n))


def test_batches_are_equal_and_hold_every_row_once(rng):
    batches = _batches(103, 20, rng)
    sizes = [len(b) for b in batches]
    assert max(sizes) - min(sizes) <= 1
    assert sorted(np.concatenate(batches)) == list(range(103))


def test_training_lowers_the_loss_and_counts_loads(rng):
    net = make_net("top_k", rng)
    trainer, rows = Trainer(net, 0.01, 0.0), data(rng)
    before = trainer.judge(rows)
    outcome = trainer.run(rows, None, Schedule(20, 20, 0.0, 25), rng)
    trainer.finish()
    assert trainer.judge(rows) < 0.5 * before
    assert len(outcome.history) == 20
    np.testing.assert_allclose(np.sum(outcome.loads[-1], axis=1), 1.0)


def test_numbers_there_already_stay_if_training_only_spoils_them(rng):
    net, rows = make_net("top_k", rng), data(rng)
    Trainer(net, 0.01, 0.0).run(rows, None, Schedule(30, 30, 0.0, 25), rng)
    trainer = Trainer(net, 50.0, 0.0)
    before = trainer.judge(rows)
    outcome = trainer.run(rows, rows, Schedule(2, 5, 0.0, 25, compare=True), rng)
    assert outcome.best == 0
    assert trainer.judge(rows) == before
