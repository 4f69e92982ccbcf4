"""Experts whose density depends on x through linear predictors."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import Forward, check_alpha, pack_field, unpack_field
from moe_classic._data import Design, Summary
from moe_classic._numerics import empty
from moe_classic._typing import Floats

from ._base import Expert


@dataclass(frozen=True)
class LinearParams:
    """Coefficients (K, M, q) of M linear predictors; the last column is the intercept."""

    coef: Floats

    @property
    def n_experts(self) -> int:
        """Number of experts K of the group."""
        return self.coef.shape[0]


class LinearExpert(Expert):
    """An expert whose density depends on x through M linear predictors ``eta = coef @ Z``.

    A family adds its density, its curvature, the sums for its nuisance parameters and
    :meth:`derivatives`; gradients, packing, penalties and counting live here.

    Unconstrained coordinates: all coefficients, then each field named in ``nuisances``.
    """

    #: Fields of the parameter record besides ``coef``, with their constraint.
    nuisances: ClassVar[dict[str, str]] = {}
    features: Any
    alpha: float

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        check_alpha(type(self).__name__, self.alpha)

    # -------------------------------------------------------------------- penalty

    def penalty(self, params: LinearParams, summary: Summary) -> float:
        """``alpha / 2`` times the squared slopes, per unit of weight."""
        if self.alpha == 0.0:
            return 0.0
        return 0.5 * self.alpha * summary.weight * float((params.coef[..., :-1] ** 2).sum())

    def penalty_gradient(self, params: LinearParams, summary: Summary) -> Floats:
        """Gradient of the penalty with respect to theta, (n_theta,)."""
        out = np.zeros(self.pack(params).size)
        slopes = params.coef.copy()
        slopes[..., -1] = 0.0
        out[: slopes.size] = self.alpha * summary.weight * slopes.ravel()
        return out

    def penalty_curvature(self, params: LinearParams, summary: Summary) -> Floats:
        """Diagonal of the Hessian of the penalty, (n_theta,)."""
        diagonal = np.zeros(self.pack(params).size)
        slopes = np.ones(params.coef.shape)
        slopes[..., -1] = 0.0
        diagonal[: slopes.size] = self.alpha * summary.weight * slopes.ravel()
        return diagonal

    def penalty_hessian(self, params: LinearParams, summary: Summary) -> Floats:
        """Hessian of the penalty with respect to theta, (n_theta, n_theta)."""
        return np.diag(self.penalty_curvature(params, summary))

    # -------------------------------------------------------------------- derivatives

    @abstractmethod
    def derivatives(self, params: Any, fwd: Forward, y: np.ndarray) -> tuple[Floats, Floats]:
        """First and second derivatives of log p in its local variables.

        The J local variables of an expert are its M linear predictors, then its nuisance
        parameters in unconstrained coordinates.

        Returns
        -------
        first : ndarray of shape (K, J, n)
        second : ndarray of shape (K, J, J, n)
        """

    def first_derivatives(self, params: Any, fwd: Forward, y: np.ndarray) -> Floats:
        """The first of :meth:`derivatives` alone, where that costs less."""
        return self.derivatives(params, fwd, y)[0]

    def nuisance_map(self, params: LinearParams) -> np.ndarray:
        """Place in theta of each expert's nuisance variables, (K, J - M)."""
        start, columns = params.coef.size, []
        for name in self.free_nuisances(params):
            value = pack_field(self.nuisances[name], getattr(params, name), self.bounds(name))
            rows = value.reshape(value.shape[0], -1)
            index = start + np.arange(rows.size).reshape(rows.shape)
            columns.append(np.broadcast_to(index, (params.n_experts, rows.shape[1])))
            start += rows.size
        if not columns:
            return np.empty((params.n_experts, 0), dtype=np.intp)
        return np.concatenate(columns, axis=1)

    def gradient(self, params: LinearParams, design: Design, y: np.ndarray, S: Floats) -> Floats:
        """Gradient of ``sum S log p`` in unconstrained coordinates, (n_theta,)."""
        first = self.first_derivatives(params, self.forward(params, design, y), y)
        return self.gradient_from(params, design, first, S)

    def gradient_from(
        self, params: LinearParams, design: Design, first: Floats, S: Floats
    ) -> Floats:
        """The same from first derivatives that are already there."""
        m = params.coef.shape[1]
        weighted = np.multiply(S[:, None, :], first, out=empty(first.shape))
        out = np.zeros(self.pack(params).size)
        out[: params.coef.size] = design.scores(weighted[:, :m]).ravel()
        np.add.at(out, self.nuisance_map(params), weighted[:, m:].sum(axis=-1))
        return out

    # -------------------------------------------------------------------- packing

    def free_nuisances(self, params: Any) -> list[str]:
        """Names of the nuisance fields that are estimated."""
        return list(self.nuisances)

    def bounds(self, name: str) -> tuple[float, float] | None:
        """Interval of a nuisance field with the constraint ``interval``."""
        return None

    def pack(self, params: LinearParams) -> Floats:
        """Unconstrained vector theta, (n_theta,)."""
        parts = [params.coef.ravel()]
        for name in self.free_nuisances(params):
            value = getattr(params, name)
            parts.append(pack_field(self.nuisances[name], value, self.bounds(name)).ravel())
        return np.concatenate(parts)

    def unpack(self, theta: Floats, like: LinearParams, summary: Summary) -> LinearParams:
        """Parameters from ``theta``, with the shapes of ``like`` and scales above their floor."""
        stop = like.coef.size
        changes: dict[str, Floats] = {"coef": theta[:stop].reshape(like.coef.shape).copy()}
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

    def n_parameters(self, params: LinearParams) -> int:
        """Number of free parameters of the whole group."""
        return int(self.pack(params).size)
