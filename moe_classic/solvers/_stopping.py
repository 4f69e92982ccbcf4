"""When a climb stops: what is left to gain."""

from __future__ import annotations

import numpy as np

from moe_classic._typing import Floats

#: Passes from which on those are counted, in a row, in which next to no weight changes hands.
_FIRST, _CALM = 20, 3


def tight_tolerance(enough: float, value: float) -> float:
    """What solvers that converge fast leave to gain, in nats, where ``enough`` would do.

    The last digits cost them little, and make the end the same whatever the way: a thousandth,
    at most 1e-7, at least the rounding of the objective.
    """
    return max(min(1e-3 * enough, 1e-7), 1e-15 * abs(value))


def gain_left(trace: list[float]) -> float:
    """Aitken's estimate of what a linearly converging sequence has still to gain.

    Two increments d1, d2 with ratio a = d2 / d1 < 1 leave d2 a / (1 - a) to gain. Infinite while
    there is no evidence of convergence.
    """
    if len(trace) < 3:
        return np.inf
    d1, d2 = trace[-2] - trace[-3], trace[-1] - trace[-2]
    if d2 <= 1e-14 * max(1.0, abs(trace[-1])):
        return 0.0
    ratio = d2 / d1 if d1 > 0.0 else np.inf
    return max(d2 * ratio / (1.0 - ratio), d2 * 1e-2) if ratio < 1.0 else np.inf


class Hands:
    """Watches how much weight changes hands among experts that are refitted, not climbed with.

    A scikit-learn estimator optimises what it likes; the likelihood of a mixture of them may creep
    up for hundreds of refits that deal out the same rows. They have settled where, after twenty
    passes, in three in a row at most the share ``most`` of the weight changed hands: near an
    optimum a change of responsibilities by d gains about d^2 nats.
    """

    def __init__(self, most: float) -> None:
        self.most = most
        self.last: Floats | None = None
        self.calm = self.passes = 0

    def settled(self, S: Floats | None) -> bool:
        """Whether rows with these weights (K, n) for each expert have settled; None: no rows."""
        self.passes += 1
        if S is None or self.passes < _FIRST - 1:
            return False
        before, self.last = self.last, S
        if before is None or before.shape != S.shape:
            return False
        moved = 0.5 * np.abs(S - before).sum()
        self.calm = self.calm + 1 if moved <= self.most * S.sum() else 0
        return self.calm >= _CALM
