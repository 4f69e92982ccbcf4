"""Which slopes come in again and again when halves of the rows are drawn.

::

    Pi_kj = max over alpha of the share of halves in which slope j of expert k is not zero

Slopes with Pi of at least the threshold are stable; if those that do nothing are exchangeable, at
most ``q^2 / ((2 threshold - 1) P)`` of them are expected among these, q slopes on average of P
(Meinshausen & Buhlmann 2010, Stability selection, Journal of the Royal Statistical Society B 72,
equation 9). Halves are drawn in pairs that share no row (Shah & Samworth 2013, Variable selection
with error control, same journal 75).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.utils import _safe_indexing, check_random_state

from moe_classic._arguments import check_integer
from moe_classic._results import fitted_mixture
from moe_classic._typing import Bools, Floats
from moe_classic._warnings import without_convergence_warnings

from ._partitions import refuse_partitions
from ._templates import checked_grid, penalised_template
from ._walk import Step, Walk, aligned, gate_slopes_of, n_possible, n_slopes, slopes_of, terms_of

#: Penalties of the path that those of the halves are taken from.
_FINE = 50
_PARTS = ("expert", "gate")


@dataclass(frozen=True)
class StabilitySelection:
    """How often slopes are not zero in fits to halves of the rows.

    Attributes
    ----------
    table : DataFrame
        One row a slope, most frequent first: ``part`` ("expert" or "gate"), ``expert``,
        ``term``, ``frequency``, the largest over the penalties, and whether it is ``stable``.
    support_ : ndarray of bool of shape (K, n_slopes_of_an_expert)
        Stable slopes of the experts.
    gate_support_ : ndarray of bool of shape (K, n_features_of_the_gate), or None
        Those of a softmax gate with a penalty under which slopes may be zero.
    frequencies_ : ndarray of shape (n_alphas, K, n_slopes_of_an_expert)
        Shares of the halves, for each penalty.
    alphas_ : ndarray of shape (n_alphas,)
    n_slopes_ : float
        Slopes that are not zero under some penalty, mean over the halves.
    false_positives_ : float
        Bound of the expected number of stable slopes that do nothing.
    estimator_ : estimator
        Fit to all rows at the weakest penalty, whose experts these are.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic.model_selection import stability_selection
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 8))
    >>> y = 2.0 * X[:, 1] - X[:, 4] + rng.standard_normal(200)
    >>> found = stability_selection(X, y, n_experts=1, n_pairs=4, random_state=0)
    >>> np.flatnonzero(found.support_[0])
    array([1, 4])
    """

    table: pd.DataFrame
    support_: Bools
    gate_support_: Bools | None
    frequencies_: Floats
    alphas_: Floats
    n_slopes_: float
    false_positives_: float
    estimator_: Any


def stability_selection(
    X: Any,
    y: Any,
    *,
    estimator: Any = None,
    n_experts: int = 2,
    alphas: Any = 10,
    n_pairs: int = 25,
    threshold: float = 0.75,
    sample_weight: Any = None,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> StabilitySelection:
    """Which slopes come in again and again in lasso fits to halves of the rows.

    Parameters
    ----------
    X : array-like of shape (n, p)
    y : array-like of shape (n,) or (n, d)
    estimator : MoERegressor or MoEClassifier, default=None
        Template, as for :func:`path`.
    n_experts : int, default=2
        Number of experts; with an estimator that of the estimator is replaced.
    alphas : int or list of float, default=10
        Strengths of the penalty of the experts, or how many at most: from where the first slope
        comes in to where so many are in that the bound of false positives is one.
    n_pairs : int, default=25
        Pairs of halves of the rows.
    threshold : float, default=0.75
        Share of the halves, in (0.5, 1], from which on a slope is stable.
    sample_weight : array-like of shape (n,), default=None
    n_jobs : int or None, default=None
        Processes over the halves.
    random_state : int, RandomState or None, default=None
        Seed of the halves.

    Returns
    -------
    found : StabilitySelection

    Raises
    ------
    ValueError
        If an argument is out of range or the experts have no penalty with kinks.

    Notes
    -----
    A fit to half of the rows goes on from the fit to all of them under the same penalty: so its
    experts are the same ones, and no other optimum is looked for. Fits to all rows go on from each
    other, up from the best of the estimator's own starts at a weak penalty.

    Examples
    --------
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.model_selection import stability_selection
    >>> X, y = load_tone(return_X_y=True)
    >>> found = stability_selection(X, y, alphas=[0.2, 0.1], n_pairs=3, random_state=0)
    >>> found.table.stable.tolist()[0]
    True
    """
    refuse_partitions("stability_selection", X, y, sample_weight)
    alphas = checked_grid("stability_selection", alphas)
    check_integer("n_pairs", n_pairs, 1, "pairs of halves of the rows")
    if not (isinstance(threshold, (int, float)) and 0.5 < threshold <= 1.0):
        raise ValueError(
            f"stability_selection: threshold={threshold!r} must lie in (0.5, 1]: the share of the "
            "halves from which on a slope is stable."
        )
    template = penalised_template("stability_selection", estimator, n_experts)
    walk = Walk(template, X, y, sample_weight)
    with without_convergence_warnings():
        steps = _grid(walk, alphas, threshold)
    halves = _halves(len(X), n_pairs, random_state)
    found = Parallel(n_jobs=n_jobs)(delayed(_selected)(walk, steps, rows) for rows in halves)
    counts = np.mean([_numbers(*own) for own in found], axis=0)
    bounds = counts**2 / ((2.0 * threshold - 1.0) * n_possible(steps[0].fit))
    # Strengths of one's own are all used.
    kept = max(int((bounds <= 1.0).sum()), 1) if isinstance(alphas, int) else len(steps)
    own = [(e[:kept], None if g is None else g[:kept]) for e, g in found]
    return _result(steps[:kept], own, threshold, (counts[kept - 1], bounds[kept - 1]))


def _numbers(experts: Bools, gate: Any) -> Floats:
    """How many slopes came in under the strongest penalties, up to each of them."""
    seen = np.logical_or.accumulate(experts).sum(axis=(1, 2))
    if gate is None:
        return np.asarray(seen, dtype=np.float64)
    # A gate of K experts has K - 1 free slopes a feature.
    logits = np.logical_or.accumulate(gate).sum(axis=1)
    return np.asarray(seen + np.minimum(logits, gate.shape[1] - 1).sum(axis=1), dtype=np.float64)


def _grid(walk: Walk, alphas: Any, threshold: float) -> list[Step]:
    """Fits to all rows, strongest penalty first, experts in the order of the weakest."""
    (ratio,) = walk.ratios()
    if not isinstance(alphas, int):
        return walk.upwards(alphas, ratio)
    steps = walk.upwards(_FINE, ratio)
    most = np.sqrt((2.0 * threshold - 1.0) * n_possible(steps[0].fit))
    counts = [n_slopes(step.fit) for step in steps]
    # From the first slope on, and up to the bound: at least the first penalty with a slope.
    first = next(i for i, m in enumerate(counts) if m)
    last = next((i for i, m in enumerate(counts) if m > most), len(steps))
    places = np.unique(np.linspace(first, max(last - 1, first), alphas).round().astype(int))
    return [steps[i] for i in places]


def _halves(n: int, pairs: int, random_state: Any) -> list[Any]:
    """Rows of each half, pair by pair."""
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    orders = [rng.permutation(n) for _ in range(pairs)]
    return [np.sort(part) for o in orders for part in (o[: n // 2], o[n // 2 : 2 * (n // 2)])]


def _selected(walk: Walk, steps: list[Step], rows: Any) -> tuple[Bools, Any]:
    """Slopes that are not zero under each penalty, of experts and gate, in fits to some rows."""
    half = replace(
        walk,
        X=_safe_indexing(walk.X, rows),
        y=_safe_indexing(walk.y, rows),
        w=None if walk.w is None else np.asarray(walk.w)[rows],
    )
    with without_convergence_warnings():
        own = [replace(step, fit=half.fit(step.alpha, step.ratio, step.fit)) for step in steps]
    last = len(steps) - 1
    orders = aligned(walk, own, steps[last].fit, last)
    experts = np.stack([slopes_of(s.fit)[k] != 0.0 for s, k in zip(own, orders, strict=True)])
    if not fitted_mixture(own[0].fit).model.gate.sparse:
        return experts, None
    gate = [gate_slopes_of(s.fit)[k] != 0.0 for s, k in zip(own, orders, strict=True)]
    return experts, np.stack(gate)


def _result(
    steps: list[Step], found: list[tuple[Bools, Any]], threshold: float, bound: tuple[float, float]
) -> StabilitySelection:
    """Shares of the halves."""
    weakest = steps[-1].fit
    shares = np.mean([own for own, _ in found], axis=0)
    most, names = {"expert": shares.max(axis=0)}, dict(zip(_PARTS, terms_of(weakest), strict=True))
    if found[0][1] is not None:
        most["gate"] = np.mean([own for _, own in found], axis=0).max(axis=0)
    labels = fitted_mixture(weakest).labels
    table = pd.DataFrame(
        [
            {"part": part, "expert": labels[k], "term": names[part][j], "frequency": frequency}
            for part, whole in most.items()
            for (k, j), frequency in np.ndenumerate(whole)
        ]
    )
    table["stable"] = table.frequency >= threshold
    return StabilitySelection(
        table.sort_values("frequency", ascending=False, kind="stable", ignore_index=True),
        most["expert"] >= threshold,
        most["gate"] >= threshold if "gate" in most else None,
        shares,
        np.array([step.alpha for step in steps]),
        float(bound[0]),
        float(bound[1]),
        weakest,
    )
