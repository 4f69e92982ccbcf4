"""Proof without a linear programme that no direction separates the classes of a softmax.

With any probabilities p > 0 the gaps of a direction d, how far the class of each row n leads each
other class b, satisfy

::

    sum p_nb gap_nb(d) = d . score,    sum p_nb gap_nb(d)^2 >= d' H d

with score and information H of a multinomial regression at p. Near its maximum the score is next to
nothing while H is not: some gaps are then negative, whatever d. With least eigenvalue mu of H,
gaps of at most G and d of size one the least gap is at most

::

    -(mu / G - |score|_1) / (2 sum p)

This is the theorem of Stiemke for the programme of separation: the fit exists or the direction does
(Albert & Anderson 1984, On the existence of maximum likelihood estimates in logistic regression
models). Newton's method finds the maximum, if there is one, in a few steps on few rows; where there
is none since all rows are told apart, it soon comes upon coefficients that do it.
"""

from __future__ import annotations

import numpy as np

from moe_classic._typing import Floats, Ints

#: Newton steps, and halvings of each, after which the proof is left to the programme.
_STEPS, _HALVINGS = 12, 4


def overlapping(Z: Floats, labels: Ints, count: int, tie: float) -> tuple[bool, Floats | None]:
    """Whether it is proved that no direction tells the classes apart, or else one that does.

    Parameters
    ----------
    Z : (q, n) design, every row of it at most 1 in size
    labels : (n,) classes; with one that no row has there is no proof
    count : number of classes C
    tie : gap that is none, of directions (C - 1, q) in the box [-1, 1]

    Returns
    -------
    proved : bool
    direction : ndarray of shape (C - 1, q), or None
        Coefficients under which the class of every row leads, where the fit came upon some.
    """
    if np.unique(labels).size < count:
        return False, None
    if count == 1:
        return True, None
    own = np.zeros((count, labels.size))
    own[labels, np.arange(labels.size)] = 1.0
    coef = np.zeros((count - 1, len(Z)))
    height, P = _fitted(coef, Z, labels)
    for _ in range(_STEPS):
        score = ((own - P)[:-1] @ Z.T).ravel()
        H = _information(P, Z)
        if _proved(Z, H, score, float((P * (1.0 - own)).sum()), tie):
            return True, None
        if told_apart(coef, Z, labels, tie):
            return False, coef
        try:
            step = np.linalg.solve(H, score).reshape(coef.shape)
        except np.linalg.LinAlgError:
            return False, None
        for _ in range(_HALVINGS):
            new = _fitted(coef + step, Z, labels)
            if new[0] > height:
                break
            step = 0.5 * step
        else:
            return False, None
        coef, (height, P) = coef + step, new
    return False, None


def gaps(d: Floats, Z: Floats, labels: Ints) -> Floats:
    """How far the class of each row leads each other class, (C, n)."""
    scores = np.vstack([d @ Z, np.zeros(Z.shape[1])])
    return scores[labels, np.arange(labels.size)] - scores


def told_apart(coef: Floats, Z: Floats, labels: Ints, tie: float) -> bool:
    """Whether the class of every row leads all others, with coefficients in the unit box."""
    size = float(np.abs(coef).max(initial=0.0))
    if size == 0.0:
        return False
    lead = gaps(coef / size, Z, labels)
    lead[labels, np.arange(labels.size)] = np.inf
    return bool(lead.min() > tie)


def _fitted(coef: Floats, Z: Floats, labels: Ints) -> tuple[float, Floats]:
    """Log-likelihood and probabilities (C, n) of a multinomial regression."""
    eta = np.vstack([coef @ Z, np.zeros(Z.shape[1])])
    eta -= eta.max(axis=0)
    P = np.exp(eta)
    total = P.sum(axis=0)
    height = float((eta[labels, np.arange(labels.size)] - np.log(total)).sum())
    return height, P / total


def _information(P: Floats, Z: Floats) -> Floats:
    """Information ((C - 1) q, (C - 1) q) of the coefficients."""
    lines, q = len(P) - 1, len(Z)
    H = np.empty((lines, q, lines, q))
    for a in range(lines):
        for b in range(a + 1):
            H[a, :, b] = (Z * (P[a] * (float(a == b) - P[b]))) @ Z.T
            H[b, :, a] = H[a, :, b].T
    return H.reshape(lines * q, lines * q)


def _proved(Z: Floats, H: Floats, score: Floats, others: float, tie: float) -> bool:
    """Whether every direction of size one has a gap below ``-tie``."""
    largest = 2.0 * np.abs(Z).sum(axis=0).max()
    left = float(np.linalg.eigvalsh(H)[0]) / largest - np.abs(score).sum()
    return bool(left > 2.0 * tie * others)
