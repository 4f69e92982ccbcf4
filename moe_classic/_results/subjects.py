"""Subjects, rows with one label in ``groups``: checked, and what a fitted mixture says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from moe_classic._data import Design, Subjects, gathered
from moe_classic._model import ObservedModel
from moe_classic._numerics import log_normalised
from moe_classic._typing import Bools, Floats, Ints

from .fitted import FittedMixture
from .unwrap import checked_pairs, fitted_mixture

#: Rows that are named in a message.
_NAMED = 5


# ------------------------------------------------------------------------- labels


def numbered_subjects(groups: Any, n: int, argument: str = "groups") -> tuple[Ints, np.ndarray]:
    """Numbers from 0 of the subjects of n rows, and their labels in this order; raises if bad."""
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ValueError(
            f"{argument} has shape {labels.shape}, X has {n} rows; give one label a row, the same "
            "for all rows of a group."
        )
    missing = np.flatnonzero(pd.isna(labels))
    if missing.size:
        more = "..." if missing.size > _NAMED else ""
        raise ValueError(
            f"{argument} has no label (NaN) in {missing.size} rows: "
            f"{missing[:_NAMED].tolist()}{more}. Say which group each row belongs to, give rows "
            "that belong to none a label of their own, or leave them out."
        )
    numbers, names = pd.factorize(labels, sort=True)
    return np.asarray(numbers, dtype=np.intp), np.asarray(names)


def gathered_subjects(
    groups: Any, w: Floats, used: Bools, *, whole: bool
) -> tuple[Ints | None, Subjects | None]:
    """Order of the rows that count in which subjects stand together, and the subjects.

    ``whole`` says that these are all there will be: there must then be two, and where every row is
    one of its own there are none to speak of.
    """
    numbers, names = numbered_subjects(groups, used.size)
    _check_weights(numbers, names, w)
    kept = numbers[used]
    present, member = np.unique(kept, return_inverse=True)
    if whole and present.size == 1:
        label = names.tolist()[present[0]]
        raise ValueError(
            f"groups has a single label, {label!r}, among rows with positive weight; at least two "
            "groups are needed. Leave groups out if rows are independent."
        )
    if whole and present.size == kept.size:
        return None, None
    return gathered(member, w[used], names[present])


def _check_weights(numbers: Ints, names: np.ndarray, w: Floats) -> None:
    """Raise unless weights are alike within each subject."""
    first = np.zeros(names.size)
    first[numbers[::-1]] = w[::-1]
    odd = np.flatnonzero(w != first[numbers])
    if odd.size:
        label = names.tolist()[numbers[odd[0]]]
        mine = w[numbers == numbers[odd[0]]]
        raise ValueError(
            f"sample_weight varies within group {label!r}: from {mine.min():g} to {mine.max():g}. "
            "All rows of a group come from one expert and count together; give them one weight, "
            "where 2 means a group that was seen twice."
        )


def require_groups(fitted: FittedMixture, groups: Any, what: str) -> None:
    """Raise where a model was fitted to groups and asked for something about its fit without."""
    if groups is None and fitted.grouped:
        raise ValueError(
            f"the model was fitted with groups, whose rows come from one expert, and {what} needs "
            "them too: pass groups=..., one label a row, as in fit."
        )


def subject_weights(numbers: Ints, names: np.ndarray, w: Floats) -> Floats:
    """Weights of the subjects, (G,)."""
    _check_weights(numbers, names, w)
    out = np.zeros(names.size)
    out[numbers] = w
    return out


# ------------------------------------------------------------------------- what a model says


def _sums(a: Floats, numbers: Ints, count: int) -> Floats:
    """Sums (m, G) over the rows of each subject, of (m, n)."""
    return np.stack([np.bincount(numbers, weights=row, minlength=count) for row in a])


def subject_log_gate(
    fitted: FittedMixture, X: Floats, numbers: Ints, count: int, n_jobs: int | None
) -> Floats:
    """Log gate probabilities of subjects, (K, G): at the means of what the gate sees."""
    place = fitted.model.gate_design
    if isinstance(fitted.model, ObservedModel) and np.isnan(X).any():
        raise ValueError(
            "groups: the gate sees the mean of the rows of a group, and rows with missing values "
            "have none; leave groups out, or give complete rows."
        )
    rows = fitted.answers(lambda b: b.designs[place].dense().Z, X, n_jobs=n_jobs)
    sizes = np.bincount(numbers, minlength=count)
    Z = _sums(np.concatenate(rows, axis=1), numbers, count) / sizes
    return fitted.model.gate.log_gate(fitted.params.gate, Design(Z))


def subject_log_joint(
    estimator: Any, X: Any, y: Any, groups: Any, argument: str = "groups"
) -> tuple[Floats, Ints, np.ndarray]:
    """``log g_k + sum log f_k`` (K, G), the subject of each row, and labels of the subjects."""
    (X, columns), fitted = checked_pairs(estimator, X, y), fitted_mixture(estimator)
    numbers, names = numbered_subjects(groups, len(X), argument)
    n_jobs = estimator.n_jobs
    gate = subject_log_gate(fitted, X, numbers, names.size, n_jobs)
    rows = np.concatenate(
        fitted.answers(
            lambda b: fitted.model.log_density(fitted.params, b), X, columns, n_jobs=n_jobs
        ),
        axis=1,
    )
    return gate + _sums(rows, numbers, names.size), numbers, names


def told_experts(estimator: Any, X: Floats, groups: Any, history: Any) -> Floats | None:
    """Log probabilities of the experts (K, n) at validated rows, None where the gate says them.

    A subject with a history has the posterior of that; one without what the gate says of the mean
    of its rows.
    """
    if groups is None:
        if history is not None:
            raise ValueError(
                "history needs groups: which subject each row of X is, by the labels of "
                "history=(X_past, y_past, groups_past)."
            )
        return None
    fitted = fitted_mixture(estimator)
    numbers, names = numbered_subjects(groups, len(X))
    known = subject_log_gate(fitted, X, numbers, names.size, estimator.n_jobs)
    if history is not None:
        posterior, past = _posterior(estimator, history)
        _check_alike(names, past)
        place = pd.Index(past).get_indexer(pd.Index(names))
        known[:, place >= 0] = posterior[:, place[place >= 0]]
    return known[:, numbers]


def _check_alike(names: np.ndarray, past: np.ndarray) -> None:
    """Raise if labels of one kind can never be those of another."""
    numeric = [a.dtype.kind in "iufb" for a in (names, past)]
    if numeric[0] != numeric[1]:
        raise TypeError(
            f"groups has labels such as {names.tolist()[0]!r}, groups_past such as "
            f"{past.tolist()[0]!r}: numbers and others are never the same subject. Give both in "
            "one type."
        )


def _posterior(estimator: Any, history: Any) -> tuple[Floats, np.ndarray]:
    """Log posteriors (K, G) of subjects with a history, and their labels."""
    if not isinstance(history, (tuple, list)) or len(history) != 3:
        raise ValueError(
            f"history={type(history).__name__} must be a tuple (X_past, y_past, groups_past): the "
            "rows that were seen of known subjects."
        )
    X, y, groups = history
    if groups is None:
        raise ValueError("history: groups_past is None; give the label of each past row.")
    joint, _, names = subject_log_joint(estimator, X, y, groups, "groups_past")
    return log_normalised(joint), names
