"""Fits with one expert more than a fit that is there: one expert is split in two.

Split along nothing, an expert and its copy predict what the expert did: the likelihood is the same,
and climbing from there can only raise it. So the best likelihood never falls from K to K + 1
experts, whatever the starts. Waterhouse & Robinson (1996), Constructive algorithms for hierarchical
mixtures of experts, NIPS 8, split in this way.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from moe_classic._data import leading_directions, sparse_design
from moe_classic._results import checked_rows, fitted_mixture
from moe_classic._training import CERTAINTY
from moe_classic._typing import Bools, Floats
from moe_classic._warnings import without_convergence_warnings

#: Passes of a trial.
_TRIAL_PASSES = 20
#: Share of an objective that is rounding.
_FALL = 1e-9


@dataclass(frozen=True)
class PathFit:
    """A fit and how it was found.

    Attributes
    ----------
    estimator : fitted estimator with the arguments of the template
    start : "portfolio", or which expert was split along what
    degenerate : int
        Experts at a bound that only keeps the likelihood finite.
    asked : estimator, default=None
        Whose arguments describe the model, where not those of the fit.
    ebic : float
        Its extended information criterion, of a fit that was chosen on a path of penalties.
    """

    estimator: Any
    start: str
    degenerate: int
    asked: Any = None
    ebic: float = np.nan

    @property
    def described(self) -> Any:
        """The estimator whose arguments describe the model."""
        return self.estimator if self.asked is None else self.asked

    @property
    def objective(self) -> float:
        """What the solver climbed: log-likelihood minus penalties."""
        return float(self.estimator.trace_[-1])

    @property
    def rank(self) -> tuple[bool, float]:
        """Sorts fits, the best one last."""
        return self.degenerate == 0, self.objective


# ------------------------------------------------------------------------- arguments


def checked_template(template: Any) -> Any:
    """A template whose number of experts, starts and families can be set."""
    needed = {"n_experts", "expert", "gate", "init", "n_init", "warm_start", "max_iter"}
    instance = hasattr(template, "get_params") and not isinstance(template, type)
    if not instance or not needed <= set(template.get_params(deep=False)):
        raise TypeError(
            f"estimator={template!r} must be a MoERegressor or MoEClassifier, an estimator with "
            "n_experts, expert and gate, or a pipeline that ends in one; a transformed target is "
            "to be transformed before."
        )
    if not isinstance(template.init, str):
        raise ValueError("estimator: init gives responsibilities; use the name of a strategy.")
    if template.warm_start:
        raise ValueError("estimator: warm_start=True has no meaning here; set it to False.")
    return template


def checked_counts(n_experts: Any) -> list[int]:
    """Sorted distinct numbers of experts."""
    if isinstance(n_experts, numbers.Integral):
        values = [n_experts]
    else:
        values = list(n_experts) if isinstance(n_experts, Iterable) else []
    good = [
        isinstance(v, numbers.Integral) and not isinstance(v, bool) and int(v) >= 1 for v in values
    ]
    if not values or not all(good):
        raise ValueError(
            f"n_experts={n_experts!r} must be integers >= 1, at least one, such as range(1, 6)."
        )
    return sorted({int(v) for v in values})


# ------------------------------------------------------------------------- pipelines


@dataclass(frozen=True)
class Steps:
    """What stands before a template in a pipeline; nothing where it stands alone.

    Attributes
    ----------
    pipeline : Pipeline or None
        The whole, not fitted.
    before : Pipeline or None
        Its transformers, fitted once :meth:`fit` was called.
    """

    pipeline: Any
    before: Any = None

    @classmethod
    def of(cls, estimator: Any) -> tuple[Steps, Any]:
        """The steps before a template, and the template."""
        if not isinstance(estimator, Pipeline):
            return cls(None), estimator
        return cls(estimator), estimator.steps[-1][1]

    def fit(self, X: Any, y: Any) -> tuple[Steps, Any]:
        """Fitted steps, and the rows that they make."""
        if self.pipeline is None or len(self.pipeline.steps) < 2:
            return self, X
        before = clone(self.pipeline[:-1])
        rows = before.fit_transform(X, y)
        return replace(self, before=before), rows

    def rows(self, X: Any) -> Any:
        """What the steps make of further rows."""
        return X if self.before is None else self.before.transform(X)

    def whole(self, chosen: Any) -> Any:
        """The pipeline with a fitted last step."""
        if self.pipeline is None:
            return chosen
        before = [] if self.before is None else self.before.steps
        out = clone(self.pipeline)
        out.steps = [*before, (self.pipeline.steps[-1][0], chosen)]
        return out


# ------------------------------------------------------------------------- growing


def path(
    template: Any,
    low: int,
    high: int,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    groups: Any = None,
) -> Iterator[PathFit]:
    """The best fits with ``low``, ``low + 1``, ... ``high`` experts.

    Each but the first is the best of the template's own starts and of splits of the one before.
    """
    previous: PathFit | None = None
    for K in range(low, high + 1):
        fresh = clone(template).set_params(n_experts=K)
        best = _grown(_fitted(fresh, X, y, sample_weight, groups), "portfolio")
        if previous is not None:
            grown = split_expert(template, previous, X, y, sample_weight, groups)
            best = best if grown is None else max(best, grown, key=_rank)
            if previous.degenerate == 0 and _fell(best, previous):
                copied = _copied(template, previous, X, y, sample_weight, groups)
                best = max(best, copied, key=_rank)
        yield best
        previous = best


def fresh_fits(
    template: Any,
    low: int,
    high: int,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    groups: Any = None,
) -> Iterator[PathFit]:
    """Fits with ``low`` to ``high`` experts from the template's own starts alone.

    Of rows in partitions nobody has the responsibilities that a split would begin from.
    """
    for K in range(low, high + 1):
        fresh = clone(template).set_params(n_experts=K)
        yield _grown(_fitted(fresh, X, y, sample_weight, groups), "portfolio")


def _rank(fit: PathFit) -> tuple[bool, float]:
    return fit.rank


def _fell(best: PathFit, previous: PathFit) -> bool:
    """Whether the objective is lower than with one expert less."""
    return best.objective < previous.objective - _FALL * abs(previous.objective)


def split_expert(
    template: Any, fit: PathFit, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
) -> PathFit | None:
    """The best fit with one expert more that starts from a split of one expert of ``fit``.

    None where nothing tells rows apart: features and errors are constant.
    """
    trials = []
    for name, R in _splits(fit.estimator, X, y, sample_weight, groups):
        short = min(_TRIAL_PASSES, template.max_iter)
        trial = _started(template, R).set_params(max_iter=short)
        trials.append(_grown(_fitted(trial, X, y, sample_weight, groups), name))
    if not trials:
        return None
    return _finished(template, max(trials, key=_rank), X, y, sample_weight, groups)


def _copied(
    template: Any, fit: PathFit, X: Any, y: Any, sample_weight: Any, groups: Any
) -> PathFit:
    """``fit`` with its largest expert twice: the same likelihood."""
    R = fit.estimator.responsibilities(X, y, groups=groups)
    k = int(R.sum(axis=0).argmax())
    trial = _started(template, _divided(R, k, np.full(len(R), 0.5)))
    name = f"copy of {fitted_mixture(fit.estimator).labels[k]}"
    trial = _grown(_fitted(trial, X, y, sample_weight, groups), name)
    return _finished(template, trial, X, y, sample_weight, groups)


def _started(template: Any, R: Floats) -> Any:
    """The template with one expert a column of ``R``, which it starts from."""
    return clone(template).set_params(n_experts=R.shape[1], init=R, n_init=1)


def _finished(
    template: Any, trial: PathFit, X: Any, y: Any, sample_weight: Any, groups: Any
) -> PathFit:
    """A trial run to convergence, with the arguments of the template."""
    estimator = trial.estimator
    arguments = {**template.get_params(deep=False), "n_experts": estimator.n_experts}
    if not estimator.converged_:
        estimator.set_params(max_iter=arguments["max_iter"], warm_start=True)
        _fitted(estimator, X, y, sample_weight, groups)
    # The start was a means: a clone of the fit should start like the template.
    estimator.set_params(**{k: arguments[k] for k in ("init", "n_init", "max_iter", "warm_start")})
    return _grown(estimator, trial.start)


def _fitted(estimator: Any, X: Any, y: Any, sample_weight: Any, groups: Any) -> Any:
    """The fitted estimator; what it warns of is read off its attributes."""
    with without_convergence_warnings():
        return estimator.fit(X, y, sample_weight, groups=groups)


def _grown(estimator: Any, start: str) -> PathFit:
    """Record of a fitted estimator."""
    fitted: Any = fitted_mixture(estimator)
    return PathFit(estimator, start, fitted.n_degenerate)


# ------------------------------------------------------------------------- splits


def _splits(
    fit: Any, X: Any, y: Any, sample_weight: Any, groups: Any = None
) -> Iterator[tuple[str, Floats]]:
    """Responsibilities (n, K + 1) with one expert divided, and what was done.

    Groups are divided by the means of their rows, and by how far these are apart.
    """
    R = fit.responsibilities(X, y, groups=groups)
    labels = fitted_mixture(fit).labels
    rows = _filled(_positions(checked_rows(fit, X)))
    w = np.ones(len(R)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    errors = _errors(fit, X, y)
    spread = np.linalg.norm(errors, axis=2)
    if groups is not None:
        rows, errors, spread = (_group_means(a, groups) for a in (rows, errors, spread))
    for k, label in enumerate(labels):
        mass = R[:, k] * w
        sides = {
            "residual": _axis(errors[:, k], mass),
            "features": _axis(rows, mass),
            "spread": spread[:, k],
        }
        for name, position in sides.items():
            above = _upper_half(position, mass)
            if above.any() and not above.all():
                share = np.where(above, CERTAINTY, 1.0 - CERTAINTY)
                yield f"{label} split by {name}", _divided(R, k, share)


def _positions(rows: Any) -> Floats:
    """Rows (n, p) by their features; sparse ones by the directions in which they differ most."""
    if not issparse(rows):
        return np.asarray(rows, dtype=np.float64)
    Z = sparse_design(rows, np.ones(rows.shape[1]), 1.0)
    return leading_directions(Z, np.ones(len(rows)))


def _filled(rows: Floats) -> Floats:
    """Rows (n, p) with the mean of its column in place of a missing value."""
    missing = np.isnan(rows)
    if not missing.any():
        return rows
    known = np.where(missing, 0.0, rows).sum(axis=0) / np.maximum((~missing).sum(axis=0), 1)
    return np.where(missing, known, rows)


def _divided(R: Floats, k: int, share: Floats) -> Floats:
    """Responsibilities with a new last column that takes ``share`` (n,) of column ``k``."""
    new = np.column_stack([R, R[:, k] * share])
    new[:, k] -= new[:, -1]
    return new


def _group_means(a: Floats, groups: Any) -> Floats:
    """Means over the rows of each group, at every row; (n, ...)."""
    _, member, count = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    sums = np.zeros((count.size, *a.shape[1:]))
    np.add.at(sums, member, a)
    return (sums / count.reshape(-1, *(1,) * (a.ndim - 1)))[member]


def _errors(fit: Any, X: Any, y: Any) -> Floats:
    """What each expert misses, (n, K, d), or (n, K, C) for classes."""
    target = fitted_mixture(fit).target
    return target.errors(target.values(target.scored(y)), fit.expert_predictions(X))


def _axis(points: Floats, w: Floats) -> Floats:
    """Positions (n,) along the first principal axis of ``points`` (n, r) in equal units."""
    total = max(float(w.sum()), np.finfo(float).tiny)
    centred = points - (w @ points) / total
    spread = np.sqrt(w @ centred**2 / total)
    centred /= np.where(spread > 0.0, spread, 1.0)
    _, axes = np.linalg.eigh((centred.T * w) @ centred)
    return centred @ axes[:, -1]


def _upper_half(position: Floats, w: Floats) -> Bools:
    """Rows above the weighted median."""
    order = np.argsort(position, kind="stable")
    below = np.cumsum(w[order])
    middle = position[order[np.searchsorted(below, 0.5 * below[-1])]]
    return position > middle
