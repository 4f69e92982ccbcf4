"""The second algorithm of Jordan & Jacobs: gates by least squares on log posteriors.

::

    v_jc = argmin sum_n w h_j (log h_c|j - v z)^2,   h_c|j = h_c / h_j

Section 5.3 of the paper replaces the iteratively reweighted least squares of a gate by one weighted
least-squares fit to the log posteriors, whose per-row constant drops out of the softmax. It is not
monotone and its fixed points are not those of the likelihood; it is fast far away from them. So it
serves as a warm start: the likeliest of the parameters that it visits go on to the solver.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from moe_classic._data import Block, Stats
from moe_classic._model import Model, MoEParams, MoEStats
from moe_classic._numerics import solve_psd, unpack_symmetric
from moe_classic._objectives import MixtureLikelihood
from moe_classic._typing import Floats
from moe_classic.gates import TreeParams, TreeShape, free_rows
from moe_classic.solvers import Problem

#: Conditional posteriors below this count as this: the logarithm of next to nothing is no target.
LEAST_POSTERIOR = 1e-4


@dataclass(frozen=True)
class LeastStats(Stats):
    """Sums of one pass.

    Attributes
    ----------
    model : statistics of the whole model, of which the experts' part is used
    gram : (J, q (q + 1) / 2) packed Grams of the nodes with children
    score : (N - 1, q) products of the log posteriors with the design
    """

    model: MoEStats
    gram: Floats
    score: Floats


def least_squares(problem: Problem, params: MoEParams, passes: int) -> MoEParams:
    """The likeliest parameters that ``passes`` passes of the second algorithm visit."""
    best, height = params, -np.inf
    for _ in range(passes):
        with np.errstate(over="ignore", invalid="ignore"):
            stats = problem.engine.map_reduce(partial(_look, problem.model, params), problem.source)
        value = stats.model.objective - problem.model.penalty_value(params, problem.summary)
        if value > height:
            best, height = params, value
        new = problem.model.update(params, stats.model, problem.summary)
        params = replace(new, gate=_fit_gates(params.gate, stats))
    # The last step was never looked at: the solver's first pass will show whether it climbed.
    value, _ = problem.evaluate(params)
    return params if value > height else best


def _look(model: Model, params: MoEParams, block: Block) -> LeastStats:
    """Statistics of one block at ``params``."""
    shape = params.gate.shape
    posterior = shape.up(model.responsibilities(params, block))
    design = block.designs[model.gate_design]
    weight = block.w * posterior
    gram = design.grams(weight[shape.inner])
    score = design.scores(weight[shape.parent[1:]] * log_posteriors(shape, posterior))
    return LeastStats(MixtureLikelihood(model)(params, block), gram, score)


def log_posteriors(shape: TreeShape, posterior: Floats) -> Floats:
    """Targets of all nodes but the root, centred over siblings: (N, n) gives (N - 1, n)."""
    above = np.maximum(posterior[shape.parent[1:]], np.finfo(float).tiny)
    targets = np.log(np.clip(posterior[1:] / above, LEAST_POSTERIOR, 1.0))
    for j in shape.inner:
        family = slice(shape.first_child[j] - 1, shape.first_child[j] - 1 + shape.n_children[j])
        targets[family] -= targets[family].mean(axis=0)
    return targets


def _fit_gates(gate: TreeParams, stats: LeastStats) -> TreeParams:
    """Least-squares fits of all nodes, each relative to its last child."""
    shape, q = gate.shape, gate.coef.shape[1]
    place = np.zeros(shape.n_nodes, dtype=np.intp)
    place[shape.inner] = np.arange(shape.inner.size)
    gram = unpack_symmetric(stats.gram, q)[place[shape.parent[1:]]]
    coef = solve_psd(gram, stats.score[:, :, None])[:, :, 0]
    last = shape.first_child + shape.n_children - 1
    relative = coef - coef[last[shape.parent[1:]] - 1]
    return TreeParams(free_rows(shape, relative), shape)
