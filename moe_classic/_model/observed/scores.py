"""Scores and information of the likelihood of what was observed.

The score of a row is the expectation of the complete score given what was seen (Fisher's identity).
Under one expert the complete score is a quadratic function of x, whose expectation is the mean of
2 p values::

    E s(x) = 1 / (2 p) sum_j s(m + sqrt(p) L_j) + s(m - sqrt(p) L_j),   L L' = cov(x)

exactly, so that derivatives of gate and experts serve as they are. The information is the
derivative of the sum of the scores, by central differences: of expectations there is no Hessian in
terms of the components' own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from moe_classic._data import Block, Design, Summary
from moe_classic._model.couples import Variables, variables_of
from moe_classic._model.information import InformationStats
from moe_classic._model.information import observed_information as plain_information
from moe_classic._model.information import row_scores as plain_scores
from moe_classic._model.model import Model, MoEParams
from moe_classic._numerics import log_sum_exp
from moe_classic._typing import Floats

from .laws import Completed
from .model import ObservedModel, expected_products, noise_of

#: Step of central differences: the cube root of the rounding of a double.
_STEP = 6e-6
#: Numbers of the scores that are worked on at a time.
_MOST_NUMBERS = 4_000_000
#: Variance of a target whose floors are none.
_NO_FLOOR = 1e-200


def observed_information(
    model: Model, params: MoEParams, block: Block, like: MoEParams | None = None
) -> InformationStats:
    """Objective, gradient, observed information and outer product of scores on one block.

    By Louis' identity, but where features are missing; see there.
    """
    if not (isinstance(model, ObservedModel) and model.misses(block)):
        return plain_information(model, params, block, like)
    scores = row_scores(model, params, block)
    height = float(log_sum_exp(model.log_joint(params, block)) @ block.w)
    products = (scores * block.w) @ scores.T
    return InformationStats(height, scores @ block.w, _information(model, params, block), products)


def _information(model: ObservedModel, params: MoEParams, block: Block) -> Floats:
    """Minus the derivative of the gradient, (D, D)."""
    free, theta = _unbounded(model), model.pack(params)
    summary = _no_floors(params)

    def gradient(at: Floats) -> Floats:
        return gradient_of_sums(free, free.unpack(at, params, summary), block)

    steps = np.diag(_STEP * np.maximum(np.abs(theta), 1.0))
    rows = [(gradient(theta - h) - gradient(theta + h)) / (2.0 * h.sum()) for h in steps]
    return 0.5 * (np.array(rows) + np.array(rows).T)


def gradient_of_sums(model: ObservedModel, params: MoEParams, block: Block) -> Floats:
    """Gradient of the log-likelihood of a block with missing values, (D,)."""
    forward = model.evaluate(params, block)
    R, _ = forward.posterior()
    gram, score, rss = expected_products(forward.gate.work, R * block.w)
    parts = [model.gate.gradient_from_moments(params.gate, gram)]
    mass = gram[:, -1, -1]
    for group, p, share in zip(model.groups, params.experts, model.shares, strict=True):
        parts.append(_expert_gradient(group.expert, p, score[share], rss[share], mass[share]))
    return np.concatenate(parts)


def _expert_gradient(expert: Any, params: Any, score: Floats, rss: Floats, mass: Floats) -> Floats:
    """Gradient in the coordinates of a group of experts, from expected products of residuals."""
    slopes = np.linalg.solve(noise_of(params), score)
    if hasattr(params, "chol"):
        L = np.broadcast_to(params.chol, rss.shape)
        P, (rows, cols) = np.linalg.inv(L), np.tril_indices(L.shape[-1])
        turned = P.swapaxes(-1, -2)
        entries = (turned @ (P @ rss @ turned))[:, rows, cols]
        entries = entries * np.where(rows == cols, L[:, rows, cols], 1.0)
        own = entries - mass[:, None] * (rows == cols)
    else:
        own = np.einsum("kjj->kj", rss) / params.scale**2 - mass[:, None]
        own = own if params.scale.shape[1] == own.shape[1] else own.sum(axis=1, keepdims=True)
    out, lines = np.zeros(expert.pack(params).size), expert.gathered(slopes)
    out[: lines.size] = lines
    np.add.at(out, expert.nuisance_map(params), own)
    return out


def _unbounded(model: ObservedModel) -> ObservedModel:
    """The model without floors of variances of x, at which derivatives would end."""
    return replace(model, gate=model.gate.unbounded())


def _no_floors(params: MoEParams) -> Summary:
    """Moments of a target whose experts have no smallest scale."""
    d = params.experts[0].coef.shape[1]
    return Summary(1.0, np.zeros(d), np.full(d, _NO_FLOOR))


def row_scores(model: Model, params: MoEParams, block: Block) -> Floats:
    """Gradient of the log-likelihood of every row or subject, without its weight, (D, G)."""
    if not (isinstance(model, ObservedModel) and model.misses(block)):
        return plain_scores(model, params, block)
    layout = variables_of(model, params, [d.width for d in block.designs])
    forward = model.evaluate(params, block)
    R, _ = forward.posterior()
    out = np.zeros((layout.rows, block.w.size))
    for part in forward.gate.work:
        rows, counted = part.rows.ravel(), part.counted.ravel()
        for k in range(model.n_experts):
            for some, points in _points(part, k, layout.rows * model.n_experts):
                here = rows[some]
                score = _complete_score(model, params, layout, k, points, block.y[:, here])
                mine = counted[some]
                out[:, here[mine]] += (R[k, here] * score)[:, mine]
    return out[: layout.size]


def _points(part: Completed, k: int, numbers: int) -> Iterator[tuple[slice, Floats]]:
    """Designs (q, J, m) of expert k at which scores are averaged, for some rows of a piece.

    A score is made of ``numbers``, which says how many rows are taken at a time.
    """
    left, x = part.left[:, k], part.x[:, k].swapaxes(0, 1).reshape(part.left.shape[-1], -1)
    p, each = len(x), part.rows.shape[1]
    values, vectors = np.linalg.eigh(left)
    root = vectors * np.sqrt(p * np.maximum(values, 0.0))[:, None]
    # Where nothing is missing there is one point.
    moves = np.concatenate([root, -root], axis=2) if left.any() else np.zeros((len(left), p, 1))
    step = max(1, _MOST_NUMBERS // (numbers * moves.shape[2]))
    for start in range(0, x.shape[1], step):
        some = slice(start, start + step)
        at = x[:, some]
        owner = np.arange(start, start + at.shape[1]) // each
        points = at[:, None] + moves[owner].transpose(1, 2, 0)
        yield some, np.concatenate([points, np.ones((1, *points.shape[1:]))])


def _complete_score(
    model: ObservedModel, params: MoEParams, layout: Variables, k: int, points: Floats, y: Floats
) -> Floats:
    """Mean score (rows, m) of expert k and the gate over designs ``points`` (q, J, m)."""
    q, J, m = points.shape
    design, targets = Design(points.reshape(q, -1)), np.tile(y, J)
    out = np.zeros((layout.rows, m))
    gate = model.gate.forward(params.gate, design)
    first, _ = model.gate.derivatives(params.gate, gate, np.zeros_like(gate.log_prob))
    out[layout.gate.places.ravel()] = first[:, k].reshape(-1, J, m).mean(axis=1)
    number = next(i for i, share in enumerate(model.shares) if k < share.stop)
    own, p = k - model.shares[number].start, params.experts[number]
    expert, (lines, others) = model.groups[number].expert, layout.experts[number]
    d = expert.first_derivatives(p, expert.forward(p, design, targets), targets)[own]
    M = p.coef.shape[1]
    sloped = (d[:M, None] * design.Z).reshape(M * q, J, m).mean(axis=1)
    out[lines.places[own].ravel()] = sloped
    np.add.at(out, others.places[own].ravel(), d[M:].reshape(-1, J, m).mean(axis=1))
    return out
