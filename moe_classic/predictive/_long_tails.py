"""The CRPS of mixtures some of whose sizes have no mean, or one so large that all is lost in it.

Student-t noise has a mean size from 1 degree of freedom on, a CRPS from 1/2 on. In

::

    CRPS(F, y) = sum_k w_k E|e_k - (y - m_k)| - 1/2 sum_jk w_j w_k E|m_j - m_k + e_j - e_k|

``E|e_k|`` may be taken off each expert and ``E|e_j| + E|e_k|`` off each pair: both sums lose the
same. What is left exists, and has no large numbers that cancel::

    E|e - z| - E|e|                 = int_0^|z| (2 F(t) - 1) dt
    E|m + a - b| - E|a| - E|b|      = (E|m + a - b| - E|a - b|) - 4 int_0^inf P(a > t) P(b > t) dt

The difference in brackets is a sum of normals, the last integral one over log t for all pairs at
once, by the trapezoidal rule; beyond where tails are powers that is a geometric series.
"""

from __future__ import annotations

import numpy as np
from scipy.special import exprel, stdtr

from moe_classic._components import Noise, student_pdf
from moe_classic._typing import Floats

#: Step of log t; the rule leaves exp(-pi^2 / (2 step)) between normals.
_STEP = 0.16
#: Where log t begins and ends, beside the least and the largest scale: a tail is a power from 1e8
#: scales on, to the last digit.
_BEGIN, _END = -38.0, 18.5


def beyond_own_size(z: Floats, e: Noise) -> Floats:
    """``E|e - z| - E|e|`` for noise of scale 1."""
    if e.family != "student_t":
        return e.absolute(z) - e.absolute(np.zeros(1))
    size, df = np.abs(z), e.df
    # int_0^z t f(t) dt = f(0) df ((1 + z^2 / df)^((1 - df) / 2) - 1) / (1 - df)
    log_growth = np.log1p(size**2 / df)
    moment = 0.5 * df * log_growth * exprel(0.5 * (1.0 - df) * log_growth)
    half = student_pdf(np.zeros(1), df) * moment
    return size * (1.0 - 2.0 * stdtr(df, -size)) - 2.0 * half


def shared_tails(noise: list[Noise]) -> Floats:
    """``E|a - b| - E|a| - E|b|`` of every pair of noises with constant scales, (K, K)."""
    scales = np.array([float(e.scale) for e in noise])
    first, last = np.log(scales.min()) + _BEGIN, np.log(scales.max()) + _END
    t = np.exp(np.arange(first, last, _STEP))
    tails = np.array([e.cdf(-t / e.scale) for e in noise])
    df = np.array([e.df for e in noise])
    # The last term stands for all that follow, each smaller by the same factor.
    ratio = np.exp(-_STEP * (df[:, None] + df - 1.0))
    whole = (tails[:, :-1] * t[:-1]) @ tails[:, :-1].T
    ends = t[-1] * np.outer(tails[:, -1], tails[:, -1]) / (1.0 - ratio)
    return -4.0 * _STEP * (whole + ends)
