"""Multinomial logit algebra shared by the softmax gate and the multinomial expert.

Coefficients are relative to the last class; the penalty acts on coefficients centred over classes,
so that no class is special::

    penalty = pull / 2 sum_c |v_c - mean v|^2 over slopes,   v_last = 0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moe_classic._data import Stats
from moe_classic._numerics import (
    empty,
    exp_into,
    frame,
    ring_of,
    ring_pairs,
    ring_products,
    solve_psd,
    unpack_symmetric,
)
from moe_classic._typing import Floats
from moe_classic.penalties import centring, coupling

#: Largest Newton system worth its Gram matrices; beyond, the bound of Bohning (1992) serves.
#: An expert has K such systems, a gate one.
EXPERT_LIMIT = 300
GATE_LIMIT = 1200
#: Largest change of a coefficient, in standardised units, in one step: where regions separate,
#: the curvature vanishes and an unguarded Newton step leaves the range of the exponential.
MAX_STEP = 8.0
#: Rows up to which several logits are gone over in few calls of numpy, with copies.
_FEW = 2000
#: A sum of exponentials below this has not overflowed.
_HUGE = 1e280


def wide_from(n_classes: int) -> int:
    """Width from which the Newton system of one of several experts is too large."""
    return EXPERT_LIMIT // (n_classes - 1) + 1


@dataclass(frozen=True)
class LogitStats(Stats):
    """Packed Grams, and scores of all classes (..., C, q)."""

    gram: Floats
    score: Floats


@dataclass(frozen=True)
class ClassStats(LogitStats):
    """The same for a group of experts, with the mass of each (K,)."""

    mass: Floats


def normalise(logits: Floats) -> Floats:
    """Turn logits (..., C, n), the last 0, into log probabilities; return the probabilities.

    A sum with a last term of 1 cannot vanish: only overflow asks for a shift.
    """
    p = empty(logits.shape)
    with frame():
        mass = empty((*logits.shape[:-2], 1, logits.shape[-1]))
        with np.errstate(over="ignore"):
            np.add.reduce(exp_into(logits, p), axis=-2, keepdims=True, out=mass)
        if not mass.max(initial=1.0) < _HUGE:
            logits -= logits.max(axis=-2, keepdims=True)
            np.add.reduce(exp_into(logits, p), axis=-2, keepdims=True, out=mass)
        p *= np.reciprocal(mass, out=empty(mass.shape))
        logits -= np.log(mass, out=mass)
    return p


def curvature_rows(P: Floats, mass: Floats) -> Floats:
    """Rows ``mass P_a P_b`` for pairs of classes, (C (C - 1) / 2, n); ``P`` is (C, n).

    They make up the curvature ``mass P_a (1[a = b] - P_b)``: what a class has on the diagonal is
    the sum of its pairs with all others. In the order of
    :func:`~moe_classic._numerics.linalg.ring_pairs`.
    """
    C, n = P.shape
    return _pair_rows(P, mass, empty((C * (C - 1) // 2, n)))


def _pair_rows(P: Floats, mass: Floats, out: Floats) -> Floats:
    """Rows of :func:`curvature_rows` in ``out``."""
    C, n = P.shape

    def weigh(rows: Floats, out: Floats) -> Floats:
        return np.multiply(rows, mass, out=out)

    with frame():
        ring = ring_of(P, empty((C + C // 2, n)), weigh)
        return ring_products(P, ring, out, nearest=1)


def curvatures(P: Floats, mass: Floats) -> Floats:
    """Rows of :func:`curvature_rows` of m logits, one after another, (m C (C - 1) / 2, n).

    ``P`` is (m, C, n), ``mass`` (m, n) or (n,).
    """
    m, C, n = P.shape
    pairs = C * (C - 1) // 2
    mass = np.broadcast_to(mass, (m, n))
    out = empty((m * pairs, n))
    if C == 2:
        np.multiply(P[:, 0], P[:, 1], out=out)
        return np.multiply(out, mass, out=out)
    if m > 1 and n <= _FEW:
        # Copies of short rows cost less than calls.
        first, second = ring_pairs(C)
        products = np.multiply(P[:, first], P[:, second], out=out.reshape(m, pairs, n))
        products *= mass[:, None]
        return out
    for one, weight, rows in zip(P, mass, out.reshape(m, pairs, n), strict=True):
        _pair_rows(one, weight, rows)
    return out


def assemble(gram: Floats, m: int, q: int) -> Floats:
    """Full matrices (..., m q, m q) from packed Grams (..., pairs, q (q + 1) / 2) of m + 1 classes.

    The last class is the reference: it has no rows of its own.
    """
    if m == 1:
        return unpack_symmetric(gram[..., 0, :], q)
    a, b = ring_pairs(m + 1)
    pairs = np.zeros((*gram.shape[:-2], m + 1, m + 1, gram.shape[-1]))
    pairs[..., a, b, :] = pairs[..., b, a, :] = gram
    own = np.arange(m)
    full = -pairs[..., :m, :m, :]
    full[..., own, own, :] = pairs[..., :m, :, :].sum(axis=-2)
    blocks = unpack_symmetric(full, q).swapaxes(-3, -2)
    return blocks.reshape(*gram.shape[:-2], m * q, m * q)


def logit_curvature(gram: Floats, coef: Floats, rule: str) -> Floats:
    """The curvature (m q, m q) that a step uses, or a bound on it: of Newton, blocks or Bohning."""
    m, q = coef.shape
    if rule == "newton":
        return assemble(gram, m, q)
    if rule == "bound":
        return np.asarray(np.kron(0.5 * centring(m), unpack_symmetric(gram[0], q)), np.float64)
    own = 2.0 * unpack_symmetric(gram, q)
    out: Floats = np.tile(own[-1], (m, m))
    for c, block in enumerate(own[:-1]):
        out[c * q : (c + 1) * q, c * q : (c + 1) * q] += block
    return out


def newton_step(coef: Floats, gram: Floats, score: Floats, pull: float) -> Floats:
    """Full Newton steps for coefficients (..., C - 1, q); ``score`` is (..., C, q)."""
    *lead, m, q = coef.shape
    H = assemble(gram, m, q)
    g = score[..., :m, :].copy()
    if pull > 0.0:
        H += pull * coupling(m, q)
        g[..., :-1] -= pull * (centring(m) @ coef[..., :-1])
    return solve_psd(H.reshape(-1, m * q, m * q), g.reshape(-1, m * q, 1)).reshape(*lead, m, q)


def limited(delta: Floats) -> Floats:
    """Steps (..., m, q) of several systems, each shortened to the largest change that is safe."""
    largest = np.abs(delta).max(axis=(-2, -1), keepdims=True)
    delta *= np.minimum(1.0, MAX_STEP / np.maximum(largest, MAX_STEP))
    return delta


def bohning_step(coef: Floats, gram: Floats, score: Floats, pull: float) -> Floats:
    """Step under the curvature bound ``(I - 1 1' / C) / 2 kron Gram``; never overshoots.

    In centred coordinates the bound is half the Gram for every class, so that one small system
    serves all of them.
    """
    q = coef.shape[1]
    full = np.vstack([coef, np.zeros(q)])
    slopes = np.r_[np.full(q - 1, pull), 0.0]
    g = score - (full - full.mean(axis=0)) * slopes
    A = 0.5 * unpack_symmetric(gram[0], q) + np.diag(slopes)
    delta = solve_psd(A[None], g.T[None])[0].T
    return (delta - delta[-1])[:-1]


def block_rows(P: Floats, mass: Floats) -> Floats:
    """Rows ``mass P_c (1 - P_c)``, (C, n)."""
    out = np.subtract(1.0, P, out=empty(P.shape))
    out *= P
    out *= mass
    return out


def block_step(coef: Floats, gram: Floats, score: Floats, pull: float) -> Floats:
    """Step under the bound ``diag(P) - P P' <= 2 diag(P (1 - P))``: one small system a class.

    The bound is Gershgorin's: each row of the left side has an off-diagonal sum equal to its
    diagonal. It keeps the curvature of each class where Bohning's keeps none of it, at a cost
    linear in their number; with two classes it is Newton's step.
    """
    q = coef.shape[1]
    full = np.vstack([coef, np.zeros(q)])
    slopes = np.r_[np.full(q - 1, pull), 0.0]
    g = score - (full - full.mean(axis=0)) * slopes
    A = 2.0 * unpack_symmetric(gram, q) + np.diag(slopes)
    delta = solve_psd(A, g[:, :, None])[:, :, 0]
    return (delta - delta[-1])[:-1]


def moved_score_blocks(gram: Floats, delta: Floats) -> Floats:
    """Change of the scores (C, q) that the block curvature predicts for a step (C - 1, q)."""
    full = np.vstack([delta, np.zeros(delta.shape[1])])
    centred = full - full.mean(axis=0)
    return 2.0 * np.einsum("cij,cj->ci", unpack_symmetric(gram, delta.shape[1]), centred)


def moved_score(gram: Floats, delta: Floats, *, bound: bool) -> Floats:
    """Change of the scores (C, q) that curvature predicts for a step ``delta`` (C - 1, q)."""
    m, q = delta.shape
    if bound:
        full = np.vstack([delta, np.zeros(q)])
        return 0.5 * (full - full.mean(axis=0)) @ unpack_symmetric(gram[0], q)
    moved = (assemble(gram, m, q) @ delta.ravel()).reshape(m, q)
    return np.vstack([moved, -moved.sum(axis=0)])
