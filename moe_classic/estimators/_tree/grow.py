"""Growing and pruning of trees.

::

    split leaf l    if   gain_l > price_l,   gain_l = sum_n w h_l (log p_new - log p_l)
    merge branch j  if   loss_j < price_j

A leaf's trial split is fitted by local EM to the rows that reach it, and the whole tree gains at
least the local gain (Jensen). The price is that of the Bayesian information criterion, or zero
where gains are measured on rows held out. When no leaf pays by that bound, the most promising
splits are tried on the whole tree. Waterhouse & Robinson (1996), Constructive algorithms for
hierarchical mixtures of experts, NIPS 8; Fritsch, Finke & Waibel (1997), Adaptively growing
hierarchical mixtures of experts, NIPS 9; price: Schwarz (1978), equation 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from moe_classic._data import Block, Design, Summary
from moe_classic._engine import SerialEngine, ThreadedEngine
from moe_classic._model import Model, MoEParams, n_identified
from moe_classic._objectives import MixtureLikelihood
from moe_classic._training import StartData
from moe_classic._typing import Bools, Floats, Ints
from moe_classic.solvers import EM, Problem

from .branch import Branch, adopt, assemble, take_apart, tree_model
from .growth import Grown, Growth, GrowthStep, Proposal, Stage
from .split import Splitter

#: EM iterations of the whole tree after a round of splits, and before and after a bold attempt.
_PASSES, _BOLD_PASSES = 6, 15
#: Part of the leaves that may be split in one round: later splits profit from earlier ones.
_SHARE = 0.5
#: Leaves with less than this many times the least weight must not interpolate their rows.
_SPIKE = 5.0
#: Rounds of growing and pruning in turn.
_SEASONS = 3


def grow(
    model: Model,
    view: StartData,
    block: Block,
    summary: Summary,
    *,
    growth: Growth,
    names: tuple[str, ...],
    rng: np.random.Generator,
    engine: SerialEngine | ThreadedEngine,
    null: tuple[Floats, ...],
) -> Grown:
    """Grow a tree of the experts and node gates of ``model`` from a single leaf.

    Parameters
    ----------
    model : Model
        One group of linear experts under a tree gate of any shape.
    view, block : the rows; the last ones of them are held out where the criterion says so
    summary : Summary
    growth : Growth
    names : partitions tried at every leaf
    rng : Generator
    engine : who adds over blocks in the iterations on all rows
    null : directions of the coefficients on each design that change nothing
    """
    n = block.w.size
    share = growth.validation_fraction if growth.criterion == "held_out" else 0.0
    n_held_out = int(np.ceil(share * n))
    if n - n_held_out < 2:
        raise ValueError(
            f"criterion='held_out' holds out {n_held_out} of the {n} distinct rows of (X, y), "
            "which leaves fewer than two to grow the tree on; use criterion='bic', a smaller "
            f"validation_fraction than {share!r}, or more rows."
        )
    rows, others = np.arange(n - n_held_out), np.arange(n - n_held_out, n)
    splitter = _splitter(model, view, block, summary, rows)
    judge = _splitter(model, view, block, summary, others) if n_held_out else None
    grower = _Grower(splitter, judge, growth, names, rng, engine, null)
    stage = grower.run()
    return Grown(stage.model, stage.params, grower.history)


def _splitter(
    model: Model, view: StartData, block: Block, summary: Summary, rows: Ints
) -> Splitter:
    """A splitter on some of the rows."""
    part = Block(
        tuple(Design(d.Z[:, rows]) for d in block.designs), block.y[..., rows], block.w[rows]
    )
    part_view = replace(view, X=view.X[rows], target=view.target[rows], w=view.w[rows])
    return Splitter(model, part_view, part, replace(summary, weight=float(part.w.sum())))


@dataclass
class _Grower:
    """Grows and prunes one tree."""

    splitter: Splitter
    judge: Splitter | None
    growth: Growth
    names: tuple[str, ...]
    rng: np.random.Generator
    engine: SerialEngine | ThreadedEngine
    null: tuple[Floats, ...]
    history: list[GrowthStep] = field(default_factory=list)

    def run(self) -> Stage:
        """Seasons of growing and pruning until nothing changes."""
        self.rows = self.splitter.chunks(np.ones(self.splitter.block.w.size), None)
        everything = np.ones(self.splitter.block.w.size)
        stage = self._stage(self.splitter.single(everything), _PASSES)
        for _ in range(_SEASONS):
            before = stage
            stage = self._prune(self._grow(stage))
            if stage.model.n_experts in (before.model.n_experts, 1):
                break
        return stage

    # -------------------------------------------------------------------- whole trees

    def _stage(self, tree: Branch, passes: int) -> Stage:
        """The tree after some EM iterations on all rows that it is grown on.

        With rows held out they end where these rows fit best: gates that go on to sharpen follow
        the noise of the rows near their boundaries.
        """
        splitter = self.splitter
        model = tree_model(splitter.model, tree.nested)
        params = assemble(tree, splitter.gate_width, splitter.shared)
        whole = Problem(model, MixtureLikelihood(model), self.rows, splitter.summary, self.engine)
        if self.judge is None:
            run = EM(finish=None).run(whole, params, max_iter=passes, tol=1e-7)
            return Stage(model, run.params, run.objective)
        best = self._step(model, whole, params)
        for _ in range(2 * passes - 1):
            later = self._step(model, whole, best.params)
            if self._score(later) <= self._score(best):
                break
            best = later
        return best

    @staticmethod
    def _step(model: Model, whole: Problem, params: MoEParams) -> Stage:
        """The tree after one EM step: a pass that looks, and one that looks at the proposal."""
        run = EM(finish=None).run(whole, params, max_iter=2, tol=1e-7)
        return Stage(model, run.params, run.objective)

    def _score(self, stage: Stage) -> float:
        """What decides between trees; higher is better."""
        if self.judge is not None:
            judge = self.judge
            return float(judge.block.w @ stage.model.log_likelihood(stage.params, judge.block))
        return stage.objective - self._price(n_identified(stage.model, stage.params, self.null))

    def _record(self, action: str, stage: Stage) -> Stage:
        """Write a line of the history."""
        depth = len(stage.params.gate.shape.levels) - 1
        step = GrowthStep(action, stage.model.n_experts, depth, stage.objective, self._score(stage))
        self.history.append(step)
        return stage

    # -------------------------------------------------------------------- growing

    def _grow(self, stage: Stage) -> Stage:
        """Split until no leaf pays."""
        while stage.model.n_experts < self.growth.max_leaves:
            room = self.growth.max_leaves - stage.model.n_experts
            most = min(room, max(1, int(np.ceil(_SHARE * stage.model.n_experts))))
            candidates = self._splits(stage)
            paying = [p for p in candidates if p.net > 0.0][:most]
            new = self._paying(stage, paying) or self._bold(stage, candidates, most)
            if new is None:
                break
            stage = self._record("split", new)
        return stage

    def _paying(self, stage: Stage, candidates: list[Proposal]) -> Stage | None:
        """The tree with as many of the proposals as pay on the whole tree, the best first.

        By the local bound they all pay together, but on rows held out, or where the experts share
        parameters, what holds for each leaf need not hold for all.
        """
        while candidates:
            new = self._with(stage, candidates, _PASSES)
            if new is not None and self._score(new) > self._score(stage):
                return new
            candidates = candidates[: len(candidates) // 2]
        return None

    def _with(self, stage: Stage, candidates: list[Proposal], passes: int) -> Stage | None:
        """The tree with the proposals carried out that leave it sound, None if there are none."""
        tree = take_apart(stage.model, stage.params)
        while candidates:
            grown = tree.replaced({p.node: p.branch for p in candidates})
            new, leaves = self._stage(grown, passes), grown.leaves
            bad = {id(leaves[k]) for k in np.flatnonzero(self._unsound(new))}
            if not bad:
                return new
            guilty = [p for p in candidates if bad & {id(leaf) for leaf in p.branch.leaves}]
            candidates = [p for p in candidates if p not in guilty] if guilty else candidates[:-1]
        return None

    def _unsound(self, stage: Stage) -> Bools:
        """Leaves that explain too few rows, and spikes: those that interpolate not many, (K,)."""
        splitter, expert = self.splitter, self.splitter.model.groups[0].expert
        posterior = replace(splitter, model=stage.model).posteriors(stage.params)
        weight = posterior[stage.params.gate.shape.leaves] @ splitter.block.w
        spikes = expert.degenerate(stage.params.experts[0], splitter.summary)
        return (weight < self._needed) | (spikes & (weight < _SPIKE * self._needed))

    @cached_property
    def _needed(self) -> float:
        """Least weight of a leaf: twice the parameters that it brings."""
        one = self.splitter.single(np.ones(self.splitter.block.w.size)).expert
        return 2.0 * self._brought(one)

    def _brought(self, one: Any) -> int:
        """Parameters of one more leaf with expert ``one``, and of its row of a gate."""
        model = self.splitter.model
        gate = self.splitter.gate_width - self.null[model.gate_design].shape[1]
        # Slopes of a sparse gate are not known before: one, and the intercept, make a boundary.
        return self._own(one) + (min(gate, 2) if model.gate.sparse else gate)

    def _own(self, one: Any) -> int:
        """Parameters of one expert."""
        group = self.splitter.model.groups[0]
        return group.expert.n_parameters(one) - group.expert.redundant(one, self.null[group.design])

    def _bold(self, stage: Stage, candidates: list[Proposal], most: int) -> Stage | None:
        """The best splits that do not pay by the local bound, if they pay on the whole tree."""
        if not candidates:
            return None
        tree = take_apart(stage.model, stage.params)
        standard = max(self._score(stage), self._score(self._stage(tree, _BOLD_PASSES)))
        for count in sorted({min(most, len(candidates)), 1}, reverse=True):
            tried = self._with(stage, candidates[:count], _BOLD_PASSES)
            if tried is not None and self._score(tried) > standard:
                return tried
        return None

    def _splits(self, stage: Stage) -> list[Proposal]:
        """Trial splits of all leaves, the best first."""
        shape, shared = stage.params.gate.shape, self.splitter.shared
        posterior = replace(self.splitter, model=stage.model).posteriors(stage.params)
        judged = self._judged(stage)
        branches = list(take_apart(stage.model, stage.params).breadth_first())
        deepest = self.growth.max_depth
        candidates = []
        for depth, level in enumerate(shape.levels):
            for node in range(level.start, level.stop):
                if shape.n_children[node] or (deepest is not None and depth >= deepest):
                    continue
                expert = branches[node].expert
                rank = self._rank(judged, node, expert)
                split = self.splitter.split(
                    posterior[node], 2, self.names, self._stream(), rank=rank
                )
                branch = adopt(split.branch, expert, shared)
                if (split.posterior @ self.splitter.block.w).min() < self._needed:
                    continue
                net = self._net(branches[node], branch, posterior[node], judged, node)
                candidates.append(Proposal(node, branch, net))
        return sorted(candidates, key=lambda p: -p.net)

    def _judged(self, stage: Stage) -> Floats | None:
        """Posteriors of all nodes on the rows held out."""
        if self.judge is None:
            return None
        return replace(self.judge, model=stage.model).posteriors(stage.params)

    def _rank(
        self, judged: Floats | None, node: int, expert: Any
    ) -> Callable[[Branch], float] | None:
        """How the trial splits of a node are told apart: None for their likelihood."""
        judge, shared = self.judge, self.splitter.shared
        if judge is None or judged is None:
            return None
        return lambda branch: judge.value(adopt(branch, expert, shared), judged[node])

    def _net(self, old: Branch, new: Branch, h: Floats, judged: Floats | None, node: int) -> float:
        """Gain of a branch over the one in its place, less its price."""
        if self.judge is not None and judged is not None:
            return self.judge.value(new, judged[node]) - self.judge.value(old, judged[node])
        gain = self.splitter.height(new, h) - self.splitter.height(old, h)
        return gain - self._price(self._count(new) - self._count(old))

    def _price(self, count: int) -> float:
        """Price of some parameters."""
        return 0.5 * count * float(np.log(self.splitter.block.w.sum()))

    def _count(self, branch: Branch) -> int:
        """Number of parameters of a branch, shared ones left out."""
        one, shared = branch.leaves[0].expert, self.splitter.shared
        common = sum(getattr(one, name)[0].size for name in shared.fields)
        common += len(shared.slopes) * one.coef.shape[1]
        if self.splitter.model.sparse:
            return self._counted(branch) - (len(branch.leaves) - 1) * common
        return (len(branch.leaves) - 1) * (self._brought(one) - common)

    def _counted(self, branch: Branch) -> int:
        """The same where slopes are zero, leaf by leaf and node by node."""
        count = sum(self._own(leaf.expert) for leaf in branch.leaves)
        if not branch.children:
            return count
        splitter = self.splitter
        gate = tree_model(splitter.model, branch.nested).gate
        params = assemble(branch, splitter.gate_width, splitter.shared).gate
        null = self.null[splitter.model.gate_design]
        return count + int(gate.n_parameters(params) - gate.redundant(params, null))

    def _stream(self) -> np.random.Generator:
        """A generator of its own for each trial."""
        return self.rng.spawn(1)[0]

    # -------------------------------------------------------------------- pruning

    def _prune(self, stage: Stage) -> Stage:
        """Merge leaves until every branch pays."""
        while stage.model.n_experts > 1:
            paying = [p for p in self._merges(stage) if p.net > 0.0]
            if not paying:
                break
            tree = take_apart(stage.model, stage.params)
            pruned = self._stage(tree.replaced({p.node: p.branch for p in paying}), _PASSES)
            if self._score(pruned) <= self._score(stage):
                break
            stage = self._record("prune", pruned)
        return stage

    def _merges(self, stage: Stage) -> list[Proposal]:
        """Single leaves in the place of the nodes whose children are all leaves."""
        posterior = replace(self.splitter, model=stage.model).posteriors(stage.params)
        judged = self._judged(stage)
        candidates = []
        for node, branch in enumerate(take_apart(stage.model, stage.params).breadth_first()):
            if not branch.children or any(child.children for child in branch.children):
                continue
            leaf = adopt(
                self.splitter.single(posterior[node]), branch.leaves[0].expert, self.splitter.shared
            )
            net = self._net(branch, leaf, posterior[node], judged, node)
            candidates.append(Proposal(node, leaf, net))
        return candidates
