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
from functools import partial

import numpy as np

from moe_classic._data import Block, Design, DesignMap, SparseDesign, Summary, summed
from moe_classic._numerics import log_sum_exp
from moe_classic._typing import Bools, Floats, Ints

from .model import Model, MoEParams
from .overlap import gaps
from .recession import MOST_VARIABLES, TIE, Separation, Softmax, are_mixed, recession

#: Responsibilities from which on a row counts for an expert, and speaks for one child of a gate.
_OWN, _SURE = (1e-3, 0.5), 0.9
#: Logits of the median row on the way to infinity.
_STEPS = (1.0, 4.0, 16.0, 64.0, 256.0)
#: What the likelihood may fall on the way, in nats per unit of weight.
_FALL = 1e-9


def in_doubt(model: Model, params: MoEParams, block: Block) -> set[tuple[int, int]]:
    """Softmaxes, by component and first row, that some rows do not show to be of mixed classes.

    What overlaps on some rows does so on all.
    """
    doubtful = set()
    for tries in _problems(model, params, block):
        # The rows of the last try are among those of the others, and of the same classes.
        *_, fewest = tries
        missing = np.unique(fewest.labels).size < fewest.count
        if missing or not are_mixed(fewest):
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
            separation = recession(problem, null[designs[problem.component]])
            if separation is None:
                continue
            d, result = separation
            if _rises(model, params, source, summary, problem, d):
                found.append(result)
                break
    return tuple(found)


# ------------------------------------------------------------------------- the softmaxes


def _problems(model: Model, params: MoEParams, block: Block) -> Iterator[Iterator[Softmax]]:
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
    return isinstance(design, SparseDesign) and variables > MOST_VARIABLES


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


def _of_gate(first: int, coef: Floats, members: Floats, Z: Floats) -> Iterator[Softmax]:
    """A node: all rows that reach it by their most probable child, then those that are sure."""
    mass = members.sum(axis=0)
    reach = mass > _OWN[0]
    best = members.max(axis=0)
    for rows in (reach, reach & (best > _SURE * mass)):
        yield Softmax(0, first, coef, Z[:, rows], members[:, rows].argmax(axis=0))


def _of_expert(
    component: int, first: int, coef: Floats, own: Floats, Z: Floats, y: Ints
) -> Iterator[Softmax]:
    """An expert that tells classes: rows that may be its own, then those that probably are."""
    for least in _OWN:
        rows = own > least
        yield Softmax(component, first, coef, Z[:, rows], y[rows].astype(np.intp))


# ------------------------------------------------------------------------- the likelihood


def _rises(
    model: Model,
    params: MoEParams,
    source: Iterable[Block],
    summary: Summary,
    problem: Softmax,
    d: Floats,
) -> bool:
    """Whether the likelihood never falls on the way along a direction."""
    lead = gaps(d, problem.Z, problem.labels)
    size = float(np.median(lead[lead > TIE * lead.max()]))
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
    return np.linalg.norm(mine[:-1], axis=1) > TIE, bool(moved > TIE * max(size, TIE))
