"""Derivatives of a normal log density in its mean and the log-Cholesky factor of its covariance.

Coordinates are the p entries of m, then the lower triangle of L, row by row, its diagonal on the
log scale. With ``u = L^-1 (x - m)``, ``P = L^-1``, ``Q = P' P`` and ``r = P' u``::

    d / d m = r,   d / d L_ab = r_a u_b - [a = b] / L_aa
    d r / d m = -Q,   d u / d m = -P
    d r / d L_ab = -(P'_{:b} r_a + Q_{:a} u_b),   d u / d L_ab = -P_{:a} u_b

so that sums of second derivatives over rows need only the first two moments of u.
"""

from __future__ import annotations

import numpy as np

from moe_classic._typing import Floats


def normal_scores(chol: Floats, white: Floats) -> Floats:
    """First derivatives of ``log N(x | m_k, L_k L_k')``, (K, J, n) with J = p + p (p + 1) / 2.

    Parameters
    ----------
    chol : ndarray of shape (K, p, p)
    white : ndarray of shape (K, p, n)
        The u of every component and row.
    """
    K, p, n = white.shape
    rows, cols = np.tril_indices(p)
    out = np.empty((K, p + rows.size, n))
    out[:, :p] = _inverse(chol).transpose(0, 2, 1) @ white
    np.multiply(out[:, rows], white[:, cols], out=out[:, p:])
    out[:, p:] *= _units(chol)[..., None]
    out[:, p:] -= (rows == cols)[:, None]
    return out


def normal_curvature(chol: Floats, white: Floats, S: Floats) -> Floats:
    """Sums ``sum_n S_kn d2 log N(x_n | m_k, C_k)``, (K, J, J); arguments as above, S (K, n)."""
    p = white.shape[1]
    mass, U = S.sum(axis=1), np.einsum("kpn,kn->kp", white, S)
    M = (white * S[:, None]) @ white.transpose(0, 2, 1)
    P = _inverse(chol)
    Q = P.transpose(0, 2, 1) @ P
    r, rM = np.einsum("kba,kb->ka", P, U), P.transpose(0, 2, 1) @ M
    rows, cols = np.tril_indices(p)
    unit = _units(chol)
    out = np.empty((len(chol), p + rows.size, p + rows.size))
    out[:, :p, :p] = -Q * mass[:, None, None]
    for i, (a, b) in enumerate(zip(rows, cols, strict=True)):
        edge = -(P[:, b] * r[:, a, None] + Q[:, :, a] * U[:, b, None]) * unit[:, i, None]
        out[:, :p, p + i] = out[:, p + i, :p] = edge
        inner = P[:, b, rows] * rM[:, a, cols] + Q[:, rows, a] * M[:, b, cols]
        inner += P[:, cols, a] * rM[:, rows, b]
        out[:, p:, p + i] = -inner * unit[:, i, None] * unit
        if a == b:
            out[:, p + i, p + i] += rM[:, a, b] * unit[:, i]
    return out


def _inverse(chol: Floats) -> Floats:
    """Inverses of the factors, (K, p, p)."""
    identity = np.broadcast_to(np.eye(chol.shape[-1]), chol.shape)
    return np.asarray(np.linalg.solve(chol, identity), dtype=np.float64)


def _units(chol: Floats) -> Floats:
    """``d L_ab`` per unit of its coordinate: L_aa on the diagonal, 1 below; (K, p (p + 1) / 2)."""
    rows, cols = np.tril_indices(chol.shape[-1])
    return np.where(rows == cols, chol[:, rows, cols], 1.0)
