"""Which starts are followed to the end, and what became of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas as pd

from moe_classic.solvers import Result

#: Strategy, objective, result and number of degenerate experts of a start.
Run = tuple[str, float, Result, int]

#: Starts that must end at the best height before the others are left where they are, and the most
#: that are followed where they do not.
AGREE = 3
MOST = 5
#: Relative difference of heights after short runs that is rounding: the same path twice.
_ROUNDING = 1e-12


def rank(run: Run) -> tuple[bool, float]:
    """Sorts runs: those without degenerate experts first, the highest first."""
    return run[3] > 0, -run[1]


def follow(
    runs: list[Run],
    further: Callable[[list[tuple[int, Run]]], Iterator[Run]],
    *,
    same: float,
    every: bool,
) -> list[int]:
    """Follow short runs to the end, the most promising first; which were followed, best first.

    Parameters
    ----------
    runs : list of Run
        Short runs, replaced in place by what they led to.
    further : callable
        Takes runs with their numbers and follows them to the end, in this order, as the results
        are asked for.
    same : float
        Difference of heights, in nats, below which two ends are the same.
    every : bool
        Whether all are followed. Otherwise three that agree on the best height are enough, and
        five the most.
    """
    order = sorted(range(len(runs)), key=lambda i: rank(runs[i]))
    first = _first_alike(runs, order)
    followed: list[int] = []
    for batch in [order] if every else [order[:AGREE], order[AGREE:MOST]]:
        ends = further([(i, runs[i]) for i in batch if first[i] == i])
        for i in batch:
            runs[i] = next(ends) if first[i] == i else (runs[i][0], *runs[first[i]][1:])
            followed.append(i)
            followed.sort(key=lambda j: rank(runs[j]))
            numbers = optima(runs, followed, same)
            if not every and sum(numbers[j] == 1 for j in followed) >= AGREE:
                return followed
    return followed


def _first_alike(runs: list[Run], order: list[int]) -> dict[int, int]:
    """For each run the first in ``order`` on the same path: as high, but for rounding."""
    first: dict[int, int] = {}
    for i in order:
        value = runs[i][1]
        like = (j for j in first if abs(runs[j][1] - value) <= _ROUNDING * abs(runs[j][1]))
        first[i] = first[j] if (j := next(like, None)) is not None else i
    return first


def optima(runs: list[Run], followed: list[int], same: float) -> list[int]:
    """Number of the optimum at which each run ended, 1 for the best; 0 where that is not known.

    Heights tell optima apart. A run that was not followed, or was stopped by the cap on passes
    below the best, may still be on the way to any of them.
    """
    numbers, top, count = [0] * len(runs), (False, 0.0), 0
    for i in sorted(followed, key=lambda i: rank(runs[i])):
        bad, value = runs[i][3] > 0, runs[i][1]
        if count == 0 or (runs[i][2].converged and (bad != top[0] or value < top[1] - same)):
            top, count = (bad, value), count + 1
        if bad == top[0] and value >= top[1] - same:
            numbers[i] = count
    return numbers


def report(runs: list[Run], followed: list[int], weight: float, same: float) -> pd.DataFrame:
    """One row a start, best first; ``weight`` is that of the rows they were tried on."""
    frame = pd.DataFrame(
        {
            "strategy": [name for name, *_ in runs],
            "objective": [value for _, value, *_ in runs],
            "optimum": optima(runs, followed, same),
            "passes": [result.n_iter for *_, result, _ in runs],
            "finalist": [i in followed for i in range(len(runs))],
            "converged": [result.converged for *_, result, _ in runs],
            "degenerate_experts": [bad for *_, bad in runs],
            "weight": weight,
        },
        index=pd.RangeIndex(1, len(runs) + 1, name="start"),
    )
    return frame.sort_values("objective", ascending=False, kind="stable")
