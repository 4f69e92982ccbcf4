"""Random parameters of gates and experts, at asked distances from one another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.cluster.vq import kmeans2

from moe_classic._data import Design, Summary
from moe_classic._training import BoundModel
from moe_classic._typing import Floats
from moe_classic.experts import LinearExpert
from moe_classic.gates import ConstantGate, GaussianGate, TreeGate, TreeParams

#: Variance of a feature that is uniform on (-1, 1).
_VARIANCE = 1.0 / 3.0


def draw_gate(
    plan: BoundModel,
    pilot: Floats,
    summary: Summary,
    rng: np.random.Generator,
    *,
    sharpness: float,
    shares: Floats,
) -> Any:
    """Parameters of the gate: every expert has a centre, and the nearest centre leads.

    Parameters
    ----------
    plan : bound model
    pilot : rows (n, p) on which regions are laid out
    summary : moments of the target
    rng : Generator
    sharpness : log odds of an expert against its nearest neighbour at its own centre
    shares : relative weights of the experts (K,), which sum to 1
    """
    gate, K, design = plan.model.gate, plan.model.n_experts, plan.maps[plan.model.gate_design]
    start = gate.start(K, design.width, summary)
    if isinstance(gate, ConstantGate):
        return replace(start, proportions=shares)
    centres, gap = _centres(design(pilot)[:-1].T, K, rng)
    if isinstance(gate, GaussianGate):
        size = np.sqrt(0.5 * gap / sharpness if np.isfinite(gap) else _VARIANCE)
        chol = size * _factors(start.chol.shape, rng, diagonal=gate.covariance_type == "diag")
        return replace(start, proportions=shares, means=centres, chol=chol)
    # log g_k = log share_k - pull |x - c_k|^2 / 2 + const, which is linear in x.
    pull = 2.0 * sharpness / gap
    if isinstance(gate, TreeGate):
        return replace(start, coef=_tree_coef(start, centres, shares, pull))
    intercept = np.log(shares) - 0.5 * pull * (centres**2).sum(axis=1)
    coef = np.column_stack([pull * centres, intercept])
    return replace(start, coef=(coef - coef[-1])[:-1])


def _tree_coef(start: TreeParams, centres: Floats, shares: Floats, pull: float) -> Floats:
    """Coefficients (K - 1, q): at a node, the nearest of the mean centres below leads."""
    # Neighbours along the first feature become siblings, so that branches are regions too.
    centres, coef = centres[np.argsort(centres[:, :1].sum(axis=1))], np.array(start.coef)
    below = start.shape.leaf_ranges()
    for j in start.shape.inner:
        spans = [slice(below[c].start, below[c].stop) for c in start.shape.children_of(j)]
        mass = np.array([shares[span].sum() for span in spans])
        middle = np.array([shares[span] @ centres[span] for span in spans]) / mass[:, None]
        intercept = np.log(mass) - 0.5 * pull * (middle**2).sum(axis=1)
        full = np.column_stack([pull * middle, intercept])
        first = int(start.shape.first_row[j])
        coef[first : first + len(spans) - 1] = full[:-1] - full[-1]
    return coef


def _centres(points: Floats, n_experts: int, rng: np.random.Generator) -> tuple[Floats, float]:
    """Well-spread centres (K, r) among ``points``, and the smallest squared distance of two."""
    if n_experts == 1 or points.shape[1] == 0:
        return np.zeros((n_experts, points.shape[1])), np.inf
    if len(np.unique(points, axis=0)) < n_experts:
        raise ValueError(
            f"n_experts={n_experts} regions cannot be told apart: the gate's features take fewer "
            "values than that."
        )
    centres, _ = kmeans2(points, n_experts, iter=30, minit="++", rng=rng)
    squares = np.square(centres[:, None] - centres).sum(axis=2)
    return centres, float(squares[np.triu_indices(n_experts, 1)].min())


def _factors(shape: tuple[int, ...], rng: np.random.Generator, *, diagonal: bool) -> Floats:
    """Cholesky factors (K or 1, p, p) of covariances with eigenvalues between 1/4 and 1."""
    values = rng.uniform(0.25, 1.0, shape[:2])
    if diagonal:
        return np.sqrt(values)[:, :, None] * np.eye(shape[-1])
    axes = np.linalg.qr(rng.standard_normal(shape))[0]
    return np.linalg.cholesky((axes * values[:, None, :]) @ axes.transpose(0, 2, 1))


def draw_experts(
    plan: BoundModel,
    pilot: Floats,
    summary: Summary,
    rng: np.random.Generator,
    *,
    gate_params: Any,
    separation: float,
    noise: Floats,
) -> tuple[Any, ...]:
    """Parameters of the groups of experts: slopes in common, and a part of each expert's own.

    Experts for classes have nothing in common; each is undecided in the middle of its region, so
    that it draws all classes.

    Parameters
    ----------
    plan : bound model
    pilot : rows (n, p) on which distances are measured
    summary : moments of the target
    rng : Generator
    gate_params : parameters of the gate, which say where the regions are
    separation : root mean square difference of two experts' predictors
    noise : scales of the experts (K,)
    """
    designs = [Design(m(pilot)) for m in plan.maps]
    groups = plan.model.groups
    starts = [g.expert.start(g.count, designs[g.design].width, summary) for g in groups]
    own = [rng.standard_normal(p.coef.shape) for p in starts]
    shared: Any = 0.0
    if summary.n_classes:
        log_gate = plan.model.gate.log_gate(gate_params, designs[plan.model.gate_design])
        for group, coef, share in zip(groups, own, plan.model.shares, strict=True):
            g = np.exp(log_gate[share])
            middle = designs[group.design].scores(g) / g.sum(axis=1, keepdims=True)
            coef[..., -1] -= np.einsum("kmq,kq->km", coef, middle)
    elif len({g.design for g in groups}) == 1:
        # Experts that see different features share nothing: it would set them apart.
        shared = rng.standard_normal(own[0].shape[1:])
        shared[:, -1] = 0.0
    lines = [designs[g.design].linear(c) for g, c in zip(groups, own, strict=True)]
    factor = separation / _distance(np.concatenate(lines))
    result = []
    for group, p, part, share in zip(groups, starts, own, plan.model.shares, strict=True):
        changes = _nuisances(group.expert, p, noise[share], rng)
        result.append(replace(p, coef=shared + factor * part, **changes))
    return tuple(result)


def _distance(eta: Floats) -> float:
    """Root mean square difference of the predictors (K, M, n) of two experts.

    A single expert is measured against zero, in the unit of two independent ones.
    """
    K = len(eta)
    if K == 1:
        return float(np.sqrt(2.0 * np.square(eta).mean()))
    return float(np.sqrt(2.0 * K / (K - 1) * np.square(eta - eta.mean(axis=0)).mean()))


def _nuisances(
    expert: LinearExpert, params: Any, noise: Floats, rng: np.random.Generator
) -> dict[str, Floats]:
    """Scales of the asked size; covariances with random correlations."""
    changes = {}
    for name, kind in expert.nuisances.items():
        value = getattr(params, name)
        if kind == "interval":
            continue
        if len(value) < len(noise) and (noise != noise[0]).any():
            raise ValueError(
                f"noise={noise.tolist()} differs between experts, but {expert!r} is tied; give "
                "one number."
            )
        unit = np.ones_like(value) if kind == "positive" else _correlated(value.shape, rng)
        size = noise[: len(value)].reshape(-1, *[1] * (value.ndim - 1))
        changes[name] = size * unit
    return changes


def _correlated(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Cholesky factors of random correlation matrices: rows of length 1, (K or 1, d, d)."""
    chol = np.tril(rng.standard_normal(shape))
    index = np.arange(shape[-1])
    # A diagonal of at least 1 keeps correlations away from 1.
    chol[:, index, index] = 1.0 + np.abs(chol[:, index, index])
    return chol / np.linalg.norm(chol, axis=2, keepdims=True)
