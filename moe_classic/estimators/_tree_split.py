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

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from moe_classic._blocks import Block, Design
from moe_classic._linalg import log_sum_exp
from moe_classic._model import Model, MoEParams
from moe_classic._objective import Mixture
from moe_classic._start import STRATEGIES, View, params_from_responsibilities, soften
from moe_classic._stats import Summary
from moe_classic._typing import Floats, Ints
from moe_classic.gates import SoftmaxGate
from moe_classic.gates._tree import TreeGate
from moe_classic.gates._tree_branching import Nested
from moe_classic.solvers import EM, Problem

from ._tree_branch import Branch, assemble, one_expert, shared_fields, take_apart, tree_model

#: EM iterations of a local fit, and the most rows that it looks at.
LOCAL_PASSES = 10
LOCAL_ROWS = 4000
#: Rows whose posterior at a node is below this are left out of its local fits.
_NEGLIGIBLE = 1e-3
#: Rows worked on at a time.
_BLOCK_ROWS = 1024


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
    """

    model: Model
    view: View
    block: Block
    summary: Summary

    @cached_property
    def widths(self) -> list[int]:
        """Widths of the designs."""
        return [design.width for design in self.block.designs]

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

    def problem(self, model: Model, h: Floats) -> Problem:
        """The fitting problem of a branch on the rows that reach it."""
        rows = self.rows_of(h)
        weight = self.block.w * h
        whole = weight.sum() / max(weight[rows].sum(), np.finfo(float).tiny)
        blocks = []
        for start in range(0, rows.size, _BLOCK_ROWS):
            part = self.part(rows[start : start + _BLOCK_ROWS], h * whole)
            for design in part.designs:
                design.keep = True
            blocks.append(part)
        return Problem(model, Mixture(model), blocks, self.summary)

    # -------------------------------------------------------------------- local fits

    def split(
        self, h: Floats, count: int, names: tuple[str, ...], rng: np.random.Generator
    ) -> Split:
        """Best of several mixtures of ``count`` experts on the weights ``h`` (n,)."""
        model = self.flat_model(count)
        rows = self.rows_of(h)
        if rows.size < 2 * count:
            return self._copies(h, count)
        problem = self.problem(model, h)
        part = self.part(rows, h)
        view = View(self.view.X[rows], self.view.T[rows], part.w, count)
        best = None
        for name, child in zip(names, rng.spawn(len(names)), strict=True):
            R = soften(STRATEGIES[name](view, child), count)
            start = params_from_responsibilities(model, part, R, self.summary)
            run = EM(finish=None).run(problem, start, max_iter=LOCAL_PASSES, tol=1e-6)
            if best is None or run.objective > best.objective:
                best = run
        return self._as_split(best.params, model, h)

    def flat_model(self, count: int) -> Model:
        """The gate of one node over ``count`` leaves."""
        gate = SoftmaxGate(alpha=getattr(self.model.gate, "alpha", 0.0))
        groups = (replace(self.model.groups[0], count=count),)
        return Model(gate, groups, self.model.gate_design)

    def _as_split(self, params: MoEParams, model: Model, h: Floats) -> Split:
        """A node from the parameters of its flat model, and the rows of its leaves."""
        R = Mixture(model).responsibilities(params, self.block)
        count = model.n_experts
        shared = self.shared if count > 1 else set()
        leaves = [Branch(expert=one_expert(params.experts[0], k, shared)) for k in range(count)]
        return Split(Branch(params.gate.coef, tuple(leaves)), R * h)

    def _copies(self, h: Floats, count: int) -> Split:
        """Equal leaves, where there are too few rows to tell several apart."""
        expert = self.single(h).expert
        coef = np.zeros((count - 1, self.widths[self.model.gate_design]))
        leaves = tuple(Branch(expert=expert) for _ in range(count))
        return Split(Branch(coef, leaves), np.tile(h / count, (count, 1)))

    def single(self, h: Floats) -> Branch:
        """A leaf fitted to the weights ``h`` (n,)."""
        part = self.part(self.rows_of(h, None), h)
        R = np.ones((1, part.w.size))
        params = params_from_responsibilities(self.flat_model(1), part, R, self.summary)
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
        params = assemble(branch, self.widths[self.model.gate_design], self.shared)
        run = EM(finish=None).run(self.problem(model, h), params, max_iter=passes, tol=1e-6)
        return take_apart(run.params, self.shared)

    def value(self, branch: Branch, h: Floats) -> float:
        """Log-likelihood of a branch on the rows that reach it."""
        model = tree_model(self.model, branch.nested)
        params = assemble(branch, self.widths[self.model.gate_design], self.shared)
        return float((self.block.w * h) @ model.log_likelihood(params, self.block))

    # -------------------------------------------------------------------- whole trees

    def start(self, names: tuple[str, ...], rng: np.random.Generator) -> MoEParams:
        """Parameters of the whole tree by recursive splitting."""
        nested = self.nested
        tree = self.grow(nested, np.ones(self.block.w.size), names, rng)
        return assemble(tree, self.widths[self.model.gate_design], self.shared)

    @property
    def nested(self) -> Nested:
        """Shape of the tree."""
        gate = self.model.gate
        return gate.nested if isinstance(gate, TreeGate) else (1,) * self.model.n_experts

    def posteriors(self, params: MoEParams) -> Floats:
        """Posterior probabilities of all nodes, breadth first, (N, n)."""
        R = Mixture(self.model).responsibilities(params, self.block)
        return params.gate.shape.up(R)

    def log_likelihood(self, params: MoEParams) -> float:
        """Log-likelihood of the whole tree on the sample."""
        joint = self.model.log_gate(params, self.block)
        joint = joint + self.model.evaluate(params, self.block).log_prob
        return float(self.block.w @ log_sum_exp(joint))


def levels_up(params: MoEParams) -> Iterator[list[int]]:
    """Nodes with children, level by level from the deepest, the root left out."""
    shape = params.gate.shape
    for level in reversed(shape.levels[1:-1]):
        yield [j for j in range(level.start, level.stop) if shape.n_children[j]]
