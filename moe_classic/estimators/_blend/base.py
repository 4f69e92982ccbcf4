"""Experts of several sources and the gate that blends them: what both Meta-Pi estimators share."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from moe_classic._adapters import (
    FIT_ERRORS,
    FitTask,
    Layers,
    check_prefit,
    class_places,
    emit_warnings,
    layers_of,
    run_jobs,
)
from moe_classic._data import distinct_rows
from moe_classic._training import warn_failure
from moe_classic._typing import Floats
from moe_classic.estimators._params import NestedExperts

from .gate import GateOptions, train_gate
from .joint import JointBlend, train_jointly
from .net import BlendData, Trace
from .prediction import BlendSurface, names_of
from .sources import SourceExpert, all_experts, check_experts, check_rows_of, members, source_codes

_GATES = ("softmax", "sigmoid", "constant")
#: Rows on which a fitted expert is tried.
_TRIAL = 5


class MetaPi(NestedExperts, BlendSurface):
    """What both Meta-Pi estimators share."""

    _target: str
    _listed = "experts"

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

    @abstractmethod
    def _targets(self, y: Any) -> tuple[np.ndarray, Floats]:
        """What experts learn, (n,) or (n, d), and what the blend should say, (d, n)."""

    @abstractmethod
    def _fallback(self) -> Any:
        """What predicts for an expert that could not be fitted."""

    # -------------------------------------------------------------------- fit

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, sources: Any = None) -> MetaPi:
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
        options = self._checked()
        X, y = validate_data(
            self, X, y, dtype=np.float64, ensure_min_samples=2, **self._validation()
        )
        w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        labels, codes = source_codes(sources, len(X))
        rows = distinct_rows(X, y, w, codes)
        X, w, codes = rows.X, rows.w, rows.codes
        taught, target = self._targets(rows.y)
        who = members(self.experts, labels)
        check_rows_of(who, labels, codes, taught if self._target == "class" else None)
        rng = check_random_state(self.random_state)
        self._fit_experts(who, X, taught, w, codes, rng)
        self._fit_gate(options, X, taught, target, w, rng)
        self._tabulate(X, w, labels, codes)
        return self

    def _checked(self) -> GateOptions:
        """Arguments that make sense by themselves."""
        self._validate_names(check_experts("experts", self.experts, self._target))
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

    def _validation(self) -> dict[str, Any]:
        """Options of scikit-learn's validation."""
        return {}

    def _fit_experts(
        self,
        who: list[SourceExpert],
        X: Floats,
        taught: np.ndarray,
        w: Floats,
        codes: np.ndarray,
        rng: np.random.RandomState,
    ) -> None:
        """Fit what is not prefit; a stand-in takes the place of what fails."""
        names = names_of(self)
        seeds = rng.randint(np.iinfo(np.int32).max, size=len(who))
        jobs = []
        for member, seed in zip(who, seeds, strict=True):
            check_prefit(f"experts ({member.name})", member.estimator, X.shape[1])
            rows = slice(None) if member.source is None else codes == member.source
            job = FitTask(member.estimator, X[rows], taught[rows], w[rows], int(seed), names)
            jobs.append(job)
        outcomes, notices = run_jobs(jobs, self.n_jobs)
        self.experts_, errors = [], []
        for member, job, outcome in zip(who, jobs, outcomes, strict=True):
            fitted, error = outcome.estimator, outcome.error
            if error is None:
                error = self._why_unusable(member, fitted, X[:_TRIAL])
            if error is not None:
                errors.append((member.name, error))
                fitted = self._fallback().fit(job.X, job.y, sample_weight=job.w)
            self.experts_.append(fitted)
        if len(errors) == len(who):
            raise ValueError(f"No expert could be fitted; {errors[0][0]} raised {errors[0][1]}")
        for name, error in errors:
            warn_failure(f"The expert {name!r}", error, "what its rows are on average")
        emit_warnings(notices, stacklevel=3)
        self.expert_names_ = [member.name for member in who]

    def _why_unusable(self, member: SourceExpert, fitted: Any, X: Floats) -> str | None:
        """Why a fitted expert cannot predict, or None; what was fitted on another y is an error."""
        owner = f"experts ({member.name})"
        if self._target == "class" and member.prefit:
            class_places(owner, fitted, self.classes_)
        try:
            width = len(self._output_of(fitted, X))
        except FIT_ERRORS as error:
            return f"{type(error).__name__}: {error}"
        if width != self._width:
            raise ValueError(
                f"{owner}: {fitted!r} predicts {width} outputs and y has {self._width}."
            )
        return None

    def _fit_gate(
        self,
        options: GateOptions,
        X: Floats,
        taught: np.ndarray,
        target: Floats,
        w: Floats,
        rng: np.random.RandomState,
    ) -> None:
        """Train the gate, and then everything if asked to."""
        design = options.design(X, taught, w, names_of(self), type(self).__name__)
        outputs = self._all_outputs(X)
        layers = self._layers(X, outputs) if self.joint else []
        data = BlendData(design(X), outputs, target, w)
        generator = np.random.default_rng(rng.randint(2**31 - 1))
        self.gate_, trace = train_gate(options, design, data, generator)
        self.trace_ = trace.losses
        self.n_iter_, self.converged_ = trace.n_iter, trace.converged
        if self.joint:
            joint = JointBlend(self.gate_, layers, data, options.alpha)
            self.gate_, self.experts_, later = train_jointly(
                joint, max_iter=options.max_iter, tol=options.tol
            )
            self._go_on(later)
        self.loss_ = float(np.square(target - self._blend_of(X)).sum(axis=0) @ w / w.sum())
        if not self.converged_:
            warnings.warn(
                f"The gate was still learning after max_iter={self.max_iter} steps. Raise max_iter "
                "or tol.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _go_on(self, later: Trace) -> None:
        """Add the steps of the joint descent to those of the gate."""
        self.trace_ = np.concatenate([self.trace_, later.losses[1:]])
        self.n_iter_ += later.n_iter
        self.converged_ = self.converged_ and later.converged

    def _blend_of(self, X: Floats) -> Floats:
        """The blend at validated rows, (d, n)."""
        return np.einsum("kn,kdn->dn", self.gate_.weights(X), self._all_outputs(X))

    def _layers(self, X: Floats, outputs: Floats) -> list[Layers]:
        """The experts as layers that can be trained further."""
        layers = []
        for name, fitted, own in zip(self.expert_names_, self.experts_, outputs, strict=True):
            places = np.arange(len(own))
            if self._target == "class":
                places = class_places(name, fitted, self.classes_)
            layers.append(layers_of(f"the expert {name!r}", fitted, X, own, places))
        return layers

    def _tabulate(self, X: Floats, w: Floats, labels: np.ndarray, codes: np.ndarray) -> None:
        """Mean weight of every expert in every source."""
        weights = self.gate_.weights(X) * w
        self._shares = weights.sum(axis=1) / w.sum()
        mass = np.bincount(codes, weights=w, minlength=labels.size)
        share = np.stack(
            [np.bincount(codes, weights=row, minlength=labels.size) for row in weights]
        )
        with np.errstate(invalid="ignore"):
            self._source_shares = (share / mass).T
        self.sources_ = labels

    @property
    def source_table_(self) -> pd.DataFrame:
        """Mean weight of every expert (columns) on the rows of every source (rows)."""
        check_is_fitted(self, "_source_shares")
        return pd.DataFrame(
            self._source_shares,
            index=pd.Index(self.sources_, name="source"),
            columns=pd.Index(self.expert_names_, name="expert"),
        )

    def _headline(self) -> str:
        """One line about the fit."""
        name = "Brier score" if self._target == "class" else "mean squared error"
        end = "converged" if self.converged_ else "not converged"
        steps = "step" if self.n_iter_ == 1 else "steps"
        return (
            f"{name} {self.loss_:.4g} on the training rows, gate {end} after {self.n_iter_} {steps}"
        )

    # -------------------------------------------------------------------- diagnosis

    @abstractmethod
    def _scored_target(self, y: Any) -> Floats:
        """What the blend should say for a target to score, (d, n)."""

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
        target = self._scored_target(y)
        if target.shape[1] != len(X):
            raise ValueError(f"X has {len(X)} rows and y has {target.shape[1]}; give one y a row.")
        w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        outputs, weights = self._all_outputs(X), self.gate_.weights(X)
        blend = np.einsum("kn,kdn->dn", weights, outputs)
        terms = {
            "blend": np.square(target - blend).sum(axis=0),
            "experts": (weights * np.square(target - outputs).sum(axis=1)).sum(axis=0),
            "ambiguity": (weights * np.square(outputs - blend).sum(axis=1)).sum(axis=0),
        }
        return pd.Series({name: float(v @ w / w.sum()) for name, v in terms.items()})
