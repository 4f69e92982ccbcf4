"""The quadratic problem of one step under a penalty with kinks, solved exactly.

::

    minimise   1/2 d' A d - g' d + sum_G c_G |x_G|,   x = x_0 + d,   |.| the Euclidean norm

Groups of one coordinate are the lasso: active sets with signs, each of which is solved by one
linear system and left at the first coordinate that reaches zero, as in Lee, Battle, Raina & Ng
(2007), Efficient sparse coding algorithms, NIPS 19. Larger groups: block coordinate descent with
each block solved to the last digit, Newton's method on the groups that are in (Yuan & Lin 2006;
Qin, Scheinberg & Goldfarb 2013, Efficient block-coordinate descent algorithms for the group lasso).
Every step lowers the objective, whatever the start, and zeros are exact.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from moe_classic._numerics import solve_psd
from moe_classic._typing import Floats, Ints

#: Curvature, relative to the largest, that is added where the active set is singular.
_JITTER = 1e-11
#: Violation of the optimality conditions, relative to their size, that is rounding.
_EXACT = 1e-12
#: What products of curvatures and coordinates have lost to rounding, relative to their size.
_ROUNDED = 16.0 * float(np.finfo(float).eps)
_MOST = 1000
#: Curvature up to which a group is one that curves nowhere, and stays out.
_NO_CURVATURE = 1e-150
#: Dampings of a step of Newton's method, relative to the curvature: the first that lowers counts.
_DAMPINGS = (0.0, *10.0 ** np.arange(-10.0, 1.0))


def lasso_step(A: Floats, g: Floats, x0: Floats, cost: Floats) -> Floats:
    """The minimiser x (N,) for groups of one; coordinates of cost 0 are free.

    Parameters
    ----------
    A : ndarray of shape (N, N)
        Positive semidefinite.
    g, x0 : ndarray of shape (N,)
        Score at ``x0``, and where that is.
    cost : ndarray of shape (N,)
        Strengths; infinite ones hold a coordinate at zero.
    """
    never, diagonal = np.isinf(cost), np.maximum(A.diagonal(), 0.0)
    x = np.where(never, 0.0, x0)
    score = g - A @ (x - x0)
    cost = np.where(never, 0.0, cost)
    free = (cost == 0.0) & ~never
    tol = _EXACT * (1.0 + np.abs(g).max(initial=0.0))
    A = A + np.diag(np.full(len(g), _JITTER * diagonal.max(initial=0.0) + np.finfo(float).tiny))
    base = score + A @ x
    for _ in range(_MOST):
        active = np.flatnonzero(free | (x != 0.0))
        x = _face(A, base, x, cost, active)
        score = base - A @ x
        excess = np.where((x == 0.0) & ~free & ~never, np.abs(score) - cost, 0.0)
        if excess.max(initial=0.0) <= tol:
            break
        # The worst come in, each to its own minimum, which lowers the objective together with
        # what follows; one that curves nowhere stays out.
        for j in np.argsort(-excess)[: max(1, int((excess > tol).sum()) // 2)]:
            s = base[j] - A[j] @ x
            if abs(s) > cost[j] and diagonal[j] > 0.0:
                x[j] = np.sign(s) * (abs(s) - cost[j]) / A[j, j]
    return x


def _face(A: Floats, base: Floats, x: Floats, cost: Floats, active: Ints) -> Floats:
    """The minimiser with the signs that ``x`` has, coordinates that would change them let go."""
    x = x.copy()
    while active.size:
        sign = np.sign(x[active]) * (cost[active] > 0.0)
        target = base[active] - cost[active] * sign
        aim = solve_psd(A[np.ix_(active, active)][None], target[None, :, None])[0, :, 0]
        crossing = (sign != 0.0) & (aim * sign <= 0.0)
        if not crossing.any():
            x[active] = aim
            return x
        now = x[active]
        share = np.full(len(now), np.inf)
        share[crossing] = now[crossing] / (now[crossing] - aim[crossing])
        first = float(share.min())
        moved = now + first * (aim - now)
        moved[share <= first] = 0.0
        x[active] = moved
        active = active[share > first]
    return x


def group_step(A: Floats, g: Floats, x0: Floats, cost: Floats, groups: list[Ints]) -> Floats:
    """The minimiser x (N,) for groups of coordinates with one strength each.

    ``cost`` has one number a group; coordinates in no group are free.
    """
    N = len(g)
    A = A + np.diag(np.full(N, _JITTER * A.diagonal().max(initial=0.0) + np.finfo(float).tiny))
    free = np.setdiff1d(np.arange(N), np.concatenate([*groups, np.empty(0, dtype=np.intp)]))
    spectra = [eigh(A[np.ix_(G, G)]) for G in groups]
    x, base, size = x0.copy(), g + A @ x0, np.abs(A)
    tol = _EXACT * (1.0 + np.abs(g).max(initial=0.0))
    for _ in range(_MOST):
        before = x.copy()
        x[free] += _solved(A, base - A @ x, free)
        for G, c, spectrum in zip(groups, cost, spectra, strict=True):
            pull = base[G] - A[G] @ x + A[np.ix_(G, G)] @ x[G]
            x[G] = _block(spectrum, pull, c)
        x = _newton(A, base, x, cost, groups, free)
        if (np.abs(A @ (x - before)) <= tol + _ROUNDED * (size @ np.abs(x))).all():
            break
    return x


def _block(spectrum: tuple[Floats, Floats], pull: Floats, cost: float) -> Floats:
    """Minimiser of ``1/2 x' B x - pull' x + cost |x|`` from the eigenvalues of B."""
    values, vectors = spectrum
    if not (np.linalg.norm(pull) > cost and values[-1] > _NO_CURVATURE):
        return np.zeros_like(pull)
    p = vectors.T @ pull
    if cost == 0.0:
        return np.asarray(vectors @ (p / values))
    # |x| = r with x = (B + cost / r)^-1 pull: the norm of p / (values r + cost) is 1. One over that
    # norm is concave in r, almost a line: Newton's method from the left never overshoots.
    r = 0.0
    for _ in range(_MOST):
        d = values * r + cost
        squares = (p / d) ** 2
        total = float(squares.sum())
        step = total * (np.sqrt(total) - 1.0) / float((values * squares / d).sum())
        r += step
        if not step > 1e-16 * r:
            break
    return np.asarray(vectors @ (p * r / (values * r + cost)))


def _newton(
    A: Floats, base: Floats, x: Floats, cost: Floats, groups: list[Ints], free: Ints
) -> Floats:
    """One step of Newton's method on the groups that are in, where it lowers the objective."""
    inside = [(G, c) for G, c in zip(groups, cost, strict=True) if x[G].any()]
    active = np.concatenate([free, *(G for G, _ in inside)]).astype(np.intp)
    H, slope = A.copy(), base - A @ x
    for G, c in inside:
        r = float(np.linalg.norm(x[G]))
        unit = x[G] / r
        slope[G] -= c * unit
        H[np.ix_(G, G)] += c / r * (np.eye(len(G)) - np.outer(unit, unit))

    def value(z: Floats) -> float:
        norms = sum(c * float(np.linalg.norm(z[G])) for G, c in inside)
        return 0.5 * float(z @ A @ z) - float(base @ z) + norms

    # Along the valley between two columns that are one the whole step may carry a group past zero;
    # damped, it still goes all the way across.
    now, size = value(x), np.diag(H)
    for damping in _DAMPINGS:
        new = x.copy()
        new[active] += _solved(H + np.diag(damping * size), slope, active)
        if value(new) < now:
            return new
    return x


def _solved(A: Floats, b: Floats, at: Ints) -> Floats:
    """What some coordinates are where ``A x = b`` and the others are zero."""
    if not at.size:
        return np.zeros(0)
    return np.asarray(solve_psd(A[np.ix_(at, at)][None], b[at][None, :, None])[0, :, 0])
