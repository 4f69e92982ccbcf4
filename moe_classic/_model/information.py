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
from typing import Any

import numpy as np

from moe_classic._data import Block, Design, Stats
from moe_classic._numerics import empty, frame, unpack_symmetric, workspace
from moe_classic._typing import Floats, Ints

from .model import Model, MoEParams

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
    experts, size = [], [first, *rest][-1].stop
    for group, p, place in zip(model.groups, params.experts, rest, strict=True):
        own = group.expert.coefficient_places(p)
        linear = Span(group.design, np.where(own < 0, size, place.start + own))
        plain = Span(None, place.start + group.expert.nuisance_map(p)[..., None])
        experts.append((linear, plain))
    known = any(group.expert.carried for group in model.groups)
    return Variables(gate, experts, size, size + known)


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
                missing.take(local, part)
    (value, gradient, scores), D = sums, layout.size
    information = (scores - missing.matrix())[..., :D, :D]
    return InformationStats(value, gradient[..., :D], information, scores[..., :D, :D])


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
    for (number, places), score in zip(layout.linear, linear, strict=True):
        products = score[..., None, :] * block.designs[number].Z
        out[..., places.ravel(), :] = products.reshape(*lead, -1, n)
    own = layout.plain
    values = np.concatenate(plain, axis=-2)
    if np.unique(own).size == own.size:
        out[..., own, :] = values
        return out
    out[..., own, :] = 0.0
    np.add.at(np.moveaxis(out, -2, 0), own, np.moveaxis(values, -2, 0))
    return out


@dataclass(frozen=True)
class Couples:
    """Like couples of variables: the designs that they multiply, and where each goes.

    Attributes
    ----------
    designs : numbers of the designs, None where a variable multiplies nothing
    rows, cols : places in theta, (V, ..., q_a, 1) and (V, ..., 1, q_b); they broadcast
    both : whether the transposed matrix needs them, too
    """

    designs: tuple[int | None, int | None]
    rows: Ints
    cols: Ints
    both: bool = True

    @classmethod
    def of(cls, a: Span, b: Span, left: Ints, right: Ints) -> Couples:
        """Couples of variables with places ``left`` (..., q_a) and ``right`` (..., q_b)."""
        return cls((a.design, b.design), left[..., :, None], right[..., None, :], both=a is not b)

    @property
    def shape(self) -> tuple[int, ...]:
        """(V, ..., q_a, q_b)."""
        return np.broadcast_shapes(self.rows.shape, self.cols.shape)

    def places(self, size: int) -> Ints:
        """Places in a flat matrix (size, size), those of the transposed matrix after them."""
        there = (self.rows * size + self.cols).ravel()
        if not self.both:
            return there
        return np.concatenate([there, (self.cols * size + self.rows).ravel()])


def _couples(layout: Variables) -> list[Couples]:
    """All that Louis' identity takes something off: in the order of :func:`_weights`."""
    gate = layout.gate
    g = gate.places
    found = [Couples.of(gate, gate, g[:, None], g[None])]
    for lin, alone in layout.experts:
        u, v = lin.places, alone.places
        found += [
            Couples.of(gate, lin, g[:, None, None], u[None]),
            Couples.of(gate, alone, g[:, None, None], v[None]),
            Couples.of(lin, lin, u[:, :, None], u[:, None]),
            Couples.of(lin, alone, u[:, :, None], v[:, None]),
            Couples.of(alone, alone, v[:, :, None], v[:, None]),
        ]
    return found


def _weights(local: Local, block: Block) -> list[Floats]:
    """Row weights of all couples, (..., V, n)."""
    lead = local.row.shape[:-1]
    found = [local.gate_missing]
    for share, m, weighted, inner in local.experts:
        u, inside = weighted * block.w, inner * block.w
        cross = local.s[..., share, None, :] * u[..., None, :, :, :]
        found += [cross[..., :m, :], cross[..., m:, :]]
        found += [inside[..., :m, :m, :], inside[..., :m, m:, :], inside[..., m:, m:, :]]
    return [a.reshape(*lead, int(np.prod(a.shape[len(lead) : -1])), a.shape[-1]) for a in found]


class Missing:
    """What Louis' identity takes off the product of mean scores, summed over slices.

    Kept as the small products that couples of variables need - packed Grams, sums with a design,
    plain sums - and laid out as a matrix of theta once. Couples that multiply the same designs
    share one product.
    """

    def __init__(self, layout: Variables) -> None:
        self.size, self.couples = layout.rows, _couples(layout)
        self.alike: dict[tuple[int | None, int | None], list[int]] = {}
        for i, couples in enumerate(self.couples):
            self.alike.setdefault(couples.designs, []).append(i)
        self.sums: dict[tuple[int | None, int | None], Floats] = {}

    def take(self, local: Local, block: Block) -> None:
        """Add one slice."""
        weights = _weights(local, block)
        for designs, numbers in self.alike.items():
            part = _product(designs, [weights[i] for i in numbers], block)
            self.sums[designs] = self.sums[designs] + part if designs in self.sums else part

    def matrix(self) -> Floats:
        """The matrix of theta, (D, D)."""
        lead = next(iter(self.sums.values())).shape[:-3]
        values, places = [], []
        for designs, numbers in self.alike.items():
            stop = 0
            for couples in (self.couples[i] for i in numbers):
                start, stop = stop, stop + int(np.prod(couples.shape[:-2]))
                part = self.sums[designs][..., start:stop, :, :].reshape(*lead, -1)
                values += [part, part] if couples.both else [part]
                places.append(couples.places(self.size))
        return _laid_out(np.concatenate(values, axis=-1), np.concatenate(places), self.size)


def _laid_out(values: Floats, places: Ints, size: int) -> Floats:
    """Matrices (..., size, size) with values (..., L) added up at their places (L,)."""
    *lead, _ = values.shape
    count = int(np.prod(lead))
    every = places + size**2 * np.arange(count)[:, None]
    total = count * size**2
    flat = np.bincount(every.ravel(), weights=values.ravel(), minlength=total)
    return flat.reshape(*lead, size, size).astype(np.float64, copy=False)


def _product(designs: tuple[int | None, int | None], weights: list[Floats], block: Block) -> Floats:
    """``sum_n omega_n z_a z_b'`` for every row of some weights (..., V, n), (..., V, q_a, q_b).

    1 takes the place of a design that is None.
    """
    *lead, _, n = weights[0].shape
    numbers = [number for number in designs if number is not None]
    known = [block.designs[number] for number in numbers]
    if not known:
        return np.concatenate([omega.sum(axis=-1) for omega in weights], axis=-1)[..., None, None]
    count = sum(omega.shape[-2] for omega in weights)
    flat = np.concatenate(weights, axis=-2, out=empty((*lead, count, n)))
    if len(known) == 1:
        sums = known[0].scores(flat)
        return sums[..., None, :] if designs[0] is None else sums[..., None]
    rows = flat.reshape(-1, n)
    if designs[0] == designs[1]:
        full = unpack_symmetric(known[0].grams(rows), known[0].width)
    else:
        full = known[1].scores(rows[:, None] * known[0].Z)
    return full.reshape(*lead, count, *full.shape[1:])


def row_scores(model: Model, params: MoEParams, block: Block) -> Floats:
    """Gradient of the log-likelihood of every row, without its weight, (D, n)."""
    layout = variables_of(model, params, [d.width for d in block.designs])
    return _expand(layout, _local(model, params, block), block)[: layout.size]
