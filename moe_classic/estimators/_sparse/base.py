"""The fit template of nets with experts."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from moe_classic._arguments import refuse_groups
from moe_classic._compat import with_callbacks
from moe_classic._data import RawData
from moe_classic._nets import Net, Outcome
from moe_classic._results import FittedNet, fitted_net
from moe_classic._sklearn import BaseEstimator, CallbackSupportMixin
from moe_classic._targets import Target
from moe_classic._typing import Floats, same_as
from moe_classic.estimators._mixture import RowChecker
from moe_classic.routers import Router, check_tokens
from moe_classic.solvers import DivergenceError

from . import answers
from .fitting import begun, continued, divided, one_epoch, train
from .options import check_training
from .report import history_frame, routing_attributes, warn_of_routing


class NetEstimator(CallbackSupportMixin, BaseEstimator, metaclass=ABCMeta):
    """Fit template and answers of all nets; subclasses say what the layers are.

    A fit leaves one record, ``_fitted``, and what users see of it, all set at once and last: after
    a fit that was refused or interrupted everything is as it was before. What learns on from a
    fit trains a copy of its net.
    """

    _target: ClassVar[type[Target]]
    _fitted: FittedNet | None = None
    n_experts: int
    weight_decay: float
    learning_rate: Any
    batch_size: Any
    max_iter: int
    patience: int | None
    validation_fraction: float
    tol: float
    dtype: Any
    warm_start: bool
    random_state: Any
    verbose: Any
    load_: Floats
    dropped_: Floats
    uncovered_: Floats
    load_history_: Floats
    loss_: float
    best_loss_: float
    n_iter_: int
    best_iter_: int
    n_parameters_: int
    n_active_parameters_: int
    routers_: list[Any]
    tokens: Any = None
    dropout: float = 0.0
    n_jobs: int | None = None

    @abstractmethod
    def _make_router(self) -> Router:
        """The router, after a check of all arguments about layers."""

    @abstractmethod
    def _layers(
        self, router: Router, width: int, places: int, target: Target
    ) -> tuple[list[Any], Any]:
        """Layers and head, not started, of a stream of ``places`` tokens of ``width``."""

    def _epoch_begins(self, net: Net, epoch: int) -> None:
        """Called before each epoch; counted from 0, through warm starts."""

    # -------------------------------------------------------------------- fit

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit by Adam on batches, until rows held out are no longer predicted better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0. Losses are weighted means; batches and capacities count rows.
        groups : None
            Refused: routers send rows one by one.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError, TypeError
            If an argument or the data cannot be used; the message says what to do.
        DivergenceError
            If the learning rate made training run away. The estimator is then fitted with the last
            good parameters, and ``warm_start`` goes on from them.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` epochs were not enough.
        RoutingWarning
            If experts get hardly any rows, many pairs find no room, or many rows no expert.
        """
        refuse_groups(self, groups, "routers send rows one by one")
        last = self._fitted if self.warm_start else None
        checker = self._checker(last)
        raw = self._checked(checker, X, y, sample_weight)
        if self.n_experts > raw.w.size:
            raise ValueError(
                f"n_experts={self.n_experts} is more than the n_samples={raw.w.size} rows of X "
                "with positive weight; use fewer experts or more rows."
            )
        rng = np.random.default_rng(self._seed())
        record = begun(self, raw, checker, rng) if last is None else continued(self, last)
        data = record.data(raw.X, raw.key, raw.w)
        record, parts = divided(self, record, data, rng)
        root = self._init_callback_context(max_subtasks=None)
        root.call_on_fit_task_begin(estimator=self, X=X, y=y)
        record, outcome = train(self, record, parts, rng, root, go_on=last is not None)
        self._set_fitted(record, outcome, checker)
        root.call_on_fit_task_end(estimator=self, X=X, y=y)
        self._raise_if_diverged(outcome)
        warn_of_routing(self, outcome)
        return self

    def _checker(self, last: FittedNet | None, target: Target | None = None) -> RowChecker:
        """What validates rows; they must agree with those of the fit that is gone on from."""
        check_training(self)
        self._make_router()
        if last is not None:
            target = last.target
        return RowChecker(
            self, self._target, multi_output=True, target=target, fitted=last is not None
        )

    def _checked(self, checker: RowChecker, X: Any, y: Any, sample_weight: Any) -> RawData:
        """Validated rows of positive weight."""
        raw = checker(X, y, sample_weight)
        check_tokens(self.tokens, checker.n_features)
        return raw

    def _seed(self) -> int:
        """Where this fit's random numbers begin."""
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def __sklearn_tags__(self) -> Any:
        """Tags; levels of a table become columns."""
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        return tags

    # -------------------------------------------------------------------- batches from outside

    def _learn_batch(
        self, X: Any, y: Any, sample_weight: Any, target: Target | None = None
    ) -> Self:
        """One epoch over some rows; ``target`` says what the first y is."""
        last = self._fitted
        checker = self._checker(last, target)
        raw = self._checked(checker, X, y, sample_weight)
        done = 0 if last is None else len(last.outcome.history)
        rng = np.random.default_rng([self._seed(), done])
        record = begun(self, raw, checker, rng) if last is None else last.copied()
        root = self._init_callback_context(max_subtasks=None)
        root.call_on_fit_task_begin(estimator=self, X=X, y=y)
        data = record.data(raw.X, raw.key, raw.w)
        record, outcome = one_epoch(self, record, data, float(raw.w.sum()), rng)
        self._set_fitted(record, outcome, checker)
        root.call_on_fit_task_end(estimator=self, X=X, y=y)
        self._raise_if_diverged(outcome)
        return self

    # -------------------------------------------------------------------- what a fit leaves

    def _set_fitted(
        self, record: FittedNet, outcome: Outcome, checker: RowChecker | None = None
    ) -> None:
        """Keep the record of a fit, and what users see of it; ``checker`` knows X if it is new."""
        changes = {
            "_fitted": record,
            "best_loss_": float(outcome.best_loss),
            **routing_attributes(record),
            **record.target.attributes,
        }
        if checker is not None:
            changes["n_features_in_"] = checker.n_features
            if checker.names is None:
                self.__dict__.pop("feature_names_in_", None)
            else:
                changes["feature_names_in_"] = checker.columns.feature_names_in_
        self.__dict__.update(changes)

    def __moe_fitted__(self) -> FittedNet | None:
        """The record of the last fit, for inference, displays and exports; None before one."""
        return self._fitted

    def _raise_if_diverged(self, outcome: Outcome) -> None:
        """Say that training ran away, with numbers."""
        if outcome.diverged:
            raise DivergenceError(
                f"Training ran away in epoch {self.n_iter_ + 1}: the loss is not finite. The "
                f"parameters of epoch {self.best_iter_} were kept. Lower learning_rate="
                f"{self.learning_rate!r}."
            )

    @property
    def history_(self) -> pd.DataFrame:
        """One row an epoch: losses, loads and auxiliary losses of each layer, seconds."""
        return history_frame(fitted_net(self).outcome.history)

    # -------------------------------------------------------------------- what it answers

    @same_as(answers.gate_proba)
    def gate_proba(self) -> Any: ...

    @same_as(answers.predict_expert)
    def predict_expert(self) -> Any: ...

    @same_as(answers.routing)
    def routing(self) -> Any: ...

    @same_as(answers.expert_predictions)
    def expert_predictions(self) -> Any: ...

    @same_as(answers.score_samples)
    def score_samples(self) -> Any: ...

    @same_as(answers.summary)
    def summary(self) -> Any: ...

    _headline = answers._headline
    _html_repr = answers._html_repr
