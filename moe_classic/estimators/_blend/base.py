"""Experts of several sources and the gate that blends them: what both Meta-Pi estimators share."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight

from moe_classic._adapters import (
    FitTask,
    Layers,
    Notices,
    check_prefit,
    class_places,
    emit_warnings,
    fit_all,
    layers_of,
)
from moe_classic._arguments import refuse_groups
from moe_classic._data import BlendRows, DesignMap, distinct_rows
from moe_classic._results import FittedBlend
from moe_classic._targets import ClassTarget, Target
from moe_classic._training import warn_failure
from moe_classic._typing import Floats, Ints, Names

from .gate import FittedBlendGate, GateOptions, train_gate
from .joint import JointBlend, train_jointly
from .net import BlendData, Trace
from .prediction import BlendEstimator, as_given, shown_names
from .sources import SourceExpert, all_experts, check_experts, check_rows_of, members, source_codes

_GATES = ("softmax", "sigmoid", "constant")
#: Rows on which a fitted expert is tried.
_TRIAL = 5


@dataclass(frozen=True, eq=False)
class FittedMetaPi(FittedBlend):
    """A blend of experts of several sources.

    Attributes
    ----------
    source_shares : ndarray of shape (S, K)
        Mean weight of every expert on the rows of every source.
    """

    source_shares: Floats


class MetaPi(BlendEstimator):
    """What both Meta-Pi estimators share."""

    expert_names_: list[str]
    sources_: Any
    loss_: float
    trace_: Floats
    n_iter_: int
    converged_: bool

    _listed = "experts"
    _fitted: FittedMetaPi | None = None

    def __init__(
        self,
        experts: Any,
        *,
        gate: str = "softmax",
        hidden_units: int = 0,
        gate_features: Any = None,
        alpha: float = 1e-6,
        joint: bool = False,
        max_iter: int = 500,
        tol: float = 1e-7,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.experts = experts
        self.gate = gate
        self.hidden_units = hidden_units
        self.gate_features = gate_features
        self.alpha = alpha
        self.joint = joint
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.random_state = random_state

    # -------------------------------------------------------------------- fit

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        sources: Any = None,
        groups: Any = None,
    ) -> Self:
        """Fit every expert on its own source, then the gate on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0.
        sources : array-like of shape (n_samples,), default=None
            Label of every row's source. Experts learn from their own source; the gate is never
            told. None makes one source of all rows. In scikit-learn's pipelines and searches it
            is metadata: ``set_fit_request(sources=True)``.
        groups : None
            Refused: every row has the experts blended anew.

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
            If an expert could not be fitted: which one, and why. Its source's mean, or class
            shares, take its place.
        ConvergenceWarning
            If the gate was still learning after ``max_iter`` steps.
        """
        refuse_groups(self, groups, "every row has the experts blended anew")
        options = self._checked()
        columns, X, y, w = self._validated(X, y, sample_weight)
        labels, codes = source_codes(sources, len(X))
        rows = distinct_rows(X, y, w, codes)
        y = self._target.checked(rows.y)
        target = self._target.learn(y)
        experts = members(self.experts, labels)
        check_rows_of(experts, labels, rows.codes, y if target.kind == "class" else None)
        rng = check_random_state(self.random_state)
        fits = self._fit_experts(experts, rows, y, target, columns._names, rng)
        design, data = self._gate_data(options, rows, y, target, fits, columns._names)
        generator = np.random.default_rng(rng.randint(2**31 - 1))
        gate, trace = train_gate(options, design, data, generator)
        if self.joint:
            joint = JointBlend(
                gate,
                self._layers(fits, as_given(rows.X, columns._names), data, target),
                data,
                options.alpha,
            )
            gate, estimators, later = train_jointly(
                joint, max_iter=options.max_iter, tol=options.tol
            )
            fits, trace = replace(fits, estimators=estimators), trace.followed_by(later)
        self._keep(fits, gate, trace, data, rows, target, labels, columns)
        self._warn(fits)
        return self

    def _given_experts(self) -> list[Any]:
        """The estimators among the experts."""
        return all_experts(self.experts)

    def _checked(self) -> GateOptions:
        """Arguments that make sense by themselves."""
        self._validate_names(check_experts("experts", self.experts, self._target.kind))
        if not isinstance(self.joint, (bool, np.bool_)):
            raise TypeError(f"joint={self.joint!r} must be True or False.")
        options = GateOptions.of(self, _GATES)
        if self.joint and any(isinstance(e, FrozenEstimator) for e in all_experts(self.experts)):
            raise ValueError(
                "joint=True trains the experts further, but a FrozenEstimator stays as it is; set "
                "joint=False or pass estimators that are not frozen."
            )
        if self.joint and self.gate == "constant":
            raise ValueError("joint=True trains a gate that looks at x; gate='constant' does not.")
        return options

    def _fit_experts(
        self,
        experts: list[SourceExpert],
        rows: BlendRows,
        y: np.ndarray,
        target: Target,
        names: Names,
        rng: np.random.RandomState,
    ) -> _Fits:
        """Fit what is not prefit; a stand-in takes the place of what fails."""
        seeds = rng.randint(np.iinfo(np.int32).max, size=len(experts))
        jobs = []
        for expert, seed in zip(experts, seeds, strict=True):
            self._check_prefit(expert, rows.X.shape[1], target)
            mine = slice(None) if expert.source is None else rows.codes == expert.source
            job = FitTask(expert.estimator, rows.X[mine], y[mine], rows.w[mine], int(seed), names)
            jobs.append(job)
        labels = [expert.name for expert in experts]
        trial = as_given(rows.X[:_TRIAL], names)
        outcomes, notices = fit_all(
            jobs, labels, self.n_jobs, lambda fitted: len(self._output_of(fitted, trial, target))
        )
        estimators = []
        for expert, job, outcome in zip(experts, jobs, outcomes, strict=True):
            fitted = outcome.estimator
            if outcome.error is not None:
                fitted = self._fallback().fit(job.X, job.y, sample_weight=job.w)
            elif outcome.answer != target.width:
                raise ValueError(
                    f"experts ({expert.name}): {fitted!r} predicts {outcome.answer} outputs and y "
                    f"has {target.width}."
                )
            estimators.append(fitted)
        return _Fits(labels, estimators, [outcome.error for outcome in outcomes], notices)

    @staticmethod
    def _check_prefit(expert: SourceExpert, n_features: int, target: Target) -> None:
        """Raise if a prefit expert was fitted on other columns or classes."""
        owner = f"experts ({expert.name})"
        check_prefit(owner, expert.estimator, n_features)
        if isinstance(target, ClassTarget) and expert.prefit:
            class_places(owner, expert.estimator, target.classes)

    def _gate_data(
        self,
        options: GateOptions,
        rows: BlendRows,
        y: np.ndarray,
        target: Target,
        fits: _Fits,
        names: Names,
    ) -> tuple[DesignMap, BlendData]:
        """What the gate sees of X, and what it is trained on."""
        design = options.design(rows.X, y, rows.w, names, type(self).__name__)
        outputs = self._all_outputs(rows.X, fits.estimators, target, names)
        ideal = target.ideal(target.columns(y))
        return design, BlendData(design(rows.X), outputs, ideal, rows.w)

    @staticmethod
    def _layers(fits: _Fits, X: Floats, data: BlendData, target: Target) -> list[Layers]:
        """The experts as layers that can be trained further."""
        layers = []
        for name, fitted, output in zip(fits.labels, fits.estimators, data.outputs, strict=True):
            places = np.arange(len(output))
            if isinstance(target, ClassTarget):
                places = class_places(name, fitted, target.classes)
            layers.append(layers_of(f"the expert {name!r}", fitted, X, output, places))
        return layers

    def _keep(
        self,
        fits: _Fits,
        gate: FittedBlendGate,
        trace: Trace,
        data: BlendData,
        rows: BlendRows,
        target: Target,
        sources: np.ndarray,
        columns: Any,
    ) -> None:
        """Keep experts and gate, and how they do on the training rows."""
        weights = gate.weights(rows.X)
        outputs = self._all_outputs(rows.X, fits.estimators, target, columns._names)
        miss = data.target - np.einsum("kn,kdn->dn", weights, outputs)
        fitted = FittedMetaPi(
            fits.estimators,
            gate,
            fits.labels,
            (weights * rows.w).sum(axis=1) / rows.w.sum(),
            target,
            shown_names(columns),
            self._output_kind,
            _mean_weights(weights * rows.w, rows.w, rows.codes, sources.size),
        )
        self._set_fitted(
            fitted,
            columns,
            expert_names_=fits.labels,
            sources_=sources,
            trace_=trace.losses,
            n_iter_=trace.n_iter,
            converged_=trace.converged,
            loss_=float(np.square(miss).sum(axis=0) @ rows.w / rows.w.sum()),
        )

    def _warn(self, fits: _Fits) -> None:
        """Say which experts could not be fitted, what the others said, and if time ran out."""
        for name, error in zip(fits.labels, fits.errors, strict=True):
            if error is not None:
                warn_failure(f"The expert {name!r}", error, "what its rows are on average")
        emit_warnings(fits.notices, stacklevel=3)
        if not self.converged_:
            warnings.warn(
                f"The gate was still learning after max_iter={self.max_iter} steps. Raise max_iter "
                "or tol.",
                ConvergenceWarning,
                stacklevel=3,
            )

    @property
    def source_table_(self) -> pd.DataFrame:
        """Mean weight of every expert (columns) on the rows of every source (rows)."""
        return pd.DataFrame(
            self._blend.source_shares,
            index=pd.Index(self.sources_, name="source"),
            columns=pd.Index(self.expert_names_, name="expert"),
        )

    def _headline(self) -> str:
        """One line about the fit."""
        name = "Brier score" if hasattr(self, "classes_") else "mean squared error"
        end = "converged" if self.converged_ else "not converged"
        steps = "step" if self.n_iter_ == 1 else "steps"
        return (
            f"{name} {self.loss_:.4g} on the training rows, gate {end} after {self.n_iter_} {steps}"
        )

    # -------------------------------------------------------------------- diagnosis

    def ambiguity(self, X: Any, y: Any, sample_weight: Any = None) -> pd.Series:
        """The error of the blend as the experts' error less their disagreement.

        ::

            ||y - f||^2 = sum_k p_k ||y - o_k||^2 - sum_k p_k ||o_k - f||^2

        so that the blend is never worse than its experts on average (Krogh & Vedelsby 1995).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        terms : Series
            Means over the rows of squared errors summed over outputs: ``blend``, ``experts`` and
            ``ambiguity``, where ``blend = experts - ambiguity``.
        """
        X = self._check_rows(X)
        target = self._blend.target.ideal(self._blend.target.scored(y))
        if target.shape[1] != len(X):
            raise ValueError(f"X has {len(X)} rows and y has {target.shape[1]}; give one y a row.")
        w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        outputs, weights = self._own_outputs(X), self.gate_.weights(X)
        blend = np.einsum("kn,kdn->dn", weights, outputs)
        terms = {
            "blend": np.square(target - blend).sum(axis=0),
            "experts": (weights * np.square(target - outputs).sum(axis=1)).sum(axis=0),
            "ambiguity": (weights * np.square(outputs - blend).sum(axis=1)).sum(axis=0),
        }
        return pd.Series({name: float(v @ w / w.sum()) for name, v in terms.items()})


@dataclass(frozen=True)
class _Fits:
    """Experts side by side: names, fitted estimators, why fits failed, what they warned of."""

    labels: list[str]
    estimators: list[Any]
    errors: list[str | None]
    notices: Notices


def _mean_weights(mass: Floats, w: Floats, codes: Ints, n_sources: int) -> Floats:
    """Mean weight of every expert in every source, (S, K), from weights times ``w`` (K, n)."""
    total = np.bincount(codes, weights=w, minlength=n_sources)
    share = np.stack([np.bincount(codes, weights=row, minlength=n_sources) for row in mass])
    with np.errstate(invalid="ignore"):
        return (share / total).T
