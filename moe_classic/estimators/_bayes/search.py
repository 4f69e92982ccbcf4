"""From rows to the posterior with the highest bound: starts, experts dropped, a long climb."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moe_classic._bayes import BayesianLogits, BayesianMixture, Run, Step, climb, pruned
from moe_classic._data import MOST_ROWS, Design, DesignMap, take_sample, tamed
from moe_classic._targets import TrainingData
from moe_classic._training import STRATEGIES, StartData, portfolio, soften
from moe_classic._typing import Floats

#: Sweeps and tolerance of short climbs, in nats a unit of weight.
_SHORT, _ROUGH = 30, 1e-4
#: Starts that are followed to the end, and experts that are tried before none can be dropped.
_FINALISTS, _TRIES = 5, 3
#: Bytes of products of features that are kept from sweep to sweep.
_KEPT = 1 << 24


@dataclass(frozen=True)
class Found:
    """The best climb and what is told about all.

    Attributes
    ----------
    run : Run
    mixture : BayesianMixture, with the rows of the last climb
    report : one dict a start, best first
    path : mixtures on the way of the best
    """

    run: Run
    mixture: BayesianMixture
    report: list[dict[str, Any]]
    path: list[Step]


@dataclass(frozen=True)
class Search:
    """What is climbed, and how far.

    Attributes
    ----------
    family, gate : experts and gate with their priors
    maps : tuple of DesignMap; ``places`` are those of gate and experts
    prune : whether experts may be dropped
    """

    family: Any
    gate: BayesianLogits
    maps: tuple[DesignMap, ...]
    places: tuple[int, int]
    prune: bool
    max_iter: int
    tol: float

    def mixture(self, data: TrainingData) -> BayesianMixture:
        """The mixture on some rows."""
        designs = [_kept(m, data.X) for m in self.maps]
        gate, experts = (designs[place] for place in self.places)
        y = data.target.to_model(data.key)
        return BayesianMixture(self.family, self.gate, experts, gate, y, data.w)

    def from_portfolio(self, data: TrainingData, K: int, init: str, n_init: int, rng: Any) -> Found:
        """The best of several starts; on many rows they are tried on a sample."""
        some = _sampled(data)
        mixture, view = self.mixture(some), _view(some, self.maps, K)
        names = portfolio(init, n_init)
        runs = [self._short(mixture, soften(STRATEGIES[name](view, rng), K)) for name in names]
        order = sorted(range(len(runs)), key=lambda i: -runs[i].state.bound)
        paths: dict[int, list[Step]] = {}
        for i in order[:_FINALISTS]:
            runs[i], paths[i] = self._long(mixture, runs[i])
        best = max(paths, key=lambda i: paths[i][-1].evidence)
        same = self.tol * float(some.w.sum())
        rows = _report(names, runs, list(paths), same)
        if some is data:
            return Found(runs[best], mixture, rows, paths[best])
        whole, state = self.mixture(data), runs[best].state
        run = climb(
            whole, whole.seen(state.experts, state.gate), max_iter=self.max_iter, tol=self.tol
        )
        return Found(run, whole, rows, paths[best])

    def from_responsibilities(self, data: TrainingData, R: Floats) -> Found:
        """The climb from given responsibilities."""
        mixture = self.mixture(data)
        run, path = self._long(mixture, self._short(mixture, R))
        rows = _report(["given"], [run], [0], self.tol * float(data.w.sum()))
        return Found(run, mixture, rows, path)

    def _short(self, mixture: BayesianMixture, R: Floats) -> Run:
        """A few sweeps from a start."""
        few = min(_SHORT, self.max_iter)
        return climb(mixture, mixture.from_responsibilities(R), max_iter=few, tol=_ROUGH)

    def _long(self, mixture: BayesianMixture, run: Run) -> tuple[Run, list[Step]]:
        """To the end, with experts dropped before and after."""
        path = [Step.at(mixture, run.state)]
        while True:
            last = run.state.n_experts
            if self.prune:
                few = min(_SHORT, self.max_iter)
                run, steps = pruned(mixture, run, max_iter=few, tol=_ROUGH, tries=_TRIES)
                path += steps[1:]
            if run.state.n_experts == last and len(path) > 1:
                return run, path
            run = self._continued(mixture, run)
            path.append(Step.at(mixture, run.state))

    def _continued(self, mixture: BayesianMixture, run: Run) -> Run:
        """A run to its end; the trace is of the experts that are left."""
        more = climb(mixture, run.state, max_iter=self.max_iter, tol=self.tol)
        return replace(more, trace=[*run.trace[:-1], *more.trace])


def _sampled(data: TrainingData) -> TrainingData:
    """At most :data:`MOST_ROWS` rows."""
    if data.w.size <= MOST_ROWS:
        return data
    some = take_sample(data.X, data.key, data.w, MOST_ROWS)
    return replace(data, X=some.X, key=some.y, w=some.w)


def _kept(m: DesignMap, X: np.ndarray) -> Design:
    """A design that keeps what its Grams are made from, where that is not much."""
    Z = m(X)
    q, n = Z.shape
    return Design(Z, keep=True, keep_products=4 * q * (q + 1) * n <= _KEPT)


def _view(data: TrainingData, maps: tuple[DesignMap, ...], K: int) -> StartData:
    """Features and targets as the portfolio sees them."""
    widest = max(maps, key=lambda m: m.width)
    values = data.target.to_model(data.key)
    target = tamed(data.target.points(values, data.summary).T, data.w).T
    X = np.ascontiguousarray(widest(data.X)[:-1].T)
    return StartData(X, target, data.w, K)


def _report(
    names: list[str], runs: list[Run], followed: list[int], same: float
) -> list[dict[str, Any]]:
    """One row a start, best first."""
    top, count, numbers = np.inf, 0, [0] * len(runs)
    for i in sorted(followed, key=lambda i: -runs[i].state.bound):
        if runs[i].state.bound < top - same:
            top, count = runs[i].state.bound, count + 1
        numbers[i] = count
    rows = [
        {
            "start": i + 1,
            "strategy": names[i],
            "objective": run.state.bound,
            "n_experts": run.state.n_experts,
            "optimum": numbers[i],
            "passes": len(run.trace),
            "finalist": i in followed,
            "converged": run.converged,
            "degenerate_experts": 0,
        }
        for i, run in enumerate(runs)
    ]
    return sorted(rows, key=lambda row: -row["objective"])
