"""Predictive distributions at rows of which features are missing: gate and experts marginalised.

Given what is seen of a row an expert is a normal law with a covariance of its own at that row::

    y | x_o, k  ~  N(B_k E[x | x_o, k] + b_k, Q_k + B_k cov(x | x_o, k) B_k')
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from moe_classic._components import Noise, normal_pdf
from moe_classic._data import Block, Design
from moe_classic._model import MoEParams, ObservedModel
from moe_classic._typing import Floats, Ints

from ._marginal import Marginal
from ._mixture import Predictive


class NormalRows:
    """Normal laws that differ from row to row: predictors hold means, then Cholesky factors.

    Parameters
    ----------
    d : int
        Number of outputs; predictors are (K, d + d^2, n).
    """

    def __init__(self, d: int) -> None:
        self.d = d

    def has(self, ability: str) -> bool:
        """Precisions are told by the predictive distribution itself."""
        return ability == "precision"

    def _factors(self, eta: Floats) -> Floats:
        """Cholesky factors, (K, d, d, n)."""
        return eta[:, self.d :].reshape(len(eta), self.d, self.d, -1)

    def location_at(self, params: Any, eta: Floats) -> Floats:
        """Means, (K, d, n)."""
        return eta[:, : self.d]

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """Variances, (K, d, n)."""
        return np.square(self._factors(eta)).sum(axis=2)

    def spread_at(self, params: Any, eta: Floats) -> Floats:
        """Standard deviations, (K, d, n)."""
        return np.sqrt(self.variance_at(params, eta))

    def _standardised(self, eta: Floats, y: Floats) -> Floats:
        """Distances from the means in standard deviations."""
        return (y - self.location_at(None, eta)) / self.spread_at(None, eta)

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y_j <= y_j), (K, d, n)."""
        return ndtr(self._standardised(eta, y))

    below_at = cdf_at

    def density_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """Densities, (K, d, n)."""
        return normal_pdf(self._standardised(eta, y)) / self.spread_at(None, eta)

    def cdf_and_density_at(self, params: Any, eta: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Both."""
        return self.cdf_at(params, eta, y), self.density_at(params, eta, y)

    def quantile_at(self, params: Any, eta: Floats, q: Floats) -> Floats:
        """Quantiles, (K, d, n)."""
        return self.location_at(params, eta) + self.spread_at(params, eta) * ndtri(q)

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> Floats:
        """A draw from every expert at every row, (K, d, n)."""
        mean = self.location_at(params, eta)
        noise = rng.standard_normal(mean.shape)
        return mean + np.einsum("kijn,kjn->kin", self._factors(eta), noise)

    def noise_of(self, params: Any) -> list[Noise]:
        """Normal noise with the scales of one output, ``params`` (K, n)."""
        return [Noise("gaussian", scale) for scale in params]


class ObservedPredictive(Predictive):
    """Mixture distribution of a real target at rows with missing features."""

    model: ObservedModel

    @cached_property
    def _laws(self) -> tuple[Floats, Floats]:
        """Means (K, d, n) and Cholesky factors (K, d, d, n) of the experts."""
        known = self.model.ahead(self.params, self.block)
        _, K, d, _ = known[0].y.shape
        mean, factor = np.empty((K, d, self.block.w.size)), np.empty((K, d, d, self.block.w.size))
        for part in known:
            mean[:, :, part.rows] = part.y.transpose(1, 2, 0, 3)
            factor[..., part.rows] = part.factor.transpose(1, 2, 3, 0)[..., None]
        return mean, factor

    @cached_property
    def parts(self) -> list[tuple[Any, Any, Floats]]:
        """All experts as one group with laws of their own at every row."""
        mean, factor = self._laws
        K, d, n = mean.shape
        return [(NormalRows(d), None, np.concatenate([mean, factor.reshape(K, d * d, n)], axis=1))]

    def output(self, j: int) -> Marginal:
        """The distribution of output ``j`` alone."""
        location, spread = self.location[:, j], self.spread[:, j]
        parts: list[Any] = [(NormalRows(1), spread, np.stack([location, spread], axis=1))]
        return Marginal(parts, self.weights, location, spread, self.kind)

    def _heights(
        self, y: Floats, rows: Ints, designs: tuple[Design, ...]
    ) -> tuple[Floats, list[Floats]]:
        """Log densities (K, n) of the experts at some rows, their precisions in every group."""
        some = self._laws[1][..., rows].transpose(0, 3, 1, 2)
        inverse = np.linalg.solve(some, np.broadcast_to(np.eye(len(y)), some.shape))
        white = (inverse @ (y - self.location[:, :, rows]).swapaxes(1, 2)[..., None])[..., 0]
        log_det = np.log(np.einsum("knii->kni", inverse)).sum(axis=-1)
        precisions = inverse.swapaxes(-1, -2) @ inverse
        heights = log_det - 0.5 * np.square(white).sum(axis=-1)
        return heights, [precisions[share] for share in self.model.shares]


def predictive_of(model: Any, params: MoEParams, block: Block) -> Predictive:
    """Predictive distributions of one block, whatever is missing in it."""
    observed = isinstance(model, ObservedModel) and model.misses(block)
    return (ObservedPredictive if observed else Predictive)(model, params, block)
