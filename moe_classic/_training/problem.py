"""What a solver is given, from rows alone: for solvers by themselves, outside a fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from moe_classic._data import ArraySource, fit_design, gathered, slices_of, summarise
from moe_classic._engine import make_engine
from moe_classic._model import Group, Model, MoEParams
from moe_classic._objectives import MixtureLikelihood
from moe_classic._targets import IntervalTarget
from moe_classic._typing import Floats, Ints
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
    groups: Ints | None = None,
) -> tuple[Problem, MoEParams]:
    """Likelihood of rows under like experts on standardised features, and where a climb begins.

    Parameters
    ----------
    X : (n, p) features, or :class:`~moe_classic._data.SparseRows`
    y : (n,) target, standardised where the expert lets it, or class codes; (n, 2) ends are
        taken as they are
    n_experts : int
    expert, gate : as described, not yet bound to data
    n_jobs : int, default=1
        Threads over the blocks.
    block_size : int, default=None
        Rows of a block; None is that of a fit.
    groups : (n,) numbers of the subjects from 0, default=None
        None: rows are independent.
    """
    w, subjects = np.broadcast_to(1.0, len(X)), None
    if groups is not None:
        order, subjects = gathered(groups, w, np.unique(groups))
        X, y = X[order], y[order]
    rows = slices_of(X, w, subjects)
    maps = [
        fit_design(
            None,
            rows,
            fit_on=(X, y),
            names_in=None,
            standardize=True,
            averaged=averaged,
            sparse=expert.takes_sparse and gate.takes_sparse,
            owner="em_problem",
        )
        for averaged in ((False,) if subjects is None else (False, True))
    ]
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
    if subjects is not None:
        summary = replace(summary, per_row=subjects.count / len(X))
    bound = expert.bind(summary).seeing(maps[0], [f"x{j}" for j in range(X.shape[1])])
    model = Model(gate, (Group(bound, n_experts, 0),), len(maps) - 1)
    source = ArraySource(
        X,
        target,
        w,
        tuple(maps),
        block_size,
        n_experts=n_experts,
        n_threads=n_jobs,
        subjects=subjects,
    )
    problem = Problem(model, MixtureLikelihood(model), source, summary, make_engine(n_jobs))
    return problem, model.start([m.width for m in maps], summary)
