"""A gate that is a scikit-learn classifier, fitted to soft labels.

::

    g_k(x) = (1 - e) P(k | classifier(x)) + e / K,   e = min_proba

Step: the classifier is refitted to the responsibilities: every row stands in its training data once
for each expert, with the responsibility of the expert as weight. A refit that does not raise
``sum S log g`` is not taken, so that EM climbs whatever the classifier optimises. The gate's part
of EM is a classification problem with soft targets: Jordan & Jacobs (1994), equation 24.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from sklearn.frozen import FrozenEstimator

from moe_classic._adapters import (
    FitTask,
    Notices,
    check_prefit,
    check_proba,
    count_parameters,
    proba_of,
    redundant_coefficients,
    run_jobs,
    takes_missing,
    target_of,
)
from moe_classic._components import Forward
from moe_classic._data import Design, DesignMap, Stats, Summary
from moe_classic._typing import Floats, Names

from ._base import Gate

_OWNER = "EstimatorGate"


@dataclass(frozen=True)
class ClassifierParams:
    """The fitted classifier, and the numbers that its classes stand for.

    Attributes
    ----------
    estimator : fitted classifier, or None before its first fit: experts are then equally likely
    places : ndarray of int of shape (K,)
        Class of the classifier that belongs to each expert.
    notices : warnings that the classifier gave in its last refit
    """

    estimator: Any
    places: np.ndarray
    notices: Notices = ()

    @property
    def n_experts(self) -> int:
        """Number of experts K."""
        return self.places.size


@dataclass(frozen=True)
class GateRows:
    """Rows of one block: design (q, n), weights (K, n) and the gate's probabilities (K, n)."""

    Z: Floats
    S: Floats
    seen: Floats


@dataclass(frozen=True)
class GateRowStats(Stats):
    """The rows themselves: a refit needs them all. Adding puts blocks side by side."""

    parts: tuple[GateRows, ...]

    def __add__(self, other: GateRowStats) -> GateRowStats:
        return GateRowStats(self.parts + other.parts)

    def scaled(self, factor: float) -> GateRowStats:
        """The same rows with all weights times ``factor``."""
        return GateRowStats(tuple(replace(p, S=p.S * factor) for p in self.parts))

    def joined(self) -> GateRows:
        """All rows in one record."""
        columns = [[getattr(p, f) for p in self.parts] for f in ("Z", "S", "seen")]
        return GateRows(*(np.concatenate(c, axis=-1) for c in columns))

    def row_weights(self) -> Floats:
        """Weights of the rows for each expert, (K, n)."""
        return np.concatenate([p.S for p in self.parts], axis=-1)


class EstimatorGate(Gate):
    """Any scikit-learn classifier with ``predict_proba`` as the gate.

    It is refitted in every pass to the responsibilities: every row once for each expert, weighted.
    One that takes no ``sample_weight`` sees rows repeated instead; rules for weights and seeds are
    those of :class:`~moe_classic.experts.EstimatorExpert`. The classifier sees X as the user gave
    it. Prefit inside :class:`~sklearn.frozen.FrozenEstimator`, with the classes 0 to K - 1, it
    stays as it is and only the experts are learned; they then keep their order. From the twentieth
    pass on a fit also ends where in three passes in a row at most ``sqrt(tol)`` of the weight
    changed hands.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba``.
    features : None, list of column names or indices, or transformer, default=None
        What the classifier sees of X; see :class:`SoftmaxGate`.
    min_proba : float, default=1e-6
        Share of the probability that is spread evenly over the experts: a tree gives experts the
        probability 0, from which EM could never bring them back.

    References
    ----------
    Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.gates import EstimatorGate
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_tone(return_X_y=True)
    >>> gate = EstimatorGate(GaussianNB())
    >>> moe = MoERegressor(2, gate=gate, n_init=2, random_state=0).fit(X, y)
    >>> moe.gate_proba(X).shape
    (150, 2)
    """

    name: ClassVar[str] = "estimator"
    additive: ClassVar[bool] = False
    raw: ClassVar[bool] = True
    names: Names = None

    def __init__(self, estimator: Any, *, features: Any = None, min_proba: float = 1e-6) -> None:
        self.estimator = estimator
        self.features = features
        self.min_proba = min_proba

    @property
    def exchangeable(self) -> bool:  # type: ignore[override]
        """Whether experts may be put in a new order: not with a prefit classifier."""
        return not isinstance(self.estimator, FrozenEstimator)

    @property
    def takes_missing(self) -> bool:  # type: ignore[override]
        """Whether the classifier takes NaN, by its own tags."""
        return takes_missing(self.estimator)

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        if target_of(_OWNER, self.estimator) != "class":
            raise TypeError(f"{_OWNER}: {self.estimator!r} must be a classifier, not a regressor.")
        check_proba(_OWNER, self.estimator)
        if not 0.0 < self.min_proba < 0.5:
            raise ValueError(f"{_OWNER}: min_proba={self.min_proba!r} must lie in (0, 0.5).")
        check_prefit(_OWNER, self.estimator)

    def with_data_names(
        self, names: Names, width: int, classes: np.ndarray | None, n_jobs: int | None
    ) -> EstimatorGate:
        """Gate that knows the user's column names; classes and threads do not concern it."""
        check_prefit(_OWNER, self.estimator, width)
        gate = copy(self)
        gate.names = names
        return gate

    def start(self, n_experts: int, width: int, summary: Summary) -> ClassifierParams:
        """Experts equally likely everywhere; a prefit classifier says at once what it knows."""
        places = np.arange(n_experts)
        if not isinstance(self.estimator, FrozenEstimator):
            return ClassifierParams(None, places)
        own = np.asarray(self.estimator.classes_)
        if not np.isin(own, places).all():
            raise ValueError(
                f"{_OWNER}: the classes of the prefit {self.estimator.estimator!r} are "
                f"{own.tolist()[:10]}; they must be numbers of experts, 0 to {n_experts - 1}."
            )
        return ClassifierParams(self.estimator, places)

    # -------------------------------------------------------------------- evaluation

    def _proba(self, params: ClassifierParams, Z: Floats) -> Floats:
        """Probabilities of the experts, none 0, (K, n)."""
        K = params.n_experts
        if params.estimator is None:
            return np.full((K, Z.shape[1]), 1.0 / K)
        X = np.ascontiguousarray(Z[:-1].T)
        P = proba_of(params.estimator, X, np.arange(K), self.names)
        return (1.0 - self.min_proba) * P[params.places] + self.min_proba / K

    def forward(self, params: ClassifierParams, design: Design) -> Forward:
        """Log gate (K, n) and the gate itself."""
        g = self._proba(params, design.Z)
        return Forward(np.log(g), None, g)

    def curvature(self, params: ClassifierParams, fwd: Forward, S: Floats) -> Floats:
        """No Gram matrix is needed."""
        return S[:0]

    def statistics(
        self, params: ClassifierParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> GateRowStats:
        """The rows, with their weights and probabilities."""
        return GateRowStats((GateRows(design.Z, S, fwd.work),))

    # -------------------------------------------------------------------- the step

    def update(
        self, params: ClassifierParams, stats: GateRowStats, summary: Summary
    ) -> ClassifierParams:
        """A refit, taken where it raises ``sum S log g``."""
        if isinstance(self.estimator, FrozenEstimator) or params.n_experts == 1:
            return params
        rows = stats.joined()
        expert, row = np.nonzero(rows.S > 0.0)
        X = np.ascontiguousarray(rows.Z[:-1].T)
        job = FitTask(self.estimator, X[row], expert, rows.S[expert, row], 0, self.names)
        (outcome,), notices = run_jobs([job], None)
        if outcome.error is not None:
            raise ValueError(f"{_OWNER}: {self.estimator!r} could not be fitted: {outcome.error}")
        new = ClassifierParams(outcome.estimator, np.arange(params.n_experts), notices)
        height = (rows.S * np.log(self._proba(new, rows.Z))).sum()
        return new if height >= (rows.S * np.log(rows.seen)).sum() else params

    # -------------------------------------------------------------------- records

    def n_parameters(self, params: ClassifierParams) -> float:
        """Free parameters of the classifier; nan where not known."""
        return 0 if params.estimator is None else count_parameters(params.estimator)

    def redundant(self, params: ClassifierParams, null: Floats) -> int:
        """Coefficients of a linear classifier on columns that others determine."""
        p = len(null) - 1
        return redundant_coefficients(params.estimator, p, p - null.shape[1])

    def reorder(self, params: ClassifierParams, order: np.ndarray) -> ClassifierParams:
        """The classes of the classifier for experts in a new order."""
        return replace(params, places=params.places[order])

    def notices(self, params: ClassifierParams) -> Notices:
        """Warnings that the classifier gave in its last refit."""
        return params.notices

    def shown(self, params: ClassifierParams, design: DesignMap) -> dict[str, Any]:
        """The classifier, and the class of each expert."""
        return {"estimator_": params.estimator, "experts_": params.places}
