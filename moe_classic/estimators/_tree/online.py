"""``learn_recursively``: the on-line algorithm of Jordan & Jacobs behind an estimator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from moe_classic._arguments import check_integer, check_real
from moe_classic._data import RawData
from moe_classic._training import observe
from moe_classic._typing import Floats
from moe_classic.estimators._mixture import LearnedMixture, as_one, set_online, source_of
from moe_classic.experts import shares_any

from .recursive_least_squares import Forgetting, RecursiveTree

#: Rows a coefficient in the block that is fitted before recursions begin.
_FIRST_ROWS = 10


def learn_recursively(
    self: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    forgetting: float = 0.99,
    approach: float = 0.6,
    interval: int = 1000,
) -> Any:
    """Learn from rows one at a time, in their order, by recursive least squares.

    The on-line algorithm of Jordan & Jacobs (1994), appendix B, with the posterior weights that
    its printed recursion lacks: experts by weighted least squares, gates by least squares on
    the log posteriors, both exact at every row. An estimator that was not fitted yet first
    fits a block of rows, ten a coefficient or ``interval``, as :meth:`fit` would, which also
    fixes the standardisation; after :meth:`fit` or another call learning goes on. With a
    single expert and ``forgetting=1`` the result is ordinary least squares on all rows.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight : array-like of shape (n_samples,), default=None
    forgetting : float in (0, 1], default=0.99
        What is left of the weight of a row after the next one.
    approach : float in [0, 1], default=0.6
        Part of the way to 1 that ``forgetting`` goes after every ``interval`` rows; the paper's
        values are the defaults.
    interval : int, default=1000
        Rows.

    Returns
    -------
    self : estimator

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or the experts are not linear Gaussian ones without
        penalty.

    References
    ----------
    Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6, appendix B. Ljung & Soderstrom (1983), Theory and practice of recursive
    identification, section 2.6.
    """
    check_real("forgetting", forgetting, 0.0, "what is left of the weight of a row")
    check_real("approach", approach, 0.0, "part of the way to 1")
    if not 0.0 < forgetting <= 1.0:
        raise ValueError(f"forgetting={forgetting!r} must lie in (0, 1].")
    if approach > 1.0:
        raise ValueError(f"approach={approach!r} must lie in [0, 1].")
    check_integer("interval", interval, 1, "rows between changes of forgetting")
    _check_recursive(self)
    return as_one(self, _learn, X, y, sample_weight, Forgetting(forgetting, approach, interval))


def _learn(self: Any, X: Any, y: Any, sample_weight: Any, forgetting: Forgetting) -> None:
    """A first fit, where there was none, and the recursions."""
    fitted: LearnedMixture | None = self._fitted
    if fitted is not None and fitted.grouped:
        raise ValueError(
            "the model was fitted with groups, and learn_recursively learns single rows one by "
            "one. Use partial_fit with groups."
        )
    checker = self._checker(None if fitted is None else fitted.target, fitted=fitted is not None)
    raw = checker(X, y, sample_weight)
    if fitted is None:
        count = max(forgetting.interval, _FIRST_ROWS * self.n_experts * (raw.X.shape[1] + 1))
        self._fit_rows(_rows(raw, slice(0, count)), checker)
        raw = _rows(raw, slice(count, None))
    if raw.w.size:
        _recur(self, raw, forgetting)


def _check_recursive(estimator: Any) -> None:
    """Raise unless the experts are linear, Gaussian and without penalty."""
    groups = estimator._resolve_arguments()[0]
    expert = groups[0][1]
    if len(groups) > 1 or expert.name != "gaussian":
        raise ValueError(
            "learn_recursively needs linear Gaussian experts of one kind, whose least squares "
            f"it carries along; got expert={estimator.expert!r}. Use partial_fit."
        )
    if shares_any(expert):
        raise ValueError(
            f"learn_recursively updates the experts one by one, but shared={expert.shared!r} makes "
            "them move together. Leave shared=None or use partial_fit."
        )
    if expert.alpha != 0.0:
        raise ValueError(
            f"learn_recursively fits without a penalty, but the expert has alpha="
            f"{expert.alpha!r}. Set alpha=0 or use partial_fit."
        )
    for part, owner in (("expert", expert), ("nodes", estimator.gate)):
        if owner.penalty is not None:
            raise ValueError(
                f"learn_recursively fits without a penalty, but penalty={owner.penalty!r} is that "
                f"of the {part}. Leave it out or use partial_fit."
            )


def _recur(estimator: Any, raw: RawData, forgetting: Forgetting) -> None:
    """Take validated rows into account one by one."""
    fitted: LearnedMixture = estimator._fitted
    model, tree = fitted.model, _recursive_tree(fitted)
    blocks = list(source_of(estimator, fitted, raw))
    for block in blocks:
        Zg, Ze = block.designs[model.gate_design].Z, block.designs[model.groups[0].design].Z
        tree.learn(Zg, Ze, block.y, block.w, forgetting)
    batch = observe(model, tree.params(), blocks)
    state = replace(batch, weight=fitted.online.weight + batch.weight)
    set_online(estimator, state, tree.mass, recursion=(state, tree), buffer=None)


def _recursive_tree(fitted: LearnedMixture) -> RecursiveTree:
    """The recursions of the last call, or new ones where something else was learned since."""
    if fitted.recursion is not None and fitted.recursion[0] is fitted.online:
        tree: RecursiveTree = fitted.recursion[1]
        return tree
    expert: Any = fitted.model.groups[0].expert
    floor: Floats = expert.min_scale * fitted.summary.noise_unit
    return RecursiveTree(fitted.model, fitted.online, floor, tied=expert.tied)


def _rows(raw: RawData, rows: slice) -> RawData:
    """Some of the validated rows."""
    used = np.ones(raw.w[rows].size, dtype=bool)
    return RawData(raw.X[rows], raw.key[:, rows], raw.w[rows], used)
