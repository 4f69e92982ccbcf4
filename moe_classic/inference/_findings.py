"""What a reader of the tables must know: bounds, constant columns, separated regions, penalties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh

from moe_classic._components import Component
from moe_classic._results import ALIASED, CONSTANT, SEPARATED
from moe_classic._typing import Bools, Floats, Ints

from ._case import FittedModel
from ._curvature import SINGULAR, Curvature, masses

#: Share of the curvature along a direction beyond which the penalty decides, not the data.
_PENALTY_SHARE = 0.5
#: Relative distance of an interval parameter from its bound that is no distance.
_AT_BOUND = 1e-6
#: The same where the likelihood still rises towards the bound.
_NEAR_BOUND = 1e-3
#: Length of an interval, relative to its low end, beyond which distances from there are no shares.
_LONG = 200.0
#: Part of a direction without effect from which on a coefficient is told to be in it.
_ALIASED_PART = 1e-6
#: Share of a direction that a parameter needs to be named.
_NAMED = 0.1


@dataclass(frozen=True)
class Caveat:
    """Something that a reader of the tables must know.

    Attributes
    ----------
    places : coordinates of theta concerned
    note : what is written beside the terms that depend on them
    fixed : whether these coordinates are held at their values
    directions : (D, R) along which nothing is known, instead of single coordinates, or None
    """

    places: Ints
    note: str
    fixed: bool = False
    directions: Floats | None = None


def caveats(case: FittedModel, seen: Curvature) -> list[Caveat]:
    """Parameters at bounds, columns without variation, separated regions."""
    found, starts = [], _starts(case)
    found += _constant_columns(case, starts)
    found += _aliased(case)
    found += _separated(case)
    mass = masses(case)
    found += _gate_findings(case, starts[0])
    for number in range(len(case.model.groups)):
        found += _starved_experts(case, mass, number, starts[number + 1])
        found += _expert_findings(case, seen, number, starts[number + 1])
    found += _penalty_findings(seen, fixed_places(found, seen.gradient.size))
    return found


def fixed_places(found: list[Caveat], size: int) -> Bools:
    """Which coordinates are held at their values, (D,)."""
    fixed = np.zeros(size, dtype=bool)
    for f in found:
        fixed[f.places] |= f.fixed
    return fixed


def _starved_experts(case: FittedModel, mass: Floats, number: int, start: int) -> list[Caveat]:
    """Experts that explain fewer rows than a line has coefficients."""
    expert = case.model.groups[number].expert
    places = expert.coefficient_places(case.params.experts[number])
    line = int((places[0, :1] >= 0).sum())
    few = np.flatnonzero(mass[case.model.shares[number]] < line)
    # A slope that experts share is not theirs alone.
    alone = np.bincount(places[places >= 0]) == 1
    places = places[few][places[few] >= 0]
    places = places[alone[places]]
    note = "the expert explains fewer rows than it has coefficients"
    return [Caveat(start + places, note)] if few.size else []


def _starts(case: FittedModel) -> list[int]:
    """First coordinate of the gate and of each group."""
    sizes = [case.model.gate.pack(case.params.gate).size]
    for group, p in zip(case.model.groups, case.params.experts, strict=True):
        sizes.append(group.expert.pack(p).size)
    return [0, *np.cumsum(sizes)[:-1].tolist()]


def _constant_columns(case: FittedModel, starts: list[int]) -> list[Caveat]:
    """Slopes of features that do not vary."""
    model, params, found = case.model, case.params, []
    parts: list[tuple[int, Component, Any]]
    parts = [(model.gate_design, model.gate, params.gate)]
    parts += [(g.design, g.expert, p) for g, p in zip(model.groups, params.experts, strict=True)]
    for start, (number, component, p) in zip(starts, parts, strict=True):
        dead = np.flatnonzero(case.maps[number].inverse == 0.0)
        places = component.about(p, dead) if dead.size else dead
        if places.size:
            found.append(Caveat(start + places, CONSTANT, fixed=True))
        if not case.maps[number].constant:
            # No term of the tables: it is 0 by the user's will.
            absent = component.about(p, np.array([-1]))
            found.append(Caveat(start + absent, "", fixed=True))
    return found


def _aliased(case: FittedModel) -> list[Caveat]:
    """Coefficients along whose directions no linear predictor moves."""
    places = np.flatnonzero((np.abs(case.null) > _ALIASED_PART).any(axis=1))
    return [Caveat(places, ALIASED, directions=case.null)] if places.size else []


def _gate_findings(case: FittedModel, start: int) -> list[Caveat]:
    """Proportions of zero."""
    gate, params = case.model.gate, case.params.gate
    zero = gate.vanished(params)
    if zero.size:
        return [Caveat(start + zero, "at its lower bound 0", fixed=True)]
    return []


def _separated(case: FittedModel) -> list[Caveat]:
    """Coefficients that the data push to infinity."""
    directions = case.open[:, case.null.shape[1] :]
    places = np.flatnonzero((np.abs(directions) > _ALIASED_PART).any(axis=1))
    return [Caveat(places, SEPARATED, directions=directions)] if places.size else []


def _expert_findings(case: FittedModel, seen: Curvature, number: int, start: int) -> list[Caveat]:
    """Scales at their floor and interval parameters at a bound."""
    expert, p = case.model.groups[number].expert, case.params.experts[number]
    low, found = np.asarray(expert.degenerate(p, case.summary)), []
    for name, value, bounds, at in expert.fields(p):
        places = start + at
        found += _singular_findings(expert, name, value, places)
        if bounds is not None:
            found += _bound_findings(name, value, bounds, places, seen)
        elif name in expert.floored and low.any():
            mine = places[low] if len(places) == len(low) else places
            note = "at its lower bound min_scale: the expert interpolates its rows"
            found.append(Caveat(mine.ravel(), note, fixed=True))
    return found


def _singular_findings(expert: Any, name: str, value: Floats, places: Ints) -> list[Caveat]:
    """Entries near a value at which no information is left."""
    if name not in expert.singular_near:
        return []
    centre, reach = expert.singular_near[name]
    near = places[np.abs(value - centre) <= reach]
    note = f"near {centre:g}, where the information is singular: no Wald test of {centre:g} holds"
    return [Caveat(near, note)] if near.size else []


def _bound_findings(
    name: str, value: Floats, bounds: tuple[float, float], places: Ints, seen: Curvature
) -> list[Caveat]:
    """Entries of an interval parameter that sit at a bound."""
    low, high = bounds
    found = []
    diagonal = np.abs(np.diag(seen.information))
    for v, place in zip(value.ravel(), places.ravel(), strict=True):
        inside = (v - low) / (high - low)
        # An interval over many orders of magnitude is long next to its low end.
        distance = min((v - low) / min(high - low, _LONG * max(abs(low), 1.0)), 1.0 - inside)
        # Where the optimum lies at the bound, a Newton step in the logit is about one, outwards.
        outward = seen.gradient[place] * (1.0 if inside > 0.5 else -1.0) > 0.3 * diagonal[place]
        if distance < _AT_BOUND or (distance < _NEAR_BOUND and outward):
            side, bound = ("upper", high) if inside > 0.5 else ("lower", low)
            note = f"at its {side} bound {bound:g}"
            found.append(Caveat(np.array([place]), note, fixed=True))
    return found


def _penalty_findings(seen: Curvature, fixed: Bools) -> list[Caveat]:
    """Directions along which the penalty supplies most of the curvature."""
    free = np.flatnonzero(~fixed)
    P = seen.penalty[np.ix_(free, free)]
    H = seen.information[np.ix_(free, free)] + P
    if not P.any() or not (np.diag(H) > 0.0).all():
        return []
    scale = np.diag(H) ** -0.5
    H, P = H * np.outer(scale, scale), P * np.outer(scale, scale)
    if np.linalg.eigvalsh(H)[0] <= SINGULAR:
        return []
    shares, directions = eigh(P, H)
    places = _loaded(directions[:, shares > _PENALTY_SHARE])
    note = "set by the penalty rather than by the data"
    return [Caveat(free[places], note)] if places.size else []


def _loaded(directions: Floats) -> Ints:
    """Coordinates with a considerable part in any of the directions (D, r)."""
    if not directions.size:
        return np.empty(0, dtype=np.intp)
    squares = np.square(directions)
    return np.flatnonzero((squares > _NAMED * squares.max(axis=0)).any(axis=1))
