"""Location and spread that a few wild values cannot move, with weights.

Quantiles are values that are attained: a weight of 2 is the same as a repeated value. Hampel
(1974), The influence curve and its role in robust estimation, Journal of the American Statistical
Association 69. Least absolute deviations by weights ``1 / |e|``, since the last digits are of no
consequence: Schlossmacher (1973), An iterative technique for absolute deviations curve fitting,
Journal of the American Statistical Association 68.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from moe_classic._typing import Floats

from .linalg import solve_psd

#: Numbers beyond this, and below its inverse, are divided by a power of two.
_LARGE = 1e50
#: Standard deviations between the quantiles q and 1 - q of a normal distribution.
_BETWEEN = {0.25: 1.3489795, 0.1: 2.5631031, 0.05: 3.2897073, 0.01: 4.6526957}
#: A standard deviation over the median of absolute values of a normal.
_MEDIAN = 1.4826022
#: Robust deviations from the median beyond which a value is wild.
_WILD = 10.0
#: Standard deviations from the mean up to which there is no need to look.
_NEAR = 4.0
#: Passes of reweighted least squares; each halves what is left, more or less.
_PASSES = 15
#: Smallest residual whose weight is told apart, in spreads of the target.
_SMOOTHING = 1e-12
#: Residuals up to this share of the spread of the target are rounding.
ROUNDING = 1e-10
#: Rows a coefficient below which residuals of a fit say nothing of the noise.
_ROWS = 3


def weighted_quantile(values: Floats, w: Floats, q: float) -> float:
    """The least of ``values`` (n,) with at least the share ``q`` of the weight at or below it."""
    return float(weighted_quantiles(values, w, (q,))[0])


def weighted_quantiles(values: Floats, w: Floats, shares: Iterable[float]) -> Floats:
    """Several of them for one sort: of values alone where weights are equal, ten times faster."""
    wanted = np.fromiter(shares, np.float64) * (1.0 - 1e-12)
    if w.min() == w.max():
        place = np.ceil(wanted * len(w)).astype(np.intp) - 1
        return np.asarray(np.sort(values)[np.maximum(place, 0)])
    order = np.argsort(values, kind="stable")
    below = np.cumsum(w[order])
    place = np.searchsorted(below, wanted * below[-1])
    return np.asarray(values[order[np.minimum(place, order.size - 1)]])


def tame_range(values: Floats, w: Floats, wild: float = _WILD) -> tuple[float, float]:
    """Bounds of values that are not ``wild``: ten robust deviations about the median, or fewer.

    The deviation is that of a normal with the same quartiles, or quantiles further out where the
    quartiles agree; infinite where nothing but single values stands out.
    """
    least = np.array(list(_BETWEEN))
    found = weighted_quantiles(values, w, np.concatenate([[0.5], least, 1.0 - least]))
    median, (low, high) = float(found[0]), found[1:].reshape(2, -1)
    for spread, width in zip(high - low, _BETWEEN.values(), strict=True):
        if spread > 0.0:
            reach = wild * float(spread) / width
            return median - reach, median + reach
    return -np.inf, np.inf


def has_wild(low: float, high: float, mean: float, deviation: float) -> bool:
    """Whether values between ``low`` and ``high`` may be wild for their mean and deviation."""
    return max(high - mean, mean - low) > _NEAR * deviation


def noise_scale(Z: Floats, y: Floats, w: Floats) -> float:
    """Spread of what a robust linear fit leaves of ``y`` (n,), 0 where nothing can be said.

    The median of absolute residuals, of those that are more than rounding, of regression by least
    absolute deviations, as the standard deviation of a normal.

    Parameters
    ----------
    Z : ndarray of shape (q, n)
        Features and the constant.
    """
    q, n = Z.shape
    tame = np.clip(y, *tame_range(y, w))
    spread = float(np.sqrt(w @ (tame - w @ tame / w.sum()) ** 2 / w.sum()))
    if n < _ROWS * q or not spread > 0.0:
        return 0.0
    # Products of what is very large or very small stay finite in other units.
    unit, units = _power_of_two(spread), _power_of_two(np.abs(Z).max(axis=1, keepdims=True))
    size = unit * np.abs(_least_absolute(Z / units, y / unit, w, _SMOOTHING * spread / unit))
    left = size > ROUNDING * spread
    if left.sum() <= q:
        return 0.0
    return _MEDIAN * weighted_quantile(size[left], w[left], 0.5)


def _power_of_two(x: Any) -> Any:
    """The power of two next to a number of unusual size; 1 for others and 0."""
    unusual = (x > _LARGE) | ((x > 0.0) & (x < 1.0 / _LARGE))
    return np.ldexp(1.0, np.where(unusual, np.frexp(x)[1], 0))


def _least_absolute(Z: Floats, y: Floats, w: Floats, smallest: float) -> Floats:
    """Residuals (n,) of a fit by least absolute deviations; those below ``smallest`` are alike."""
    e, weight = y.copy(), w
    for _ in range(_PASSES):
        weighted = Z * weight
        delta = solve_psd((weighted @ Z.T)[None], (weighted @ e)[None, :, None])[0, :, 0]
        e = e - delta @ Z
        weight = w / np.maximum(np.abs(e), smallest)
    return e
