"""The loop of a hard mixture: fit experts on their shares, train the gate, deal the rows anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from moe_classic._adapters import FitTask, Notices, fit_all, parallel_map
from moe_classic._data import BlendRows, DesignMap
from moe_classic._routing import balanced_assignment, greedy_assignment
from moe_classic._typing import Floats, Ints, Names
from moe_classic.estimators._blend import (
    BlendData,
    FittedBlendGate,
    GateOptions,
    error_of,
    train_gate,
)


@dataclass(frozen=True)
class HardState:
    """One round of the loop, complete.

    Attributes
    ----------
    experts : list of fitted estimators
    gate : FittedBlendGate
    share : ndarray of int of shape (m,)
        Expert of every training row, by which ``experts`` were fitted.
    losses : tuple of float
        Mean squared error of the blend on the rows to learn from, and on those held out.
    round : int
        From 1.
    errors : dict
        Why experts could not be fitted in this round, by number.
    notices : warnings of the experts
    """

    experts: list[Any]
    gate: FittedBlendGate
    share: Ints
    losses: tuple[float, float]
    round: int
    errors: dict[int, str]
    notices: Notices

    @property
    def loss(self) -> float:
        """What rounds are compared by: the loss on rows held out, if there are any."""
        train, validation = self.losses
        return train if np.isnan(validation) else validation


@dataclass
class HardLoop:
    """Collobert, Bengio & Bengio (2002), section 3.

    Attributes
    ----------
    output_of : callable
        ``output_of(fitted, X)`` is the output of a fitted expert at some rows, (d, n).
    fallback : callable
        Gives what predicts for an expert that could not be fitted.
    descriptions : list of K estimators
    rows : BlendRows
    target : ndarray of shape (d, m)
        What the blend should say.
    train_rows, validation_rows : ndarrays of int
        Rows to learn from, and rows held out.
    gate_rows : ndarray of int
        Rows that the gate learns from: all to learn from, or some of them.
    design : DesignMap of the gate
    options : GateOptions
    squash : bool
    capacity : int
    exact : bool
        Whether rows are dealt by the best assignment rather than the greedy one.
    n_jobs : int or None
    names : list of str, or None
    seeds : list of K int
    rng : generator
    """

    output_of: Callable[[Any, np.ndarray], Floats]
    fallback: Callable[[], Any]
    descriptions: list[Any]
    rows: BlendRows
    target: Floats
    train_rows: Ints
    validation_rows: Ints
    gate_rows: Ints
    design: DesignMap
    options: GateOptions
    squash: bool
    capacity: int
    exact: bool
    n_jobs: int | None
    names: Names
    seeds: list[int]
    rng: np.random.Generator
    history: list[dict[str, Any]] = field(default_factory=list)

    def run(self, share: Ints, max_iter: int) -> HardState:
        """Go on from a partition ``share`` of the rows to learn from; the best round wins."""
        best: Any = None
        last: Any = None
        for number in range(1, max_iter + 1):
            begun = perf_counter()
            last = self._round(share, last, number)
            best = last if best is None or last.loss < best.loss else best
            new = share if number == max_iter else self._deal(last.gate)
            moved = int((new != share).sum())
            self._record(last, moved, perf_counter() - begun)
            if not moved:
                break
            share = new
        return best

    # -------------------------------------------------------------------- one round

    def _round(self, share: Ints, last: HardState | None, number: int) -> HardState:
        """Experts of the shares, the gate over all rows to learn from, and their loss."""
        experts, errors, notices = self._fit_experts(share, last)
        data = [self._gate_data(experts, r) for r in (self.gate_rows, self.validation_rows)]
        start = None if last is None else last.gate.theta
        gate, _ = train_gate(self.options, self.design, data[0], self.rng, start)
        train, validation = (
            error_of(d, gate.trained.weights(gate.theta, d.Z)) if d.w.size else np.nan for d in data
        )
        return HardState(experts, gate, share, (train, validation), number, errors, notices)

    def _gate_data(self, experts: list[Any], r: Ints) -> BlendData:
        """What the gate is trained or judged on at the rows ``r``."""
        X = self.rows.X[r]
        stacked = np.empty((len(experts), len(self.target), 0))
        if r.size:
            outputs = parallel_map(lambda e: self.output_of(e, X), experts, self.n_jobs)
            stacked = np.stack(outputs)
        target, w = self.target[:, r], self.rows.w[r]
        return BlendData(self.design(X), stacked, target, w, self.squash)

    def _fit_experts(
        self, share: Ints, last: HardState | None
    ) -> tuple[list[Any], dict[int, str], Notices]:
        """One expert a share; one whose share is empty, or that fails, keeps its last fit."""
        filled = [k for k in range(len(self.descriptions)) if (share == k).any()]
        jobs = [self._job(k, self.train_rows[share == k]) for k in filled]
        trial, labels = self.rows.X[:1], [f"expert {k + 1}" for k in filled]
        outcomes, notices = fit_all(
            jobs, labels, self.n_jobs, lambda fitted: self.output_of(fitted, trial)
        )
        experts = [None] * len(self.descriptions) if last is None else list(last.experts)
        errors: dict[int, str] = {}
        for k, job, outcome in zip(filled, jobs, outcomes, strict=True):
            if outcome.error is None:
                experts[k] = outcome.estimator
                continue
            errors[k] = outcome.error
            if experts[k] is None:
                experts[k] = self.fallback().fit(job.X, job.y, sample_weight=job.w)
        return experts, errors, notices

    def _job(self, k: int, mine: Ints) -> FitTask:
        """The fit of expert ``k`` on the rows ``mine``."""
        X, y, w = self.rows.X[mine], self.rows.y[mine], self.rows.w[mine]
        return FitTask(self.descriptions[k], X, y, w, self.seeds[k], self.names)

    # -------------------------------------------------------------------- the next partition

    def _deal(self, gate: FittedBlendGate) -> Ints:
        """Rows to the experts that the gate prefers, none above its capacity."""
        weights = gate.trained.weights(gate.theta, self.design(self.rows.X[self.train_rows]))
        if self.exact:
            return balanced_assignment(weights, self.capacity)
        order = self.rng.permutation(self.train_rows.size)
        return greedy_assignment(weights, self.capacity, order)

    def _record(self, state: HardState, moved: int, seconds: float) -> None:
        """Add a round to the history."""
        load = np.bincount(state.share, minlength=len(self.descriptions))
        self.history.append(
            {
                "round": state.round,
                "loss": state.losses[0],
                "validation_loss": state.losses[1],
                "rows_moved": moved,
                "smallest_share": int(load.min()),
                "largest_share": int(load.max()),
                "seconds": seconds,
            }
        )
