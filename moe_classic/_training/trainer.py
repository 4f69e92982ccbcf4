"""From a bound model and data to the best parameters: starts, short runs, long runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from moe_classic._data import (
    Sample,
    Summary,
)
from moe_classic._engine import Workers
from moe_classic._model import (
    Model,
    MoEParams,
    spurious,
)
from moe_classic._objectives import MixtureLikelihood
from moe_classic._typing import Floats
from moe_classic.solvers import (
    EM,
    GradientAscent,
    Problem,
    Result,
    Solver,
    Watcher,
    joined_results,
    run_together,
)

from .bound_rows import BoundRows
from .ends import Trained, final_pass
from .finalists import MOST, StartRun, agreements, have_met, report, run_finalists
from .progress import no_monitor
from .settle import settled
from .split_merge import Move, Search, candidates
from .starts import (
    STRATEGIES,
    StartData,
    params_from_responsibilities,
    portfolio,
    several_from_responsibilities,
    soften,
)
from .subject_starts import SUBJECT_STRATEGIES
from .together import StartSample, em_runs
from .view import view_of
from .wide import wide_starts
from .wild import past_wild_values

#: Passes of a short run, and rows up to which every start is followed to the end.
SHORT_PASSES = 15
_FEW_ROWS = 1000

#: Differences between heights, in nats per unit of weight, that no tolerance resolves.
_SAME_HEIGHT = 1e-8

#: Difference of heights, in nats per unit of weight, up to which a move may have led back.
_SAME_PLACE = 1e-4

#: Tolerance of long runs on a sample of the rows, in nats per unit of weight.
_ROUGH_TOL = 1e-4

#: Nats between two heights that nobody would notice.
_UNNOTICED = 1.0
#: Heights of short runs, in ceilings, from which the first of them may come to end above it.
_NEARLY = 30.0

#: Hands out a monitor for each long run: (name of the run) -> monitor or None.
MonitorFactory = Callable[[str], Any]


@dataclass
class Trainer(BoundRows):
    """Tries starts, follows the best, reports on all."""

    solver: Solver
    max_iter: int
    tol: float
    monitor_for: MonitorFactory

    #: Whether starts that advance together know of each other.
    competes = False

    @property
    def keeps_shape(self) -> bool:
        """Whether the model that is fitted is the one that was given: trees may grow."""
        return True

    def long_run(self, problem: Problem, params: MoEParams, name: str) -> Result:
        """The user's solver from ``params``."""
        return self.long_runs(problem, [params], [name])[0]

    def long_runs(
        self, problem: Problem, several: list[MoEParams], names: list[str]
    ) -> list[Result]:
        """The user's solver from each of several parameters."""
        monitors = [self.monitor_for(name) for name in names]
        results = run_together(
            self.solver,
            problem,
            several,
            max_iter=self.max_iter,
            tol=self.tol,
            monitors=monitors,
            watched=self.watched(problem),
        )
        for monitor in monitors:
            if monitor is not None:
                monitor.close()
        return results

    def watched(self, problem: Problem) -> Watcher | None:
        """What ends paths of a problem early; None leaves them to themselves."""
        return None

    def offset(self) -> float:
        """What a unit of weight adds to objectives on the user's scales; errors keep theirs."""
        if not (
            self.solver.maximises_likelihood
            or self.solver.objective_name == "classification likelihood"
        ):
            return 0.0
        value = self.data.target.log_unit
        if self.model.gate.generative:
            value += self.log_unit_of_features() * self.summary.per_row
        return -value

    # -------------------------------------------------------------------- one start

    def from_params(
        self, params: MoEParams, name: str = "warm start", *, never_below: bool = False
    ) -> Trained:
        """One long run from given parameters; these themselves if it falls and must not."""
        problem = self.all_rows()
        result = self.long_run(problem, params, name)
        if never_below and result.objective < (first := problem.evaluate(params)[0]):
            result = replace(result, params=params, objective=first, trace=[first])
        return self._single(problem, result, name)

    def from_responsibilities(self, R: Floats) -> Trained:
        """One long run from given responsibilities (K, G)."""
        problem = self.all_rows()
        params = params_from_responsibilities(self.model, problem.source, R, self.summary)
        result = self.long_run(problem, params, "responsibilities")
        return self._single(problem, result, "responsibilities")

    def _settled(self, problem: Problem, result: Result) -> Result:
        """The result to the last digit, where the likelihood is climbed to the end."""
        done = result.converged and self.solver.maximises_likelihood
        if not done:
            return result
        result = past_wild_values(problem, result, self._climb)
        return settled(problem, result, self.plan.maps)

    def _climb(self, problem: Problem, params: MoEParams) -> Result:
        """The user's solver, unwatched."""
        return self.solver.run(problem, params, max_iter=self.max_iter, tol=self.tol)

    def _single(self, problem: Problem, result: Result, name: str) -> Trained:
        result = self._settled(problem, result)
        n_degenerate = self._degenerate(result.params, problem)
        runs = [StartRun(name, result.objective, result, n_degenerate)]
        table = report(runs, [0], problem.summary.weight, 0.0)
        last_pass = final_pass(self.model, result.params, problem.source, self.engine)
        return Trained(result, table, last_pass, n_degenerate)

    def _degenerate(self, params: MoEParams, problem: Problem) -> int:
        """How many experts are spurious or at a bound that only keeps the likelihood finite."""
        bounded = self.model.at_bounds(params, self.summary)
        found = spurious(self.model, params, problem.source, problem.summary)
        return int((bounded | found).sum())

    # -------------------------------------------------------------------- many starts

    def from_portfolio(self, init: str, n_init: int, rng: np.random.Generator) -> Trained:
        """Short runs from a portfolio of starts on a sample, long runs from the best."""
        free = self.model
        self.model = replace(free, gate=free.gate.guarded())
        on_sample, start_sample = self._on(self.sample(self._sample_size))
        if self.model.n_experts == 1:
            init, n_init = "principal", 1
        # Experts that are estimators are refitted side by side themselves.
        workers = Workers(self.engine.n_threads if self.model.additive else 1)
        starts = list(zip(self.names(init, n_init), rng.spawn(n_init), strict=True))
        portions = start_sample.portions(starts, EM(finish=None))
        runs = list(chain(*workers.map(partial(on_sample.short_runs, start_sample), portions)))
        small, complete = start_sample.problem, start_sample.complete
        if not self.solver.maximises_likelihood:
            posed = self.solver.with_objective(small)
            runs = [replace(run, objective=posed.value(run.result.params)) for run in runs]
        weight = small.summary.weight
        same = max(self._long_tol(complete=complete), _SAME_HEIGHT) * weight
        watched = self.monitor_for is not no_monitor and (
            complete or not self.solver.maximises_likelihood
        )
        follower = Workers(1) if watched else workers
        finalists = self._followed(on_sample, start_sample, runs, follower, same)
        best = finalists[0]
        heights = [runs[i].objective for i in finalists]
        if (
            self.solver.maximises_likelihood
            and init == "auto"
            and max(heights) - min(heights) > 1e-6 * weight
        ):
            moved = on_sample.moves(start_sample, [runs[i] for i in finalists], follower)
            if moved is not None:
                best = len(runs)
                runs.append(moved)
                finalists.append(best)
        agreement = agreements(runs, finalists, best, self.model, start_sample.block)
        table = report(runs, finalists, weight, same, agreement)
        problem, result = self._on_all(small, runs[best].result, free, complete=complete)
        last_pass = final_pass(self.model, result.params, problem.source, self.engine)
        return Trained(result, table, last_pass, self._degenerate(result.params, problem))

    def _followed(
        self,
        on_sample: Trainer,
        start_sample: StartSample,
        runs: list[StartRun],
        follower: Workers,
        same: float,
    ) -> list[int]:
        """Long runs in the place of the short ones that may win; their numbers, best first."""
        complete, summary = start_sample.complete, start_sample.problem.summary
        ceiling = self._ceiling(summary)

        def further(starts: list[tuple[int, StartRun]]) -> Iterator[StartRun]:
            task = partial(on_sample.continue_runs, start_sample)
            portions = start_sample.portions(starts, self._follower(complete=complete))
            compete = self.competes and max(map(len, portions), default=0) > 1
            if starts and not compete and starts[0][1].objective > _NEARLY * ceiling:
                # One that may be high enough goes first, so that the others need not go at all.
                portions = [starts[:1], *portions]
                portions[1] = portions[1][1:]
            return chain.from_iterable(follower.map(task, [p for p in portions if p]))

        # Long runs on few rows cost little, but for epochs of small steps.
        cheap = complete and summary.n_rows <= _FEW_ROWS
        wide = start_sample.wide
        every = cheap and not wide and not isinstance(self.solver, GradientAscent)
        most = 1 if wide else MOST
        # The heights of other objectives are not those of the short runs' own ends.
        own = every and self.solver.maximises_likelihood
        met = have_met(self.model, start_sample.block, same) if own else None
        return run_finalists(
            runs, further, same=same, every=every, most=most, ceiling=ceiling, met=met
        )

    def _on_all(
        self, problem: Problem, result: Result, free: Model, *, complete: bool
    ) -> tuple[Problem, Result]:
        """The best result of the starts, climbed on over all rows and without their bounds."""
        if not complete:
            problem = self.all_rows()
            result = self.long_run(problem, result.params, "all rows")
        if self.model.gate is not free.gate:
            self.model = free
            problem, result = self._freed(problem, result)
        return problem, self._settled(problem, result)

    def _ceiling(self, summary: Summary) -> float:
        """Height above which two optima differ by less than a nat of an average row.

        That of classes ends at 0; and BIC, twice as far apart, does not notice (Raftery 1995).
        """
        if not (self.model.bounded and self.solver.maximises_likelihood):
            return np.inf
        return -self._unnoticed(summary)

    def _unnoticed(self, summary: Summary) -> float:
        """A nat of an average row."""
        return _UNNOTICED * summary.weight / summary.n_rows

    def _freed(self, problem: Problem, result: Result) -> tuple[Problem, Result]:
        """A result that was found under the wider bounds of starts, climbed on without them."""
        free = replace(problem, model=self.model, objective=MixtureLikelihood(self.model))
        later = self.long_run(free, result.params, "bounds of starts released")
        if not later.objective >= result.objective:
            return free, result
        trace = result.trace + [v for v in later.trace[1:] if v >= result.objective]
        return free, replace(later, trace=trace, n_iter=result.n_iter + later.n_iter)

    def _on(self, sample: Sample) -> tuple[Trainer, StartSample]:
        """A trainer of these rows alone, small enough to be sent elsewhere, and what it tries."""
        on_sample = copy(self)
        on_sample._taken = None
        on_sample.data = replace(
            self.data, X=sample.X, key=sample.y, w=sample.w, subjects=sample.subjects
        )
        problem = on_sample.problem(sample.X, sample.y, sample.w, sample.subjects)
        block = sample.block(self.maps, on_sample.data.target.to_model)
        return on_sample, StartSample(
            problem,
            on_sample._view(sample),
            block,
            sample.complete,
        )

    def _long_tol(self, *, complete: bool) -> float:
        """What long runs leave to gain, in nats per unit of weight.

        On a sample of the rows they only have to find the right hill: a rough tolerance will do.
        """
        return (
            self.tol
            if complete or not self.solver.maximises_likelihood
            else max(self.tol, _ROUGH_TOL)
        )

    def continue_runs(
        self, start_sample: StartSample, starts: list[tuple[int, StartRun]]
    ) -> list[StartRun]:
        """Long runs that go on from short ones, which have a number or, with -1, none."""
        several = [run.result.params for _, run in starts]
        solver = self._follower(complete=start_sample.complete)
        if solver is self.solver:
            labels = [f"start {i + 1}: {r.strategy}" if i >= 0 else r.strategy for i, r in starts]
            ends = self.long_runs(start_sample.problem, several, labels)
        else:
            passes, tol = min(self.max_iter, 60), self._long_tol(complete=False)
            ends = em_runs(start_sample.problem, several, solver, passes, tol)
        runs = [run for _, run in starts]
        return [self._joined(start_sample, *each) for each in zip(runs, ends, strict=True)]

    def _follower(self, *, complete: bool) -> Solver:
        """The solver of long runs: the user's, but EM where a sample only has to tell hills."""
        own = complete or not self.solver.maximises_likelihood
        return self.solver if own else EM()

    def _joined(self, start_sample: StartSample, run: StartRun, long: Result) -> StartRun:
        """A short run and the long one that went on from it."""
        short = run.result
        if self.solver.maximises_likelihood and long.objective >= short.objective:
            # Annealing begins anew, below what the short run reached.
            trace = short.trace + [v for v in long.trace[1:] if v >= short.objective]
            long = replace(long, trace=trace, n_iter=short.n_iter + long.n_iter)
        n_degenerate = self._degenerate(long.params, start_sample.problem)
        return StartRun(run.strategy, long.objective, long, n_degenerate)

    def moves(
        self, start_sample: StartSample, ends: list[StartRun], workers: Workers
    ) -> StartRun | None:
        """The best run after split-and-merge moves from ``ends``, None if none helps."""
        small = start_sample.problem

        def side_by_side(task: Callable[..., list[Any]], items: list[Any], **how: Any) -> list[Any]:
            portions = start_sample.portions(items, self._follower(complete=start_sample.complete))
            return list(chain(*workers.map(partial(task, start_sample, **how), portions)))

        def moved(params: MoEParams) -> Iterator[Floats]:
            return candidates(self.model, params, start_sample.block, start_sample.view)

        search = Search(
            moved,
            lambda moves, passes: side_by_side(self.climb_moves, moves, passes=passes),
            lambda ends, passes: side_by_side(self.climb_on, ends, passes=passes),
            lambda ends: side_by_side(
                self.continue_runs, [(-1, StartRun("split and merge", 0.0, end, 0)) for end in ends]
            ),
            small.summary.weight,
            # Fits of estimators cost what they cost, however few the rows are.
            start_sample.numbers if self.model.is_ours else sys.maxsize,
            have_met(self.model, start_sample.block, _SAME_PLACE * small.summary.weight),
        )
        return search.best(ends)

    def climb_moves(
        self, start_sample: StartSample, moves: list[Move], *, passes: int
    ) -> list[Result]:
        """Where some moves are after a few passes."""
        small, block = start_sample.problem, start_sample.block
        R, params = [move.R for move in moves], [move.params for move in moves]
        begun = several_from_responsibilities(self.model, [block], R, small.summary, params)
        return em_runs(small, begun, EM(finish=None), min(passes, self.max_iter), self.tol)

    def climb_on(
        self, start_sample: StartSample, ends: list[Result], *, passes: int
    ) -> list[Result]:
        """Where some climbs are after a few passes more."""
        several = [end.params for end in ends]
        passes = min(passes, self.max_iter)
        later = em_runs(start_sample.problem, several, EM(finish=None), passes, self.tol)
        return [joined_results(*pair) for pair in zip(ends, later, strict=True)]

    def _view(self, sample: Sample) -> StartData:
        """What the portfolio sees of a sample."""
        return view_of(sample, self.model, self.maps, self.data.target, self.summary)

    def names(self, init: str, n_init: int) -> list[str]:
        """Names of the strategies of ``n_init`` starts."""
        return portfolio(init, n_init)

    def begin(
        self, start_sample: StartSample, starts: list[tuple[str, np.random.Generator]]
    ) -> list[MoEParams]:
        """Parameters at some starts."""
        view, block, K = start_sample.view, start_sample.block, self.model.n_experts
        strategies = STRATEGIES if block.subjects is None else SUBJECT_STRATEGIES
        R = [soften(strategies[name](view, rng), K) for name, rng in starts]
        summary = start_sample.problem.summary
        if start_sample.wide:
            return wide_starts(self.model, block, R, summary)
        return several_from_responsibilities(self.model, [block], R, summary)

    def short_runs(
        self, start_sample: StartSample, starts: list[tuple[str, np.random.Generator]]
    ) -> list[StartRun]:
        """Where some starts are after a few passes."""
        small, names = start_sample.problem, [name for name, _ in starts]
        passes = min(SHORT_PASSES, self.max_iter)
        begun = self.begin(start_sample, starts)
        em = EM() if start_sample.wide else EM(finish=None)
        ends = em_runs(small, begun, em, passes, self.tol)
        return [
            StartRun(name, end.objective, end, self._degenerate(end.params, small))
            for name, end in zip(names, ends, strict=True)
        ]
