"""Small dense algebra shared by all components: packed Grams, safe solves, log-sum-exp.

The component axis comes first everywhere, so that every elementwise step runs along long
contiguous rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import repeat
from typing import Any

import numpy as np
from scipy.linalg.lapack import dposv

from moe_classic._typing import Floats, Ints

from .memory import empty, frame

#: Squared relative pivot below which a Gram matrix counts as singular.
_SINGULAR = 1e-11
#: Diagonal elements up to this are zero: a solution along them would overflow.
_NO_CURVATURE = 1e-150
#: Systems from which on, if no wider than this, numpy's loops cost less than calls one by one.
_SEVERAL, _NARROW = 8, 8
#: Sums of exponentials between these lost nothing to underflow or overflow.
_TINY, _HUGE = 1e-200, 1e280
#: Multiplications of a matrix product that BLAS does as it stands, and columns of a piece at least.
_SMALL_PRODUCT = 1_000_000
_SHORT = 500
#: Exponent from which on an exponential is rounded to zero, and its value, about 1e-283.
_LEAST = -650.0
_FLOOR = float(np.exp(_LEAST))


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


@cache
def _ring(q: int) -> Ints:
    """For each entry of a packed upper triangle, its place among :func:`ring_products`."""
    steps, first = np.divmod(np.arange(q * (q + 1) // 2), q)
    place = np.empty(first.size, dtype=np.intp)
    place[_square(q)[first, (first + steps) % q]] = np.arange(first.size)
    return place


def unring(rings: Floats, q: int) -> Floats:
    """Packed upper triangles (..., q (q + 1) / 2) from values in the order of the products."""
    return rings[..., _ring(q)]


def ring_of(Z: Floats, out: Floats, copy: Any = np.positive) -> Floats:
    """The rows of ``Z`` (q, n) on a ring: entry [s, i] of (q // 2 + 1, q, n) is row i + s.

    The result is a view of ``out`` (q + q // 2, n), which is filled with the rows, and the first
    of them again; ``copy`` may be another function of each number.
    """
    q = len(Z)
    copy(Z, out=out[:q])
    copy(Z[: q // 2], out=out[q:])
    return ring_in(out, q)


def ring_in(out: Floats, q: int) -> Floats:
    """The ring of ``q`` rows that are in ``out``, the first of them twice: a view."""
    row, item = out.strides
    return np.ndarray((q // 2 + 1, q, out.shape[1]), out.dtype, out, strides=(row, row, item))


def ring_pairs(q: int) -> tuple[Ints, Ints]:
    """The rows of each product of two different rows, in the order of :func:`ring_products`."""
    steps, first = np.divmod(np.arange(q, q * (q + 1) // 2), q)
    return first, (first + steps) % q


def ring_products(first: Floats, ring: Floats, out: Floats, nearest: int = 0) -> Floats:
    """Products of every pair of rows, into ``out`` (q (q + 1) / 2, n).

    With the rows on a ring, row i times its s-th successor, for s = 0 to q / 2, meets every pair
    once: one call for what a triangle needs q calls for. The first q products are those of a row
    with itself.

    Parameters
    ----------
    first : ndarray of shape (q, n)
        One factor.
    ring : ndarray of shape (q // 2 + 1, q, n)
        The other factor, from :func:`ring_of`.
    nearest : {0, 1}, default=0
        With 1, without the products of a row with itself; ``out`` has q of them fewer.
    """
    for a, b, products in _steps(first, ring, out, nearest):
        np.multiply(a, b, out=products)
    return out


def _steps(
    first: Floats, ring: Floats, out: Floats, nearest: int = 0
) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Factors and results of the one or two calls that form all products; leading axes pass."""
    q, n = first.shape[-2:]
    half = q // 2
    whole = half + q % 2
    count = whole - nearest
    if count:
        products = out[..., : count * q, :].reshape(*out.shape[:-2], count, q, n)
        yield first[..., None, :, :], ring[..., nearest:whole, :, :], products
    if whole == half:
        yield first[..., :half, :], ring[..., half, :half, :], out[..., count * q :, :]


def pieces(a: Floats, count: int) -> Floats:
    """View (count, ..., n / count) of the last axis of ``a`` (..., n) in equal pieces."""
    cut = a.reshape(*a.shape[:-1], count, a.shape[-1] // count)
    return cut.transpose(a.ndim - 1, *range(a.ndim - 1), a.ndim)


def matmul_by_rows(a: Floats, Z: Floats, out: Floats) -> Floats:
    """``a @ Z`` for few rows ``a`` (m, q) and long ``Z`` (q, n), into ``out`` (m, n).

    BLAS rearranges the factors of a large product before it multiplies, which for few rows takes
    longer than the product: the columns go in pieces that are small enough to do without.
    """
    count, whole = _pieces(a.size, Z.shape[-1])
    np.matmul(a, pieces(Z[:, :whole], count), out=pieces(out[:, :whole], count))
    if whole < Z.shape[-1]:
        np.matmul(a, Z[:, whole:], out=out[:, whole:])
    return out


def sums_by_rows(a: Floats, Z: Floats) -> Floats:
    """``a @ Z'`` for rows ``a`` (m, n) and ``Z`` (q, n), in pieces as :func:`matmul_by_rows`."""
    n = Z.shape[-1]
    count, whole = _pieces(len(a) * len(Z), n)
    if count == 1:
        return np.asarray(a @ Z.T, dtype=np.float64)
    parts = np.matmul(pieces(a[:, :whole], count), pieces(Z[:, :whole], count).swapaxes(1, 2))
    sums = np.add.reduce(parts)
    return sums + a[:, whole:] @ Z[:, whole:].T if whole < n else sums


def _pieces(cost: int, n: int) -> tuple[int, int]:
    """Number of equal pieces for ``n`` columns of some cost, and the columns that they cover."""
    count = max(1, min(-(-cost * n // _SMALL_PRODUCT), n // _SHORT))
    return count, n - n % count


def weighted_products(first: Floats, ring: Floats, weights: list[Floats], out: Floats) -> None:
    """Weighted sums of the products of every pair of rows, piece by piece.

    Python comes between calls of numpy as little as can be: it is what threads queue for. So
    pieces go two by two.

    Parameters
    ----------
    first : ndarray of shape (c, q, n)
        As for :func:`ring_products`, in c pieces.
    ring : ndarray of shape (c, q // 2 + 1, q, n)
    weights : list of ndarray of shapes (c, m_i, n)
        Together m rows of weights.
    out : ndarray of shape (c, m, q (q + 1) / 2)
    """
    count, _, n = first.shape
    both = min(count, 2)
    if count % both:
        weighted_products(first[-1:], ring[-1:], [w[-1:] for w in weights], out[-1:])
    even = slice(0, count - count % both)
    pairs = [_by(a[even], both) for a in (first, ring, out, *weights)]
    with frame():
        room = empty((both, out.shape[-1], n))
        products = room.swapaxes(1, 2)
        joint = empty((both, out.shape[1], n)) if len(weights) > 1 else None
        multiply, matmul, concatenate = np.multiply, np.matmul, np.concatenate
        calls = [zip(a, b, repeat(r)) for a, b, r in _steps(pairs[0], pairs[1], room)]
        for *formed, sums, rows in zip(*calls, pairs[2], zip(*pairs[3:], strict=True), strict=True):
            for a, b, r in formed:
                multiply(a, b, out=r)
            w = rows[0] if joint is None else concatenate(rows, axis=1, out=joint)
            matmul(w, products, out=sums)


def _by(a: Floats, size: int) -> Floats:
    """View (c / size, size, ...) of ``a`` (c, ...)."""
    return a.reshape(len(a) // size, size, *a.shape[1:])


def log_sum_exp(a: Floats) -> Floats:
    """Logarithm of the sum of exponentials over the first axis; -inf columns stay -inf."""
    top = a.max(axis=0)
    safe = np.where(np.isfinite(top), top, 0.0)
    below = np.subtract(a, safe)
    with np.errstate(divide="ignore"):
        return safe + np.log(exp_into(below, below).sum(axis=0))


def log_normalised(a: Floats) -> Floats:
    """``a`` less the logarithm of its sum of exponentials over the first axis.

    What columns have in common goes first: beside it a logarithm of a few is lost.
    """
    below = a - a.max(axis=0)
    return np.asarray(below - log_sum_exp(below))


def exp_into(a: Floats, out: Floats) -> Floats:
    """Exponentials of ``a``, in ``out``; below 1e-283 they are zero.

    Processors take some forty times as long for results that are denormal or underflow.
    """
    if not a.min(initial=0.0) < _LEAST:
        return np.exp(a, out=out)
    np.exp(np.maximum(a, _LEAST, out=out), out=out)
    return np.subtract(out, _FLOOR, out=out)


def _in_range(mass: Floats) -> bool:
    """Whether sums of exponentials lost nothing to underflow or overflow."""
    return bool(mass.size and mass.min() > _TINY and mass.max() < _HUGE)


def softmax_in_place(a: Floats, weights: Floats | None = None) -> Floats:
    """Turn ``a`` (..., K, n) into its softmax over K, times ``weights`` (n,).

    Returns the logarithms of the normalisers, (..., n), which are temporary inside a workspace.
    Columns are shifted by their maximum only where the block needs it.
    """
    mass = empty((*a.shape[:-2], a.shape[-1]))
    with frame():
        e = empty(a.shape)
        with np.errstate(over="ignore"):
            np.add.reduce(exp_into(a, e), axis=-2, out=mass)
        top = None
        if not _in_range(mass):
            top = a.max(axis=-2)
            a -= top[..., None, :]
            np.add.reduce(exp_into(a, e), axis=-2, out=mass)
        factor = np.divide(1.0 if weights is None else weights, mass, out=empty(mass.shape))
        np.multiply(e, factor[..., None, :], out=a)
    np.log(mass, out=mass)
    if top is not None:
        mass += top
    return mass


def _solve_by_eigenvalues(A: Floats, b: Floats) -> Floats:
    """Minimum-norm solution for one singular symmetric matrix (q, q), right side (q, m)."""
    values, vectors = np.linalg.eigh(A)
    keep = values > max(_SINGULAR * values[-1], _NO_CURVATURE)
    if not keep.any():
        return np.zeros_like(b)
    U = vectors[:, keep]
    return U @ ((U.T @ b) / values[keep, None])


def _solved_together(M: Floats, x: Floats) -> Floats | None:
    """Solutions (K, q, m) of equilibrated systems in few calls; None where one is singular."""
    try:
        pivots = np.linalg.cholesky(M).diagonal(axis1=1, axis2=2)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(np.linalg.solve(M, x), np.float64) if pivots.min() ** 2 > _SINGULAR else None


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
    diagonal = A.diagonal(axis1=1, axis2=2)
    scale = 1.0 / np.sqrt(np.where(diagonal > _NO_CURVATURE, diagonal, 1.0))
    units = scale[:, :, None]
    M, x = A * (units * scale[:, None, :]), b * units
    if len(M) >= _SEVERAL and M.shape[1] <= _NARROW:
        together = _solved_together(M, x)
        if together is not None:
            together *= units
            return together
    failed = [0] * len(M)
    # Columns first, as LAPACK has them: the factor takes the place of the matrix.
    for k, matrix in enumerate(M.transpose(0, 2, 1)):
        _, x[k], failed[k] = dposv(matrix, x[k], overwrite_a=True)
    pivots = M.diagonal(axis1=1, axis2=2)
    if any(failed) or not pivots.min(initial=1.0) ** 2 > _SINGULAR:
        for k, (bad, least) in enumerate(zip(failed, pivots.min(axis=1), strict=True)):
            if bad or not least**2 > _SINGULAR:
                x[k] = _solve_by_eigenvalues(A[k] * (units[k] * scale[k]), b[k] * units[k])
    x *= units
    return x


def floored_cholesky(covariance: Floats, low: float, unit: Any = 1.0) -> Floats:
    """Cholesky factors of covariances whose eigenvalues are raised to a floor.

    Raising eigenvalues to a lower bound is the maximiser of the Gaussian likelihood under that
    bound. Diagonal covariances stay diagonal to the last digit.

    Parameters
    ----------
    covariance : ndarray of shape (..., d, d)
    low : float
        The floor, > 0.
    unit : ndarray of shape (d,), default=1.0
        Units in which eigenvalues are taken, so that the floor follows those of each output.
    """
    unit = np.broadcast_to(unit, covariance.shape[-1])
    scaled = covariance / (unit[:, None] * unit[None, :])
    values, vectors = np.linalg.eigh(scaled)
    if values.min() < low:
        values = np.maximum(values, low)
        raised = (vectors * values[..., None, :]) @ np.swapaxes(vectors, -1, -2)
        apart = (scaled == scaled * np.eye(len(unit))).all()
        scaled = raised * np.eye(len(unit)) if apart else raised
    try:
        chol = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        chol = _factor_of(values, vectors)
    return chol * unit[:, None]


def _factor_of(values: Floats, vectors: Floats) -> Floats:
    """Cholesky factors from eigenvalues so far apart that their sum has lost the small ones."""
    roots = np.sqrt(values)[..., :, None] * np.swapaxes(vectors, -1, -2)
    R = np.linalg.qr(roots, mode="r")
    signs = np.where(np.diagonal(R, axis1=-2, axis2=-1) < 0.0, -1.0, 1.0)
    return np.tril(np.swapaxes(signs[..., :, None] * R, -1, -2))


def choose(weights: Floats, rng: np.random.Generator) -> Ints:
    """One of K a column, with the probabilities in the columns of ``weights`` (K, n)."""
    below = np.cumsum(weights, axis=0)
    u = rng.random(weights.shape[1]) * below[-1]
    return np.minimum((u >= below).sum(axis=0), len(weights) - 1)
