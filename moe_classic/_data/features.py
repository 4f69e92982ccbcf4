"""What a component sees of X: all columns, some, or the output of a transformer; standardised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import clone

from moe_classic._adapters import TableColumns, as_frame, refuse_missing
from moe_classic._typing import Floats, Ints, Names
from moe_classic.preprocessing import TableEncoder

from .bends import Bends, bent_where_long
from .magnitudes import LARGEST, check_largest, least_and_most
from .moments import Parts, Rows, moments_of, reduced
from .patterns import is_incomplete
from .sparse import sparse_design, sparse_rows
from .subjects import Subjects

#: Rows at a time when moments are taken.
_SLICE = 1 << 16
#: Largest spread, and inverse of the smallest, of features that stay in their units.
_UNITS = 1e15
#: The same for what differs within a subject.
_ALIKE = 1e-12


@dataclass(frozen=True)
class DesignMap:
    """Raw rows (n, p) to a standardised design (q, n) with a last row of ones, or of zeros.

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
    averaged : bool
        Whether subjects are seen instead of rows, each as the mean of its rows.
    constant : float
        The last row: 1, or 0 without intercepts; then features are not centred.
    component : str
        Who sees it, for messages.
    takes_missing : bool
        Whether that one knows what to do with NaN.
    bends : Bends, or None
        How features with long tails are bent before anything else.
    sparse : bool
        Whether the design is a sparse array, whose features are scaled and not centred.
    """

    columns: Ints | None
    transformer: Any
    names_in: Names
    centre: Floats
    inverse: Floats
    names: tuple[str, ...]
    averaged: bool = False
    constant: float = 1.0
    component: str = "the model"
    takes_missing: bool = False
    bends: Bends | None = None
    sparse: bool = False

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

    def log_unit_of(self, Z: Floats) -> Any:
        """The same of what rows of a design (q, n) have, one a row where some miss values."""
        if not is_incomplete(Z):
            return self.log_unit
        varies = self.inverse > 0.0
        return -np.log(self.inverse[varies]) @ ~np.isnan(Z[:-1][varies])

    def __call__(self, X: np.ndarray) -> Any:
        """Design matrix (q, n) of the rows of ``X``."""
        raw = self.raw(X)
        if self.sparse:
            return sparse_design(raw, self.inverse, self.constant)
        out = np.empty((self.width, len(X)))
        np.subtract(raw.T, self.centre[:, None], out=out[:-1])
        out[:-1] *= self.inverse[:, None]
        if self.takes_missing:
            # What never varied is known where it is missing.
            out[:-1][self.inverse == 0.0] = 0.0
        out[-1] = self.constant
        return out

    def raw(self, X: np.ndarray) -> Any:
        """Features before standardisation, (n, q - 1); an array unless the design is sparse."""
        out = raw_features(X, self.columns, self.transformer, self.names_in)
        if issparse(out):
            if self.sparse:
                return out
            out = out.toarray()
        if self.transformer is not None and not (self.takes_missing or np.isfinite(out).all()):
            raise _gave_nan(self.component, self.transformer)
        return out if self.bends is None else self.bends(out)

    def check_missing(self, X: np.ndarray) -> None:
        """Raise if rows (n, p) miss values that are seen here as they are."""
        if self.takes_missing or self.transformer is not None or issparse(X):
            return
        seen = range(X.shape[1]) if self.columns is None else self.columns
        names = [f"x{j}" for j in range(X.shape[1])] if self.names_in is None else self.names_in
        counts = {names[j]: int(np.isnan(X[:, j]).sum()) for j in seen}
        refuse_missing(counts, self.component)

    def undone(self, Z: Floats) -> Floats:
        """Raw features (n, q - 1) of standardised ones."""
        raw = self.centre + Z * self.unit
        return raw if self.bends is None else self.bends.undone(raw)

    def bent(self, bends: Bends | None) -> DesignMap:
        """The design whose features are bent, and called so."""
        if bends is None:
            return self
        return replace(self, bends=bends, names=unique_names(bends.named(self.names)))

    def original(self, coef: Floats) -> tuple[Floats, Floats]:
        """Slopes (..., q - 1) and intercepts (...) on the raw scale of the features."""
        slopes = coef[..., :-1] * self.inverse
        return slopes, self.constant * coef[..., -1] - slopes @ self.centre


def raw_features(X: np.ndarray, columns: Ints | None, transformer: Any, names_in: Names) -> Any:
    """Features before standardisation, (n, q - 1); sparse where rows are, and stay so."""
    if transformer is None:
        return X if columns is None else X[:, columns]
    out = transformer.transform(_given(X, columns, names_in))
    if issparse(out):
        if issparse(X):
            return sparse_rows(out)
        out = out.toarray()
    out = np.asarray(out, dtype=np.float64)
    if out.shape[:1] != (len(X),):
        raise ValueError(
            f"features: {transformer!r} turned {len(X)} rows into an array of shape {out.shape}; "
            "a transformer must give one row for each."
        )
    return out.reshape(len(X), -1)


def checked_design(seen: DesignMap, X: np.ndarray, largest: float = LARGEST) -> Floats:
    """The design (q, n) of rows; raises unless all of it can be squared."""
    Z = seen(X)
    if seen.sparse:
        return _checked_sparse(Z, seen, largest)
    if Z.size == 0 or max(float(Z.max()), -float(Z.min())) <= largest:  # NaN fails too
        return Z
    wrong = ~(np.abs(Z) <= largest)
    if seen.takes_missing:
        wrong &= ~np.isnan(Z)
        if not wrong.any():
            return Z
    j, row = np.argwhere(wrong)[0]
    name = seen.names[j] if j < len(seen.names) else "a column that is added"
    if seen.transformer is not None:
        raise ValueError(
            f"features: {seen.transformer!r} gave no finite number for feature {name!r} in row "
            f"{row} of a block."
        )
    raise ValueError(
        f"X has a value of {name!r} in row {row} of a block, {Z[j, row]:.3g} standard "
        "deviations from those of the fit; numbers so far out overflow when they are squared."
    )


def _checked_sparse(Z: Any, seen: DesignMap, largest: float) -> Any:
    """The same of a sparse design."""
    wrong = np.flatnonzero(~(np.abs(Z.data) <= largest))
    if not wrong.size:
        return Z
    row = int(np.searchsorted(Z.indptr, wrong[0], side="right")) - 1
    raise ValueError(
        f"X has a value of {seen.names[Z.indices[wrong[0]]]!r} in row {row} of a block, "
        f"{Z.data[wrong[0]]:.3g} times the largest of the fit; numbers so far out overflow when "
        "they are squared."
    )


def _given(X: np.ndarray, columns: Ints | None, names_in: Names) -> Any:
    """Some columns of X as a transformer is given them."""
    if columns is None or not isinstance(names_in, TableColumns):
        return as_frame(X, names_in)
    return as_frame(X[:, columns], names_in.taken(columns))


def _gave_nan(owner: str, features: Any) -> ValueError:
    """What is said of a transformer whose output cannot be used."""
    return ValueError(f"{owner}: features={features!r} gave NaN or infinite values.")


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
        raise _gave_nan(design.component, design.transformer)
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
            transformer = _encoder(_given(fit_on[0], columns, names_in), owner)
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
