"""The table that ``python -m moe_classic`` fits: read, checked, and cut into X and y."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype, is_numeric_dtype

from moe_classic._typing import Floats
from moe_classic.datasets import load_tone

#: Unless the task is given, a target with at most this many distinct whole numbers is a class.
MOST_CLASSES = 10


#: What separates columns in files that do not say; of equals the first.
_SEPARATORS = (",", ";", "\t", "|")
#: A number with a decimal comma, or a whole one.
_DECIMAL = r"\s*[+-]?\d+(,\d*)?([eE][+-]?\d+)?\s*"


class UsageError(ValueError):
    """An input that cannot be used; its message is the one sentence that the user reads."""


@dataclass(frozen=True)
class Table:
    """Rows to fit, and what they are called.

    Attributes
    ----------
    name : str
    X : DataFrame of float, y : ndarray
    target : str
        Column name of y.
    task : {"regression", "classification"}
    labels : dict of str to str
        What a picture calls a column, where that differs from its name.
    """

    name: str
    X: pd.DataFrame
    y: np.ndarray
    target: str
    task: str
    labels: dict[str, str] = field(default_factory=dict)


def tone_table() -> Table:
    """The bundled tone data."""
    X, y = load_tone(return_X_y=True, as_frame=True)
    labels = {
        "stretchratio": "stretch ratio (stretched overtone : fundamental)",
        "tuned": "tuned ratio (tuned tone : fundamental)",
    }
    return Table("tone", X, y.to_numpy(), "tuned", "regression", labels)


def csv_table(
    path: str, *, target: str | None, features: list[str] | None, sep: str | None, task: str
) -> Table:
    """A table from a file.

    Parameters
    ----------
    path : file with a header line
    target : name of the column to predict
    features : names of the columns to predict from; None takes all others
    sep : what separates columns; None looks at the header line
    task : {"auto", "regression", "classification"}

    Raises
    ------
    UsageError
        If the file or a column cannot be used.
    """
    frame = read_csv(path, sep)
    columns = ", ".join(map(str, frame.columns))
    if target is None:
        raise UsageError(f"name the column to predict with --target, one of: {columns}.")
    features = features or [c for c in frame.columns if c != target]
    for column in (target, *features):
        if column not in frame.columns:
            raise UsageError(f"{path} has no column {column!r}; it has: {columns}.")
    if target in features:
        raise UsageError(f"--features must not name the target {target!r}.")
    if not features:
        raise UsageError(f"{path} has no column besides the target {target!r} to predict from.")
    for column in (target, *features):
        check_complete(frame[column], path)
    task = find_task(frame[target], path, task)
    hint = "encode it as numbers, or leave it out with --features"
    X = pd.DataFrame({c: numbers(frame[c], path, hint) for c in features})
    if task == "classification":
        return Table(path, X, frame[target].to_numpy(), target, task)
    return Table(path, X, numbers(frame[target], path, "use --task classification"), target, task)


def read_csv(path: str, sep: str | None) -> pd.DataFrame:
    """The table in a file."""
    try:
        sep = _separator(path) if sep is None else _spelled_out(sep)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, sep=sep, index_col=False)
            header = pd.read_csv(path, sep=sep, header=None, nrows=1, dtype=str).iloc[0]
            if sep != ",":
                frame = _with_decimal_commas(frame, path, sep)
    except pd.errors.EmptyDataError:
        raise UsageError(f"{path} is empty.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        detail = str(error).strip().splitlines()[-1].rstrip(".")
        raise UsageError(f"{path} cannot be read as a table: {detail}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a text file in UTF-8.") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}.") from None
    twice = header[header.duplicated()]
    if len(twice):
        raise UsageError(f"{path} has more than one column {twice.iloc[0]!r}; rename one.")
    if frame.empty:
        raise UsageError(f"{path} has a header but no rows.")
    return frame


def _spelled_out(sep: str) -> str:
    """A separator as the command line gives it: a backslash and t stand for a tab."""
    known = {r"\t": "\t", "tab": "\t"}
    found = known.get(sep, sep)
    if len(found) != 1 or found in '"\n\r':
        raise UsageError(
            f"--sep {sep!r} must be one character, such as ',', ';', '|' or '\\t' for a tab."
        )
    return found


def _separator(path: str) -> str:
    """What separates the names in the header line: the most frequent of the usual characters."""
    with open(path, encoding="utf-8-sig") as file:
        line = file.readline()
    return max(_SEPARATORS, key=line.count)


def _with_decimal_commas(frame: pd.DataFrame, path: str, sep: str) -> pd.DataFrame:
    """The table with numbers such as 1,5 read as numbers, where a column holds nothing else."""
    text = [c for c in frame.columns if not is_numeric_dtype(frame[c])]
    commas = [c for c in text if frame[c].dropna().astype(str).str.fullmatch(_DECIMAL).all()]
    if not commas:
        return frame
    fresh = pd.read_csv(path, sep=sep, index_col=False, decimal=",", usecols=commas)
    return frame.assign(**{c: fresh[c] for c in commas})


def check_complete(column: pd.Series, name: str) -> None:
    """Raise where values are missing or infinite."""
    bad, what = column.isna(), "missing"
    if not bad.any() and is_float_dtype(column):
        bad, what = np.isinf(column), "infinite"
    if bad.any():
        count, row = int(bad.sum()), int(np.flatnonzero(bad)[0]) + 1
        raise UsageError(
            f"column {column.name!r} of {name} has {count} {what} value{'s' if count > 1 else ''}, "
            f"the first in row {row}; fill in or remove such rows."
        )


def numbers(column: pd.Series, name: str, hint: str) -> Floats:
    """Values of a numeric column."""
    if not is_numeric_dtype(column):
        text = pd.to_numeric(column, errors="coerce").isna()
        raise UsageError(
            f"column {column.name!r} of {name} is not numeric, it holds {column[text].iloc[0]!r}; "
            f"{hint}."
        )
    return column.to_numpy(dtype=np.float64)


def find_task(target: pd.Series, name: str, asked: str) -> str:
    """Regression or classification."""
    text = is_bool_dtype(target) or not is_numeric_dtype(target)
    whole = text or bool((target == target.round()).all())
    if asked == "classification" and not whole:
        raise UsageError(
            f"column {target.name!r} of {name} has fractional values, which are no classes; use "
            "--task regression."
        )
    if asked != "auto":
        return asked
    return (
        "classification" if text or (whole and target.nunique() <= MOST_CLASSES) else "regression"
    )


def check_rows(table: Table, *, most_experts: int, folds: int) -> None:
    """Raise where there are too few rows for the models and the folds, or nothing to predict."""
    n = len(table.y)
    values, counts = np.unique(table.y, return_counts=True)
    if n == 1:
        raise UsageError(f"{table.name} has a single row; nothing can be estimated from it.")
    if len(values) == 1:
        raise UsageError(
            f"the target {table.target!r} is {values[0]!s} in every row; there is nothing to "
            "predict."
        )
    if n < folds or n - -(-n // folds) < most_experts:
        raise UsageError(
            f"{table.name} has {n} rows, too few for --n-experts {most_experts} with --folds "
            f"{folds}."
        )
    if table.task == "classification" and counts.min() < folds:
        raise UsageError(
            f"class {values[counts.argmin()]!s} of {table.target!r} has {counts.min()} row"
            f"{'s' if counts.min() > 1 else ''}, and each of --folds {folds} needs one; use fewer "
            "folds or join rare classes."
        )


def sample_of(table: Table, rows: int, seed: int, least: int) -> Table:
    """About so many rows of a table, drawn at random; the table itself where it has no more.

    Classes keep their shares, but for those that would have less than ``least`` rows.
    """
    n = len(table.y)
    if n <= rows:
        return table
    rng = np.random.default_rng(seed)
    parts = [np.arange(n)]
    if table.task == "classification":
        codes = np.unique(table.y, return_inverse=True)[1]
        parts = [np.flatnonzero(codes == c) for c in range(codes.max() + 1)]
    counts = [min(max(round(rows * len(part) / n), least), len(part)) for part in parts]
    taken = [rng.choice(p, count, replace=False) for p, count in zip(parts, counts, strict=True)]
    chosen = np.sort(np.concatenate(taken))
    return replace(table, X=table.X.iloc[chosen].reset_index(drop=True), y=table.y[chosen])
