"""A gate whose coefficients are draws from their posterior.

Where a border is sharp the posterior of its slopes is far from a normal one: steeper ones are as
likely over a wide range, and the mode stands at its lower end. Probabilities are averages over
draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import Forward
from moe_classic._data import Design, DesignMap, Stats, Summary
from moe_classic._typing import Floats
from moe_classic.gates import Gate, line_rows

from .components import learns_otherwise
from .logits import mean_log_softmax
from .tables import TermRow, draws_summary


@dataclass(frozen=True)
class GateParams:
    """Draws (D, K, q) of coefficients that sum to zero over experts, all as likely."""

    draws: Floats

    @property
    def mean(self) -> Floats:
        """Posterior means, (K, q)."""
        return np.asarray(self.draws.mean(axis=0), dtype=np.float64)

    @property
    def against_last(self) -> Floats:
        """Draws relative to the last expert, (D, K - 1, q)."""
        return self.draws[:, :-1] - self.draws[:, -1:]


class PosteriorSoftmaxGate(Gate):
    """Softmax gate whose coefficients have draws as their posterior."""

    name: ClassVar[str] = "bayesian_softmax"

    def __init__(self, *, features: Any = None) -> None:
        self.features = features

    def forward(self, params: GateParams, design: Design) -> Forward:
        """Logarithms of averaged gate probabilities, (K, n)."""
        return Forward(mean_log_softmax(params.draws, design))

    def start(self, n_experts: int, width: int, summary: Summary) -> Any:
        """Refused."""
        raise learns_otherwise(self, "SoftmaxGate")

    def curvature(self, params: Any, fwd: Forward, S: Floats) -> Floats:
        """Refused."""
        raise learns_otherwise(self, "SoftmaxGate")

    def statistics(
        self, params: Any, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> Stats:
        """Refused."""
        raise learns_otherwise(self, "SoftmaxGate")

    def update(self, params: Any, stats: Any, summary: Summary) -> Any:
        """Refused."""
        raise learns_otherwise(self, "SoftmaxGate")

    def reorder(self, params: GateParams, order: np.ndarray) -> GateParams:
        """Parameters with the experts in a new order."""
        return GateParams(params.draws[:, order])

    def lines(self, params: GateParams) -> Floats:
        """Posterior means relative to the last expert, (K - 1, q)."""
        return np.asarray(params.against_last.mean(axis=0), dtype=np.float64)

    def posterior_draws(self, params: GateParams, n: int, rng: np.random.Generator) -> Floats:
        """Coefficients (n, K, q) that sum to zero over experts."""
        return params.draws[rng.integers(len(params.draws), size=n)]

    def posterior_rows(
        self, params: GateParams, k: int, design: DesignMap, tail: float
    ) -> Iterator[TermRow]:
        """The line of expert ``k`` relative to the last."""
        return draws_summary(design, params.against_last[:, k], tail)

    def shown(self, params: GateParams, design: DesignMap) -> dict[str, Any]:
        """Posterior means of slopes and intercepts relative to the last expert."""
        slopes, intercepts = design.original(params.mean - params.mean[-1])
        return {"coef_": slopes, "intercept_": intercepts}

    def rows(self, shown: dict[str, Any], names: tuple[str, ...], K: int) -> list[Any]:
        """The line of each expert."""
        return line_rows(shown, names, K)
