"""Which starts are followed to the end, and what became of all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moe_classic._data import Block
from moe_classic._model import Model, match_experts
from moe_classic._typing import Floats
from moe_classic.solvers import Result

#: What is said of a start, by the names of the columns of ``start_report_``.
Row = dict[str, Any]


@dataclass(frozen=True)
class StartRun:
    """A start and where it led.

    Attributes
    ----------
    strategy : str
        How its responsibilities were found.
    objective : float
        Height of its end.
    result : Result
    n_degenerate : int
        Experts at a bound that only keeps the likelihood finite.
    """

    strategy: str
    objective: float
    result: Result
    n_degenerate: int


#: Starts that must end at the best height before the others are left where they are, and the most
#: that are followed where they do not.
AGREE = 3
MOST = 5
#: Relative difference of heights after short runs that is rounding: the same path twice.
_SAME_PATH = 1e-12
#: Share of the weight that two runs may give to unlike experts where they have met.
_UNLIKE = 0.01


def sort_key(run: StartRun) -> tuple[bool, float]:
    """Sorts runs: those without degenerate experts first, the highest first."""
    return run.n_degenerate > 0, -run.objective


def run_finalists(
    runs: list[StartRun],
    continue_run: Callable[[list[tuple[int, StartRun]]], Iterator[StartRun]],
    *,
    same: float,
    every: bool,
    most: int = MOST,
    ceiling: float = math.inf,
    met: Callable[[StartRun, StartRun], bool] | None = None,
) -> list[int]:
    """Follow short runs to the end, the most promising first; which were followed, best first.

    Parameters
    ----------
    runs : list of StartRun
        Short runs, replaced in place by what they led to.
    further : callable
        Takes runs with their numbers and follows them to the end, in this order, as the results
        are asked for.
    same : float
        Difference of heights, in nats, below which two ends are the same.
    every : bool
        Whether all are followed. Otherwise three that agree on the best height are enough.
    most : int
        How many are followed otherwise. Where coefficients are so many that no two starts end
        alike, heights say nothing of new rows, and one is enough.
    ceiling : float
        Height that is high enough: further ends could not be told from one that reaches it.
    met : callable, default=None
        Tells whether two short runs have come to the same place, to be followed once.
    """
    order = sorted(range(len(runs)), key=lambda i: sort_key(runs[i]))
    first = _first_alike(runs, order, met)
    followed: list[int] = []
    for batch in [order] if every else [order[: min(AGREE, most)], order[AGREE:most]]:
        ends = continue_run([(i, runs[i]) for i in batch if first[i] == i])
        for i in batch:
            same_path = replace(runs[first[i]], strategy=runs[i].strategy)
            runs[i] = next(ends) if first[i] == i else same_path
            followed.append(i)
            followed.sort(key=lambda j: sort_key(runs[j]))
            if sort_key(runs[followed[0]]) <= (False, -ceiling):
                return followed
            numbers = number_optima(runs, followed, same)
            if not every and sum(numbers[j] == 1 for j in followed) >= AGREE:
                return followed
    return followed


def _first_alike(
    runs: list[StartRun], order: list[int], met: Callable[[StartRun, StartRun], bool] | None
) -> dict[int, int]:
    """For each run the first in ``order`` on the same path: as high, but for rounding, or met."""

    def alike(a: StartRun, b: StartRun) -> bool:
        same = abs(a.objective - b.objective) <= _SAME_PATH * abs(a.objective)
        return same or (met is not None and met(a, b))

    first: dict[int, int] = {}
    for i in order:
        like = (j for j in first if first[j] == j and alike(runs[j], runs[i]))
        first[i] = next(like, i)
    return first


def have_met(model: Model, block: Block, same: float) -> Callable[[StartRun, StartRun], bool]:
    """Whether a second run is at the end of a first one, or so near that it would only get there.

    The first has converged; the second is as high but for ``same``, in nats, with like posterior
    probabilities once experts are matched.
    """
    w, seen = block.subject_w, dict[int, tuple[Result, Floats]]()

    def R_of(run: StartRun) -> Floats:
        key = id(run.result)
        if key not in seen:
            # With the result, which keeps its number as long as it is held.
            seen[key] = run.result, model.responsibilities(run.result.params, block)
        return seen[key][1]

    def met(a: StartRun, b: StartRun) -> bool:
        comparable = a.result.converged and a.n_degenerate == b.n_degenerate
        if not comparable or abs(a.objective - b.objective) > same:
            return False
        R, other = R_of(a), R_of(b)
        if model.exchangeable:
            other = other[match_experts(R, other, w)]
        return float(0.5 * np.abs(R - other).sum(axis=0) @ w) <= _UNLIKE * float(w.sum())

    return met


def number_optima(runs: list[StartRun], followed: list[int], same: float) -> list[int]:
    """Number of the optimum at which each run ended, 1 for the best; 0 where that is not known.

    Heights tell optima apart. A run that was not followed, or was stopped by the cap on passes
    below the best, may still be on the way to any of them.
    """
    numbers, top, count = [0] * len(runs), (False, 0.0), 0
    for i in sorted(followed, key=lambda i: sort_key(runs[i])):
        bad, value = runs[i].n_degenerate > 0, runs[i].objective
        if count == 0 or (runs[i].result.converged and (bad != top[0] or value < top[1] - same)):
            top, count = (bad, value), count + 1
        if bad == top[0] and value >= top[1] - same:
            numbers[i] = count
    return numbers


def agreements(
    runs: list[StartRun], followed: list[int], best: int, model: Model, block: Block
) -> list[float]:
    """For each run the share of the weight that goes to the same experts as in the best one.

    A row or subject goes to its most probable expert; experts of the runs are matched. Runs that
    were not followed have none.
    """
    w, seen = block.subject_w, {}
    R = model.responsibilities(runs[best].result.params, block)
    for i in followed:
        result = runs[i].result
        if id(result) not in seen:
            other = model.responsibilities(result.params, block)
            if model.exchangeable:
                other = other[match_experts(R, other, w)]
            seen[id(result)] = float(w @ (other.argmax(axis=0) == R.argmax(axis=0)) / w.sum())
    return [seen[id(run.result)] if i in followed else math.nan for i, run in enumerate(runs)]


def report(
    runs: list[StartRun],
    followed: list[int],
    weight: float,
    same: float,
    agreement: list[float] | None = None,
) -> list[Row]:
    """A row a start, best first; ``weight`` is that of the rows they were tried on."""
    residuals = [float(run.result.kkt_residual) for run in runs]
    known = not all(map(math.isnan, residuals))
    optima = number_optima(runs, followed, same)
    rows: list[Row] = []
    for i, run in enumerate(runs):
        row = {
            "start": i + 1,
            "strategy": run.strategy,
            "objective": float(run.objective),
            "optimum": optima[i],
            "passes": int(run.result.n_iter),
            "finalist": i in followed,
            "converged": bool(run.result.converged),
            "degenerate_experts": int(run.n_degenerate),
            "weight": float(weight),
        }
        more = {"kkt_residual": residuals[i]} if known else {}
        rows.append(row | more | {"agreement": 1.0 if agreement is None else agreement[i]})
    return best_first(rows)


def best_first(rows: list[Row]) -> list[Row]:
    """Rows of a report in the order of their heights, those without a height last."""
    return sorted(rows, key=lambda row: (math.isnan(row["objective"]), -row["objective"]))
