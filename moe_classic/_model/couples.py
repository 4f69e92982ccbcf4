"""What Louis' identity takes off the product of mean scores: where it lives in theta, its sums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from moe_classic._data import Block
from moe_classic._numerics import empty, unpack_symmetric
from moe_classic._typing import Floats, Ints

from .model import Model, MoEParams


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

    @cached_property
    def shared(self) -> Ints:
        """Places of slopes that several experts have in common."""
        found = [np.empty(0, dtype=np.intp)]
        for span, _ in self.experts:
            places, counts = np.unique(span.places, return_counts=True)
            found.append(places[(counts > 1) & (places < self.size)])
        return np.concatenate(found)

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


def _couples(layout: Variables, *, crossed: bool) -> list[Couples]:
    """All that Louis' identity takes something off."""
    gate = layout.gate
    g = gate.places
    found = [Couples.of(gate, gate, g[:, None], g[None])]
    for lin, alone in layout.experts:
        u, v = lin.places, alone.places
        if crossed:
            found += [
                Couples.of(gate, lin, g[:, None, None], u[None]),
                Couples.of(gate, alone, g[:, None, None], v[None]),
            ]
        found += [
            Couples.of(lin, lin, u[:, :, None], u[:, None]),
            Couples.of(lin, alone, u[:, :, None], v[:, None]),
            Couples.of(alone, alone, v[:, :, None], v[:, None]),
        ]
    return found


class Missing:
    """What Louis' identity takes off the product of mean scores, summed over slices.

    Kept as the small products that couples of variables need - packed Grams, sums with a design,
    plain sums - and laid out as a matrix of theta once. Couples that multiply the same designs
    share one product. Without ``crossed``, couples of the gate with an expert are left out.

    Weights of the rows come in the order gate with gate; of each group of experts: gate with
    predictors, gate with nuisances, predictors with predictors, predictors with nuisances,
    nuisances with nuisances.
    """

    def __init__(self, layout: Variables, *, crossed: bool = True) -> None:
        self.size, self.couples = layout.rows, _couples(layout, crossed=crossed)
        self.alike: dict[tuple[int | None, int | None], list[int]] = {}
        for i, couples in enumerate(self.couples):
            self.alike.setdefault(couples.designs, []).append(i)
        self.sums: dict[tuple[int | None, int | None], Floats] = {}

    def take(self, weights: list[Floats], block: Block) -> None:
        """Add one slice: weights of its rows for all couples, (..., V, n)."""
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
