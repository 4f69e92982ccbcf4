"""Observed information by Louis' identity, with the exact gradient, in one pass.

Write the log-likelihood of a row as a function of its P local variables: the logits of the gate
and, for each expert, its linear predictors and nuisance parameters. With responsibilities h,
complete scores s and their mean ``sbar = sum_k h_k s_k``, Louis (1982), equation 3.2'::

    - d2 ll = sum_k h_k (- d2 log g_k p_k) - sum_k h_k s_k s_k' + sbar sbar'

The pointwise matrices become the information of theta through weighted Gram matrices, the same
products that one EM step needs, so that a Newton step costs a few EM steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from moe_classic._data import Block, Stats
from moe_classic._numerics import empty, frame, workspace
from moe_classic._typing import Floats, Ints

from .couples import Missing, Variables, variables_of
from .model import Model, MoEParams
from .stacked import unstack

#: Bytes of the pointwise matrices of one slice of a block.
_SLICE_BYTES = 8 << 20


@dataclass(frozen=True)
class InformationStats(Stats):
    """Objective, gradient (D,), observed information (D, D), outer product of scores if asked.

    Of several starts at once all of them have a leading axis.
    """

    objective: Any
    gradient: Floats
    information: Floats
    scores: Floats


def available(model: Model) -> bool:
    """Whether all components have pointwise second derivatives."""
    return model.gate.has("derivatives") and all(
        g.expert.smooth and g.expert.has("derivatives") for g in model.groups
    )


def supported(model: Model) -> bool:
    """Whether the information is cheap enough to climb with: all of the gate is linear in x."""
    return available(model) and not model.gate.plain


def observed_information(
    model: Model, params: MoEParams, block: Block, like: MoEParams | None = None
) -> InformationStats:
    """Objective, gradient, observed information and outer product of scores on one block.

    The product of mean scores is one matrix product of expanded rows; what Louis' identity takes
    off it couples only the gate with itself, the gate with each expert, and each expert with
    itself.

    Parameters
    ----------
    model : Model
    params : MoEParams
        Those of several starts may be stacked.
    block : Block
    like : MoEParams, default=None
        Parameters of one start, where ``params`` are stacked.
    """
    layout = variables_of(model, params if like is None else like, [d.width for d in block.designs])
    starts = 1 if like is None else params.experts[0].n_experts // model.groups[0].count
    if block.subjects is not None:
        several = [params] if like is None else unstack(params, model, starts)
        each = [_information_of_subjects(model, p, block, layout) for p in several]
        return each[0] if like is None else _stacked(each)
    step = max(64, _SLICE_BYTES // (8 * layout.rows * starts))
    missing = Missing(layout)
    sums: tuple[Any, Any, Any] = 0.0, 0.0, 0.0
    with workspace():
        for part in _slices(block, step):
            with frame():
                local = _local(model, params, part)
                expanded = _expand(layout, local, part)
                value, gradient = local.row @ part.w, expanded @ part.w
                expanded *= np.sqrt(part.w)
                some = value, gradient, expanded @ expanded.swapaxes(-1, -2)
                sums = (sums[0] + some[0], sums[1] + some[1], sums[2] + some[2])
                missing.take(_weights(local, part), part)
    (value, gradient, scores), D = sums, layout.size
    information = (scores - missing.matrix())[..., :D, :D]
    return InformationStats(value, gradient[..., :D], information, scores[..., :D, :D])


def _stacked(each: list[InformationStats]) -> InformationStats:
    """The statistics of several starts, with a leading axis."""
    names = (f.name for f in fields(InformationStats))
    return InformationStats(*[np.stack([getattr(s, name) for s in each]) for name in names])


def _slices(block: Block, step: int) -> Iterator[Block]:
    """Blocks of at most ``step`` rows, laid out; one that is small enough is the one slice."""
    if block.w.size <= step:
        yield replace(block, designs=tuple(d.dense() for d in block.designs))
        return
    for start in range(0, block.w.size, step):
        rows = slice(start, start + step)
        designs = tuple(d.at(rows).dense() for d in block.designs)
        yield Block(designs, block.y[..., rows], block.w[rows])


@dataclass(frozen=True)
class Local:
    """Pointwise quantities of one slice; of several starts with a leading axis.

    Attributes
    ----------
    row : (n,) log-likelihood
    gate : (A, n) mean scores of the gate's variables
    gate_missing : ``sum_k h s s'`` minus the complete curvature of the gate, times the weights:
        (A, A, n), or summed over rows (A, A, 1) where the gate's variables multiply nothing
    s : (A, K, n) complete scores of the gate
    experts : for each group, its share of the experts, the number M of its predictors, weighted
        scores (K, J, n) and ``h (d2 + d d')`` (K, J, J, n)
    """

    row: Floats
    gate: Floats
    gate_missing: Floats
    s: Floats
    experts: list[tuple[slice, int, Floats, Floats]]


def _local(model: Model, params: MoEParams, block: Block) -> Local:
    """Pointwise derivatives on one slice."""
    forward = model.evaluate(params, block)
    R, row = forward.posterior()
    S = R * block.w
    s, complete = model.gate.derivatives(params.gate, forward.gate, S)
    mean = np.einsum("...kn,...akn->...an", R, s)
    if model.gate.plain:
        products = [(s[:, k] * S[k]) @ s[:, k].T for k in range(len(S))]
        gate_missing = (np.sum(products, axis=0) - complete)[..., None]
    else:
        gate_missing = np.einsum("...akn,...bkn->...abn", S[..., None, :, :] * s, s) - complete
    *lead, n = row.shape
    experts = []
    for group, p, fwd, share in zip(
        model.groups, params.experts, forward.experts, model.shares, strict=True
    ):
        h = R[..., share, :].reshape(-1, n)
        first, inner = group.expert.derivatives(p, fwd, block.y)
        inner = inner + first[:, :, None] * first[:, None]
        inner *= h[:, None, None]
        weighted = h[:, None] * first
        parts = (a.reshape(*lead, group.count, *a.shape[1:]) for a in (weighted, inner))
        experts.append((share, p.coef.shape[1], *parts))
    return Local(row, mean, gate_missing, s, experts)


def _expand(layout: Variables, local: Local, block: Block) -> Floats:
    """Gradient of the log-likelihood of every row, without its weight, (D, n)."""
    *lead, n = local.row.shape
    linear: list[Floats] = []
    plain: list[Floats] = []
    (plain if layout.gate.design is None else linear).append(local.gate)
    for _, m, weighted, _ in local.experts:
        linear.append(weighted[..., :m, :].reshape(*lead, -1, n))
        plain.append(weighted[..., m:, :].reshape(*lead, -1, n))
    out = empty((*lead, layout.rows, n))
    out[..., layout.shared, :] = 0.0
    for (number, places), score in zip(layout.linear, linear, strict=True):
        products = score[..., None, :] * block.designs[number].Z
        _put(out, places.ravel(), products.reshape(*lead, -1, n), layout.shared)
    own = layout.plain
    values = np.concatenate(plain, axis=-2)
    if np.unique(own).size == own.size:
        out[..., own, :] = values
        return out
    out[..., own, :] = 0.0
    np.add.at(np.moveaxis(out, -2, 0), own, np.moveaxis(values, -2, 0))
    return out


def _put(out: Floats, places: Ints, values: Floats, shared: Ints) -> None:
    """Write ``values`` (..., L, n) at their places; at shared ones they add up."""
    if not shared.size:
        out[..., places, :] = values
        return
    several = np.isin(places, shared)
    out[..., places[~several], :] = values[..., ~several, :]
    np.add.at(np.moveaxis(out, -2, 0), places[several], np.moveaxis(values[..., several, :], -2, 0))


def _weights(local: Local, block: Block, *, crossed: bool = True) -> list[Floats]:
    """Row weights of all couples, (..., V, n), as :class:`Missing` takes them."""
    lead = local.row.shape[:-1]
    found = [local.gate_missing]
    for share, m, weighted, inner in local.experts:
        u, inside = weighted * block.w, inner * block.w
        if crossed:
            cross = local.s[..., share, None, :] * u[..., None, :, :, :]
            found += [cross[..., :m, :], cross[..., m:, :]]
        found += [inside[..., :m, :m, :], inside[..., :m, m:, :], inside[..., m:, m:, :]]
    return [a.reshape(*lead, int(np.prod(a.shape[len(lead) : -1])), a.shape[-1]) for a in found]


def row_scores(model: Model, params: MoEParams, block: Block) -> Floats:
    """Gradient of the log-likelihood of every subject, without its weight, (D, G)."""
    layout = variables_of(model, params, [d.width for d in block.designs])
    if block.subjects is not None:
        gate, experts, R, _ = _subject_scores(model, params, block, layout)
        return _mean_scores(layout, gate, experts, R)[: layout.size]
    return _expand(layout, _local(model, params, block), block)[: layout.size]


# ------------------------------------------------------------------------- subjects


@dataclass(frozen=True)
class _Scores:
    """Complete scores of the subjects under one expert: places in theta, and (V, G) there."""

    places: Ints
    scores: Floats


def _information_of_subjects(
    model: Model, params: MoEParams, block: Block, layout: Variables
) -> InformationStats:
    """The same where all rows of a subject come from one expert.

    The score of an expert then is the sum of those of the rows, so that the products of scores are
    those of sums: no Gram of rows, but a product of (V, G) for each expert. Second derivatives
    still add row by row.
    """
    gate, experts, R, local = _subject_scores(model, params, block, layout)
    w = block.subject_w
    mean = _mean_scores(layout, gate, experts, R)
    information = (mean * w) @ mean.T
    missing = Missing(layout, crossed=False)
    missing.take(_weights(local, block, crossed=False), block)
    information -= missing.matrix()
    for k, (g, e) in enumerate(zip(gate, experts, strict=True)):
        mine = e.scores * (w * R[k])
        np.subtract.at(information, np.ix_(e.places, e.places), mine @ e.scores.T)
        cross = g.scores @ mine.T
        np.subtract.at(information, np.ix_(g.places, e.places), cross)
        np.subtract.at(information, np.ix_(e.places, g.places), cross.T)
    D = layout.size
    scores = (mean * w) @ mean.T
    value = float(local.row @ w)
    return InformationStats(value, (mean @ w)[:D], information[:D, :D], scores[:D, :D])


def _mean_scores(
    layout: Variables, gate: list[_Scores], experts: list[_Scores], R: Floats
) -> Floats:
    """Gradient of the log-likelihood of every subject, without its weight, (D, G)."""
    out = np.zeros((layout.rows, R.shape[1]))
    for g, e, share in zip(gate, experts, R, strict=True):
        out[g.places] += share * g.scores
        np.add.at(out, e.places, share * e.scores)
    return out


def _subject_scores(
    model: Model, params: MoEParams, block: Block, layout: Variables
) -> tuple[list[_Scores], list[_Scores], Floats, Local]:
    """Complete scores of gate and expert, one of each an expert, and R (K, G).

    The last is what adds row by row: the gate as without subjects, of experts the second
    derivatives alone, and no product of the gate with an expert.
    """
    forward = model.evaluate(params, block)
    R, row = forward.posterior()
    s, complete = model.gate.derivatives(params.gate, forward.gate, R * block.subject_w)
    gate, experts, parts = [], [], []
    Zg = None if layout.gate.design is None else block.designs[layout.gate.design].Z
    places = layout.gate.places.ravel()
    for k in range(model.n_experts):
        own = s[:, k] if Zg is None else (s[:, k, None] * Zg).reshape(places.size, -1)
        gate.append(_Scores(places, own))
    rows = block.by_row(R)
    for group, p, fwd, share, (linear, plain) in zip(
        model.groups, params.experts, forward.experts, model.shares, layout.experts, strict=True
    ):
        first, second = group.expert.derivatives(p, fwd, block.y)
        m, Z = p.coef.shape[1], block.designs[group.design].Z
        for d, lines, others in zip(first, linear.places, plain.places, strict=True):
            sloped = (d[:m, None] * Z).reshape(lines.size, -1)
            summed = block.by_subject(np.concatenate([sloped, d[m:]]))
            experts.append(_Scores(np.concatenate([lines.ravel(), others.ravel()]), summed))
        inner = second * rows[share][:, None, None]
        parts.append((share, m, np.zeros_like(first), inner))
    if model.gate.plain:
        w = R * block.subject_w
        products = [(s[:, k] * w[k]) @ s[:, k].T for k in range(len(w))]
        missing = (np.sum(products, axis=0) - complete)[..., None]
    else:
        missing = np.einsum("akn,bkn->abn", R * block.subject_w * s, s) - complete
    return gate, experts, R, Local(row, s[:, 0], missing, s, parts)
