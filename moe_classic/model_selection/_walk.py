"""Fits of one template under many penalties, each from the last, and fits without shrinkage."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing

from moe_classic._results import fitted_mixture
from moe_classic._typing import Floats, Ints
from moe_classic._warnings import without_convergence_warnings, without_separations
from moe_classic.penalties import Support, centred_slopes

from ._rows import Rows

#: Smallest penalty over the largest, factor by which the end with no slopes is looked for, and
#: most steps of that.
_SHARE, _FACTOR, _MOST = 0.05, 1.5, 40
#: Slopes over rows above which no fit without shrinkage is made.
_RELAXED = 0.2


@dataclass(frozen=True)
class Step:
    """A fit on a path.

    Attributes
    ----------
    alpha, ratio : strength of the penalty of the experts, and of the gate's over it
    walk : "up" from a weak penalty, or "down" from the strongest
    fit : fitted estimator
    highest : whether the other walk led no higher under this penalty
    """

    alpha: float
    ratio: float
    walk: str
    fit: Any
    highest: bool = True


@dataclass
class Walk:
    """Fits of one template under many strengths."""

    template: Any
    X: Any
    y: Any
    w: Any

    @cached_property
    def rows(self) -> Rows:
        """What sums over the rows are."""
        return Rows(self.X, self.y, self.w)

    @cached_property
    def n(self) -> float:
        """Weight of the rows."""
        return self.rows.weight

    @property
    def weak(self) -> float:
        """A penalty below which fits would be mostly noise."""
        return float(np.sqrt(np.log(self.rows.width + 1.0) / self.n))

    def ratios(self) -> list[float]:
        """The ratio at which slopes of gate and experts that do nothing come in together."""
        if not getattr(self.template.gate, "sparse", False) or self.template.n_experts == 1:
            return [1.0]
        fit = self.fit(self.weak, 1.0)
        (params,) = fitted_mixture(fit).standard_params.experts
        if not hasattr(params, "scale"):
            return [1.0]
        share, spread = self.rows.shares(fit)
        return [float(np.sqrt(spread / (share[:, None] / params.scale**2).mean()))]

    def upwards(self, alphas: Any, ratio: float) -> list[Step]:
        """Fits from the strongest penalty down, each from one with a weaker penalty or a weak one.

        The best of the estimator's own starts is at a penalty below which fits are mostly noise.
        """
        weak = self.weak
        if not isinstance(alphas, int):
            weak = float(np.clip(weak, alphas[-1], alphas[0]))
        first = self.fit(weak, ratio)
        if isinstance(alphas, int):
            top = self.emptied(first, weak, ratio)
            alphas = [float(a) for a in np.geomspace(top, _SHARE * top, alphas)]
        strong = sum(a >= weak for a in alphas)
        up = self.steps(first, alphas[:strong][::-1], ratio)[::-1]
        up += self.steps(first, alphas[strong:], ratio)
        return [Step(a, ratio, "up", fit) for a, fit in zip(alphas, up, strict=True)]

    def along(self, alphas: Any, ratio: float) -> list[Step]:
        """Fits from the strongest penalty down, at each the higher of two walks first."""
        found, up = [], self.upwards(alphas, ratio)
        down = self.steps(up[0].fit, [step.alpha for step in up], ratio)
        for step, fit in zip(up, down, strict=True):
            steps = [step, replace(step, walk="down", fit=fit)]
            best, other = sorted(steps, key=lambda step: -step.fit.trace_[-1])
            found.append(best)
            if _support(best.fit) != _support(other.fit):
                found.append(replace(other, highest=False))
        return found

    def emptied(self, fit: Any, alpha: float, ratio: float) -> float:
        """A strength, about the weakest, that leaves no slope."""
        for _ in range(_MOST):
            if not n_slopes(fit):
                break
            alpha *= _FACTOR
            fit = self.fit(alpha, ratio, fit)
        return alpha

    def steps(self, fit: Any, alphas: list[float], ratio: float) -> list[Any]:
        """Fits, each from the last."""
        fits = [fit]
        for a in alphas:
            fits.append(self.fit(a, ratio, fits[-1]))
        return fits[1:]

    def all_relaxed(self, steps: list[Step]) -> list[Any]:
        """Fits without shrinkage; neighbours with the same slopes on a walk have theirs in common.

        None where that is unsound.
        """
        last: dict[str, tuple[Any, Any]] = {}
        out = []
        for step in steps:
            key = (step.ratio, *_support(step.fit))
            if last.get(step.walk, (None,))[0] != key:
                last[step.walk] = key, self.relaxed(step.fit)
            out.append(last[step.walk][1])
        return out

    def relaxed(self, fit: Any) -> Any:
        """The fit without shrinkage on the slopes that are not zero; None where that is unsound."""
        if n_slopes(fit) > _RELAXED * self.n:
            return None
        record = fitted_mixture(fit)
        held = (
            (slopes_of(fit) == 0.0).reshape(self.template.n_experts, -1, width_of(fit)).all(axis=1)
        )
        new = copy(fit).set_params(warm_start=True)
        new.expert = clone(new.expert).set_params(penalty=Support(_ridge_of(new.expert), held))
        if record.model.gate.sparse:
            lines = record.model.gate.lines(record.standard_params.gate)
            out = (lines[:, :-1] == 0.0).all(axis=0)[None]
            new.gate = clone(new.gate).set_params(penalty=Support(_ridge_of(new.gate), out))
        self._run(new)
        after = fitted_mixture(new)
        sound = not after.model.n_degenerate(after.standard_params, after.summary)
        return new.set_params(warm_start=False) if sound else None

    def fit(self, alpha: float, ratio: float, start: Any = None) -> Any:
        """A fit from the estimator's own starts, or from another fit."""
        strengths = {"expert__penalty__alpha": alpha}
        if getattr(self.template.gate, "sparse", False):
            strengths["gate__penalty__alpha"] = alpha * ratio
        new = clone(self.template).set_params(**strengths)
        if start is not None:
            expert, gate = new.expert, new.gate
            new = copy(start).set_params(expert=expert, gate=gate, warm_start=True)
        self._run(new)
        return new.set_params(warm_start=False)

    def _run(self, new: Any) -> None:
        """Fit to the rows; what these separate is looked for once a fit is chosen."""
        with without_separations():
            new.fit(self.X, self.y, sample_weight=self.w)

    def completed(self, fit: Any) -> Any:
        """A fit of the walk with what its rows separate."""
        again = copy(fit).set_params(warm_start=True).fit(self.X, self.y, sample_weight=self.w)
        own, record = fitted_mixture(fit), fitted_mixture(again)
        return fit.__moe_with__(replace(own, separated=record.separated))


def _ridge_of(component: Any) -> float:
    """The ridge that the component has by default."""
    return float(type(component)().alpha)


def width_of(fit: Any) -> int:
    """How many features the experts see."""
    (group,), (params,) = fitted_mixture(fit).model.groups, fitted_mixture(fit).params.experts
    return int(group.expert.learned(group.expert.lines(params)).shape[-1] - 1)


def slopes_of(fit: Any) -> Floats:
    """Slopes of the experts on standardised features and target, (K, M p)."""
    record = fitted_mixture(fit)
    (group,), (params,) = record.model.groups, record.standard_params.experts
    coef = group.expert.learned(group.expert.lines(params))
    return np.asarray(coef[..., :-1].reshape(len(coef), -1))


def _support(fit: Any) -> tuple[bytes, bytes]:
    """Which slopes are not zero, of experts and gate."""
    gate = fitted_mixture(fit).model.gate.sparse
    return (slopes_of(fit) != 0.0).tobytes(), (
        gate_slopes_of(fit) != 0.0
    ).tobytes() if gate else b""


def n_slopes(fit: Any) -> int:
    """How many slopes are not zero, of experts and gate."""
    model, params = fitted_mixture(fit).model, fitted_mixture(fit).standard_params
    lines = [np.count_nonzero(slopes_of(fit))]
    if model.gate.sparse:
        free = model.gate.n_parameters(params.gate)
        lines.append(free - len(model.gate.lines(params.gate)))
    return int(sum(lines))


def n_possible(fit: Any) -> int:
    """How many slopes there are."""
    model, params = fitted_mixture(fit).model, fitted_mixture(fit).standard_params
    gate = model.gate.lines(params.gate)[:, :-1].size if model.gate.sparse else 0
    return int(slopes_of(fit).size + gate)


# ------------------------------------------------------------------------- one order of experts


def gate_slopes_of(fit: Any) -> Floats:
    """Slopes of a softmax gate on standardised features, about their middle, (K, p)."""
    record = fitted_mixture(fit)
    lines = record.model.gate.lines(record.standard_params.gate)
    return centred_slopes(lines[None], mean=len(lines) == 1)[0]


def terms_of(fit: Any) -> tuple[list[str], list[str]]:
    """Names of the slopes of an expert, features within outputs or classes, and of the gate.

    Those of a gate whose slopes may not be zero are not named.
    """
    record = fitted_mixture(fit)
    (group,), (params,) = record.model.groups, record.params.experts
    names = list(record.maps[group.design].names[: width_of(fit)])
    lines = group.expert.lines(params).shape[1]
    own = names if lines == 1 else [f"{name} [{m}]" for m in range(lines) for name in names]
    if not record.model.gate.sparse:
        return own, []
    return own, list(record.maps[record.model.gate_design].names)


def aligned(walk: Walk, steps: list[Step], chosen: Any, best: int) -> list[Ints]:
    """For each fit which of its experts are those of the chosen one, whose place is ``best``.

    Matched from neighbour to neighbour by the rows that experts are responsible for, outwards from
    the best; on the path of each ratio, from the fit with a penalty like that of the best.
    """
    near: dict[int, int] = {}
    for ratio in dict.fromkeys(step.ratio for step in steps):
        places = [i for i, step in enumerate(steps) if step.ratio == ratio]
        alpha = steps[best].alpha
        start = min(places, key=lambda i: (i != best, abs(np.log(steps[i].alpha / alpha))))
        near[start] = len(steps)
        near |= {i: i + 1 for i in range(start - 1, places[0] - 1, -1)}
        near |= {i: i - 1 for i in range(start + 1, places[-1] + 1)}
    fits = [*(step.fit for step in steps), chosen]
    tables = walk.rows.overlaps(fits, [(j, i) for i, j in near.items()])
    orders = {len(steps): np.arange(tables.shape[1])}
    for (i, j), table in zip(near.items(), tables, strict=True):
        orders[i] = np.asarray(linear_sum_assignment(-table[orders[j]])[1])
    return [orders[i] for i in range(len(steps))]


# ------------------------------------------------------------------------- held-out rows


def held_out_scores(
    walk: Walk, steps: list[Step], cv: Any, *, relaxed: bool
) -> tuple[Floats, Floats]:
    """Mean log density of held-out rows at each step, and its standard error."""
    w = np.ones(len(walk.X)) if walk.w is None else np.asarray(walk.w, dtype=np.float64)
    folds = check_cv(cv, walk.y, classifier=is_classifier(walk.template))
    rows, order = [], []
    with without_convergence_warnings():
        for train, test in folds.split(walk.X, walk.y):
            seen = replace(
                walk,
                X=_safe_indexing(walk.X, train),
                y=_safe_indexing(walk.y, train),
                w=None if walk.w is None else w[train],
            )
            X, y = _safe_indexing(walk.X, test), _safe_indexing(walk.y, test)
            fits = _like(seen, steps, relaxed=relaxed)
            rows.append(np.array([fit.score_samples(X, y) for fit in fits]))
            order.append(test)
    scores, w = np.concatenate(rows, axis=1), w[np.concatenate(order)]
    mean = scores @ w / w.sum()
    spread = np.square(w * (scores - mean[:, None])).sum(axis=1)
    return mean, np.sqrt(spread) / w.sum()


def _like(walk: Walk, steps: list[Step], *, relaxed: bool) -> list[Any]:
    """Fits to other rows for the same steps."""
    fits: dict[tuple[float, float, str], Any] = {}
    for ratio in dict.fromkeys(step.ratio for step in steps):
        alphas = list(dict.fromkeys(step.alpha for step in steps if step.ratio == ratio))
        own = walk.along(alphas, ratio)
        # Too many slopes for these rows, or an expert that interpolates: the fit as it is.
        left = walk.all_relaxed(own) if relaxed else [None] * len(own)
        for step, fit in zip(own, left, strict=True):
            for name in ("highest", step.walk) if step.highest else (step.walk,):
                fits[ratio, step.alpha, name] = fit or step.fit
    found = []
    for step in steps:
        best = fits[step.ratio, step.alpha, "highest"]
        # Where both walks end alike there is one fit.
        other = fits.get((step.ratio, step.alpha, step.walk), best)
        found.append(best if step.highest else other)
    return found
