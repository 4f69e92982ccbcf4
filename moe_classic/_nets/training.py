"""Batches, epochs, early stopping, best parameters, history, divergence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from moe_classic._typing import Ints

from .adam import Adam
from .buffers import Buffers
from .layers import Batch
from .net import Net, Step

Array = np.ndarray

#: Rows on which routers are calibrated before each validation.
_LOOK = 4096
#: Rows judged at a time.
_BLOCK = 8192
#: Factor of the learning rate when half the patience has passed without a gain.
_SLOWER = 0.3


@dataclass
class Data:
    """Rows to train on, or to judge by.

    Attributes
    ----------
    X : ndarray of shape (n, T, q + 1)
        Tokens of the samples with a column of ones; T = 1 without tokens.
    y : ndarray of shape (n, out), or of int of shape (n,)
    w : ndarray of shape (n,)
    inputs : ndarray of shape (n, p), or None
    group : int
        Tokens of a sample, 0 without.
    """

    X: Array
    y: Array
    w: Array
    inputs: Array | None = None
    group: int = 0

    def __len__(self) -> int:
        return len(self.X)

    def batch(self, rows: Any) -> tuple[Batch, Array]:
        """Some rows as a batch, and their targets."""
        X = self.X[rows].reshape(-1, self.X.shape[2])
        inputs = None if self.inputs is None else self.inputs[rows]
        w = self.w[rows]
        return Batch(X, w / w.mean(), inputs, self.group), self.y[rows]

    def take(self, rows: Any) -> Data:
        """Some rows."""
        inputs = None if self.inputs is None else self.inputs[rows]
        return Data(self.X[rows], self.y[rows], self.w[rows], inputs, self.group)


@dataclass
class Schedule:
    """How to train.

    Attributes
    ----------
    epochs, patience, batch : int
    tol : float
        Gain per unit weight that counts.
    report : callable
        Called with the epoch (from 1) and the loss that judges it; True asks to stop.
    begin : callable
        Called with the epoch, from 0, before it.
    compare : bool
        Whether the numbers there are at the start may be the best.
    """

    epochs: int
    patience: int
    tol: float
    batch: int
    report: Callable[[int, float], bool] = lambda epoch, value: False
    begin: Callable[[int], None] = lambda epoch: None
    compare: bool = False


@dataclass
class Outcome:
    """How training went.

    Attributes
    ----------
    history : list of dict
        One an epoch.
    loads : list of ndarray of shape (layers, n_experts)
        Shares of the pairs.
    dropped, uncovered : list of ndarray of shape (layers,)
    best : int
        Number of the best epoch, from 1; 0 if none was finished.
    best_loss : float
    stopped : bool
        Whether training ended before its last epoch, because it had stopped to improve.
    diverged : bool
    """

    history: list[dict[str, float]] = field(default_factory=list)
    loads: list[Array] = field(default_factory=list)
    dropped: list[Array] = field(default_factory=list)
    uncovered: list[Array] = field(default_factory=list)
    best: int = 0
    best_loss: float = np.inf
    stopped: bool = False
    diverged: bool = False

    def after(self, past: Outcome) -> Outcome:
        """An earlier training and then this one, epochs counted through."""
        done = len(past.history)
        later = [line | {"epoch": line["epoch"] + done} for line in self.history]
        return replace(
            self,
            history=[*past.history, *later],
            loads=[*past.loads, *self.loads],
            dropped=[*past.dropped, *self.dropped],
            uncovered=[*past.uncovered, *self.uncovered],
            best=self.best + done,
        )


class _Tally:
    """Means over the batches of an epoch."""

    def __init__(self, layers: int, n_experts: int) -> None:
        self.load = np.zeros((layers, n_experts))
        self.dropped, self.uncovered = np.zeros(layers), np.zeros(layers)
        self.losses: dict[str, float] = {}
        self.loss = self.weight = 0.0

    def add(self, step: Step, rows: int) -> None:
        """Count a batch."""
        self.loss += rows * step.loss
        self.weight += rows
        for i, plan in enumerate(step.plans):
            self.load[i] += plan.load
            self.dropped[i] += rows * plan.dropped
            self.uncovered[i] += rows * plan.uncovered
            for name, value in plan.losses.items():
                key = f"{name}_{i}"
                self.losses[key] = self.losses.get(key, 0.0) + rows * value

    def shares(self) -> Array:
        """Share of the pairs of each expert."""
        return self.load / np.maximum(self.load.sum(axis=1, keepdims=True), 1.0)

    def record(self) -> dict[str, float]:
        """One line of the history."""
        line = {}
        for i, share in enumerate(self.shares()):
            E = len(share)
            positive = share[share > 0.0]
            entropy = float(-(positive * np.log(positive)).sum()) + 0.0
            line[f"balance_entropy_{i}"] = entropy / np.log(E) if E > 1 else 1.0
            line[f"max_over_mean_load_{i}"] = float(share.max() * E)
            line[f"dropped_{i}"] = float(self.dropped[i] / self.weight)
        return line | {name: value / self.weight for name, value in self.losses.items()}


class Trainer:
    """Trains a net, epoch by epoch; may be called again to go on.

    Parameters
    ----------
    net : Net
    rate, decay : float
    """

    def __init__(self, net: Net, rate: float, decay: float) -> None:
        self.net = net
        self.flat, self.grads, weights = net.pack()
        self.adam = net.optimiser(rate, decay, self.flat, weights)
        self.buffers = Buffers(net.dtype)

    def resume(self, adam: Adam) -> None:
        """Go on with the moments of an earlier training."""
        adam.rate, adam.keep, adam.table_keep = (
            self.adam.rate,
            self.adam.keep,
            self.adam.table_keep,
        )
        self.adam = adam

    def finish(self) -> Adam:
        """Give the net arrays of its own; the moments, to go on with."""
        self.net.unpack()
        return self.adam

    def step(self, batch: Batch, y: Array, rng: np.random.Generator) -> Step:
        """One step of everything."""
        step = self.net.step(batch, y, self.buffers, rng, self._move)
        self.adam.move(self.flat, self.grads)
        self.net.settle(step.plans)
        return step

    def _move(self, layer: int, T: Array, first: int, stop: int, g: Array) -> None:
        self.adam.move_experts(layer, T, first, stop, g)

    def epoch(self, data: Data, size: int, rng: np.random.Generator) -> _Tally | None:
        """All rows once, in random order and equal batches; None if it ran away."""
        layers = self.net.sparse
        tally = _Tally(len(layers), layers[0].n_routed)
        for rows in _batches(len(data), size, rng):
            batch, y = data.batch(rows)
            step = self.step(batch, y, rng)
            if not np.isfinite(step.total):
                return None
            tally.add(step, len(rows))
        self.adam.rest()
        return tally

    def judge(self, data: Data) -> float:
        """Mean row loss in prediction."""
        total = 0.0
        for start in range(0, len(data), _BLOCK):
            batch, y = data.batch(slice(start, start + _BLOCK))
            w = data.w[start : start + _BLOCK].astype(np.float64)
            total += float(w @ self.net.row_losses(batch, y))
        return total / float(data.w.sum(dtype=np.float64))

    def run(
        self, data: Data, held: Data | None, schedule: Schedule, rng: np.random.Generator
    ) -> Outcome:
        """Train until the loss that judges stops to improve; leaves the best numbers in the net."""
        outcome, waited = Outcome(), 0
        best = self.net.copy_numbers()
        look = data if len(data) <= _LOOK else data.take(rng.permutation(len(data))[:_LOOK])
        started = time.perf_counter()
        if schedule.compare:
            outcome.best_loss = self.judge(data if held is None else held)
        with np.errstate(over="ignore", invalid="ignore"):
            for epoch in range(1, schedule.epochs + 1):
                schedule.begin(epoch - 1)
                tally = self.epoch(data, schedule.batch, rng)
                value = self._judged(tally, look, held)
                if tally is None or not np.isfinite(value):
                    outcome.diverged = True
                    break
                self._note(outcome, tally, epoch, value, held, time.perf_counter() - started)
                waited = 0 if value < outcome.best_loss - schedule.tol else waited + 1
                if value < outcome.best_loss:
                    outcome.best, outcome.best_loss = epoch, value
                    best = self.net.copy_numbers()
                if schedule.report(epoch, value):
                    outcome.stopped = True
                    break
                if 2 * waited == schedule.patience - schedule.patience % 2:
                    self.adam.slow(_SLOWER)
                if waited >= schedule.patience:
                    outcome.stopped = True
                    break
        self.net.put_numbers(best)
        return outcome

    def _judged(self, tally: _Tally | None, look: Data, held: Data | None) -> float:
        """The loss that judges an epoch: on rows held out, or that of training."""
        if tally is None:
            return np.nan
        if held is None:
            return tally.loss / tally.weight
        if self.net.needs_calibration():
            self.net.calibrate(look.batch(slice(None))[0])
        return self.judge(held)

    def _note(
        self,
        outcome: Outcome,
        tally: _Tally,
        epoch: int,
        value: float,
        held: Data | None,
        seconds: float,
    ) -> None:
        """Add an epoch to the records."""
        loss = tally.loss / tally.weight
        line = {"epoch": epoch, "loss": loss, "validation": np.nan if held is None else value}
        outcome.history.append(line | tally.record() | {"seconds": seconds})
        outcome.loads.append(tally.shares())
        outcome.dropped.append(tally.dropped / tally.weight)
        outcome.uncovered.append(tally.uncovered / tally.weight)


def _batches(n: int, size: int, rng: np.random.Generator) -> list[Ints]:
    """Shuffled rows in batches as equal as can be."""
    return np.array_split(rng.permutation(n), max(1, round(n / size)))
