"""What wrappers around an expert share: its parameters, and Newton's method in all of them.

::

    log p(y | x) = l(u; y),   u = predictors, then unconstrained nuisances

A wrapper changes what is seen of y, not how y depends on x: parameters, tables and penalties are
those of the expert inside. Step: one of Newton's method in all coefficients and nuisances of an
expert together, with the observed information of its rows; where that is not positive definite,
with the absolute values of its eigenvalues, so that every step climbs once it is short enough.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import (
    MAX_STEP,
    Bounds,
    Carried,
    ComponentTerms,
    Forward,
    TargetKind,
    Units,
)
from moe_classic._data import Design, DesignMap, Stats, Summary
from moe_classic._numerics import unpack_symmetric
from moe_classic._typing import Bools, Floats, Ints
from moe_classic.experts._base import STARVED, Description, Expert
from moe_classic.experts._shared import shares_any

#: Largest change of a nuisance on its unconstrained scale in one step.
_MAX_NUISANCE = 2.0
#: Share of the largest eigenvalue below which a direction counts as flat, and as without any.
_FLAT, _NOTHING = 1e-7, 1e-14


@dataclass(frozen=True)
class NewtonStats(Stats):
    """Sums of a Newton step of M predictors and T nuisances.

    Attributes
    ----------
    gram : (K P, q (q + 1) / 2) for the P pairs of predictors
    score : (K, M, q), cross : (K, T M, q), first : (K, T), second : (K, T, T), mass : (K,)
    """

    gram: Floats
    score: Floats
    cross: Floats
    first: Floats
    second: Floats
    mass: Floats


@dataclass
class Seen:
    """What a forward pass keeps.

    Attributes
    ----------
    inside : what the expert inside kept, eta : (K, P, n) predictors, y : the rows
    known : log probabilities of intervals that were needed
    slopes : derivatives, once asked for
    """

    inside: Any
    eta: Floats
    y: Floats
    known: Floats | None = None
    slopes: tuple[Floats, Floats] | None = None


class Wrapper(Expert):
    """Base of experts that see another one through something.

    Attributes
    ----------
    expert : the description of the expert inside.
    usual : one that can be wrapped, for messages.
    inside : the bound expert inside; there once the wrapper is bound.
    """

    expert: Any
    usual: ClassVar[str]
    inside: Any = None

    # -------------------------------------------------------------------- what it wraps

    @property
    def inner(self) -> Any:
        """The description of the expert inside."""
        return self.expert

    @property
    def own_columns(self) -> tuple[Carried, ...]:
        """Columns of X that the wrapper itself needs."""
        return ()

    @property
    def carried(self) -> tuple[Carried, ...]:
        """Those around it, its own, those of the expert inside."""
        if self.inside is not None:
            columns: tuple[Carried, ...] = self.inside.carried
            return columns
        return (*self.outer, *self.own_columns, *self.inner.carried)

    @property
    def sees(self) -> Any:
        """The features that the expert inside sees."""
        return self.inner.sees

    @property
    def link(self) -> str:  # type: ignore[override]
        """That of the expert inside."""
        return str(self.inner.link)

    @property
    def target(self) -> str:  # type: ignore[override]
        """That of the expert inside."""
        return str(self.inner.target)

    @property
    def kind(self) -> TargetKind:
        """That of the expert inside."""
        kind: TargetKind = (self.inside or self.inner).kind
        return kind

    @property
    def nuisances(self) -> dict[str, Any]:
        """Parameters besides coefficients."""
        return dict(self.inside.nuisances)

    def check(self) -> None:
        """Raise if the expert inside cannot be, or cannot be wrapped."""
        self._check_inside()
        inner, name = self.inner, type(self).__name__
        if inner.kind.classes:
            raise ValueError(
                f"{name}: expert={inner!r} describes classes; wrap an expert of a number, such as "
                f"{self.usual}."
            )
        if getattr(inner, "tied", False):
            raise ValueError(
                f"{name}: expert={inner!r} shares parameters between experts, which a wrapper "
                "cannot; leave tied=False."
            )
        if shares_any(inner):
            raise ValueError(
                f"{name}: expert={inner!r} has slopes that experts share, which a wrapper cannot; "
                "leave shared=None."
            )
        if inner.sparse:
            raise ValueError(
                f"{name}: expert={inner!r} has slopes that may be exactly zero, and the steps of a "
                "wrapper are smooth; use alpha= or a Ridge."
            )
        inner.check()

    def _check_inside(self) -> None:
        """Raise unless there is an expert inside, however deep; nothing can be asked before."""
        part = self.inner
        if not isinstance(part, Description):
            hint = f"; write {part.__name__}()" if isinstance(part, type) else ""
            raise TypeError(
                f"{type(self).__name__}: expert={part!r} must be an expert of "
                f"moe_classic.experts, such as {self.usual}{hint}."
            )
        if isinstance(part, Wrapper):
            part._check_inside()

    def bind(self, summary: Summary) -> Any:
        """The wrapper around the bound expert inside."""
        bound: Any = copy(super().bind(summary))
        inside = copy(self.inner.bind(summary))
        lacking = [a for a in ("derivatives", "lines", "cdf_at") if not inside.has(a)]
        if lacking or not inside.smooth:
            raise ValueError(
                f"{type(self).__name__}: expert={self.inner!r} has no smooth log density that is "
                f"linear in x; wrap one of another family, such as {self.usual}."
            )
        inside.outer = (*self.outer, *self.own_columns)
        bound.inside = inside
        return bound

    def seeing(self, design: DesignMap, columns: list[str]) -> Any:
        """The wrapper whose expert knows its design."""
        bound = copy(self)
        bound.inside = self.inside.seeing(design, columns)
        return bound

    def has(self, ability: str) -> bool:
        """Its own abilities; what it hands on, the expert inside must have."""
        return super().has(ability) and (ability != "draw" or bool(self.inner.has("draw")))

    def check_target(self, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise if the expert inside cannot describe some value."""
        (self.inside or self.inner).check_target(y, rows=rows)

    def check_carried(self, columns: Floats, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise if a column cannot be."""
        own = self.own_columns
        for item, x in zip(own, columns, strict=False):
            item.check(type(self).__name__, x, rows=rows)
        if self.inner.carried:
            self.inner.check_carried(columns[len(own) :], y, rows=rows)

    # -------------------------------------------------------------------- records of the inside

    def own(self, params: Any) -> Any:
        """Parameters of the expert inside."""
        return params

    def start(self, n_experts: int, width: int, summary: Summary) -> Any:
        """As the expert inside starts."""
        return self.inside.start(n_experts, width, summary)

    def start_target(self, y: np.ndarray, design: Design) -> Floats | None:
        """As the expert inside sees it."""
        seen: Floats | None = self.inside.start_target(y, design)
        return seen

    def pack(self, params: Any) -> Floats:
        """Unconstrained vector theta."""
        theta: Floats = self.inside.pack(params)
        return theta

    def unpack(self, theta: Floats, like: Any, summary: Summary) -> Any:
        """Inverse of :meth:`pack`."""
        return self.inside.unpack(theta, like, summary)

    def reorder(self, params: Any, order: np.ndarray) -> Any:
        """Parameters with the experts in a new order."""
        return self.inside.reorder(params, order)

    def rescale(self, params: Any, shift: Floats, factor: Floats) -> Any:
        """Parameters for ``shift + factor * y``."""
        return self.inside.rescale(params, shift, factor)

    def learned(self, coef: Floats) -> Floats:
        """Of coefficients those that are learned."""
        learned: Floats = self.inside.learned(coef)
        return learned

    def coefficient_places(self, params: Any) -> Ints:
        """Places in theta of the coefficients, (K, M, q)."""
        places: Ints = self.inside.coefficient_places(self.own(params))
        return places

    def nuisance_map(self, params: Any) -> Ints:
        """Place in theta of each expert's nuisance variables, (K, T)."""
        places: Ints = self.inside.nuisance_map(self.own(params))
        return places

    def lines(self, params: Any) -> Floats:
        """Coefficients of the expert inside."""
        lines: Floats = self.inside.lines(self.own(params))
        return lines

    def redundant(self, params: Any, null: Floats) -> int:
        """How many parameters of the expert inside are none."""
        return int(self.inside.redundant(self.own(params), null))

    def penalty_value(self, params: Any, summary: Summary) -> float:
        """That of the expert inside."""
        return float(self.inside.penalty_value(self.own(params), summary))

    def penalty_gradient(self, params: Any, summary: Summary) -> Floats:
        """Gradient of the penalty."""
        gradient: Floats = self.inside.penalty_gradient(self.own(params), summary)
        return gradient

    def penalty_hessian(self, params: Any, summary: Summary) -> Floats:
        """Hessian of the penalty."""
        hessian: Floats = self.inside.penalty_hessian(self.own(params), summary)
        return hessian

    def degenerate(self, params: Any, summary: Summary) -> Bools:
        """As the expert inside says."""
        bad: Bools = self.inside.degenerate(self.own(params), summary)
        return bad

    def excess_precision(self, params: Any, summary: Summary) -> Floats:
        """As the expert inside says."""
        excess: Floats = self.inside.excess_precision(self.own(params), summary)
        return excess

    # -------------------------------------------------------------------- what users see

    @property
    def ordering(self) -> tuple[str, ...]:  # type: ignore[override]
        """Scales and the like."""
        names: tuple[str, ...] = self.inside.ordering
        return names

    @property
    def floored(self) -> frozenset[str]:  # type: ignore[override]
        """Fields whose floor is watched."""
        names: frozenset[str] = self.inside.floored
        return names

    def shown(self, params: Any) -> dict[str, Floats]:
        """The fields besides the coefficients."""
        shown: dict[str, Floats] = self.inside.shown(self.own(params))
        return shown

    def about(self, params: Any, features: Ints) -> Ints:
        """Places in theta of the slopes of some features."""
        places: Ints = self.inside.about(self.own(params), features)
        return places

    def fields(self, params: Any) -> Iterable[tuple[str, Floats, Bounds, Ints]]:
        """Each free field."""
        fields: Iterable[tuple[str, Floats, Bounds, Ints]] = self.inside.fields(self.own(params))
        return fields

    def further(
        self, params: Any, k: int, design: DesignMap
    ) -> tuple[tuple[tuple[str, str, float], ...], dict[str, Any]]:
        """What the expert inside shows besides."""
        rows, attributes = self.inside.further(self.own(params), k, design)
        return rows, attributes

    def terms(self, params: Any, units: Units) -> ComponentTerms:
        """Terms of the expert inside."""
        terms: ComponentTerms = self.inside.terms(params, units)
        return terms

    def draw(self, params: Any, noise: Floats, rng: np.random.Generator) -> dict[str, Floats]:
        """Random parameters of the expert inside."""
        drawn: dict[str, Floats] = self.inside.draw(params, noise, rng)
        return drawn

    # -------------------------------------------------------------------- the step

    @abstractmethod
    def slopes(self, params: Any, seen: Seen) -> tuple[Floats, Floats]:
        """First and second derivatives in the local variables, (K, J, n) and (K, J, J, n)."""

    def derivatives(self, params: Any, fwd: Forward, y: np.ndarray) -> tuple[Floats, Floats]:
        """First and second derivatives of log p, made once a pass."""
        seen: Seen = fwd.work
        if seen.slopes is None:
            seen.slopes = self.slopes(params, seen)
        return seen.slopes

    def gradient_from(self, params: Any, design: Design, first: Floats, S: Floats) -> Floats:
        """Gradient of ``sum S log p`` from first derivatives."""
        gradient: Floats = self.inside.gradient_from(params, design, first, S)
        return gradient

    def curvature(self, params: Any, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams of every pair of predictors, (K P, n)."""
        _, second = self.derivatives(params, fwd, fwd.work.y)
        a, b = np.triu_indices(params.coef.shape[1])
        return (-second[:, a, b] * S[:, None]).reshape(-1, S.shape[1])

    def statistics(
        self, params: Any, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> NewtonStats:
        """Scores and curvatures in all local variables."""
        first, second = self.derivatives(params, fwd, fwd.work.y)
        M, K = params.coef.shape[1], len(S)
        score = design.scores(first[:, :M] * S[:, None])
        mixed = (second[:, M:, :M] * S[:, None, None]).reshape(K, -1, S.shape[1])
        rise = np.einsum("ktn,kn->kt", first[:, M:], S)
        bend = np.einsum("kstn,kn->kst", second[:, M:, M:], S)
        return NewtonStats(grams, score, design.scores(mixed), rise, bend, S.sum(axis=1))

    def update(self, params: Any, stats: NewtonStats, summary: Summary) -> Any:
        """One Newton step of every expert."""
        theta, places = self.pack(params), self._places(params)
        gradient, H = self._system(params, stats, summary)
        T = stats.first.shape[1]
        wanted = theta.copy()
        for k in np.flatnonzero(stats.mass > STARVED * summary.weight):
            step = _newton(H[k], gradient[k])
            wanted[places[k]] += self._shortened(step, T, summary)
        new = self.unpack(wanted, params, summary)
        return self._at_bounds(params, new, wanted, (gradient, H), summary) if T else new

    def _at_bounds(
        self, params: Any, new: Any, wanted: Floats, system: Any, summary: Summary
    ) -> Any:
        """The step once more where a bound stopped a nuisance: the others given what it did."""
        theta, reached, places = self.pack(params), self.pack(new), self._places(params)
        gradient, H = system
        T = self.nuisance_map(params).shape[1]
        stopped = np.abs(reached - wanted) > 1e-9 * (1.0 + np.abs(wanted))
        if not stopped.any():
            return new
        for k, own in enumerate(places):
            if not stopped[own].any():
                continue
            fixed = stopped[own]
            moved = (reached - theta)[own[fixed]]
            rest = _newton(
                H[k][np.ix_(~fixed, ~fixed)],
                gradient[k][~fixed] - H[k][np.ix_(~fixed, fixed)] @ moved,
            )
            step = np.zeros(own.size)
            step[~fixed] = rest
            wanted[own] = theta[own] + self._shortened(step, T, summary)
            wanted[own[fixed]] = reached[own[fixed]]
        return self.unpack(wanted, params, summary)

    def _places(self, params: Any) -> Ints:
        """Places in theta of what each expert learns: coefficients, then nuisances; (K, D)."""
        places = self.coefficient_places(params)
        own = places.reshape(len(places), -1)
        return np.concatenate([own[:, own[0] >= 0], self.nuisance_map(params)], axis=1)

    def _system(self, params: Any, stats: NewtonStats, summary: Summary) -> tuple[Floats, Floats]:
        """Gradients (K, D) and information (K, D, D) of what each expert learns, penalised."""
        K, M, q = params.coef.shape
        T, m = stats.first.shape[1], M * q
        H = np.empty((K, m + T, m + T))
        blocks = unpack_symmetric(stats.gram, q).reshape(K, -1, q, q)
        for block, (a, b) in enumerate(zip(*np.triu_indices(M), strict=True)):
            rows, cols = slice(a * q, (a + 1) * q), slice(b * q, (b + 1) * q)
            H[:, rows, cols] = blocks[:, block]
            H[:, cols, rows] = blocks[:, block]
        H[:, m:, :m] = -stats.cross.reshape(K, T, m)
        H[:, :m, m:] = H[:, m:, :m].swapaxes(1, 2)
        H[:, m:, m:] = -stats.second
        gradient = np.concatenate([stats.score.reshape(K, m), stats.first], axis=1)
        free = np.r_[self.coefficient_places(params)[0].ravel() >= 0, np.ones(T, dtype=bool)]
        H, gradient, places = H[:, free][:, :, free], gradient[:, free], self._places(params)
        H = H + self.penalty_hessian(params, summary)[places[:, :, None], places[:, None, :]]
        return gradient - self.penalty_gradient(params, summary)[places], H

    def _shortened(self, step: Floats, T: int, summary: Summary) -> Floats:
        """A step (D,) of coefficients and T nuisances, shortened to what is safe."""
        most = MAX_STEP * (float(summary.y_scale[0]) if self.inside.target == "real" else 1.0)
        size = len(step) - T
        longest = max(
            np.abs(step[:size]).max(initial=0.0) / most,
            np.abs(step[size:]).max(initial=0.0) / _MAX_NUISANCE,
        )
        return step / max(1.0, longest)

    def translate(self, stats: NewtonStats, old: Any, new: Any) -> NewtonStats:
        """Scores at ``old`` as they are at ``new``, to second order."""
        K, M, q = old.coef.shape
        moved = (new.coef - old.coef).reshape(K, M, q)
        turned = np.take_along_axis(
            self.pack(new) - self.pack(old), self.nuisance_map(old).ravel(), axis=0
        ).reshape(K, -1)
        blocks = unpack_symmetric(stats.gram, q).reshape(K, -1, q, q)
        score = stats.score.copy()
        for block, (a, b) in enumerate(zip(*np.triu_indices(M), strict=True)):
            score[:, a] -= np.einsum("kij,kj->ki", blocks[:, block], moved[:, b])
            if a != b:
                score[:, b] -= np.einsum("kij,kj->ki", blocks[:, block], moved[:, a])
        cross = stats.cross.reshape(K, -1, M, q)
        score += np.einsum("ktmq,kt->kmq", cross, turned)
        first = stats.first + np.einsum("ktmq,kmq->kt", cross, moved)
        first += np.einsum("kst,kt->ks", stats.second, turned)
        return replace(stats, score=score, first=first)

    # -------------------------------------------------------------------- answers about y

    def predictor(self, params: Any, design: Design) -> Floats:
        """That of the expert inside."""
        eta: Floats = self.inside.predictor(self.own(params), design)
        return eta


def _newton(H: Floats, gradient: Floats) -> Floats:
    """``|H|^-1 gradient`` in equilibrated units; directions without curvature do not move."""
    size = np.sqrt(np.abs(H.diagonal()))
    unit = 1.0 / np.where(size > 0.0, size, 1.0)
    values, vectors = np.linalg.eigh(H * unit[:, None] * unit)
    values = np.abs(values)
    most = values.max(initial=0.0)
    along = vectors.T @ (gradient * unit)
    # Where nothing bends there is nothing to divide by.
    least = max(_FLAT * most, np.finfo(float).tiny)
    along = np.where(values > _NOTHING * most, along / np.maximum(values, least), 0.0)
    return np.asarray(unit * (vectors @ along), dtype=np.float64)
