"""What hierarchical estimators do and answer besides what flat ones do."""

from __future__ import annotations

import numbers
from dataclasses import asdict, replace
from typing import Any, cast

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from moe_classic._arguments import check_integer, check_real
from moe_classic._data import RawData
from moe_classic._results import (
    FittedTreeGate,
    PathExplanation,
    TreeNode,
    checked_pairs,
    checked_rows,
    expert_equations,
    export_graphviz,
    export_text,
    view_tree,
)
from moe_classic._training import Trained, Trainer
from moe_classic._typing import Floats
from moe_classic.estimators._mixture import LearnedMixture, MixtureEstimator
from moe_classic.experts import LinearExpert
from moe_classic.gates import Nested, TreeGate, count_leaves, parse_branching, write_branching

from .growth import Growth
from .trainer import TreeSettings, TreeStreamTrainer, TreeTrainer

#: Values that only growing trees read, with their defaults: anything else there is an error.
_GROWTH_DEFAULTS = {"max_leaves": 32, "criterion": "bic", "validation_fraction": 0.2}
_CRITERIA = ("bic", "held_out")


class TreeEstimator(MixtureEstimator):
    """Hierarchical mixtures: how their tree is asked for, found and shown."""

    _trainer: type[TreeTrainer] = TreeTrainer
    _stream_trainer: type[TreeStreamTrainer] = TreeStreamTrainer
    branching: Any
    depth: int | None
    node: Any
    least_squares_iter: int
    max_leaves: int
    criterion: str
    validation_fraction: float
    tree_: TreeNode
    branching_: Any
    predict: Any
    expert_predictions: Any

    # -------------------------------------------------------------------- arguments

    @property
    def n_experts(self) -> int:
        """Number of leaves; that of the last fit, if any, for a tree that grows."""
        return count_leaves(self._nested())

    @property
    def gate(self) -> TreeGate:
        """The tree of gates that the arguments describe."""
        return TreeGate(write_branching(self._nested()), node=self.node)

    def _grows(self) -> bool:
        """Whether the shape of the tree is to be found."""
        return isinstance(self.branching, str) and self.branching == "grow"

    def _nested(self) -> Nested:
        """Shape of the tree that training starts with."""
        owner = type(self).__name__
        if self._grows():
            # Any tree will do as a pattern of what is to grow.
            fitted = self._fitted
            return (1, 1) if fitted is None else cast(TreeGate, fitted.model.gate).nested
        if isinstance(self.branching, str):
            raise ValueError(
                f"{owner}: branching={self.branching!r} is not known; give the number of children "
                "on each level, such as (2, 2), nested lists, or 'grow'."
            )
        if isinstance(self.branching, numbers.Real):
            count = check_integer("branching", self.branching, 2, "children of every node")
            if self.depth is None:
                raise ValueError(
                    f"{owner}: branching={self.branching!r} says how many children a node has, but "
                    "not how many levels there are; give depth too, or write "
                    f"branching=({self.branching!r},)."
                )
            levels = check_integer("depth", self.depth, 1, "the number of levels")
            return parse_branching((count,) * levels, owner)
        if self.depth is not None:
            raise ValueError(
                f"{owner}: depth={self.depth!r} has no meaning with branching={self.branching!r}, "
                "which says itself how deep the tree is; write branching=2, depth="
                f"{self.depth!r} for binary levels."
            )
        return parse_branching(self.branching, owner)

    def _resolve_arguments(self) -> Any:
        """Components and solver, all checked, and what is special to trees."""
        check_integer(
            "least_squares_iter", self.least_squares_iter, 0, "passes of the second algorithm"
        )
        self._check_growth()
        resolved = super()._resolve_arguments()
        groups = resolved[0]
        if self._grows() and (len(groups) > 1 or not isinstance(groups[0][1], LinearExpert)):
            raise ValueError(
                "branching='grow' needs experts of one linear family, whose leaves can be split "
                f"and merged; got expert={self.expert!r}. Give a branching instead."
            )
        return resolved

    def _check_growth(self) -> None:
        """Raise unless the arguments of growth make sense, or are untouched where none grows."""
        if not self._grows():
            touched = [k for k, v in _GROWTH_DEFAULTS.items() if getattr(self, k) != v]
            if touched:
                raise ValueError(
                    f"{', '.join(touched)} say how a tree grows and have no meaning with "
                    f"branching={self.branching!r}; leave them at their defaults or set "
                    "branching='grow'."
                )
            return
        check_integer("max_leaves", self.max_leaves, 2, "the largest number of experts")
        if self.depth is not None:
            check_integer("depth", self.depth, 1, "the largest number of levels, or None")
        if self.criterion not in _CRITERIA:
            raise ValueError(f"criterion={self.criterion!r} must be one of {_CRITERIA}.")
        check_real("validation_fraction", self.validation_fraction, 0.0, "a share of the rows")
        if not 0.0 < self.validation_fraction < 1.0:
            raise ValueError(
                f"validation_fraction={self.validation_fraction!r} must lie strictly between 0 "
                "and 1."
            )
        if self.criterion == "bic" and self.validation_fraction != 0.2:
            raise ValueError(
                "validation_fraction has no meaning with criterion='bic'; leave it at its default "
                "or set criterion='held_out'."
            )
        if not isinstance(self.init, str):
            raise ValueError(
                "init gives the responsibilities of a known number of experts, but with "
                "branching='grow' that number is to be found; pass the name of a strategy."
            )
        if self.least_squares_iter:
            raise ValueError(
                "least_squares_iter has no meaning with branching='grow', which has no starts; "
                "set it to 0."
            )

    def _check_size(self, n: int, *, of_subjects: bool = False) -> None:
        """Raise if there are more leaves than rows, or than groups; or where groups do not fit."""
        if of_subjects and (self._grows() or self.least_squares_iter):
            what = "branching='grow'" if self._grows() else "least_squares_iter"
            raise ValueError(
                f"groups has no meaning with {what}, which splits and fits single rows. Give the "
                "tree a shape, such as branching=(2, 2), and leave least_squares_iter at 0."
            )
        if not self._grows() and self.n_experts > n:
            what = f"{n} groups" if of_subjects else f"n_samples={n} rows of X"
            raise ValueError(
                f"branching={self.branching!r} asks for {self.n_experts} leaves, more than the "
                f"{what} with positive weight; use fewer leaves or more "
                f"{'groups' if of_subjects else 'rows'}."
            )

    # -------------------------------------------------------------------- fit

    def _train(self, trainer: Trainer, raw: RawData) -> Trained:
        """Run the starts, or grow."""
        growth = None
        if self._grows():
            growth = Growth(self.max_leaves, self.depth, self.criterion, self.validation_fraction)
        tree_trainer = cast(TreeTrainer, trainer)
        tree_trainer.settings = TreeSettings(self.least_squares_iter, growth)
        return super()._train(trainer, raw)

    def _record(self, trainer: Trainer, trained: Trained) -> LearnedMixture:
        """What is kept of a fit, with the history of a tree that grew."""
        history = cast(TreeTrainer, trainer).history
        growth = None if history is None else [asdict(step) for step in history]
        return replace(super()._record(trainer, trained), growth=growth)

    def _public(self, fitted: LearnedMixture) -> dict[str, Any]:
        """Fitted attributes that follow from the record: the tree beside gate and experts."""
        gate = fitted.params.gate
        return super()._public(fitted) | {
            "tree_": view_tree(gate, cast(FittedTreeGate, fitted.gate), fitted.experts),
            "branching_": write_branching(gate.shape.nested),
        }

    @property
    def growth_(self) -> pd.DataFrame:
        """What was tried while the tree grew: one row a round of splits or merges."""
        growth = None if self._fitted is None else self._fitted.growth
        if growth is None:
            raise AttributeError("growth_ is there after a fit with branching='grow'.")
        columns = ["action", "leaves", "depth", "log_likelihood", "score"]
        return pd.DataFrame(growth).reindex(columns=columns)

    # -------------------------------------------------------------------- nodes

    def node_proba(self, X: Any, *, groups: Any = None) -> Floats:
        """Probability that a row passes through each node, before y is seen.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        groups : array-like of shape (n_samples,), default=None
            Labels of subjects; the gates see the mean of the rows of each.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_nodes)
            Nodes breadth first, as ``tree_.nodes()``: the root, always 1, comes first; children
            add up to their parent, leaves to 1. A child's column over its parent's is the
            conditional probability that the gate of the parent gives.
        """
        if groups is not None:
            shape = self._mixture.params.gate.shape
            return np.ascontiguousarray(shape.up(self.gate_proba(X, groups=groups).T).T)
        X, fitted = checked_rows(self, X), self._mixture
        gate, params = cast(TreeGate, fitted.model.gate), fitted.params.gate
        number = fitted.model.gate_design
        return np.concatenate(
            fitted.answers(
                lambda b: np.exp(gate.log_nodes(params, b.designs[number])).T,
                X,
                n_jobs=self.n_jobs,
            )
        )

    def node_responsibilities(self, X: Any, y: Any, *, groups: Any = None) -> Floats:
        """Posterior probability of each node given x and y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        groups : array-like of shape (n_samples,), default=None
            Labels of subjects, whose rows have their posterior in common.

        Returns
        -------
        R : ndarray of shape (n_samples, n_nodes)
            Nodes breadth first, as in :meth:`node_proba`.
        """
        if groups is not None:
            shape = self._mixture.params.gate.shape
            return np.ascontiguousarray(shape.up(self.responsibilities(X, y, groups=groups).T).T)
        (X, columns), fitted = checked_pairs(self, X, y), self._mixture
        shape, posterior = fitted.params.gate.shape, fitted.model.responsibilities
        return np.concatenate(
            fitted.answers(
                lambda b: shape.up(posterior(fitted.params, b)).T, X, columns, n_jobs=self.n_jobs
            )
        )

    # -------------------------------------------------------------------- how it reads

    def export_text(self, *, decimals: int = 3) -> str:
        """The tree as indented text: shares, split directions, equations at the leaves.

        Parameters
        ----------
        decimals : int, default=3
            Digits after the point; terms that round to zero are left out.

        Returns
        -------
        text : str
        """
        check_is_fitted(self)
        check_integer("decimals", decimals, 0, "digits after the point")
        return export_text(self.tree_, self._mixture.target.equations, decimals=decimals)

    def export_graphviz(self, *, decimals: int = 3) -> str:
        """The tree as source text for Graphviz' ``dot``.

        Parameters
        ----------
        decimals : int, default=3
            Digits after the point; terms that round to zero are left out.

        Returns
        -------
        source : str
        """
        check_is_fitted(self)
        check_integer("decimals", decimals, 0, "digits after the point")
        return export_graphviz(self.tree_, self._mixture.target.equations, decimals=decimals)

    def explain_path(self, X: Any, *, decimals: int = 3) -> list[PathExplanation]:
        """The most probable path of each row and the linear equation at its end.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        decimals : int, default=3
            Digits after the point in the equations.

        Returns
        -------
        explanations : list of PathExplanation
            One a row, with ``labels``, ``probabilities``, ``probability``, ``expert``,
            ``equations``, ``prediction`` and ``blended``; ``print`` shows it as text.
        """
        check_integer("decimals", decimals, 0, "digits after the point")
        proba = self.node_proba(X)
        nodes, leaves = self.tree_.nodes(), self.tree_.leaves()
        alone, blended = self._mixture.target.decided(self.expert_predictions(X)), self.predict(X)
        names, out = self._mixture.target.equations, []
        best = proba[:, [leaf.number for leaf in leaves]].argmax(axis=1)
        for i, k in enumerate(best):
            leaf, numbers = leaves[k], [0]
            for step in leaf.path:
                numbers.append(nodes[numbers[-1]].children[step].number)
            reached = proba[i, numbers]
            out.append(
                PathExplanation(
                    [nodes[number].label for number in numbers],
                    reached[1:] / np.maximum(reached[:-1], np.finfo(float).tiny),
                    float(reached[-1]),
                    leaf.expert,
                    expert_equations(leaf.expert, names, decimals=decimals),
                    alone[i, k],
                    blended[i],
                )
            )
        return out
