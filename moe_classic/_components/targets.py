"""What a target may be: the kinds of y that experts describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from moe_classic._typing import Bools

#: Distance from a lattice, in steps, that is rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class TargetKind:
    """A kind of target.

    A family whose lattice depends on its settings, as shares of a number of trials do, says so by a
    property ``kind`` of its own: ``replace(TARGETS["proportion"], step=1 / self.trials)``.

    Attributes
    ----------
    name : what an expert's ``target`` says
    classes : whether y is one of several labels; else it is a number
    discrete : whether single values have a probability, so that densities are probabilities
    step : distance between two values that lie on a lattice, or 0
    low, high : smallest and largest value
    open_low, open_high : whether the smallest and the largest value itself are excluded
    says : the values in words
    """

    name: str
    classes: bool = False
    discrete: bool = False
    step: float = 0.0
    low: float = -np.inf
    high: float = np.inf
    open_low: bool = False
    open_high: bool = False
    says: str = "finite numbers"

    def allowed(self, y: np.ndarray) -> Bools:
        """Which values are possible, of the shape of ``y``."""
        inside = (y > self.low) if self.open_low else (y >= self.low)
        inside &= (y < self.high) if self.open_high else (y <= self.high)
        on_lattice: Any = True
        if self.step:
            places = np.where(np.isfinite(y), y, 0.0) / self.step
            on_lattice = np.abs(places - np.rint(places)) <= _ROUNDING
        return np.isfinite(y) & inside & on_lattice

    def check(self, owner: str, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise unless all values are possible; classes are checked where they are counted.

        ``y`` is (..., n); ``rows`` (n,) are the numbers of its rows where they are not 0, 1, ...
        """
        if self.classes:
            return
        wrong = np.argwhere(~self.allowed(y))
        if wrong.size:
            at = tuple(wrong[0])
            row = at[-1] if rows is None else rows[at[-1]]
            raise ValueError(
                f"{owner} describes a {self.name} target, {self.says}; y has {y[at]:g} in row "
                f"{row}. {self.advice(y)}"
            )

    def advice(self, y: np.ndarray) -> str:
        """Which experts would describe ``y``."""
        if not np.isfinite(y).all():
            return "Remove such rows, or give them sample_weight 0."
        fitting = [k for k in ("share", "count", "positive") if TARGETS[k].allowed(y).all()]
        families = [ADVICE[k] for k in fitting if k != self.name]
        return f"Such values suit {', '.join([*families, ADVICE['real']])}."


#: A new kind is one line here. ``"interval"`` is a number that is known to lie between two: its
#: experts are told the ends by their wrapper.
TARGETS = {
    kind.name: kind
    for kind in (
        TargetKind("real"),
        TargetKind("positive", low=0.0, open_low=True, says="numbers > 0"),
        TargetKind("count", discrete=True, step=1.0, low=0.0, says="0, 1, 2, ..."),
        TargetKind(
            "proportion", discrete=True, low=0.0, high=1.0, says="shares of trials, from 0 to 1"
        ),
        TargetKind(
            "share",
            low=0.0,
            high=1.0,
            open_low=True,
            open_high=True,
            says="numbers strictly between 0 and 1",
        ),
        TargetKind("class", classes=True, discrete=True, says="labels"),
        TargetKind("interval", says="numbers, known to lie between two bounds"),
    )
}

#: Experts by the values that they describe, for messages.
ADVICE = {
    "share": "BetaExpert",
    "count": "PoissonExpert or NegativeBinomialExpert",
    "positive": "GammaExpert or LognormalExpert",
    "real": "GaussianExpert or StudentTExpert",
}
