"""Means and variances of mixtures, from what the experts that are asked say about some rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from moe_classic._typing import Floats, Ints

#: Rows (m,) that an expert is asked about, its weights there (m,), and its answers (d or C, m).
Said = tuple[Ints | slice, Floats, Floats]


def blended(parts: Iterable[Said], n_rows: int) -> Floats:
    """``sum_k p_k o_k``, (d or C, n); experts not asked about a row weigh 0 there."""
    out = np.empty(0)
    for rows, p, answers in parts:
        out = out if out.size else np.zeros((len(answers), n_rows))
        out[:, rows] += p * answers
    return out


def blended_variance(locations: Sequence[Said], variances: Iterable[Said], n_rows: int) -> Floats:
    """Variances, (d, n): within experts plus between experts."""
    mean = blended(locations, n_rows)
    between = ((rows, p, np.square(at - mean[:, rows])) for rows, p, at in locations)
    return blended(variances, n_rows) + blended(between, n_rows)
