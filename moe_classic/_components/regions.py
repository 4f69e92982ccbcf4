"""Regions on which random gates are laid out: every expert has a centre."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.cluster.vq import kmeans2

from moe_classic._typing import Floats

#: Variance of a feature that is uniform on (-1, 1).
_VARIANCE = 1.0 / 3.0


@dataclass(frozen=True)
class Regions:
    """Where experts of a random gate are to lead.

    Attributes
    ----------
    points : (m, p) features on which regions are laid out
    shares : (K,) relative weights of the experts, which sum to 1
    sharpness : log odds of an expert against its nearest neighbour at its own centre
    rng : Generator
    """

    points: Floats
    shares: Floats
    sharpness: float
    rng: np.random.Generator

    @cached_property
    def layout(self) -> tuple[Floats, float]:
        """Well-spread centres (K, p), and the smallest squared distance of two of them."""
        K, points = len(self.shares), self.points
        if K == 1 or points.shape[1] == 0:
            return np.zeros((K, points.shape[1])), np.inf
        if len(np.unique(points, axis=0)) < K:
            raise ValueError(
                f"n_experts={K} regions cannot be told apart: the gate's features take fewer "
                "values than that."
            )
        centres, _ = kmeans2(points, K, iter=30, minit="++", rng=self.rng)
        squares = np.square(centres[:, None] - centres).sum(axis=2)
        return centres, float(squares[np.triu_indices(K, 1)].min())

    @property
    def centres(self) -> Floats:
        """Centre of each expert, (K, p)."""
        return self.layout[0]

    @property
    def pull(self) -> float:
        """Slope of log odds: ``log g_k = log share_k - pull |x - c_k|^2 / 2 + const``."""
        return 2.0 * self.sharpness / self.layout[1]

    @property
    def size(self) -> float:
        """Standard deviation of normal densities around the centres."""
        gap = self.layout[1]
        return float(np.sqrt(0.5 * gap / self.sharpness if np.isfinite(gap) else _VARIANCE))

    def lines(self, centres: Floats, shares: Floats) -> Floats:
        """Coefficients (m - 1, q) of logits under which the nearest of m centres leads."""
        intercept = np.log(shares) - 0.5 * self.pull * (centres**2).sum(axis=1)
        coef = np.column_stack([self.pull * centres, intercept])
        return (coef - coef[-1])[:-1]
