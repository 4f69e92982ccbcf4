"""Directions of recession: those along which a softmax tells classes apart ever more surely.

Solutions of linear programmes on few rows, to which those that violate them are added; a proof that
classes overlap saves them. See ``separation``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr
from scipy.optimize import Bounds, LinearConstraint, milp

from moe_classic._typing import Bools, Floats, Ints

from .overlap import gaps, overlapping, told_apart

#: Rows that a linear programme begins with, and those added at a time, each the most at once.
_FIRST, _MORE = 400, 1000
#: Rows on which classes are proved to overlap.
_PROOF = 1000
#: Rounds of adding rows, and of following a direction into the rows that are left.
_ROUNDS, _LAYERS = 20, 10
#: Differences of scores, of coefficients in [-1, 1] and features of size 1, that are none.
TIE = 1e-6
#: Pairs up to which a programme is solved sooner than it is made smaller.
_PLAIN = 2000
#: Variables beyond which only the fitted direction is tried, and seconds a programme may take.
MOST_VARIABLES, _SECONDS = 300, 1.0
#: Share of the largest eigenvalue at which the rows that are left leave a direction open.
_OPEN = 1e-9


@dataclass(frozen=True)
class Separation:
    """Lines of one softmax that the data do not determine since they are separated.

    Attributes
    ----------
    component : 0 for the gate, 1 and up for the groups of experts
    first, lines : first of its rows of coefficients, and how many
    directions : ndarray of shape (lines * q, r)
        Orthonormal; along them the coefficients are infinite, or set by the penalty.
    complete : whether no row is left undecided
    """

    component: int
    first: int
    lines: int
    directions: Floats
    complete: bool


@dataclass(frozen=True)
class Softmax:
    """One softmax of the model on some rows: its fitted lines, design (q, n), classes (n,)."""

    component: int
    first: int
    coef: Floats
    Z: Floats
    labels: Ints

    @property
    def count(self) -> int:
        """Number of classes C."""
        return len(self.coef) + 1

    @property
    def place(self) -> tuple[int, int]:
        """Component and first row of coefficients."""
        return self.component, self.first


def recession(problem: Softmax, null: Floats) -> tuple[Floats, Separation] | None:
    """A direction (C - 1, q) of recession, if any, and all that is open in the limit."""
    Z, labels, C = problem.Z, problem.labels, problem.count
    q, n = Z.shape
    if n == 0:
        return None
    Z, size = _normalised(Z)
    left = np.ones((C, n), dtype=bool)
    left[labels, np.arange(n)] = False
    first = _in_unit_box(problem.coef * size, Z, labels)
    mixed = False
    if first is None:
        if (C - 1) * q > MOST_VARIABLES:
            return None
        mixed, first = _without_programme(problem, Z)
    left &= first is None
    for _ in range(_LAYERS):
        if not left.any() or (mixed and first is not None):
            break
        d = _without_rows(labels, C, q) if mixed else _direction(Z, labels, left)
        if d is None:
            break
        left &= np.abs(gaps(d, Z, labels)) <= TIE
        if first is None:
            # Rows with equality are to have it to the last digit.
            open_ = _open_directions(Z, labels, left, C)
            first = (open_ @ (open_.T @ d.ravel())).reshape(d.shape)
    if first is None:
        return None
    unit = np.tile(size, C - 1)
    if left.any():
        open_ = _open_directions(Z, labels, left, C)
        found = np.linalg.qr(open_ / unit[:, None])[0]
        known = np.kron(np.eye(C - 1), null)
        U, values, _ = np.linalg.svd(found - known @ (known.T @ found), full_matrices=False)
        directions = np.asarray(U[:, values > TIE])
    else:
        # All that the rows know of; for a thousand coefficients decompositions take seconds.
        directions = np.asarray(np.kron(np.eye(C - 1), _complement(null)))
    result = Separation(problem.component, problem.first, C - 1, directions, not left.any())
    return first / unit.reshape(C - 1, q), result


def _complement(null: Floats) -> Floats:
    """Orthonormal directions (q, q - r) across orthonormal ones (q, r)."""
    q, r = null.shape
    return np.asarray(np.linalg.qr(null, mode="complete")[0][:, r:]) if r else np.eye(q)


def _normalised(Z: Floats) -> tuple[Floats, Floats]:
    """A design whose features are at most 1 in size, and the sizes (q,) that they had."""
    size = np.abs(Z).max(axis=1, initial=0.0)
    size = np.where(size > 0.0, size, 1.0)
    return Z / size[:, None], size


def are_mixed(problem: Softmax) -> bool:
    """Whether few rows prove the classes that have any to be mixed.

    The rows are those that fit worst, and others.
    """
    return _looked_at(problem)[0]


def _without_programme(problem: Softmax, Z: Floats) -> tuple[bool, Floats | None]:
    """Whether classes are proved to be mixed, or a direction that tells all rows of ``Z`` apart."""
    mixed, found = _looked_at(problem)
    return mixed, None if found is None else _in_unit_box(found, Z, problem.labels)


def _looked_at(problem: Softmax) -> tuple[bool, Floats | None]:
    """The same, and coefficients (C - 1, q) that tell those rows apart, of features of size 1."""
    C, (q, n) = problem.count, problem.Z.shape
    if n == 0 or (C - 1) * q > MOST_VARIABLES:
        return False, None
    Z, size = _normalised(problem.Z)
    labels, rows = problem.labels, np.arange(n)
    if n > _PROOF:
        lead = np.partition(gaps(problem.coef * size, Z, labels), 1, axis=0)
        worst = np.argsort(np.minimum(lead[0], lead[1]), kind="stable")[: _PROOF // 2]
        rows = np.union1d(worst, rows[:: max(1, n // (_PROOF // 2))])
    present, labels = np.unique(labels, return_inverse=True)
    mixed, found = overlapping(Z[:, rows], labels[rows], present.size, TIE)
    return mixed, found if present.size == C else None


def _without_rows(labels: Ints, C: int, q: int) -> Floats | None:
    """The direction (C - 1, q) in which classes that no row has vanish everywhere, or None."""
    there = np.bincount(labels, minlength=C) > 0
    if there.all():
        return None
    d = np.zeros((C, q))
    d[there, -1] = 0.5
    d[~there, -1] = -0.5
    return d[:-1] - d[-1]


def _in_unit_box(coef: Floats, Z: Floats, labels: Ints) -> Floats | None:
    """Coefficients in the unit box, if they tell all rows apart as they stand."""
    apart = told_apart(coef, Z, labels, TIE)
    return coef / float(np.abs(coef).max()) if apart else None


def _direction(Z: Floats, labels: Ints, left: Bools) -> Floats | None:
    """A direction of recession (C - 1, q) of the pairs (class, row) that are left, or None."""
    some = np.flatnonzero(left.any(axis=0))
    if not some.size:
        return None
    chosen = _first_rows(Z, labels, some)
    for _ in range(_ROUNDS):
        d = _programme(Z[:, chosen], labels[chosen], left[:, chosen])
        if d is None:
            return None
        lead = np.where(left, gaps(d, Z, labels), 0.0)
        worst = lead.min(axis=0)
        bad = np.flatnonzero(worst < -TIE)
        if not bad.size:
            return d if lead.max() > 10.0 * TIE else None
        more = bad[np.argsort(worst[bad], kind="stable")[:_MORE]]
        chosen = np.union1d(chosen, more)
    return None


def _first_rows(Z: Floats, labels: Ints, some: Ints) -> Ints:
    """A few rows, among them as many independent ones of each class as there are."""
    step = max(1, some.size // _FIRST)
    rows = [some[::step]]
    for c in np.unique(labels[some]):
        mine = some[labels[some] == c]
        pivots = qr(Z[:, mine], mode="r", pivoting=True)[1]
        rows.append(mine[pivots[: len(Z)]])
    return np.unique(np.concatenate(rows))


def _programme(Z: Floats, labels: Ints, left: Bools) -> Floats | None:
    """The direction in the unit box by which classes lead most in all; None if they cannot."""
    C, q = len(left), len(Z)
    c, i = np.nonzero(left)
    A = np.zeros((c.size, C, q))
    pair = np.arange(c.size)
    A[pair, labels[i]] += Z[:, i].T
    A[pair, c] -= Z[:, i].T
    normals = A[:, :-1].reshape(c.size, -1)
    # Without an integer it is a linear programme, with less ado than ``linprog`` makes of one.
    found = milp(
        -normals.mean(axis=0),
        constraints=LinearConstraint(normals, 0.0, np.inf),
        bounds=Bounds(-1.0, 1.0),
        options={"time_limit": _SECONDS, "presolve": c.size > _PLAIN},
    )
    if found.status != 0 or -found.fun <= TIE / c.size:
        return None
    return np.asarray(found.x, dtype=np.float64).reshape(C - 1, q)


def _open_directions(Z: Floats, labels: Ints, left: Bools, C: int) -> Floats:
    """Directions ((C - 1) q, r) about which the pairs that are left say nothing."""
    q = len(Z)
    H = np.zeros((C, q, C, q))
    for a in range(C):
        for b in range(C):
            rows = left[b] & (labels == a)
            if a == b or not rows.any():
                continue
            gram = Z[:, rows] @ Z[:, rows].T
            H[a, :, a] += gram
            H[b, :, b] += gram
            H[a, :, b] -= gram
            H[b, :, a] -= gram
    flat = H[:-1, :, :-1].reshape((C - 1) * q, (C - 1) * q)
    values, vectors = np.linalg.eigh(flat)
    return vectors[:, values <= _OPEN * max(values[-1], 1e-300)]
