"""What a component sees of X: all columns, some, or the output of a transformer; standardised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse

from moe_classic._adapters import TableColumns, as_frame, refuse_missing
from moe_classic._typing import Floats, Ints, Names

from .bends import Bends
from .magnitudes import LARGEST
from .patterns import is_incomplete
from .sparse import sparse_design, sparse_rows


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
            raise gave_nan(self.component, self.transformer)
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
    out = transformer.transform(as_given(X, columns, names_in))
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


def as_given(X: np.ndarray, columns: Ints | None, names_in: Names) -> Any:
    """Some columns of X as a transformer is given them."""
    if columns is None or not isinstance(names_in, TableColumns):
        return as_frame(X, names_in)
    return as_frame(X[:, columns], names_in.taken(columns))


def gave_nan(owner: str, features: Any) -> ValueError:
    """What is said of a transformer whose output cannot be used."""
    return ValueError(f"{owner}: features={features!r} gave NaN or infinite values.")


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
