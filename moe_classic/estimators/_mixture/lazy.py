"""Answers about rows in the partitions of a Dask collection: computed there, when asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from moe_classic._data import check_partitions, is_dask

#: A method that answers about rows.
_Method = Callable[..., Any]


def lazily(method: _Method) -> _Method:
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
        pair = (X,) if y is None else (X, y)
        check_partitions(dict(zip(("X", "y"), pair, strict=False)))
        return _mapped(_Answer(self, method, options), pair)

    return answer


class _Answer:
    """A question to an estimator about one partition."""

    def __init__(self, estimator: Any, method: _Method, options: dict[str, Any]) -> None:
        # Methods are found by name where it is unpickled.
        self.estimator, self.name, self.options = estimator, method.__name__, options

    def __call__(self, X: Any, *y: Any) -> Any:
        if len(X) == 0:
            out = self.example(X)[:0]
            index = X.index if isinstance(X, pd.DataFrame) else None
        else:
            out = np.asarray(getattr(self.estimator, self.name)(X, *y, **self.options))
            index = getattr(X, "index", None)
        if index is None:
            return out
        if out.ndim == 1:
            return pd.Series(out, index=index, name=self.name)
        return pd.DataFrame(
            out, index=index, columns=[f"{self.name}{j}" for j in range(out.shape[1])]
        )

    def example(self, X: Any) -> np.ndarray:
        """An answer about rows like ``X``; those that ask for y give a number a row or expert."""
        if self.name == "score_samples":
            return np.zeros(1)
        if self.name in {"responsibilities", "expert_log_density"}:
            return np.zeros((1, self.estimator._mixture.model.n_experts))
        zeros: Any = np.zeros((1, X.shape[1]))
        if isinstance(X, pd.DataFrame):
            zeros = pd.DataFrame(zeros, columns=X.columns)
        return np.asarray(getattr(self.estimator, self.name)(zeros, **self.options))


def _mapped(answer: _Answer, pair: tuple[Any, ...]) -> Any:
    """The answers to all partitions, not computed yet."""
    X = pair[0]
    if hasattr(X, "chunks"):
        from dask import array

        like = answer.example(X)
        # Blocks of y are spread along the axis of the rows, as those of X are.
        more = [v[:, None] if v.ndim == 1 else v for v in pair[1:]]
        flat = [v.ndim == 1 for v in pair[1:]]
        shape = {"chunks": (X.chunks[0], like.shape[1:])} if like.ndim == 2 else {"drop_axis": 1}
        map_blocks: Any = array.map_blocks
        return map_blocks(_Flat(answer, flat), X, *more, dtype=like.dtype, meta=like[:0], **shape)
    from dask import dataframe

    meta = answer(X._meta)
    map_partitions: Any = dataframe.map_partitions
    return map_partitions(answer, *pair, meta=meta, align_dataframes=False)


class _Flat:
    """A question whose y comes as a column where it was flat."""

    def __init__(self, answer: _Answer, flat: list[bool]) -> None:
        self.answer, self.flat = answer, flat

    def __call__(self, X: Any, *more: Any) -> Any:
        pairs = zip(more, self.flat, strict=True)
        return self.answer(X, *[v.ravel() if flat else v for v, flat in pairs])
