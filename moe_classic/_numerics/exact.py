"""Linear fits to the last digit: least squares by factors, least absolute deviations by pivots.

Gram matrices square the condition of a design, and reweighted least squares creeps towards a kink.
Both fits here begin where such steps ended and find the change of the coefficients, (q,).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lu_factor, lu_solve, qr

from moe_classic._typing import Floats, Ints

#: Smallest over largest singular value of a design from which on its Gram matrix is good enough.
_WELL_CONDITIONED = 1e-4
#: Shift of residuals, in their mean size, that keeps vertices apart.
_APART = 1e-12
#: Excess of a multiplier over its bound that is rounding.
_EXCESS = 1e-9
#: Pivots a coefficient, and besides, after which the way is given up.
_PIVOTS = 50


def least_squares_change(Z: Floats, e: Floats, S: Floats) -> Floats | None:
    """Change of coefficients (d, q) that makes ``sum S e^2`` least; None where Grams will do.

    Parameters
    ----------
    Z : ndarray of shape (q, n)
    e : ndarray of shape (d, n)
        Residuals.
    S : ndarray of shape (n,)
        Weights >= 0.
    """
    root = np.sqrt(S)
    values, U, V = _singular(Z * root)
    if not values.size or values[-1] > _WELL_CONDITIONED * values[0]:
        return None
    return ((e * root) @ V.T / values) @ U.T


def _singular(A: Floats) -> tuple[Floats, Floats, Floats]:
    """Singular values (r,) of A (q, n) that are not rounding, vectors (q, r) and (r, n)."""
    if A.shape[1] < 1:
        return np.empty(0), np.empty((len(A), 0)), np.empty((0, 0))
    U, values, V = np.linalg.svd(A, full_matrices=False)
    keep = values > max(A.shape) * np.finfo(float).eps * values[0]
    return values[keep], U[:, keep], V[keep]


def least_absolute_change(Z: Floats, e: Floats, S: Floats) -> Floats:
    """Change of coefficients (q,) that makes ``sum S |e - change Z|`` least.

    From vertex to vertex: q residuals are 0, and one of them is let go along its edge as far as
    the sum falls, a weighted median. Barrodale & Roberts (1973), An improved algorithm for discrete
    l1 linear approximation, SIAM Journal on Numerical Analysis 10; Bloomfield & Steiger (1980),
    Least absolute deviations curve-fitting, SIAM Journal on Scientific and Statistical Computing 1.

    Parameters
    ----------
    Z : ndarray of shape (q, n)
    e : ndarray of shape (n,)
        Residuals of a fit that is near.
    S : ndarray of shape (n,)
        Weights >= 0.
    """
    used = np.flatnonzero(S > 0.0)
    size = S[used] @ np.abs(e[used])
    values, U, V = _singular(Z[:, used])
    if not values.size or not size > 0.0:
        return np.zeros(len(Z))
    A, weight, r = V * np.sqrt(used.size), S[used], e[used]
    # Rows that meet in a point, as rounded targets do, would send pivots round in circles.
    apart = _APART * size / weight.sum() * np.random.default_rng(0).uniform(-1.0, 1.0, used.size)
    basis = _descend(A, r + apart, weight, _first_basis(A, r))
    at = np.linalg.solve(A[:, basis].T, r[basis])
    if not weight @ np.abs(r - at @ A) < size:
        return np.zeros(len(Z))
    return U @ (at * np.sqrt(used.size) / values)


def _first_basis(A: Floats, r: Floats) -> Ints:
    """Independent columns of A (m, n) with small residuals, (m,)."""
    near = 1.0 / (np.abs(r) + 1e-6 * np.abs(r).mean())
    _, _, order = qr(A * near, mode="economic", pivoting=True)
    return np.asarray(order[: len(A)], dtype=np.intp)


def _descend(A: Floats, r: Floats, w: Floats, basis: Ints) -> Ints:
    """Columns of A (m, n) through which the least sum ``w |r - x A|`` passes, (m,)."""
    for _ in range(_PIVOTS * (len(A) + 20)):
        factor = lu_factor(A[:, basis], check_finite=False)
        left = r - lu_solve(factor, r[basis], trans=1, check_finite=False) @ A
        left[basis] = 0.0
        pull = lu_solve(factor, A @ (w * np.sign(left)), check_finite=False)
        excess = np.abs(pull) - w[basis] * (1.0 + _EXCESS)
        leaving = int(excess.argmax())
        if not excess[leaving] > _EXCESS * w.max():
            break
        unit = np.zeros(len(A))
        unit[leaving] = np.sign(pull[leaving])
        along = lu_solve(factor, unit, trans=1, check_finite=False) @ A
        along[np.delete(basis, leaving)] = 0.0
        entering = _weighted_median(left, along, w, float(excess[leaving]))
        if entering is None:
            break
        basis = basis.copy()
        basis[leaving] = entering
    return basis


def _weighted_median(left: Floats, along: Floats, w: Floats, slope: float) -> int | None:
    """Where ``sum w |left - t along|``, which falls by ``slope`` at t = 0+, turns; None if never.

    The sum bends by twice ``w |along|`` wherever a residual vanishes.
    """
    ahead = np.flatnonzero(left * along > 0.0)
    if not ahead.size:
        return None
    t = left[ahead] / along[ahead]
    order = np.argsort(t)
    bends = np.cumsum(2.0 * w[ahead][order] * np.abs(along[ahead][order]))
    place = min(int(np.searchsorted(bends, slope)), order.size - 1)
    return int(ahead[order[place]])
