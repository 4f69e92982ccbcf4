"""Curvature of the log-likelihood at the fit, and the covariance it implies.

::

    observed   H^-1,              H = I_obs + penalty''
    opg        (G + penalty'')^-1,  G = sum w s s'
    sandwich   H^-1 G H^-1,       G from clusters: sum over clusters of (sum w s)(sum w s)'

with I_obs by Louis' identity and s the score of a row. Louis (1982); Berndt, Hall, Hall & Hausman
(1974); White (1982), Maximum likelihood estimation of misspecified models, Econometrica 50; Liang
& Zeger (1986) for clusters; Gray (1992) for penalised estimates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.special import ndtri

from moe_classic._data import Block, Stats
from moe_classic._model import InformationStats, Model, MoEParams, available, observed_information
from moe_classic._typing import Bools, Floats, Ints

from ._case import FittedModel

#: Eigenvalues of the information, scaled to a unit diagonal, that count as zero.
SINGULAR = 1e-9
#: Part of a term along such directions that makes it undetermined: an expert without rows pulls at
#: the others by the root of its mass.
_PART = 1e-2
#: Curvature of a coordinate, per unit of weight, that counts as none: standardised data have some.
_FLAT = 1e-10


# ------------------------------------------------------------------------- curvature


@dataclass(frozen=True)
class Curvature:
    """Derivatives of the log-likelihood and of the penalty at the fit.

    Attributes
    ----------
    gradient : (D,) of the penalised log-likelihood
    information : (D, D) observed information of the rows
    scores : (D, D) sum of the outer products of the scores, over rows or clusters
    penalty : (D, D) Hessian of the penalty
    """

    gradient: Floats
    information: Floats
    scores: Floats
    penalty: Floats

    @property
    def error_size(self) -> Floats:
        """Rough errors of the coordinates, each on its own, (D,)."""
        diagonal = np.diag(self.information + self.penalty)
        return np.where(diagonal > 0.0, np.abs(diagonal), 1.0) ** -0.5


@dataclass(frozen=True)
class Mass(Stats):
    """Rows that each expert explains, (K,)."""

    mass: Floats


def curvature(case: FittedModel, clusters: Ints | None = None) -> Curvature:
    """Derivatives at the fit; ``clusters`` (G,) numbers from 0 those of rows, or of subjects."""
    model = smoothed(case)

    def of_block(block: Block) -> InformationStats:
        return observed_information(model, case.params, block)

    sums = case.engine.map_reduce(of_block, case.source())
    products = sums.scores if clusters is None else case.cluster_scores(model, clusters)
    gradient = sums.gradient - case.model.penalty_gradient(case.params, case.summary)
    penalty = case.model.penalty_hessian(case.params, case.summary)
    return Curvature(gradient, sums.information, products, penalty)


# ------------------------------------------------------------------------- kinks


def hall_sheather(n: Floats) -> Floats:
    """Bandwidth for the sparsity at the median from n rows, as a probability.

    Hall & Sheather (1988), for intervals of 95 %.
    """
    z = ndtri(0.975)
    return n ** (-1.0 / 3.0) * z ** (2.0 / 3.0) * (1.5 / (2.0 * np.pi)) ** (1.0 / 3.0)


def smoothed(case: FittedModel) -> Model:
    """The model with kinks smoothed where experts have any."""
    if available(case.model):
        return case.model
    mass = masses(case)
    groups = []
    for group, p, share in zip(
        case.model.groups, case.params.experts, case.model.shares, strict=True
    ):
        expert = group.expert
        if not expert.smooth:
            # Few rows would ask for more than half of the distribution.
            h = np.minimum(hall_sheather(np.maximum(mass[share], 1.0)), 0.45)[:, None]
            expert = expert.smoothed(p, h)
        groups.append(replace(group, expert=expert))
    return replace(case.model, groups=tuple(groups))


def masses(case: FittedModel) -> Floats:
    """Rows that each expert explains, (K,)."""
    return case.engine.map_reduce(partial(_mass, case.model, case.params), case.source()).mass


def _mass(model: Model, params: MoEParams, block: Block) -> Mass:
    """Those of one block."""
    return Mass(block.by_row(model.responsibilities(params, block)) @ block.w)


# ------------------------------------------------------------------------- covariance


@dataclass(frozen=True)
class ThetaCovariance:
    """Covariance of theta where the rows determine it.

    Attributes
    ----------
    covariance : (D, D), zero for fixed coordinates and along directions that are not determined
    unknown : (D, r) orthonormal directions, in scaled coordinates, that are not determined
    scale : (D,) what divides theta into scaled coordinates
    negative : whether any of those directions has negative curvature
    n_aliased : how many of them, the first, are those along which no linear predictor moves
    """

    covariance: Floats
    unknown: Floats
    scale: Floats
    negative: bool
    n_aliased: int

    def undetermined(self, jacobian: Floats) -> Bools:
        """Which rows of ``jacobian`` (M, D) depend on directions that are not determined."""
        scaled = jacobian * self.scale
        size = np.linalg.norm(scaled, axis=1)
        return np.linalg.norm(scaled @ self.unknown, axis=1) > _PART * np.maximum(size, 1e-300)


def theta_covariance(
    curve: Curvature, kind: str, fixed: Bools, weight: float, null: Floats
) -> ThetaCovariance:
    """Covariance of the estimates by one of "observed", "opg" and "sandwich".

    Along ``null`` (D, R) no linear predictor moves: a penalty may have curvature there, the data
    have none.
    """
    size, free = fixed.size, np.flatnonzero(~fixed)
    basis = curve.scores if kind == "opg" else curve.information
    H = (basis + curve.penalty)[np.ix_(free, free)]
    # Scaling must not turn a coordinate without curvature into a well determined one.
    flat = np.abs(np.diag(H)) <= _FLAT * weight
    H[flat] = H[:, flat] = 0.0
    scale = np.where(flat, 1.0, np.abs(np.diag(H))) ** -0.5
    values, vectors = np.linalg.eigh(H * np.outer(scale, scale))
    known = values > SINGULAR
    half = scale[:, None] * vectors[:, known]
    inverse = (half / values[known]) @ half.T
    if kind == "sandwich":
        inverse = inverse @ curve.scores[np.ix_(free, free)] @ inverse
    aliased = np.linalg.qr(null[free] / scale[:, None])[0]
    loose = vectors[:, ~known]
    U, sizes, _ = np.linalg.svd(loose - aliased @ (aliased.T @ loose), full_matrices=False)
    open_ = np.hstack([aliased, U[:, sizes > 0.5]])
    covariance, unknown = np.zeros((size, size)), np.zeros((size, open_.shape[1]))
    covariance[np.ix_(free, free)] = inverse
    unknown[free] = open_
    whole = np.ones(size)
    whole[free] = scale
    negative = bool((values < -SINGULAR).any())
    return ThetaCovariance(covariance, unknown, whole, negative, aliased.shape[1])


def distance_from_optimum(curve: Curvature, fixed: Bools, weight: float, null: Floats) -> float:
    """How many standard errors a Newton step would move the estimates, in the worst direction."""
    inverse = theta_covariance(curve, "observed", fixed, weight, null).covariance
    g = np.where(fixed, 0.0, curve.gradient)
    return float(np.sqrt(max(float(g @ inverse @ g), 0.0)))
