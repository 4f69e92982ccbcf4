"""Losses that keep experts in use; each gives its value and what the router has to feel.

::

    balance   E sum_e f_e P_e       f: share of the pairs, P: mean probability; f has no gradient
    z         mean_i lse_i^2        lse: log-sum-exp of a row's logits
    cv2(v)    var(v) / mean(v)^2    with 1/E in the variance

All means are over weighted rows. The balance loss is 1 when f or P is uniform, and may be *less*:
f = (.74, .26) with rows of probabilities (.51, .49) and (0, 1) gives .882.
"""

from __future__ import annotations

import numpy as np

from moe_classic._typing import Ints

Array = np.ndarray


def shares(chosen: Ints, w: Array, n_experts: int) -> Array:
    """Weighted share of the pairs that each expert was chosen for, (E,); sums to one."""
    k = chosen.shape[1]
    weight = np.repeat(w, k) if k > 1 else w
    return np.bincount(chosen.reshape(-1), weights=weight, minlength=n_experts) / (k * w.sum())


def balance_loss(f: Array, P: Array, w: Array) -> tuple[float, Array]:
    """Value, and the gradient (E,) that each row feels in its probabilities, times its weight.

    The gradient in ``P[i, e]`` is ``w[i] * slope[e]``.
    """
    E, total = len(f), w.sum()
    slope = (E / total) * f
    return float((w @ P).astype(np.float64) @ slope), slope.astype(P.dtype)


def z_loss(lse: Array, w: Array) -> tuple[float, Array]:
    """Value, and the gradient in each row's log-sum-exp, (n,)."""
    total = w.sum()
    return float(w @ np.square(lse) / total), (2.0 / total) * w * lse


def cv_squared(v: Array) -> tuple[float, Array]:
    """Squared coefficient of variation and its gradient; both 0 for equal entries.

    By way of the variance: the standard deviation has no derivative where all entries are equal.
    """
    mean = v.mean()
    if mean == 0.0:
        return 0.0, np.zeros_like(v)
    gap = v - mean
    var = np.square(gap).mean()
    slope = (2.0 / v.size) * (gap / mean**2 - var / mean**3)
    return float(var / mean**2), slope
