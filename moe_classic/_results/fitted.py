"""What a fit leaves: one record, which tables, displays, inference and exports take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from moe_classic._data import Block, DesignMap, Summary, as_design, checked_design
from moe_classic._engine import make_engine
from moe_classic._model import Model, MoEParams, Separation, n_identified
from moe_classic._targets import Target
from moe_classic._typing import Floats, Ints
from moe_classic.predictive import Predictive, predictive_of

from .estimator import FittedEstimator
from .records import AnyExpert, AnyGate, expert_labels, view_experts, view_gate
from .remarks import remarks_of

T = TypeVar("T")
Self = TypeVar("Self", bound="FittedMixture")

#: Rows predicted at a time: bounds the memory of (K, n) arrays.
_ROWS = 1 << 14


@dataclass(frozen=True, eq=False)
class FittedMixture:
    """A mixture fitted by maximum likelihood.

    Attributes
    ----------
    model : Model
    params : MoEParams
        In the units of the user's y, like experts in their public order.
    maps : tuple of DesignMap
        From rows of X to what gate and experts see.
    summary : Summary
        Moments of the training target as the model saw it.
    target : Target
        What y is, and how it was standardised.
    shares : ndarray of shape (K,)
        Share of the training weight that each expert explains.
    offset : float
        What a unit of weight adds to objectives in the user's units.
    order : ndarray of int of shape (K,), or None
        Public order of the experts among those of the fit.
    null : tuple of ndarray of shape (q, r)
        Directions of the coefficients on each design that change nothing at the rows of the fit.
    separated : tuple of Separation
        What the rows of the fit separate without error: experts under the gate, or classes.
    """

    model: Model
    params: MoEParams
    maps: tuple[DesignMap, ...]
    summary: Summary
    target: Target
    shares: Floats
    offset: float
    order: Ints | None
    null: tuple[Floats, ...]
    separated: tuple[Separation, ...]

    # -------------------------------------------------------------------- as users see it

    @property
    def designs(self) -> tuple[DesignMap, ...]:
        """What is made of rows of X."""
        return self.maps

    @property
    def labels(self) -> list[str]:
        """Names of the experts in tables and legends."""
        return expert_labels(self.model)

    @cached_property
    def experts(self) -> list[AnyExpert]:
        """The experts as records."""
        return view_experts(self.model, self.params, self.maps, self.shares)

    @cached_property
    def gate(self) -> AnyGate:
        """The gate as a record."""
        return view_gate(self.model, self.params, self.maps[self.model.gate_design])

    @property
    def remarks(self) -> dict[tuple[str, str, str], str]:
        """What must be known of terms of the summary, by (part, kind, term)."""
        return remarks_of(self)

    @property
    def grouped(self) -> bool:
        """Whether the rows of the fit belonged to groups, each to one expert as a whole."""
        return self.maps[self.model.gate_design].averaged

    # -------------------------------------------------------------------- parameters

    @property
    def n_parameters(self) -> int:
        """Number of free parameters that the rows of the fit can tell apart."""
        return n_identified(self.model, self.params, self.null)

    def at(self: Self, params: MoEParams, mass: Floats) -> Self:
        """The same at other parameters: for the standardised target, experts as in the fit."""
        if self.order is not None:
            params, mass = self.model.reorder(params, self.order), mass[self.order]
        target = self.target
        params = self.model.rescale(params, target.shift, target.factor)
        return replace(self, params=params, shares=mass / mass.sum())

    def params_for(self, target: Target) -> MoEParams:
        """Parameters for y as ``target`` standardises it."""
        shift, factor = -target.shift / target.factor, 1.0 / target.factor
        return self.model.rescale(self.params, shift, factor)

    @property
    def standard_params(self) -> MoEParams:
        """Parameters for the standardised target, experts in their public order."""
        return self.params_for(self.target)

    # -------------------------------------------------------------------- rows

    def block(
        self, X: np.ndarray, columns: Floats | None = None, told: Floats | None = None
    ) -> Block:
        """Some validated rows in the user's units; without a target it is blank.

        ``told`` (K, n) are log probabilities of the experts that take the place of the gate's.
        """
        designs = tuple(as_design(checked_design(m, X)) for m in self.maps)
        n = designs[0].n
        y = self.target.blank(n) if columns is None else self.target.values(columns)
        return Block(designs, y, np.ones(n), told=told)

    def answers(
        self,
        answer: Callable[[Block], T],
        X: np.ndarray,
        columns: Floats | None = None,
        *,
        n_jobs: int | None = None,
        told: Floats | None = None,
    ) -> list[T]:
        """What ``answer`` says of each block of validated rows, in order; see :meth:`block`.

        ``n_jobs`` threads share the blocks, where all components are our own: estimators of the
        user's have numbers of their own, and need not bear threads.
        """
        blocks = [slice(start, start + _ROWS) for start in range(0, len(X), _ROWS)]
        threads = len(blocks) > 1 and self.model.additive
        own = self.model.is_ours and all(m.transformer is None for m in self.maps)
        engine = make_engine(n_jobs if threads else None, bound=own)

        def part(rows: slice) -> T:
            there = (None if a is None else a[:, rows] for a in (columns, told))
            return answer(self.block(X[rows], *there))

        return engine.map(part, blocks)

    def predictive(self, block: Block) -> Predictive:
        """Predictive distributions of one block."""
        return predictive_of(self.model, self.params, block)

    def gate_proba(self, block: Block) -> Floats:
        """Gate probabilities of one block, (K, n)."""
        return np.exp(self.model.log_gate(self.params, block))


@dataclass(frozen=True, eq=False)
class FittedBlend:
    """Fitted estimators that a gate blends.

    Attributes
    ----------
    estimators : list of K fitted estimators
    gate : fitted gate
    labels : list of str
        Names of the experts in tables and legends.
    shares : ndarray of shape (K,)
        Share of the training weight that each expert has.
    target : Target
        Its names are those of what is blended.
    features : tuple of str
        Names of the columns of X.
    says : {"mean", "log odds", "margin"}
        What of an expert is told.
    """

    estimators: list[Any]
    gate: Any
    labels: list[str]
    shares: Floats
    target: Target
    features: tuple[str, ...]
    says: str

    @property
    def designs(self) -> tuple[DesignMap, ...]:
        """What the gate makes of rows of X; experts see them as they are."""
        return (self.gate.design,)

    @cached_property
    def experts(self) -> list[FittedEstimator]:
        """The experts as records."""
        parts = zip(self.labels, self.shares, self.estimators, strict=True)
        return [
            FittedEstimator(label, "estimator", float(share), fitted, self.features, says=self.says)
            for label, share, fitted in parts
        ]
