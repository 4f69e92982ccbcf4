"""What a solver is given, from rows alone: for solvers by themselves, outside a fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._data import ArraySource, fit_design, slices_of, summarise
from moe_classic._engine import make_engine
from moe_classic._model import Group, Model, MoEParams
from moe_classic._objectives import MixtureLikelihood
from moe_classic._targets import IntervalTarget
from moe_classic._typing import Floats
from moe_classic.experts import Expert
from moe_classic.gates import Gate
from moe_classic.solvers import Problem


def em_problem(
    X: Floats,
    y: Any,
    n_experts: int,
    *,
    expert: Expert,
    gate: Gate,
    n_jobs: int = 1,
    block_size: int | None = None,
) -> tuple[Problem, MoEParams]:
    """Likelihood of rows under like experts on standardised features, and where a climb begins.

    Parameters
    ----------
    X : (n, p) features
    y : (n,) target, standardised where the expert lets it, or class codes; (n, 2) ends are
        taken as they are
    n_experts : int
    expert, gate : as described, not yet bound to data
    n_jobs : int, default=1
        Threads over the blocks.
    block_size : int, default=None
        Rows of a block; None is that of a fit.
    """
    w = np.broadcast_to(1.0, len(X))
    design = fit_design(
        None, slices_of(X, w), fit_on=(X, y), names_in=None, standardize=True, owner="em_problem"
    )
    target, seen, n_classes = y, y, 0
    if expert.kind.classes:
        n_classes = int(y.max()) + 1
    elif expert.intervals:
        target = y.T
        seen = IntervalTarget.learn(y).number(target)
    else:
        target = ((y - y.mean()) / y.std() if expert.equivariant else np.asarray(y, float))[None]
        seen = target
    summary = summarise(seen, w, n_classes)
    bound = expert.bind(summary).seeing(design, [f"x{j}" for j in range(X.shape[1])])
    model = Model(gate, (Group(bound, n_experts, 0),))
    source = ArraySource(X, target, w, (design,), block_size, n_experts=n_experts, n_threads=n_jobs)
    problem = Problem(model, MixtureLikelihood(model), source, summary, make_engine(n_jobs))
    return problem, model.start([design.width], summary)
