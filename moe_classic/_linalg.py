"""Small dense algebra shared by all components: packed Grams, safe solves, log-sum-exp.

The component axis comes first everywhere, so that every elementwise step runs along long
contiguous rows.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ._typing import Floats, Ints

#: Squared relative pivot below which a Gram matrix counts as singular.
_SINGULAR = 1e-11


@cache
def _upper(q: int) -> tuple[Ints, Ints]:
    """Row and column indices of the upper triangle, row by row."""
    return np.triu_indices(q)


@cache
def _square(q: int) -> Ints:
    """For each entry of a q x q matrix, its place in the packed upper triangle."""
    rows, cols = _upper(q)
    place = np.empty((q, q), dtype=np.intp)
    place[rows, cols] = place[cols, rows] = np.arange(rows.size)
    return place


def unpack_symmetric(packed: Floats, q: int) -> Floats:
    """Full symmetric matrices (..., q, q) from packed upper triangles (..., q (q + 1) / 2)."""
    return packed[..., _square(q)]


def pack_symmetric(full: Floats) -> Floats:
    """Packed upper triangles (..., q (q + 1) / 2) of symmetric matrices (..., q, q)."""
    rows, cols = _upper(full.shape[-1])
    return full[..., rows, cols]


def packed_products(Z: Floats, out: Floats | None = None) -> Floats:
    """Products z_i z_j, i <= j, of the rows of ``Z`` (q, n), as (q (q + 1) / 2, n)."""
    q, n = Z.shape
    if out is None:
        out = np.empty((q * (q + 1) // 2, n))
    start = 0
    for i in range(q):
        stop = start + q - i
        np.multiply(Z[i], Z[i:], out=out[start:stop])
        start = stop
    return out


def log_sum_exp(a: Floats) -> Floats:
    """Logarithm of the sum of exponentials over the first axis; -inf columns stay -inf."""
    top = a.max(axis=0)
    safe = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return safe + np.log(np.exp(a - safe).sum(axis=0))


def softmax_in_place(a: Floats) -> Floats:
    """Turn ``a`` (K, n) into its softmax over K, in place; return the (n,) log normaliser."""
    top = a.max(axis=0)
    a -= top
    np.exp(a, out=a)
    mass = a.sum(axis=0)
    a *= 1.0 / mass
    return top + np.log(mass)


def _solve_by_eigenvalues(A: Floats, b: Floats) -> Floats:
    """Minimum-norm solution for one singular symmetric matrix (q, q), right side (q, m)."""
    values, vectors = np.linalg.eigh(A)
    keep = values > _SINGULAR * max(values[-1], 0.0)
    if not keep.any():
        return np.zeros_like(b)
    U = vectors[:, keep]
    return U @ ((U.T @ b) / values[keep, None])


def solve_psd(A: Floats, b: Floats) -> Floats:
    """Solve ``A x = b`` for symmetric positive semidefinite matrices.

    Singular systems (constant or collinear columns, experts without rows) get the solution of
    least norm in equilibrated units: directions without curvature do not move.

    Parameters
    ----------
    A : ndarray of shape (K, q, q)
    b : ndarray of shape (K, q, m)

    Returns
    -------
    x : ndarray of shape (K, q, m)
    """
    diagonal = np.einsum("kii->ki", A)
    scale = np.where(diagonal > 0.0, diagonal, 1.0) ** -0.5
    M = A * scale[:, :, None] * scale[:, None, :]
    r = b * scale[:, :, None]
    try:
        pivots = np.einsum("kii->ki", np.linalg.cholesky(M))
        regular = pivots.min() ** 2 > _SINGULAR
    except np.linalg.LinAlgError:
        regular = False
    if regular:
        x = np.linalg.solve(M, r)
    else:
        x = np.stack([_solve_by_eigenvalues(M[k], r[k]) for k in range(len(M))])
    return x * scale[:, :, None]
