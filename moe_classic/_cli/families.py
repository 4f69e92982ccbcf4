"""Which families of experts suit a target, and why: what the command tries unless told."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from moe_classic.experts import EXPERTS, TARGETS

#: Largest smallest count: counts that stay far from 0 are as good as real numbers.
_LOW_COUNT = 1.0
#: Positive numbers that span this factor: a spread that is a share of the mean shows.
_SPAN = 4.0


class Suited(NamedTuple):
    """Names of families, and a sentence that says why these."""

    families: list[str]
    why: str


def suited_families(y: Any, task: str) -> Suited:
    """Families for a target ``y`` (n,) of ``task``, "regression" or "classification".

    Counts get distributions on whole numbers, positive numbers that span a range get such whose
    spread grows with the mean, everything else is taken as real.
    """
    if task == "classification":
        return Suited(["multinomial"], "Classes.")
    y = np.asarray(y, dtype=np.float64)
    low, high = (f"{end:g}" for end in (y.min(), y.max()))
    if y.min() >= 0.0 and (y == np.rint(y)).all() and y.min() <= _LOW_COUNT < y.max():
        names = _known("poisson", "negative_binomial", "zero_inflated_poisson")
        return Suited(names, f"Counts: whole numbers from {low} to {high}.")
    if y.min() > 0.0 and y.max() >= _SPAN * y.min():
        names = _known("gamma", "lognormal")
        return Suited(names, f"Positive numbers over a wide range, {low} to {high}.")
    return Suited(_known("gaussian", "laplace", "student_t"), "Real numbers.")


def fitting_families(y: Any, task: str) -> list[str]:
    """All families by name that can describe ``y``, in order."""
    if task == "classification":
        return sorted(name for name, cls in EXPERTS.items() if cls.target == "class")
    kinds = {name: kind for name, kind in TARGETS.items() if not kind.classes}
    able = {name for name, kind in kinds.items() if kind.allowed(np.asarray(y, dtype=float)).all()}
    return sorted(name for name, cls in EXPERTS.items() if cls.target in able)


def _known(*names: str) -> list[str]:
    """Those of the names that are registered."""
    return [name for name in names if name in EXPERTS]
