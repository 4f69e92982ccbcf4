"""Rows of one fit, validated: the first fix what later ones must agree with."""

from __future__ import annotations

import operator
from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from moe_classic._adapters import TableColumns, read_table
from moe_classic._data import (
    RawBlock,
    RawData,
    RowStream,
    check_largest,
    check_spread,
    check_weight,
    least_and_most,
    sparse_rows,
    stream_of,
)
from moe_classic._results import (
    check_missing,
    column_names,
    gathered_subjects,
    names_seen,
    refuse_sparse_missing,
    validate_rows,
    variables_of,
)
from moe_classic._targets import Target
from moe_classic._typing import Floats, Names


class RowChecker:
    """Validates the rows of a fit, all at once or batch by batch.

    What it learns from the first rows stays here until the fit has ended well: an estimator whose
    fit is refused or interrupted is what it was.

    Parameters
    ----------
    estimator : estimator
        Whose fit it is, for tags and messages.
    kind : type of Target
        What y may be.
    multi_output : bool
        Whether y may have several columns.
    target : Target, optional
        What y is, where that is known before the first rows.
    fitted : bool, default=False
        Whether rows must agree with those of the last fit.
    least : int, default=2
        Rows that the first call needs.
    sparse : callable, optional
        Raises if the estimator cannot take a sparse X; without, none is taken.
    """

    def __init__(
        self,
        estimator: Any,
        kind: type[Target],
        *,
        multi_output: bool = False,
        target: Target | None = None,
        fitted: bool = False,
        least: int = 2,
        sparse: Callable[[], None] | None = None,
    ) -> None:
        self.columns = copy(estimator)
        self.table: TableColumns | None = None
        self.fitted = fitted
        if fitted:
            names = names_seen(estimator.__moe_fitted__())
            self.table = names if isinstance(names, TableColumns) else None
        self.kind, self.options = kind, kind.validation(multi_output=multi_output)
        self.known, self.fresh, self.least = target, not fitted, least
        self.sparse = sparse

    @property
    def target(self) -> Target:
        """What y is; known after the first rows."""
        if self.known is None:
            raise ValueError("y is known after the first rows")
        return self.known

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return int(self.columns.n_features_in_)

    @property
    def names(self) -> Names:
        """Column names of X, if it has any; all of its columns if some are not numbers."""
        return column_names(self.columns) if self.table is None else self.table

    def __call__(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None, *, whole: bool = True
    ) -> RawData:
        """Validated rows with positive weight, all of a fit or a batch.

        Those of a group stand side by side; ``whole`` says that no more rows will come.
        """
        raw = self._raw(X, y, sample_weight, groups, whole=whole)
        check_spread("X", *least_and_most(raw.X), self.names)
        check_spread("y", raw.key.min(axis=1), raw.key.max(axis=1))
        return raw

    def _raw(
        self, X: Any, y: Any, sample_weight: Any, groups: Any, *, whole: bool = True
    ) -> RawData:
        """Validated rows, of which there may be more than these."""
        given = y
        if groups is not None and issparse(X):
            raise TypeError(
                "groups takes a dense X: the gate sees the means of the rows of a group, and X is "
                "sparse. Pass X.toarray() if that fits into memory."
            )
        X, y, w, used = self._validated(X, y, sample_weight)
        order, subjects = None, None
        if groups is not None:
            order, subjects = gathered_subjects(groups, w, used, whole=whole)
        if self.known is None:
            self.known = self.kind.learn(y, used).named(given)
        if not used.all():
            X, y, w = X[used], y[used], w[used]
        if order is not None:
            X, y, w = X[order], y[order], w[order]
        return RawData(X, self.known.columns(y), w, used, subjects, order)

    def stream(self, blocks: Any) -> RowStream:
        """A user's blocks, validated on every pass."""
        if self.known is None and self.kind.whole:
            labels = stream_of(blocks, self._as_given).reduce(_labels, operator.or_)
            self.known = self.kind.learn_in_parts([np.array(list(labels), dtype=object)])

        def validate(X: Any, y: Any, sample_weight: Any, groups: Any) -> RawBlock:
            raw = self._raw(X, y, sample_weight, groups, whole=False)
            return RawBlock(raw.X, raw.key, raw.w, raw.subjects)

        return stream_of(blocks, validate)

    def __getstate__(self) -> dict[str, Any]:
        """Without what the estimator learned before, which is not asked for elsewhere."""
        columns = copy(self.columns)
        for name in ("_fitted", "_waiting", "_skl_callbacks"):
            columns.__dict__.pop(name, None)
        return {**self.__dict__, "columns": columns}

    def _as_given(
        self, X: Any, y: Any, sample_weight: Any, groups: Any
    ) -> tuple[Floats, np.ndarray, Floats]:
        """Rows with positive weight, their target as the user wrote it."""
        X, y, w, used = self._validated(X, y, sample_weight)
        return X[used], y[used], w[used]

    def _validated(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, ...]:
        """X, y, weights and which rows count; the first rows fix what X is."""
        X = variables_of(self.columns, X)
        X, self.table = read_table(X, self.table, fresh=self.fresh, keep=True)
        options: dict[str, Any] = {
            "dtype": [np.float64, np.float32],
            "reset": self.fresh,
            "ensure_min_samples": self.least if self.fresh else 1,
        }
        if issparse(X) and self.sparse is not None:
            self.sparse()
            options["accept_sparse"] = "csr"
        if self.kind.intervals:
            # Ends may be infinite: the target looks at them itself.
            X, missing = validate_rows(self.columns, X, **options)
            check_consistent_length(X, y)
        else:
            (X, y), missing = validate_rows(self.columns, X, y, **options, **self.options)
        if issparse(X):
            X = sparse_rows(X)
            refuse_sparse_missing(X, self.names, missing=missing)
        if missing and self.fitted:
            check_missing(self.columns, X)
        self.fresh = False
        check_largest("X", X, self.names)
        y = self.kind.checked(y)
        if sample_weight is None:
            # Views of one number: a long data set costs no memory beyond itself.
            return X, y, np.broadcast_to(1.0, len(X)), np.broadcast_to(np.True_, len(X))
        w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        check_weight(w)
        used = w > 0.0
        if not used.any():
            raise ValueError("sample_weight is zero for every row; give at least one row weight.")
        return X, y, w, used


def _labels(part: Any) -> set[Any]:
    """Labels of some rows, as the user wrote them."""
    return set(part[1].tolist())
