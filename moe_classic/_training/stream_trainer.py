"""A trainer whose rows are larger than memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from moe_classic._data import RowStream, Sample, merge_sample
from moe_classic._objectives import MixtureLikelihood
from moe_classic.solvers import Problem

from .trainer import Trainer


@dataclass
class StreamTrainer(Trainer):
    """A trainer whose rows are read block by block; ``data`` holds a sample of them."""

    stream: RowStream
    drawn: Sample

    def __post_init__(self) -> None:
        self.maps, self.model = self.plan.maps, self.plan.model
        self._know_noise()

    def all_rows(self) -> Problem:
        """The fitting problem on all rows."""
        to_model = self.data.target.to_model
        source = self.stream.source(self.maps, to_model, self.model.n_experts)
        mixture = MixtureLikelihood(self.model)
        return Problem(self.model, mixture, source, self.summary, self.engine, self.seed)

    def __getstate__(self) -> dict[str, Any]:
        """Without the stream, which can be read only where it is."""
        return {name: value for name, value in self.__dict__.items() if name != "stream"}

    def sample(self, size: int) -> Sample:
        """At most ``size`` distinct rows of those drawn in the first pass."""
        drawn = self.drawn
        sample = merge_sample(None, drawn.X, drawn.y, drawn.w, size, drawn.subjects)
        return replace(sample, complete=sample.complete and self.drawn.complete)
