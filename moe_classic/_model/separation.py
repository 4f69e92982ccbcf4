"""Separation: classes, or experts under a gate, that a linear rule tells apart without error.

Where a direction d of the coefficients of a softmax has, for every row z with class c,

::

    (d_c - d_b) . z >= 0   for all classes b,   and > 0 for some row,

the likelihood rises for ever along it: the estimates are infinite, or what a penalty makes of them
(Albert & Anderson 1984; quasi-separation where rows are left with equality). Such a direction is
the solution of a linear programme (Konis 2007, Linear programming algorithms for detecting
separated data in binary logistic regression models; scipy's HiGHS), solved on few rows to which
those that violate it are added. Directions are followed into the rows that are left until there is
none (Geyer 2009). Rows of a mixture belong to experts with probabilities: a direction that the
programme finds for the most probable ones counts if the likelihood of the mixture does not fall
along it (a direction of recession). Where classes overlap no programme is needed, see ``overlap``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg import qr
from scipy.optimize import linprog

from moe_classic._data import Block, Design, DesignMap, SparseDesign, Summary, summed
from moe_classic._numerics import log_sum_exp
from moe_classic._typing import Bools, Floats, Ints

from .model import Model, MoEParams
from .overlap import overlapping

#: Rows that a linear programme begins with, and those added at a time, each the most at once.
_FIRST, _MORE = 400, 1000
#: Rows on which classes are proved to overlap.
_PROOF = 1000
#: Rounds of adding rows, and of following a direction into the rows that are left.
_ROUNDS, _LAYERS = 20, 10
#: Differences of scores, of coefficients in [-1, 1] and features of size 1, that are none.
_TIE = 1e-6
#: Variables beyond which only the fitted direction is tried, and seconds a programme may take.
_MOST_VARIABLES, _SECONDS = 300, 1.0
#: Responsibilities from which on a row counts for an expert, and speaks for one child of a gate.
_OWN, _SURE = (1e-3, 0.5), 0.9
#: Logits of the median row on the way to infinity.
_STEPS = (1.0, 4.0, 16.0, 64.0, 256.0)
#: What the likelihood may fall on the way, in nats per unit of weight.
_FALL = 1e-9
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
class _Softmax:
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


def in_doubt(model: Model, params: MoEParams, block: Block) -> set[tuple[int, int]]:
    """Softmaxes, by component and first row, that some rows do not show to be of mixed classes.

    What overlaps on some rows does so on all.
    """
    doubtful = set()
    for tries in _problems(model, params, block):
        # The rows of the last try are among those of the others, and of the same classes.
        *_, fewest = tries
        missing = np.unique(fewest.labels).size < fewest.count
        if missing or not _overlapping(fewest):
            doubtful.add(fewest.place)
    return doubtful


def separations(
    model: Model,
    params: MoEParams,
    sample: Block,
    source: Iterable[Block],
    summary: Summary,
    null: tuple[Floats, ...],
    doubtful: set[tuple[int, int]],
) -> tuple[Separation, ...]:
    """What is separated at fitted parameters.

    Parameters
    ----------
    sample : rows on which directions are looked for
    source : all rows, on which the likelihood must not fall
    null : directions of the coefficients on each design that change nothing
    doubtful : the softmaxes that are looked at
    """
    found = []
    designs = [model.gate_design, *(g.design for g in model.groups)]
    for tries in _problems(model, params, sample):
        for problem in tries:
            if problem.place not in doubtful:
                break
            separation = _solve(problem, null[designs[problem.component]])
            if separation is None:
                continue
            d, result = separation
            if _rises(model, params, source, summary, problem, d):
                found.append(result)
                break
    return tuple(found)


# ------------------------------------------------------------------------- the softmaxes


def _problems(model: Model, params: MoEParams, block: Block) -> Iterator[Iterator[_Softmax]]:
    """Each softmax of gate and experts, with several choices of the rows that count."""
    R = model.responsibilities(params, block)
    design = block.designs[model.gate_design]
    if model.gate.has("lines") and model.n_experts > 1 and not _too_wide(design, model.n_experts):
        Z, lines = design.dense().Z, model.gate.lines(params.gate)
        for first, members in _nodes(model, params, R):
            yield _of_gate(first, lines[first : first + len(members) - 1], members, Z)
    number, R = 0, block.by_row(R)
    for i, (group, p) in enumerate(zip(model.groups, params.experts, strict=True)):
        design = block.designs[group.design]
        if group.expert.kind.classes and group.expert.has("lines"):
            lines = group.expert.lines(p)
            if not _too_wide(design, lines.shape[1] + 1):
                Z = design.dense().Z
                for k, coef in enumerate(lines):
                    yield _of_expert(i + 1, k * len(coef), coef, R[number + k], Z, block.y)
        number += group.count


def _too_wide(design: Design, count: int) -> bool:
    """Whether a sparse design has more features than a programme may have variables.

    It is then not laid out; ``count`` are the experts or classes that it tells apart.
    """
    variables = (count - 1) * design.width
    return isinstance(design, SparseDesign) and variables > _MOST_VARIABLES


def _nodes(model: Model, params: MoEParams, R: Floats) -> Iterator[tuple[int, Floats]]:
    """First row of coefficients of each node of the gate, and the weights of its children."""
    shape = model.gate.layout(params.gate)
    if shape is None:
        yield 0, R
        return
    paths = shape.paths()
    leaves = [paths[leaf] for leaf in shape.leaf_numbers]
    for j in shape.inner:
        below = [paths[c] for c in shape.children_of(j)]
        members = [[leaf[: len(path)] == path for leaf in leaves] for path in below]
        yield int(shape.first_row[j]), np.array(members, dtype=np.float64) @ R


def _of_gate(first: int, coef: Floats, members: Floats, Z: Floats) -> Iterator[_Softmax]:
    """A node: all rows that reach it by their most probable child, then those that are sure."""
    mass = members.sum(axis=0)
    reach = mass > _OWN[0]
    best = members.max(axis=0)
    for rows in (reach, reach & (best > _SURE * mass)):
        yield _Softmax(0, first, coef, Z[:, rows], members[:, rows].argmax(axis=0))


def _of_expert(
    component: int, first: int, coef: Floats, own: Floats, Z: Floats, y: Ints
) -> Iterator[_Softmax]:
    """An expert that tells classes: rows that may be its own, then those that probably are."""
    for least in _OWN:
        rows = own > least
        yield _Softmax(component, first, coef, Z[:, rows], y[rows].astype(np.intp))


# ------------------------------------------------------------------------- the programme


def _solve(problem: _Softmax, null: Floats) -> tuple[Floats, Separation] | None:
    """A direction (C - 1, q) of recession, if any, and all that is open in the limit."""
    Z, labels, C = problem.Z, problem.labels, problem.count
    q, n = Z.shape
    if n == 0:
        return None
    Z, size = _normalised(Z)
    left = np.ones((C, n), dtype=bool)
    left[labels, np.arange(n)] = False
    first = _fitted_direction(problem.coef * size, Z, labels)
    if first is not None:
        left[:] = False
    elif (C - 1) * q > _MOST_VARIABLES:
        return None
    mixed = first is None and _overlapping(problem)
    for _ in range(_LAYERS):
        if not left.any() or (mixed and first is not None):
            break
        d = _without_rows(labels, C, q) if mixed else _direction(Z, labels, left)
        if d is None:
            break
        left &= np.abs(_gaps(d, Z, labels)) <= _TIE
        if first is None:
            # Rows with equality are to have it to the last digit.
            open_ = _open_directions(Z, labels, left, C)
            first = (open_ @ (open_.T @ d.ravel())).reshape(d.shape)
    if first is None:
        return None
    open_ = _open_directions(Z, labels, left, C)
    unit = np.tile(size, C - 1)
    found = np.linalg.qr(open_ / unit[:, None])[0]
    known = np.kron(np.eye(C - 1), null)
    U, values, _ = np.linalg.svd(found - known @ (known.T @ found), full_matrices=False)
    result = Separation(
        problem.component, problem.first, C - 1, U[:, values > _TIE], not left.any()
    )
    return first / unit.reshape(C - 1, q), result


def _normalised(Z: Floats) -> tuple[Floats, Floats]:
    """A design whose features are at most 1 in size, and the sizes (q,) that they had."""
    size = np.abs(Z).max(axis=1, initial=0.0)
    size = np.where(size > 0.0, size, 1.0)
    return Z / size[:, None], size


def _overlapping(problem: _Softmax) -> bool:
    """Whether few rows prove the classes that have any to be mixed.

    The rows are those that fit worst, and others.
    """
    C, (q, n) = problem.count, problem.Z.shape
    if n == 0 or (C - 1) * q > _MOST_VARIABLES:
        return False
    Z, size = _normalised(problem.Z)
    labels, rows = problem.labels, np.arange(n)
    if n > _PROOF:
        lead = np.partition(_gaps(problem.coef * size, Z, labels), 1, axis=0)
        worst = np.argsort(np.minimum(lead[0], lead[1]), kind="stable")[: _PROOF // 2]
        rows = np.union1d(worst, rows[:: max(1, n // (_PROOF // 2))])
    present, labels = np.unique(labels, return_inverse=True)
    return overlapping(Z[:, rows], labels[rows], present.size, _TIE)


def _without_rows(labels: Ints, C: int, q: int) -> Floats | None:
    """The direction (C - 1, q) in which classes that no row has vanish everywhere, or None."""
    there = np.bincount(labels, minlength=C) > 0
    if there.all():
        return None
    d = np.zeros((C, q))
    d[there, -1] = 0.5
    d[~there, -1] = -0.5
    return d[:-1] - d[-1]


def _gaps(d: Floats, Z: Floats, labels: Ints) -> Floats:
    """How far the class of each row leads each other class, (C, n)."""
    scores = np.vstack([d @ Z, np.zeros(Z.shape[1])])
    return scores[labels, np.arange(labels.size)] - scores


def _fitted_direction(coef: Floats, Z: Floats, labels: Ints) -> Floats | None:
    """The fitted coefficients in the unit box, if they tell all rows apart as they stand."""
    size = float(np.abs(coef).max(initial=0.0))
    if size == 0.0:
        return None
    d = coef / size
    gaps = _gaps(d, Z, labels)
    gaps[labels, np.arange(labels.size)] = np.inf
    return d if gaps.min() > _TIE else None


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
        gaps = np.where(left, _gaps(d, Z, labels), 0.0)
        worst = gaps.min(axis=0)
        bad = np.flatnonzero(worst < -_TIE)
        if not bad.size:
            return d if gaps.max() > 10.0 * _TIE else None
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
    found = linprog(
        -normals.mean(axis=0),
        A_ub=-normals,
        b_ub=np.zeros(c.size),
        bounds=(-1.0, 1.0),
        method="highs",
        options={"time_limit": _SECONDS},
    )
    if found.status != 0 or -found.fun <= _TIE / c.size:
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


# ------------------------------------------------------------------------- the likelihood


def _rises(
    model: Model,
    params: MoEParams,
    source: Iterable[Block],
    summary: Summary,
    problem: _Softmax,
    d: Floats,
) -> bool:
    """Whether the likelihood never falls on the way along a direction."""
    lead = _gaps(d, problem.Z, problem.labels)
    size = float(np.median(lead[lead > _TIE * lead.max()]))
    theta, step = model.pack(params), np.zeros(model.pack(params).size)
    start = model.layout(params)[problem.component].start + problem.first * d.shape[1]
    step[start : start + d.size] = d.ravel()
    points = [
        params,
        *(model.unpack(theta + (t / size) * step, params, summary) for t in _STEPS),
    ]
    heights = summed(partial(_heights, model, points, problem.component), source)
    return bool((np.diff(heights) >= -_FALL * summary.weight).all())


def _heights(model: Model, points: list[MoEParams], component: int, block: Block) -> Floats:
    """Log-likelihood of a block at several points, of which one component is another."""
    if component > 0:
        return np.array([model.log_likelihood(p, block) @ block.subject_w for p in points])
    density = model.evaluate(points[0], block).density
    rows = (log_sum_exp(model.log_gate(p, block) + density) for p in points)
    return np.array([row @ block.subject_w for row in rows])


# ------------------------------------------------------------------------- what follows from it


def separated_theta(model: Model, params: MoEParams, separated: tuple[Separation, ...]) -> Floats:
    """Directions (D, R) of theta along which separated coefficients are not determined."""
    places = model.layout(params)
    columns = [np.empty((places[-1].stop, 0))]
    for s in separated:
        q = len(s.directions) // s.lines
        start = places[s.component].start + s.first * q
        column = np.zeros((places[-1].stop, s.directions.shape[1]))
        column[start : start + len(s.directions)] = s.directions
        columns.append(column)
    return np.hstack(columns)


def separated_terms(separation: Separation, line: int, design: DesignMap) -> tuple[Bools, bool]:
    """Which slopes (q - 1,) of one line, and whether its intercept, are not determined.

    On the raw scale of the features.
    """
    mine = separation.directions.reshape(separation.lines, design.width, -1)[line]
    shifts = (design.inverse * design.centre)[:, None] * mine[:-1]
    moved = np.linalg.norm(mine[-1] - shifts.sum(axis=0))
    size = np.linalg.norm(mine[-1]) + np.linalg.norm(shifts, axis=1).sum()
    return np.linalg.norm(mine[:-1], axis=1) > _TIE, bool(moved > _TIE * max(size, _TIE))
