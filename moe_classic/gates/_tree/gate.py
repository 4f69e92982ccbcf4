"""Tree of gates: the hierarchical mixture of experts as a gate like any other.

::

    log g_k(x) = sum over nodes j on the path to leaf k of log g_c|j(x)
    g_c|j(x)   = exp(v_jc z) / sum_b exp(v_jb z),   v_j,last = 0

Step: each node is a multinomial logit of its children with the posterior mass of the node as case
weight, so that a tree takes one small Newton step a node where a flat gate takes one large one.
Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, equations 5-9 and 25.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import (
    ComponentTerms,
    Forward,
    LogitStats,
    Regions,
    Units,
    limited,
    line_terms,
    moved_score,
    moved_score_blocks,
)
from moe_classic._data import Design, Summary
from moe_classic._typing import Bools, Floats
from moe_classic.gates._base import Gate
from moe_classic.gates._constant import ConstantGate
from moe_classic.gates._softmax import SoftmaxGate, SoftmaxParams
from moe_classic.penalties import Bound, CentredRidge, Penalty, SparseSlopes

from .branching import balanced, count_leaves, parse_branching
from .coefficients import TreeParams, conditionals, reordered, rows_of
from .node import node_gate
from .nodes import (
    TreeShape,
    below_root,
    curvature_of,
    family_grams,
    family_rule,
    free_rows,
    node_residual,
    sibling_rows,
    steps_of,
    tree_shape,
)
from .penalty import NodePenalties, SparseNodes


class TreeGate(Gate):
    """Gates in a tree; the experts are its leaves, numbered from left to right.

    Parameters
    ----------
    branching : None, sequence of int, or nested sequences, default=None
        None: a binary tree over any number of experts, as balanced as can be. Integers alone: the
        number of children on each level of a balanced tree, so that ``(2, 2, 2)`` has eight
        leaves. With sequences among them, the items are the children of the root: a sequence is
        the branching of that child, an integer m > 1 a node over m leaves, 1 a leaf;
        ``[[2, 2], 1]`` has a subtree of four leaves beside a single one. The number 1 is a lone
        leaf, what is left of a tree that did not grow.
    node : str or gate, default="softmax"
        The gate at every node: ``"softmax"``, ``"constant"``, or an instance of
        :class:`SoftmaxGate` with ``features`` and ``alpha`` or ``penalty`` of its own, which each
        node has by itself. Generative gates are refused: the density of x that they carry would be
        counted once a level.

    References
    ----------
    Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6.

    Examples
    --------
    >>> from moe_classic.gates import SoftmaxGate, TreeGate
    >>> TreeGate((2, 2, 2)).n_leaves
    8
    >>> TreeGate([[2, 2], 1], node=SoftmaxGate(features=["age"])).n_leaves
    5
    """

    name: ClassVar[str] = "tree"
    exchangeable: ClassVar[bool] = False

    def __init__(self, branching: Any = None, *, node: Any = "softmax") -> None:
        self.branching = branching
        self.node = node

    # -------------------------------------------------------------------- what it consists of

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        if self.branching is not None:
            parse_branching(self.branching, "TreeGate")
        self.node_gate.check()

    def for_classes(self, *, named: bool) -> TreeGate:
        """With nodes that were named, these have the penalty of class experts."""
        if not isinstance(self.node, str):
            return self
        return TreeGate(self.branching, node=self.node_gate.for_classes(named=True))

    def check_count(self, n_experts: int) -> None:
        """Raise unless there are as many experts as leaves."""
        if self.branching is not None and n_experts != self.n_leaves:
            raise ValueError(
                f"TreeGate: branching={self.branching!r} has {self.n_leaves} leaves but there are "
                f"n_experts={n_experts} experts; make the two agree."
            )

    @property
    def n_leaves(self) -> int:
        """Number of leaves K that the branching fixes; there is no such attribute without one."""
        return count_leaves(self.nested)

    @property
    def node_gate(self) -> SoftmaxGate | ConstantGate:
        """The gate at every node."""
        return node_gate(self.node)

    @property
    def features(self) -> Any:
        """What the node gates see of X."""
        return self.node_gate.features

    @property
    def alpha(self) -> float:
        """Penalty on the slopes of the node gates."""
        return getattr(self.node_gate, "alpha", 0.0)

    @property
    def penalty(self) -> Penalty | None:
        """What the node gates have in place of ``alpha``."""
        return getattr(self.node_gate, "penalty", None)

    @property
    def sparse(self) -> bool:  # type: ignore[override]
        """Whether slopes may be exactly zero."""
        return self.penalty is not None and self.penalty.sparse

    @property
    def nested(self) -> Any:
        """The tree as nested tuples."""
        if self.branching is None:
            raise AttributeError("a TreeGate without branching has as many leaves as experts")
        return parse_branching(self.branching, "TreeGate")

    @property
    def _flat(self) -> SoftmaxGate:
        """Does the work of a tree with a single gate: the very same arithmetic."""
        return SoftmaxGate(alpha=self.alpha, penalty=self.penalty)

    def stacks(self, params: TreeParams) -> bool:
        """Where all nodes take Newton's steps, without a penalty that is an object."""
        if self.penalty is not None:
            return False
        if params.shape.is_flat:
            return self._flat.stacks(SoftmaxParams(params.coef))
        q = params.coef.shape[-1]
        return all(family_rule(family, q) == "newton" for family in params.shape.families)

    def start(self, n_experts: int, width: int, summary: Summary) -> TreeParams:
        """All children of a node equally likely everywhere."""
        self.check_count(n_experts)
        shape = tree_shape(balanced(n_experts) if self.branching is None else self.nested)
        return TreeParams(np.zeros((n_experts - 1, width)), shape)

    # -------------------------------------------------------------------- evaluation

    def forward(self, params: TreeParams, design: Design) -> Forward:
        """Log gate (K, n) and the conditional probabilities of the nodes (N, n)."""
        if params.shape.is_flat:
            return self._flat.forward(SoftmaxParams(params.coef), design)
        log_g, g = conditionals(params, design)
        return Forward(params.shape.down(log_g)[..., params.shape.leaves, :], None, g)

    def log_nodes(self, params: TreeParams, design: Design) -> Floats:
        """Log probabilities of reaching each node, (N, n), nodes breadth first."""
        return params.shape.down(conditionals(params, design)[0])

    def curvature(self, params: TreeParams, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams: pairs of siblings for Newton, the mass of a node for the bound.

        Family by family, node by node.
        """
        if params.shape.is_flat:
            return self._flat.curvature(SoftmaxParams(params.coef), fwd, S)
        shape, (q, n) = params.shape, (params.coef.shape[-1], S.shape[-1])
        mass = shape.up(S)
        rows = [
            curvature_of(
                family,
                family_rule(family, q),
                sibling_rows(fwd.work, family.children, family),
                mass[..., family.nodes, :],
            )
            for family in shape.families
        ]
        return (rows[0] if len(rows) == 1 else np.concatenate(rows, axis=-2)).reshape(-1, n)

    def statistics(
        self, params: TreeParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> LogitStats:
        """Scores (N - 1, q) of all nodes but the root, curvature sums, masses (N,)."""
        if params.shape.is_flat:
            return self._flat.statistics(SoftmaxParams(params.coef), fwd, design, S, grams)
        residual, _ = node_residual(params.shape, fwd.work, S)
        own = grams.reshape(*S.shape[:-2], -1, grams.shape[-1])
        return LogitStats(own, design.scores(residual))

    def update(self, params: TreeParams, stats: LogitStats, summary: Summary) -> TreeParams:
        """One Newton or bound step at every node."""
        if params.shape.is_flat:
            new = self._flat.update(SoftmaxParams(params.coef), stats, summary)
            return TreeParams(new.coef, params.shape)
        term, (*lead, _, q) = self.slopes_penalty(summary), params.coef.shape
        if isinstance(term, SparseSlopes):
            return SparseNodes(term).step(params, stats)
        coef = params.coef.copy()
        for family, rule, gram in family_grams(params.shape, stats.gram, q):
            score = sibling_rows(stats.score, below_root(family), family)
            delta = limited(steps_of(rule, rows_of(params, family), gram, score, term.pull))
            coef[..., family.rows, :] += delta.reshape(*lead, -1, q)
        return TreeParams(coef, params.shape)

    def translate(self, stats: LogitStats, old: TreeParams, new: TreeParams) -> LogitStats:
        """Scores at ``old`` as they are at ``new``, to second order."""
        if old.shape.is_flat:
            return self._flat.translate(stats, SoftmaxParams(old.coef), SoftmaxParams(new.coef))
        q, step = old.coef.shape[1], new.coef - old.coef
        score = stats.score.copy()
        for family, rule, gram in family_grams(old.shape, stats.gram, q):
            delta = step[family.rows].reshape(-1, family.size - 1, q)
            moved = [
                moved_score_blocks(g, d)
                if rule == "block"
                else moved_score(g, d, bound=rule == "bound")
                for g, d in zip(gram, delta, strict=True)
            ]
            score[below_root(family)] -= np.concatenate(moved)
        return replace(stats, score=score)

    # -------------------------------------------------------------------- derivatives

    def gradient(self, params: TreeParams, design: Design, S: Floats) -> Floats:
        """Gradient of ``sum S log g``: ``(S_c - g_c|j S_j) z`` at every node, (n_theta,)."""
        if params.shape.is_flat:
            return self._flat.gradient(SoftmaxParams(params.coef), design, S)
        residual, _ = node_residual(params.shape, self.forward(params, design).work, S)
        return free_rows(params.shape, design.scores(residual)).ravel()

    def derivatives(self, params: TreeParams, fwd: Forward, R: Floats) -> tuple[Floats, Floats]:
        """Pointwise derivatives in the K - 1 logits of the nodes, in the order of ``coef``.

        Returns
        -------
        first : ndarray of shape (K - 1, K, n)
            ``d log g_k / d eta_jc = 1[k below c] - g_c|j`` for leaves k below node j, else 0.
        curvature : ndarray of shape (K - 1, K - 1, n)
            ``- sum_k R_k d2 log g_k = R_j g_b|j (1[b = c] - g_c|j)`` for siblings b, c.
        """
        if params.shape.is_flat:
            return self._flat.derivatives(SoftmaxParams(params.coef), fwd, R)
        shape, g, mass = params.shape, fwd.work, params.shape.up(R)
        *lead, K, n = R.shape
        first, curvature = np.zeros((*lead, K - 1, K, n)), np.zeros((*lead, K - 1, K - 1, n))
        below = shape.leaf_ranges()
        for j in shape.inner:
            free = shape.children_of(j)[:-1]
            rows = range(shape.first_row[j], shape.first_row[j] + len(free))
            shares = g[..., free.start : free.stop, :]
            for row, child in zip(rows, free, strict=True):
                weight = mass[..., j, :] * g[..., child, :]
                first[..., row, below[j].start : below[j].stop, :] = -g[..., child, None, :]
                first[..., row, below[child].start : below[child].stop, :] += 1.0
                curvature[..., row, rows.start : rows.stop, :] = -weight[..., None, :] * shares
                curvature[..., row, row, :] += weight
        return first, curvature

    # -------------------------------------------------------------------- penalty

    def slopes_penalty(self, summary: Summary) -> Bound:
        """Slopes centred over siblings, so that no child is special."""
        return self._flat.slopes_penalty(summary)

    def _penalties(self, summary: Summary) -> NodePenalties:
        """That of all nodes."""
        return NodePenalties(self.slopes_penalty(summary))

    def _kinks(self, params: TreeParams, summary: Summary | None = None) -> SparseNodes | None:
        """The penalty by which slopes of nodes are zero; None where there is none."""
        if not (self.sparse and params.coef.size and self.penalty is not None):
            return None
        term = self.penalty.bound(1.0 if summary is None else summary.weight, symmetric=True)
        return SparseNodes(term) if isinstance(term, SparseSlopes) else None

    def penalty_value(self, params: TreeParams, summary: Summary) -> float:
        """``alpha / 2`` times the squared slopes centred over siblings, per unit of weight."""
        return self._penalties(summary).value(params)

    def penalties(self, params: TreeParams, summary: Summary) -> Floats:
        """Those of several trees, whose coefficients are (S, K - 1, q)."""
        ridge, value = CentredRidge(self.alpha * summary.weight), np.zeros(len(params.coef))
        for family in params.shape.families:
            value += ridge.each(rows_of(params, family)).sum(axis=-1)
        return value

    def penalty_gradient(self, params: TreeParams, summary: Summary) -> Floats:
        """Gradient of the penalty, (n_theta,)."""
        return self._penalties(summary).gradient(params).ravel()

    def penalty_hessian(self, params: TreeParams, summary: Summary) -> Floats:
        """Hessian of the penalty, (n_theta, n_theta)."""
        return self._penalties(summary).hessian(params)

    def optimality(self, params: TreeParams, stats: LogitStats, summary: Summary) -> float:
        """Largest violation of the conditions at any node, in nats per unit of weight."""
        kinks = self._kinks(params, summary)
        if kinks is None:
            return 0.0
        free = stats.score[:-1] if params.shape.is_flat else free_rows(params.shape, stats.score)
        return kinks.residual(params, free) / summary.weight

    def support(self, params: TreeParams) -> tuple[Floats, Floats, Bools]:
        """Coordinates of what is not held at zero: ``theta = T u``, and whose signs stay."""
        kinks = self._kinks(params)
        return super().support(params) if kinks is None else kinks.support(params)

    def n_parameters(self, params: TreeParams) -> int:
        """Number of free parameters: slopes that are zero are none."""
        kinks = self._kinks(params)
        return params.coef.size - (0 if kinks is None else kinks.n_zero(params))

    # -------------------------------------------------------------------- packing

    def pack(self, params: TreeParams) -> Floats:
        """Coefficients in one vector."""
        return params.coef.flatten()

    def unpack(self, theta: Floats, like: TreeParams, summary: Summary) -> TreeParams:
        """Coefficients from one vector."""
        return TreeParams(theta.reshape(like.coef.shape).copy(), like.shape)

    def reorder(self, params: TreeParams, order: np.ndarray) -> TreeParams:
        """Coefficients for experts in a new order that swaps whole branches of the same shape.

        Raises
        ------
        ValueError
            If the order tears a branch apart.
        """
        return reordered(params, np.asarray(order))

    # -------------------------------------------------------------------- what users see

    def lines(self, params: TreeParams) -> Floats:
        """The coefficients, (K - 1, q)."""
        return params.coef

    def layout(self, params: TreeParams) -> TreeShape:
        """The tree of its nodes."""
        return params.shape

    def terms(self, params: TreeParams, units: Units) -> ComponentTerms:
        """Lines of all children of a node but the last, called after the place of the child."""
        shape, paths = params.shape, params.shape.paths()
        below = [c for j in shape.inner for c in shape.children_of(j)[:-1]]
        heads = [("gate", "node " + ".".join(str(i + 1) for i in paths[c])) for c in below]
        return line_terms(units.design, heads, lambda p: p.coef)

    def draw(self, params: TreeParams, regions: Regions) -> TreeParams:
        """At a node, the nearest of the mean centres below leads."""
        # Neighbours along the first feature become siblings, so that branches are regions too.
        centres, shares = regions.centres, regions.shares
        centres, coef = centres[np.argsort(centres[:, :1].sum(axis=1))], np.array(params.coef)
        below = params.shape.leaf_ranges()
        for j in params.shape.inner:
            spans = [slice(below[c].start, below[c].stop) for c in params.shape.children_of(j)]
            mass = np.array([shares[span].sum() for span in spans])
            middle = np.array([shares[span] @ centres[span] for span in spans]) / mass[:, None]
            first = int(params.shape.first_row[j])
            coef[first : first + len(spans) - 1] = regions.lines(middle, mass)
        return TreeParams(coef, params.shape)

    def graph(self, graph: Any, params: TreeParams, linear: Any) -> str:
        """Products of the softmax gates on the way from the root to each leaf."""
        shape = params.shape
        if shape.is_flat:
            return self._flat.graph(graph, SoftmaxParams(params.coef), linear)
        conditionals = []
        for j in shape.inner:
            start, m = int(shape.first_row[j]), int(shape.n_children[j]) - 1
            logits = linear(SoftmaxParams(params.coef[start : start + m]).full)
            conditionals.append(graph.node("LogSoftmax", logits, axis=1))
        # Breadth first, so that the children of all nodes in turn are the nodes 1 to N - 1.
        logs = graph.node("Concat", *conditionals, axis=1)
        on_path = np.zeros((shape.n_nodes - 1, shape.n_leaves))
        for k, leaf in enumerate(np.arange(shape.n_nodes)[shape.leaves]):
            node = int(leaf)
            while node > 0:
                on_path[node - 1, k] = 1.0
                node = int(shape.parent[node])
        return str(graph.node("Exp", graph.node("MatMul", logs, graph.constant(on_path))))
