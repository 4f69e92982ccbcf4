"""Curvature of the log-likelihood at the fit, its weak spots, and the covariance it implies.

::

    observed   H^-1,              H = I_obs + penalty''
    opg        (G + penalty'')^-1,  G = sum w s s'
    sandwich   H^-1 G H^-1,       G from clusters: sum over clusters of (sum w s)(sum w s)'

with I_obs by Louis' identity and s the score of a row. Louis (1982); Berndt, Hall, Hall & Hausman
(1974); White (1982), Maximum likelihood estimation of misspecified models, Econometrica 50; Liang
& Zeger (1986) for clusters; Gray (1992) for penalised estimates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import eigh
from scipy.special import ndtri

from ._blocks import Block
from ._component import Forward
from ._inference_case import Case, responsibilities
from ._information import InformationStats, available, information, row_scores
from ._model import Model
from ._typing import Bools, Floats, Ints

#: Eigenvalues of the information, scaled to a unit diagonal, that count as zero.
_SINGULAR = 1e-9
#: Curvature of a coordinate, per unit of weight, that counts as none: standardised data have some.
_FLAT = 1e-10
#: Share of the curvature along a direction beyond which the penalty decides, not the data.
_PENALTY_SHARE = 0.5
#: Relative distance of an interval parameter from its bound that is no distance.
_AT_BOUND = 1e-6
#: The same where the likelihood still rises towards the bound.
_NEAR_BOUND = 1e-3
#: Share of a direction that a parameter needs to be named.
_NAMED = 0.1


# ------------------------------------------------------------------------- curvature


@dataclass(frozen=True)
class Curvature:
    """Derivatives of the log-likelihood and of the penalty at the fit.

    Attributes
    ----------
    gradient : (D,) of the penalised log-likelihood
    information : (D, D) observed information of the rows
    scores : (D, D) sum of the outer products of the scores, over rows or clusters
    penalty : (D, D) Hessian of the penalty
    """

    gradient: Floats
    information: Floats
    scores: Floats
    penalty: Floats

    @property
    def error_size(self) -> Floats:
        """Rough errors of the coordinates, each on its own, (D,)."""
        diagonal = np.diag(self.information + self.penalty)
        return np.where(diagonal > 0.0, np.abs(diagonal), 1.0) ** -0.5


def curvature(case: Case, clusters: Ints | None = None) -> Curvature:
    """Derivatives at the fit; ``clusters`` (n,) numbers from 0 the clusters of the rows."""
    model = smoothed(case)

    def of_block(block: Block) -> InformationStats:
        return information(model, case.params, block)

    seen = case.engine.map_reduce(of_block, case.source())
    products = seen.scores if clusters is None else _cluster_scores(model, case, clusters)
    gradient = seen.gradient - case.model.penalty_gradient(case.params, case.summary)
    penalty = case.model.penalty_hessian(case.params, case.summary)
    return Curvature(gradient, seen.information, products, penalty)


def _cluster_scores(model: Model, case: Case, clusters: Ints) -> Floats:
    """Outer products of the clusters' scores."""
    count = int(clusters.max()) + 1
    size = case.model.pack(case.params).size
    sums, stop = np.zeros((count, size)), 0
    for block in case.source():
        start, stop = stop, stop + block.w.size
        rows = row_scores(model, case.params, block) * block.w
        np.add.at(sums, clusters[start:stop], rows.T)
    return sums.T @ sums


# ------------------------------------------------------------------------- kinks


@dataclass(frozen=True)
class Smoothed:
    """Laplace experts whose kink is seen through a kernel.

    The second derivative of ``-|e| / b`` is ``-(2 / b) delta(e)``; the normal density of standard
    deviation ``width`` stands in for Dirac's delta, so that the sum over rows estimates the density
    of y at the line. For one expert this is the sandwich of median regression: Powell (1991).

    Attributes
    ----------
    expert : LaplaceExpert
    width : ndarray of shape (K, 1)
    """

    expert: Any
    width: Floats
    smooth: bool = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["expert"], name)

    def derivatives(self, params: Any, fwd: Forward, y: np.ndarray) -> tuple[Floats, Floats]:
        """First derivatives almost everywhere, second ones smoothed."""
        first, second = self.expert.derivatives(params, fwd, y)
        z = fwd.work[0][:, 0] / self.width
        density = np.exp(-0.5 * z**2) / (np.sqrt(2.0 * np.pi) * self.width)
        second[:, 0, 0] -= 2.0 / params.scale * density
        return first, second


def hall_sheather(n: Floats) -> Floats:
    """Bandwidth for the sparsity at the median from n rows, as a probability.

    Hall & Sheather (1988), for intervals of 95 %.
    """
    z = ndtri(0.975)
    return n ** (-1.0 / 3.0) * z ** (2.0 / 3.0) * (1.5 / (2.0 * np.pi)) ** (1.0 / 3.0)


def smoothed(case: Case) -> Model:
    """The model with kinks smoothed where experts have any."""
    if available(case.model):
        return case.model
    mass = _masses(case)
    groups = []
    for group, p, share in zip(
        case.model.groups, case.params.experts, case.model.shares, strict=True
    ):
        expert = group.expert
        if not expert.smooth:
            # Few rows would ask for more than half of the distribution.
            h = np.minimum(hall_sheather(np.maximum(mass[share], 1.0)), 0.45)[:, None]
            expert = Smoothed(expert, p.scale * (ndtri(0.5 + h) - ndtri(0.5 - h)))
        groups.append(replace(group, expert=expert))
    return replace(case.model, groups=tuple(groups))


# ------------------------------------------------------------------------- weak spots


@dataclass(frozen=True)
class Finding:
    """Something that a reader of the tables must know.

    Attributes
    ----------
    places : coordinates of theta concerned
    note : what is written beside the terms that depend on them
    fixed : whether these coordinates are held at their values
    """

    places: Ints
    note: str
    fixed: bool = False


def findings(case: Case, seen: Curvature) -> list[Finding]:
    """Parameters at bounds, columns without variation, separated regions."""
    found, starts = [], _starts(case)
    found += _constant_columns(case, starts)
    mass = _masses(case)
    found += _gate_findings(case, starts[0])
    for number in range(len(case.model.groups)):
        found += _starved_experts(case, mass, number, starts[number + 1])
        found += _expert_findings(case, seen, number, starts[number + 1])
    found += _penalty_findings(seen, fixed_places(found, seen.gradient.size))
    return found


def fixed_places(found: list[Finding], size: int) -> Bools:
    """Which coordinates are held at their values, (D,)."""
    fixed = np.zeros(size, dtype=bool)
    for f in found:
        fixed[f.places] |= f.fixed
    return fixed


def _masses(case: Case) -> Floats:
    """Rows that each expert explains, (K,)."""
    return sum(responsibilities(case.model, case.params, b) @ b.w for b in case.source())


def _starved_experts(case: Case, mass: Floats, number: int, start: int) -> list[Finding]:
    """Experts that explain fewer rows than a line has coefficients."""
    coef = case.params.experts[number].coef
    few = np.flatnonzero(mass[case.model.shares[number]] < coef.shape[-1])
    places = np.arange(coef.size).reshape(len(coef), -1)[few]
    note = "the expert explains fewer rows than it has coefficients"
    return [Finding(start + places.ravel(), note)] if few.size else []


def _starts(case: Case) -> list[int]:
    """First coordinate of the gate and of each group."""
    sizes = [case.model.gate.pack(case.params.gate).size]
    for group, p in zip(case.model.groups, case.params.experts, strict=True):
        sizes.append(group.expert.pack(p).size)
    return [0, *np.cumsum(sizes)[:-1].tolist()]


def _constant_columns(case: Case, starts: list[int]) -> list[Finding]:
    """Slopes of features that do not vary."""
    note = "the feature is constant"
    found = []
    designs = [case.model.gate_design, *(g.design for g in case.model.groups)]
    for start, number, p in zip(
        starts, designs, (case.params.gate, *case.params.experts), strict=True
    ):
        dead = np.flatnonzero(case.maps[number].inverse == 0.0)
        if dead.size and hasattr(p, "coef"):
            places = np.arange(p.coef.size).reshape(-1, p.coef.shape[-1])[:, dead]
            found.append(Finding(start + places.ravel(), note, fixed=True))
        elif dead.size and hasattr(p, "means"):
            places = start + _dead_moments(p, dead, case.model.gate.pack(p).size)
            found.append(Finding(places, note, fixed=True))
    return found


def _dead_moments(p: Any, dead: Ints, size: int) -> Ints:
    """Coordinates of a Gaussian gate that describe features without variation."""
    K, width = p.means.shape
    means = K - 1 + np.arange(K * width).reshape(K, width)[:, dead]
    rows, cols = np.tril_indices(width)
    rest = np.arange(K - 1 + K * width, size).reshape(len(p.chol), -1)
    if rest.shape[1] == width:
        lower = dead
    else:
        lower = np.flatnonzero(np.isin(rows, dead) | np.isin(cols, dead))
    return np.concatenate([means.ravel(), rest[:, lower].ravel()])


def _gate_findings(case: Case, start: int) -> list[Finding]:
    """Proportions of zero, and rows of a softmax that no row of data is undecided about."""
    gate = case.params.gate
    if hasattr(gate, "proportions"):
        zero = np.flatnonzero(gate.proportions[:-1] < 1e-8)
        note = "at its lower bound 0"
        return [Finding(start + zero, note, fixed=True)] if zero.size else []
    if not gate.coef.size:
        return []
    slopes = np.zeros(len(gate.coef))
    last = 0.0
    for block in case.source():
        fwd = case.model.gate.forward(gate, block.designs[case.model.gate_design])
        R = responsibilities(case.model, case.params, block)
        _, curve = case.model.gate.derivatives(gate, fwd, R)
        slopes += np.einsum("aan,n->a", curve, block.w)
        last += float(curve.sum(axis=(0, 1)) @ block.w)
    q = gate.coef.shape[1]
    # 4 g (1 - g) is 1 where a row is undecided: fewer such rows than coefficients cannot fix them.
    hard = 4.0 * slopes < q
    if not hasattr(gate, "shape") and 4.0 * last < q:
        hard[:] = True
    if not hard.any() or q == 1:
        return []
    places = np.arange(gate.coef.size).reshape(-1, q)[hard].ravel()
    note = "the gate has separated: standard errors have no meaning"
    return [Finding(start + places, note)]


def _expert_findings(case: Case, seen: Curvature, number: int, start: int) -> list[Finding]:
    """Scales at their floor and interval parameters at a bound."""
    group, p = case.model.groups[number], case.params.experts[number]
    expert, found = group.expert, []
    low = np.asarray(expert.degenerate(p, case.summary))
    at = start + p.coef.size
    for name in expert.free_nuisances(p):
        value = getattr(p, name).reshape(len(getattr(p, name)), -1)
        width = _width(expert, name, p)
        places = at + np.arange(len(value) * width).reshape(len(value), width)
        at += places.size
        if expert.bounds(name) is not None:
            found += _bound_findings(name, value, expert.bounds(name), places, seen)
        elif name in ("scale", "chol") and low.any():
            mine = places[low] if len(places) == len(low) else places
            note = "at its lower bound min_scale: the expert interpolates its rows"
            found.append(Finding(mine.ravel(), note, fixed=True))
    return found


def _width(expert: Any, name: str, p: Any) -> int:
    """Number of coordinates of one expert's nuisance field."""
    value = getattr(p, name)
    if expert.nuisances[name] == "cholesky":
        return value.shape[-1] * (value.shape[-1] + 1) // 2
    return int(value.size // len(value))


def _bound_findings(
    name: str, value: Floats, bounds: tuple[float, float], places: Ints, seen: Curvature
) -> list[Finding]:
    """Entries of an interval parameter that sit at a bound."""
    low, high = bounds
    found = []
    diagonal = np.abs(np.diag(seen.information))
    for v, place in zip(value.ravel(), places.ravel(), strict=True):
        inside = (v - low) / (high - low)
        distance = min(inside, 1.0 - inside)
        # Where the optimum lies at the bound, a Newton step in the logit is about one, outwards.
        outward = seen.gradient[place] * (1.0 if inside > 0.5 else -1.0) > 0.3 * diagonal[place]
        if distance < _AT_BOUND or (distance < _NEAR_BOUND and outward):
            side, bound = ("upper", high) if inside > 0.5 else ("lower", low)
            note = f"at its {side} bound {bound:g}"
            found.append(Finding(np.array([place]), note, fixed=True))
    return found


def _penalty_findings(seen: Curvature, fixed: Bools) -> list[Finding]:
    """Directions along which the penalty supplies most of the curvature."""
    free = np.flatnonzero(~fixed)
    P = seen.penalty[np.ix_(free, free)]
    H = seen.information[np.ix_(free, free)] + P
    if not P.any() or not (np.diag(H) > 0.0).all():
        return []
    scale = np.diag(H) ** -0.5
    H, P = H * np.outer(scale, scale), P * np.outer(scale, scale)
    if np.linalg.eigvalsh(H)[0] <= _SINGULAR:
        return []
    shares, directions = eigh(P, H)
    places = _loaded(directions[:, shares > _PENALTY_SHARE])
    note = "set by the penalty rather than by the data"
    return [Finding(free[places], note)] if places.size else []


def _loaded(directions: Floats) -> Ints:
    """Coordinates with a considerable part in any of the directions (D, r)."""
    if not directions.size:
        return np.empty(0, dtype=np.intp)
    squares = np.square(directions)
    return np.flatnonzero((squares > _NAMED * squares.max(axis=0)).any(axis=1))


# ------------------------------------------------------------------------- covariance


@dataclass(frozen=True)
class ThetaCovariance:
    """Covariance of theta where the rows determine it.

    Attributes
    ----------
    covariance : (D, D), zero for fixed coordinates and along directions that are not determined
    unknown : (D, r) orthonormal directions, in scaled coordinates, that are not determined
    scale : (D,) what divides theta into scaled coordinates
    negative : whether any of those directions has negative curvature
    """

    covariance: Floats
    unknown: Floats
    scale: Floats
    negative: bool

    def undetermined(self, jacobian: Floats) -> Bools:
        """Which rows of ``jacobian`` (M, D) depend on directions that are not determined."""
        scaled = jacobian * self.scale
        size = np.linalg.norm(scaled, axis=1)
        return np.linalg.norm(scaled @ self.unknown, axis=1) > 1e-6 * np.maximum(size, 1e-300)


def theta_covariance(seen: Curvature, kind: str, fixed: Bools, weight: float) -> ThetaCovariance:
    """Covariance of the estimates by one of "observed", "opg" and "sandwich"."""
    size, free = fixed.size, np.flatnonzero(~fixed)
    basis = seen.scores if kind == "opg" else seen.information
    H = (basis + seen.penalty)[np.ix_(free, free)]
    # Scaling must not turn a coordinate without curvature into a well determined one.
    flat = np.abs(np.diag(H)) <= _FLAT * weight
    H[flat] = H[:, flat] = 0.0
    scale = np.where(flat, 1.0, np.abs(np.diag(H))) ** -0.5
    values, vectors = np.linalg.eigh(H * np.outer(scale, scale))
    known = values > _SINGULAR
    half = scale[:, None] * vectors[:, known]
    inverse = (half / values[known]) @ half.T
    if kind == "sandwich":
        inverse = inverse @ seen.scores[np.ix_(free, free)] @ inverse
    covariance, unknown = np.zeros((size, size)), np.zeros((size, int((~known).sum())))
    covariance[np.ix_(free, free)] = inverse
    unknown[free] = vectors[:, ~known]
    whole = np.ones(size)
    whole[free] = scale
    negative = bool((values < -_SINGULAR).any())
    return ThetaCovariance(covariance, unknown, whole, negative)


def distance_from_optimum(seen: Curvature, fixed: Bools, weight: float) -> float:
    """How many standard errors a Newton step would move the estimates, in the worst direction."""
    inverse = theta_covariance(seen, "observed", fixed, weight).covariance
    g = np.where(fixed, 0.0, seen.gradient)
    return float(np.sqrt(max(g @ inverse @ g, 0.0)))
