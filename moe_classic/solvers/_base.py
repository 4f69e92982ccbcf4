"""What solvers share: the problem they are given, the result they return, when they stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import require
from moe_classic._data import Source, Summary
from moe_classic._engine import SerialEngine, ThreadedEngine
from moe_classic._model import Model, MoEParams, MoEStats
from moe_classic._sklearn import BaseEstimator
from moe_classic._typing import Floats

#: Called after every accepted step with (iteration, objective); True asks to stop.
StepMonitor = Callable[[int, float], bool]

#: What results say about how a run ended.
CAPPED = "the largest number of iterations was reached"
ENOUGH = "what is left to gain is below tol"
SETTLED = "rows no longer change hands"
APART = "classes are told apart, and their probabilities hardly change"
STUCK = "no step climbs any further"
STOPPED = "stopped by a callback"
OUTDONE = "another start ends higher"


class DivergenceError(ValueError):
    """A gradient ascent ran away; what it left behind are the last good parameters.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.solvers import DivergenceError
    >>> X, y = load_tone(return_X_y=True)
    >>> try:
    ...     moe = MoERegressor(2, solver="sgd", random_state=0).fit(X, y)
    ... except DivergenceError:
    ...     print("use a smaller learning rate")
    """


@dataclass(frozen=True)
class Problem:
    """Everything a solver needs besides a starting point.

    Attributes
    ----------
    model : Model
    objective : objective
        What is climbed, block by block: called for statistics, asked for ``value`` and
        ``gradient``. Not every objective has all three.
    source : Source
        The rows.
    summary : Summary
        Moments of the target.
    engine : engine
        Adds over blocks.
    seed : int
        Seed of solvers that draw random numbers.

    Examples
    --------
    >>> from dataclasses import fields
    >>> from moe_classic.solvers import Problem
    >>> [f.name for f in fields(Problem)]
    ['model', 'objective', 'source', 'summary', 'engine', 'seed']
    """

    model: Model
    objective: Any
    source: Source
    summary: Summary
    engine: SerialEngine | ThreadedEngine = field(default_factory=SerialEngine)
    seed: int = 0

    def evaluate(self, params: MoEParams) -> tuple[float, MoEStats]:
        """Penalised objective and statistics at ``params``: one pass over the data."""
        with np.errstate(over="ignore", invalid="ignore"):
            stats = self.engine.map_reduce(partial(self.objective, params), self.source)
        value = float(stats.objective) - self.model.penalty_value(params, self.summary)
        self.seen(params, value)
        return value, stats

    def value(self, params: MoEParams) -> float:
        """Penalised objective at ``params``: a light pass."""
        with np.errstate(over="ignore", invalid="ignore"):
            stats = self.engine.map_reduce(partial(self.objective.value, params), self.source)
        value = stats.objective - self.model.penalty_value(params, self.summary)
        self.seen(params, value)
        return value

    def slope(self, params: MoEParams) -> tuple[float, Floats]:
        """Penalised objective and its gradient (D,) in unconstrained coordinates: one pass."""
        with np.errstate(over="ignore", invalid="ignore"):
            stats = self.engine.map_reduce(partial(self.objective.gradient, params), self.source)
        value = stats.objective - self.model.penalty_value(params, self.summary)
        self.seen(params, value)
        return value, stats.gradient - self.model.penalty_gradient(params, self.summary)

    def seen(self, params: MoEParams, value: float) -> None:
        """The objective at ``params`` has come out as ``value``: for those who keep the best."""


@dataclass(frozen=True)
class Result:
    """Where a solver ended.

    Attributes
    ----------
    params : MoEParams
        The best parameters among those whose objective was evaluated.
    objective : float
        Penalised objective at ``params``.
    trace : list of float
        Penalised objective at every accepted point; never falls.
    n_iter : int
        Passes over the data.
    converged : bool
    gain_left : float
        Estimate of what is still to gain, in nats.
    message : str
        How the run ended.
    failure : str
        Why the run broke off, with the remedy; empty if it did not. ``params`` are then the last
        good ones.
    kkt_residual : float
        Largest violation at ``params`` of the conditions of Karush, Kuhn and Tucker, in nats per
        unit of weight; NaN without penalties that have kinks.

    Examples
    --------
    >>> from dataclasses import fields
    >>> from moe_classic.solvers import Result
    >>> [f.name for f in fields(Result)][:3]
    ['params', 'objective', 'trace']
    """

    params: MoEParams
    objective: float
    trace: list[float]
    n_iter: int
    converged: bool
    gain_left: float
    message: str = ""
    failure: str = ""
    kkt_residual: float = np.nan


@dataclass(frozen=True)
class Limits:
    """How long a climb may take.

    Attributes
    ----------
    max_iter : int
        Most passes over the data.
    enough : float
        What may be left to gain, in nats.
    monitor : StepMonitor or None
    calm : float
        What the mean of fitted probabilities, or the share of weight that changes hands, may still
        change where a climb has no end of its own; 0 where it has to be followed.
    """

    max_iter: int
    enough: float
    monitor: StepMonitor | None = None
    calm: float = 0.0

    def less(self, passes: int) -> Limits:
        """What is left of them after so many passes."""
        return replace(self, max_iter=self.max_iter - passes)


class Solver(BaseEstimator, ABC):
    """Base of all solvers: descriptions of how to climb, with hyper-parameters only.

    Attributes
    ----------
    name : registered name.
    requires : abilities that gate and experts must have.

    Examples
    --------
    >>> from moe_classic.solvers import SOLVERS, Solver
    >>> all(issubclass(kind, Solver) for kind in SOLVERS.values())
    True
    """

    name: ClassVar[str]
    requires: ClassVar[tuple[str, ...]] = ()
    #: Whether slopes may be exactly zero at the optimum.
    takes_kinks: ClassVar[bool] = False

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range or has no meaning beside the others."""

    def check_model(self, model: Model) -> None:
        """Raise if gate or experts lack what this solver needs."""
        self.require(model, self.requires)

    def check_penalties(self, model: Model) -> None:
        """Raise if the objective has kinks that this solver cannot climb along."""
        parts = (model.gate, *(g.expert for g in model.groups))
        kinked = [part for part in parts if part.sparse]
        if kinked and not self.takes_kinks:
            raise ValueError(
                f"solver={self.name!r} needs a smooth objective, and the penalty of {kinked[0]!r} "
                "has kinks where slopes are zero. Use solver='em' or 'squarem', or a Ridge."
            )

    def require(self, model: Model, needs: tuple[str, ...]) -> None:
        """Raise unless gate and experts have all abilities that are needed."""
        parts = (model.gate, *(g.expert for g in model.groups))
        require(parts, needs, who=f"solver={self.name!r}", instead="Use solver='em'.")

    @property
    def objective_name(self) -> str:
        """What the objective and the trace of a result are: by default the log-likelihood."""
        return "likelihood"

    @property
    def maximises_likelihood(self) -> bool:
        """Whether the objective is the log-likelihood itself."""
        return self.objective_name == "likelihood"

    def with_objective(self, problem: Problem) -> Problem:
        """The problem with the objective that this solver climbs."""
        return problem

    def run(
        self,
        problem: Problem,
        params: MoEParams,
        *,
        max_iter: int,
        tol: float,
        monitor: StepMonitor | None = None,
    ) -> Result:
        """Climb for at most ``max_iter`` passes; ``tol`` is in nats per unit of weight."""
        self.check()
        self.check_model(problem.model)
        self.check_penalties(problem.model)
        enough = tol * problem.summary.weight
        return self.climb(problem, params, Limits(max_iter, enough, monitor, tol**0.5))

    @abstractmethod
    def climb(self, problem: Problem, params: MoEParams, limits: Limits) -> Result:
        """Climb from ``params``, arguments and model being checked."""

    #: Whether :meth:`path` can be walked beside others.
    shares_passes: bool = False

    def path(self, problem: Problem, params: MoEParams, limits: Limits) -> Any:
        """The same climb as a generator that asks for passes: ``moe_classic.solvers._paths``."""
        raise NotImplementedError(f"{type(self).__name__} makes its passes by itself.")


def joined_results(first: Result, then: Result) -> Result:
    """One result of a run and another that went on from its end, at whichever is higher.

    Where parameters lie at bounds, the end of the first may differ by rounding from the point at
    which the second began.
    """
    n_iter = first.n_iter + then.n_iter
    trace = first.trace + [v for v in then.trace[1:] if v >= first.objective]
    if then.objective < first.objective:
        then = replace(then, params=first.params, objective=first.objective)
    return replace(then, trace=trace, n_iter=n_iter)


# ------------------------------------------------------------------------- arguments


# ------------------------------------------------------------------------- stopping
