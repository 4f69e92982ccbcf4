"""Inference from rows in the partitions of Dask collections: sums, taken where the rows are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from moe_classic._data import (
    ArraySource,
    Block,
    DesignMap,
    RawBlock,
    RowStream,
    Source,
    dask_parts,
    first_pass,
    stream_of,
)
from moe_classic._engine import SerialEngine
from moe_classic._model import Model, MoEParams
from moe_classic._results import (
    checked_pairs,
    fitted_mixture,
    gathered_subjects,
    require_groups,
)
from moe_classic._typing import Floats, Ints

from ._case import FittedModel, Weighed, add_scores, check_parametric, checked_weights, weighed

#: Scores of clusters, labels (C,) and sums (C, D).
_Scores = tuple[np.ndarray, Floats]


@dataclass(frozen=True)
class _Look(Weighed):
    """What rows weigh, and subjects if there are some, and the log-likelihood of all."""

    height: float
    subject_weight: float


@dataclass(frozen=True, kw_only=True)
class PartitionedModel(FittedModel):
    """A fitted model whose rows are elsewhere: ``X``, ``y`` and ``w`` have none."""

    stream: RowStream
    look: _Look
    grouped: bool
    labelled: RowStream | None = None

    @property
    def weighed(self) -> Weighed:
        """How many rows there are, and what they weigh."""
        return self.look

    @property
    def group_weight(self) -> float | None:
        """Weight of the subjects; None where rows are independent."""
        return self.look.subject_weight if self.grouped else None

    def log_likelihood(self) -> float:
        """Weighted log-likelihood of the rows' y given their x, in the user's units."""
        return self.look.height - float(np.log(self.factor).sum() * self.look.weight)

    def source(self) -> Source:
        """The rows, block by block, where they are."""
        return self.stream.source(self.maps, self.fitted.target.to_model, self.model.n_experts)

    def cluster_scores(self, model: Model, clusters: Ints) -> Floats:
        """Outer products (D, D) of the scores of clusters, those of different partitions joined."""
        ask = _ClusterScores(model, self.params, self.maps, self.fitted.target.to_model)
        labels, sums = cast("RowStream", self.labelled).reduce(ask, _joined)
        if labels.size < 2:
            raise ValueError("clusters has a single label; at least two clusters are needed.")
        return sums.T @ sums


def check_partitioned(
    estimator: Any, kind: str, weight_kind: str, groups: Any, clusters: Any
) -> None:
    """Raise, before any pass, where sums over rows are not enough."""
    if not hasattr(estimator, "__moe_fitted__"):
        raise TypeError(
            f"inference about rows in Dask collections needs a mixture itself, not a "
            f"{type(estimator).__name__}; pass its last step, and what the steps before make of X."
        )
    if kind in ("bootstrap", "parametric_bootstrap"):
        raise ValueError(
            f"kind={kind!r} draws rows and needs them in memory; with Dask collections use "
            "'observed', 'opg' or 'sandwich', or pass X.compute() and y.compute()."
        )
    if weight_kind != "frequency":
        raise ValueError(
            f"weight_kind={weight_kind!r} needs all weights at once; with Dask collections divide "
            "sample_weight by its mean yourself, and leave weight_kind='frequency'."
        )
    if groups is not None and clusters is not None:
        raise ValueError(
            "clusters beside groups need rows in memory; with Dask collections leave clusters out: "
            "kind='sandwich' takes groups for clusters."
        )
    require_groups(fitted_mixture(estimator), groups, "inference")


def partitioned_model(
    estimator: Any, X: Any, y: Any, sample_weight: Any, clusters: Any, groups: Any
) -> PartitionedModel:
    """The case of a fitted estimator and rows in partitions: one pass over them."""
    fitted = fitted_mixture(estimator)
    check_parametric(fitted.model)
    parts = dask_parts(X, y, sample_weight, groups)
    stream = stream_of(parts, _Rows(estimator) if groups is None else _GroupedRows(estimator))
    if groups is not None:
        first_pass(stream, 1)  # which raises for groups that are cut
    labelled = None
    if clusters is not None:
        parts = dask_parts(X, y, sample_weight, labels=clusters)
        labelled = stream_of(parts, _Rows(estimator))
    source = stream.source(fitted.maps, fitted.target.to_model, fitted.model.n_experts)
    engine, params = SerialEngine(), fitted.standard_params
    look = engine.map_reduce(partial(_look, fitted.model, params), source)
    none = np.zeros(0)
    return PartitionedModel(
        fitted,
        params,
        none,
        none,
        none,
        np.zeros(0, dtype=np.intp),
        estimator.tol,
        1.0,
        engine,
        stream=stream,
        look=look,
        grouped=groups is not None,
        labelled=labelled,
    )


def _look(model: Model, params: MoEParams, block: Block) -> _Look:
    """What the rows of a block weigh, and how likely they are."""
    seen = weighed(block.w)
    height = float(model.log_likelihood(params, block) @ block.subject_w)
    own = float(block.subject_w.sum())
    return _Look(seen.rows, seen.weight, seen.fractions, seen.others, height, own)


@dataclass(frozen=True)
class _Rows:
    """Validates the rows of a partition; labels of clusters stand where groups would."""

    estimator: Any

    def __call__(self, X: Any, y: Any, sample_weight: Any, clusters: Any) -> RawBlock:
        X, columns = checked_pairs(self.estimator, X, y)
        w = checked_weights(sample_weight, len(X))
        labels = None if clusters is None else np.asarray(clusters)
        if labels is not None and labels.shape != (len(X),):
            raise ValueError(
                f"clusters has shape {labels.shape}, X has {len(X)} rows; give one label a row."
            )
        used = w > 0.0
        stands_in: Any = None if labels is None else labels[used]
        return RawBlock(X[used], columns[..., used], w[used], stands_in)


@dataclass(frozen=True)
class _GroupedRows:
    """Validates the rows of a partition, each group whole."""

    estimator: Any

    def __call__(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> RawBlock:
        X, columns = checked_pairs(self.estimator, X, y)
        w = checked_weights(sample_weight, len(X))
        order, subjects = gathered_subjects(groups, w, w > 0.0, whole=False)
        rows = np.flatnonzero(w > 0.0)
        rows = rows if order is None else rows[order]
        return RawBlock(X[rows], columns[..., rows], w[rows], subjects)


@dataclass(frozen=True)
class _ClusterScores:
    """Sums of the scores of each cluster in a partition."""

    model: Model
    params: MoEParams
    maps: tuple[DesignMap, ...]
    target: Callable[[np.ndarray], np.ndarray]

    def __call__(self, raw: RawBlock) -> _Scores:
        labels, numbers = np.unique(np.asarray(raw.subjects), return_inverse=True)
        sums = np.zeros((labels.size, self.model.pack(self.params).size))
        blocks = ArraySource(raw.X, raw.key, raw.w, self.maps, target=self.target, keep=False)
        add_scores(sums, self.model, self.params, blocks, numbers)
        return labels, sums


def _joined(a: _Scores, b: _Scores) -> _Scores:
    """Scores of clusters of which some are in both."""
    labels, numbers = np.unique(np.concatenate([a[0], b[0]]), return_inverse=True)
    sums = np.zeros((labels.size, a[1].shape[1]))
    np.add.at(sums, numbers, np.concatenate([a[1], b[1]]))
    return labels, sums
