"""Columns of a table as numbers: those that are numbers as they are, others by their levels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import infer_dtype
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import check_is_fitted

from moe_classic._adapters import column_of_numbers, holds_numbers, pandas_table, refuse_missing
from moe_classic._arguments import check_integer, check_one_of
from moe_classic._sklearn import BaseEstimator, TransformerMixin
from moe_classic._typing import Floats

#: Levels shown in a message.
_SHOWN = 5


class UnseenLevelWarning(UserWarning):
    """A table holds a level that the fit did not see; it counts as the level left out.

    Examples
    --------
    >>> import warnings
    >>> import pandas as pd
    >>> from moe_classic.preprocessing import TableEncoder, UnseenLevelWarning
    >>> encoder = TableEncoder().fit(pd.DataFrame({"city": ["Rome", "Oslo"]}))
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", UnseenLevelWarning)
    ...     encoder.transform(pd.DataFrame({"city": ["Kyiv", "Rome"]}))
    array([[0.],
           [1.]])
    """


class TableEncoder(TransformerMixin, BaseEstimator):
    """Numbers as they are, every other column as one column of zeros and ones a level.

    Gates and experts of this package encode with it by themselves where X is a table and what
    they see of it does not all hold numbers. The first level of a column is left out, as
    treatment contrasts have it: coefficients are differences from it. Columns of categories keep
    the order of these, others are sorted; booleans are numbers, 0 and 1. A coefficient is called
    by its column and level, ``city[Rome]``.

    Parameters
    ----------
    columns : list of column names, default=None
        What is encoded; other columns are not looked at. None: all.
    drop : {"first"} or None, default="first"
        Which level has no column of its own, as for
        :class:`~sklearn.preprocessing.OneHotEncoder`.
    handle_unknown : {"warn", "error"}, default="warn"
        What becomes of a level that the fit did not see. ``"warn"``: it counts as the one that
        was left out (with ``drop=None``, as none of the levels), with an
        :class:`UnseenLevelWarning`; ``"error"``: an error that names it.
    max_levels : int, default=100
        Most levels of a column: free text and identifiers are refused by it.

    Attributes
    ----------
    feature_names_in_ : ndarray of str
        Columns of the table.
    n_features_in_ : int
    columns_ : list
        Names of the encoded columns.
    levels_ : dict
        Levels of every column that does not hold numbers, the first one first.

    Examples
    --------
    >>> import pandas as pd
    >>> from moe_classic.preprocessing import TableEncoder
    >>> table = pd.DataFrame({"age": [31, 54, 40], "city": ["Rome", "Oslo", "Bern"]})
    >>> encoder = TableEncoder().fit(table)
    >>> encoder.get_feature_names_out().tolist()
    ['age', 'city[Oslo]', 'city[Rome]']
    >>> encoder.transform(table)
    array([[31.,  0.,  1.],
           [54.,  1.,  0.],
           [40.,  0.,  0.]])
    """

    def __init__(
        self,
        columns: Any = None,
        *,
        drop: Any = "first",
        handle_unknown: str = "warn",
        max_levels: int = 100,
    ) -> None:
        self.columns = columns
        self.drop = drop
        self.handle_unknown = handle_unknown
        self.max_levels = max_levels

    def fit(self, X: Any, y: Any = None) -> TableEncoder:
        """Learn the levels of all columns that do not hold numbers.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self : TableEncoder

        Raises
        ------
        ValueError, TypeError
            If X is no table, or a column holds dates, missing values or too many levels.
        """
        check_one_of("TableEncoder", "drop", self.drop, ("first", None))
        check_one_of("TableEncoder", "handle_unknown", self.handle_unknown, ("warn", "error"))
        check_integer("max_levels", self.max_levels, 1, "the most levels of a column")
        X = _table(X)
        columns = list(X.columns) if self.columns is None else list(self.columns)
        for name in columns:
            _refuse_dates(X, name)
        _check_columns(X, columns)
        levels = {name: self._levels_of(X[name]) for name in columns if not holds_numbers(X[name])}
        encoder = None
        if levels:
            encoder = OneHotEncoder(
                categories=[np.array(v, dtype=object) for v in levels.values()],
                drop=self.drop,
                handle_unknown="ignore",
                sparse_output=False,
            )
            encoder.fit(_objects(X, list(levels)))
        self.n_features_in_: int = X.shape[1]
        self.feature_names_in_: NDArray[Any] = np.array([str(v) for v in X.columns], dtype=object)
        self.columns_: list[Any] = columns
        self.levels_: dict[Any, list[Any]] = levels
        self._encoder = encoder
        return self

    def transform(self, X: Any) -> Floats:
        """The columns as numbers.

        Parameters
        ----------
        X : DataFrame
            With the encoded columns, in any order.

        Returns
        -------
        numbers : ndarray of shape (n_samples, n_features_out)

        Raises
        ------
        ValueError
            If a column is missing, has missing values, or holds an unseen level with
            ``handle_unknown="error"``.
        """
        check_is_fitted(self)
        X = _table(X)
        _check_columns(X, self.columns_)
        coded = self._indicators(X)
        parts = [
            coded[name] if name in coded else column_of_numbers(X[name], str(name))[:, None]
            for name in self.columns_
        ]
        return np.concatenate([np.empty((len(X), 0)), *parts], axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns that come out: ``age``, ``city[Rome]``.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self)
        names: list[str] = []
        for name in self.columns_:
            kept = self._kept.get(name)
            names += [str(name)] if kept is None else [level_name(str(name), v) for v in kept]
        return np.array(names, dtype=object)

    @property
    def _kept(self) -> dict[Any, list[Any]]:
        """Levels with a column of their own."""
        first = 0 if self.drop is None else 1
        return {name: levels[first:] for name, levels in self.levels_.items()}

    def _levels_of(self, column: pd.Series) -> list[Any]:
        """Levels of a column in their order, or why it has none."""
        levels = levels_in_order(column)
        if len(levels) > self.max_levels:
            raise ValueError(
                f"column {column.name!r} has {len(levels)} different values, such as "
                f"{levels[0]!r}; text and identifiers are not encoded as levels. Leave it out with "
                "features=[...], give a transformer such as "
                f"features=make_column_transformer((TargetEncoder(), [{column.name!r}])), or allow "
                f"as many with features=TableEncoder(max_levels={len(levels)})."
            )
        return levels

    def _indicators(self, X: pd.DataFrame) -> dict[Any, Floats]:
        """Zeros and ones of the columns that have levels, (n, levels) each."""
        if self._encoder is None:
            return {}
        values = _objects(X, list(self.levels_))
        for j, (name, levels) in enumerate(self.levels_.items()):
            self._look_up(name, levels, values[:, j])
        out, kept = self._encoder.transform(values), self._kept
        edges = np.cumsum([len(v) for v in kept.values()])[:-1]
        return dict(zip(kept, np.split(out, edges, axis=1), strict=True))

    def _look_up(self, name: Any, levels: list[Any], values: np.ndarray) -> None:
        """Put the first level in the place of unseen ones, with a warning, or raise."""
        unseen = ~pd.Series(values, dtype=object).isin(levels).to_numpy()
        if not unseen.any():
            return
        found = pd.unique(pd.Series(values[unseen], dtype=object)).tolist()
        shown = f"{found[:_SHOWN]}"[:-1] + (", ...]" if len(found) > _SHOWN else "]")
        said = f"column {name!r} has levels that the fit did not see, {shown}"
        if self.handle_unknown == "error":
            raise ValueError(
                f"{said}; it saw {levels[:_SHOWN]}{'...' if len(levels) > _SHOWN else ''}. Fit on "
                'rows that have them, or use TableEncoder(handle_unknown="warn").'
            )
        instead = "none of the levels"
        if self.drop is not None:
            instead = f"{levels[0]!r}, the level left out"
        warnings.warn(f"{said}; they count as {instead}.", UnseenLevelWarning, stacklevel=2)
        if self.drop is not None:
            values[unseen] = levels[0]


def levels_in_order(column: pd.Series) -> list[Any]:
    """The levels that a column has: categories in their order, others sorted."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return list(column.cat.remove_unused_categories().cat.categories)
    return _sorted(column.dropna())


def level_name(column: str, level: Any) -> str:
    """What the column of a level is called."""
    return f"{column}[{level}]"


def _table(X: Any) -> pd.DataFrame:
    """X as a pandas table, or an error."""
    X = pandas_table(X)
    if not isinstance(X, pd.DataFrame):
        raise TypeError(
            f"TableEncoder: X must be a table with named columns (pandas, polars), got "
            f"{type(X).__name__}; make one with pandas.DataFrame(X, columns=[...])."
        )
    return X


def _refuse_dates(X: pd.DataFrame, name: Any) -> None:
    """Raise if a column holds points in time or stretches of it."""
    kind = infer_dtype(X[name], skipna=True) if name in X.columns else ""
    if any(word in kind for word in ("date", "time", "period", "interval")):
        raise TypeError(
            f"column {name!r} holds {kind} values, which are not encoded: write what matters of "
            f"it as numbers, such as df[{name!r}].dt.year or the days since the first, or leave "
            "it out with features=[...]."
        )


def _check_columns(X: pd.DataFrame, columns: list[Any]) -> None:
    """Raise unless the table has the columns and no value in them is missing."""
    absent = [name for name in columns if name not in X.columns]
    if absent:
        raise ValueError(
            f"X lacks the columns {absent[:_SHOWN]}; it has {list(X.columns)[:_SHOWN]}."
        )
    counts = {str(name): int(X[name].isna().sum()) for name in columns}
    refuse_missing(counts, "TableEncoder")


def _objects(X: pd.DataFrame, columns: list[Any]) -> np.ndarray:
    """Columns as an array of objects (n, c)."""
    out = np.empty((len(X), len(columns)), dtype=object)
    for j, name in enumerate(columns):
        out[:, j] = X[name].astype(object)
    return out


def _sorted(column: pd.Series) -> list[Any]:
    """Different values in their order, or that of their strings where they have none."""
    values = list(pd.unique(column.astype(object)))
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda v: (type(v).__name__, str(v)))
