"""Split-and-merge moves: out of an optimum where two experts share what one could serve.

Ueda, Nakano, Ghahramani & Hinton (2000), SMEM algorithm for mixture models, Neural Computation 12.
Pairs are merged by the likeness of their responsibilities::

    J_merge(i, j) = R_i' R_j / (|R_i| |R_j|)

and the expert is split that explains its rows worst. A move proposes responsibilities; whether it
is kept is decided by the objective after it has been climbed again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from moe_classic._data import Block
from moe_classic._model import Model, MoEParams
from moe_classic._typing import Bools, Floats

from .starts import StartData

#: Pairs and experts that are looked at in one round.
_PAIRS = 2
_SPLITS = 2


def candidates(model: Model, params: MoEParams, block: Block, view: StartData) -> Iterator[Floats]:
    """Responsibilities (K, G) after each of the most promising moves."""
    forward, w = model.evaluate(params, block), block.subject_w
    R, _ = forward.posterior()
    mass = np.maximum(R @ w, np.finfo(float).tiny)
    fit = ((R * w) * forward.density).sum(axis=1) / mass
    pairs = most_similar_pairs(R, w)
    for i, j in pairs[:_PAIRS]:
        others = [k for k in np.argsort(fit) if k not in (i, j)]
        for k in others[:_SPLITS]:
            yield _moved(R, int(i), int(j), int(k), _halves(view, R[k] * w))


def most_similar_pairs(R: Floats, w: Floats) -> list[tuple[int, int]]:
    """Pairs of experts, the ones with the likest responsibilities first."""
    rooted = R * np.sqrt(w)
    rooted = rooted / np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), 1e-300)
    likeness = rooted @ rooted.T
    rows, cols = np.triu_indices(len(R), 1)
    order = np.argsort(-likeness[rows, cols], kind="stable")
    return [(int(rows[o]), int(cols[o])) for o in order]


def _halves(view: StartData, weight: Floats) -> Bools:
    """The side of each row along the main axis of (x, y) as one expert sees it, (n,)."""
    Z = np.column_stack([view.X, view.target])
    weight = weight / max(weight.sum(), np.finfo(float).tiny)
    centred = Z - weight @ Z
    _, axes = np.linalg.eigh((centred.T * weight) @ centred)
    return centred @ axes[:, -1] > 0.0


def _moved(R: Floats, i: int, j: int, k: int, side: Bools) -> Floats:
    """Responsibilities with j merged into i and freed to take one side of k."""
    out = R.copy()
    out[i] = R[i] + R[j]
    out[j] = np.where(side, 0.9, 0.1) * R[k]
    out[k] = np.where(side, 0.1, 0.9) * R[k]
    return out
