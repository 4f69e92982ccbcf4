"""Fitted trees as users see them: nodes that can be walked, text, Graphviz source, paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moe_classic._components import INTERCEPT, SLOPE
from moe_classic._data import DesignMap
from moe_classic._typing import Floats
from moe_classic.gates import TreeParams
from moe_classic.penalties import centred_slopes


@dataclass(frozen=True, eq=False)
class TreeNode:
    """A node of a fitted tree and everything below it.

    Attributes
    ----------
    number : int
        Place among all nodes, breadth first; column of ``node_proba``.
    path : tuple of int
        Child numbers on the way from the root, from 0.
    label : str
        ``"root"``, ``"node 1.2"`` (second child of the first child), or the name of the expert.
    weight_ : float
        Share of the training weight that the experts below explain.
    children : tuple of TreeNode
        Empty at a leaf.
    coef_ : ndarray of shape (C, p), or None
        Slopes of the gate over the children, relative to the last child, on the original scale of
        the features; None at a leaf.
    intercept_ : ndarray of shape (C,), or None
    feature_names_ : tuple of str
        Names of the features of the gate.
    expert : fitted expert, or None
        At a leaf, as in ``experts_``; None elsewhere.
    expert_number : int or None
        Place in ``experts_``.
    """

    number: int
    path: tuple[int, ...]
    label: str
    weight_: float
    children: tuple[TreeNode, ...] = ()
    coef_: Floats | None = None
    intercept_: Floats | None = None
    feature_names_: tuple[str, ...] = ()
    expert: Any = None
    expert_number: int | None = None

    @property
    def is_leaf(self) -> bool:
        """Whether it is an expert."""
        return not self.children

    @property
    def depth(self) -> int:
        """Levels between it and the root."""
        return len(self.path)

    @property
    def n_leaves(self) -> int:
        """Number of experts below."""
        return sum(1 for node in self.walk() if node.is_leaf)

    def walk(self) -> Iterator[TreeNode]:
        """Itself and everything below, depth first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def nodes(self) -> list[TreeNode]:
        """Itself and everything below, breadth first: the order of ``node_proba``."""
        queue = [self]
        for node in queue:  # grows while it is walked
            queue.extend(node.children)
        return queue

    def leaves(self) -> list[TreeNode]:
        """Experts below, from left to right: the order of ``experts_``."""
        return [node for node in self.walk() if node.is_leaf]

    def find(self, path: tuple[int, ...]) -> TreeNode:
        """The node at a path that starts here.

        Raises
        ------
        ValueError
            If there is no such node.
        """
        node = self
        for step in path:
            if not 0 <= step < len(node.children):
                raise ValueError(
                    f"path={path!r}: {node.label} has {len(node.children)} children, there is no "
                    f"child {step!r}."
                )
            node = node.children[step]
        return node

    def __repr__(self) -> str:
        below = "" if self.is_leaf else f", {len(self.children)} children"
        return f"<TreeNode {self.label}: weight {self.weight_:.3g}{below}>"


@dataclass(frozen=True)
class FittedTreeGate:
    """The gates of a tree on the original scale of the features.

    Attributes
    ----------
    name : str
        ``"tree"``.
    feature_names_ : tuple of str
    coef_, intercept_ : list of ndarray of shapes (C, p) and (C,)
        One item a node with children, breadth first, relative to the last child; slopes of three
        or more children under a lasso are relative to the middle one.
    paths_ : list of tuple of int
        Where these nodes are: child numbers from the root.
    parameters : dict
        The same three under their names.
    """

    name: str
    feature_names_: tuple[str, ...]
    parameters: dict[str, Any]
    leaf_paths: list[tuple[int, ...]] = field(repr=False)

    @property
    def coef_(self) -> list[Floats]:
        """Slopes of the gates."""
        return self.parameters["coef_"]

    @property
    def intercept_(self) -> list[Floats]:
        """Intercepts of the gates."""
        return self.parameters["intercept_"]

    @property
    def paths_(self) -> list[tuple[int, ...]]:
        """Paths of the nodes with children."""
        return self.parameters["paths_"]

    def terms(self, k: int) -> dict[tuple[str, str], float]:
        """Coefficients of the branches to expert ``k``, node by node, keyed by (kind, term)."""
        table, path = {}, self.leaf_paths[k]
        for node, slopes, intercepts in zip(self.paths_, self.coef_, self.intercept_, strict=True):
            if path[: len(node)] != node:
                continue
            child, name = path[len(node)], node_label(node)
            table[INTERCEPT, name] = float(intercepts[child])
            for feature, value in zip(self.feature_names_, slopes[child], strict=True):
                table[SLOPE, f"{name} {feature}"] = float(value)
        return table


def node_label(path: tuple[int, ...]) -> str:
    """Name of a node with children."""
    return "node " + ".".join(str(step + 1) for step in path) if path else "root"


def view_tree_gate(
    params: TreeParams, design: DesignMap, *, sparse: bool = False
) -> FittedTreeGate:
    """View of a tree gate; ``sparse``: slopes of several children are about their middle one."""
    shape, paths = params.shape, params.shape.paths()
    coef, intercept = [], []
    for j in shape.inner:
        start = int(shape.first_row[j])
        rows = params.coef[start : start + int(shape.n_children[j]) - 1]
        full = np.vstack([rows, np.zeros(design.width)])
        if sparse and len(full) > 2:
            full[:, :-1] = centred_slopes(rows[None])[0]
        slopes, constants = design.original(full)
        coef.append(slopes)
        intercept.append(constants)
    parameters = {
        "coef_": coef,
        "intercept_": intercept,
        "paths_": [paths[j] for j in shape.inner],
    }
    leaf_paths = [paths[leaf] for leaf in shape.leaf_numbers]
    return FittedTreeGate("tree", design.names, parameters, leaf_paths)


def view_tree(params: TreeParams, gate: FittedTreeGate, experts: list[Any]) -> TreeNode:
    """The tree as nodes that can be walked."""
    shape, paths = params.shape, params.shape.paths()
    expert_of = {int(leaf): k for k, leaf in enumerate(shape.leaf_numbers)}
    place = {int(j): i for i, j in enumerate(shape.inner)}

    def build(node: int) -> TreeNode:
        if node in expert_of:
            k = expert_of[node]
            expert = experts[k]
            return TreeNode(
                node, paths[node], expert.label, expert.weight_, expert=expert, expert_number=k
            )
        children = tuple(build(child) for child in shape.children_of(node))
        return TreeNode(
            node,
            paths[node],
            node_label(paths[node]),
            float(sum(child.weight_ for child in children)),
            children,
            gate.coef_[place[node]],
            gate.intercept_[place[node]],
            gate.feature_names_,
        )

    return build(0)


# ------------------------------------------------------------------------- equations and text


def linear_terms(intercept: float, slopes: Floats, names: tuple[str, ...], *, decimals: int) -> str:
    """``1.5 + 2 x0 - 0.3 x1``; terms that round to nothing are left out."""
    small = 0.5 * 10.0**-decimals
    text = f"{intercept:.{decimals}f}"
    for slope, name in zip(slopes, names, strict=True):
        if abs(slope) >= small:
            text += f" {'-' if slope < 0 else '+'} {abs(slope):.{decimals}f} {name}"
    return text


def expert_equations(expert: Any, outputs: list[str], *, decimals: int) -> list[str]:
    """One equation a linear predictor of an expert; its repr where it has none."""
    if not hasattr(expert, "coef_"):
        return [repr(expert)]
    slopes, intercepts = np.atleast_2d(expert.coef_), np.atleast_1d(expert.intercept_)
    head = "" if expert.link in ("identity", "logit") else f"{expert.link} "
    return [
        f"{head}{output} = {linear_terms(b, a, expert.feature_names_, decimals=decimals)}"
        for output, a, b in zip(outputs, slopes, intercepts, strict=True)
    ]


def branch_conditions(node: TreeNode, *, decimals: int) -> list[str]:
    """What leads to each child: a direction for two, a score each for more."""
    scores = [
        linear_terms(b, a, node.feature_names_, decimals=decimals)
        for a, b in zip(np.asarray(node.coef_), np.asarray(node.intercept_), strict=True)
    ]
    if len(scores) == 2:
        return [f"{scores[0]} > 0", "otherwise"]
    return [*(f"score {score}" for score in scores[:-1]), "score 0"]


def export_text(tree: TreeNode, outputs: list[str], *, decimals: int) -> str:
    """The tree as indented text."""
    lines: list[str] = []

    def write(node: TreeNode, indent: str, condition: str) -> None:
        where = f" if {condition}" if condition else ""
        lines.append(f"{indent}{node.label} ({node.weight_:.1%}){where}")
        deeper = indent + "    "
        if node.is_leaf:
            lines.extend(
                f"{deeper}{equation}"
                for equation in expert_equations(node.expert, outputs, decimals=decimals)
            )
            return
        for child, text in zip(
            node.children, branch_conditions(node, decimals=decimals), strict=True
        ):
            write(child, deeper, text)

    write(tree, "", "")
    return "\n".join(lines) + "\n"


def export_graphviz(tree: TreeNode, outputs: list[str], *, decimals: int) -> str:
    """The tree as source text of Graphviz' ``dot``."""
    lines = ["digraph tree {", '    node [shape=box, fontname="sans-serif"];']
    for node in tree.nodes():
        parts = [f"{node.label} ({node.weight_:.1%})"]
        if node.is_leaf:
            parts += expert_equations(node.expert, outputs, decimals=decimals)
        style = ", style=rounded" if node.is_leaf else ""
        label = "\\n".join(_escaped(line) for line in parts)
        lines.append(f'    {node.number} [label="{label}"{style}];')
    for node in tree.nodes():
        if node.is_leaf:
            continue
        for child, text in zip(
            node.children, branch_conditions(node, decimals=decimals), strict=True
        ):
            lines.append(f'    {node.number} -> {child.number} [label="{_escaped(text)}"];')
    return "\n".join([*lines, "}"]) + "\n"


def _escaped(text: str) -> str:
    """Text inside a quoted Graphviz string."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


# ------------------------------------------------------------------------- one row


@dataclass(frozen=True, eq=False)
class PathExplanation:
    """How a tree came to its answer for one row.

    Attributes
    ----------
    labels : list of str
        Nodes on the way to the most probable expert, the root first, the expert last.
    probabilities : ndarray of shape (depth,)
        Probability of each step, given that the node above was reached.
    probability : float
        Probability of the whole path: their product.
    expert : fitted expert
        The expert at its end.
    equations : list of str
        Its linear equation, one an output (or a class but the last: log odds against the last).
    prediction : float, ndarray or class
        What this expert predicts by itself.
    blended : float, ndarray or class
        What all experts together predict.
    """

    labels: list[str]
    probabilities: Floats
    probability: float
    expert: Any
    equations: list[str]
    prediction: Any
    blended: Any

    def __str__(self) -> str:
        lines = [self.labels[0]]
        for label, p in zip(self.labels[1:], self.probabilities, strict=True):
            lines.append(f"-> {label} with probability {p:.3f}")
        lines.append(f"{self.expert.label} applies with probability {self.probability:.3f}")
        lines.extend(f"    {equation}" for equation in self.equations)
        own, blended = _shown(self.prediction), _shown(self.blended)
        lines.append(f"    predicts {own}; all experts together: {blended}")
        return "\n".join(lines)


def _shown(value: Any) -> str:
    """A prediction as text."""
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    return np.array2string(value, precision=6) if isinstance(value, np.ndarray) else str(value)
