"""A bound model with the rows that it is trained on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from moe_classic._data import (
    MOST_ROWS,
    ArraySource,
    Block,
    Sample,
    Subjects,
    design_of,
    is_incomplete,
    sample_size,
    take_sample,
)
from moe_classic._engine import SerialEngine, ThreadedEngine
from moe_classic._model import MoEParams, Separation, in_doubt, null_directions, separations
from moe_classic._objectives import MixtureLikelihood
from moe_classic._targets import TrainingData
from moe_classic._typing import Floats
from moe_classic.solvers import Problem

from .bound_model import BoundModel
from .ends import expand
from .missing import seen_log_unit
from .noise import with_noise

#: Rows that may show by themselves that classes overlap.
_FEW_ROWS = 1000


@dataclass
class BoundRows:
    """Problems that the rows pose, samples of them, and what cannot be told from them."""

    plan: BoundModel
    data: TrainingData
    engine: SerialEngine | ThreadedEngine
    block_size: int | None
    seed: int = field(default=0, kw_only=True)
    _taken: tuple[int, Sample] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.data, self.maps = expand(self.data, self.plan)
        self.model = self.plan.model
        self._know_noise()

    def _know_noise(self) -> None:
        """Take what one robust fit leaves of the target into the summary."""
        sample = self.sample(self._sample_size)
        self.data = with_noise(self.data, self.model, self.maps, sample)
        self.summary = self.data.summary
        seen = self.maps[self.model.gate_design]
        if not seen.sparse:
            Z = design_of(seen, sample.X, sample.subjects)
            w = sample.w if sample.subjects is None else sample.subjects.w
            self.model = replace(self.model, gate=self.model.gate.informed(Z, w))

    @property
    def _sample_size(self) -> int:
        """Rows on which starts are tried."""
        start = self.model.start(self.plan.widths, self.data.summary)
        return sample_size(self.model.n_parameters(start))

    def all_rows(self) -> Problem:
        """The fitting problem on all rows."""
        return self.problem(self.data.X, self.data.key, self.data.w, self.data.subjects)

    @cached_property
    def null(self) -> tuple[Floats, ...]:
        """Directions of the coefficients on each design that change nothing at any row."""
        dtype = self.data.X.dtype
        eps = np.finfo(dtype if dtype.kind == "f" else np.float64).eps
        return null_directions(self.all_rows().source, self.maps, float(eps), self._at_hand())

    def _at_hand(self) -> list[Block]:
        """Some of the rows, where others are far away."""
        return []

    def separations(self, params: MoEParams) -> tuple[Separation, ...]:
        """What is separated at fitted parameters; looked for on a sample, proved on all rows."""
        doubtful = in_doubt(
            self.model, params, self._few().block(self.maps, self.data.target.to_model)
        )
        if not doubtful:
            return ()
        block = self.sample(MOST_ROWS).block(self.maps, self.data.target.to_model)
        source = self.all_rows().source
        return separations(self.model, params, block, source, self.summary, self.null, doubtful)

    def _few(self) -> Sample:
        """Rows that are spread over all, as many as show what hides in none of them."""
        step = max(1, self.data.w.size // _FEW_ROWS)
        data, rows, subjects = self.data, np.arange(0, self.data.w.size, step), None
        if data.subjects is not None:
            chosen = np.arange(0, data.subjects.count, step)
            rows, subjects = data.subjects.rows_of(chosen), data.subjects.taken(chosen)
        X, key, w = data.X[rows], data.key[..., rows], data.w[rows]
        return Sample(X, key, w, step == 1, subjects)

    def sample(self, size: int) -> Sample:
        """At most ``size`` distinct rows to try starts on."""
        if self._taken is None or self._taken[0] != size:
            data = self.data
            self._taken = size, take_sample(data.X, data.key, data.w, size, data.subjects)
        return self._taken[1]

    def problem(
        self, X: Floats, key: Floats, w: Floats, subjects: Subjects | None = None
    ) -> Problem:
        """The fitting problem on some rows."""
        source = ArraySource(
            X,
            key,
            w,
            self.maps,
            self.block_size,
            self.data.target.to_model,
            self.model.n_experts,
            self.engine.n_threads,
            subjects,
        )
        # Penalties are per unit of weight: of the rows at hand.
        summary = replace(self.summary, weight=float(w.sum()), n_rows=w.size)
        if subjects is not None:
            summary = replace(summary, per_row=float(subjects.w.sum()) / summary.weight)
        return Problem(
            self.model, MixtureLikelihood(self.model), source, summary, self.engine, self.seed
        )

    def log_unit_of_features(self) -> float:
        """Logarithm of the units of x, of what rows have of it."""
        seen = self.maps[self.model.gate_design]
        if seen.takes_missing and is_incomplete(self.data.X):
            return seen_log_unit(seen, self.data)
        return seen.log_unit
