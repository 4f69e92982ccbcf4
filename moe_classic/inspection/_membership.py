"""Which expert a row of data belongs to, as far as an estimator can tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import entr

from moe_classic._results import fitted_moe, fitted_record, unwrapped
from moe_classic._typing import Floats


def assignments(estimator: Any, X: Any, y: Any, *, groups: Any = None) -> pd.DataFrame:
    """Which expert each row comes from, and how sure that is.

    Parameters
    ----------
    estimator : fitted mixture of experts
        Or a pipeline that ends in one, or a search over them.
    X, y : array-like
        Rows with their targets.
    groups : array-like of shape (n_samples,), default=None
        Labels of the subjects of a mixture that was fitted to some; rows of one have all the same.

    Returns
    -------
    table : DataFrame
        A line a row: ``expert`` with the largest responsibility, ``second`` the next one (None
        with one expert), ``uncertainty``, the probability that the row is of another expert than
        the first, and ``entropy`` of the responsibilities in nats, from 0 to ``log(n_experts)``.
        Rows with the largest entropy lie between experts.

    Raises
    ------
    TypeError
        If the estimator has no responsibilities.

    References
    ----------
    Bensmail, Celeux, Raftery & Robert (1997), Inference in model-based cluster analysis,
    Statistics and Computing 7 (uncertainty); Celeux & Soromenho (1996), An entropy criterion for
    assessing the number of clusters in a mixture model, Journal of Classification 13.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.inspection import assignments
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> table = assignments(moe, X, y)
    >>> bool((table.uncertainty <= 0.5).all())
    True
    """
    fitted_moe(estimator, needs="responsibilities", caller="assignments")
    moe, rows, y = unwrapped(estimator, X, y, needs="responsibilities", caller="assignments")
    known = {} if groups is None else {"groups": groups}
    R = moe.responsibilities(rows, y, **known)
    labels = np.array([*fitted_record(moe).labels, None], dtype=object)
    order = np.argsort(-R, axis=1, kind="stable")
    second = order[:, 1] if R.shape[1] > 1 else np.full(len(R), -1)
    others = np.take_along_axis(R, order[:, 1:], axis=1)
    return pd.DataFrame(
        {
            "expert": labels[order[:, 0]],
            "second": labels[second],
            "uncertainty": others.sum(axis=1),
            "entropy": entr(R).sum(axis=1),
        },
        index=X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(R), name="row"),
    )


def memberships(moe: Any, X: Any, y: Any) -> Floats:
    """Shares of the experts in every row, (n, K): responsibilities, or, of blends, gate weights.

    Blends are trained on squared error: what lies between y and an expert says nothing about whose
    the row is.
    """
    if hasattr(moe, "responsibilities"):
        return moe.responsibilities(X, y)
    return shares(moe.gate_proba(X))


def shares(weights: Floats) -> Floats:
    """Weights (..., K) as parts of one; those of a linear gate may be negative, and count as none.

    Where no weight is positive, all belongs to the largest.
    """
    parts = np.maximum(weights, 0.0)
    total = parts.sum(axis=-1, keepdims=True)
    largest = weights == weights.max(axis=-1, keepdims=True)
    parts = np.where(total > 0.0, parts, largest)
    return parts / parts.sum(axis=-1, keepdims=True)


def is_share(weights: Floats) -> bool:
    """Whether all weights (..., K) lie between 0 and 1, as those of a linear gate need not."""
    return bool(weights.min() >= 0.0 and weights.max() <= 1.0 + 1e-9)
