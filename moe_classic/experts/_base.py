"""The contract of an expert: a conditional density p(y | x, expert).

An expert object is a *description*: hyper-parameters only. It describes a group of K like experts
and works on all of them at once; the numbers they learn travel in immutable parameter records.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from moe_classic._components import Forward
from moe_classic._data import Design, Stats, Summary
from moe_classic._typing import Bools, Floats


class Expert(BaseEstimator, ABC):
    """Base of all experts.

    Attributes
    ----------
    name : registered name.
    target : "real" or "class": what y may be.
    additive : whether its statistics are sums over rows of bounded size.
    smooth : whether the log density is twice differentiable in the parameters.
    equivariant : whether shifting and scaling y shifts and scales the fit, so that the
        estimator may standardise the target.
    """

    name: ClassVar[str]
    target: ClassVar[str]
    additive: ClassVar[bool] = True
    smooth: ClassVar[bool] = True
    equivariant: ClassVar[bool] = True

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""

    def bind(self, summary: Summary) -> Expert:
        """Expert that does the work for data of this kind; raises if it cannot."""
        return self

    def online(self) -> Expert:
        """Expert that does the work where statistics are carried along from batch to batch."""
        return self

    @abstractmethod
    def start(self, n_experts: int, width: int, summary: Summary) -> Any:
        """Parameters of ``n_experts`` equal experts that ignore x."""

    @abstractmethod
    def forward(self, params: Any, design: Design, y: np.ndarray) -> Forward:
        """Log density and what the statistics reuse."""

    def log_prob(self, params: Any, design: Design, y: np.ndarray) -> Floats:
        """Normalised log density, (K, n)."""
        return self.forward(params, design, y).log_prob

    @abstractmethod
    def curvature(self, params: Any, fwd: Forward, S: Floats) -> Floats:
        """Row weights (M, n) of the Gram matrices that the statistics need."""

    @abstractmethod
    def statistics(
        self, params: Any, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> Stats:
        """Sums for one update, linear in the row weights ``S`` (K, n).

        ``grams`` are the packed Gram matrices for the weights that ``curvature`` asked for.
        """

    @abstractmethod
    def update(self, params: Any, stats: Any, summary: Summary) -> Any:
        """New parameters that raise ``sum S log p`` minus the penalty, or are damped until so."""

    def degenerate(self, params: Any, summary: Summary) -> Bools:
        """Which experts sit at a bound that only keeps the likelihood finite, (K,)."""
        return np.zeros(params.n_experts, dtype=bool)

    @abstractmethod
    def reorder(self, params: Any, order: np.ndarray) -> Any:
        """Parameters with the experts of the group in a new order."""

    def penalty(self, params: Any, summary: Summary) -> float:
        """What is subtracted from the log-likelihood."""
        return 0.0

    @abstractmethod
    def sample(self, params: Any, design: Design, rng: np.random.Generator) -> np.ndarray:
        """A draw from every expert at every row."""

    @abstractmethod
    def n_parameters(self, params: Any) -> int:
        """Number of free parameters of the whole group."""


# ------------------------------------------------------------------------- linear experts


#: An expert with less than this share of the weight keeps its parameters for the round.
STARVED = 1e-8
