"""What all fitted nets answer: routing, densities, tables.

Written as functions; the base of nets has them as its methods.
"""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import estimator_html_repr
from sklearn.utils.metaestimators import available_if

from moe_classic._results import checked_rows, fitted_net
from moe_classic._typing import Floats, Ints

from .report import load_bars, summary_table

Array = np.ndarray


def mixes_densities(estimator: Any) -> bool:
    """Whether densities are mixed; else the methods that need them say so."""
    if getattr(estimator, "mix", "densities") != "densities":
        raise AttributeError(
            f"{type(estimator).__name__} with mix={estimator.mix!r} adds up outputs and has no "
            "density of its own; use mix='densities'."
        )
    return True


# ------------------------------------------------------------------------- routing


def gate_proba(self: Any, X: Any, *, layer: int = -1) -> Floats:
    """Weights of the routed experts of a layer; 0 where an expert is not consulted.

    They sum to one where the router normalises them. With tokens, means over the tokens.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    layer : int, default=-1
        Number of the sparse layer.

    Returns
    -------
    weights : ndarray of shape (n_samples, n_experts)
    """
    X = checked_rows(self, X)
    return fitted_net(self).weights(X, layer, n_jobs=self.n_jobs)


def predict_expert(self: Any, X: Any, *, layer: int = -1) -> Ints:
    """Number of the routed expert with the largest weight; -1 for rows without one.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    layer : int, default=-1

    Returns
    -------
    expert : ndarray of int of shape (n_samples,)
    """
    weights = self.gate_proba(X, layer=layer)
    return np.where((weights != 0.0).any(axis=1), weights.argmax(axis=1), -1)


def routing(self: Any, X: Any) -> pd.DataFrame:
    """Which experts each row consults, one line a row, layer and expert.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)

    Returns
    -------
    table : DataFrame
        Columns ``row``, ``layer``, ``rank`` (0 for the largest weight), ``expert``, ``weight``.
    """
    X, record = checked_rows(self, X), fitted_net(self)
    tables = [
        _consulted(record.weights(X, i, n_jobs=self.n_jobs), i)
        for i in range(len(record.net.sparse))
    ]
    table = pd.concat(tables, ignore_index=True)
    return table.sort_values(["row", "layer", "rank"], ignore_index=True)


def _consulted(weights: Array, layer: int) -> pd.DataFrame:
    """Experts with a weight, one line each."""
    order = np.argsort(-weights, axis=1, kind="stable")
    row, rank = np.nonzero(np.take_along_axis(weights, order, axis=1))
    expert = order[row, rank]
    columns = {"row": row, "layer": layer, "rank": rank, "expert": expert}
    return pd.DataFrame(columns | {"weight": weights[row, expert]})


# ------------------------------------------------------------------------- densities


@available_if(mixes_densities)
def expert_predictions(self: Any, X: Any) -> Floats:
    """What each expert that a row consults says by itself; NaN where it is not consulted.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)

    Returns
    -------
    predictions : ndarray of shape (n_samples, n_experts) or (n_samples, n_experts, n_outputs)
        Means in the shape of y, or class probabilities.
    """
    X, record = checked_rows(self, X), fitted_net(self)
    target, blocks = record.target, []
    for plan, said in record.pair_answers(X, n_jobs=self.n_jobs):
        values = record.net.head.answer(said) * target.factor + target.shift
        experts = np.repeat(np.arange(len(plan.offsets) - 1), np.diff(plan.offsets))
        full = np.full((plan.n_rows, len(plan.offsets) - 1, values.shape[1]), np.nan)
        full[plan.rows, experts] = values
        blocks.append(full)
    return target.shaped(np.moveaxis(np.concatenate(blocks), 0, -1))


@available_if(mixes_densities)
def score_samples(self: Any, X: Any, y: Any = None) -> Floats:
    """Log densities of rows, or log probabilities of their classes, in nats on the scale of y.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        None scores what the model says without a target: 0.

    Returns
    -------
    log_density : ndarray of shape (n_samples,)
    """
    X, record = checked_rows(self, X), fitted_net(self)
    if y is None:
        return np.zeros(len(X))
    columns = record.target.scored(y)
    if columns.shape[1] != len(X):
        raise ValueError(f"X has {len(X)} rows and y has {columns.shape[1]}; give one y a row.")
    return record.log_densities(X, columns, n_jobs=self.n_jobs)


# ------------------------------------------------------------------------- tables


def summary(self: Any) -> pd.DataFrame:
    """One row an expert: share of the rows, numbers, bias.

    Returns
    -------
    table : DataFrame
        Indexed by layer and expert: ``kind`` (routed or shared), ``load``, the share of the
        training pairs in the best epoch, ``load_over_mean``, ``parameters``, ``norm`` of its
        numbers, and ``bias`` where the router has one.
    """
    record = fitted_net(self)
    return summary_table(record.net, self.load_)


def _headline(self: Any) -> str:
    """One line about the fit."""
    layer = fitted_net(self).net.sparse[0]
    count = f"{layer.n_routed} experts behind {layer.router!r}"
    best = f"epoch {self.best_iter_} of {self.n_iter_}"
    numbers = f"{self.n_active_parameters_:,} of {self.n_parameters_:,} parameters a row"
    return f"{count}; loss {self.best_loss_:.4g} in {best}; {numbers}"


def _html_repr(self: Any) -> str:
    """scikit-learn's diagram, and once fitted the load of every layer as bars."""
    diagram = estimator_html_repr(self)
    if self._fitted is None:
        return diagram
    bars = "".join(load_bars(i, share) for i, share in enumerate(self.load_))
    return (
        f'{diagram}<div class="moe-cards" style="font-size:.9em;margin-top:.6em;">'
        f"<div>{escape(self._headline())}</div>{bars}</div>"
    )
