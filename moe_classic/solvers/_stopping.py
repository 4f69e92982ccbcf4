"""When a climb stops: what is left to gain."""

from __future__ import annotations

import numpy as np


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
