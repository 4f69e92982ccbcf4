"""What tables speak of: parameters on the user's scales, and how they follow theta.

A model works with one unconstrained vector theta for standardised data. Users read slopes, scales
and proportions in their own units. Each component turns its piece of theta into such *terms*, a
:class:`ComponentTerms`. Coefficients follow theta linearly; the other terms are smooth functions
whose derivatives are written down, or taken by central differences in standardised units (relative
error 1e-9), so that no rounding of large offsets enters.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import numpy as np

from moe_classic._data import DesignMap
from moe_classic._typing import Floats, Ints

from .fields import Bounds, constraint_of, pack_field, unpack_field

#: (part, expert, kind, term), as in the tables. The kind says what a term is, whatever the columns
#: of X are called: a slope called "scale" is no scale.
Label = tuple[str, str, str, str]
INTERCEPT, SLOPE, SCALE, STD = "intercept", "slope", "scale", "std"
CORRELATION_KIND, MEAN, WEIGHT = "correlation", "mean", "weight"

LINE = (-np.inf, np.inf)
POSITIVE = (0.0, np.inf)
SHARE = (0.0, 1.0)
CORRELATION = (-1.0, 1.0)
#: Step of a central difference in coordinates of order one: the error is near its least.
_STEP = 1e-6


@dataclass(frozen=True)
class Units:
    """In which units, and under which names, users read the parameters of one component.

    Attributes
    ----------
    design : DesignMap
        What the component sees of X.
    labels : list of str
        Names of its experts.
    parts : list of str
        What the part of an expert's terms is called, one an output.
    shift, factor : (d,)
        The user's target is ``shift + factor * y``.
    """

    design: DesignMap
    labels: list[str]
    parts: list[str]
    shift: Floats
    factor: Floats


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


def joined_terms(parts: list[ComponentTerms]) -> ComponentTerms:
    """Several parts of one component; each sees all of its parameters and all coordinates."""
    return ComponentTerms(
        [label for p in parts for label in p.labels],
        [pair for p in parts for pair in p.bounds],
        [label for p in parts for label in p.coordinates],
        lambda params: np.concatenate([p.values(params) for p in parts]),
        lambda params: block_diagonal([p.jacobian(params) for p in parts]),
    )


def block_diagonal(blocks: list[Floats]) -> Floats:
    """Blocks (M_i, D_i) along the diagonal, empty ones too."""
    shapes = np.array([b.shape for b in blocks])
    out = np.zeros(shapes.sum(axis=0))
    at = np.zeros(2, dtype=np.intp)
    for block, shape in zip(blocks, shapes, strict=True):
        out[at[0] : at[0] + shape[0], at[1] : at[1] + shape[1]] = block
        at = at + shape
    return out


def differences(f: Callable[[Floats], Floats], x: Floats) -> Floats:
    """Derivatives (M, D) of ``f`` at ``x`` (D,), coordinates of order one."""
    columns = []
    for i in range(x.size):
        step = np.zeros(x.size)
        step[i] = _STEP * max(1.0, abs(x[i]))
        columns.append((f(x + step) - f(x - step)) / (2.0 * step[i]))
    return np.array(columns).reshape(x.size, -1).T


def spoken(kind: str, term: str, kinds: Container[str]) -> str:
    """A term in running text and on axes: ``x0``, ``scale``, ``mean x0``.

    A slope of a column that is called like one of the ``kinds`` is told as ``slope scale``.
    """
    plain = kind == term or (kind == SLOPE and term not in kinds)
    return term if plain else f"{kind} {term}"


# ------------------------------------------------------------------------- linear predictors


def _line_map(design: DesignMap) -> Floats:
    """Matrix (q, q) from standardised coefficients to the raw (intercept, slopes)."""
    q = len(design.names) + 1
    out = np.zeros((q, q))
    out[1:, :-1] = np.diag(design.inverse)
    out[0, :-1] = -design.inverse * design.centre
    out[0, -1] = design.constant
    return out if design.constant else out[1:]


def _raw_lines(design: DesignMap, coef: Floats) -> Floats:
    """Raw (intercept, slopes) of coefficients (..., q), flat."""
    slopes, intercepts = design.original(coef)
    if not design.constant:
        return slopes.ravel()
    return np.concatenate([intercepts[..., None], slopes], axis=-1).ravel()


def line_terms(
    design: DesignMap,
    heads: list[tuple[str, str]],
    coef_of: Callable[[Any], Floats],
    factors: Floats | None = None,
) -> ComponentTerms:
    """Lines on the raw scale of the features.

    Parameters
    ----------
    design : DesignMap
    heads : (part, expert) of each line
    coef_of : params -> standardised coefficients, (..., q), in the units of the user's target
    factors : what one unit of the model's target is in those of the user, one a line; default 1
    """
    slopes_of = [(SLOPE, name) for name in design.names]
    names = [(INTERCEPT, INTERCEPT), *slopes_of] if design.constant else slopes_of
    slopes: Floats = np.asarray(
        np.kron(np.eye(len(heads)) if factors is None else np.diag(factors), _line_map(design)),
        dtype=np.float64,
    )
    return ComponentTerms(
        [(*head, *term) for head in heads for term in names],
        [LINE] * (len(heads) * len(names)),
        [(*head, *term) for head in heads for term in (*slopes_of, (INTERCEPT, INTERCEPT))],
        lambda params: _raw_lines(design, coef_of(params)),
        lambda params: slopes,
    )


def shared_lines(lines: ComponentTerms, places: Ints) -> ComponentTerms:
    """Lines some of whose slopes are one for all experts: these come last, a term each.

    Parameters
    ----------
    lines : terms of all lines, as if each slope was free
    places : (L,) where each coordinate of ``lines`` stands; several of one place are one
    """
    first, counts = np.unique(places, return_index=True, return_counts=True)[1:]
    spread: Floats = np.asarray(np.equal.outer(places, np.arange(counts.size)), dtype=np.float64)
    close = [lines.coordinates[i] for i in first]
    one = [label for label, count in zip(close, counts, strict=True) if count > 1]
    several = {lines.coordinates[i] for i in np.flatnonzero(counts[places] > 1)}
    rows = [i for i, label in enumerate(lines.labels) if label not in several]
    rows += [lines.labels.index(label) for label in one]

    def said(label: Label) -> Label:
        return (label[0], "all", *label[2:]) if label in several else label

    return ComponentTerms(
        [said(lines.labels[i]) for i in rows],
        [lines.bounds[i] for i in rows],
        [said(label) for label in close],
        lambda params: lines.values(params)[rows],
        lambda params: (lines.jacobian(params) @ spread)[rows],
    )


# ------------------------------------------------------------------------- other fields


def field_terms(
    name: str,
    kind: Any,
    bounds: Bounds,
    like: Floats,
    value_of: Callable[[Any], Floats],
    units: Units,
) -> ComponentTerms:
    """Terms of one field besides the coefficients.

    Parameters
    ----------
    name : what the terms are called
    kind, bounds : its constraint
    like : the value (K or 1, V)
    value_of : params -> such a value in the units of the user
    units : names of experts and outputs
    """
    constraint = constraint_of(kind)
    count = like[0].size
    owners = units.labels if len(like) == len(units.labels) else ["all"]
    alone = count == len(units.parts)
    titles = [(part, name) for part in units.parts] if alone else _numbered(name, count)
    coordinates = constraint.pack(like, bounds)[0].size
    labels = [(part, owner, name, term) for owner in owners for part, term in titles]
    close = [(part, owner, name, term) for owner in owners for part, term in titles[:coordinates]]
    return ComponentTerms(
        labels,
        [constraint.interval(bounds)] * len(labels),
        close,
        lambda params: value_of(params).ravel(),
        lambda params: block_diagonal([constraint.slope(v, bounds) for v in value_of(params)]),
    )


def _numbered(name: str, count: int) -> list[tuple[str, str]]:
    """Titles of the entries of a field that has not one an output."""
    names = [name] if count == 1 else [f"{name} {j}" for j in range(count)]
    return [("expert", term) for term in names]


def covariance_terms(name: str, like: Floats, units: Units) -> ComponentTerms:
    """Standard deviations and correlations behind Cholesky factors (K or 1, d, d)."""
    parts, d = units.parts, len(units.parts)
    short = [part.removeprefix("expert: ") for part in parts]
    rows, cols = np.tril_indices(d)

    def title(owner: str, a: int, b: int) -> Label:
        kind, term = (SCALE, SCALE) if a == b else (CORRELATION_KIND, short[b])
        return parts[a], owner, kind, term

    entries = [(int(a), int(b)) for a, b in zip(rows, cols, strict=True)]
    pairs = [(a, b) for a, b in entries if a != b]
    places = [*((j, j) for j in range(d)), *pairs]
    ratio = np.concatenate([units.factor, np.ones(len(pairs))])

    def jacobian_of(L: Floats) -> Floats:
        # In units in which every standard deviation is one, all coordinates are of order one.
        # Logarithms of the diagonal only shift with the unit, entries below it scale.
        unit = np.sqrt((L**2).sum(axis=1))
        slope = differences(
            lambda x: covariance_moments(unpack_field("cholesky", x[None])[0]),
            pack_field("cholesky", (L / unit[:, None])[None])[0],
        )
        slope *= np.concatenate([unit, np.ones(len(pairs))])[:, None]
        return ratio[:, None] * slope / np.where(rows == cols, 1.0, unit[rows])

    owners = units.labels if len(like) == len(units.labels) else ["all"]
    return ComponentTerms(
        [title(owner, a, b) for owner in owners for a, b in places],
        ([POSITIVE] * d + [CORRELATION] * len(pairs)) * len(owners),
        [title(owner, a, b) for owner in owners for a, b in entries],
        lambda params: np.concatenate(
            [ratio * covariance_moments(L) for L in getattr(params, name)]
        ),
        lambda params: block_diagonal([jacobian_of(L) for L in getattr(params, name)]),
    )


def covariance_moments(L: Floats) -> Floats:
    """Standard deviations, then correlations row by row, of the covariance L L'."""
    C = L @ L.T
    s = np.sqrt(np.diag(C))
    rows, cols = np.tril_indices(len(s), -1)
    return np.concatenate([s, C[rows, cols] / (s[rows] * s[cols])])


# ------------------------------------------------------------------------- proportions


def proportion_terms(labels: list[str], part: str = "gate", term: str = WEIGHT) -> ComponentTerms:
    """Mixing proportions; coordinates are their logits relative to the last. None for K = 1."""
    K = len(labels)
    names = [(part, label, term, term) for label in labels] if K > 1 else []

    def jacobian(params: Any) -> Floats:
        pi = params.proportions
        return (np.diag(pi) - np.outer(pi, pi))[: len(names), :-1]

    return ComponentTerms(
        names,
        [SHARE] * len(names),
        names[:-1],
        lambda params: params.proportions[: len(names)],
        jacobian,
    )
