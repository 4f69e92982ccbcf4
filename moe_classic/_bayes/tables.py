"""What tables say of a posterior, in the units of the user's features.

::

    b_raw = T b,   Cov b_raw = T C T',   T: slopes over their units, the intercept moved to zero
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import gammaincinv, ndtri, stdtrit

from moe_classic._components import INTERCEPT, SLOPE
from moe_classic._data import DesignMap
from moe_classic._typing import Floats

#: (kind, term, (mean, standard deviation, low, high))
TermRow = tuple[str, str, tuple[float, float, float, float]]


def line_summary(
    design: DesignMap, mean: Floats, cov: Floats, tail: float, df: float = np.inf
) -> Iterator[TermRow]:
    """Intercept and slopes with central intervals that leave ``tail`` on either side.

    Parameters
    ----------
    design : DesignMap
    mean, cov : ndarrays of shape (q,) and (q, q)
        Of a normal, or location and scale matrix of a Student-t with ``df`` degrees of freedom.
    """
    T = to_raw(design)
    at, scale = T @ mean, np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", T, cov, T), 0.0))
    reach = -float(ndtri(tail)) if np.isinf(df) else -float(stdtrit(df, tail))
    widen = 1.0 if np.isinf(df) else np.sqrt(df / (df - 2.0)) if df > 2.0 else np.inf
    # What is constant has no slope: its posterior is the prior, in no unit.
    still = np.append(design.inverse == 0.0, False)
    scale = np.where(still, np.nan, scale)
    rows = list(zip(_kinds(design), at.tolist(), scale.tolist(), strict=True))
    for (kind, term), m, s in [rows[-1], *rows[:-1]]:
        yield kind, term, (m, s * widen, m - reach * s, m + reach * s)


def draws_summary(design: DesignMap, draws: Floats, tail: float) -> Iterator[TermRow]:
    """The same of draws (D, q), all as likely."""
    raw = draws @ to_raw(design).T
    low, high = np.quantile(raw, [tail, 1.0 - tail], axis=0)
    columns = np.stack([raw.mean(axis=0), raw.std(axis=0), low, high], axis=1)
    columns[np.append(design.inverse == 0.0, False), 1:] = np.nan
    rows = list(zip(_kinds(design), columns.tolist(), strict=True))
    for (kind, term), (mean, sd, low, high) in [rows[-1], *rows[:-1]]:
        yield kind, term, (mean, sd, low, high)


def _kinds(design: DesignMap) -> list[tuple[str, str]]:
    """Kind and term of the coefficients on a design."""
    return [*((SLOPE, name) for name in design.names), (INTERCEPT, INTERCEPT)]


def to_raw(design: DesignMap) -> Floats:
    """Matrix (q, q) from coefficients on a design to slopes and the intercept of raw features."""
    q = design.width
    T = np.eye(q)
    T[np.arange(q - 1), np.arange(q - 1)] = design.inverse
    T[-1, :-1] = -design.inverse * design.centre
    return T


def scale_summary(
    shape: float, rate: float, mean: float, tail: float
) -> tuple[float, float, float, float]:
    """Mean, standard deviation and interval of a scale whose precision is gamma distributed."""
    second = rate / (shape - 1.0) if shape > 1.0 else np.inf
    # Of small shapes a quantile of the precision may be 0, and that of the scale infinite.
    with np.errstate(divide="ignore", over="ignore"):
        low, high = np.sqrt(rate / gammaincinv(shape, [1.0 - tail, tail])).tolist()
    return mean, float(np.sqrt(max(second - mean**2, 0.0))), low, high


def normal_draws(mean: Floats, cov: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Draws (n, d) of a normal whose covariance may be singular."""
    values, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(mean + rng.standard_normal((n, mean.size)) @ root.T, dtype=np.float64)


def raw_terms(design: DesignMap, coef: Floats) -> dict[tuple[str, str], Any]:
    """Intercept and slopes (...,) of raw features from coefficients (..., q), by (kind, term)."""
    slopes, intercept = design.original(coef)
    named = {(SLOPE, name): slopes[..., j] for j, name in enumerate(design.names)}
    return {(INTERCEPT, INTERCEPT): intercept, **named}
