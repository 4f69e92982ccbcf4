"""What is missing, given what is seen: normal laws of every expert, for all rows of a piece.

Expert k is a normal law of (x, y): the gate's N(m, C) of x, and y = B x + b + e, e ~ N(0, Q). With
o what is seen of x::

    x | x_o      N(m + A (x_o - m_o), V),   A = C_.o C_oo^-1,   V = C - A C_o.
    y | x_o      N(B E[x | x_o] + b, T),    T = Q + B V B'
    x | x_o, y   N(E[x | x_o] + G (y - E[y | x_o]), V - G B V),   G = V B' T^-1

A feature that is seen has a row of V of zeros, so that complete rows are the plain model.
Ghahramani & Jordan (1994), Supervised learning from incomplete data via an EM approach, NIPS 6,
equations 7-9.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from moe_classic._components import LOG_2PI
from moe_classic._data import Piece
from moe_classic._typing import Bools, Floats, Ints


@dataclass(frozen=True)
class Joint:
    """The normal laws of (x, y) of all experts.

    Attributes
    ----------
    log_prior : (K,), means : (K, p), covariance : (K, p, p)
    slopes : (K, d, p), constants : (K, d), noise : (K, d, d)
    """

    log_prior: Floats
    means: Floats
    covariance: Floats
    slopes: Floats
    constants: Floats
    noise: Floats


@dataclass(frozen=True)
class Ahead:
    """What is known of the rows of a piece before y is.

    Attributes
    ----------
    rows, counted : (u, r)
    log_x : (u, K, r) log of prior times density of what is seen of x
    x, left : (u, K, p, r) means and (u, K, p, p) covariances of x
    y, spread : (u, K, d, r) means and (u, K, d, d) covariances of y
    slopes : (K, d, p)
    """

    rows: Ints
    counted: Bools
    log_x: Floats
    x: Floats
    left: Floats
    y: Floats
    spread: Floats
    slopes: Floats

    @cached_property
    def factor(self) -> Floats:
        """Cholesky factors of the covariances of y, (u, K, d, d)."""
        return np.asarray(np.linalg.cholesky(self.spread), dtype=np.float64)


@dataclass(frozen=True)
class Completed:
    """What is known of the rows of a piece with y.

    Attributes
    ----------
    rows, counted : (u, r)
    log_y : (u, K, r) log density of y given what is seen of x
    x, left : (u, K, p, r) means and (u, K, p, p) covariances of x
    e : (u, K, d, r) means of the residuals
    slopes : (K, d, p)
    """

    rows: Ints
    counted: Bools
    log_y: Floats
    x: Floats
    left: Floats
    e: Floats
    slopes: Floats

    @cached_property
    def shared(self) -> Floats:
        """Covariances of residuals and x, (u, K, d, p)."""
        return -self.slopes @ self.left


def ahead(joint: Joint, Z: Floats, piece: Piece) -> Ahead:
    """What is known before y of the rows of a piece of a design (q, n)."""
    seen, here = piece.seen[:, None], Z[:-1][:, piece.rows].transpose(1, 0, 2)[:, None]
    whiten, regress, left = _conditioned(joint.covariance, piece.seen)
    apart = np.where(seen[..., None], here - joint.means[..., None], 0.0)
    x = np.where(seen[..., None], here, joint.means[..., None] + regress @ apart)
    white = whiten @ apart
    # Of what is missing the factor is that of the identity.
    log_det = -np.log(np.einsum("ukii->uki", whiten) + ~seen).sum(axis=-1)
    constant = joint.log_prior - log_det - 0.5 * LOG_2PI * seen.sum(axis=-1)
    log_x = constant[..., None] - 0.5 * np.einsum("ukpr,ukpr->ukr", white, white)
    y = joint.slopes @ x + joint.constants[..., None]
    spread = joint.noise + joint.slopes @ left @ joint.slopes.transpose(0, 2, 1)
    return Ahead(piece.rows, piece.counted, log_x, x, left, y, spread, joint.slopes)


def completed(known: Ahead, y: Floats) -> Completed:
    """The same with targets y (d, n) of all rows."""
    apart = y[:, known.rows].transpose(1, 0, 2)[:, None] - known.y
    d, factor = apart.shape[2], known.factor
    unit = np.linalg.solve(factor, np.broadcast_to(np.eye(d), factor.shape))
    white = unit @ apart
    log_det = np.log(np.einsum("ukii->uki", factor)).sum(axis=-1) + 0.5 * d * LOG_2PI
    log_y = -log_det[..., None] - 0.5 * np.einsum("ukdr,ukdr->ukr", white, white)
    half = unit @ known.slopes @ known.left
    moved = half.swapaxes(-1, -2) @ white
    return Completed(
        known.rows,
        known.counted,
        log_y,
        known.x + moved,
        known.left - half.swapaxes(-1, -2) @ half,
        apart - known.slopes @ moved,
        known.slopes,
    )


def _conditioned(covariance: Floats, seen: Bools) -> tuple[Floats, Floats, Floats]:
    """Of each pattern (u, p) and expert: W, A and V, all (u, K, p, p).

    ``W' W`` is the inverse of the covariance of what is seen, zero elsewhere.
    """
    both = (seen[:, :, None] & seen[:, None, :])[:, None]
    eye = np.eye(seen.shape[1])
    factor = np.linalg.cholesky(np.where(both, covariance, eye))
    whiten = np.where(both, np.linalg.solve(factor, np.broadcast_to(eye, factor.shape)), 0.0)
    half = whiten @ covariance
    # What is seen is known to the last digit.
    mine = seen[:, None, :, None]
    regress = np.where(mine, eye, half.swapaxes(-1, -2) @ whiten)
    missing = (~seen[:, :, None] & ~seen[:, None, :])[:, None]
    left = np.where(missing, covariance - half.swapaxes(-1, -2) @ half, 0.0)
    return whiten, regress, left
