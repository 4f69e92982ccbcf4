"""Passes of mini-batch gradient ascent: judge, step, cut the rate, notice when it runs away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from moe_classic._components import Forward
from moe_classic._data import ArraySource, Block, Source, Stats
from moe_classic._engine import SerialEngine
from moe_classic._model import Model, MoEParams
from moe_classic._typing import Floats

from ._base import CAPPED, ENOUGH, STOPPED, STUCK, Limits, Problem, Result
from ._batches import batches, held_out, weight_of
from ._stopping import gain_left

#: Cuts of the learning rate in a row that gained nothing, after which batches have done their work.
_CUTS = 3
#: Share of the learning rate below which steps are rounding.
_SMALLEST = 1e-9
#: Epochs over which gains are compared where all rows make a step.
_WINDOW = 10
#: Fall below the best score, per unit of weight, that counts as running away when it lasts.
_COLLAPSE = 1.0
#: Smallest curvature per unit of weight by which a slope is divided.
_FLAT = 1e-3


class Rule(Protocol):
    """Turns gradients into steps; remembers what came before."""

    def __call__(self, gradient: Floats, curvature: Floats) -> Floats:
        """Step (D,) for a learning rate of 1."""


class Pace(Protocol):
    """What a climb by epochs must know of its solver."""

    learning_rate: float
    batch_size: int | None
    decay: float | None
    patience: int
    validation_fraction: float | None

    @property
    def objective_name(self) -> str:
        """What the objective is."""

    @property
    def scaled(self) -> bool:
        """Whether the gradient is divided by the curvature."""

    def rule(self) -> Rule:
        """A fresh rule without memory."""


class Epochs:
    """One climb by epochs.

    The score that decides is the objective per unit of weight, on held-out rows if there are any.
    """

    def __init__(self, solver: Pace, problem: Problem, params: MoEParams, limits: Limits) -> None:
        self.solver, self.problem, self.monitor = solver, problem, limits.monitor
        self.tol = limits.enough / problem.summary.weight
        self.train, self.test = problem, None
        if solver.validation_fraction is not None:
            parts = held_out(problem.source, solver.validation_fraction, problem.seed)
            self.train, self.test = (_on(problem, part) for part in parts)
        self.rng = np.random.default_rng([problem.seed, 1])
        self.rate, self.rule = solver.learning_rate, solver.rule()
        self.size = solver.batch_size
        self.curvature = np.ones(problem.model.pack(params).size)
        self.slope: Floats | None = None
        self.params = self.best = params
        self.trace: list[float] = []
        self.windows: list[float] = []
        self.high = self.mark = self.at_cut = -np.inf
        self.waited = self.vain = 0
        self.left = np.inf
        self.over = self.converged = False
        self.message, self.failure = CAPPED, ""

    # -------------------------------------------------------------------- the loop

    def run(self, max_iter: int) -> Result:
        """Up to ``max_iter`` epochs."""
        epoch, score = 0, -np.inf
        with np.errstate(all="ignore"):
            while epoch < max_iter and not self.over:
                if epoch:
                    self._advance(epoch)
                epoch += 1
                score = self._judge()
                self._weigh(score)
            if not self.over and len(self.trace) == 1 and self._collapsed(score):
                self._fail(score)
        value = self.trace[-1] if self.trace else -np.inf
        return Result(
            self.best,
            value,
            self.trace,
            epoch,
            self.converged,
            self.left,
            self.message,
            self.failure,
        )

    def _judge(self) -> float:
        """Score of the current parameters; nan if they cannot even be evaluated.

        Where all rows make a step, their slope comes along.
        """
        judge = self.train if self.test is None else self.test
        self.slope = value = None
        try:
            if self.size is None:
                value, self.slope = self.train.slope(self.params)
            if value is None or self.test is not None:
                value = judge.value(self.params)
        except np.linalg.LinAlgError:
            return np.nan
        if self.slope is not None and not np.isfinite(self.slope).all():
            return np.nan
        return value / judge.summary.weight

    def _weigh(self, score: float) -> None:
        """Keep the parameters if they are the best so far; decide how to go on."""
        if not np.isfinite(score):
            self._fail(score)
            return
        # Among noisy epochs there is always one that is better by a hair.
        worth = self.tol if self.size is not None else 0.0
        self.waited = 0 if score > self.mark + worth else self.waited + 1
        self.mark = score if self.waited == 0 else self.mark
        if score > self.high:
            self._accept(score)
        if self.size is None and self.test is None:
            self._compare()
        if self.over or self.waited < self.solver.patience:
            return
        if self._collapsed(score):
            self._fail(score)
        elif self.test is not None:
            self._end("the held-out rows gained nothing more")
        elif self.solver.decay is None:
            self._end("no epoch gained anything more")
        else:
            self._cut(self.solver.decay)

    def _collapsed(self, score: float) -> bool:
        """Whether the rows that are trained on speak of running away, not of overfitting."""
        if not score < self.high - _COLLAPSE:
            return False
        if self.test is None:
            return True
        fall = self.train.value(self.best) - self.train.value(self.params)
        return not fall <= _COLLAPSE * self.train.summary.weight

    def _accept(self, score: float) -> None:
        """Take the current parameters for the best."""
        self.high, self.best = score, self.params
        value = score * self.problem.summary.weight
        if self.test is not None:
            value = self.problem.value(self.params)
        self.trace.append(value)
        if self.monitor is not None and self.monitor(len(self.trace), value):
            self.over, self.message = True, STOPPED

    def _compare(self) -> None:
        """Aitken's estimate of what is left, from gains over windows of epochs."""
        self.windows.append(self.high)
        marks = self.windows[::-1][: 3 * _WINDOW + 1 : _WINDOW][::-1]
        # Twice in a row: where a fast direction has just settled, a slow one may go on.
        left = max(gain_left(marks[:3]), gain_left(marks[1:]))
        self.left = left * self.problem.summary.weight
        if left <= self.tol:
            self._end(ENOUGH)

    def _cut(self, decay: float) -> None:
        """Go on from the best parameters with a smaller rate.

        Once that was in vain several times, all rows make a step: what is left is the noise of
        the batches.
        """
        self.vain = self.vain + 1 if self.high <= self.at_cut + self.tol else 0
        self.at_cut, self.waited = self.high, 0
        self.rate *= decay
        if self.size is not None and self.vain >= _CUTS:
            self.size, self.rate = None, self.solver.learning_rate
        if self.rate < _SMALLEST * self.solver.learning_rate:
            self._end(STUCK)
        self.windows.clear()
        self.params, self.slope, self.rule = self.best, None, self.solver.rule()

    def _end(self, message: str) -> None:
        """Note that the climb has converged."""
        self.over = self.converged = True
        self.message = message

    def _fail(self, score: float) -> None:
        """Note that the climb ran away."""
        solver, rate = self.solver, self.solver.learning_rate
        self.over, self.message = True, "the climb ran away"
        self.failure = (
            f"{type(solver).__name__} ran away with learning_rate={rate:g}: per unit of weight, "
            f"the objective ({solver.objective_name}) went from {self.high:.6g} to {score:.6g}. "
            f"Use a smaller learning_rate, such as {rate / 10.0:g}. The last good parameters are "
            "kept."
        )

    # -------------------------------------------------------------------- steps

    def _advance(self, epoch: int) -> None:
        """The steps of one epoch."""
        if self.solver.scaled and epoch & (epoch - 1) == 0:
            # Before epochs 1, 2, 4, 8 ...: the curvature settles as the fit does.
            self.curvature = _curvature(self.train, self.params)
        train, weight = self.train, self.train.summary.weight
        if self.size is None:
            slope = train.slope(self.params)[1] if self.slope is None else self.slope
            self._step(slope / weight)
            return
        for block in batches(train.source, self.size, self.rng):
            try:
                stats = train.objective.gradient(self.params, block)
            except np.linalg.LinAlgError:
                return
            pull = train.model.penalty_gradient(self.params, train.summary) / weight
            if not self._step(stats.gradient / block.w.sum() - pull):
                return

    def _step(self, gradient: Floats) -> bool:
        """One step along a gradient per unit of weight; whether it stayed among the numbers."""
        model = self.problem.model
        theta = model.pack(self.params) + self.rate * self.rule(gradient, self.curvature)
        if np.isfinite(theta).all():
            self.params = model.unpack(theta, self.params, self.problem.summary)
            return True
        return False


def _on(problem: Problem, part: Source) -> Problem:
    """The problem on some of its rows; moments of the target stay those of all rows."""
    engine = problem.engine if isinstance(part, ArraySource) else SerialEngine()
    summary = replace(problem.summary, weight=weight_of(part))
    return replace(problem, source=part, summary=summary, engine=engine)


# ------------------------------------------------------------------------- curvature


@dataclass(frozen=True)
class SquareStats(Stats):
    """Sums of squared complete-data scores, (D,)."""

    squares: Floats


def _curvature(problem: Problem, params: MoEParams) -> Floats:
    """Size of the curvature per unit of weight along each coordinate, (D,)."""
    model, summary = problem.model, problem.summary
    squares = problem.engine.map_reduce(
        lambda block: squared_scores(model, params, block), problem.source
    ).squares
    squares = squares + model.penalty_curvature(params, summary)
    return np.maximum(squares / summary.weight, _FLAT)


def squared_scores(model: Model, params: MoEParams, block: Block) -> SquareStats:
    """Squared scores of gate and experts, weighted by the posterior: Fisher's information.

    Unlike second derivatives they are positive, exist where a density has a kink, and are large
    where the fit is still bad.
    """
    forward = model.evaluate(params, block)
    S, _ = forward.posterior()
    S *= block.subject_w
    rows = block.by_row(S)
    parts = [_gate_squares(model, params, forward.gate, block, S)]
    for group, p, fwd, share in zip(
        model.groups, params.experts, forward.experts, model.shares, strict=True
    ):
        first = group.expert.first_derivatives(p, fwd, block.y)
        weighted = rows[share][:, None] * first**2
        m = p.coef.shape[1]
        out = np.zeros(group.expert.pack(p).size)
        places = group.expert.coefficient_places(p)
        learned = places >= 0
        squares = block.designs[group.design].squared_scores(weighted[:, :m])
        np.add.at(out, places[learned], squares[learned])
        np.add.at(out, group.expert.nuisance_map(p), weighted[:, m:].sum(axis=-1))
        parts.append(out)
    return SquareStats(np.concatenate(parts))


def _gate_squares(model: Model, params: MoEParams, fwd: Forward, block: Block, S: Floats) -> Floats:
    """Squared scores of the gate, or the weight where it has no pointwise derivatives."""
    gate = model.gate
    if not gate.has("derivatives"):
        return np.full(gate.pack(params.gate).size, block.subject_w.sum())
    first, _ = gate.derivatives(params.gate, fwd, S)
    pointwise = np.einsum("kn,akn->an", S, first**2)
    if gate.plain:
        return pointwise.sum(axis=1)
    return block.designs[model.gate_design].squared_scores(pointwise).ravel()
