"""A trainer whose rows are larger than memory, perhaps over a connection that may be lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from moe_classic._data import Block, RowStream, Sample, merge_sample
from moe_classic._engine import SerialEngine
from moe_classic._model import MoEParams, Separation
from moe_classic._objectives import MixtureLikelihood
from moe_classic.solvers import Problem, Result

from .ends import Trained, final_pass
from .finalists import StartRun, report
from .trainer import Trainer


@dataclass
class Best:
    """The highest point that passes over all rows have seen."""

    params: MoEParams | None = None
    value: float = -np.inf
    passes: int = 0
    objective: Any = None

    def see(self, objective: Any, params: MoEParams, value: float) -> None:
        """A pass has been made at ``params``; heights of two objectives are not compared."""
        self.passes += 1
        if objective is not self.objective and np.isfinite(value):
            self.objective, self.value = objective, -np.inf
        if value > self.value:
            self.params, self.value = params, value


@dataclass(frozen=True)
class WatchedProblem(Problem):
    """A problem that remembers the best of the parameters at which it was asked."""

    best: Best = field(default_factory=Best, kw_only=True)

    def seen(self, params: MoEParams, value: float) -> None:
        """Remember a point."""
        self.best.see(self.objective, params, value)


@dataclass
class StreamTrainer(Trainer):
    """A trainer whose rows are read block by block; ``data`` holds a sample of them.

    If the connection to them is lost in the climb on all rows, the best parameters so far are what
    it ends with, and the error besides.
    """

    stream: RowStream
    drawn: Sample
    lost: ConnectionError | None = field(default=None, init=False)
    best: Best = field(default_factory=Best, init=False)

    def __post_init__(self) -> None:
        self.maps, self.model = self.plan.maps, self.plan.model
        self._know_noise()

    def all_rows(self) -> Problem:
        """The fitting problem on all rows, or on the sample of those that are lost."""
        if self.lost is not None:
            return replace(super().all_rows(), engine=SerialEngine())
        to_model = self.data.target.to_model
        source = self.stream.source(self.maps, to_model, self.model.n_experts)
        mixture = MixtureLikelihood(self.model)
        return WatchedProblem(
            self.model, mixture, source, self.summary, self.engine, self.seed, best=self.best
        )

    def from_portfolio(self, init: str, n_init: int, rng: np.random.Generator) -> Trained:
        """Short runs from a portfolio of starts on a sample, a long run on all rows."""
        return self._unless_lost(
            lambda: super(StreamTrainer, self).from_portfolio(init, n_init, rng)
        )

    def from_params(
        self, params: MoEParams, name: str = "warm start", *, never_below: bool = False
    ) -> Trained:
        """One long run from given parameters."""
        begin = super().from_params
        return self._unless_lost(lambda: begin(params, name, never_below=never_below))

    def separations(self, params: MoEParams) -> tuple[Separation, ...]:
        """What is separated at fitted parameters, as far as rows can be read that prove it."""
        try:
            return super().separations(params)
        except ConnectionError as error:
            self.lost = error
            return super().separations(params)

    def _unless_lost(self, train: Callable[[], Trained]) -> Trained:
        """What training ends with, or what is left of it."""
        free = self.model
        try:
            trained = train()
            _ = self.null  # read while the rows are there
        except ConnectionError as error:
            if self.best.params is None:
                raise
            self.lost, self.model = error, free
            return self._left(self.best.params)
        return trained

    def _left(self, params: MoEParams) -> Trained:
        """The best parameters so far; what a last pass would say, the sample does."""
        error = ConnectionError(
            f"{self.lost} The estimator holds the best parameters of {self.best.passes} passes: "
            "with warm_start=True, fit goes on from there."
        )
        error.__cause__ = self.lost
        value, weight = self.best.value, self.summary.weight
        told = str(error)
        result = Result(
            params,
            value,
            trace=[value],
            n_iter=self.best.passes,
            converged=False,
            gain_left=np.inf,
            message=told,
            failure=told,
        )
        problem = self.all_rows()
        look = final_pass(self.model, params, problem.source, problem.engine)
        look = look.scaled(weight / float(self.data.w.sum()))
        n_degenerate = self._degenerate(params, problem)
        runs = [StartRun("connection lost", value, result, n_degenerate)]
        table = report(runs, [0], weight, 0.0)
        return Trained(result, table, look, n_degenerate, error)

    def __getstate__(self) -> dict[str, Any]:
        """Without the stream, which can be read only where it is."""
        return {name: value for name, value in self.__dict__.items() if name != "stream"}

    def _at_hand(self) -> list[Block]:
        """The rows that were drawn in the first pass."""
        return [self.drawn.block(self.maps, self.data.target.to_model)]

    def sample(self, size: int) -> Sample:
        """At most ``size`` distinct rows of those drawn in the first pass."""
        drawn = self.drawn
        sample = merge_sample(None, drawn.X, drawn.y, drawn.w, size, drawn.subjects)
        return replace(sample, complete=sample.complete and self.drawn.complete)
