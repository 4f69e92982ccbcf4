"""Answers about rows in the partitions of a Dask collection: computed there, when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce, wraps
from operator import add
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from moe_classic._arguments import counts_of
from moe_classic._data import Stats, check_partitions, dask_parts, is_dask, over_partitions
from moe_classic._numerics import log_normalised, log_sum_exp
from moe_classic._results import (
    checked_rows,
    numbered_subjects,
    subject_log_joint,
    subject_weights,
)
from moe_classic._typing import Floats

#: A method that answers about rows.
Method = TypeVar("Method", bound=Callable[..., Any])


def lazily(method: Method) -> Method:
    """The method, which answers about Dask collections with one of their kind.

    Arrays are answered with arrays, DataFrames with Series or DataFrames of the same index.
    """

    @wraps(method)
    def answer(self: Any, X: Any, *args: Any, **options: Any) -> Any:
        given = (X, *args, *options.values())
        if not is_dask(*given):
            return method(self, X, *args, **options)
        y = args[0] if args else options.pop("y", None)
        for name, value in options.items():
            if name != "top_k" and value is not None and value is not False:
                raise ValueError(
                    f"{method.__name__}: {name} has no meaning with Dask collections, whose "
                    "partitions are answered one by one; pass rows in memory."
                )
        if len(args) > 1 or isinstance(y, bool):
            raise ValueError(
                f"{method.__name__} of a Dask collection gives one answer a row: pass X, and y "
                "where it is asked for, alone."
            )
        check_is_fitted(self)
        check_partitions({"X": X} if y is None else {"X": X, "y": y})
        return _mapped(_Answer(self, method.__name__, options, _like(X)), X, y)

    return cast("Method", answer)


# ------------------------------------------------------------------------- sums over rows


def counts(X: Any, sample_weight: Any, weight_kind: str) -> Any:
    """Weights read as counts of rows, of rows in memory or in partitions."""
    if is_dask(X, sample_weight) and weight_kind != "frequency":
        raise ValueError(
            f"weight_kind={weight_kind!r} needs all weights at once; with Dask collections divide "
            "sample_weight by its mean yourself, and leave weight_kind='frequency'."
        )
    return counts_of(sample_weight, weight_kind)


def total_weight(X: Any, sample_weight: Any) -> float:
    """Weight of the rows in all partitions, or their number."""
    if sample_weight is not None:
        return float(sample_weight.sum().compute())
    from dask.delayed import delayed

    sizes = [delayed(len)(part) for part in np.ravel(X.to_delayed())]
    return float(delayed(sum)(sizes).compute())


def entropies(R: Any) -> Any:
    """Entropy of each row of probabilities, (n,)."""
    R = np.asarray(R)
    return -(R * np.log(np.where(R > 0.0, R, 1.0))).sum(axis=1)


def total_entropy(R: Any, sample_weight: Any) -> float:
    """Weighted sum of the entropies of rows of probabilities in partitions."""
    if hasattr(R, "chunks"):
        parts = R.map_blocks(entropies, drop_axis=1, dtype=np.float64)
    else:
        parts = R.map_partitions(_entropies_of_frame, meta=("entropy", np.float64))
    weighted = parts if sample_weight is None else parts * sample_weight
    return float(weighted.sum().compute())


def _entropies_of_frame(R: pd.DataFrame) -> pd.Series:
    """Entropies with the index of their rows."""
    return pd.Series(entropies(R), index=R.index, name="entropy")


@dataclass(frozen=True)
class GroupSums(Stats):
    """Log-likelihood, weight and entropy of some groups."""

    height: float
    weight: float
    entropy: float


def group_weights(self: Any, X: Any, sample_weight: Any, groups: Any) -> Floats:
    """Weights of the rows, or of the groups in the order of their sorted labels."""
    X = checked_rows(self, X)
    w = np.asarray(
        _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    )
    return w if groups is None else subject_weights(*numbered_subjects(groups, len(X)), w)


def group_sums(self: Any, X: Any, y: Any, sample_weight: Any, groups: Any) -> GroupSums:
    """Sums over the groups of rows in memory, or in partitions that hold whole groups.

    Raises
    ------
    ValueError
        If rows of a group are in several partitions.
    """
    if not is_dask(X, y, sample_weight, groups):
        w = group_weights(self, X, sample_weight, groups)
        joint = subject_log_joint(self, X, y, groups)[0]
        height = log_sum_exp(joint)
        entropy = w @ entropies(np.exp(log_normalised(joint)).T)
        return GroupSums(float(height @ w), float(w.sum()), float(entropy))
    check_is_fitted(self)
    parts = dask_parts(X, y, sample_weight, groups)
    told = over_partitions(partial(_of_partition, self), parts)
    labels = np.concatenate([names for names, _ in told if names.size])
    names, times = np.unique(labels, return_counts=True)
    again = names[times > 1].tolist()
    if again:
        raise ValueError(
            f"rows of group {again[0]!r} are in several partitions; a group must come whole, in "
            "one block or partition. Sort the rows by group and cut where groups end."
        )
    return reduce(add, (sums for _, sums in told))


def _of_partition(estimator: Any, part: Any) -> tuple[np.ndarray, GroupSums]:
    """Labels of the groups in a partition, and their sums."""
    X, y, w, groups = part
    if not len(X):
        return np.zeros(0), GroupSums(0.0, 0.0, 0.0)
    return np.unique(np.asarray(groups)), group_sums(estimator, X, y, w, groups)


# ------------------------------------------------------------------------- answers about rows


class _Answer:
    """A question to an estimator about one partition; ``rows`` are like those of a partition."""

    def __init__(self, estimator: Any, name: str, options: dict[str, Any], rows: Any) -> None:
        # Methods are found by name where it is unpickled.
        self.estimator, self.name, self.options = estimator, name, options
        self.none = self._example(rows)[:0]

    def __call__(self, X: Any, *y: Any) -> Any:
        out = self.none
        if len(X):
            out = np.asarray(getattr(self.estimator, self.name)(X, *y, **self.options))
        if not isinstance(X, pd.DataFrame):
            return out
        if out.ndim == 1:
            return pd.Series(out, index=X.index, name=self.name)
        names = [f"{self.name}{j}" for j in range(out.shape[1])]
        return pd.DataFrame(out, index=X.index, columns=names)

    def _example(self, rows: Any) -> np.ndarray:
        """An answer about ``rows``; those that ask for y give a number a row, or an expert."""
        if self.name == "score_samples":
            return np.zeros(1)
        if self.name in {"responsibilities", "expert_log_density"}:
            return np.zeros((1, self.estimator._mixture.model.n_experts))
        return np.asarray(getattr(self.estimator, self.name)(rows, **self.options))


def _like(X: Any) -> Any:
    """A row like those of ``X``: zeros, and one of its own where some columns are no numbers."""
    if hasattr(X, "chunks"):
        return np.zeros((1, X.shape[1]))
    if all(pd.api.types.is_numeric_dtype(kind) for kind in X.dtypes):
        return pd.DataFrame(np.zeros((1, X.shape[1])), columns=X.columns)
    return X.head(1, npartitions=-1)


def _mapped(answer: _Answer, X: Any, y: Any) -> Any:
    """The answers to all partitions, not computed yet."""
    if hasattr(X, "chunks"):
        return _mapped_blocks(answer, X, y)
    from dask import dataframe

    pair = (X,) if y is None else (X, y)
    map_partitions: Any = dataframe.map_partitions
    return map_partitions(answer, *pair, meta=answer(X._meta), align_dataframes=False)


def _mapped_blocks(answer: _Answer, X: Any, y: Any) -> Any:
    """Those to the blocks of an array."""
    from dask import array

    flat = y is not None and y.ndim == 1
    # Dask spreads single columns over the blocks of X, and no others.
    columns = [] if y is None else [y[:, None]] if flat else [y[:, [j]] for j in range(y.shape[1])]
    none = answer.none
    shape = {"chunks": (X.chunks[0], none.shape[1:])} if none.ndim == 2 else {"drop_axis": 1}
    ask = _OfColumns(answer, flat=flat)
    map_blocks: Any = array.map_blocks
    return map_blocks(ask, X, *columns, dtype=none.dtype, meta=none, **shape)


class _OfColumns:
    """A question whose y comes column by column."""

    def __init__(self, answer: _Answer, *, flat: bool) -> None:
        self.answer, self.flat = answer, flat

    def __call__(self, X: Any, *columns: Any) -> Any:
        if not columns:
            return self.answer(X)
        return self.answer(X, columns[0].ravel() if self.flat else np.hstack(columns))
