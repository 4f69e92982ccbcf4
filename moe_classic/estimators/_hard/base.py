"""What both hard mixtures share: arguments, rows held out, and what a fit leaves."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state

from moe_classic._adapters import emit_warnings
from moe_classic._arguments import check_integer, check_real, refuse_groups
from moe_classic._data import distinct_rows
from moe_classic._results import FittedBlend
from moe_classic._routing import capacity_of, random_partition
from moe_classic._targets import Target
from moe_classic._training import labelled, warn_failure
from moe_classic._typing import Floats, Ints, Names
from moe_classic.estimators._blend import (
    BlendEstimator,
    GateOptions,
    all_experts,
    as_given,
    check_experts,
    shown_names,
)

from .loop import HardLoop, HardState

_GATES = ("linear", "softmax", "sigmoid")
_ASSIGNMENTS = ("greedy", "balanced")


@dataclass(frozen=True, eq=False)
class FittedHardMixture(FittedBlend):
    """A hard mixture.

    Attributes
    ----------
    history : list of dict
        Losses, rows moved, sizes of shares and seconds of every round.
    """

    history: list[dict[str, Any]]


class HardMoE(BlendEstimator):
    """Arguments and fit of both hard mixtures."""

    partition_: Any
    best_round_: int
    loss_: float
    n_iter_: int

    #: Whether the blend goes through a tanh before it is compared with the target.
    _tanh: ClassVar[bool]
    _listed = "expert"
    _fitted: FittedHardMixture | None = None

    def __init__(
        self,
        n_experts: int = 2,
        *,
        expert: Any = None,
        gate: str = "linear",
        hidden_units: int = 20,
        gate_features: Any = None,
        alpha: float = 1e-5,
        max_iter: int = 5,
        gate_iter: int = 100,
        gate_rows: int | None = None,
        tol: float = 1e-6,
        assignment: str = "greedy",
        capacity: Any = None,
        validation_fraction: float = 0.1,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_experts = n_experts
        self.expert = expert
        self.gate = gate
        self.hidden_units = hidden_units
        self.gate_features = gate_features
        self.alpha = alpha
        self.max_iter = max_iter
        self.gate_iter = gate_iter
        self.gate_rows = gate_rows
        self.tol = tol
        self.assignment = assignment
        self.capacity = capacity
        self.validation_fraction = validation_fraction
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _with_parts(self, params: dict[str, Any]) -> dict[str, Any]:
        """The default expert in its place where parameters of it are set."""
        nested = any(name.startswith("expert__") for name in params)
        if nested and params.get("expert", self.expert) is None:
            return {**params, "expert": self._default_expert()}
        return params

    @abstractmethod
    def _default_expert(self) -> Any:
        """A support vector machine with a radial kernel."""

    @abstractmethod
    def _check_kind(self, experts: Any) -> None:
        """Raise unless the experts describe the target."""

    @abstractmethod
    def _target_of(self, y: np.ndarray, w: Floats) -> Target:
        """What y is, around its mean where it has one."""

    # -------------------------------------------------------------------- fit

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit experts and gate in turn.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0. Equal rows are merged, so that a weight of 2 is the same as a repeated
            row; capacities count distinct rows.
        groups : None
            Refused: hard mixtures give rows to experts one by one.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError, TypeError
            If an argument or the data cannot be used; the message says what to do.

        Warns
        -----
        FitFailedWarning
            If an expert could not be fitted: which one, and why.
        """
        refuse_groups(self, groups, "hard mixtures give rows to experts one by one")
        options, descriptions = self._checked()
        columns, X, y, w = self._validated(X, y, sample_weight)
        rows = distinct_rows(X, y, w, np.zeros(len(X), dtype=np.intp))
        y = self._target.checked(rows.y)
        target = self._target_of(y, rows.w)
        strata = _strata(target, y)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        rng = np.random.default_rng(seed)
        train_rows, validation_rows = self._hold_out(strata, rng)
        names = columns._names
        seeds = rng.integers(np.iinfo(np.int32).max, size=self.n_experts).tolist()
        share = random_partition(strata[train_rows], self.n_experts, rng)
        loop = HardLoop(
            output_of=partial(self._output_at, target=target, names=names),
            fallback=self._fallback,
            descriptions=descriptions,
            rows=rows,
            target=target.ideal(target.columns(y)),
            train_rows=train_rows,
            validation_rows=validation_rows,
            gate_rows=self._gate_rows(train_rows, rng),
            design=options.design(rows.X, rows.y, rows.w, names, type(self).__name__),
            options=options,
            squash=self._tanh,
            capacity=capacity_of(self.capacity, train_rows.size, self.n_experts),
            exact=self.assignment == "balanced",
            n_jobs=self.n_jobs,
            names=names,
            seeds=seeds,
            rng=rng,
        )
        state = loop.run(share, self.max_iter)
        self._keep(loop, state, target, columns)
        for k, error in state.errors.items():
            instead = "an earlier fit" if state.round > 1 else "what its rows are on average"
            warn_failure(f"Expert {k + 1}", error, instead)
        emit_warnings(state.notices, stacklevel=2)
        return self

    def _output_at(self, fitted: Any, X: np.ndarray, target: Any, names: Names) -> Floats:
        """Output of a fitted expert at validated rows (n, p), (width, n)."""
        return self._output_of(fitted, as_given(X, names), target)

    def _given_experts(self) -> list[Any]:
        """The estimators among the experts."""
        return all_experts(self._default_expert() if self.expert is None else self.expert)

    def _checked(self) -> tuple[GateOptions, list[Any]]:
        """Arguments that make sense by themselves, and the description of every expert."""
        check_integer("n_experts", self.n_experts, 1, "the number of experts")
        check_integer("max_iter", self.max_iter, 1, "the largest number of rounds")
        if self.gate_rows is not None:
            check_integer("gate_rows", self.gate_rows, 1, "rows the gate learns from, or None")
        if self.assignment not in _ASSIGNMENTS:
            raise ValueError(
                f"assignment={self.assignment!r} is not known; choose one of {_ASSIGNMENTS}."
            )
        check_real("validation_fraction", self.validation_fraction, 0.0, "the share held out")
        if self.validation_fraction >= 1.0:
            raise ValueError(
                f"validation_fraction={self.validation_fraction!r} must be less than 1: the share "
                "of the rows that chooses among rounds; 0 holds none out."
            )
        expert = self._default_expert() if self.expert is None else self.expert
        names = check_experts("expert", expert, self._target.kind, probabilities=False)
        self._validate_names(names)
        self._check_kind(expert)
        if any(isinstance(e, FrozenEstimator) for e in all_experts(expert)):
            raise ValueError(
                "expert: a FrozenEstimator cannot learn from its share of the rows; MetaPiRegressor"
                " and MetaPiClassifier blend prefit experts."
            )
        listed = isinstance(expert, (list, tuple))
        descriptions = [e for _, e in labelled(expert)] if listed else [expert] * self.n_experts
        if len(descriptions) != self.n_experts:
            raise ValueError(
                f"expert lists {len(descriptions)} experts but n_experts={self.n_experts}; make "
                "the two agree."
            )
        return GateOptions.of(self, _GATES, steps="gate_iter"), descriptions

    def _hold_out(self, strata: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Rows to learn from and rows held out, every stratum split alike."""
        n = strata.size
        count = int(np.ceil(self.validation_fraction * n)) if self.validation_fraction else 0
        if n - count < self.n_experts:
            raise ValueError(
                f"n_experts={self.n_experts} is more than the n_samples={n - count} distinct rows "
                f"of X to learn from ({count} of {n} are held out); use fewer experts or more rows."
            )
        if not count:
            return np.arange(n), np.empty(0, dtype=np.intp)
        # Dealt in turn like cards, a share of the rows has every stratum in proportion.
        place = random_partition(strata, n, rng)
        out = np.floor((place + 1) * count / n) > np.floor(place * count / n)
        return np.flatnonzero(~out), np.flatnonzero(out)

    def _gate_rows(self, train_rows: Ints, rng: np.random.Generator) -> Ints:
        """Rows that the gate learns from: all, or some at random."""
        if self.gate_rows is None or self.gate_rows >= train_rows.size:
            return train_rows
        return rng.choice(train_rows, self.gate_rows, replace=False)

    @property
    def history_(self) -> pd.DataFrame:
        """Losses, rows moved, sizes of shares and seconds of every round."""
        return pd.DataFrame(self._blend.history).set_index("round")

    def _headline(self) -> str:
        """One line about the fit."""
        name = "squared error of tanh(margin)" if self._tanh else "mean squared error"
        held_out = np.isfinite(self._blend.history[0]["validation_loss"])
        where = "rows held out" if held_out else "the training rows"
        return (
            f"{name} {self.loss_:.4g} on {where}, that of round {self.best_round_} of "
            f"{self.n_iter_}"
        )

    def _keep(self, loop: HardLoop, state: HardState, target: Target, columns: Any) -> None:
        """Keep the best round."""
        rows, train_rows = loop.rows, loop.train_rows
        mass = np.bincount(state.share, weights=rows.w[train_rows], minlength=self.n_experts)
        share = np.full(rows.w.size, -1, dtype=np.intp)
        share[train_rows] = state.share
        fitted = FittedHardMixture(
            state.experts,
            state.gate,
            [f"expert {k + 1}" for k in range(self.n_experts)],
            mass / mass.sum(),
            target,
            shown_names(columns),
            self._output_kind,
            loop.history,
        )
        self._set_fitted(
            fitted,
            columns,
            best_round_=state.round,
            n_iter_=len(loop.history),
            loss_=state.loss,
            partition_=np.where(rows.place >= 0, share[rows.place], -1),
        )


def _strata(target: Target, y: np.ndarray) -> Ints:
    """What shares of the rows are to have in proportion: classes, where there are some; (m,)."""
    if target.kind == "class":
        return target.to_model(target.columns(y))
    return np.zeros(len(y), dtype=np.intp)
