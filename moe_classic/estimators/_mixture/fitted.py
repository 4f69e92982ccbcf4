"""From the best run of a fit to the record that the estimator keeps."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from moe_classic._model import order_of, same_shapes
from moe_classic._results import FittedMixture, view_experts
from moe_classic._targets import TrainingData
from moe_classic._training import BoundModel, OnlineState, RowBuffer, Trained, Trainer
from moe_classic._warnings import quiet, unseen

from .rows import RowChecker


@dataclass(frozen=True, eq=False)
class LearnedMixture(FittedMixture):
    """What an estimator keeps: the mixture, how it was found, and where learning may go on.

    Attributes
    ----------
    report : dict of lists
        What became of every start.
    online : OnlineState
    buffer : RowBuffer or None
        The first rows of ``partial_fit``, while they are kept.
    growth : list of dict, or None
        Rounds of a tree that grew.
    recursion : recursions of ``learn_recursively`` with the state that they led to, or None
    n_degenerate : int
        Experts at a bound that only keeps the likelihood finite, or spurious.
    """

    report: dict[str, list[Any]]
    online: OnlineState
    buffer: RowBuffer | None = None
    growth: list[dict[str, Any]] | None = None
    recursion: Any = None
    n_degenerate: int = 0


def learned_mixture(trainer: Trainer, trained: Trained, order_by: Any) -> LearnedMixture:
    """The record of a fit, on the original scales, experts ordered by ``order_by``."""
    data, params, model = trainer.data, trained.result.params, trainer.model
    maps, mass, offset = trainer.plan.maps, trained.final_pass.mass, trainer.offset()
    order = None
    if model.exchangeable:
        standard = model.rescale(params, data.target.shift, data.target.factor)
        order = order_of(view_experts(model, standard, maps, mass / mass.sum()), order_by)
    fitted = LearnedMixture(
        model,
        params,
        maps,
        data.summary,
        data.target,
        mass,
        offset,
        order,
        trainer.null,
        (),
        report=_columns(trained.report, offset),
        online=trained.final_pass.state(params, data.summary.weight),
        n_degenerate=trained.n_degenerate,
    ).at(params, mass)
    if unseen():
        return fitted
    return replace(fitted, separated=trainer.separations(fitted.standard_params))


def _columns(rows: list[dict[str, Any]], offset: float) -> dict[str, list[Any]]:
    """What is said of starts, column by column, with heights of y in the user's units.

    Plain lists: skops and others store them without knowing pandas, and a fit does not wait for
    a DataFrame that few ask for.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name, np.nan) for row in rows] for name in names}
    columns["objective"] = [row["objective"] + offset * row["weight"] for row in rows]
    return columns


def check_warm_start(
    last: LearnedMixture | None,
    bound: BoundModel,
    data: TrainingData,
    n_features: int,
    checker: RowChecker,
) -> None:
    """Raise if a fit cannot go on from the last one, which had ``n_features``."""
    if not bound.model.additive:
        raise ValueError(
            "warm_start=True cannot go on from scikit-learn estimators, which are refitted "
            "from scratch. Set warm_start=False; init=moe.responsibilities(X, y) starts from "
            "the shares of an earlier fit."
        )
    if last is None:
        return
    n_experts = bound.model.n_experts
    if last.model.n_experts != n_experts or n_features != checker.n_features:
        raise ValueError(
            "warm_start=True cannot go on: the last fit had "
            f"{last.model.n_experts} experts and {n_features} features, now there are "
            f"{n_experts} and {checker.n_features}. Set warm_start=False."
        )
    designs = [(m.names, m.width, m.averaged) for m in bound.maps]
    if designs != [(m.names, m.width, m.averaged) for m in last.maps] or not same_shapes(
        bound.model.start(bound.widths, data.summary), last.params
    ):
        raise ValueError(
            "warm_start=True cannot go on: the last fit had other experts, another gate, other "
            "features, a target of another kind, or groups where now there are none or the other "
            "way round. Set warm_start=False."
        )


def how_it_ended(trainer: Trainer, trained: Trained) -> dict[str, Any]:
    """Fitted attributes about the run itself."""
    result, weight = trained.result, trainer.data.summary.weight
    return {
        "log_likelihood_": trained.final_pass.log_likelihood
        - weight * trainer.data.target.log_unit,
        "trace_": np.array(result.trace) + trainer.offset() * weight,
        "n_iter_": result.n_iter,
        "converged_": result.converged,
    }


def warn_of_the_end(trainer: Trainer, trained: Trained) -> None:
    """One warning for each thing that the user should know about the fit."""
    if quiet():
        return
    result, objective_name = trained.result, trainer.solver.objective_name
    if not (result.converged or result.failure or "callback" in result.message):
        known = np.isfinite(result.gain_left)
        what = "nats of log-likelihood"
        if objective_name != "likelihood":
            what = f"units of the objective ({objective_name})"
        left = f"about {result.gain_left:.3g}" if known else "an unknown number of"
        warnings.warn(
            f"The fit stopped after max_iter={trainer.max_iter} passes with {left} {what} still "
            "to gain. Raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=6,
        )
    spikes = min(row["degenerate_experts"] for row in trained.report if row["finalist"])
    bounded = trainer.model.n_degenerate(trained.result.params, trainer.summary)
    shrunk = int(trainer.model.gate.degenerate(trained.result.params.gate).sum())
    if shrunk:
        warnings.warn(
            f"The gate has shrunk on to single values for {shrunk} of {trainer.model.n_experts} "
            "experts: they have the smallest variance allowed where others have much more, and "
            "the likelihood only measures reg_covar. Use fewer experts, raise reg_covar, or "
            "gate='softmax', which does not describe x.",
            ConvergenceWarning,
            stacklevel=6,
        )
    elif spikes and bounded:
        warnings.warn(
            f"{bounded} of {trainer.model.n_experts} experts have the smallest scale allowed: "
            "each passes almost exactly through the rows that it explains, and its standard "
            "errors measure min_scale. Use fewer experts if these rows are few; lower min_scale of "
            "the expert if they are many and the data are that precise.",
            ConvergenceWarning,
            stacklevel=6,
        )
