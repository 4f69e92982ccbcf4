"""Half the mean distance of two draws from a mixture of normals most of which are far apart.

::

    E|m + s N| = |m| + s d(|m| / s),    d(z) = 2 (pdf(z) - z cdf(-z))

The first term is a sum over sorted locations, of all pairs at once; the second is nothing from
seven deviations on, so that it is asked of neighbours only, of next ones, second next ones and so
on, as long as some are near.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from moe_classic._components import normal_pdf
from moe_classic._typing import Floats

#: Squared distance in variances from which on a normal adds nothing: d(7.1) is 1e-13.
_FAR = 50.0


def near_distance(w: Floats, m: Floats, scale: Floats) -> Floats:
    """``sum w_j w_k E|Y_j - Y_k| / 2`` over ordered pairs, for rows (K, n) and scales (K,)."""
    order = np.argsort(m, axis=0)
    variance = np.square(scale)[order]
    w, m = np.take_along_axis(w, order, axis=0), np.take_along_axis(m, order, axis=0)
    m = m - (w * m).sum(axis=0) / np.maximum(w.sum(axis=0), np.finfo(float).tiny)
    below, moment = np.cumsum(w, axis=0)[:-1], np.cumsum(w * m, axis=0)[:-1]
    out = (w[1:] * (m[1:] * below - moment)).sum(axis=0)
    out += (np.square(w) * np.sqrt(variance / np.pi)).sum(axis=0)
    widest = _FAR * 2.0 * float(variance.max(initial=0.0))
    for d in range(1, len(w)):
        square = np.square(m[d:] - m[:-d])
        if square.min(initial=np.inf) >= widest:
            break
        total = variance[d:] + variance[:-d]
        near = square < _FAR * total
        rows, s = np.nonzero(near)[1], np.sqrt(total[near])
        z = np.sqrt(square[near]) / s
        part = (w[d:] * w[:-d])[near] * s * 2.0 * (normal_pdf(z) - z * ndtr(-z))
        out += np.bincount(rows, part, minlength=out.size)
    return out
