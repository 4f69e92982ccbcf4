"""Derivatives of a normal log density in its mean and the log-Cholesky factor of its covariance."""

from __future__ import annotations

import numpy as np

from ._typing import Floats


def normal_derivatives(chol: Floats, white: Floats) -> tuple[Floats, Floats]:
    """First and second derivatives of ``log N(x | m_k, L_k L_k')``, all components at once.

    Coordinates are the p entries of m, then the lower triangle of L, row by row, its diagonal on
    the log scale. With ``u = L^-1 (x - m)``, ``P = L^-1`` and ``r = P' u``::

        d / d m = r,   d / d L_ab = r_a u_b - [a = b] / L_aa
        d r / d m = -P' P,   d u / d m = -P
        d r / d L_ab = -(P'_{:b} r_a + (P' P)_{:a} u_b),   d u / d L_ab = -P_{:a} u_b

    Parameters
    ----------
    chol : ndarray of shape (K, p, p)
    white : ndarray of shape (K, p, n)
        The u of every component and row.

    Returns
    -------
    first : ndarray of shape (K, J, n)
        With J = p + p (p + 1) / 2.
    second : ndarray of shape (K, J, J, n)
    """
    K, p, n = white.shape
    u = white
    P = np.linalg.solve(chol, np.broadcast_to(np.eye(p), (K, p, p)))
    Q = P.transpose(0, 2, 1) @ P
    r = P.transpose(0, 2, 1) @ u
    rows, cols = np.tril_indices(p)
    # The diagonal is on the log scale: dL = L dlog L.
    unit = np.where(rows == cols, chol[:, rows, cols], 1.0)
    J = p + rows.size
    first, second = np.empty((K, J, n)), np.empty((K, J, J, n))
    first[:, :p] = r
    second[:, :p, :p] = -Q[..., None]
    raw = r[:, rows] * u[:, cols] * unit[..., None]
    first[:, p:] = raw - (rows == cols)[None, :, None]
    for i, (a, b) in enumerate(zip(rows, cols, strict=True)):
        scale = unit[:, i, None, None]
        dr = -(P[:, b, :, None] * r[:, a, None, :] + Q[:, :, a, None] * u[:, b, None, :])
        du = -P[:, :, a, None] * u[:, b, None, :]
        second[:, :p, p + i] = second[:, p + i, :p] = dr * scale
        mixed = dr[:, rows] * u[:, cols] + r[:, rows] * du[:, cols]
        second[:, p:, p + i] = mixed * scale * unit[..., None]
        if a == b:
            second[:, p + i, p + i] += raw[:, i]
    return first, second
