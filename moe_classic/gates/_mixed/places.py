"""Parameters and statistics of a mixed gate, and where those of a column stand among them."""

from __future__ import annotations

from dataclasses import dataclass

from moe_classic._data import Stats
from moe_classic._typing import Floats

from .families import Column, Family


@dataclass(frozen=True)
class MixedGateParams:
    """Proportions (K,), and values (K, V) of the densities of all columns side by side."""

    proportions: Floats
    values: Floats


@dataclass(frozen=True)
class MixedStats(Stats):
    """Mass of each expert (K,), and sums (K, T) of the sufficient statistics."""

    mass: Floats
    sums: Floats


@dataclass(frozen=True)
class Place:
    """A column, its family, and where its values, coordinates and statistics stand."""

    number: int
    column: Column
    family: Family
    v: slice
    j: slice
    t: slice
