"""Which family describes which column, and in which units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from moe_classic._data import DesignMap
from moe_classic._numerics import atom_variance
from moe_classic._typing import Bools, Floats

from .families import FAMILIES, Column
from .guesses import Guess, bends_of, guessed, moments

_OWNER = "MixedGate"
#: Most categories of a column.
_MOST_LEVELS = 1000
#: Share of one half in the typical mean of indicators and counts.
_INSIDE = 1e-3
#: Spread below this share of the size is rounding.
_CONSTANT = 1e-13


def check_families(families: Any) -> None:
    """Raise unless ``families`` is "auto" or names families for columns."""
    known = sorted(FAMILIES)
    if isinstance(families, str) and families == "auto":
        return
    if not isinstance(families, Mapping):
        raise TypeError(
            f"{_OWNER}: families={families!r} must be 'auto' or a dict from columns to one of "
            f"{known}, such as {{'visits': 'poisson'}}."
        )
    for column, family in families.items():
        if not isinstance(family, str) or family not in FAMILIES:
            raise ValueError(
                f"{_OWNER}: families={{{column!r}: {family!r}}} is not known; choose one of "
                f"{known}."
            )


def named_families(families: Any, names: tuple[str, ...]) -> list[str | None]:
    """Family of each feature that the gate sees; None where the data decide."""
    out: list[str | None] = [None] * len(names)
    for key, family in {} if isinstance(families, str) else families.items():
        whole = isinstance(key, (int, np.integer)) and not isinstance(key, bool)
        if isinstance(key, str) and key in names:
            place = names.index(key)
        elif whole and -len(names) <= key < len(names):
            place = int(key) % len(names)
        else:
            raise ValueError(
                f"{_OWNER}: families names {key!r}, which is no feature of the gate; these are "
                f"{list(names[:8])}{'...' if len(names) > 8 else ''}."
            )
        if out[place] is not None:
            raise ValueError(f"{_OWNER}: families names the feature {names[place]!r} twice.")
        out[place] = family
    return out


def described(
    families: Any, design: DesignMap, raw: Floats, w: Floats, low: float, *, standardize: bool
) -> tuple[tuple[Column, ...], DesignMap]:
    """Columns as the gate describes them, and the design in units that suit their families.

    Parameters
    ----------
    families : as the user gave them
    design : what the gate sees of X
    raw : features before standardisation (n, p), with NaN where they are missing
    w : (n,)
    low : smallest variance
    standardize : whether units of continuous columns are to be their spreads
    """
    seen = np.isfinite(raw)
    named = named_families(families, design.names)
    guesses = [
        Guess(name) if name else guessed(_known(raw, seen, j), w[seen[:, j]], bends=standardize)
        for j, name in enumerate(named)
    ]
    design = design.bent(bends_of(guesses))
    raw = raw if design.bends is None else design.bends(raw)
    columns, centre, inverse = [], np.zeros(raw.shape[1]), np.ones(raw.shape[1])
    for j, guess in enumerate(guesses):
        x, weight = _known(raw, seen, j), w[seen[:, j]]
        levels = _checked(guess.family, x, design.names[j])
        centre[j], inverse[j] = _units(guess.family, x, weight, standardize=standardize)
        z = (x - centre[j]) * inverse[j]
        columns.append(_column(guess.family, levels, z, weight, low))
    return tuple(columns), replace(design, centre=centre, inverse=inverse)


def _known(raw: Floats, seen: Bools, j: int) -> Floats:
    """Values of a column that are not missing."""
    return np.asarray(raw[seen[:, j], j], dtype=np.float64)


def _units(name: str, x: Floats, w: Floats, *, standardize: bool) -> tuple[float, float]:
    """Centre and inverse unit of a column; counts and categories keep theirs."""
    family, centre, inverse = FAMILIES[name], 0.0, 1.0
    if not x.size or not (family.centred or family.scaled):
        return centre, inverse
    mean, spread = moments(x, w)
    varies = spread > _CONSTANT * np.abs(x).max()
    if family.centred:
        centre = mean
    if family.centred and not varies:
        inverse = 0.0
    elif standardize and varies:
        inverse = 1.0 / spread
    return centre, inverse


def _checked(name: str, x: Floats, column: str) -> tuple[float, ...]:
    """Levels of a column, none but of categories; raises where its values do not suit."""
    family = FAMILIES[name]
    levels: tuple[float, ...] = ()
    if name == "categorical":
        levels = tuple(np.unique(x).tolist())
        wrong = x[np.rint(x) != x]
        if len(levels) > _MOST_LEVELS:
            raise ValueError(
                f"{_OWNER}: families gives {column!r} as 'categorical', but it has {len(levels)} "
                f"values, more than {_MOST_LEVELS}; leave it out or describe it as 'gaussian'."
            )
    else:
        wrong = x[~family.supports(x, ())]
    if wrong.size:
        raise ValueError(
            f"{_OWNER}: families gives {column!r} as {name!r}, whose values are {family.says}, "
            f"but X has {wrong[0]:g} in it; choose another of {sorted(FAMILIES)}."
        )
    return levels


def _column(name: str, levels: tuple[float, ...], z: Floats, w: Floats, low: float) -> Column:
    """A column with the density of all rows, in units of the design."""
    family = FAMILIES[name]
    if not z.size:
        return unseen(name, low)
    sums = family.statistics(z, levels) @ w / w.sum()
    if family.discrete and name != "categorical":
        # A little inside the range: all 0 is no proof of never. A share, so that weights may have
        # any unit and a weight of 2 is a repeated row.
        sums = sums * np.array([1.0, 1.0 - _INSIDE]) + np.array([0.0, 0.5 * _INSIDE])
    typical = family.fitted(sums[None], low)[0]
    return Column(name, levels, low, typical, sums if family.discrete else 0.0 * sums)


def unseen(name: str, low: float) -> Column:
    """A column of which no value is known."""
    family = FAMILIES[name]
    levels = (0.0,) if name == "categorical" else ()
    typical = {"gaussian": [0.0, 1.0], "bernoulli": [0.5]}.get(name, [1.0] * len(family.kinds))
    prior = (
        np.array([1.0, typical[0]])
        if name in ("bernoulli", "poisson")
        else np.zeros(family.width(levels)[2])
    )
    return Column(name, levels, low, np.array(typical), prior)


def floor_of(column: Column, z: Floats, w: Floats) -> float:
    """Variance that densities of a continuous column must have where values repeat."""
    family = FAMILIES[column.family]
    if not (family.centred or family.scaled):
        return 0.0
    known = family.supports(z, column.levels)
    if not known.any():
        return 0.0
    x = np.log(z[known]) if column.family == "gamma" else z[known]
    return atom_variance(x, w[known])
