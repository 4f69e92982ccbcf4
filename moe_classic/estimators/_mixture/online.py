"""``partial_fit``: learning from batches that are seen once.

On-line EM (Cappe & Moulines 2009). The hill on which it ends is that of its first parameters, and
the way there is EM's, step by step: a few rows choose the one badly and make the other long. So the
first rows are kept, up to as many as starts are ever tried on, and fitted anew, from all starts,
whenever their weight has doubled. In between, and once they are dropped, every batch takes one step
on averaged statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, cast

import numpy as np
from scipy.sparse import issparse

from moe_classic._data import MOST_ROWS, ArraySource, RawData
from moe_classic._model import same_shapes
from moe_classic._objectives import MixtureLikelihood
from moe_classic._targets import Target
from moe_classic._training import OnlineState, RowBuffer, check_online, observe, step
from moe_classic._typing import Floats
from moe_classic.experts import Description
from moe_classic.solvers import EM, DivergenceError, Problem

from .fitted import LearnedMixture
from .rows import RowChecker

#: Differences between heights, in nats per unit of weight, that come from the standardisation,
#: which penalties see.
_SAME_HEIGHT = 1e-4


def as_one(estimator: Any, step: Callable[..., Any], *arguments: Any) -> Any:
    """A step of learning that an interrupt or an error undoes as a whole.

    It is taken by a copy, whose state becomes the estimator's at once; a climb that ran away leaves
    its last good parameters, as in a fit.
    """
    work = copy(estimator)
    try:
        step(work, *arguments)
    except DivergenceError:
        estimator.__dict__ = work.__dict__
        raise
    estimator.__dict__ = work.__dict__
    return estimator


def learn_batch(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    target: Target | None = None,
    groups: Any = None,
) -> Any:
    """Fit the first batches, or take one more into account; ``target`` says what the first y is."""
    if issparse(X):
        raise TypeError(
            "partial_fit keeps its first rows laid out and takes a dense X; X is sparse. Use fit "
            "or fit_blocks, which read sparse rows, or pass X.toarray() of each batch."
        )
    return as_one(estimator, _learn, X, y, sample_weight, target, groups)


def _learn(
    estimator: Any, X: Any, y: Any, sample_weight: Any, target: Target | None, groups: Any
) -> Any:
    """The same, step by step."""
    fitted: LearnedMixture | None = estimator._fitted
    if fitted is None:
        kinds, gate, solver = estimator._resolve_arguments()
        experts = [expert for _, expert, _ in kinds]
        check_online([gate, *experts], solver)
        return _begin(estimator, X, y, sample_weight, target, groups, experts)
    _check_alike(fitted.grouped, groups)
    checker = estimator._checker(fitted.target, fitted=True)
    if _weighs_nothing(sample_weight):
        checker(X, y)
        return estimator
    raw = checker(X, y, sample_weight, groups, whole=False)
    _check_target([g.expert for g in fitted.model.groups], raw)
    if fitted.buffer is None:
        set_online(estimator, _next(estimator, fitted, raw))
        return estimator
    buffer = fitted.buffer.append(raw)
    if not buffer.needs_refit:
        set_online(estimator, _next(estimator, fitted, raw))
    else:
        buffer = buffer.merged()
        _refit(estimator, fitted, buffer.rows(), checker, X, y)
        buffer = buffer.fitted()
    estimator._fitted = replace(estimator._fitted, buffer=None if buffer.is_full else buffer)
    return estimator


def _check_target(experts: Sequence[Description], raw: RawData) -> None:
    """Raise if an expert cannot describe a target, by the number of its row in the batch."""
    for expert in experts:
        expert.check_target(raw.key, rows=raw.user_rows)


def _begin(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    target: Target | None,
    groups: Any,
    experts: Sequence[Description],
) -> Any:
    """The first fit, once there are rows enough: two, and one an expert; or so many groups."""
    rows, checker = estimator._waiting or (None, estimator._checker(target, least=1))
    checker = copy(checker)
    if _weighs_nothing(sample_weight):
        checker(X, y)
        return estimator
    if rows is not None:
        _check_alike(rows.subjects is not None, groups)
    raw = checker(X, y, sample_weight, groups, whole=False)
    _check_target(experts, raw)
    raw = raw if rows is None else RawData.stacked([rows, raw])
    if raw.size < max(2, estimator.n_experts):
        estimator._waiting = raw.kept(), checker
        return estimator
    return _fit_first(estimator, raw, checker, X, y)


def _check_alike(grouped: bool, groups: Any) -> None:  # noqa: FBT001
    """Raise if a batch comes with groups and those before came without, or the other way."""
    if grouped != (groups is not None):
        first, now = ("with", "without") if grouped else ("without", "with")
        raise ValueError(
            f"the first rows came {first} groups, this batch comes {now}; pass groups with all "
            "batches or with none."
        )


def _weighs_nothing(sample_weight: Any) -> bool:
    """Whether a batch has rows, and none of them weight."""
    return sample_weight is not None and np.size(sample_weight) > 0 and not np.any(sample_weight)


def _fit_first(estimator: Any, raw: RawData, checker: RowChecker, X: Any, y: Any) -> Any:
    """Fit the first batch; keep its rows where more of them may find a better start."""
    estimator._fit_rows(raw, checker, X, y)
    if raw.w.size < MOST_ROWS and isinstance(estimator.init, str):
        buffer = RowBuffer.of(raw).fitted()
        estimator._fitted = replace(estimator._fitted, buffer=buffer)
    return estimator


def _next(estimator: Any, fitted: LearnedMixture, raw: RawData) -> OnlineState:
    """Where learning stands after one more batch of validated rows."""
    blocks = list(source_of(estimator, fitted, raw))
    return step(fitted.model, fitted.online, blocks, fitted.summary)


def _refit(
    estimator: Any, fitted: LearnedMixture, raw: RawData, checker: RowChecker, X: Any, y: Any
) -> None:
    """Fit all the rows kept, and go on from the higher of that and the hill of today."""
    model, source = fitted.model, source_of(estimator, fitted, raw)
    summary = replace(fitted.summary, weight=float(raw.w.sum()), n_rows=raw.w.size)
    if raw.subjects is not None:
        summary = replace(summary, per_row=float(raw.subjects.w.sum()) / summary.weight)
    problem = Problem(model, MixtureLikelihood(model), source, summary)
    start, before = fitted.online.params, estimator.__dict__.copy()
    old = EM().run(problem, start, max_iter=estimator.max_iter, tol=estimator.tol)
    height = old.objective + fitted.offset * summary.weight
    sound = model.n_degenerate(old.params, fitted.summary) == 0
    estimator._fit_rows(raw, checker, X, y)
    new: LearnedMixture = estimator._fitted
    if not same_shapes(old.params, new.online.params):
        return  # a tree that grew to another shape
    new_is_sound = new.model.n_degenerate(new.online.params, new.summary) == 0
    least = estimator.trace_[-1] + _SAME_HEIGHT * summary.weight
    if sound >= new_is_sound and height > least:
        estimator.__dict__.update(before)
        set_online(estimator, observe(model, old.params, list(source)))


def set_online(
    estimator: Any, state: OnlineState, mass: Floats | None = None, **changes: Any
) -> None:
    """Set where learning stands; ``mass`` (K,) are the running masses unless given.

    ``changes`` are those of the record besides.
    """
    fitted: LearnedMixture = estimator._fitted
    if mass is None:
        mass = np.concatenate([cast(Any, s).mass for s in state.stats.experts])
    value = state.weight * (state.stats.objective + fitted.offset)
    estimator._set_fitted(
        replace(fitted.at(state.params, mass), online=state, **changes),
        log_likelihood_=value,
        trace_=np.append(estimator.trace_, value),
        n_iter_=estimator.n_iter_ + 1,
        converged_=False,
    )


def source_of(estimator: Any, fitted: LearnedMixture, raw: RawData) -> ArraySource:
    """Validated rows as the model sees them, with the standardisation of the first rows."""
    y = fitted.target.to_model(raw.key)
    return ArraySource(raw.X, y, raw.w, fitted.maps, estimator.block_size, subjects=raw.subjects)
