"""A hierarchical mixture of experts as a tree: split directions, mass, equations at the leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from moe_classic._results import FittedMixture, fitted_mixture, fitted_moe
from moe_classic._typing import Floats

from ._style import DATA_COLOR, axes_for, expert_color, ink, paper, wrapped

#: Widths of a branch that carries nothing, and of one that carries everything, in points.
_THIN, _THICK = 0.6, 9.0
#: Room for a level and for a leaf, in inches.
_LEVEL_INCHES, _LEAF_INCHES, _TEXT_INCHES = 2.3, 0.5, 3.4


class TreeDisplay:
    """A fitted tree of gates, the root on the left, the experts on the right.

    The width of a branch is its share of the training weight. A node says which linear form of the
    features decides: where it is positive the upper branch is the likelier one; a node with more
    than two children has one form a child, and the largest wins. A leaf has the equation of its
    expert. Long forms are cut to their largest terms, measured in standard deviations of the
    features.

    Build it with :meth:`from_estimator`, or from parts.

    Parameters
    ----------
    tree : TreeNode
        Root of the tree, ``tree_`` of a hierarchical estimator.
    conditions : dict of int to sequence of str
        By number of a node with children: one text a child; for two children one text, the form
        whose sign decides.
    equations : dict of int to sequence of str
        By number of a leaf: its equations.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    positions_ : dict of int to (float, float)
        Where each node is drawn, by its number.

    Examples
    --------
    >>> from moe_classic import HierarchicalMoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.inspection import TreeDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> tree = HierarchicalMoERegressor((2, 2), random_state=0).fit(X, y)
    >>> display = TreeDisplay.from_estimator(tree)
    >>> display.ax_.axison
    False
    """

    ax_: Any
    figure_: Any
    positions_: dict[int, tuple[float, float]]

    def __init__(
        self,
        *,
        tree: Any,
        conditions: dict[int, Sequence[str]],
        equations: dict[int, Sequence[str]],
    ) -> None:
        self.tree = tree
        self.conditions = conditions
        self.equations = equations

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, max_terms: int = 3, decimals: int = 2, ax: Any = None, **plot: Any
    ) -> TreeDisplay:
        """Draw the tree of a fitted hierarchical estimator.

        Parameters
        ----------
        estimator : fitted estimator
            A hierarchical mixture of experts, a pipeline that ends in one, or a search over them.
        max_terms : int, default=3
            Most features in a form or an equation; what is left out is marked by dots.
        decimals : int, default=2
            Digits after the point.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : TreeDisplay

        Raises
        ------
        TypeError
            If the estimator has no tree.
        ValueError
            If ``max_terms`` or ``decimals`` is out of range.
        """
        for name, value, low in (("max_terms", max_terms, 1), ("decimals", decimals, 0)):
            if not isinstance(value, (int, np.integer)) or value < low:
                raise ValueError(f"{cls.__name__}: {name}={value!r} must be an integer >= {low}.")
        moe = fitted_moe(estimator, needs="tree_", caller=cls.__name__)
        fitted = fitted_mixture(moe)
        spread = _feature_spreads(fitted)
        conditions: dict[int, Sequence[str]] = {}
        equations: dict[int, Sequence[str]] = {}
        for node in moe.tree_.nodes():
            if node.is_leaf:
                equations[node.number] = _equations(
                    node.expert, fitted.target.equations, spread, max_terms, decimals
                )
                continue
            forms = [
                _short_form(b, a, node.feature_names_, spread, max_terms, decimals)
                for a, b in zip(node.coef_, node.intercept_, strict=True)
            ]
            conditions[node.number] = forms[:1] if len(forms) == 2 else forms
        return cls(tree=moe.tree_, conditions=conditions, equations=equations).plot(ax, **plot)

    def plot(self, ax: Any = None, *, fontsize: float = 8.0) -> TreeDisplay:
        """Draw the tree.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure that is large enough.
        fontsize : float, default=8.0
            Size of all texts, in points.

        Returns
        -------
        self : TreeDisplay
        """
        leaves = self.tree.leaves()
        depth = max(leaf.depth for leaf in leaves)
        lines = sum(
            self._text(leaf, fontsize).count("\n") for leaf in self.tree.walk() if leaf.is_leaf
        )
        height = max(_LEAF_INCHES * len(leaves), 0.2 * (lines + len(leaves)), 1.2)
        self.ax_ = ax = axes_for(ax, size=(_LEVEL_INCHES * depth + _TEXT_INCHES, height))
        self.figure_ = ax.figure
        self.positions_ = _positions(self.tree, depth)
        for node in self.tree.walk():
            for child in node.children:
                self._draw_branch(node, child)
        for node in self.tree.walk():
            self._draw_node(node, fontsize)
        ax.set_xlim(-0.15, depth + _TEXT_INCHES / _LEVEL_INCHES)
        ax.set_ylim(-len(leaves) + 0.4, 0.6)
        ax.set_axis_off()
        return self

    def _draw_branch(self, node: Any, child: Any) -> None:
        """The line from a node to one of its children, as wide as the child's share."""
        (x0, y0), (x1, y1) = self.positions_[node.number], self.positions_[child.number]
        middle = x0 + 0.75 * (min(x0 + 1.0, x1) - x0)
        color = expert_color(child.expert_number) if child.is_leaf else DATA_COLOR
        self.ax_.plot(
            [x0, middle, x1],
            [y0, y1, y1],
            color=color,
            linewidth=_THIN + _THICK * child.weight_,
            solid_joinstyle="round",
            zorder=1,
        )

    def _text(self, node: Any, fontsize: float) -> str:
        """Name and share of a node, and its form or its equations, in lines for which is room."""
        lines = [f"{node.label}, {100.0 * node.weight_:.1f} %"]
        if node.is_leaf:
            lines += self.equations[node.number]
        elif len(node.children) == 2:
            lines.append(f"{self.conditions[node.number][0]} > 0 ?")
        else:
            forms = enumerate(self.conditions[node.number], 1)
            lines += [f"{c}: {form}" for c, form in forms]
        inches = _TEXT_INCHES if node.is_leaf else 1.25 * _LEVEL_INCHES
        letters = int(inches * 72.0 / (0.5 * fontsize))
        return "\n".join(wrapped(line, letters) for line in lines)

    def _draw_node(self, node: Any, fontsize: float) -> None:
        """The name, share and form of a node, or the equations of a leaf."""
        x, y = self.positions_[node.number]
        text = self._text(node, fontsize)
        if node.is_leaf:
            color = expert_color(node.expert_number)
            self.ax_.plot([x], [y], "o", color=color, markersize=7.0, zorder=4)
            self.ax_.annotate(
                text, (x, y), (8.0, 0.0), textcoords="offset points", fontsize=fontsize, va="center"
            )
            return
        self.ax_.annotate(
            text,
            (x, y),
            fontsize=fontsize,
            color=ink(self.ax_),
            va="center",
            ha="left" if node is self.tree else "center",
            bbox={**_BOX, "facecolor": paper(self.ax_)},
            zorder=4,
        )


_BOX = {"boxstyle": "round,pad=0.3", "edgecolor": DATA_COLOR}


def _positions(tree: Any, depth: int) -> dict[int, tuple[float, float]]:
    """Leaves one below the other at the right, nodes half way between their outer children."""
    places: dict[int, tuple[float, float]] = {}
    for i, leaf in enumerate(tree.leaves()):
        places[leaf.number] = (float(depth), -float(i))
    for node in reversed(tree.nodes()):
        if not node.is_leaf:
            heights = [places[child.number][1] for child in node.children]
            places[node.number] = (float(node.depth), 0.5 * (heights[0] + heights[-1]))
    return places


def _feature_spreads(fitted: FittedMixture) -> dict[str, float]:
    """Standard deviations of all features that gates and experts see, by name."""
    spread: dict[str, float] = {}
    for design in fitted.maps:
        spread |= dict(zip(design.names, design.unit.tolist(), strict=True))
    return spread


def _short_form(
    intercept: float,
    slopes: Floats,
    names: Sequence[str],
    spread: dict[str, float],
    most: int,
    decimals: int,
) -> str:
    """A linear form cut to its largest terms."""
    size = [abs(a) * spread.get(name, 1.0) for a, name in zip(slopes, names, strict=True)]
    kept = sorted(np.argsort(size)[::-1][:most])
    if intercept == 0.0 and not any(size):
        return "0"
    sign = "\N{MINUS SIGN}" if intercept < 0.0 else ""
    text = f"{sign}{abs(intercept):.{decimals}f}"
    for j in kept:
        if size[j] > 0.0:
            sign = "\N{MINUS SIGN}" if slopes[j] < 0.0 else "+"
            text += f" {sign} {abs(slopes[j]):.{decimals}f} {names[j]}"
    return text + (" + \N{HORIZONTAL ELLIPSIS}" if len(slopes) > most else "")


def _equations(
    expert: Any, outputs: Sequence[str], spread: dict[str, float], most: int, decimals: int
) -> list[str]:
    """The equations of a leaf, or what it is where it has none."""
    if not hasattr(expert, "coef_"):
        return [expert.name]
    slopes, intercepts = np.atleast_2d(expert.coef_), np.atleast_1d(expert.intercept_)
    return [
        f"{output} = {_short_form(b, a, expert.feature_names_, spread, most, decimals)}"
        for output, a, b in zip(outputs, slopes, intercepts, strict=True)
    ]
