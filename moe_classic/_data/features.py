"""What a component sees of X: all columns, some, or the output of a transformer; standardised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from moe_classic._adapters import TableColumns, as_frame, refuse_missing
from moe_classic._numerics import has_wild, tame_range, weighted_quantile
from moe_classic._typing import Floats, Ints, Names
from moe_classic.preprocessing import TableEncoder

from .stats import merged_moments

#: A pass over (rows (n, p), weights (n,)), as often as it is called.
Rows = Callable[[], Iterable[tuple[np.ndarray, Floats]]]
#: Rows at a time when moments are taken.
_SLICE = 1 << 16
#: Robust deviations from the median beyond which a feature counts as if it were that far.
_WILD = 3.0
#: Standard deviation over that of all but wild values from which on these set the units.
_INFLATED = 3.0
#: Rows whose values are sorted to tell which are wild.
_MOST_SEEN = 1_000_000
#: Columns whose spread is below this share of their size are constant up to rounding.
_CONSTANT = 1e-13


@dataclass(frozen=True)
class DesignMap:
    """Raw rows (n, p) to a standardised design (q, n) with a last row of ones.

    Attributes
    ----------
    columns : ndarray of int, or None
        Columns taken; None takes all.
    transformer : fitted transformer, or None
        What is applied to them.
    names_in : sequence of str, or None
        Column names of X; columns of a table not all of numbers.
    centre, inverse : ndarray of shape (q - 1,)
        A design row is ``(x - centre) * inverse``; constant columns have inverse 0, the others
        one over their spread, or 1 where they are only centred.
    names : tuple of str
        Names of the design's features, without the constant.
    component : str
        Who sees it, for messages.
    takes_missing : bool
        Whether that one knows what to do with NaN.
    """

    columns: Ints | None
    transformer: Any
    names_in: Names
    centre: Floats
    inverse: Floats
    names: tuple[str, ...]
    component: str = "the model"
    takes_missing: bool = False

    @property
    def width(self) -> int:
        """Rows q of the design: features and the constant."""
        return len(self.centre) + 1

    @property
    def unit(self) -> Floats:
        """Raw units of a standardised feature, 0 for constant columns, (q - 1,)."""
        varies = self.inverse > 0.0
        return np.where(varies, 1.0 / np.where(varies, self.inverse, 1.0), 0.0)

    @property
    def rounding(self) -> float:
        """Rounding of float64 features in units of the design: those far from zero lost digits."""
        far = np.max(np.abs(self.centre * self.inverse), initial=1.0)
        return float(np.finfo(float).eps * far)

    @property
    def added(self) -> tuple[str, ...]:
        """Columns that stand in equations as they are; features have coefficients."""
        return ()

    @property
    def log_unit(self) -> float:
        """Logarithm of the product of the units of columns that vary."""
        return -float(np.log(self.inverse[self.inverse > 0.0]).sum())

    def __call__(self, X: np.ndarray) -> Floats:
        """Design matrix (q, n) of the rows of ``X``."""
        raw = self.raw(X)
        out = np.empty((self.width, len(X)))
        np.subtract(raw.T, self.centre[:, None], out=out[:-1])
        out[:-1] *= self.inverse[:, None]
        out[-1] = 1.0
        return out

    def raw(self, X: np.ndarray) -> Floats:
        """Features before standardisation, (n, q - 1)."""
        out = raw_features(X, self.columns, self.transformer, self.names_in)
        if self.transformer is not None and not (self.takes_missing or np.isfinite(out).all()):
            raise _gave_nan(self.component, self.transformer)
        return out

    def check_missing(self, X: np.ndarray) -> None:
        """Raise if rows (n, p) miss values that are seen here as they are."""
        if self.takes_missing or self.transformer is not None:
            return
        seen = range(X.shape[1]) if self.columns is None else self.columns
        names = [f"x{j}" for j in range(X.shape[1])] if self.names_in is None else self.names_in
        counts = {names[j]: int(np.isnan(X[:, j]).sum()) for j in seen}
        refuse_missing(counts, self.component)

    def original(self, coef: Floats) -> tuple[Floats, Floats]:
        """Slopes (..., q - 1) and intercepts (...) on the raw scale of the features."""
        slopes = coef[..., :-1] * self.inverse
        return slopes, coef[..., -1] - slopes @ self.centre


def raw_features(X: np.ndarray, columns: Ints | None, transformer: Any, names_in: Names) -> Floats:
    """Features before standardisation, (n, q - 1)."""
    if transformer is None:
        return X if columns is None else X[:, columns]
    out = transformer.transform(_given(X, columns, names_in))
    if hasattr(out, "toarray"):
        out = out.toarray()
    return np.asarray(out, dtype=np.float64).reshape(len(X), -1)


def _given(X: np.ndarray, columns: Ints | None, names_in: Names) -> Any:
    """Some columns of X as a transformer is given them."""
    if columns is None or not isinstance(names_in, TableColumns):
        return as_frame(X, names_in)
    return as_frame(X[:, columns], names_in.taken(columns))


def _gave_nan(owner: str, features: Any) -> ValueError:
    """What is said of a transformer whose output cannot be used."""
    return ValueError(f"{owner}: features={features!r} gave NaN or infinite values.")


def _column_numbers(features: Any, names: Sequence[str], owner: str) -> Ints:
    """Positions of columns given by name or index."""
    values = list(features)
    if all(isinstance(v, (bool, np.bool_)) for v in values) and len(values) == len(names):
        return np.flatnonzero(values)
    places = []
    for v in values:
        if isinstance(v, str) and v in names:
            places.append(names.index(v))
        elif (
            type(v) is not bool
            and isinstance(v, (int, np.integer))
            and -len(names) <= v < len(names)
        ):
            places.append(int(v) % len(names))
        else:
            raise ValueError(
                f"{owner}: features={features!r} names {v!r}, which is not a column of X; X has "
                f"{len(names)} columns {names[:8]}{'...' if len(names) > 8 else ''}."
            )
    if len(set(places)) < len(places):
        raise ValueError(f"{owner}: features={features!r} names a column twice.")
    return np.array(places, dtype=np.intp)


def fit_design(
    features: Any,
    rows: Rows,
    *,
    fit_on: tuple[np.ndarray, np.ndarray],
    names_in: Names,
    standardize: bool,
    raw: bool = False,
    missing: bool = False,
    owner: str,
) -> DesignMap:
    """Fit what turns raw rows (n, p) into the design of one component.

    Parameters
    ----------
    features : None, sequence of names or indices, or transformer
    rows : callable
        Each call passes once over (rows, weights), which fix centre and scale.
    fit_on : features and target on which a transformer is fitted
    names_in : column names of X, or None if it has none
    standardize : whether to scale to unit variance, that of all but wild values; every design is
        centred, which changes no penalty and keeps the digits of features with a large offset
    raw : leave features as they are, for estimators that are to see them so
    missing : whether these take NaN
    owner : name of the component, for messages
    """
    width = fit_on[0].shape[1]
    names: Sequence[str] = names_in or [f"x{j}" for j in range(width)]
    columns, transformer = None, None
    if features is None:
        out_names = list(names)
    elif hasattr(features, "transform"):
        transformer = clone(features).fit(as_frame(fit_on[0], names_in), fit_on[1])
        out_names = _names_out(transformer, names_in)
    elif isinstance(features, (list, tuple, np.ndarray, pd.Index)):
        columns = _column_numbers(features, names, owner)
        out_names = [names[j] for j in columns]
    else:
        raise TypeError(
            f"{owner}: features={features!r} must be None, a list of column names or indices, or "
            "a transformer with fit and transform."
        )
    if transformer is None and not raw and isinstance(names_in, TableColumns):
        seen = names_in if columns is None else names_in.taken(columns)
        if isinstance(seen, TableColumns):
            # Levels become columns: those that own components see are numbers.
            transformer = _encoder(_given(fit_on[0], columns, names_in), owner)
            out_names = _names_out(transformer, None)
    count = raw_features(fit_on[0][:1], columns, transformer, names_in).shape[1]
    if len(out_names) != count:
        out_names = [f"f{j}" for j in range(count)]
    design = DesignMap(
        columns,
        transformer,
        names_in,
        np.zeros(count),
        np.ones(count),
        unique_names(out_names),
        owner,
        missing,
    )
    if raw:
        _check_raw(design, fit_on[0])
        return design
    if not count:
        return design
    moments = _moments(rows, design.raw, fit_on[0])
    if not all(np.isfinite(m).all() for m in moments):
        design.check_missing(fit_on[0])
        raise _gave_nan(owner, features)
    centre, inverse = moments
    inverse = inverse if standardize else (inverse > 0.0).astype(np.float64)
    return replace(design, centre=centre, inverse=inverse)


def _encoder(table: pd.DataFrame, owner: str) -> TableEncoder:
    """What turns levels into columns; raises with the name of who needs it."""
    try:
        return TableEncoder().fit(table)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{owner}: {error}") from None


def _check_raw(design: DesignMap, X: np.ndarray) -> None:
    """Raise if an estimator would be given NaN that it does not take."""
    if design.transformer is not None:
        design.raw(X)
    elif np.isnan(X).any():
        design.check_missing(X)


def slices_of(X: np.ndarray, w: Floats) -> Rows:
    """Passes over arrays in memory, a slice at a time."""

    def passes() -> Iterator[tuple[np.ndarray, Floats]]:
        for start in range(0, len(w), _SLICE):
            yield X[start : start + _SLICE], w[start : start + _SLICE]

    return passes


def _moments(
    rows: Rows, extract: Callable[[np.ndarray], Floats], some: np.ndarray
) -> tuple[Floats, Floats]:
    """Weighted means and inverse standard deviations, 0 for constant columns; one pass or two.

    Wild values, three robust deviations and more from the median, count as if they stood there:
    penalties act on features in these units, and one sentinel must not set them. Only where they
    make the deviation several times what it is without them: rare values of columns that are
    mostly alike, such as pixels, are what these columns say.
    """
    mean, spread, low, high = _pass(rows, extract)
    size = np.maximum(np.abs(low), np.abs(high))
    varies = spread > _CONSTANT * size
    wild = [int(j) for j in np.flatnonzero(varies) if has_wild(low[j], high[j], mean[j], spread[j])]
    if wild:
        seen, w = _seen(rows, extract, wild, some)
        for j, column in zip(wild, seen, strict=True):
            if weighted_quantile(column, w, 0.25) < weighted_quantile(column, w, 0.75):
                low[j], high[j] = tame_range(column, w, _WILD)
        tame_mean, tame_spread, *_ = _pass(rows, lambda X: np.clip(extract(X), low, high))
        inflated = spread > _INFLATED * tame_spread
        mean = np.where(inflated, tame_mean, mean)
        spread = np.where(inflated, tame_spread, spread)
    return mean, np.where(varies, 1.0 / np.where(varies, spread, 1.0), 0.0)


def _seen(
    rows: Rows, extract: Callable[[np.ndarray], Floats], columns: list[int], some: np.ndarray
) -> tuple[Floats, Floats]:
    """Some columns (c, n) with weights: of all rows, or where these are too many, of ``some``."""
    parts, weights, count = [], [], 0
    for X, w in rows():
        count += len(w)
        if count > _MOST_SEEN:
            return extract(some)[:, columns].T, np.ones(len(some))
        parts.append(extract(X)[:, columns].T)
        weights.append(w)
    return np.concatenate(parts, axis=1), np.concatenate(weights)


def _pass(
    rows: Rows, extract: Callable[[np.ndarray], Floats]
) -> tuple[Floats, Floats, Floats, Floats]:
    """Weighted means, standard deviations, least and greatest values of all rows."""
    low, high = np.full(1, np.inf), np.full(1, -np.inf)
    so_far = (0.0, np.zeros(1), np.zeros(1))
    for X, w in rows():
        raw, here = extract(X).astype(np.float64, copy=False), float(w.sum())
        if here == 0.0:
            continue
        local = w @ raw / here
        so_far = merged_moments(so_far, (here, local, w @ np.square(raw - local)))
        low, high = np.minimum(low, raw.min(axis=0)), np.maximum(high, raw.max(axis=0))
    weight, mean, scatter = so_far
    return mean, np.sqrt(scatter / weight), low, high


def _names_out(transformer: Any, names_in: Names) -> list[str]:
    """Feature names of a fitted transformer, or none."""
    try:
        return [str(v) for v in transformer.get_feature_names_out(names_in)]
    except (AttributeError, ValueError):
        return []


def unique_names(names: Iterable[str]) -> tuple[str, ...]:
    """Names as they are; one that came before gets a number: ``x``, ``x (2)``."""
    out: list[str] = []
    for name in names:
        number, own = 1, name
        while own in out:
            number += 1
            own = f"{name} ({number})"
        out.append(own)
    return tuple(out)


def same_features(a: Any, b: Any) -> bool:
    """Whether two ``features`` arguments surely select the same design."""
    if a is b:
        return True
    plain = (list, tuple)
    return isinstance(a, plain) and isinstance(b, plain) and list(a) == list(b)
