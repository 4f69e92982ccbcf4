"""Split-and-merge moves: out of optima where two experts share what one could serve.

Ueda, Nakano, Ghahramani & Hinton (2000), SMEM algorithm for mixture models, Neural Computation 12.
Pairs are merged by the likeness of their responsibilities::

    J_merge(i, j) = R_i' R_j / (|R_i| |R_j|)

and the expert is split that explains its rows worst. A move proposes responsibilities; whether it
is kept is decided by the objective after it has been climbed again.

Where starts disagree, moves go out from several of the optima that were found, as many as advance
together at little cost: the way to the best optimum often leads over one that is not the best yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from moe_classic._data import Block
from moe_classic._model import Model, MoEParams
from moe_classic._typing import Bools, Floats
from moe_classic.solvers import Result

from .finalists import StartRun, sort_key
from .starts import StartData

#: Moves of one round at least, and numbers, rows times experts, of those that cost little together.
_FEWEST = 4
_NUMBERS = 6_400
#: Starts at the best optimum with which there is little more to look for.
_AGREE = 3
#: Optima from which moves go out, and rounds of them.
_PARENTS = 3
_ROUNDS = 3
#: Passes of a first look and of a second one, and the share of moves that are looked at again.
_FIRST, _SECOND = 10, 20
_AGAIN = 0.4
#: Shortfall after the second look, in nats per unit of weight, beyond which a move is given up, and
#: gain that is one.
_GIVE_UP = 0.01
_GAIN = 1e-6


def candidates(model: Model, params: MoEParams, block: Block, view: StartData) -> Iterator[Floats]:
    """Responsibilities (K, G) after each move, the most promising first."""
    forward, w = model.evaluate(params, block), block.subject_w
    R, _ = forward.posterior()
    mass = np.maximum(R @ w, np.finfo(float).tiny)
    fit = ((R * w) * forward.density).sum(axis=1) / mass
    pairs, worst = most_similar_pairs(R, w), np.argsort(fit)
    halves = [_halves(view, r * w) for r in R]
    places = [(p, s) for p in range(len(pairs)) for s in range(len(R) - 2)]
    for p, s in sorted(places, key=lambda place: (max(place), place)):
        i, j = pairs[p]
        k = [k for k in worst if k not in (i, j)][s]
        yield _moved(R, i, j, int(k), halves[k])


def most_similar_pairs(R: Floats, w: Floats) -> list[tuple[int, int]]:
    """Pairs of experts, the ones with the likest responsibilities first."""
    rooted = R * np.sqrt(w)
    rooted = rooted / np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), 1e-300)
    likeness = rooted @ rooted.T
    rows, cols = np.triu_indices(len(R), 1)
    order = np.argsort(-likeness[rows, cols], kind="stable")
    return [(int(rows[o]), int(cols[o])) for o in order]


def _halves(view: StartData, weight: Floats) -> Bools:
    """The side of each row along the main axis of (x, y) as one expert sees it, (n,)."""
    Z = np.column_stack([view.X, view.target])
    weight = weight / max(weight.sum(), np.finfo(float).tiny)
    centred = Z - weight @ Z
    _, axes = np.linalg.eigh((centred.T * weight) @ centred)
    return centred @ axes[:, -1] > 0.0


def _moved(R: Floats, i: int, j: int, k: int, side: Bools) -> Floats:
    """Responsibilities with j merged into i and freed to take one side of k."""
    out = R.copy()
    out[i] = R[i] + R[j]
    out[j] = np.where(side, 0.9, 0.1) * R[k]
    out[k] = np.where(side, 0.1, 0.9) * R[k]
    return out


# ------------------------------------------------------------------------- the search


@dataclass(frozen=True)
class Move:
    """Responsibilities ``R`` (K, G) that are climbed from ``params``."""

    params: MoEParams
    R: Floats


@dataclass(frozen=True)
class Search:
    """Moves from the best of the optima that were found, round by round, while they find others.

    Parameters
    ----------
    proposed : callable
        Responsibilities that moves from some parameters propose, the most promising first.
    climb : callable
        Takes moves and passes to where these lead.
    climb_on : callable
        Takes such results and passes to where these lead.
    finish : callable
        Takes such results to the end, as runs.
    weight : float
        Weight of the rows.
    numbers : int
        Rows times experts.
    met : callable
        Tells whether two runs have come to the same optimum.
    """

    proposed: Callable[[MoEParams], Iterator[Floats]]
    climb: Callable[[list[Move], int], list[Result]]
    climb_on: Callable[[list[Result], int], list[Result]]
    finish: Callable[[list[Result]], list[StartRun]]
    weight: float
    numbers: int
    met: Callable[[StartRun, StartRun], bool]

    def best(self, ends: list[StartRun]) -> StartRun | None:
        """The best run that moves from ``ends`` lead to, None if none is better than they are."""
        first = run = min(ends, key=sort_key)
        known, left, most = list(ends), set[float](), self.most(ends)
        for _ in range(_ROUNDS):
            parents = [r for r in self.distinct(known)[:_PARENTS] if r.objective not in left]
            if not parents:
                break
            found = self.round(parents, run, most, known)
            left |= {r.objective for r in parents}
            better = [r for r in found if self.beats(r, run)]
            known += found
            run = min(better, key=sort_key, default=run)
            if not better and most == _FEWEST:
                break
        return None if run is first else run

    def most(self, ends: list[StartRun]) -> int:
        """Moves of one round: the fewest where starts agree, or passes cost more than calls."""
        top = self.distinct(ends)[0]
        agree = sum(abs(r.objective - top.objective) <= _GAIN * self.weight for r in ends)
        return _FEWEST if agree >= _AGREE else max(_FEWEST, _NUMBERS // self.numbers)

    def beats(self, run: StartRun, other: StartRun) -> bool:
        """Whether a run ends higher, with no more degenerate experts."""
        higher = run.objective > other.objective + _GAIN * self.weight
        return higher and run.n_degenerate <= other.n_degenerate

    def distinct(self, runs: list[StartRun]) -> list[StartRun]:
        """Runs at different heights, the best first."""
        found: list[StartRun] = []
        for run in sorted(runs, key=sort_key):
            heights = (abs(run.objective - other.objective) for other in found)
            if min(heights, default=np.inf) > _GAIN * self.weight:
                found.append(run)
        return found

    def round(
        self, parents: list[StartRun], best: StartRun, most: int, known: list[StartRun]
    ) -> list[StartRun]:
        """Ends of the moves from some runs; those that have come to a known one go no further."""
        moves = (
            Move(run.result.params, R) for run in parents for R in self.proposed(run.result.params)
        )
        some = list(islice(moves, most))
        looked = sorted(self.climb(some, _FIRST), key=lambda r: -r.objective)
        again = looked[: max(_FEWEST, int(_AGAIN * len(looked)))]
        enough = best.objective - _GIVE_UP * self.weight
        high = [r for r in self.climb_on(again, _SECOND) if r.objective >= enough]
        return self.finish(self.unknown(high, known))

    def unknown(self, ends: list[Result], known: list[StartRun]) -> list[Result]:
        """Those that have come to an optimum of no run that is known, nor of one before them."""
        new: list[StartRun] = []
        for end in ends:
            run = StartRun("split and merge", end.objective, end, 0)
            if not any(self.met(other, run) for other in [*known, *new]):
                new.append(run)
        return [run.result for run in new]
