"""Constant gate: the mixing proportions of a mixture of regressions.

::

    g_k = pi_k

Step: ``pi_k = sum S_k / sum S``, an exact M-step. Quandt & Ramsey (1978); De Veaux (1989), Mixtures
of linear regressions, Computational Statistics & Data Analysis 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import ComponentTerms, Forward, Regions, Units, proportion_terms
from moe_classic._data import Design, DesignMap, Stats, Summary
from moe_classic._typing import Floats, Ints

from ._base import Gate, GateRow, weight_rows

#: Proportions below this count as this: an expert without weight keeps a finite log.
SMALLEST = 1e-300
#: Proportions below this have vanished.
_VANISHED = 1e-8


@dataclass(frozen=True)
class ConstantParams:
    """Mixing proportions (K,)."""

    proportions: Floats


@dataclass(frozen=True)
class MassStats(Stats):
    """Mass of each expert, (K,)."""

    mass: Floats


class ConstantGate(Gate):
    """Mixing proportions that do not depend on x: a mixture of regressions.

    References
    ----------
    De Veaux (1989), Mixtures of linear regressions, Computational Statistics & Data Analysis 8.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.gates import ConstantGate
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, gate=ConstantGate(), random_state=0).fit(X, y)
    >>> moe.gate_proba([[1.5], [2.5]]).round(2)
    array([[0.7, 0.3],
           [0.7, 0.3]])
    """

    name: ClassVar[str] = "constant"
    takes_sparse = True
    features: ClassVar[list[int]] = []  # type: ignore[misc]

    def stacks(self, params: ConstantParams) -> bool:
        """Always."""
        return True

    def start(self, n_experts: int, width: int, summary: Summary) -> ConstantParams:
        """Equal proportions."""
        return ConstantParams(np.full(n_experts, 1.0 / n_experts))

    def forward(self, params: ConstantParams, design: Design) -> Forward:
        """Log proportions, repeated for every row."""
        log_pi = np.log(np.maximum(params.proportions, SMALLEST))
        return Forward(np.repeat(log_pi[..., None], design.Z.shape[1], axis=-1))

    def curvature(self, params: ConstantParams, fwd: Forward, S: Floats) -> Floats:
        """No Gram matrix is needed."""
        return S.reshape(-1, S.shape[-1])[:0]

    def statistics(
        self, params: ConstantParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> MassStats:
        """Mass of each expert."""
        return MassStats(S.sum(axis=-1))

    def update(self, params: ConstantParams, stats: MassStats, summary: Summary) -> ConstantParams:
        """Share of the mass."""
        return ConstantParams(stats.mass / stats.mass.sum(axis=-1, keepdims=True))

    def translate(self, stats: MassStats, old: ConstantParams, new: ConstantParams) -> MassStats:
        """The same: these sums do not refer to the parameters."""
        return stats

    # -------------------------------------------------------------------- derivatives

    def gradient(self, params: ConstantParams, design: Design, S: Floats) -> Floats:
        """Gradient in log(pi_k / pi_K): ``sum S_k - pi_k sum S``, (n_theta,)."""
        return (S.sum(axis=1) - params.proportions * S.sum())[:-1]

    def derivatives(self, params: ConstantParams, fwd: Forward, R: Floats) -> tuple[Floats, Floats]:
        """Pointwise derivatives in the K - 1 logits, as for the softmax gate."""
        g = params.proportions[..., :-1]
        A, n = g.shape[-1], R.shape[-1]
        first = np.eye(A, A + 1) - g[..., None]
        curvature = g[..., None] * (np.eye(A) - g[..., None, :])
        first = np.repeat(first[..., None], n, axis=-1)
        return first, curvature[..., None] * R.sum(axis=-2)[..., None, None, :]

    # -------------------------------------------------------------------- packing

    def pack(self, params: ConstantParams) -> Floats:
        """Logits relative to the last expert."""
        log_pi = np.log(np.maximum(params.proportions, SMALLEST))
        return log_pi[:-1] - log_pi[-1]

    def unpack(self, theta: Floats, like: ConstantParams, summary: Summary) -> ConstantParams:
        """Proportions from logits."""
        eta = np.append(theta, 0.0)
        g = np.exp(eta - eta.max())
        return ConstantParams(g / g.sum())

    def reorder(self, params: ConstantParams, order: np.ndarray) -> ConstantParams:
        """Proportions in a new order."""
        return ConstantParams(params.proportions[order])

    def draw(self, params: ConstantParams, regions: Regions) -> ConstantParams:
        """The shares that are asked for."""
        return ConstantParams(regions.shares)

    # -------------------------------------------------------------------- what users see

    def shown(self, params: ConstantParams, design: DesignMap) -> dict[str, Any]:
        """Proportions."""
        return {"weights_": params.proportions}

    def rows(self, shown: dict[str, Any], names: tuple[str, ...], K: int) -> list[GateRow]:
        """The proportion of each expert."""
        return weight_rows(shown, names, K)

    def terms(self, params: ConstantParams, units: Units) -> ComponentTerms:
        """Proportions."""
        return proportion_terms(units.labels)

    def vanished(self, params: Any) -> Ints:
        """Proportions of zero."""
        return vanished_proportions(params)

    def graph(self, graph: Any, params: ConstantParams, linear: Any) -> str:
        """The same proportions in every row."""
        return str(linear(params.proportions[:, None]))


def vanished_proportions(params: Any) -> Ints:
    """Coordinates of proportions that are next to 0."""
    return np.flatnonzero(params.proportions[:-1] < _VANISHED)
