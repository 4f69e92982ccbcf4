"""Observed information by Louis' identity, with the exact gradient, in one pass.

Write the log-likelihood of a row as a function of its P local variables: the logits of the gate
and, for each expert, its linear predictors and nuisance parameters. With responsibilities h, complete
scores s and their mean ``sbar = sum_k h_k s_k``, Louis (1982), equation 3.2'::

    - d2 ll = sum_k h_k (- d2 log g_k p_k) - sum_k h_k s_k s_k' + sbar sbar'

The pointwise matrices become the information of theta through weighted Gram matrices, the same
products that one EM step needs, so that a Newton step costs a few EM steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._blocks import Block, Design
from ._linalg import softmax_in_place, unpack_symmetric
from ._model import Model, MoEParams
from ._stats import Stats
from ._typing import Floats, Ints

#: Bytes of the pointwise matrices of one slice of a block.
_SLICE_BYTES = 8 << 20


@dataclass(frozen=True)
class InformationStats(Stats):
    """Objective, gradient (D,), observed information (D, D), outer product of scores if asked."""

    objective: float
    gradient: Floats
    information: Floats
    scores: Floats


@dataclass(frozen=True)
class Variables:
    """Where the local variables of a row live in theta.

    Attributes
    ----------
    linear : list of (design number, (V, q) places in theta)
        Variables that multiply a design; the gate's come first.
    plain : (P0,) places in theta of the variables that multiply nothing
    size : D
    """

    linear: list[tuple[int, Ints]]
    plain: Ints
    size: int


def available(model: Model) -> bool:
    """Whether all components have pointwise second derivatives."""
    return hasattr(model.gate, "derivatives") and all(
        g.expert.smooth and hasattr(g.expert, "derivatives") for g in model.groups
    )


def supported(model: Model) -> bool:
    """Whether the information is cheap enough to climb with: all of the gate is linear in x."""
    return available(model) and not getattr(model.gate, "plain", False)


def variables_of(model: Model, params: MoEParams, widths: list[int]) -> Variables:
    """Layout of theta for a model whose components are all linear."""
    stop = model.gate.pack(params.gate).size
    q = widths[model.gate_design]
    gate = model.gate
    if getattr(gate, "plain", False):
        linear, plain = [], [np.arange(stop)]
    else:
        linear, plain = [(model.gate_design, np.arange(stop).reshape(-1, q))], []
    for group, p in zip(model.groups, params.experts, strict=True):
        start, stop = stop, stop + group.expert.pack(p).size
        linear.append((group.design, start + np.arange(p.coef.size).reshape(-1, p.coef.shape[-1])))
        plain.append(start + group.expert.nuisance_map(p).ravel())
    return Variables(linear, np.concatenate(plain), stop)


def _local(model: Model, params: MoEParams, block: Block) -> tuple[float, Floats, Floats]:
    """Objective, mean scores (P, n) and pointwise information (P, P, n) of one slice.

    Variables are in the order of :class:`Variables`: linear ones, gate first, then plain ones.
    """
    seen = model.evaluate(params, block)
    R = seen.gate.log_prob + seen.log_prob
    row = softmax_in_place(R)
    s, complete = model.gate.derivatives(params.gate, seen.gate, R)
    mean = np.einsum("kn,akn->an", R, s)
    firsts, seconds, owners, plain = [], [], [], []
    for group, p, fwd, share in zip(
        model.groups, params.experts, seen.experts, model.shares, strict=True
    ):
        first, second = group.expert.derivatives(p, fwd, block.y)
        firsts.append(first)
        seconds.append(second)
        K, J = first.shape[:2]
        owners.append(np.repeat(np.arange(share.start, share.stop), J))
        plain.append(np.tile(np.arange(J) >= p.coef.shape[1], K))
    A = len(s)
    owner, is_plain = np.concatenate(owners), np.concatenate(plain)
    f = np.concatenate([first.reshape(-1, row.size) for first in firsts])
    u = R[owner] * f
    score = np.concatenate([mean, u])
    omega = score[:, None] * score[None]
    omega[:A, :A] += complete - np.einsum("kn,akn,bkn->abn", R, s, s, optimize=True)
    cross = s[:, owner] * u
    omega[:A, A:] -= cross
    omega[A:, :A] -= cross.transpose(1, 0, 2)
    at = A
    for first, second, share in zip(firsts, seconds, model.shares, strict=True):
        inner = second + first[:, :, None] * first[:, None]
        inner *= R[share][:, None, None]
        for block_k in inner:
            stop = at + len(block_k)
            omega[at:stop, at:stop] -= block_k
            at = stop
    gate_plain = np.full(A, bool(getattr(model.gate, "plain", False)))
    order = np.argsort(np.concatenate([gate_plain, is_plain]), kind="stable")
    return float(row @ block.w), score[order] * block.w, omega[order][:, order] * block.w


def information(
    model: Model, params: MoEParams, block: Block, *, scores: bool = False
) -> InformationStats:
    """Objective, gradient and observed information on one block; the scores' product on demand."""
    widths = [d.width for d in block.designs]
    layout = variables_of(model, params, widths)
    P = sum(len(places) for _, places in layout.linear) + layout.plain.size
    step = max(16, _SLICE_BYTES // (8 * P * P))
    total: InformationStats | None = None
    for start in range(0, block.w.size, step):
        rows = slice(start, start + step)
        designs = tuple(Design(d.Z[:, rows]) for d in block.designs)
        part = Block(designs, block.y[..., rows], block.w[rows])
        value, score, omega = _local(model, params, part)
        meat = np.zeros((0, 0))
        if scores:
            meat = _assemble_matrix(layout, designs, score[:, None] * (score / part.w)[None])
        piece = InformationStats(
            value,
            _assemble_vector(layout, designs, score),
            _assemble_matrix(layout, designs, omega),
            meat,
        )
        total = piece if total is None else total + piece
    assert total is not None  # noqa: S101
    return total


def _assemble_vector(layout: Variables, designs: tuple[Design, ...], score: Floats) -> Floats:
    """Gradient of theta from pointwise scores (P, n)."""
    out, at = np.zeros(layout.size), 0
    for number, places in layout.linear:
        stop = at + len(places)
        out[places] += designs[number].scores(score[at:stop])
        at = stop
    np.add.at(out, layout.plain, score[at:].sum(axis=1))
    return out


def _assemble_matrix(layout: Variables, designs: tuple[Design, ...], omega: Floats) -> Floats:
    """Matrix of theta from pointwise matrices (P, P, n)."""
    out, at, spans = np.zeros((layout.size, layout.size)), 0, []
    for number, places in layout.linear:
        spans.append((number, places, slice(at, at + len(places))))
        at += len(places)
    for i, (number, places, span) in enumerate(spans):
        for other, theirs, their_span in spans[i:]:
            part = _product(designs[number], designs[other], omega[span, their_span])
            part = part.transpose(0, 2, 1, 3).reshape(places.size, theirs.size)
            out[np.ix_(places.ravel(), theirs.ravel())] = part
            out[np.ix_(theirs.ravel(), places.ravel())] = part.T
        edge = designs[number].scores(omega[span, at:])
        for j, target in enumerate(layout.plain):
            out[places.ravel(), target] += edge[:, j].ravel()
            out[target, places.ravel()] += edge[:, j].ravel()
    corner = omega[at:, at:].sum(axis=-1)
    np.add.at(out, (layout.plain[:, None], layout.plain[None]), corner)
    return out


def _product(a: Design, b: Design, omega: Floats) -> Floats:
    """``sum_n omega_vu z_a z_b'`` for all pairs, (V, U, q_a, q_b)."""
    V, U, n = omega.shape
    if a is b:
        packed = a.grams(np.ascontiguousarray(omega.reshape(V * U, n)))
        return unpack_symmetric(packed, a.width).reshape(V, U, a.width, a.width)
    return np.einsum("vun,in,jn->vuij", omega, a.Z, b.Z, optimize=True)
