"""Which columns a component sees and in which units, learned once a fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import clone

from moe_classic._adapters import TableColumns, as_frame
from moe_classic._typing import Floats, Ints, Names
from moe_classic.preprocessing import TableEncoder

from .bends import bent_where_long
from .features import DesignMap, as_given, gave_nan, raw_features, unique_names
from .magnitudes import check_largest, least_and_most
from .moments import Parts, Rows, moments_of, reduced
from .subjects import Subjects

#: Rows at a time when moments are taken.
_SLICE = 1 << 16
#: Largest spread, and inverse of the smallest, of features that stay in their units.
_UNITS = 1e15
#: The same for what differs within a subject.
_ALIKE = 1e-12


def column_numbers(
    features: Any, names: Sequence[str], owner: str, argument: str = "features"
) -> Ints:
    """Positions of columns given by name or index."""
    values, said = list(features), f"{owner}: {argument}={features!r}"
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
                f"{said} names {v!r}, which is not a column of X; X has {len(names)} columns "
                f"{names[:8]}{'...' if len(names) > 8 else ''}."
            )
    if len(set(places)) < len(places):
        raise ValueError(f"{said} names a column twice.")
    return np.array(places, dtype=np.intp)


def fit_design(
    features: Any,
    rows: Rows,
    *,
    fit_on: tuple[np.ndarray, np.ndarray],
    names_in: Names,
    standardize: bool,
    raw: bool = False,
    averaged: bool = False,
    intercept: bool = True,
    missing: bool = False,
    bends: bool = False,
    sparse: bool = False,
    wide: int | None = None,
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
    averaged : see subjects instead of rows, each as the mean of its rows; features that vary
        within subjects are called ``mean(name)``
    intercept : whether there is a constant; without, features are scaled and not centred, and one
        that is constant itself is as good as any other
    missing : whether these take NaN
    bends : whether features with long tails are bent, where ``standardize`` allows
    sparse : whether these take sparse features, which are then scaled by their largest size
    wide : width from which the units of features are at least a quarter of their range; see
        :func:`moments_of`; None for no width
    owner : name of the component, for messages
    """
    columns, transformer, names = _chosen(features, fit_on, names_in, owner, raw=raw)
    count = len(names)
    design = DesignMap(
        columns,
        transformer,
        names_in,
        np.zeros(count),
        np.ones(count),
        unique_names(names),
        averaged,
        float(intercept),
        owner,
        missing,
        sparse=bool(count) and _stays_sparse(columns, transformer, fit_on[0], names_in),
    )
    if not count:
        return design
    if design.sparse:
        if not sparse:
            raise TypeError(refuse_sparse(owner))
        return design if raw else _scaled_sparse(design, rows, standardize=standardize)
    if bends and standardize:
        design = _bent(design, rows, fit_on[0])
    size: Floats | None = None
    if averaged:
        size, varies = _within(rows, design, count)
        pairs = zip(design.names, varies, strict=True)
        named = [f"mean({name})" if inside else name for name, inside in pairs]
        design = replace(design, names=unique_names(named))
        if raw:
            _check_means(design, varies)
    if raw:
        _check_raw(design, rows)
        return design
    ranged = wide is not None and design.width >= wide
    return _scaled(design, rows, fit_on[0], size, standardize=standardize, ranged=ranged)


def _bent(design: DesignMap, rows: Rows, some: np.ndarray) -> DesignMap:
    """A design whose features with long tails are bent, and called so."""
    see = partial(_usable, design)
    found = bent_where_long(Parts(rows, see, design.averaged), lambda: see(some))
    return design.bent(found)


def _scaled(
    design: DesignMap,
    rows: Rows,
    some: np.ndarray,
    size: Floats | None,
    *,
    standardize: bool,
    ranged: bool,
) -> DesignMap:
    """A design in units of its own, or only centred."""
    see, averaged = partial(_usable, design), design.averaged
    parts = Parts(rows, see, averaged)
    how = {"missing": design.takes_missing, "ranged": ranged and standardize}
    centre, inverse = moments_of(parts, lambda: see(some), size, **how)
    if not (np.isfinite(centre).all() and np.isfinite(inverse).all()):
        reduced(rows, lambda X, *_: design.check_missing(X), _nothing)
        raise gave_nan(design.component, design.transformer)
    if not standardize:
        _check_units(inverse, design.names, design.component)
        inverse = (inverse > 0.0).astype(np.float64)
    if not design.constant:
        still = (inverse == 0.0) & (centre != 0.0)
        unit = np.abs(centre) if standardize else np.ones_like(centre)
        inverse = np.where(still, 1.0 / np.where(still, unit, 1.0), inverse)
        centre = np.zeros(len(centre))
    return replace(design, centre=centre, inverse=inverse)


def _stays_sparse(columns: Ints | None, transformer: Any, X: np.ndarray, names_in: Names) -> bool:
    """Whether features are sparse."""
    return issparse(X) and issparse(raw_features(X[:1], columns, transformer, names_in))


def refuse_sparse(owner: str) -> str:
    """What is said where a component is to see sparse features and cannot."""
    return (
        f"{owner} cannot see sparse features of X, dense data is required: it needs them laid out "
        "or centred. Use linear experts with gate='softmax' or 'constant'; give it a few numbers "
        "instead, features=TruncatedSVD(20); or pass X.toarray() if that fits into memory."
    )


def _scaled_sparse(design: DesignMap, rows: Rows, *, standardize: bool) -> DesignMap:
    """A sparse design in units of the largest sizes of its features, or in their own."""

    def look(X: Any, *_: Any) -> tuple[Floats, Floats]:
        raw = design.raw(X)
        check_largest(f"{design.component}: what it sees of X", raw, design.names)
        return least_and_most(raw)

    low, high = reduced(rows, look, lambda a, b: (np.minimum(a[0], b[0]), np.maximum(a[1], b[1])))
    size = np.maximum(np.abs(low), np.abs(high))
    # A feature that is alike in all rows says what the constant says.
    varies = (high > low) if design.constant else size > 0.0
    inverse = np.where(varies, 1.0 / np.where(varies, size, 1.0), 0.0)
    if not standardize:
        _check_units(inverse, design.names, design.component)
        inverse = varies.astype(np.float64)
    return replace(design, inverse=inverse)


def _chosen(
    features: Any, fit_on: tuple[np.ndarray, np.ndarray], names_in: Names, owner: str, *, raw: bool
) -> tuple[Ints | None, Any, list[str]]:
    """Columns taken, the fitted transformer of them, and what the features are called."""
    width = fit_on[0].shape[1]
    names: Sequence[str] = names_in or [f"x{j}" for j in range(width)]
    columns, transformer = None, None
    if features is None:
        out_names = list(names)
    elif hasattr(features, "transform"):
        transformer = clone(features).fit(as_frame(fit_on[0], names_in), fit_on[1])
        out_names = _names_out(transformer, names_in)
    elif isinstance(features, (list, tuple, np.ndarray, pd.Index)):
        columns = column_numbers(features, names, owner)
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
            transformer = _encoder(as_given(fit_on[0], columns, names_in), owner)
            out_names = _names_out(transformer, None)
    count = raw_features(fit_on[0][:1], columns, transformer, names_in).shape[1]
    if len(out_names) != count:
        out_names = [f"f{j}" for j in range(count)]
    return columns, transformer, out_names


def _check_units(inverse: Floats, names: Sequence[str], owner: str) -> None:
    """Raise if features that are to stay in their units have units that sums do not bear."""
    wrong = np.flatnonzero((inverse > _UNITS) | ((inverse > 0.0) & (inverse < 1.0 / _UNITS)))
    if wrong.size:
        j = int(wrong[0])
        raise ValueError(
            f"{owner}: with standardize=False features are used as they are, and feature "
            f"{names[j]!r} has a standard deviation of {1.0 / inverse[j]:.3g}, beyond "
            f"[{1.0 / _UNITS:g}, {_UNITS:g}]; set standardize=True or divide it by a constant."
        )


def _encoder(table: pd.DataFrame, owner: str) -> TableEncoder:
    """What turns levels into columns; raises with the name of who needs it."""
    try:
        return TableEncoder().fit(table)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{owner}: {error}") from None


def _usable(design: DesignMap, X: np.ndarray) -> Floats:
    """Features before standardisation; what a transformer gives is refused if beyond bounds."""
    raw = design.raw(X)
    if design.transformer is not None:
        check_largest(f"{design.component}: what the transformer of features gave", raw)
    return raw


def _check_raw(design: DesignMap, rows: Rows) -> None:
    """Raise if an estimator would be given what it does not take."""

    def check(X: np.ndarray, *_: Any) -> None:
        design.check_missing(X)
        if design.transformer is not None:
            _usable(design, X)

    reduced(rows, check, _nothing)


def _nothing(*_: None) -> None:
    """What checks that passed say together."""


def _check_means(design: DesignMap, varies: np.ndarray) -> None:
    """Raise if columns that are no numbers vary within subjects, of which the mean is seen."""
    names = design.names_in
    if design.transformer is not None or not isinstance(names, TableColumns):
        return
    columns = range(len(names)) if design.columns is None else design.columns
    for j, inside in zip(columns, varies, strict=True):
        if inside and not names.numeric[j]:
            raise ValueError(
                f"{design.component}: column {names[j]!r} varies within a group and does not hold "
                "numbers, so that a group has no mean of it; leave it out by features=."
            )


def _within(rows: Rows, design: DesignMap, count: int) -> tuple[Floats, np.ndarray]:
    """Largest size of each feature in any row, and which vary within a subject."""

    def look(X: np.ndarray, _: Floats, subjects: Subjects | None) -> tuple[Floats, np.ndarray]:
        # A value that is missing in some rows of a subject varies, missing in all it does not.
        raw = np.nan_to_num(design.raw(X).astype(np.float64, copy=False).T)
        varies = np.zeros(count, dtype=bool)
        if subjects is not None:
            varies = subjects.varying(raw, _ALIKE)
        return np.abs(raw).max(axis=1, initial=0.0), varies

    return reduced(rows, look, lambda a, b: (np.maximum(a[0], b[0]), a[1] | b[1]))


def slices_of(X: np.ndarray, w: Floats, subjects: Subjects | None = None) -> Rows:
    """Passes over arrays in memory, a slice at a time; slices end where subjects do."""

    def passes() -> Iterator[tuple[np.ndarray, Floats, Subjects | None]]:
        if subjects is not None:
            for rows, inside in subjects.cut(_SLICE):
                yield X[rows], w[rows], subjects.part(inside)
            return
        for start in range(0, len(w), _SLICE):
            yield X[start : start + _SLICE], w[start : start + _SLICE], None

    return passes


def _names_out(transformer: Any, names_in: Names) -> list[str]:
    """Feature names of a fitted transformer, or none."""
    try:
        return [str(v) for v in transformer.get_feature_names_out(names_in)]
    except (AttributeError, ValueError):
        return []
