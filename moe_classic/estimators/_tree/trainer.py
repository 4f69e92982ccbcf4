"""How trees are trained: recursive starts, a guard against pinched-off branches, growth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from moe_classic._data import MOST_ROWS, Sample, sample_size
from moe_classic._engine import Workers
from moe_classic._model import Model, MoEParams
from moe_classic._objectives import MixtureLikelihood
from moe_classic._training import (
    SHORT_PASSES,
    STRATEGIES,
    StartData,
    StartRun,
    StartSample,
    StreamTrainer,
    Trained,
    Trainer,
    several_from_responsibilities,
    soften,
)
from moe_classic._typing import Floats, Ints
from moe_classic.experts import LinearExpert
from moe_classic.gates import Nested, count_leaves
from moe_classic.solvers import EM, OUTDONE, STOPPED, Problem, Race, Result, Watcher

from .asks import Trial
from .grow import grow
from .growth import Growth, GrowthStep
from .least_squares import least_squares
from .split import Splitter

#: Partitions that split well; each is tried at every node of its starts, "best" tries them all.
SPLITS = ("kmeans", "principal", "residual", "segments", "cut")
_AUTO = ("kmeans", "best", "principal", "best", "cut", "best", "residual", "best", "segments")
#: A branch with less than this part of an equal share of its parent's weight is pinched off.
_PINCHED = 0.02
#: Passes over all rows, those held out included, after growth that was judged by them.
_LAST_PASSES = 4
#: How often a run is taken up again with pinched-off branches grown anew.
_REPAIRS = 3


@dataclass(frozen=True)
class TreeSettings:
    """What is special to the training of trees.

    Attributes
    ----------
    least_squares_iter : int
        Passes of Jordan and Jacobs' second algorithm before every short run.
    growth : Growth or None
        None trains a tree of the given shape.
    """

    least_squares_iter: int = 0
    growth: Growth | None = None


def split_names(name: str) -> tuple[str, ...]:
    """Partitions tried at every node of a start."""
    return SPLITS if name in ("auto", "best") else (name,)


def surgical(model: Model) -> bool:
    """Whether branches can be taken apart and fitted by themselves: like, linear experts."""
    return len(model.groups) == 1 and isinstance(model.groups[0].expert, LinearExpert)


class TreeTrainer(Trainer):
    """A trainer of trees: recursive starts, regrown branches, growth."""

    competes = True
    settings = TreeSettings()
    history: list[GrowthStep] | None = None
    #: Local fits on the rows that starts are tried on.
    _tried: dict[bytes, Trial] | None = None
    #: The problem that starts compete on, and the height of a sound end that is known there.
    _tried_on: Problem | None = None
    _to_beat: float = -np.inf

    def _on(self, sample: Sample) -> tuple[Trainer, StartSample]:
        """What is tried on these rows is known from start to start."""
        on_sample, start_sample = super()._on(sample)
        vars(on_sample).update(_tried={}, _tried_on=start_sample.problem)
        return on_sample, start_sample

    def watched(self, problem: Problem) -> Watcher | None:
        """Starts that advance together compete: those that cannot win are left where they are."""
        if problem is not self._tried_on:
            return None
        bounded, unnoticed = self.model.bounded, self._unnoticed(problem.summary)
        return Race(
            lambda params: not self._degenerate(params, problem),
            margin=unnoticed if bounded else -unnoticed,
            top=0.0 if bounded else np.inf,
            on_the_way=bounded,
            heights=[self._to_beat],
        ).watched

    @property
    def surgical(self) -> bool:
        """Whether branches can be fitted by themselves, row by row: not where there are groups."""
        return self.data.subjects is None and surgical(self.model)

    @property
    def keeps_shape(self) -> bool:
        """Whether the tree does not grow."""
        return self.settings.growth is None

    # -------------------------------------------------------------------- starts

    def names(self, init: str, n_init: int) -> list[str]:
        """Names of the strategies of ``n_init`` starts."""
        return [_AUTO[i % len(_AUTO)] if init == "auto" else init for i in range(n_init)]

    def begin(
        self, start_sample: StartSample, starts: list[tuple[str, np.random.Generator]]
    ) -> list[MoEParams]:
        """Parameters at some starts, each by recursive splitting."""
        view, block = start_sample.view, start_sample.block
        summary, asked = start_sample.problem.summary, [(split_names(n), rng) for n, rng in starts]
        if self.surgical:
            tried = {} if self._tried is None else self._tried
            begun = Splitter(self.model, view, block, summary, tried).starts(asked)
        else:
            nested, K = self.model.gate.nested, self.model.n_experts
            R = [soften(recursive_labels(nested, view, *each), K) for each in asked]
            begun = several_from_responsibilities(self.model, [block], R, summary)
        passes = self.settings.least_squares_iter
        if not passes:
            return begun
        problem = Problem(self.model, MixtureLikelihood(self.model), [block], summary)
        return [least_squares(problem, params, passes) for params in begun]

    # -------------------------------------------------------------------- the guard

    def long_runs(
        self, problem: Problem, several: list[MoEParams], names: list[str]
    ) -> list[Result]:
        """The user's solver, taken up again while branches are pinched off and can be regrown."""
        ends = super().long_runs(problem, several, names)
        return [self._regrown(problem, *each) for each in zip(ends, names, strict=True)]

    def _regrown(self, problem: Problem, result: Result, name: str) -> Result:
        """A run that is taken up again while branches are pinched off and can be regrown."""
        rng = np.random.default_rng(0)
        for _ in range(_REPAIRS):
            rest = self.max_iter - result.n_iter
            if rest < 2 or result.message in (STOPPED, OUTDONE) or not self.surgical:
                return result
            if self.model.at_bounds(result.params, self.summary).all():
                return result  # nothing is left to gain
            repaired = self._repaired(result.params, rng)
            if repaired is None:
                return result
            later = self.solver.run(
                problem, repaired, max_iter=rest, tol=self.tol, monitor=self.monitor_for(name)
            )
            count = result.n_iter + later.n_iter
            if not later.objective > result.objective:
                return replace(result, n_iter=count)
            above = [value for value in later.trace if value > result.objective]
            result = replace(later, trace=result.trace + above, n_iter=count)
        return result

    def _repaired(self, params: MoEParams, rng: np.random.Generator) -> MoEParams | None:
        """Parameters with pinched-off branches grown anew, None if there are none."""
        sample = self.sample(sample_size(self.model.n_parameters(params)))
        block, view = sample.block(self.maps, self.data.target.to_model), self._view(sample)
        summary = replace(self.summary, weight=float(sample.w.sum()))
        splitter = Splitter(self.model, view, block, summary)
        nodes = pinched(params, splitter.posteriors(params) @ block.w)
        return splitter.resplit(params, nodes, SPLITS, rng) if nodes else None

    def moves(
        self, start_sample: StartSample, ends: list[StartRun], workers: Workers
    ) -> StartRun | None:
        """A run after growing anew, level by level, the branches that gain by it, or None."""
        if not self.surgical:
            return super().moves(start_sample, ends, workers)
        run = ends[0]
        small = start_sample.problem
        splitter = Splitter(self.model, start_sample.view, start_sample.block, small.summary)
        rng, short = np.random.default_rng(0), None
        shape, params = run.result.params.gate.shape, run.result.params
        for level in shape.levels[-2:0:-1]:
            nodes = [j for j in range(level.start, level.stop) if shape.n_children[j]]
            changed = splitter.resplit(params, nodes, SPLITS, rng)
            if changed is not None:
                passes = min(SHORT_PASSES, self.max_iter)
                short = EM(finish=None).run(small, changed, max_iter=passes, tol=self.tol)
                params = short.params
        if short is None:
            return None
        vars(self)["_to_beat"] = -np.inf if run.n_degenerate else run.objective
        tried = self.continue_runs(start_sample, [(-1, StartRun("regrown", 0.0, short, 0))])[0]
        better = tried.objective > run.objective + 1e-6 * small.summary.weight
        return tried if better and tried.n_degenerate <= run.n_degenerate else None

    # -------------------------------------------------------------------- growth

    def from_portfolio(self, init: str, n_init: int, rng: np.random.Generator) -> Trained:
        """A tree of the given shape from many starts, or one that is grown."""
        if self.settings.growth is None:
            return super().from_portfolio(init, n_init, rng)
        sample = self.sample(MOST_ROWS)
        names = tuple(SPLITS[i % len(SPLITS)] if init == "auto" else init for i in range(n_init))
        grown = grow(
            self.model,
            self._view(sample),
            sample.block(self.maps, self.data.target.to_model),
            self.summary,
            growth=self.settings.growth,
            names=names,
            rng=rng,
            engine=self.engine,
            null=self.null,
        )
        self.history, self.model = grown.history, grown.model
        self.plan = replace(self.plan, model=grown.model)
        problem = self.all_rows()
        held_out = self.settings.growth.criterion == "held_out"
        result = (
            self._last_passes(problem, grown.params)
            if held_out
            else (self.long_run(problem, grown.params, "grown"))
        )
        return self._single(problem, result, "grown")

    def _last_passes(self, problem: Problem, params: MoEParams) -> Result:
        """A few passes over all rows from a tree that ended where rows held out fit best.

        These rows have their say, and no more: a run to the end would fit the noise that they
        guarded against.
        """
        most = self.max_iter
        self.max_iter = min(most, _LAST_PASSES)
        result = self.long_run(problem, params, "grown")
        done = result.converged or self.max_iter < most
        self.max_iter = most
        return replace(result, converged=done)


class TreeStreamTrainer(TreeTrainer, StreamTrainer):
    """A trainer of trees whose rows are read block by block."""


# ------------------------------------------------------------------------- nodes and labels


def pinched(params: MoEParams, mass: Floats) -> list[int]:
    """Parents of the topmost branches that get next to none of their parent's weight.

    ``mass`` (N,) is the weight of every node, breadth first.
    """
    shape, nodes = params.gate.shape, []
    below = np.array([len(leaves) for leaves in shape.leaf_ranges()])
    inside = np.zeros(shape.n_nodes, dtype=bool)
    for j in shape.inner:
        children = np.array(shape.children_of(j))
        fair = mass[j] * below[children] / below[j]
        starved = bool((mass[children] < _PINCHED * fair).any())
        if starved and not inside[j]:
            nodes.append(int(j))
        inside[children] = inside[j] or starved
    return nodes


def recursive_labels(
    nested: Nested, view: StartData, names: tuple[str, ...], rng: np.random.Generator
) -> Ints:
    """Leaf numbers of the rows (n,) when every node cuts its rows by one of the partitions."""
    labels = np.zeros(view.w.size, dtype=np.intp)
    if nested == 1:
        return labels
    name = names[int(rng.integers(len(names)))]
    side = STRATEGIES[name](replace(view, n_experts=len(nested)), rng)
    first = 0
    for c, (child, stream) in enumerate(zip(nested, rng.spawn(len(nested)), strict=True)):
        rows = np.flatnonzero(side == c)
        if rows.size:
            part = replace(view, X=view.X[rows], target=view.target[rows], w=view.w[rows])
            labels[rows] = first + recursive_labels(child, part, names, stream)
        first += count_leaves(child)
    return labels
