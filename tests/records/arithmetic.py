"""A fingerprint of the arithmetic: the bits of functions and matrix products, and versions.

numpy and OpenBLAS choose their kernels by the processor; two kernels agree to the last digit or
two, and a fit carries that further. Where the fingerprints agree, so do the bits of all fits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import scipy
import sklearn
from scipy import linalg, special
from threadpoolctl import threadpool_limits


def _functions() -> Iterator[np.ndarray]:
    """Elementary functions and sums on a grid."""
    x = np.linspace(-30.0, 30.0, 2003)
    yield from (np.exp(x), np.log(np.abs(x) + 1e-3), np.log1p(np.exp(-np.abs(x))), np.tanh(x))
    yield from (np.sqrt(np.abs(x)), x.cumsum(), np.add.reduce(x.reshape(-1, 1), axis=0))
    yield from (special.gammaln(x + 31.0), special.ndtr(x), special.digamma(x + 31.0))


def _products() -> Iterator[np.ndarray]:
    """Products and factors of small matrices."""
    for m, n in ((3, 50), (8, 120), (20, 400)):
        A = np.sin(np.arange(m * n, dtype=np.float64)).reshape(m, n)
        S = A @ A.T + np.eye(m)
        yield from (S, A @ np.cos(np.arange(n)), A.T @ A[:, 0], np.linalg.cholesky(S))
        yield from (np.linalg.solve(S, A[:, :2]), linalg.eigh(S)[0], linalg.svd(A)[1])
        yield np.einsum("kn,jn->kj", A, A)


def _hash(arrays: Iterator[np.ndarray]) -> str:
    """The bits of arrays in sixteen letters."""
    found = hashlib.sha256()
    for a in arrays:
        found.update(np.ascontiguousarray(a).tobytes())
    return found.hexdigest()[:16]


def fingerprint() -> dict[str, str]:
    """What must agree for results to agree to the last digits."""
    with threadpool_limits(1):
        bits = {"functions": _hash(_functions()), "products": _hash(_products())}
    return bits | {m.__name__: m.__version__ for m in (np, scipy, sklearn)}
