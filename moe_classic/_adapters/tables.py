"""Tables whose columns are not all numbers, as arrays of numbers that can be turned back.

Rows are sampled, merged, cut and copied as arrays of float64, one column for each of the table. A
number stays itself, NaN where it is missing; any other value is the number under which a book of
its column keeps it, so that whoever sees the column is given the table's own values again. What
stands in a column that nobody sees is compared with nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, overload

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_numeric_dtype, is_object_dtype
from scipy.sparse import csr_array, issparse

from moe_classic._typing import Floats, Ints, Names

#: Kinds of values in a column of objects that are numbers.
_NUMBERS = {"integer", "floating", "mixed-integer-float", "boolean", "decimal", "empty"}
#: Values that a book keeps beyond those of the latest rows.
_MOST_KEPT = 1 << 18
#: Values of a column shown in a message.
_SHOWN = 5
#: One for all books: they are written in seldom.
_WRITING = Lock()


class ValueBook:
    """The values of a column, each under a number of its own.

    Numbers of values seen first together rise with the values, so that they do not depend on how
    rows are ordered. Values of rows to predict are kept while they are worked on: the oldest are
    forgotten once there are very many.
    """

    def __init__(self, dtype: Any) -> None:
        levels = isinstance(dtype, pd.CategoricalDtype)
        self.dtype = str(dtype)
        self.categories = list(dtype.categories) if levels else None
        self.ordered = bool(levels and dtype.ordered)
        self.next = 0
        self.values: dict[int, Any] = {}
        self.number: dict[Any, int] = {}
        #: Numbers of values that may be forgotten, the oldest first.
        self.loose: dict[int, None] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Plain lists: stores of models know no keys but words, and no dates."""
        values = list(self.values.values())
        if self.dtype.startswith("datetime"):
            values = [str(v) for v in values]
        held = {"values": values, "numbers": list(self.values)}
        return {**self.__dict__, **held, "number": None, "loose": list(self.loose)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Dictionaries of the same."""
        self.__dict__.update({k: v for k, v in state.items() if k != "numbers"})
        values = state["values"]
        if self.dtype.startswith("datetime"):
            values = list(pd.Series(values, dtype=object).astype(self.dtype))
        self.values = dict(zip(state["numbers"], values, strict=True))
        self.number = {value: number for number, value in self.values.items()}
        self.loose = dict.fromkeys(state["loose"])

    def write(self, column: pd.Series, *, keep: bool) -> Floats:
        """Numbers of the values of a column (n,), NaN where one is missing; ``keep`` for good."""
        try:
            codes, values = pd.factorize(column, use_na_sentinel=True)
            found = self._numbers(list(values), keep=keep)
        except TypeError:
            # Lists and the like: nobody can compare them, each is one of its own.
            codes = np.arange(len(column))
            found = self._numbers([_Own(v) for v in column], keep=keep)
        return np.append(found, np.nan)[codes]

    def _numbers(self, values: list[Any], *, keep: bool) -> Floats:
        """Numbers of different values, new ones entered."""
        with _WRITING:
            for value in _in_order([v for v in values if v not in self.number]):
                self.number[value], self.values[self.next] = self.next, value
                self.loose[self.next] = None
                self.next += 1
            numbers = [self.number[v] for v in values]
            if keep:
                for number in numbers:
                    self.loose.pop(number, None)
            elif len(self.loose) > 2 * max(_MOST_KEPT, len(values)):
                self._forget(len(self.loose) // 2)
            return np.array(numbers, dtype=np.float64)

    def _forget(self, count: int) -> None:
        """Leave out the oldest values that may be."""
        for number in list(self.loose)[:count]:
            del self.number[self.values.pop(number)], self.loose[number]

    def read(self, numbers: Floats) -> pd.Series:
        """The values under numbers (n,), of the type that the column had."""
        distinct, place = np.unique(numbers, return_inverse=True)
        known = [self.values[int(c)] for c in distinct if not np.isnan(c)]
        known = [v.value if isinstance(v, _Own) else v for v in known]
        values = np.empty(len(known) + 1, dtype=object)
        values[:-1], values[-1] = known, None
        place = np.where(np.isnan(numbers), len(known), place)
        out = pd.Series(values[place])
        try:
            return out.astype(self._dtype_of(known))
        except (TypeError, ValueError):
            # Values that the type of the column has no place for: whoever sees them will say so.
            return out

    def _dtype_of(self, values: list[Any]) -> Any:
        """The type of the column; categories that it did not have are added."""
        if self.categories is None:
            return self.dtype
        more = [v for v in values if v not in self.categories]
        return pd.CategoricalDtype([*self.categories, *more], ordered=self.ordered)


class _Own:
    """A value that equals only itself."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _in_order(values: list[Any]) -> list[Any]:
    """Values in an order that depends on them alone, where they have one."""
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda v: (type(v).__name__, str(getattr(v, "value", v))))


class TableColumns(Sequence[str]):
    """Names of the columns of a table, and books of the values of those that are not numbers.

    Attributes
    ----------
    labels : list
        What the table calls its columns; the names of this sequence are their strings.
    books : list of ValueBook or None
        None for a column of numbers.
    """

    def __init__(self, labels: list[Any], books: list[ValueBook | None]) -> None:
        self.labels, self.books = labels, books

    @classmethod
    def learn(cls, table: pd.DataFrame) -> TableColumns | None:
        """The columns of a table, or None if all hold numbers."""
        if all(is_numeric_dtype(dtype) for dtype in table.dtypes):
            return None
        books: list[ValueBook | None] = [
            None if holds_numbers(table.iloc[:, j]) else ValueBook(dtype)
            for j, dtype in enumerate(table.dtypes)
        ]
        if not any(books):
            return None
        labels = list(table.columns)
        twice = [name for name in labels if labels.count(name) > 1]
        if twice:
            raise ValueError(f"X has two columns called {twice[0]!r}; give each its own name.")
        return cls(labels, books)

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [str(v) for v in self.labels[place]]
        return str(self.labels[place])

    @property
    def numeric(self) -> np.ndarray:
        """Which columns hold numbers, (p,)."""
        return np.array([book is None for book in self.books], dtype=bool)

    def taken(self, columns: Ints | None) -> Sequence[str]:
        """Some of the columns; a list of names where all of these hold numbers."""
        places = range(len(self)) if columns is None else [int(j) for j in columns]
        books = [self.books[j] for j in places]
        if not any(books):
            return [self[j] for j in places]
        return TableColumns([self.labels[j] for j in places], books)

    # -------------------------------------------------------------------- there and back

    def numbers(self, table: Any, *, keep: bool) -> pd.DataFrame:
        """A table with these columns, in any order, as float64 in their order.

        ``keep`` says that the rows may be looked at later than now, as those of a fit are.
        """
        table = self._ordered(table)
        out = np.empty(table.shape)
        for j, book in enumerate(self.books):
            column = table.iloc[:, j]
            if book is None:
                out[:, j] = column_of_numbers(column, self[j])
            else:
                out[:, j] = book.write(column, keep=keep)
        return pd.DataFrame(out, columns=self.labels, copy=False)

    def table(self, X: np.ndarray) -> pd.DataFrame:
        """Rows (n, p) of such numbers as the table they came from."""
        columns = {
            j: pd.Series(X[:, j]) if book is None else book.read(X[:, j])
            for j, book in enumerate(self.books)
        }
        out = pd.DataFrame(columns, index=pd.RangeIndex(len(X)))
        out.columns = pd.Index(self.labels)
        return out

    def _ordered(self, table: Any) -> pd.DataFrame:
        """The table with the columns in their order; raises if one is missing or new."""
        if not isinstance(table, pd.DataFrame):
            shape = np.shape(table)
            if len(shape) != 2 or shape[1] != len(self) or not is_object_dtype(np.asarray(table)):
                raise ValueError(
                    f"X must be a table with the columns {_some(list(self))} that the fit saw, "
                    f"some of which do not hold numbers; got {type(table).__name__}."
                )
            table = pd.DataFrame(np.asarray(table), columns=self.labels).infer_objects()
        given = list(table.columns)
        if given == self.labels:
            return table
        missing = [name for name in self.labels if name not in given]
        unknown = [name for name in given if name not in self.labels]
        for names, what in ((missing, "lacks"), (unknown, "has further")):
            if names:
                raise ValueError(
                    f"X {what} columns {_some(names)}; give those of the fit, {_some(self.labels)},"
                    " in any order."
                )
        return table[self.labels]


def _some(names: Sequence[Any]) -> str:
    """The first few of some names."""
    shown = ", ".join(repr(v) for v in names[:_SHOWN])
    return f"[{shown}{', ...' if len(names) > _SHOWN else ''}]"


def holds_numbers(column: pd.Series) -> bool:
    """Whether a column of a table can be an array of float64 as it is."""
    if not is_object_dtype(column.dtype):
        return bool(is_numeric_dtype(column.dtype))
    return infer_dtype(column, skipna=True) in _NUMBERS


def column_of_numbers(column: pd.Series, name: str) -> Floats:
    """A column of numbers as float64, NaN where one is missing."""
    try:
        if is_object_dtype(column.dtype):
            return np.asarray(column.where(column.notna(), np.nan), dtype=np.float64)
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise ValueError(
            f"column {name!r} held numbers in the fit and holds {column.dtype} now, such as "
            f"{next(iter(column), None)!r}; give numbers, NaN where one is missing."
        ) from None


def pandas_table(X: Any) -> Any:
    """Tables of other libraries, such as polars, as pandas tables; everything else as it is."""
    if isinstance(X, (np.ndarray, pd.DataFrame)) or not hasattr(X, "to_pandas"):
        return X
    try:
        return X.to_pandas()
    except ImportError:
        # polars goes by way of pyarrow, which need not be there.
        return pd.DataFrame({name: _column_of(X[name]) for name in X.columns})


def _column_of(column: Any) -> Any:
    """The values of a column of polars."""
    kind = str(column.dtype)
    if kind.startswith(("Categorical", "Enum")):
        return pd.Categorical(column.to_list(), getattr(column.dtype, "categories", None))
    return pd.array(column.to_list()) if column.null_count() else column.to_numpy()


def read_table(
    X: Any, known: TableColumns | None, *, fresh: bool = False, keep: bool = False
) -> tuple[Any, Any]:
    """X as scikit-learn validates it, and what is known of its columns.

    Parameters
    ----------
    X : array-like or table
    known : TableColumns or None
        Columns that do not all hold numbers, as the first rows showed them.
    fresh : bool
        Whether these are the first rows.
    keep : bool
        Whether rows of a fit, not only of a prediction.

    Returns
    -------
    X : array-like or DataFrame
        As it is where all columns hold numbers.
    columns : TableColumns or None
    """
    X = pandas_table(X)
    if fresh:
        known = TableColumns.learn(X) if isinstance(X, pd.DataFrame) else None
    return (X, None) if known is None else (known.numbers(X, keep=keep), known)


def refuse_missing(counts: dict[str, int], owner: str) -> None:
    """Raise where a column has missing values that ``owner`` sees; ``counts`` by column."""
    missing = {name: count for name, count in counts.items() if count}
    if not missing:
        return
    shown = [f"{name!r} ({count} rows)" for name, count in missing.items()]
    more = f" and {len(shown) - _SHOWN} more columns" if len(shown) > _SHOWN else ""
    raise ValueError(
        f"Input X contains NaN, missing values in {', '.join(shown[:_SHOWN])}{more}, which {owner} "
        "sees and cannot take. Three ways out: marginalise them, MoERegressor(gate='gaussian', "
        "missing='marginalize') with Gaussian experts; impute them, before by make_pipeline("
        "SimpleImputer(add_indicator=True), ...) or inside by features=SimpleImputer("
        "add_indicator=True); or leave such columns to components that take them, such as "
        "HistGradientBoostingRegressor() as expert."
    )


def as_frame(X: np.ndarray, names: Names) -> Any:
    """``X`` as a table where there are names: that which the user gave, or one of numbers."""
    if issparse(X):
        return csr_array(X)
    if isinstance(names, TableColumns):
        return names.table(X)
    return X if names is None else pd.DataFrame(X, columns=list(names))
