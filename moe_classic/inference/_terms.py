"""What the tables speak of: parameters on the user's scales, and how they follow theta.

A model works with one unconstrained vector theta for standardised data. Users read slopes, scales
and proportions in their own units. Each component is a :class:`ComponentTerms` that turns its
piece of theta into such *terms*. Coefficients follow theta linearly; the other terms are smooth
functions whose derivatives are written down, or taken by central differences in standardised units
(relative error 1e-9), so that no rounding of large offsets enters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._components import pack_field, unpack_field
from moe_classic._data import DesignMap
from moe_classic._model import Group, MoEParams
from moe_classic._typing import Floats

from ._case import FittedModel

#: (part, expert, term), as in the tables.
Label = tuple[str, str, str]

_LINE = (-np.inf, np.inf)
_POSITIVE = (0.0, np.inf)
_SHARE = (0.0, 1.0)
_CORRELATION = (-1.0, 1.0)
#: Step of a central difference in coordinates of order one: the error is near its least.
_STEP = 1e-6


@dataclass(frozen=True)
class ComponentTerms:
    """Terms of one component.

    Attributes
    ----------
    labels : list of M labels
    bounds : list of M (low, high), the open interval in which a term lies
    coordinates : list of D labels, the term to which each coordinate of theta is closest
    values : params -> (M,)
    jacobian : params -> (M, D)
    """

    labels: list[Label]
    bounds: list[tuple[float, float]]
    coordinates: list[Label]
    values: Callable[[Any], Floats]
    jacobian: Callable[[Any], Floats]


def _joined(parts: list[ComponentTerms]) -> ComponentTerms:
    """Several parts of one component; each sees all of its parameters and all coordinates."""
    return ComponentTerms(
        [label for p in parts for label in p.labels],
        [pair for p in parts for pair in p.bounds],
        [label for p in parts for label in p.coordinates],
        lambda params: np.concatenate([p.values(params) for p in parts]),
        lambda params: _block_diagonal([p.jacobian(params) for p in parts]),
    )


def _block_diagonal(blocks: list[Floats]) -> Floats:
    """Blocks (M_i, D_i) along the diagonal, empty ones too."""
    shapes = np.array([b.shape for b in blocks])
    out = np.zeros(shapes.sum(axis=0))
    at = np.zeros(2, dtype=np.intp)
    for block, shape in zip(blocks, shapes, strict=True):
        out[at[0] : at[0] + shape[0], at[1] : at[1] + shape[1]] = block
        at = at + shape
    return out


class Terms:
    """All terms of a case: experts one by one, for each output, then the gate."""

    def __init__(self, case: FittedModel) -> None:
        parts, names = [_gate_terms(case)], iter(case.labels)
        for number, group in enumerate(case.model.groups):
            labels = [next(names) for _ in range(group.count)]
            parts.append(_expert_terms(case, number, group, labels))
        self._parts = parts
        stack = [label for p in parts for label in p.labels]
        self._order = _table_order(stack, case.labels)
        bounds = [pair for p in parts for pair in p.bounds]
        self.labels: list[Label] = [stack[i] for i in self._order]
        self.bounds = np.array([bounds[i] for i in self._order]).reshape(-1, 2)
        self.coordinates: list[Label] = [label for p in parts for label in p.coordinates]

    def index(self) -> pd.MultiIndex:
        """Labels as an index whose rows are sorted, so that it can be looked into by part."""
        columns = list(zip(*self.labels, strict=True))
        levels = [list(dict.fromkeys(column)) for column in columns]
        codes = [
            [level.index(value) for value in column]
            for level, column in zip(levels, columns, strict=True)
        ]
        return pd.MultiIndex(levels=levels, codes=codes, names=["part", "expert", "term"])

    def values(self, params: MoEParams) -> Floats:
        """Terms (M,) at parameters for the standardised target."""
        pieces = (params.gate, *params.experts)
        values = [p.values(piece) for p, piece in zip(self._parts, pieces, strict=True)]
        return np.concatenate(values)[self._order]

    def jacobian(self, params: MoEParams) -> Floats:
        """Derivatives of the terms in theta, (M, D)."""
        pieces = (params.gate, *params.experts)
        blocks = [p.jacobian(piece) for p, piece in zip(self._parts, pieces, strict=True)]
        return _block_diagonal(blocks)[self._order]


def _table_order(labels: list[Label], experts: list[str]) -> list[int]:
    """Part by part, the gate last; expert by expert, what they share last."""
    parts = sorted(dict.fromkeys(part for part, _, _ in labels), key="gate".__eq__)
    owners = list(dict.fromkeys([*experts, *(name for _, name, _ in labels)]))
    keys = [(parts.index(part), owners.index(name)) for part, name, _ in labels]
    return sorted(range(len(keys)), key=keys.__getitem__)


def _differences(f: Callable[[Floats], Floats], x: Floats) -> Floats:
    """Derivatives (M, D) of ``f`` at ``x`` (D,), coordinates of order one."""
    columns = []
    for i in range(x.size):
        step = np.zeros(x.size)
        step[i] = _STEP * max(1.0, abs(x[i]))
        columns.append((f(x + step) - f(x - step)) / (2.0 * step[i]))
    return np.array(columns).reshape(x.size, -1).T


# ------------------------------------------------------------------------- linear predictors


def _line_map(design: DesignMap) -> Floats:
    """Matrix (q, q) from standardised coefficients to the raw (intercept, slopes)."""
    q = design.width
    out = np.zeros((q, q))
    out[1:, :-1] = np.diag(design.inverse)
    out[0, :-1] = -design.inverse * design.centre
    out[0, -1] = 1.0
    return out


def _raw_lines(design: DesignMap, coef: Floats) -> Floats:
    """Raw (intercept, slopes) of coefficients (..., q), flat."""
    slopes, intercepts = design.original(coef)
    return np.concatenate([intercepts[..., None], slopes], axis=-1).ravel()


def _line_labels(heads: list[tuple[str, str]], design: DesignMap) -> list[Label]:
    """Labels of raw lines: the intercept, then the slopes."""
    return [(*head, term) for head in heads for term in ("intercept", *design.names)]


def _coordinate_labels(heads: list[tuple[str, str]], design: DesignMap) -> list[Label]:
    """Labels of standardised coefficients: the slopes, then the intercept."""
    return [(*head, term) for head in heads for term in (*design.names, "intercept")]


def _parts_of(outputs: list[str]) -> list[str]:
    """What the part of an expert's terms is called, one an output."""
    return ["expert"] if len(outputs) == 1 else [f"expert: {name}" for name in outputs]


# ------------------------------------------------------------------------- experts


def _expert_terms(
    case: FittedModel, number: int, group: Group, labels: list[str]
) -> ComponentTerms:
    """Terms of a group of linear experts: lines, then scales and the like, expert by expert."""
    expert, design = group.expert, case.maps[group.design]
    like = case.params.experts[number]
    outputs = _parts_of(case.outputs)
    heads = [(part, label) for label in labels for part in outputs]
    equivariant = expert.equivariant
    factor = case.factor if equivariant else np.ones(len(outputs))

    def original(params: Any) -> Any:
        return expert.rescale(params, case.shift, case.factor) if equivariant else params

    line = _line_map(design)
    slopes: Floats = np.asarray(np.kron(np.diag(np.tile(factor, len(labels))), line), np.float64)
    parts = [
        ComponentTerms(
            _line_labels(heads, design),
            [_LINE] * like.coef.size,
            _coordinate_labels(heads, design),
            lambda params: _raw_lines(design, original(params).coef),
            lambda params: slopes,
        )
    ]
    parts += [
        _nuisance_part(name, expert, like, original, factor, outputs, labels)
        for name in expert.free_nuisances(like)
    ]
    return _joined(parts)


def _nuisance_part(
    name: str,
    expert: Any,
    like: Any,
    original: Callable[[Any], Any],
    factor: Floats,
    outputs: list[str],
    labels: list[str],
) -> ComponentTerms:
    """Terms of one field besides the coefficients."""
    value = getattr(like, name)
    owners = labels if len(value) == len(labels) else ["all"]
    kind, bounds = expert.nuisances[name], expert.bounds(name)
    if kind == "cholesky":
        return _cholesky_terms(name, factor, owners, outputs)
    own = outputs if value.reshape(len(value), -1).shape[1] == len(outputs) else ["expert"]
    names = [(part, owner, name) for owner in owners for part in own]
    low, high = bounds if kind == "interval" and bounds is not None else _POSITIVE

    def slope(params: Any) -> Floats:
        v = getattr(original(params), name).ravel()
        return np.diag(v if np.isinf(high) else (v - low) * (high - v) / (high - low))

    return ComponentTerms(
        names,
        [(low, high)] * len(names),
        names,
        lambda params: getattr(original(params), name).ravel(),
        slope,
    )


def _cholesky_terms(
    name: str, factor: Floats, owners: list[str], outputs: list[str]
) -> ComponentTerms:
    """Standard deviations and correlations behind Cholesky factors (K or 1, d, d)."""
    d = len(outputs)
    short = [part.removeprefix("expert: ") for part in outputs]
    rows, cols = np.tril_indices(d)

    def title(a: int, b: int) -> tuple[str, str]:
        return outputs[a], "scale" if a == b else f"correlation {short[b]}"

    entries = [(int(a), int(b)) for a, b in zip(rows, cols, strict=True)]
    pairs = [(a, b) for a, b in entries if a != b]
    terms = [title(j, j) for j in range(d)] + [title(a, b) for a, b in pairs]
    lower = [title(a, b) for a, b in entries]
    ratio = np.concatenate([factor, np.ones(len(pairs))])

    def jacobian_of(L: Floats) -> Floats:
        # In units in which every standard deviation is one, all coordinates are of order one.
        # Logarithms of the diagonal only shift with the unit, entries below it scale.
        unit = np.sqrt((L**2).sum(axis=1))
        slope = _differences(
            lambda x: _moments(unpack_field("cholesky", x[None])[0]),
            pack_field("cholesky", (L / unit[:, None])[None])[0],
        )
        slope *= np.concatenate([unit, np.ones(len(pairs))])[:, None]
        return ratio[:, None] * slope / np.where(rows == cols, 1.0, unit[rows])

    return ComponentTerms(
        [(part, owner, term) for owner in owners for part, term in terms],
        ([_POSITIVE] * d + [_CORRELATION] * len(pairs)) * len(owners),
        [(part, owner, term) for owner in owners for part, term in lower],
        lambda params: np.concatenate([ratio * _moments(L) for L in getattr(params, name)]),
        lambda params: _block_diagonal([jacobian_of(L) for L in getattr(params, name)]),
    )


def _moments(L: Floats) -> Floats:
    """Standard deviations, then correlations row by row, of the covariance L L'."""
    C = L @ L.T
    s = np.sqrt(np.diag(C))
    rows, cols = np.tril_indices(len(s), -1)
    return np.concatenate([s, C[rows, cols] / (s[rows] * s[cols])])


# ------------------------------------------------------------------------- gates


def _gate_terms(case: FittedModel) -> ComponentTerms:
    """Terms of the gate."""
    gate, design = case.params.gate, case.maps[case.model.gate_design]
    if hasattr(gate, "means"):
        return _gaussian_terms(case, design)
    if hasattr(gate, "proportions"):
        return _proportion_terms(case.labels)
    if hasattr(gate, "shape"):
        below = [c for j in gate.shape.inner for c in gate.shape.children_of(j)[:-1]]
        paths = gate.shape.paths()
        rows = ["node " + ".".join(str(i + 1) for i in paths[c]) for c in below]
    else:
        rows = case.labels[:-1]
    heads = [("gate", row) for row in rows]
    slopes: Floats = np.asarray(np.kron(np.eye(len(rows)), _line_map(design)), np.float64)
    return ComponentTerms(
        _line_labels(heads, design),
        [_LINE] * gate.coef.size,
        _coordinate_labels(heads, design),
        lambda params: _raw_lines(design, params.coef),
        lambda params: slopes,
    )


def _proportion_terms(labels: list[str]) -> ComponentTerms:
    """Mixing proportions; coordinates are their logits relative to the last. None for K = 1."""
    K = len(labels)
    names = [("gate", label, "weight") for label in labels] if K > 1 else []

    def jacobian(params: Any) -> Floats:
        pi = params.proportions
        return (np.diag(pi) - np.outer(pi, pi))[: len(names), :-1]

    return ComponentTerms(
        names,
        [_SHARE] * len(names),
        names[:-1],
        lambda params: params.proportions[: len(names)],
        jacobian,
    )


def _gaussian_terms(case: FittedModel, design: DesignMap) -> ComponentTerms:
    """Proportions, means, standard deviations and correlations of a Gaussian gate."""
    K, p = case.params.gate.means.shape
    unit = design.unit
    heads = [("gate", label, f"mean {name}") for label in case.labels for name in design.names]
    means = ComponentTerms(
        heads,
        [_LINE] * (K * p),
        heads,
        lambda params: (design.centre + params.means * unit).ravel(),
        lambda params: np.diag(np.tile(unit, K)),
    )
    return _joined([_proportion_terms(case.labels), means, _spread_terms(case, design, unit)])


def _spread_terms(case: FittedModel, design: DesignMap, unit: Floats) -> ComponentTerms:
    """Standard deviations and correlations of the features under a Gaussian gate."""
    gate, like, names = case.model.gate, case.params.gate, design.names
    p = len(names)
    owners = case.labels if len(like.chol) == case.model.n_experts else ["all"]
    rows, cols = np.tril_indices(p)
    lower = [
        f"std {names[a]}" if a == b else f"correlation {names[a]} {names[b]}"
        for a, b in zip(rows, cols, strict=True)
    ]
    # Of a diagonal factor only the diagonal is free.
    free = np.flatnonzero((rows == cols) | (gate.covariance_type != "diag"))
    terms = [f"std {name}" for name in names]
    terms += [lower[i] for i in free if rows[i] != cols[i]]
    scale = np.concatenate([unit, np.ones(len(terms) - p)])

    def spread(free_entries: Floats) -> Floats:
        entries = np.zeros(rows.size)
        entries[free] = free_entries
        return scale * _moments(unpack_field("cholesky", entries[None])[0])[: len(terms)]

    def entries_of(chol: Floats) -> Floats:
        return pack_field("cholesky", chol[None])[0][free]

    return ComponentTerms(
        [("gate", owner, term) for owner in owners for term in terms],
        ([_POSITIVE] * p + [_CORRELATION] * (len(terms) - p)) * len(owners),
        [("gate", owner, lower[i]) for owner in owners for i in free],
        lambda params: np.concatenate([spread(entries_of(L)) for L in params.chol]),
        lambda params: _block_diagonal([_differences(spread, entries_of(L)) for L in params.chol]),
    )
