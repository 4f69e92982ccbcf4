"""What every fitted estimator holds, and how a fit leaves it there."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from moe_classic._data import DesignMap, Summary
from moe_classic._model import Model, MoEParams, order_of
from moe_classic._results import AnyExpert, AnyGate, expert_labels, view_experts, view_gate
from moe_classic._training import OnlineState, RowBuffer, Trained, Trainer, report_fits
from moe_classic._typing import Floats, Ints
from moe_classic._warnings import quiet


class Published(BaseEstimator):
    """Arguments and fitted attributes that the parts of an estimator rely on."""

    _target: str

    # arguments
    expert: Any
    max_iter: int
    standardize: bool
    block_size: int | None
    order_by: Any = "mass"

    # what a fit leaves
    n_features_in_: int
    experts_: list[AnyExpert]
    gate_: AnyGate
    log_likelihood_: float
    trace_: Floats
    n_iter_: int
    converged_: bool
    n_parameters_: int
    _model: Model
    _maps: tuple[DesignMap, ...]
    _params: MoEParams
    _shift: Floats
    _factor: Floats
    _summary: Summary
    _shares: Floats
    _offset: float
    _order: Ints | None
    _width_in: int
    _start_report: dict[str, list[Any]]
    _online_state: OnlineState | None = None
    _kept: RowBuffer | None = None

    def _publish(self, trainer: Trainer, trained: Trained) -> None:
        """Set the fitted attributes, on the original scales, experts ordered by mass."""
        data, result, model = trainer.data, trained.result, trainer.model
        mass, offset = trained.final_pass.mass, trainer.offset()
        self._model, self._maps = model, trainer.plan.maps
        self._shift, self._factor = data.shift, data.factor
        self._width_in = self.n_features_in_
        self._summary = data.summary
        self._offset = offset
        self._order = None
        if model.exchangeable:
            standard = model.rescale(result.params, data.shift, data.factor)
            views = view_experts(model, standard, self._maps, mass / mass.sum())
            self._order = order_of(views, self.order_by)
        self._show(result.params, mass)
        self._online_state = trained.final_pass.state(result.params, data.summary.weight)
        self._kept = None
        target_offset = -data.summary.weight * float(np.log(data.factor).sum())
        self.log_likelihood_ = trained.final_pass.log_likelihood + target_offset
        self.trace_ = np.array(result.trace) + offset * data.summary.weight
        self.n_iter_ = result.n_iter
        self.converged_ = result.converged
        report = trained.report
        report = report.assign(objective=report.objective + offset * report.weight)
        # Plain lists: skops and others store them without knowing pandas.
        self._start_report = report.reset_index().to_dict(orient="list")
        self._warn(trained, trainer.solver.objective_name)
        report_fits(model, self._params, self._expert_labels())

    def _show(self, params: MoEParams, mass: Floats) -> None:
        """Publish parameters on the original scales, experts in their public order."""
        model, order = self._model, self._order
        if order is not None:
            params = model.reorder(params, order)
            mass = mass[order]
        self._params = model.rescale(params, self._shift, self._factor)
        self._shares = mass / mass.sum()
        self.n_parameters_ = model.n_parameters(params)
        self.gate_ = view_gate(model, self._params, self._maps[model.gate_design])
        self.experts_ = view_experts(model, self._params, self._maps, self._shares)

    def _warn(self, trained: Trained, objective_name: str) -> None:
        """One warning for each thing that the user should know about the fit."""
        if quiet():
            return
        result = trained.result
        if not (result.converged or result.failure or "callback" in result.message):
            known = np.isfinite(result.gain_left)
            what = "nats of log-likelihood"
            if objective_name != "likelihood":
                what = f"units of the objective ({objective_name})"
            left = f"about {result.gain_left:.3g}" if known else "an unknown number of"
            warnings.warn(
                f"The fit stopped after max_iter={self.max_iter} passes with {left} {what} still "
                "to gain. Raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=6,
            )
        spikes = int(trained.report.degenerate_experts[trained.report.finalist].min())
        if spikes:
            warnings.warn(
                f"{spikes} of {self._model.n_experts} experts have the smallest scale allowed: "
                "each passes almost exactly through the rows that it explains. Use fewer experts, "
                "or raise min_scale of the expert if this is not what the data mean.",
                ConvergenceWarning,
                stacklevel=6,
            )

    def _expert_labels(self) -> list[str]:
        """Names of the experts in tables and legends."""
        return expert_labels(self._model)
