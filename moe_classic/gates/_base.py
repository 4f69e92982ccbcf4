"""The contract of a gate: mixing terms that depend on x.

Like experts, gates are descriptions; parameters travel in immutable records.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from moe_classic._components import Forward
from moe_classic._data import Design, Stats, Summary
from moe_classic._numerics import log_sum_exp
from moe_classic._typing import Floats


class Gate(BaseEstimator, ABC):
    """Base of all gates.

    Attributes
    ----------
    name : registered name.
    generative : whether ``log_joint`` is an unnormalised log p(expert, x), so that EM climbs the
        likelihood of (x, y) jointly.
    additive : whether its statistics are sums over rows of bounded size.
    exchangeable : whether experts may be put in a new order by :meth:`reorder`.
    """

    name: ClassVar[str]
    generative: ClassVar[bool] = False
    additive: ClassVar[bool] = True
    exchangeable: ClassVar[bool] = True

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""

    def check_count(self, n_experts: int) -> None:
        """Raise if the gate cannot choose between this many experts."""

    @abstractmethod
    def start(self, n_experts: int, width: int, summary: Summary) -> Any:
        """Parameters under which all experts are equally likely everywhere."""

    @abstractmethod
    def forward(self, params: Any, design: Design) -> Forward:
        """Log mixing terms (K, n), possibly unnormalised, and what the statistics reuse."""

    def log_joint(self, params: Any, design: Design) -> Floats:
        """Log mixing terms, possibly unnormalised, (K, n)."""
        return self.forward(params, design).log_prob

    def log_gate(self, params: Any, design: Design) -> Floats:
        """Log gate probabilities, (K, n)."""
        joint = self.log_joint(params, design)
        return joint - log_sum_exp(joint) if self.generative else joint

    @abstractmethod
    def curvature(self, params: Any, fwd: Forward, S: Floats) -> Floats:
        """Row weights (M, n) of the Gram matrices that the statistics need."""

    @abstractmethod
    def statistics(
        self, params: Any, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> Stats:
        """Sums for one update. Columns of ``S`` sum to row weights; nothing else is assumed."""

    @abstractmethod
    def update(self, params: Any, stats: Any, summary: Summary) -> Any:
        """New parameters that raise ``sum S log g`` minus the penalty, or are damped until so."""

    @abstractmethod
    def gradient(self, params: Any, design: Design, S: Floats) -> Floats:
        """Gradient of ``sum S log_joint`` for any signed ``S``, (n_theta,)."""

    def penalty(self, params: Any, summary: Summary) -> float:
        """What is subtracted from the log-likelihood."""
        return 0.0

    def penalty_gradient(self, params: Any, summary: Summary) -> Floats:
        """Gradient of the penalty with respect to theta, (n_theta,)."""
        return np.zeros(self.pack(params).size)

    def penalty_hessian(self, params: Any, summary: Summary) -> Floats:
        """Hessian of the penalty with respect to theta, (n_theta, n_theta)."""
        size = self.pack(params).size
        return np.zeros((size, size))

    @abstractmethod
    def pack(self, params: Any) -> Floats:
        """Unconstrained vector theta, (n_theta,)."""

    @abstractmethod
    def unpack(self, theta: Floats, like: Any, summary: Summary) -> Any:
        """Inverse of :meth:`pack`, with the shapes of ``like``."""

    def n_parameters(self, params: Any) -> int:
        """Number of free parameters."""
        return int(self.pack(params).size)

    @abstractmethod
    def reorder(self, params: Any, order: np.ndarray) -> Any:
        """Parameters with the experts in a new order."""
