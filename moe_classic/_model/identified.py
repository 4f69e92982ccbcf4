"""Which parameters exist: coefficients that the rows of a fit can tell apart.

A direction of coefficients along which no linear predictor moves at any row is no parameter:
constant, repeated and linearly dependent columns leave such directions. They are the null space of
the design, found once a fit from a triangular factor of its rows, whose condition is that of the
design and not its square::

    R' R = Z Z',   null = right singular vectors of R / |columns|  with singular values near 0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from scipy.linalg.lapack import dpotrf

from moe_classic._components import Component, free_directions
from moe_classic._data import Block, Design, DesignMap
from moe_classic._numerics import unpack_symmetric
from moe_classic._typing import Bools, Floats, Ints
from moe_classic.experts import LinearExpert

from .model import Model, MoEParams

#: Singular values of a design with columns of length one that count as zero, at least.
_ZERO = 1e-11
#: Eigenvalues of its Gram, over the largest, up to which there is need to look.
_FEW = 1e-9
#: Eigenvalues of its Gram beyond which there is no doubt.
_SURE = 1e-6
#: Share of a null direction from which on a coefficient is part of it.
_PART = 1e-6
#: Norm of a row of an orthonormal basis that is all of the axis.
_WHOLE = 0.999


def null_directions(
    source: Iterable[Block],
    maps: tuple[DesignMap, ...],
    eps: float,
    some: Iterable[Block] = (),
) -> tuple[Floats, ...]:
    """Orthonormal directions (q, r) of the coefficients on each design that change nothing.

    Parameters
    ----------
    source : blocks of rows, read as often as need be
    maps : the designs
    eps : rounding of the features as they were given
    some : blocks of some of the rows, which may leave no need to read others
    """
    open_ = _in_doubt(chain(some, source), maps)
    factors: dict[int, Floats] = {}
    sparse = {i: gram for i, gram in open_.items() if maps[i].sparse}
    if len(open_) > len(sparse):
        for block in source:
            for i in open_:
                if i in sparse:
                    continue
                Z = _complete(block.designs[i].Z, maps[i])
                above = factors.get(i, np.empty((0, len(Z))))
                factors[i] = np.asarray(np.linalg.qr(np.vstack([above, Z.T]), mode="r"))
    found = {i: _null_of_sparse(source, i, gram) for i, gram in sparse.items()}
    found |= {i: _null(factor, maps[i], eps) for i, factor in factors.items()}
    return tuple(found.get(i, np.empty((m.width, 0))) for i, m in enumerate(maps))


def _complete(Z: Floats, design: DesignMap) -> Floats:
    """A design with zeros in the place of missing values, where it may have some."""
    return np.nan_to_num(Z) if design.takes_missing else Z


def _in_doubt(source: Iterable[Block], maps: tuple[DesignMap, ...]) -> dict[int, Floats]:
    """Designs that no block has shown to be of full rank, with their Gram matrices (q, q)."""
    grams: dict[int, Floats] = {}
    open_ = list(range(len(maps)))
    for block in source:
        for i in open_:
            design = block.designs[i]
            if maps[i].takes_missing:
                design = Design(_complete(design.Z, maps[i]))
            ones = np.ones((1, design.n))
            grams[i] = grams.get(i, 0.0) + unpack_symmetric(design.grams(ones), design.width)[0]
        open_ = [i for i in open_ if maps[i].sparse or not _is_sure(grams[i])]
        if not open_:
            break
    return {i: grams[i] for i in open_ if not (maps[i].sparse and _is_definite(grams[i]))}


def _null_of_sparse(source: Iterable[Block], number: int, gram: Floats) -> Floats:
    """Null space (q, r) of a sparse design, which is not laid out.

    The Gram's eigenvalues are squares: what looks like zero is held against the rows.
    """
    length = np.sqrt(np.diag(gram))
    still = length == 0.0
    unit = 1.0 / np.where(still, 1.0, length)
    values, vectors = np.linalg.eigh(gram * np.outer(unit, unit))
    few = vectors[:, values <= _FEW * max(values[-1], 1.0)] * unit[:, None]
    if not few.size:
        return few
    R = np.empty((0, few.shape[1]))
    for block in source:
        moved = block.designs[number].linear(few.T)
        R = np.asarray(np.linalg.qr(np.vstack([R, moved.T]), mode="r"))
    _, left, turn = np.linalg.svd(R)
    zero = np.ones(len(turn), dtype=bool)
    zero[: left.size] = left <= _ZERO * np.sqrt(max(values[-1], 1.0))
    found = few @ turn[zero].T
    return np.linalg.qr(found)[0] if found.size else found


def _is_definite(gram: Floats) -> bool:
    """The same by a Cholesky factor: a tenth of the time where there are many features."""
    length = np.sqrt(np.diag(gram))
    if not (length > 0.0).all():
        return False
    unit = gram / np.outer(length, length)
    unit[np.diag_indices_from(unit)] -= _SURE
    return dpotrf(unit)[1] == 0


def _is_sure(gram: Floats) -> bool:
    """Whether a Gram matrix (q, q) is far from singular."""
    length = np.sqrt(np.diag(gram))
    if not (length > 0.0).all():
        return False
    return float(np.linalg.eigvalsh(gram / np.outer(length, length))[0]) > _SURE


def _null(R: Floats, design: DesignMap, eps: float) -> Floats:
    """Null space (q, r) of a triangular factor (m, q)."""
    length = np.linalg.norm(R, axis=0)
    still = length == 0.0
    _, values, vectors = np.linalg.svd(R / np.where(still, 1.0, length))
    # A feature far from zero has lost digits before it was centred.
    lost = eps * float(np.max(np.abs(design.centre * design.inverse), initial=1.0))
    zero = np.ones(len(vectors), dtype=bool)
    zero[: values.size] = values <= max(_ZERO, 8.0 * lost) * max(values[0], 1.0)
    found = vectors[zero].T / np.where(still, 1.0, length)[:, None]
    return np.linalg.qr(found)[0] if found.size else found


# ------------------------------------------------------------------------- what follows from it


def n_identified(model: Model, params: MoEParams, null: tuple[Floats, ...]) -> int:
    """Number of free parameters that the rows of a fit can tell apart."""
    count = model.n_parameters(params)
    count -= model.gate.redundant(params.gate, null[model.gate_design])
    for group, p in zip(model.groups, params.experts, strict=True):
        count -= group.expert.redundant(p, null[group.design])
    return count


def constant_columns(null: Floats) -> Bools:
    """Rows of the design that are zero throughout, (q,)."""
    return np.linalg.norm(null, axis=1) > _WHOLE


def dependent_directions(null: Floats) -> Floats:
    """Null directions without the axes of constant columns, orthonormal, (q, s)."""
    rest = np.where(constant_columns(null)[:, None], 0.0, null)
    if not rest.size:
        return rest
    U, values, _ = np.linalg.svd(rest, full_matrices=False)
    return U[:, values > 0.5]


def aliased_terms(null: Floats, design: DesignMap) -> tuple[Bools, bool]:
    """Which slopes (q - 1,), and whether intercepts, are no parameters of their own.

    On the raw scale of the features; slopes of constant columns are not counted here.
    """
    rest = dependent_directions(null)
    # Columns that stand in the design as they are have no coefficients to be determined.
    p = len(design.centre)
    added = np.arange(len(rest))
    rest = free_directions(rest, (added >= p) & (added < len(rest) - 1))
    rest = np.concatenate([rest[:p], rest[-1:]])
    slopes: Bools = np.any(np.abs(rest[:-1]) > _PART, axis=1)
    shifts = rest[:-1] * (design.inverse * design.centre)[:, None]
    moved = np.abs(rest[-1] - shifts.sum(axis=0))
    size = np.abs(rest[-1]) + np.abs(shifts).sum(axis=0)
    return slopes, bool((moved > _PART * np.maximum(size, _PART)).any())


def null_of_theta(model: Model, params: MoEParams, null: tuple[Floats, ...]) -> Floats:
    """Directions (D, R) of theta along which no linear predictor moves, orthonormal.

    Constant columns are left out.
    """
    parts: list[tuple[Component, Any, Floats]]
    parts = [(model.gate, params.gate, null[model.gate_design])]
    parts += [
        (g.expert, p, null[g.design]) for g, p in zip(model.groups, params.experts, strict=True)
    ]
    start, columns = 0, []
    size = sum(component.pack(p).size for component, p, _ in parts)
    for component, p, directions in parts:
        rest = dependent_directions(directions)
        if component.has("lines") and rest.size:
            for some in _directions(component, p, rest):
                column = np.zeros((size, some.shape[1]))
                column[start : start + len(some)] = some
                columns.append(column)
        start += component.pack(p).size
    return np.hstack(columns) if columns else np.empty((size, 0))


def _directions(component: Any, params: Any, rest: Floats) -> Iterator[Floats]:
    """Directions (n_theta, R) of a component along which no line of its moves, line by line."""
    size = component.pack(params).size
    if isinstance(component, LinearExpert) and component.common(params.coef):
        yield component.unmoved(params, rest)
        return
    for places in _places_of_lines(component, params):
        learned = places >= 0
        # What moves a coefficient that is known moves the predictor.
        free = free_directions(rest, ~learned)
        some = np.zeros((size, free.shape[1]))
        some[places[learned]] = free[learned]
        yield some


def _places_of_lines(component: Any, params: Any) -> Ints:
    """Places in theta of the coefficients of every line, (L, q); -1 where they are known."""
    if hasattr(component, "coefficient_places"):
        places: Ints = component.coefficient_places(params)
        return places.reshape(-1, places.shape[-1])
    lines = component.lines(params)
    return np.arange(lines.size).reshape(-1, lines.shape[-1])
