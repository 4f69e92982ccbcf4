"""Rows of a user's table over which answers are averaged, one column at a time changed.

A column of numbers is moved by a little, or from the lower to the higher of two values; one of
levels from the first level to each other one. Behind a pipeline it is the columns of its own X that
are changed.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype
from scipy.sparse import issparse

from moe_classic._adapters import column_of_numbers, holds_numbers, pandas_table
from moe_classic._results import column_names, fitted_moe, inner_rows
from moe_classic._typing import Floats
from moe_classic.preprocessing import level_name, levels_in_order

#: Step of a derivative, in standard deviations of the feature: errors of both kinds are near 1e-6.
_STEP = 1e-3
#: Levels of a column beyond which they are text or identifiers, and names in a message.
_MOST_LEVELS, _SHOWN = 100, 10

#: Answers (n, c) of an estimator about rows.
Answer = Callable[[Any, pd.DataFrame], pd.DataFrame]


class TableRows:
    """Rows over which answers are averaged.

    Parameters
    ----------
    estimator : fitted estimator, pipeline or search
    X : rows as it takes them
    at : dict, or None
        Values by name or place of a feature, at which it is held.
    sample_weight : array-like of shape (n,), or None
    caller : str
        Who asks, for messages.

    Attributes
    ----------
    moe : the mixture inside
    X : DataFrame (n, p), with what is held
    names : list of p names
    w : (n,) weights that add up to 1
    """

    def __init__(self, estimator: Any, X: Any, at: Any, sample_weight: Any, *, caller: str) -> None:
        self.estimator = estimator
        self.moe = fitted_moe(estimator, needs="gate_proba", caller=caller)
        if issparse(X):
            raise TypeError(
                f"{caller} changes one column of X at a time, and X is sparse; pass X.toarray()."
            )
        self.X, self.is_table = self._table(pandas_table(X))
        self.labels = list(self.X.columns)
        self.names = [str(label) for label in self.labels]
        w = np.ones(len(self.X)) if sample_weight is None else np.asarray(sample_weight, float)
        self.w = w / w.sum()
        self.numeric = [holds_numbers(self.X.iloc[:, j]) for j in range(len(self.names))]
        self.given = [] if at is None else [self.place(feature) for feature in at]
        self.X = self.held(at or {})

    def _table(self, X: Any) -> tuple[pd.DataFrame, bool]:
        """The rows as a table in the order of the fit, and whether they are given as one."""
        known = column_names(self.estimator)
        if isinstance(X, pd.DataFrame):
            order = [label for label in known or () if label in X.columns]
            # Columns of which the fit knew nothing stay out.
            return (X[order] if known and len(order) == len(known) else X).copy(), True
        values = np.array(X)
        if values.dtype != object:
            values = values.astype(np.float64)
        if values.ndim != 2:
            raise ValueError(f"X has shape {values.shape}; give rows (n_samples, n_features).")
        frame = pd.DataFrame(values, columns=known or [f"x{j}" for j in range(values.shape[1])])
        return frame.infer_objects(), False

    # -------------------------------------------------------------------- columns

    def place(self, feature: Any) -> int:
        """Place of a feature by name or place."""
        if isinstance(feature, numbers.Integral) and not isinstance(feature, bool):
            if 0 <= int(feature) < len(self.names):
                return int(feature)
        elif feature in self.names:
            return self.names.index(feature)
        raise ValueError(
            f"feature {feature!r} is not there; give one of {self.names[:_SHOWN]} or a place from "
            f"0 to {len(self.names) - 1}."
        )

    def places(self, features: Sequence[Any] | None) -> list[int]:
        """Features whose effects are wanted: by default all that vary, but text and dates."""
        if features is not None:
            places = [self.place(feature) for feature in features]
        else:
            places = [j for j in range(len(self.names)) if self._has_effect(j)]
        missing = [self.names[j] for j in places if self.X.iloc[:, j].isna().any()]
        if missing:
            raise ValueError(
                f"marginal_effects: features {missing[:_SHOWN]} are missing in some rows, where "
                "they have no effect; leave these rows out, choose others by features=, or use "
                "predictions_at."
            )
        return places

    def _has_effect(self, j: int) -> bool:
        """Whether a column varies, in numbers or in few levels."""
        if self.numeric[j]:
            values = self._numbers(j)
            known = values[~np.isnan(values)]
            return bool(known.size and known.max() > known.min())
        if self._is_date(j):
            return False
        return 1 < self.X.iloc[:, j].nunique() <= _MOST_LEVELS

    def _is_date(self, j: int) -> bool:
        """Whether a column holds points in time or stretches of it."""
        kind = infer_dtype(self.X.iloc[:, j], skipna=True)
        return any(word in kind for word in ("date", "time", "period", "interval"))

    def _numbers(self, j: int) -> Floats:
        """A column of numbers, (n,)."""
        return column_of_numbers(self.X.iloc[:, j], self.names[j])

    def _levels(self, j: int) -> list[Any]:
        """Levels of a column in the order in which they are encoded; raises if it has none."""
        name = self.names[j]
        if self._is_date(j):
            raise TypeError(
                f"feature {name!r} holds dates, which have no unit; write what matters of them as "
                "numbers before the fit, or leave it out of features=."
            )
        levels = levels_in_order(self.X.iloc[:, j])
        if len(levels) > _MOST_LEVELS:
            raise ValueError(
                f"feature {name!r} has {len(levels)} different values, such as {levels[0]!r}: text "
                "and identifiers have no effects by level; leave it out of features=."
            )
        return levels

    # -------------------------------------------------------------------- changes

    def held(self, values: dict[Any, Any]) -> pd.DataFrame:
        """The rows with some features at given values."""
        X = self.X.copy()
        for feature, value in values.items():
            j = self.place(feature)
            X = self._with(X, j, self._checked(j, value))
        return X

    def _checked(self, j: int, value: Any) -> Any:
        """A value for a column: a number, or a level that it has."""
        if self.numeric[j]:
            try:
                return float(value)
            except (TypeError, ValueError):
                raise ValueError(
                    f"feature {self.names[j]!r} holds numbers, not {value!r}; give a number."
                ) from None
        levels = self._levels(j)
        if value not in levels:
            raise ValueError(
                f"feature {self.names[j]!r} is to be {value!r}, which none of the rows is; give "
                f"one of {levels[:_SHOWN]}."
            )
        return value

    def _with(self, X: pd.DataFrame, j: int, values: Any) -> pd.DataFrame:
        """A table with other values in one column."""
        column = X.iloc[:, j]
        if self.numeric[j]:
            new = pd.Series(np.broadcast_to(values, len(X)).astype(np.float64), index=X.index)
        else:
            new = pd.Series([values] * len(X), index=X.index, dtype=column.dtype)
        out = X.copy(deep=False)
        out.isetitem(j, new)
        return out

    def changes(self, j: int) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame, Any]]:
        """What a feature is called, rows before and after a change of it, and its size (n,)."""
        name = self.names[j]
        if not self.numeric[j]:
            first, *others = self._levels(j)
            for level in others:
                before, after = (self._with(self.X, j, value) for value in (first, level))
                yield level_name(name, level), before, after, 1.0
            return
        values = self._numbers(j)
        distinct = np.unique(values)
        if distinct.size == 2:
            low, high = distinct
            yield name, self._with(self.X, j, low), self._with(self.X, j, high), 1.0
            return
        step = _STEP * (float(np.std(values)) or 1.0)
        low, high = values - step, values + step
        # What was added, not what was meant: far from zero these differ.
        yield name, self._with(self.X, j, low), self._with(self.X, j, high), high - low

    # -------------------------------------------------------------------- averages

    def seen(self, X: pd.DataFrame) -> Any:
        """A table as the mixture inside sees its rows."""
        return inner_rows(self.estimator, X if self.is_table else X.to_numpy())

    def average(self, answers: pd.DataFrame) -> pd.Series:
        """Weighted means over the rows, by answer."""
        return pd.Series(self.w @ answers.to_numpy(), index=answers.columns)

    def effects(self, moe: Any, answer: Answer, places: list[int]) -> pd.Series:
        """Average effects at the parameters of ``moe``."""
        parts = {}
        for j in places:
            for name, before, after, run in self.changes(j):
                change = answer(moe, after) - answer(moe, before)
                parts[name] = self.average(change.div(run, axis=0))
        return pd.concat(parts, names=["feature", "answer"])
