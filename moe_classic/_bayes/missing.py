"""What not knowing which expert a row belongs to adds to the uncertainty of all parameters.

::

    V  covariance under q, as if responsibilities were known
    M = sum_n w_n Cov(s_n(z_n)),   s_n(k) score of row n if it belongs to expert k,  z_n ~ r_n
    covariance told = V^1/2 (I - V^1/2 M V^1/2)^-1 V^1/2

A product of independent factors takes the responsibilities for certain when it says how well the
coefficients are known, so that V is too small where experts overlap. The information that is
missing is that of the labels (Louis 1982, Finding the observed information matrix when using the EM
algorithm, Journal of the Royal Statistical Society B 44; Dempster, Laird & Rubin 1977, section 4);
putting it back is the linear response of Giordano, Broderick & Jordan (2018), Covariances,
robustness and variational Bayes, Journal of Machine Learning Research 19. With one expert, or
experts apart, nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moe_classic._typing import Floats

#: Largest fraction of the information that may be missing: what is less known than that is not
#: known by a normal approximation.
_MOST_MISSING = 0.98
#: Rows whose scores are formed at a time.
_ROWS = 4096


@dataclass(frozen=True)
class Scores:
    """Scores of rows that are multiples of their features.

    Attributes
    ----------
    factor : ndarray of shape (K, m, n)
        Score of row n under expert k in its m-th line is ``factor * Z``.
    Z : ndarray of shape (q, n)
    cov : ndarray of shape (K, m q, K, m q)
        Covariances of these parameters if labels were known.
    """

    factor: Floats
    Z: Floats
    cov: Floats

    @property
    def size(self) -> int:
        """Parameters an expert."""
        return int(self.factor.shape[1] * len(self.Z))

    def at(self, rows: slice) -> Floats:
        """Scores of some rows, (K, r, m q)."""
        f, Z = self.factor[:, :, rows], self.Z[:, rows]
        return np.einsum("kmn,qn->knmq", f, Z).reshape(len(f), Z.shape[1], -1)


def with_missing_labels(parts: Sequence[Scores], R: Floats, w: Floats) -> Floats:
    """Covariance (K, P, K, P) of all parts side by side, that of the labels included."""
    K, P = len(R), sum(part.size for part in parts)
    V = np.zeros((K, P, K, P))
    for part, place in zip(parts, _places(parts), strict=True):
        V[:, place, :, place] = part.cov
    if K == 1:
        return V
    M = _missing(parts, R, w, P).reshape(K * P, K * P)
    return _responded(V.reshape(K * P, K * P), M).reshape(K, P, K, P)


def blocks(cov: Floats, parts: Sequence[Scores]) -> list[Floats]:
    """Covariances (K, m q, K, m q) of each part, from that of all."""
    return [np.array(cov[:, place, :, place]) for place in _places(parts)]


def _places(parts: Sequence[Scores]) -> list[slice]:
    """Where the parameters of each part stand."""
    stops = np.cumsum([part.size for part in parts]).tolist()
    return [slice(stop - part.size, stop) for stop, part in zip(stops, parts, strict=True)]


def _missing(parts: Sequence[Scores], R: Floats, w: Floats, P: int) -> Floats:
    """Information that is missing, (K, P, K, P)."""
    K, n = R.shape
    M = np.zeros((K, P, K, P))
    for start in range(0, n, _ROWS):
        rows = slice(start, start + _ROWS)
        G = np.concatenate([part.at(rows) for part in parts], axis=2)
        S = (w[rows] * R[:, rows])[:, :, None] * G
        for k in range(K):
            M[k, :, k] += S[k].T @ G[k]
        flat = np.moveaxis(R[:, rows, None] * G, 0, 1).reshape(-1, K * P)
        M -= ((w[rows, None] * flat).T @ flat).reshape(K, P, K, P)
    return M


def _responded(V: Floats, M: Floats) -> Floats:
    """``(V^-1 - M)^-1`` for a V that may be singular."""
    values, vectors = np.linalg.eigh(V)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    share, axes = np.linalg.eigh(root.T @ M @ root)
    left = 1.0 - np.clip(share, 0.0, _MOST_MISSING)
    spread = root @ axes
    return np.asarray((spread / left) @ spread.T, dtype=np.float64)
