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
from dataclasses import dataclass

import numpy as np

from moe_classic._data import Block, Design, Stats
from moe_classic._numerics import empty, frame, unpack_symmetric, workspace
from moe_classic._typing import Floats, Ints

from .model import Model, MoEParams

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
class Span:
    """Like variables: the design that they multiply, or None, and their places in theta (V, q)."""

    design: int | None
    places: Ints


@dataclass(frozen=True)
class Variables:
    """Where the local variables of a row live in theta.

    Attributes
    ----------
    gate : Span
    experts : for each group, spans with a leading axis K: linear predictors (K, M, q) and
        nuisance parameters (K, J - M, 1)
    size : D
    rows : D, or D + 1 where some coefficients are known: their places are the last row, which is
        made with the others and dropped
    """

    gate: Span
    experts: list[tuple[Span, Span]]
    size: int
    rows: int

    @property
    def linear(self) -> list[tuple[int, Ints]]:
        """(design number, (V, q) places) of the variables that multiply a design."""
        spans = [self.gate, *(linear for linear, _ in self.experts)]
        return [
            (s.design, s.places.reshape(-1, s.places.shape[-1]))
            for s in spans
            if s.design is not None
        ]

    @property
    def plain(self) -> Ints:
        """Places of the variables that multiply nothing."""
        gate = [self.gate.places.ravel()] if self.gate.design is None else []
        return np.concatenate([*gate, *(plain.places.ravel() for _, plain in self.experts)])


def available(model: Model) -> bool:
    """Whether all components have pointwise second derivatives."""
    return model.gate.has("derivatives") and all(
        g.expert.smooth and g.expert.has("derivatives") for g in model.groups
    )


def supported(model: Model) -> bool:
    """Whether the information is cheap enough to climb with: all of the gate is linear in x."""
    return available(model) and not model.gate.plain


def variables_of(model: Model, params: MoEParams, widths: list[int]) -> Variables:
    """Layout of theta for a model whose components are all linear."""
    first, *rest = model.layout(params)
    if model.gate.plain:
        gate = Span(None, np.arange(first.stop)[:, None])
    else:
        gate = Span(model.gate_design, np.arange(first.stop).reshape(-1, widths[model.gate_design]))
    experts, size, known = [], [first, *rest][-1].stop, False
    for group, p, place in zip(model.groups, params.experts, rest, strict=True):
        own = group.expert.coefficient_places(p)
        known = known or bool((own < 0).any())
        linear = Span(group.design, np.where(own < 0, size, place.start + own))
        plain = Span(None, place.start + group.expert.nuisance_map(p)[..., None])
        experts.append((linear, plain))
    return Variables(gate, experts, size, size + known)


def observed_information(model: Model, params: MoEParams, block: Block) -> InformationStats:
    """Objective, gradient, observed information and outer product of scores on one block.

    The product of mean scores is one matrix product of expanded rows; what Louis' identity takes
    off it couples only the gate with itself, the gate with each expert, and each expert with
    itself.
    """
    layout = variables_of(model, params, [d.width for d in block.designs])
    if block.subjects is not None:
        return _information_of_subjects(model, params, block, layout)
    step = max(64, _SLICE_BYTES // (8 * layout.rows))
    value, gradient = 0.0, np.zeros(layout.rows)
    scores, missing = np.zeros((layout.rows, layout.rows)), Missing(layout)
    with workspace():
        for part in _slices(block, step):
            with frame():
                local = _local(model, params, part)
                expanded = _expand(layout, local, part)
                value += float(local.row @ part.w)
                gradient += expanded @ part.w
                expanded *= np.sqrt(part.w)
                scores += expanded @ expanded.T
                missing.take(local, part)
    D = layout.size
    information = (scores - missing.matrix())[:D, :D]
    return InformationStats(value, gradient[:D], information, scores[:D, :D])


def _slices(block: Block, step: int) -> Iterator[Block]:
    """Blocks of at most ``step`` rows; a block that is small enough is the one slice itself."""
    if block.w.size <= step:
        yield block
        return
    for start in range(0, block.w.size, step):
        rows = slice(start, start + step)
        designs = tuple(Design(d.Z[:, rows]) for d in block.designs)
        yield Block(designs, block.y[..., rows], block.w[rows])


@dataclass(frozen=True)
class Local:
    """Pointwise quantities of one slice.

    Attributes
    ----------
    row : (n,) log-likelihood
    gate : (A, n) mean scores of the gate's variables
    gate_missing : ``sum_k h s s'`` minus the complete curvature of the gate, times the weights:
        (A, A, n), or summed over rows (A, A, 1) where the gate's variables multiply nothing
    s : (A, K, n) complete scores of the gate
    experts : for each group, weighted scores (K, J, n) and ``h (d2 + d d')`` (K, J, J, n)
    """

    row: Floats
    gate: Floats
    gate_missing: Floats
    s: Floats
    experts: list[tuple[int, slice, int, Floats, Floats]]


def _local(model: Model, params: MoEParams, block: Block) -> Local:
    """Pointwise derivatives on one slice."""
    forward = model.evaluate(params, block)
    R, row = forward.posterior()
    S = R * block.w
    s, complete = model.gate.derivatives(params.gate, forward.gate, S)
    mean = np.einsum("kn,akn->an", R, s)
    if model.gate.plain:
        products = [(s[:, k] * S[k]) @ s[:, k].T for k in range(len(S))]
        gate_missing = (np.sum(products, axis=0) - complete)[..., None]
    else:
        gate_missing = np.einsum("akn,bkn->abn", S * s, s) - complete
    experts = []
    for group, p, fwd, share in zip(
        model.groups, params.experts, forward.experts, model.shares, strict=True
    ):
        first, second = group.expert.derivatives(p, fwd, block.y)
        inner = second + first[:, :, None] * first[:, None]
        inner *= R[share][:, None, None]
        weighted = R[share][:, None] * first
        experts.append((group.design, share, p.coef.shape[1], weighted, inner))
    return Local(row, mean, gate_missing, s, experts)


def _expand(layout: Variables, local: Local, block: Block) -> Floats:
    """Gradient of the log-likelihood of every row, without its weight, (D, n)."""
    n = block.w.size
    linear: list[Floats] = []
    plain: list[Floats] = []
    (plain if layout.gate.design is None else linear).append(local.gate)
    for _, _, m, weighted, _ in local.experts:
        linear.append(weighted[:, :m].reshape(-1, n))
        plain.append(weighted[:, m:].reshape(-1, n))
    out = empty((layout.rows, n))
    for (number, places), score in zip(layout.linear, linear, strict=True):
        products = score[:, None] * block.designs[number].Z
        out[places.ravel()] = products.reshape(-1, n)
    out[layout.plain] = 0.0
    np.add.at(out, layout.plain, np.concatenate(plain))
    return out


class Missing:
    """What Louis' identity takes off the product of mean scores, summed over slices.

    Kept as the small products that pairs of variables need - packed Grams, sums with a design,
    plain sums - and laid out as a matrix of theta once. Pairs that multiply the same designs share
    one product. Without ``crossed``, pairs of the gate with an expert are left out.
    """

    def __init__(self, layout: Variables, *, crossed: bool = True) -> None:
        self.size, gate, self.crossed = layout.rows, layout.gate, crossed
        self.pairs = [(gate, gate)]
        for linear, plain in layout.experts:
            for its, other in zip(linear.places, plain.places, strict=True):
                lin, alone = Span(linear.design, its), Span(None, other)
                self.pairs += [(gate, lin), (gate, alone)] if crossed else []
                self.pairs += [(lin, lin), (lin, alone), (alone, alone)]
        self.alike: dict[tuple[int | None, int | None], list[int]] = {}
        for i, (a, b) in enumerate(self.pairs):
            self.alike.setdefault((a.design, b.design), []).append(i)
        self.sums: dict[tuple[int | None, int | None], Floats] = {}

    def take(self, local: Local, block: Block) -> None:
        """Add one slice."""
        weights = [local.gate_missing]
        for _, share, m, weighted, inner in local.experts:
            u, inside = weighted * block.w, inner * block.w
            for k, expert in enumerate(range(share.start, share.stop)):
                if self.crossed:
                    cross = local.s[:, expert, None] * u[k]
                    weights += [cross[:, :m], cross[:, m:]]
                weights += [inside[k, :m, :m], inside[k, :m, m:], inside[k, m:, m:]]
        flat = [omega.reshape(-1, omega.shape[-1]) for omega in weights]
        for designs, numbers in self.alike.items():
            part = _product(designs, [flat[i] for i in numbers], block)
            self.sums[designs] = self.sums[designs] + part if designs in self.sums else part

    def matrix(self) -> Floats:
        """The matrix of theta, (D, D)."""
        out = np.zeros((self.size, self.size))
        for designs, numbers in self.alike.items():
            stop = 0
            for a, b in (self.pairs[i] for i in numbers):
                start, stop = stop, stop + len(a.places) * len(b.places)
                full = _unpacked(a, b, self.sums[designs][start:stop])
                rows, cols = a.places[:, None, :, None], b.places[None, :, None, :]
                np.add.at(out, (rows, cols), full)
                if a is not b:
                    np.add.at(out, (cols, rows), full)
        return out


def _product(designs: tuple[int | None, int | None], weights: list[Floats], block: Block) -> Floats:
    """``sum_n omega_n z_a z_b'`` for every row of some weights (m, n), Grams packed.

    Nothing takes the place of a design that is None.
    """
    known = [block.designs[number] for number in designs if number is not None]
    if not known:
        return np.concatenate([omega.sum(axis=1) for omega in weights])
    count = sum(map(len, weights))
    flat = np.concatenate(weights, out=empty((count, weights[0].shape[1])))
    if len(known) == 1:
        return known[0].scores(flat)
    if designs[0] == designs[1]:
        return known[0].grams(flat)
    return np.einsum("vn,in,jn->vij", flat, known[0].Z, known[1].Z, optimize=True)


def _unpacked(a: Span, b: Span, part: Floats) -> Floats:
    """Sums laid out as (V, U, q_a, q_b)."""
    V, U = len(a.places), len(b.places)
    if a.design is not None and a.design == b.design:
        q = a.places.shape[1]
        return unpack_symmetric(part, q).reshape(V, U, q, q)
    return part.reshape(V, U, a.places.shape[1], b.places.shape[1])


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
    missing.take(local, block)
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
        parts.append((group.design, share, m, np.zeros_like(first), inner))
    if model.gate.plain:
        w = R * block.subject_w
        products = [(s[:, k] * w[k]) @ s[:, k].T for k in range(len(w))]
        missing = (np.sum(products, axis=0) - complete)[..., None]
    else:
        missing = np.einsum("akn,bkn->abn", R * block.subject_w * s, s) - complete
    return gate, experts, R, Local(row, s[:, 0], missing, s, parts)
