"""Experts whose density depends on x through linear predictors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import block_diag

from moe_classic._components import (
    Bounds,
    ComponentTerms,
    Units,
    check_alpha,
    covariance_terms,
    field_terms,
    joined_terms,
    line_terms,
    pack_field,
    shared_lines,
    unpack_field,
)
from moe_classic._data import Design, Summary
from moe_classic._numerics import empty
from moe_classic._typing import Bools, Floats, Ints
from moe_classic.penalties import Bound, Penalty, SparseSlopes, SquaredSlopes, check_penalty

from ._shared import SharedSlopes, check_shared

#: A summary for what depends on no moment.
_UNIT = Summary(1.0, np.zeros(1), np.ones(1))


@dataclass(frozen=True)
class LinearParams:
    """Coefficients (K, M, q) of M linear predictors; the last column is the intercept."""

    coef: Floats

    @property
    def n_experts(self) -> int:
        """Number of experts K of the group."""
        return self.coef.shape[0]


class LinearExpert(SharedSlopes):
    """An expert whose density depends on x through M linear predictors ``eta = coef @ Z``.

    A family adds its density, its curvature, the sums for its nuisance parameters and
    :meth:`derivatives`; gradients, packing, penalties, counting and tables live here.

    Unconstrained coordinates: all coefficients, then each field named in ``nuisances``, with its
    constraint: ``"real"``, ``"positive"``, ``"interval"``, ``"simplex"``, ``"cholesky"`` or one of
    your own.

    Examples
    --------
    >>> from moe_classic.experts import GaussianExpert, LinearExpert
    >>> issubclass(GaussianExpert, LinearExpert)
    True
    """

    nuisances: ClassVar[dict[str, Any]] = {}
    takes_sparse = True
    #: Those whose floor :meth:`degenerate` watches.
    floored: ClassVar[frozenset[str]] = frozenset({"scale", "chol"})
    features: Any
    alpha: float
    #: Whether there is a constant; families that do not take it as an argument have one.
    fit_intercept: bool = True
    #: In place of ``alpha``, of families that have it.
    penalty: Penalty | None = None

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        check_alpha(type(self).__name__, self.alpha)
        if not isinstance(self.fit_intercept, (bool, np.bool_)):
            raise TypeError(
                f"{type(self).__name__}: fit_intercept={self.fit_intercept!r} must be True or "
                "False."
            )
        check_penalty(self)
        check_shared(self)

    def stacks(self, params: LinearParams) -> bool:
        """Where experts share no field and no slope."""
        own = all(len(getattr(params, f.name)) == params.n_experts for f in fields(params))
        return own and self.penalty is None and not self._shared

    # -------------------------------------------------------------------- carried columns

    def learned(self, coef: Floats) -> Floats:
        """Of coefficients (..., q) those that are learned: of carried columns they are known."""
        count = len(self.carried)
        if not count:
            return coef
        return np.concatenate([coef[..., : -count - 1], coef[..., -1:]], axis=-1)

    def with_carried(self, learned: Any, like: Any) -> Any:
        """Inverse of :meth:`learned`: a new array of the shape of ``like``."""
        coef = np.array(like)
        count = len(self.carried)
        coef[..., : like.shape[-1] - count - 1] = learned[..., :-1]
        coef[..., -1] = learned[..., -1]
        return coef

    def coefficient_places(self, params: LinearParams) -> Ints:
        """Places in theta of the coefficients, (K, M, q); -1 where they are known."""
        places = np.full(params.coef.shape, -1)
        return self.with_carried(self.places(self.learned(params.coef)), places)

    def known(self, coef: Floats) -> Floats:
        """Coefficients with those of carried columns filled in, in place."""
        for place, item in zip(range(-1 - len(self.carried), -1), self.carried, strict=True):
            coef[..., place] = item.coef
        return coef

    def carried_row(self, role: str, design: Design) -> Floats | None:
        """Values of a carried column, (n,), None where there is none in this role."""
        roles = [item.role for item in self.carried]
        return design.Z[roles.index(role) - 1 - len(roles)] if role in roles else None

    # -------------------------------------------------------------------- penalty

    @property
    def sparse(self) -> bool:  # type: ignore[override]
        """Whether slopes may be exactly zero."""
        return self.penalty is not None and self.penalty.sparse

    def slopes_penalty(self, summary: Summary) -> Bound:
        """What is subtracted for the slopes."""
        if self.penalty is not None:
            return self.penalty.bound(summary.weight)
        return SquaredSlopes(self.alpha * summary.weight)

    @property
    def _free(self) -> bool:
        """Whether slopes cost nothing."""
        return not self.alpha and self.penalty is None

    def coef_score(self, params: Any, stats: Any) -> Floats:
        """Slopes of the log-likelihood in the learned coefficients, (K, M, r)."""
        return self.learned(stats.score)

    def optimality(self, params: Any, stats: Any, summary: Summary) -> Floats:
        """Largest violation of the conditions of optimality in each expert, (K,).

        In nats per unit of weight and standardised unit of a coefficient; 0 without zeros.
        """
        term = self.slopes_penalty(summary)
        if not isinstance(term, SparseSlopes):
            return np.zeros(params.n_experts)
        left = term.residual(self.learned(params.coef), self.coef_score(params, stats))
        return np.asarray(left.max(axis=(1, 2)) / summary.weight)

    def support(self, params: Any) -> tuple[Floats, Floats, Bools]:
        """Coordinates of what is not held at zero; see :class:`~moe_classic._model.Model`."""
        term, theta = self.slopes_penalty(_UNIT), self.pack(params)
        if not isinstance(term, SparseSlopes):
            return super().support(params)
        T, u, signed = term.support(self.learned(params.coef))
        rest = theta.size - len(T)
        u = np.concatenate([u, theta[len(T) :]])
        signed = np.concatenate([signed, np.zeros(rest, dtype=bool)])
        return block_diag(T, np.eye(rest)), u, signed

    def n_parameters(self, params: Any) -> Any:
        """Number of free parameters of the whole group: slopes that are zero are none."""
        term = self.slopes_penalty(_UNIT) if self.sparse else None
        zero = term.n_zero(self.learned(params.coef)) if isinstance(term, SparseSlopes) else 0
        return super().n_parameters(params) - zero

    def penalty_value(self, params: LinearParams, summary: Summary) -> float:
        """What the slopes cost: ``alpha / 2`` times their squares, per unit of weight, or more."""
        return self.slopes_penalty(summary).value(self.once(self.learned(params.coef)))

    def penalties(self, params: LinearParams, summary: Summary) -> Any:
        """That of each expert, (K,) or 0."""
        if self._free:
            return 0.0
        term = self.slopes_penalty(summary)
        # Under a lasso experts are not asked: they do not stack.
        return 0.0 if isinstance(term, SparseSlopes) else term.each(self.learned(params.coef))

    def penalty_gradient(self, params: LinearParams, summary: Summary) -> Floats:
        """Gradient of the penalty with respect to theta, (n_theta,)."""
        coef, out = self.once(self.learned(params.coef)), np.zeros(self.pack(params).size)
        slope = self.gathered(self.slopes_penalty(summary).gradient(coef))
        out[: slope.size] = slope
        return out

    def penalty_curvature(self, params: LinearParams, summary: Summary) -> Floats:
        """Diagonal of the Hessian of the penalty, (n_theta,)."""
        coef, out = self.learned(params.coef), np.zeros(self.pack(params).size)
        bend = self.gathered(self.once(self.slopes_penalty(summary).curvature(coef)))
        out[: bend.size] = bend
        return out

    def penalty_hessian(self, params: LinearParams, summary: Summary) -> Floats:
        """Hessian of the penalty with respect to theta, (n_theta, n_theta)."""
        coef, size = self.learned(params.coef), self.pack(params).size
        if self.common(coef):
            return np.diag(self.penalty_curvature(params, summary))
        out, m = np.zeros((size, size)), coef.size
        if not self._free:
            out[:m, :m] = self.slopes_penalty(summary).hessian(coef)
        return out

    # -------------------------------------------------------------------- derivatives

    def lines(self, params: Any) -> Floats:
        """The coefficients, (K, M, q)."""
        coef: Floats = params.coef
        return coef

    def predictor(self, params: Any, design: Design) -> Floats:
        """Linear predictors, (K, M, n)."""
        return design.linear(params.coef)

    def nuisance_map(self, params: LinearParams) -> np.ndarray:
        """Place in theta of each expert's nuisance variables, (K, J - M)."""
        start, columns = self.n_lines(params), []
        for name in self.free_nuisances(params):
            value = pack_field(self.nuisances[name], getattr(params, name), self.bounds(name))
            rows = value.reshape(value.shape[0], -1)
            index = start + np.arange(rows.size).reshape(rows.shape)
            columns.append(np.broadcast_to(index, (params.n_experts, rows.shape[1])))
            start += rows.size
        if not columns:
            return np.empty((params.n_experts, 0), dtype=np.intp)
        return np.concatenate(columns, axis=1)

    def gradient_from(
        self, params: LinearParams, design: Design, first: Floats, S: Floats
    ) -> Floats:
        """The same from first derivatives that are already there."""
        m = params.coef.shape[1]
        weighted = np.multiply(S[:, None, :], first, out=empty(first.shape))
        out = np.zeros(self.pack(params).size)
        scores = self.gathered(self.learned(design.scores(weighted[:, :m])))
        out[: scores.size] = scores
        np.add.at(out, self.nuisance_map(params), weighted[:, m:].sum(axis=-1))
        return out

    # -------------------------------------------------------------------- packing

    def free_nuisances(self, params: Any) -> list[str]:
        """Names of the nuisance fields that are estimated."""
        return list(self.nuisances)

    def bounds(self, name: str) -> tuple[float, float] | None:
        """Interval of a nuisance field with the constraint ``interval``; None is (0, 1)."""
        return None

    def pack(self, params: LinearParams) -> Floats:
        """Unconstrained vector theta, (n_theta,)."""
        parts = [self.gathered(self.once(self.learned(params.coef)))]
        for name in self.free_nuisances(params):
            value = getattr(params, name)
            parts.append(pack_field(self.nuisances[name], value, self.bounds(name)).ravel())
        return np.concatenate(parts)

    def unpack(self, theta: Floats, like: LinearParams, summary: Summary) -> LinearParams:
        """Parameters from ``theta``, with the shapes of ``like`` and scales above their floor."""
        stop, coef = self.n_lines(like), self.learned(like.coef)
        own = theta[self.places(coef)] if self.common(coef) else theta[:stop].reshape(coef.shape)
        coef = self.with_carried(own, like.coef)
        changes: dict[str, Floats] = {"coef": coef}
        for name in self.free_nuisances(like):
            old = getattr(like, name)
            shape = pack_field(self.nuisances[name], old, self.bounds(name)).shape
            start, stop = stop, stop + int(np.prod(shape))
            block = theta[start:stop].reshape(shape)
            changes[name] = unpack_field(self.nuisances[name], block, self.bounds(name))
        return self.clip(replace(like, **changes), summary)

    def clip(self, params: Any, summary: Summary) -> Any:
        """Parameters moved inside their bounds."""
        return params

    def reorder(self, params: LinearParams, order: np.ndarray) -> LinearParams:
        """Parameters with the experts of the group in a new order; shared fields stay."""
        changes = {
            f.name: getattr(params, f.name)[order]
            for f in fields(params)
            if len(getattr(params, f.name)) == params.n_experts
        }
        return replace(params, **changes)

    # -------------------------------------------------------------------- what users see

    @property
    def ordering(self) -> tuple[str, ...]:  # type: ignore[override]
        """Scales and the like."""
        return tuple("scale" if name == "chol" else name for name in self.nuisances)

    def shown(self, params: LinearParams) -> dict[str, Floats]:
        """The fields besides the coefficients."""
        return {name: getattr(params, name) for name in self.nuisances}

    def about(self, params: LinearParams, features: Ints) -> Ints:
        """Places in theta of the slopes of some features of the design."""
        coef = self.learned(params.coef)
        places = self.places(coef)[..., features].ravel()
        return np.unique(places) if self.common(coef) else places

    def fields(self, params: LinearParams) -> Iterator[tuple[str, Floats, Bounds, Ints]]:
        """Each free field: name, value (K or 1, V), bounds, places in theta (K or 1, J)."""
        stop = self.n_lines(params)
        for name in self.free_nuisances(params):
            value, bounds = getattr(params, name), self.bounds(name)
            size = pack_field(self.nuisances[name], value, bounds).size
            start, stop = stop, stop + size
            places = np.arange(start, stop).reshape(len(value), -1)
            yield name, value.reshape(len(value), -1), bounds, places

    def terms(self, params: LinearParams, units: Units) -> ComponentTerms:
        """Lines, then scales and the like, expert by expert."""
        heads = [(part, label) for label in units.labels for part in units.parts]
        factor = units.factor if self.equivariant else np.ones(len(units.parts))

        def original(p: Any) -> Any:
            return self.rescale(p, units.shift, units.factor) if self.equivariant else p

        factors = np.tile(factor, len(units.labels))
        parts = [line_terms(units.design, heads, lambda p: original(p).coef, factors)]
        coef = self.learned(params.coef)
        if self.common(coef):
            parts = [shared_lines(parts[0], self.places(coef).ravel())]
        for name in self.free_nuisances(params):
            if self.nuisances[name] == "cholesky":
                parts.append(covariance_terms(name, getattr(params, name), units))
            else:
                parts.append(self._field_terms(name, params, original, units))
        return joined_terms(parts)

    def _field_terms(self, name: str, params: Any, original: Any, units: Units) -> ComponentTerms:
        """Terms of one field."""

        def value_of(p: Any) -> Floats:
            value: Floats = getattr(original(p), name)
            return value.reshape(len(value), -1)

        kind, bounds = self.nuisances[name], self.bounds(name)
        return field_terms(name, kind, bounds, value_of(params), value_of, units)

    def draw(
        self, params: LinearParams, noise: Floats, rng: np.random.Generator
    ) -> dict[str, Floats]:
        """Scales of the asked size; covariances with random correlations; the rest as it is."""
        drawn = {}
        for name in set(self.nuisances) & {"scale", "chol"}:
            value = getattr(params, name)
            if len(value) < len(noise) and (noise != noise[0]).any():
                raise ValueError(
                    f"noise={noise.tolist()} differs between experts, but {self!r} is tied; give "
                    "one number."
                )
            unit = np.ones_like(value) if name == "scale" else _correlated(value.shape, rng)
            drawn[name] = noise[: len(value)].reshape(-1, *[1] * (value.ndim - 1)) * unit
        return drawn


def _correlated(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Cholesky factors of random correlation matrices: rows of length 1, (K or 1, d, d)."""
    chol = np.tril(rng.standard_normal(shape))
    index = np.arange(shape[-1])
    # A diagonal of at least 1 keeps correlations away from 1.
    chol[:, index, index] = 1.0 + np.abs(chol[:, index, index])
    return chol / np.linalg.norm(chol, axis=2, keepdims=True)
