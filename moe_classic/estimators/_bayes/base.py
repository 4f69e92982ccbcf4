"""The fit of Bayesian mixtures, and what they answer whatever their target."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from moe_classic._arguments import check_fraction, check_integer, generator
from moe_classic._bayes import (
    BayesianLogits,
    GateParams,
    PosteriorSoftmaxGate,
)
from moe_classic._data import Block, RawData, slices_of
from moe_classic._model import MoEParams, check_order_by, null_directions, order_of
from moe_classic._results import Explanation, explain_rows, view_experts
from moe_classic._sklearn import BaseEstimator, TransformerMixin
from moe_classic._targets import Target, TrainingData
from moe_classic._training import BoundModel, bind
from moe_classic._typing import Floats, same_as
from moe_classic.estimators import _answers, _reporting
from moe_classic.estimators._mixture import RowChecker, given_responsibilities

from .fitted import FittedPosterior
from .options import check_options, checked_prior, warn_unless_converged
from .search import Found, Search


class BayesianEstimator(TransformerMixin, BaseEstimator):
    """Fit and answers of mixtures with a posterior.

    A fit leaves one record, ``_fitted``, and what users see of it, all set at once and last.
    """

    # What fits set and arguments that both mixtures have, for type checkers.
    n_experts: int
    expert_features: Any
    gate_features: Any
    coef_prior: Any
    noise_prior: Any
    gate_prior: Any
    prune: Any
    init: Any
    n_init: int
    max_iter: int
    tol: float
    random_state: Any
    order_by: Any
    experts_: list[Any]
    gate_: Any
    n_experts_: int
    lower_bound_: float
    trace_: Floats
    n_iter_: int
    converged_: bool

    _target: ClassVar[type[Target]]
    _listed = "expert"
    _fitted: FittedPosterior | None = None

    # -------------------------------------------------------------------- what a target adds

    @abstractmethod
    def _family(self, n_classes: int) -> Any:
        """Experts with their priors; raises if an argument makes no sense."""

    @abstractmethod
    def _predictive_expert(self) -> Any:
        """Experts that predict with a posterior."""

    @abstractmethod
    def _expert_params(self, experts: Any) -> Any:
        """What these predict with, from the posterior of a fit."""

    # -------------------------------------------------------------------- fit

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the posterior by variational Bayes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features; a DataFrame brings its column names.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0; a weight of 2 is the same as a repeated row.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError, TypeError
            If an argument or the data cannot be used; the message says what to do.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` was reached.
        """
        check_options(self)
        gate = BayesianLogits(checked_prior("gate_prior", self.gate_prior, "the gate's slopes"))
        self._family(2)
        checker = RowChecker(self, self._target)
        raw = checker(X, y, sample_weight)
        rows = raw.merged() if isinstance(self.init, str) else raw
        data = checker.target.training_data(rows, None, standardize=True, common=False)
        plan = self._bound(data, raw, checker)
        places = (plan.model.gate_design, plan.model.groups[0].design)
        family = self._family(data.summary.n_classes)
        search = Search(family, gate, plan.maps, places, self.prune, self.max_iter, self.tol)
        # BLAS has one thread, as in other fits: results do not depend on their number.
        with threadpool_limits(1, "blas"):
            found = self._search(search, data, raw)
            fitted = self._record(search, found, data, plan)
        self._set_fitted(fitted, checker, found)
        warn_unless_converged(found.run, self.max_iter)
        return self

    def _bound(self, data: TrainingData, raw: RawData, checker: RowChecker) -> BoundModel:
        """The predicting model, bound to its designs."""
        count = min(self.n_experts, data.w.size)
        plan = bind(
            [(None, self._predictive_expert(), count)],
            PosteriorSoftmaxGate(features=self.gate_features),
            slices_of(data.X, data.w),
            raw=raw,
            summary=data.summary,
            names_in=checker.names,
            standardize=True,
            classes=data.target.attributes.get("classes_"),
        )
        check_order_by(self.order_by, plan.model, plan.maps, len(data.target.names))
        return plan

    def _search(self, search: Search, data: TrainingData, raw: RawData) -> Found:
        """Run the starts that the arguments ask for."""
        if not isinstance(self.init, str):
            R = given_responsibilities(self.init, raw, self.n_experts)
            return search.from_responsibilities(data, R)
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        count = min(self.n_experts, data.w.size)
        return search.from_portfolio(data, count, self.init, self.n_init, rng)

    def _record(
        self, search: Search, found: Found, data: TrainingData, plan: BoundModel
    ) -> FittedPosterior:
        """What is kept of a fit: in the user's units, experts in order."""
        state, mixture = found.run.state, found.mixture
        experts, draws = mixture.told(state)
        gate = GateParams(draws)
        params = MoEParams(gate, (self._expert_params(experts),))
        group = replace(plan.model.groups[0], count=state.n_experts)
        model = replace(plan.model, groups=(group,))
        mass = state.R @ mixture.w
        target = data.target
        standard = model.rescale(params, target.shift, target.factor)
        views = view_experts(model, standard, plan.maps, mass / mass.sum())
        designs = tuple(
            mixture.gate_design if i == model.gate_design else mixture.expert_design
            for i in range(len(plan.maps))
        )
        null = null_directions(
            [Block(designs, mixture.y, mixture.w)], plan.maps, float(np.finfo(data.X.dtype).eps)
        )
        fitted = FittedPosterior(
            model,
            params,
            plan.maps,
            data.summary,
            target,
            mass,
            -target.log_unit,
            order_of(views, self.order_by),
            null,
            (),
            report=found.report,
            path=found.path,
        )
        return fitted.at(params, mass)

    def _set_fitted(
        self,
        fitted: FittedPosterior,
        checker: RowChecker | None = None,
        found: Found | None = None,
    ) -> None:
        """Keep the record of a fit, and what users see of it, in one assignment."""
        changes: dict[str, Any] = {
            "_fitted": fitted,
            "experts_": fitted.experts,
            "gate_": fitted.gate,
            "n_experts_": fitted.model.n_experts,
        }
        state = dict(self.__dict__)
        if found is not None:
            moved = fitted.offset * fitted.summary.weight
            trace = np.array(found.run.trace) + moved
            changes |= {"lower_bound_": float(trace[-1]), "trace_": trace}
            changes |= {"n_iter_": trace.size, "converged_": found.run.converged}
        if checker is not None:
            changes |= {"n_features_in_": checker.n_features, **fitted.target.attributes}
            state.pop("feature_names_in_", None)
            if checker.names is not None:
                changes["feature_names_in_"] = checker.columns.feature_names_in_
        self.__dict__ = {**state, **changes}

    def __moe_fitted__(self) -> FittedPosterior | None:
        """The record of the last fit, for displays and exports; None before one."""
        return self._fitted

    def __moe_with__(self, record: FittedPosterior) -> Self:
        """Copy of the estimator that answers from another record."""
        other = copy(self)
        other._set_fitted(record)
        return other

    # -------------------------------------------------------------------- the posterior

    def _posterior(self) -> FittedPosterior:
        """The record of the last fit; raises if there was none."""
        check_is_fitted(self)
        if self._fitted is None:
            raise AttributeError(f"this {type(self).__name__} holds no record of its fit")
        return self._fitted

    def summary(self, *, coverage: float = 0.9) -> pd.DataFrame:
        """Posterior of every parameter on the original scale, one row a term.

        Parameters
        ----------
        coverage : float in (0, 1), default=0.9
            Posterior probability of the credible intervals, which are central.

        Returns
        -------
        table : DataFrame
            Indexed by (part, expert, kind, term) like the table of
            :func:`moe_classic.inference.inference`, with columns ``mean``, ``sd``, ``low`` and
            ``high``. Coefficients of the gate are relative to the last expert. A last column
            ``note`` is there where something must be known of a term.
        """
        return self._posterior().table(check_fraction("coverage", coverage))

    def sample_posterior(self, n_samples: int = 1, random_state: Any = None) -> pd.DataFrame:
        """Draws of all parameters from their posterior, on the original scale.

        Gate and experts are independent of each other under it, and so are the experts.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None

        Returns
        -------
        draws : DataFrame of shape (n_samples, n_terms)
            Columns are the rows of :meth:`summary`.
        """
        check_integer("n_samples", n_samples, 1, "draws from the posterior")
        return self._posterior().draws(n_samples, generator(random_state))

    @property
    def start_report_(self) -> pd.DataFrame:
        """What became of every start, best first."""
        fitted = self._posterior()
        report = pd.DataFrame(fitted.report).set_index("start")
        weight = fitted.summary.weight
        return report.assign(objective=report.objective + fitted.offset * weight, weight=weight)

    @property
    def pruning_report_(self) -> pd.DataFrame:
        """Mixtures on the way of the best start.

        ``n_experts``, their ``lower_bound``, and ``log_evidence``, the estimate by which an expert
        is dropped: the bound with the curvature of logits at their means, and with the orders of
        the experts counted.
        """
        fitted = self._posterior()
        moved = fitted.offset * fitted.summary.weight
        rows = [(s.n_experts, s.bound + moved, s.evidence + moved) for s in fitted.path]
        return pd.DataFrame(rows, columns=["n_experts", "lower_bound", "log_evidence"])

    # -------------------------------------------------------------------- answers

    @same_as(_answers.gate_proba)
    def gate_proba(self) -> Any: ...

    @same_as(_answers.predict_expert)
    def predict_expert(self) -> Any: ...

    @same_as(_answers.responsibilities)
    def responsibilities(self) -> Any: ...

    @same_as(_answers.score_samples)
    def score_samples(self) -> Any: ...

    @same_as(_answers.log_likelihood)
    def log_likelihood(self) -> Any: ...

    @same_as(_reporting.explain)
    def explain(self) -> Any: ...

    @same_as(_reporting.transform)
    def transform(self) -> Any: ...

    @same_as(_reporting.get_feature_names_out)
    def get_feature_names_out(self) -> Any: ...

    _html_repr = _reporting._html_repr

    def _explanation(self, X: Any) -> Explanation:
        """What experts and gate say about the rows of ``X``."""
        return explain_rows(self, self._posterior(), X)

    def _headline(self) -> str:
        """One line about the fit."""
        end = "converged" if self.converged_ else "not converged"
        return (
            f"lower bound on the log evidence {self.lower_bound_:,.2f} nats, "
            f"{self.n_experts_} of {self.n_experts} experts left, {end} after {self.n_iter_} sweeps"
        )
