"""Recursive splitting: trees grown from the root, node by node, on the rows that reach a node.

::

    h_root = 1;   at a node: fit a mixture of C experts to the rows with weights w h (a few EM
    iterations from several partitions of the rows), keep the likeliest, pass h_c = h R_c on

A local fit climbs a lower bound of the likelihood of the whole tree: by Jensen's inequality the
tree gains at least what its branches gain on their own weights. The same local fits start a tree,
replace a branch that has been pinched off, and try splits when a tree is grown. Jordan & Jacobs
(1994), section 6; Waterhouse & Robinson (1996), Constructive algorithms for hierarchical mixtures
of experts, NIPS 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b

import numpy as np

from moe_classic._data import Block, Design, Summary
from moe_classic._model import Model, MoEParams
from moe_classic._objectives import MixtureLikelihood
from moe_classic._training import (
    STRATEGIES,
    StartData,
    em_runs,
    params_from_responsibilities,
    several_from_responsibilities,
    soften,
)
from moe_classic._typing import Floats, Ints
from moe_classic.gates import Nested, SoftmaxGate
from moe_classic.solvers import EM, Problem

from .branch import (
    Branch,
    adopt,
    assemble,
    copies,
    shared_fields,
    take_apart,
    tree_model,
)

#: EM iterations of a local fit, and the most rows that it looks at.
LOCAL_PASSES = 10
LOCAL_ROWS = 4000
#: Rows whose posterior at a node is below this are left out of its local fits.
_NEGLIGIBLE = 1e-3
#: Gain per unit of weight below which a branch is not exchanged.
_WORTH = 1e-4
#: Rows worked on at a time.
_BLOCK_ROWS = 1024


#: Where a local fit began, where it ended, and how high.
Trial = tuple[MoEParams, MoEParams, float]


@dataclass(frozen=True)
class Split:
    """A node with C new leaves.

    Attributes
    ----------
    branch : Branch
    posterior : ndarray of shape (C, n)
        Weights of the rows at the leaves, summing to those at the node.
    """

    branch: Branch
    posterior: Floats


@dataclass(frozen=True)
class Splitter:
    """Fits branches to the rows of a sample that reach a node.

    Attributes
    ----------
    model : Model
        A tree over one group of linear experts.
    view : View
        What partitions look at.
    block : Block
        All rows of the sample.
    summary : Summary
    tried : dict
        Local fits by the rows and the partition that they began with: starts of a tree, and
        partitions of a node, often cut alike.
    """

    model: Model
    view: StartData
    block: Block
    summary: Summary
    tried: dict[bytes, Trial] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def widths(self) -> list[int]:
        """Widths of the designs."""
        return [design.width for design in self.block.designs]

    @property
    def gate_width(self) -> int:
        """Width of the gate's design."""
        return self.widths[self.model.gate_design]

    @cached_property
    def shared(self) -> set[str]:
        """Names of the parameters that all experts have in common."""
        group = self.model.groups[0]
        return shared_fields(group.expert, self.widths[group.design], self.summary)

    # -------------------------------------------------------------------- rows below a node

    def rows_of(self, h: Floats, most: int | None = LOCAL_ROWS) -> Ints:
        """Rows that matter at a node; the first ``most`` of them, which are a random choice."""
        rows = np.flatnonzero(h > _NEGLIGIBLE * h.max(initial=0.0))
        return rows if most is None else rows[:most]

    def part(self, rows: Ints, h: Floats) -> Block:
        """Some rows as one block, weighted by ``h`` (n,) of all rows."""
        designs = tuple(Design(np.ascontiguousarray(d.Z[:, rows])) for d in self.block.designs)
        return Block(designs, self.block.y[..., rows], (self.block.w * h)[rows])

    def chunks(self, h: Floats, most: int | None = LOCAL_ROWS) -> list[Block]:
        """The rows that reach a node in blocks that are kept; ``most`` of them, weighted up."""
        rows, weight = self.rows_of(h, most), self.block.w * h
        whole = weight.sum() / max(weight[rows].sum(), np.finfo(float).tiny)
        blocks = []
        for start in range(0, rows.size, _BLOCK_ROWS):
            part = self.part(rows[start : start + _BLOCK_ROWS], h * whole)
            for design in part.designs:
                design.keep = True
            blocks.append(part)
        return blocks

    def problem(self, model: Model, h: Floats) -> Problem:
        """The fitting problem of a branch on the rows that reach it."""
        return Problem(model, MixtureLikelihood(model), self.chunks(h), self.summary)

    # -------------------------------------------------------------------- local fits

    def split(
        self,
        h: Floats,
        count: int,
        names: tuple[str, ...],
        rng: np.random.Generator,
        *,
        rank: Callable[[Branch], float] | None = None,
    ) -> Split:
        """Best of several mixtures of ``count`` experts on the weights ``h`` (n,).

        ``rank`` says which is best; None takes the likeliest.
        """
        model = self.flat_model(count)
        rows = self.rows_of(h)
        if rows.size < 2 * count:
            return self._copies(h, count)
        problem = self.problem(model, h)
        part = self.part(rows, h)
        view = StartData(self.view.X[rows], self.view.target[rows], part.w, count)
        best, height = None, (False, -np.inf)
        cuts = [
            soften(STRATEGIES[name](view, child), count)
            for name, child in zip(names, rng.spawn(len(names)), strict=True)
        ]
        for start, end, value in self._trials(problem, part, cuts, h):
            # A leaf that came to interpolate a few rows is likely only by that.
            sound = not model.n_degenerate(end, self.summary)
            score = value if rank is None else rank(_branch(model, end))
            if best is None or (sound, score) > height:
                best, height = end if sound else start, (sound, score)
        return self._copies(h, count) if best is None else self._as_split(best, model, h)

    def _trials(self, problem: Problem, part: Block, cuts: list[Floats], h: Floats) -> list[Trial]:
        """Where responsibilities of the rows with weights ``h`` begin, and where they lead."""
        keys = [blake2b(h.tobytes() + R.tobytes()).digest() for R in cuts]
        fresh = {key: R for key, R in zip(keys, cuts, strict=True) if key not in self.tried}
        if fresh:
            model, em = problem.model, EM(finish=None)
            starts = several_from_responsibilities(
                model, [part], list(fresh.values()), self.summary
            )
            runs = em_runs(problem, starts, em, LOCAL_PASSES, 1e-6)
            for key, start, run in zip(fresh, starts, runs, strict=True):
                self.tried[key] = start, run.params, run.objective
        return [self.tried[key] for key in keys]

    def flat_model(self, count: int) -> Model:
        """The gate of one node over ``count`` leaves."""
        gate = SoftmaxGate(alpha=getattr(self.model.gate, "alpha", 0.0))
        groups = (replace(self.model.groups[0], count=count),)
        return Model(gate, groups, self.model.gate_design)

    def _as_split(self, params: MoEParams, model: Model, h: Floats) -> Split:
        """A node from the parameters of its flat model, and the rows of its leaves."""
        R = model.responsibilities(params, self.block)
        return Split(_branch(model, params), R * h)

    def _copies(self, h: Floats, count: int) -> Split:
        """Equal leaves, where there are too few rows to tell several apart."""
        branch = copies(self.single(h).expert, count, self.gate_width)
        return Split(branch, np.tile(h / count, (count, 1)))

    def single(self, h: Floats) -> Branch:
        """A leaf fitted to the weights ``h`` (n,)."""
        part = self.part(self.rows_of(h, None), h)
        R = np.ones((1, part.w.size))
        params = params_from_responsibilities(self.flat_model(1), [part], R, self.summary)
        return Branch(expert=params.experts[0])

    def grow(
        self, nested: Nested, h: Floats, names: tuple[str, ...], rng: np.random.Generator
    ) -> Branch:
        """A branch of a given shape by recursive splitting of the rows with weights ``h`` (n,)."""
        if nested == 1:
            return self.single(h)
        split = self.split(h, len(nested), names, rng)
        children = []
        for child, leaf, weight, stream in zip(
            nested, split.branch.children, split.posterior, rng.spawn(len(nested)), strict=True
        ):
            children.append(leaf if child == 1 else self.grow(child, weight, names, stream))
        return replace(split.branch, children=tuple(children))

    def polish(self, branch: Branch, h: Floats, passes: int) -> Branch:
        """The branch after some EM iterations on the rows that reach it."""
        model = tree_model(self.model, branch.nested)
        params = assemble(branch, self.gate_width, self.shared)
        run = EM(finish=None).run(self.problem(model, h), params, max_iter=passes, tol=1e-6)
        return take_apart(model, run.params)

    def value(self, branch: Branch, h: Floats) -> float:
        """Log-likelihood of a branch on the rows that reach it."""
        model = tree_model(self.model, branch.nested)
        params = assemble(branch, self.gate_width, self.shared)
        return float((self.block.w * h) @ model.log_likelihood(params, self.block))

    # -------------------------------------------------------------------- whole trees

    def start(self, names: tuple[str, ...], rng: np.random.Generator) -> MoEParams:
        """Parameters of the whole tree by recursive splitting."""
        gate = self.model.gate
        tree = self.grow(gate.nested, np.ones(self.block.w.size), names, rng)
        return assemble(tree, self.gate_width, self.shared)

    def posteriors(self, params: MoEParams) -> Floats:
        """Posterior probabilities of all nodes, breadth first, (N, n)."""
        return params.gate.shape.up(self.model.responsibilities(params, self.block))

    def resplit(
        self, params: MoEParams, nodes: list[int], names: tuple[str, ...], rng: np.random.Generator
    ) -> MoEParams | None:
        """The tree with branches grown anew below some nodes, None if none of them pays.

        No node may lie below another. A branch is exchanged only if that raises the likelihood
        of its own rows, so that the likelihood of the tree rises.
        """
        tree, posterior = take_apart(self.model, params), self.posteriors(params)
        branches, changes = list(tree.breadth_first()), {}
        for j, child in zip(nodes, rng.spawn(len(nodes)), strict=True):
            old, h = branches[j], posterior[j]
            new = self.polish(self.grow(old.nested, h, names, child), h, LOCAL_PASSES // 2)
            new = adopt(new, tree.leaves[0].expert, self.shared)
            if self.value(new, h) > self.value(old, h) + _WORTH * self.block.w @ h:
                changes[j] = new
        if not changes:
            return None
        return assemble(tree.replaced(changes), self.gate_width, self.shared)


def _branch(model: Model, params: MoEParams) -> Branch:
    """A node from the parameters of its flat model."""
    leaves = [Branch(expert=model.take(params, k)) for k in range(model.n_experts)]
    return Branch(params.gate.coef, tuple(leaves))
