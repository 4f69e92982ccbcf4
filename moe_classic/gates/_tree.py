"""Tree of gates: the hierarchical mixture of experts as a gate like any other.

::

    log g_k(x) = sum over nodes j on the path to leaf k of log g_c|j(x)
    g_c|j(x)   = exp(v_jc z) / sum_b exp(v_jb z),   v_j,last = 0

Step: each node is a multinomial logit of its children with the posterior mass of the node as case
weight, so that a tree takes one small Newton step a node where a flat gate takes one large one.
Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, equations 5-9 and 25.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from moe_classic._blocks import Design
from moe_classic._component import Forward
from moe_classic._linalg import solve_psd, unpack_symmetric
from moe_classic._logit import GATE_LIMIT, LogitStats, bohning_step
from moe_classic._stats import Summary
from moe_classic._typing import Floats

from ._base import Gate
from ._constant import ConstantGate
from ._softmax import _MAX_STEP, _SAFE, SoftmaxGate, SoftmaxParams
from ._tree_nodes import Family, TreeShape, count_leaves, parse_branching, tree_shape


@dataclass(frozen=True)
class TreeParams:
    """Coefficients (K - 1, q): C - 1 rows for a node with C children, nodes breadth first."""

    coef: Floats
    shape: TreeShape


class TreeGate(Gate):
    """Gates in a tree; the experts are its leaves, numbered from left to right.

    Parameters
    ----------
    branching : sequence of int, or nested sequences, default=(2, 2)
        Integers alone: the number of children on each level of a balanced tree, so that
        ``(2, 2, 2)`` has eight leaves. With sequences among them, the items are the children of
        the root: a sequence is the branching of that child, an integer m > 1 a node over m
        leaves, 1 a leaf; ``[[2, 2], 1]`` has a subtree of four leaves beside a single one.
    node : str or gate, default="softmax"
        The gate at every node: ``"softmax"``, ``"constant"``, or an instance of
        :class:`SoftmaxGate` with ``features`` and ``alpha`` of its own. Generative gates are
        refused: the density of x that they carry would be counted once a level.

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

    def __init__(self, branching: Any = (2, 2), *, node: Any = "softmax") -> None:
        self.branching = branching
        self.node = node

    # -------------------------------------------------------------------- what it consists of

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        parse_branching(self.branching, "TreeGate")
        self.node_gate.check()

    def check_count(self, n_experts: int) -> None:
        """Raise unless there are as many experts as leaves."""
        if n_experts != self.n_leaves:
            raise ValueError(
                f"TreeGate: branching={self.branching!r} has {self.n_leaves} leaves but there are "
                f"n_experts={n_experts} experts; make the two agree."
            )

    @property
    def n_leaves(self) -> int:
        """Number of leaves K."""
        return count_leaves(self._nested())

    @property
    def node_gate(self) -> SoftmaxGate | ConstantGate:
        """The gate at every node."""
        known = {"softmax": SoftmaxGate, "constant": ConstantGate}
        if isinstance(self.node, str) and self.node in known:
            return known[self.node]()
        if isinstance(self.node, (SoftmaxGate, ConstantGate)):
            return self.node
        if self.node == "gaussian" or getattr(self.node, "generative", False):
            raise ValueError(
                f"TreeGate: node={self.node!r} is a generative gate, it describes x itself; in a "
                "tree that density would be counted once a level. Use node='softmax' or "
                "'constant'."
            )
        if isinstance(self.node, str):
            raise ValueError(
                f"TreeGate: node={self.node!r} is not known; choose one of {sorted(known)} or "
                "pass a SoftmaxGate."
            )
        raise TypeError(
            f"TreeGate: node={self.node!r} must be one of {sorted(known)} or an instance of "
            "moe_classic.gates.SoftmaxGate or ConstantGate."
        )

    @property
    def features(self) -> Any:
        """What the node gates see of X."""
        return self.node_gate.features

    @property
    def alpha(self) -> float:
        """Penalty on the slopes of the node gates."""
        return getattr(self.node_gate, "alpha", 0.0)

    def _nested(self) -> Any:
        """The tree as nested tuples; a grown tree may be the lone leaf ``()``."""
        return 1 if self.branching == () else parse_branching(self.branching, "TreeGate")

    @property
    def _flat(self) -> SoftmaxGate:
        """Does the work of a tree with a single gate: the very same arithmetic."""
        return SoftmaxGate(alpha=self.alpha)

    def start(self, n_experts: int, width: int, summary: Summary) -> TreeParams:
        """All children of a node equally likely everywhere."""
        self.check_count(n_experts)
        shape = tree_shape(self._nested())
        return TreeParams(np.zeros((n_experts - 1, width)), shape)

    # -------------------------------------------------------------------- evaluation

    def forward(self, params: TreeParams, design: Design) -> Forward:
        """Log gate (K, n) and the conditional probabilities of the nodes (N, n)."""
        if params.shape.is_flat:
            return self._flat.forward(SoftmaxParams(params.coef), design)
        log_g, g = _conditionals(params, design)
        return Forward(params.shape.down(log_g)[params.shape.leaves], None, g)

    def log_nodes(self, params: TreeParams, design: Design) -> Floats:
        """Log probabilities of reaching each node, (N, n), nodes breadth first."""
        return params.shape.down(_conditionals(params, design)[0])

    def curvature(self, params: TreeParams, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams: pairs of siblings for Newton, the mass of a node for the bound.

        Family by family, node by node.
        """
        if params.shape.is_flat:
            return self._flat.curvature(SoftmaxParams(params.coef), fwd, S)
        shape, q = params.shape, params.coef.shape[1]
        mass = shape.up(S)
        rows = []
        for family in shape.families:
            own = mass[family.nodes]
            if (family.size - 1) * q > GATE_LIMIT:
                rows.append(own)
            else:
                rows.append(_sibling_pairs(_by_node(fwd.work, family), own))
        return rows[0] if len(rows) == 1 else np.concatenate([S[:0], *rows])

    def statistics(
        self, params: TreeParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> LogitStats:
        """Scores (N - 1, q) of all nodes but the root, curvature sums, masses (N,)."""
        if params.shape.is_flat:
            return self._flat.statistics(SoftmaxParams(params.coef), fwd, design, S, grams)
        residual, mass = _residual(params.shape, fwd.work, S)
        return LogitStats(grams, design.scores(residual), mass.sum(axis=1))

    def update(self, params: TreeParams, stats: LogitStats, summary: Summary) -> TreeParams:
        """One Newton or bound step at every node."""
        if params.shape.is_flat:
            new = self._flat.update(SoftmaxParams(params.coef), stats, summary)
            return TreeParams(new.coef, params.shape)
        pull, q = self.alpha * summary.weight, params.coef.shape[1]
        coef = params.coef.copy()
        for family, gram in _family_grams(params.shape, stats.gram, q):
            old = coef[family.rows].reshape(-1, family.size - 1, q)
            score = _by_node(stats.score, family, first=1)
            step = _bound_steps if old[0].size > GATE_LIMIT else _newton_steps
            delta = step(old, gram, score, pull)
            largest = np.abs(delta).max(axis=(1, 2), keepdims=True)
            delta *= np.minimum(1.0, _MAX_STEP / np.maximum(largest, _MAX_STEP))
            coef[family.rows] += delta.reshape(-1, q)
        return TreeParams(coef, params.shape)

    # -------------------------------------------------------------------- derivatives

    def gradient(self, params: TreeParams, design: Design, S: Floats) -> Floats:
        """Gradient of ``sum S log g``: ``(S_c - g_c|j S_j) z`` at every node, (n_theta,)."""
        if params.shape.is_flat:
            return self._flat.gradient(SoftmaxParams(params.coef), design, S)
        residual, _ = _residual(params.shape, self.forward(params, design).work, S)
        return _free(params.shape, design.scores(residual)).ravel()

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
        K, n = R.shape
        first, curvature = np.zeros((K - 1, K, n)), np.zeros((K - 1, K - 1, n))
        below = shape.leaf_ranges()
        for j in shape.inner:
            free = shape.children_of(j)[:-1]
            rows = range(shape.first_row[j], shape.first_row[j] + len(free))
            for row, child in zip(rows, free, strict=True):
                first[row, below[j].start : below[j].stop] = -g[child]
                first[row, below[child].start : below[child].stop] += 1.0
                curvature[row, rows.start : rows.stop] = -mass[j] * g[child] * g[free]
                curvature[row, row] += mass[j] * g[child]
        return first, curvature

    # -------------------------------------------------------------------- penalty

    def penalty(self, params: TreeParams, summary: Summary) -> float:
        """``alpha / 2`` times the squared slopes centred over siblings, per unit of weight."""
        if self.alpha == 0.0:
            return 0.0
        squares = 0.0
        for family in params.shape.families:
            slopes = _slopes(params, family)
            squares += (slopes**2).sum() - (slopes.sum(axis=1) ** 2).sum() / family.size
        return 0.5 * self.alpha * summary.weight * float(squares)

    def penalty_gradient(self, params: TreeParams, summary: Summary) -> Floats:
        """Gradient of the penalty, (n_theta,)."""
        out = np.zeros(params.coef.shape)
        for family in params.shape.families:
            slopes = _slopes(params, family)
            centred = slopes - slopes.sum(axis=1, keepdims=True) / family.size
            out[family.rows, :-1] = centred.reshape(-1, slopes.shape[2])
        return self.alpha * summary.weight * out.ravel()

    def penalty_hessian(self, params: TreeParams, summary: Summary) -> Floats:
        """Hessian of the penalty, (n_theta, n_theta)."""
        siblings, q = np.eye(len(params.coef)), params.coef.shape[1]
        for j in params.shape.inner:
            m, start = params.shape.n_children[j] - 1, params.shape.first_row[j]
            siblings[start : start + m, start : start + m] -= 1.0 / (m + 1)
        slopes = np.diag(np.r_[np.ones(q - 1), 0.0])
        return self.alpha * summary.weight * np.kron(siblings, slopes)

    # -------------------------------------------------------------------- packing

    def pack(self, params: TreeParams) -> Floats:
        """Coefficients in one vector."""
        return params.coef.ravel()

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
        shape, order = params.shape, np.asarray(order)
        below = shape.leaf_ranges()
        old_node = {frozenset(leaves): node for node, leaves in enumerate(below)}
        coef = np.empty_like(params.coef)
        for j in shape.inner:
            sets = [frozenset(order[below[c].start : below[c].stop]) for c in shape.children_of(j)]
            old = [old_node.get(s, -1) for s in sets]
            parents = {int(shape.parent[c]) if c >= 0 else -1 for c in old}
            if -1 in parents or len(parents) > 1:
                raise ValueError(
                    f"TreeGate: the order {order.tolist()} tears a branch apart; in a tree only "
                    "whole branches of the same shape can change places."
                )
            full = _full_rows(params, parents.pop(), old)
            start = shape.first_row[j]
            coef[start : start + len(old) - 1] = full[:-1] - full[-1]
        return TreeParams(coef, shape)


# ------------------------------------------------------------------------- siblings together


def _conditionals(params: TreeParams, design: Design) -> tuple[Floats, Floats]:
    """Log probabilities and probabilities of all nodes given their parents, both (N, n)."""
    shape, n = params.shape, design.Z.shape[1]
    eta = params.coef @ design.Z
    shift = np.abs(eta).max(initial=0.0) > _SAFE
    log_g, g = np.zeros((shape.n_nodes, n)), np.ones((shape.n_nodes, n))
    for family in shape.families:
        logits = np.zeros((family.nodes.size, family.size, n))
        logits[:, :-1] = eta[family.rows].reshape(-1, family.size - 1, n)
        if shift:
            logits -= logits.max(axis=1, keepdims=True)
        p = np.exp(logits)
        mass = p.sum(axis=1, keepdims=True)
        p *= 1.0 / mass
        logits -= np.log(mass)
        log_g[family.children] = logits.reshape(-1, n)
        g[family.children] = p.reshape(-1, n)
    return log_g, g


def _by_node(values: Floats, family: Family, *, first: int = 0) -> Floats:
    """Rows of the children of a family as (m, C, ...); ``first`` is the node of row 0."""
    children = family.children
    if first:
        stop = isinstance(children, slice)
        children = slice(children.start - first, children.stop - first) if stop else children - first
    return values[children].reshape(family.nodes.size, family.size, -1)


def _residual(shape: TreeShape, g: Floats, S: Floats) -> tuple[Floats, Floats]:
    """``S_c - S_j g_c|j`` of all nodes but the root (N - 1, n), and the masses ``S_j`` (N, n)."""
    mass = shape.up(S)
    return mass[1:] - mass[shape.parent[1:]] * g[1:], mass


def _free(shape: TreeShape, rows: Floats) -> Floats:
    """Rows (N - 1, ...) of all nodes but the root to the K - 1 rows that have coefficients."""
    out = np.empty((shape.n_leaves - 1, *rows.shape[1:]))
    for family in shape.families:
        mine = _by_node(rows, family, first=1)[:, :-1]
        out[family.rows] = mine.reshape(-1, *rows.shape[1:])
    return out


def _sibling_pairs(P: Floats, mass: Floats) -> Floats:
    """Rows ``mass P_a (1[a = b] - P_b)``, a <= b < C, of every node: (m C (C - 1) / 2, n).

    ``P`` is (m, C, n), ``mass`` (m, n).
    """
    m, size, n = P.shape
    out = np.empty((m, size * (size - 1) // 2, n))
    start = 0
    for a in range(size - 1):
        weighted = mass * P[:, a]
        stop = start + size - 1 - a
        np.multiply(P[:, a : size - 1], -weighted[:, None], out=out[:, start:stop])
        out[:, start] += weighted
        start = stop
    return out.reshape(-1, n)


def _family_grams(shape: TreeShape, gram: Floats, q: int) -> Iterator[tuple[Family, Floats]]:
    """The packed Grams of each family, (m, rows a node, q (q + 1) / 2)."""
    stop = 0
    for family in shape.families:
        pairs = family.size * (family.size - 1) // 2
        each = 1 if (family.size - 1) * q > GATE_LIMIT else pairs
        start, stop = stop, stop + each * family.nodes.size
        yield family, gram[start:stop].reshape(family.nodes.size, each, -1)


def _newton_steps(coef: Floats, gram: Floats, score: Floats, pull: float) -> Floats:
    """Newton steps of m nodes at once: coefficients (m, a, q), Grams packed twice, scores."""
    m, a, q = coef.shape
    blocks = unpack_symmetric(gram.transpose(0, 2, 1), a)
    blocks = unpack_symmetric(np.moveaxis(blocks, 1, -1), q)
    H = blocks.transpose(0, 1, 3, 2, 4).reshape(m, a * q, a * q)
    g = score[:, :a].copy()
    if pull > 0.0:
        centre = np.eye(a) - 1.0 / (a + 1)
        slopes = np.r_[np.full(q - 1, pull), 0.0]
        H += np.kron(centre, np.diag(slopes))
        g -= (centre @ coef) * slopes
    return solve_psd(H, g.reshape(m, -1, 1)).reshape(m, a, q)


def _bound_steps(coef: Floats, gram: Floats, score: Floats, pull: float) -> Floats:
    """Steps under the bound of Bohning (1992), node by node."""
    return np.stack(
        [bohning_step(c, g, s, pull) for c, g, s in zip(coef, gram, score, strict=True)]
    )


def _slopes(params: TreeParams, family: Family) -> Floats:
    """Slopes of the nodes of a family, (m, C - 1, q - 1)."""
    q = params.coef.shape[1]
    return params.coef[family.rows].reshape(-1, family.size - 1, q)[:, :, :-1]


def _full_rows(params: TreeParams, node: int, children: list[int]) -> Floats:
    """Coefficients of some children of ``node``, the reference's zeros included, (len, q)."""
    shape = params.shape
    start, m = shape.first_row[node], shape.n_children[node] - 1
    full = np.vstack([params.coef[start : start + m], np.zeros(params.coef.shape[1])])
    return full[np.array(children) - shape.first_child[node]]
