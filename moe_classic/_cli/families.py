"""Which families of experts suit a target, and why: what the command tries unless told."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone

from moe_classic._typing import Floats
from moe_classic.experts import (
    EXPERTS,
    TARGETS,
    NegativeBinomialExpert,
    PoissonExpert,
    ZeroInflatedExpert,
)

#: Families that are not registered, because they are made of others, by the command's names.
COMPOSED: dict[str, Any] = {
    "zero_inflated_negative_binomial": ZeroInflatedExpert(NegativeBinomialExpert()),
    "zero_inflated_poisson": ZeroInflatedExpert(PoissonExpert()),
}
#: Largest smallest count: counts that stay far from 0 are as good as real numbers.
_LOW_COUNT = 1.0
#: Positive numbers that span this factor: a spread that is a share of the mean shows.
_SPAN = 4.0
#: Fewer zeros than this share are not many, whatever is expected.
_SOME_ZEROS = 0.05
#: Standard errors by which zeros are more than a Poisson distribution has.
_FAR = 3.0


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
        why = f"Counts: whole numbers from {low} to {high}"
        names = ["poisson", "negative_binomial"]
        if _many_zeros(y):
            zeros = f", {np.mean(y == 0.0):.0%} of them zero, more than a Poisson distribution has."
            return Suited([*names, "zero_inflated_poisson"], why + zeros)
        return Suited(names, why + ".")
    if y.min() > 0.0 and y.max() >= _SPAN * y.min():
        names = ["gamma", "lognormal"]
        return Suited(names, f"Positive numbers over a wide range, {low} to {high}.")
    return Suited(["gaussian", "laplace", "student_t"], "Real numbers.")


def fitting_families(y: Any, task: str) -> list[str]:
    """All families by name that can describe ``y``, in order."""
    if task == "classification":
        return sorted(name for name, cls in EXPERTS.items() if cls.target == "class")
    y = np.asarray(y, dtype=float)
    kinds = {name: TARGETS[cls.target] for name, cls in EXPERTS.items()}
    kinds |= {name: expert.kind for name, expert in COMPOSED.items()}
    return sorted(n for n, kind in kinds.items() if not kind.classes and kind.allowed(y).all())


def all_families() -> list[str]:
    """Names of all families that the command knows, in order."""
    return sorted([*EXPERTS, *COMPOSED])


def expert_called(family: str) -> Any:
    """What ``expert=`` is given for a family: its registered name, or a description."""
    return clone(COMPOSED[family]) if family in COMPOSED else family


def family_of(expert: Any) -> str:
    """The name of such an ``expert``."""
    return next((name for name, known in COMPOSED.items() if repr(known) == repr(expert)), expert)


def _many_zeros(y: Floats) -> bool:
    """Whether counts (n,) have more zeros than a Poisson distribution of their mean.

    By the score test for zero inflation: van den Broek (1995), Biometrics 51.
    """
    n, zeros, mean = y.size, np.sum(y == 0.0), y.mean()
    expected = np.exp(-mean)
    variance = n * expected * max(1.0 - expected * (1.0 + mean), 0.0)
    return bool(zeros >= _SOME_ZEROS * n and zeros - n * expected > _FAR * np.sqrt(variance))
