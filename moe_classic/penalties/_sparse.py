"""Penalties with kinks, bound to data: some slopes are exactly zero at the optimum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from moe_classic._typing import Bools, Floats, Ints

from ._centred import CentredRidge
from ._quadratic import group_step, lasso_step
from ._squares import SquaredSlopes


@dataclass(frozen=True)
class SparseSlopes:
    """``pull sum_j w_j |b_j|``, the sum over slopes or of their norms over features, plus a ridge.

    Coefficients (K, M, q) have their intercepts last; those are free. Where they are those of
    logits relative to a last class (``symmetric``), slopes of all M + 1 classes are penalised about
    their median, or in groups about their mean, so that no class is special.

    Parameters
    ----------
    pull : float
        Strength, of the size of a weight of rows.
    weights : ndarray of shape (q - 1,), or None
        Factors of the features.
    ridge : SquaredSlopes or CentredRidge
        What is subtracted besides.
    grouped : bool
        Whether all slopes of a feature make up one group.
    symmetric : bool
        Whether coefficients are relative to a last class.
    held : ndarray of bool of shape (K, 1, q - 1), or None
        Features whose slopes stay zero in single experts.
    """

    pull: float
    weights: Floats | None
    ridge: SquaredSlopes | CentredRidge
    grouped: bool = False
    symmetric: bool = False
    held: Bools | None = None

    def costs(self, coef: Floats) -> Floats:
        """Strengths of slopes, (K or 1, 1, q - 1); of groups times roots of sizes, (q - 1,)."""
        K, m, q = coef.shape
        size = K * (m + 1 if self._over(coef) else m) if self.grouped else 1
        weights = np.ones(q - 1) if self.weights is None else self.weights
        costs = np.asarray(self.pull * np.sqrt(size) * weights)
        if self.grouped:
            return costs
        return np.where(self.held, np.inf, costs) if self.held is not None else costs[None, None]

    def _over(self, coef: Floats) -> bool:
        """Whether classes are more than coefficients say; two have one vector of slopes."""
        return self.symmetric and coef.shape[1] > 1

    def slopes(self, coef: Floats) -> Floats:
        """The slopes that are penalised, (K, M or M + 1, q - 1)."""
        if not self._over(coef):
            return coef[..., :-1]
        return centred_slopes(coef, mean=self.grouped)

    # -------------------------------------------------------------------- value and slopes

    def value(self, coef: Floats) -> float:
        """The penalty of coefficients (K, M, q)."""
        slopes, costs = self.slopes(coef), self.costs(coef)
        size = np.linalg.norm(slopes, axis=(0, 1)) if self.grouped else np.abs(slopes)
        # An infinite strength costs nothing at zero.
        inside = size > 0.0
        paid = np.broadcast_to(costs, size.shape)[inside] @ size[inside]
        return float(paid) + self.ridge.value(coef)

    def kinks(self, coef: Floats) -> Floats:
        """Subgradient of the part with kinks, of the shape of :meth:`slopes`; 0 at zeros."""
        slopes, costs = self.slopes(coef), self.costs(coef)
        if not self.grouped:
            signs = np.sign(slopes)
            return np.where(signs == 0.0, 0.0, signs * np.where(np.isinf(costs), 0.0, costs))
        norm = np.linalg.norm(slopes, axis=(0, 1))
        inside = norm > 0.0
        return slopes * np.where(inside, costs, 0.0) / np.where(inside, norm, 1.0)

    def gradient(self, coef: Floats) -> Floats:
        """Its derivatives where slopes are not zero, of the shape of ``coef``."""
        out, kinks = self.ridge.gradient(coef), self.kinks(coef)
        if self._over(coef) and not self.grouped:
            # All classes moved together cost nothing: zeros have what the others lack to that.
            zero = self.zeros(coef)
            lack = kinks.sum(axis=1, keepdims=True) / np.maximum(zero.sum(axis=1, keepdims=True), 1)
            kinks -= np.where(zero, lack, 0.0)
        out[..., :-1] += kinks[:, : coef.shape[1]]
        return out

    def hessian(self, coef: Floats) -> Floats:
        """Its Hessian where slopes are not zero, (size, size)."""
        out = self.ridge.hessian(coef)
        if not self.grouped:
            return out
        slopes, costs = self.slopes(coef), self.costs(coef)
        places = np.arange(coef.size).reshape(coef.shape)
        K, m, _ = coef.shape
        share = np.eye(m) - 1.0 / (m + 1) if self._over(coef) else np.eye(m)
        metric = np.kron(np.eye(K), share)
        for j in np.flatnonzero(slopes.any(axis=(0, 1))):
            norm = float(np.linalg.norm(slopes[..., j]))
            unit = slopes[:, :m, j].ravel() / norm
            at = places[..., j].ravel()
            out[np.ix_(at, at)] += costs[j] / norm * (metric - np.outer(unit, unit))
        return out

    def curvature(self, coef: Floats) -> Floats:
        """Diagonal of its Hessian, of the shape of ``coef``."""
        return np.diag(self.hessian(coef)).reshape(coef.shape)

    # -------------------------------------------------------------------- zeros

    def zeros(self, coef: Floats) -> Bools:
        """Which slopes are exactly zero, of the shape of :meth:`slopes`."""
        return self.slopes(coef) == 0.0

    def n_zero(self, coef: Floats) -> int:
        """How many slopes are not free: all less those that are not zero."""
        inside = (~self.zeros(coef)).sum(axis=1)
        return int(coef[..., :-1].size - np.minimum(inside, coef.shape[1]).sum())

    def support(self, coef: Floats) -> tuple[Floats, Floats, Bools]:
        """Coordinates in which slopes that are not zero move freely, zeros staying zero.

        Returns
        -------
        T : ndarray of shape (K M q, r)
            ``coef.ravel() = T u``.
        u : ndarray of shape (r,)
        signed : ndarray of bool, shape (r,)
            Whose signs must stay for the penalty to be smooth.
        """
        if not self._over(coef):
            return self._plain_support(coef)
        K, m, q = coef.shape
        places, inside = np.arange(coef.size).reshape(coef.shape), ~self.zeros(coef)
        columns, values, signed = [], [], []

        def add(at: Ints, sign: float, value: float, *, kink: bool) -> None:
            column = np.zeros(coef.size)
            column[at] = sign
            columns.append(column)
            values.append(value)
            signed.append(kink)

        slopes = self.slopes(coef)
        kinked = np.broadcast_to(self.costs(coef) > 0.0, slopes.shape)
        for k in range(K):
            for j in range(q - 1):
                all_in = inside[k, :, j].all()
                own = coef[k, :, j] if all_in else slopes[k, :m, j]
                for c in np.flatnonzero(inside[k, :m, j]):
                    kink = bool(kinked[k, c, j]) and not (self.grouped or all_in)
                    add(places[k, c, j : j + 1], 1.0, own[c], kink=kink)
                if not all_in and inside[k, m, j]:
                    add(places[k, :, j], -1.0, slopes[k, m, j], kink=bool(kinked[k, m, j]))
            for row, value in zip(places[k, :, -1:], coef[k, :, -1], strict=True):
                add(row, 1.0, value, kink=False)
        T = np.stack(columns, axis=1) if columns else np.zeros((coef.size, 0))
        return T, np.array(values), np.array(signed, dtype=bool)

    def _plain_support(self, coef: Floats) -> tuple[Floats, Floats, Bools]:
        """The same where each slope is penalised as it is: some of the coefficients."""
        free = np.ones(coef.shape, dtype=bool)
        free[..., :-1] = coef[..., :-1] != 0.0
        signed = np.zeros(coef.shape, dtype=bool)
        if not self.grouped:
            signed[..., :-1] = self.costs(coef) > 0.0
        places = np.flatnonzero(free)
        T = np.zeros((coef.size, places.size))
        T[places, np.arange(places.size)] = 1.0
        return T, coef.ravel()[places], signed.ravel()[places]

    # -------------------------------------------------------------------- the step

    def step(self, coef: Floats, A: Floats, score: Floats) -> Floats:
        """Coefficients (K, M, q) at which a quadratic model less the penalty is highest.

        Parameters
        ----------
        A : ndarray of shape (K, M q, M q)
            Curvature, without the penalty.
        score : ndarray of shape (K, M, q)
            Slopes at ``coef``, without the penalty.
        """
        K, m, q = coef.shape
        score = score - self.ridge.gradient(coef)
        one = self.ridge.hessian(coef[:1])
        A, x, g = A + one, coef, score
        if self._over(coef):
            spread = np.kron(np.hstack([np.eye(m), -np.ones((m, 1))]), np.eye(q))
            A, g = spread.T @ A @ spread, (score.reshape(K, -1) @ spread).reshape(K, m + 1, q)
            x = np.concatenate([coef, np.zeros((K, 1, q))], axis=1)
            x[..., :-1] = self.slopes(coef)
        new = self._solved(A, g, x, self.costs(coef))
        if not np.isfinite(new).all():
            return coef
        return new[:, :m] - new[:, m:] if self._over(coef) else new

    def _solved(self, A: Floats, g: Floats, x: Floats, costs: Floats) -> Floats:
        """The same for slopes that are each penalised, (K, M or M + 1, q)."""
        K, m, q = x.shape
        over = len(A[0]) > 1 and self.symmetric and m > 1
        if not self.grouped:
            cost = np.zeros(x.shape)
            cost[..., :-1] = costs
            if over:
                cost[:, -1, -1] = np.inf
            parts = [
                lasso_step(a, s.ravel(), b.ravel(), c.ravel())
                for a, s, b, c in zip(A, g, x, cost, strict=True)
            ]
            return np.stack(parts).reshape(x.shape)
        keep = np.ones((K, m, q), dtype=bool)
        keep[..., :-1] &= np.isfinite(costs)
        if over:
            keep[:, -1, -1] = False
        kept = keep.ravel()
        number = np.cumsum(kept).reshape(x.shape) - 1
        inside = np.flatnonzero(np.isfinite(costs))
        groups = [number[..., j].ravel() for j in inside]
        out = np.zeros(x.size)
        out[kept] = group_step(
            block_diag(*A)[np.ix_(kept, kept)],
            g.ravel()[kept],
            x.ravel()[kept],
            costs[inside],
            groups,
        )
        return out.reshape(x.shape)

    # -------------------------------------------------------------------- optimality

    def residual(self, coef: Floats, score: Floats) -> Floats:
        """Violation of the conditions of Karush, Kuhn and Tucker, (K, M or M + 1, q).

        ``score`` (K, M, q) holds the slopes of the log-likelihood. Of slopes that are not zero what
        the score lacks to the penalty's, of zeros what it has beyond it; of intercepts the score.
        """
        left = score - self.ridge.gradient(coef)
        if self._over(coef):
            left = np.concatenate([left, -left.sum(axis=1, keepdims=True)], axis=1)
        out = np.abs(left)
        slopes, costs = left[..., :-1], self.costs(coef)
        zero = self.zeros(coef)
        if self.grouped:
            norm = np.linalg.norm(slopes, axis=(0, 1))
            excess = np.maximum(norm - costs, 0.0) / np.where(norm > 0.0, norm, 1.0)
            out_zero = np.abs(slopes) * np.where(np.isinf(costs), 0.0, excess)
            zero = np.broadcast_to(zero.all(axis=(0, 1)), slopes.shape)
        else:
            out_zero = np.maximum(np.abs(slopes) - costs, 0.0)
        out[..., :-1] = np.where(zero, out_zero, np.abs(slopes - self.kinks(coef)))
        return out


def centred_slopes(coef: Floats, *, mean: bool = False) -> Floats:
    """Slopes (K, M + 1, q - 1) of all classes about their median, or mean, from relative ones."""
    K, m, q = coef.shape
    full = np.zeros((K, m + 1, q - 1))
    full[:, :m] = coef[..., :-1]
    if mean:
        return full - full.mean(axis=1, keepdims=True)
    ranked = np.sort(full, axis=1)
    low, high = ranked[:, m // 2 : m // 2 + 1], ranked[:, (m + 1) // 2 : (m + 1) // 2 + 1]
    # Between two middle values the distances sum to the same; zeros are where more classes agree.
    more = (full == high).sum(axis=1, keepdims=True) > (full == low).sum(axis=1, keepdims=True)
    return full - np.where(more, high, low)
