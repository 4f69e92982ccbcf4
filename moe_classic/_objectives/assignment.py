"""Who a row belongs to: other E-steps than the posterior itself.

::

    soft         S_nk = w_n R_nk,   R = softmax_k(joint_nk)                the posterior
    hard         S_nk = w_n [k = argmax_j joint_nj]                        classification EM
    stochastic   S_nk = w_n [k = z_n],   z_n ~ R_n                         stochastic EM
    annealed     S_nk = w_n softmax_k(beta joint_nk)                       deterministic annealing

with ``joint = log g_k + log p_k``. Celeux & Govaert (1992), A classification EM algorithm for
clustering and two stochastic versions, Computational Statistics & Data Analysis 14; Celeux &
Diebolt (1985), The SEM algorithm, Computational Statistics Quarterly 2; Ueda & Nakano (1998),
Deterministic annealing EM algorithm, Neural Networks 11.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from moe_classic._data import Block, Summary, row_hashes, subject_hashes
from moe_classic._model import Model, MoEParams, MoEStats
from moe_classic._numerics import softmax_in_place
from moe_classic._typing import Bools, Floats, Ints

from .likelihood import ValueStats, update_under

#: Shares of the weight per expert that an emptied expert may be given to begin anew with.
SHARES = (0.2, 0.5, 0.1)
#: Updates under fixed labels when an emptied expert begins anew: Newton components need a few.
_UPDATES = 5
#: An expert with less than this share of the weight is empty.
_EMPTY_SHARE = 1e-8


@dataclass(frozen=True)
class _Assignment(ABC):
    """An objective whose row weights ``S`` come from the joint log densities."""

    model: Model

    @abstractmethod
    def share(self, joint: Floats, block: Block) -> tuple[Floats, Floats]:
        """Shares of the experts in every row (K, n), and what the rows add to the objective (n,).

        May work in place.
        """

    def __call__(self, params: MoEParams, block: Block) -> MoEStats:
        """Statistics of one block at ``params``."""
        forward = self.model.evaluate(params, block)
        S, row = self.share(forward.log_joint(), block)
        S *= block.subject_w
        return self.model.statistics(params, forward, block, S, float(row @ block.subject_w))

    def value(self, params: MoEParams, block: Block) -> ValueStats:
        """Objective of one block."""
        _, row = self.share(self.model.log_joint(params, block), block)
        return ValueStats(float(row @ block.subject_w))


@dataclass(frozen=True)
class ClassificationLikelihood(_Assignment):
    """Classification log-likelihood ``sum w max_k joint``: every row to its likeliest expert."""

    def share(self, joint: Floats, block: Block) -> tuple[Floats, Floats]:
        """One-hot shares; ties go to the first expert."""
        return _one_hot(joint.argmax(axis=0), len(joint)), joint.max(axis=0)


@dataclass(frozen=True)
class SampledLabels(_Assignment):
    """Log-likelihood of the mixture, with statistics under labels drawn from the posterior.

    The draw of a row follows from its content, ``seed`` and ``draw``, so that blocks and threads
    make no difference.
    """

    seed: int
    draw: int

    def share(self, joint: Floats, block: Block) -> tuple[Floats, Floats]:
        """One-hot shares of a drawn expert."""
        K, row = len(joint), softmax_in_place(joint)
        u = _uniform(block, self.seed, self.draw)
        z = (np.cumsum(joint[:-1], axis=0) < u).sum(axis=0)
        return _one_hot(z, K), row


@dataclass(frozen=True)
class FreeEnergy(_Assignment):
    """Free energy ``sum w log sum_k exp(beta joint) / beta`` at the inverse temperature beta."""

    beta: float

    def share(self, joint: Floats, block: Block) -> tuple[Floats, Floats]:
        """Flattened posteriors."""
        joint *= self.beta
        row = softmax_in_place(joint)
        return joint, row / self.beta


def _one_hot(labels: Ints, n_experts: int) -> Floats:
    """Shares (K, n) of experts to which rows belong entirely."""
    out = np.zeros((n_experts, labels.size))
    out[labels, np.arange(labels.size)] = 1.0
    return out


def _uniform(block: Block, seed: int, draw: int) -> Floats:
    """Uniform numbers in [0, 1), one a subject, that depend on its content only; (G,)."""
    n = block.w.size
    designs = {id(d): d for d in block.designs}.values()
    columns = [row for d in designs if d.n == n for row in d.columns()]
    columns += list(np.atleast_2d(block.y))
    columns += [np.full(n, float(seed)), np.full(n, float(draw))]
    hashes = row_hashes(columns)
    if block.subjects is not None:
        hashes = subject_hashes(hashes, block.subjects)
    return np.asarray(hashes >> np.uint64(11), dtype=np.float64) * 2.0**-53


# ------------------------------------------------------------------------- emptied experts


def reseed(
    model: Model, params: MoEParams, blocks: Iterable[Block], summary: Summary, *, share: float
) -> MoEParams | None:
    """Parameters with new life for the first expert that no row belongs to, or None.

    The expert gets the rows that fit worst, up to ``share`` of the weight per expert; the others
    keep theirs, and the gate begins anew, since nothing leads back from a probability of zero.
    """
    blocks = list(blocks)
    joints = [model.log_joint(params, block) for block in blocks]
    label = np.concatenate([j.argmax(axis=0) for j in joints])
    fit = np.concatenate([j.max(axis=0) for j in joints])
    w = np.concatenate([b.subject_w for b in blocks])
    empty = _empty(label, w, model.n_experts)
    if not empty.any():
        return None
    worst = np.argsort(fit, kind="stable")
    given = np.cumsum(w[worst]) <= share * w.sum() / model.n_experts
    given[0] = True
    label[worst[given]] = int(np.argmax(empty))
    R = _one_hot(label, model.n_experts)
    new = MoEParams(model.start([d.width for d in blocks[0].designs], summary).gate, params.experts)
    return update_under(model, new, blocks, R, summary, n_updates=_UPDATES)


def _empty(label: Ints, w: Floats, n_experts: int) -> Bools:
    """Which experts no weight belongs to, (K,)."""
    return np.bincount(label, weights=w, minlength=n_experts) <= _EMPTY_SHARE * w.sum()
