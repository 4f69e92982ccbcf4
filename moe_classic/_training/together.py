"""Starts that advance together: how many, and on what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from moe_classic._data import Block
from moe_classic._model import MoEParams, stackable
from moe_classic.solvers import Problem, Result, Solver, run_together

from .starts import StartData
from .wide import climbs_by_gradient

T = TypeVar("T")

#: Numbers, rows times experts, of starts that advance together.
TOGETHER = 30_000


@dataclass(frozen=True)
class StartSample:
    """Few rows on which starts are tried, as solvers, the portfolio and components see them.

    Attributes
    ----------
    problem, view, block
    complete : bool
        Whether these are all distinct rows.
    """

    problem: Problem
    view: StartData
    block: Block
    complete: bool

    @cached_property
    def wide(self) -> bool:
        """Whether starts climb by gradients alone."""
        widths = [d.width for d in self.block.designs]
        problem = self.problem
        return climbs_by_gradient(problem, problem.model.start(widths, problem.summary))

    @property
    def numbers(self) -> int:
        """Rows times experts."""
        return self.block.w.size * self.view.n_experts

    def portions(self, starts: list[T], solver: Solver) -> list[list[T]]:
        """Starts in portions that advance together: few enough that their arrays stay in cache."""
        model, size = self.problem.model, 1
        equal = model.start([d.width for d in self.block.designs], self.problem.summary)
        if solver.shares_passes and stackable(model, equal):
            size = max(1, TOGETHER // self.numbers)
        return [starts[i : i + size] for i in range(0, len(starts), size)]


def em_runs(
    problem: Problem, several: list[MoEParams], em: Solver, max_iter: int, tol: float
) -> list[Result]:
    """EM from each of several parameters, watched by nobody."""
    monitors = [None] * len(several)
    return run_together(em, problem, several, max_iter=max_iter, tol=tol, monitors=monitors)
