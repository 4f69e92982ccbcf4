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
from moe_classic._model import Model, MoEParams, stackable
from moe_classic._objectives import MixtureLikelihood
from moe_classic._training import (
    STRATEGIES,
    TOGETHER,
    StartData,
    draws_nothing,
    params_from_responsibilities,
    several_from_responsibilities,
    soften,
)
from moe_classic._typing import Floats, Ints
from moe_classic.gates import SoftmaxGate
from moe_classic.solvers import EM, Problem, run_weighted

from .asks import Ask, Growing, Split, Trial
from .branch import (
    Branch,
    Shared,
    adopt,
    assemble,
    copies,
    take_apart,
    tree_model,
)

#: EM iterations of a local fit, and the most rows that it looks at.
LOCAL_PASSES = 10
LOCAL_ROWS = 4000
_TOL = 1e-6
#: Rows whose posterior at a node is below this are left out of its local fits.
_NEGLIGIBLE = 1e-3
#: Gain per unit of weight below which a branch is not exchanged.
_WORTH = 1e-4
#: Rows worked on at a time, and up to which local fits of several nodes advance together.
_BLOCK_ROWS = 1024
_TINY = np.finfo(float).tiny


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
    def shared(self) -> Shared:
        """Names of the parameters that all experts have in common."""
        group = self.model.groups[0]
        return Shared.of(group.expert, self.widths[group.design], self.summary)

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
        whole = weight.sum() / max(weight[rows].sum(), _TINY)
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
        return self.splits([Ask(h, count, names, rng, rank)])[0]

    def splits(self, asks: list[Ask]) -> list[Split]:
        """The same for several nodes, whose local fits advance together where that goes."""
        known: dict[bytes, Ints] = {}
        cuts = [self._cuts(ask, known) for ask in asks]
        keys = [[_key(ask.h, R) for R in each] for ask, each in zip(asks, cuts, strict=True)]
        wanted: dict[bytes, tuple[Floats, Floats]] = {}
        for ask, each, names in zip(asks, cuts, keys, strict=True):
            wanted |= {k: (ask.h, R) for k, R in zip(names, each, strict=True)}
        fresh = {key: cut for key, cut in wanted.items() if key not in self.tried}
        self.tried.update(zip(fresh, self._trials(list(fresh.values())), strict=True))
        splits: dict[tuple[bytes, int], Split] = {}
        pairs = zip(asks, keys, strict=True)
        return [self._best(ask, [self.tried[k] for k in each], splits) for ask, each in pairs]

    def _cuts(self, ask: Ask, known: dict[bytes, Ints]) -> list[Floats]:
        """Responsibilities (C, m) of the rows of a node by each of its partitions."""
        rows, count = self.rows_of(ask.h), ask.count
        if rows.size < 2 * count:
            return []
        w = (self.block.w * ask.h)[rows]
        view = StartData(self.view.X[rows], self.view.target[rows], w, count)
        streams = zip(ask.names, ask.rng.spawn(len(ask.names)), strict=True)
        place = b"%d" % count + _key(ask.h)
        return [soften(_labels(view, *each, place, known), count) for each in streams]

    def _best(self, ask: Ask, trials: list[Trial], splits: dict[tuple[bytes, int], Split]) -> Split:
        """The best of the local fits of a node; equal leaves where there are none.

        ``splits`` are those that were made before of the same rows and parameters.
        """
        model, best, height = self.flat_model(ask.count), None, (False, -np.inf)
        for start, end, value in trials:
            # A leaf that came to interpolate a few rows is likely only by that.
            sound = not model.n_degenerate(end, self.summary)
            score = value if ask.rank is None else ask.rank(_branch(model, end))
            if best is None or (sound, score) > height:
                best, height = end if sound else start, (sound, score)
        if best is None:
            return self._copies(ask.h, ask.count)
        place = _key(ask.h), id(best)
        if place not in splits:
            splits[place] = self._as_split(best, model, ask.h)
        return splits[place]

    def _trials(self, cuts: list[tuple[Floats, Floats]]) -> list[Trial]:
        """Where responsibilities ``R`` of rows with weights ``h`` begin, and where they lead."""
        found: list[Trial | None] = [None] * len(cuts)
        for count in {len(R) for _, R in cuts}:
            mine = [i for i, (_, R) in enumerate(cuts) if len(R) == count]
            size = self._together(self.flat_model(count))
            for start in range(0, len(mine), size):
                some = mine[start : start + size]
                ends = self._climbed(count, [cuts[i] for i in some])
                for i, trial in zip(some, ends, strict=True):
                    found[i] = trial
        return [trial for trial in found if trial is not None]

    def _together(self, model: Model) -> int:
        """Local fits that advance together: rows that do not reach a node are gone over as well."""
        n = self.block.w.size
        equal = model.start(self.widths, self.summary)
        if n > _BLOCK_ROWS or not stackable(model, equal):
            return 1
        return max(1, TOGETHER // (n * model.n_experts))

    def _climbed(self, count: int, cuts: list[tuple[Floats, Floats]]) -> list[Trial]:
        """Local fits with ``count`` experts."""
        model = self.flat_model(count)
        if len(cuts) == 1:
            (h, R), *_ = cuts
            problem, part = self.problem(model, h), self.part(self.rows_of(h), h)
            start = params_from_responsibilities(model, [part], R, self.summary)
            run = EM(finish=None).run(problem, start, max_iter=LOCAL_PASSES, tol=_TOL)
            return [(start, run.params, run.objective)]
        weights, whole, several = self._weights(cuts)
        begun = several_from_responsibilities(model, [whole], several, self.summary)
        problem = Problem(model, MixtureLikelihood(model), [whole], self.summary)
        runs = run_weighted(
            EM(finish=None), problem, begun, weights, max_iter=LOCAL_PASSES, tol=_TOL
        )
        return [(s, r.params, r.objective) for s, r in zip(begun, runs, strict=True)]

    def _weights(self, cuts: list[tuple[Floats, Floats]]) -> tuple[Floats, Block, list[Floats]]:
        """Weights (S, n) of all rows for each cut, these rows, and weights of experts there.

        The block has weights of 1: those of the rows are in the responsibilities.
        """
        n = self.block.w.size
        designs = tuple(Design(d.Z, keep=True, keep_products=True) for d in self.block.designs)
        whole = Block(designs, self.block.y, np.ones(n))
        weights, several = np.zeros((len(cuts), n)), []
        for row, (h, R) in zip(weights, cuts, strict=True):
            rows, weight = self.rows_of(h), self.block.w * h
            begun = np.zeros((len(R), n))
            begun[:, rows] = R * weight[rows]
            several.append(begun)
            row[rows] = weight[rows] * (weight.sum() / max(weight[rows].sum(), _TINY))
        return weights, whole, several

    def flat_model(self, count: int) -> Model:
        """The gate of one node over ``count`` leaves."""
        gate, own = self.model.gate, {}
        if getattr(gate, "penalty", None) is not None:
            own = {"penalty": gate.penalty}
        gate = SoftmaxGate(alpha=getattr(gate, "alpha", 0.0), **own)
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

    def grow(self, asks: list[Growing]) -> list[Branch]:
        """Branches of given shapes by recursive splitting, level by level all of them together."""
        inner = [i for i, (nested, *_) in enumerate(asks) if nested != 1]
        some = [
            Ask(h, len(nested), names, rng)
            for nested, h, names, rng in map(asks.__getitem__, inner)
        ]
        splits = self.splits(some) if some else []
        below: list[Growing] = []
        for i, split in zip(inner, splits, strict=True):
            nested, _, names, rng = asks[i]
            streams = rng.spawn(len(nested))
            below += [
                (child, weight, names, stream)
                for child, weight, stream in zip(nested, split.posterior, streams, strict=True)
                if child != 1
            ]
        grown, found = iter(self.grow(below) if below else []), {}
        for i, split in zip(inner, splits, strict=True):
            pairs = zip(asks[i][0], split.branch.children, strict=True)
            children = tuple(leaf if child == 1 else next(grown) for child, leaf in pairs)
            found[i] = replace(split.branch, children=children)
        return [found[i] if i in found else self.single(ask[1]) for i, ask in enumerate(asks)]

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

    def height(self, branch: Branch, h: Floats) -> float:
        """The same, less what slopes cost where penalties make some of them zero."""
        if not self.model.sparse:
            return self.value(branch, h)
        model = tree_model(self.model, branch.nested)
        params = assemble(branch, self.gate_width, self.shared)
        return self.value(branch, h) - model.penalty_value(params, self.summary)

    # -------------------------------------------------------------------- whole trees

    def start(self, names: tuple[str, ...], rng: np.random.Generator) -> MoEParams:
        """Parameters of the whole tree by recursive splitting."""
        return self.starts([(names, rng)])[0]

    def starts(self, several: list[tuple[tuple[str, ...], np.random.Generator]]) -> list[MoEParams]:
        """The same from several partitions, whose local fits advance together."""
        nested, everything = self.model.gate.nested, np.ones(self.block.w.size)
        trees = self.grow([(nested, everything, names, rng) for names, rng in several])
        return [assemble(tree, self.gate_width, self.shared) for tree in trees]

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
        streams = zip(nodes, rng.spawn(len(nodes)), strict=True)
        grown = self.grow([(branches[j].nested, posterior[j], names, rng) for j, rng in streams])
        for j, branch in zip(nodes, grown, strict=True):
            old, h = branches[j], posterior[j]
            new = self.polish(branch, h, LOCAL_PASSES // 2)
            new = adopt(new, tree.leaves[0].expert, self.shared)
            if self.height(new, h) > self.height(old, h) + _WORTH * self.block.w @ h:
                changes[j] = new
        if not changes:
            return None
        return assemble(tree.replaced(changes), self.gate_width, self.shared)


def _branch(model: Model, params: MoEParams) -> Branch:
    """A node from the parameters of its flat model."""
    leaves = [Branch(expert=model.take(params, k)) for k in range(model.n_experts)]
    return Branch(params.gate.coef, tuple(leaves))


def _labels(
    view: StartData, name: str, rng: np.random.Generator, place: bytes, known: dict[bytes, Ints]
) -> Ints:
    """Labels of the rows at a place by a partition, looked up if it is the same whoever asks."""
    if not draws_nothing(name, view):
        return STRATEGIES[name](view, rng)
    key = name.encode() + place
    if key not in known:
        known[key] = STRATEGIES[name](view, rng)
    return known[key]


def _key(*arrays: Floats) -> bytes:
    """What tells local fits apart."""
    return blake2b(b"".join(a.tobytes() for a in arrays)).digest()
