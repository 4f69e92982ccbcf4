"""The contract of a gate: mixing terms that depend on x.

Like experts, gates are descriptions; parameters travel in immutable records. A gate may leave out
what is marked optional; whoever needs it says so before any work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import (
    INTERCEPT,
    SLOPE,
    WEIGHT,
    Component,
    ComponentTerms,
    Forward,
    Regions,
    Units,
    optional,
)
from moe_classic._data import Design, DesignMap, Stats, Summary
from moe_classic._numerics import choose, log_normalised
from moe_classic._typing import Bools, Floats, Ints

#: What a summary says of one expert, keyed by (kind, term).
GateRow = dict[tuple[str, str], float]


class Gate(Component, ABC):
    """Base of all gates.

    Attributes
    ----------
    generative : whether ``log_joint`` is an unnormalised log p(expert, x), so that EM climbs the
        likelihood of (x, y) jointly.
    exchangeable : whether experts may be put in a new order by :meth:`reorder`.
    plain : whether its coordinates multiply no design: the information then treats each as a
        local variable of its own.
    own_units : whether it decides itself how its features are scaled, in :meth:`seeing`; no
        other component shares its design then.
    bends : whether features with long tails are bent for it, since it describes their densities.

    Examples
    --------
    >>> from moe_classic.gates import GATES, Gate
    >>> all(issubclass(kind, Gate) for kind in GATES.values())
    True
    """

    plural: ClassVar[str] = "gates"
    generative: ClassVar[bool] = False
    exchangeable: ClassVar[bool] = True
    plain: ClassVar[bool] = False
    own_units: ClassVar[bool] = False
    bends: ClassVar[bool] = False

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""

    def check_count(self, n_experts: int) -> None:
        """Raise if the gate cannot choose between this many experts."""

    def for_classes(self, *, named: bool) -> Gate:
        """The gate between experts that tell classes apart.

        ``named``: whether it was asked for by its name alone, with no settings to keep.
        """
        return self

    def seeing(
        self, design: DesignMap, raw: Floats, w: Floats, *, standardize: bool
    ) -> tuple[Gate, DesignMap]:
        """The gate that has seen its features (n, q - 1) with weights, and its design; as given."""
        return self, design

    def informed(self, Z: Floats, w: Floats) -> Gate:
        """The gate for a design of which some rows are ``Z`` (q, m), with weights; itself."""
        return self

    def guarded(self) -> Gate:
        """The gate for starts, where bounds may have to be wider; itself."""
        return self

    def degenerate(self, params: Any) -> Bools:
        """Which experts sit at a bound that only keeps the likelihood finite; (K,) or (1,)."""
        return np.zeros(1, dtype=bool)

    def stacks(self, params: Any) -> bool:
        """Whether fields of parameters may have a leading axis: several gates in one call.

        Then :meth:`forward`, :meth:`curvature`, :meth:`statistics`, with ``S`` (S, K, n), and
        :meth:`update` do for each what they do for one; Grams are asked for one after another.
        """
        return False

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
        return log_normalised(joint) if self.generative else joint

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

    @optional
    def translate(self, stats: Any, old: Any, new: Any) -> Any:
        """Statistics taken at ``old`` as they would be, to second order, at ``new``."""
        raise self.lacks("translate")

    # -------------------------------------------------------------------- derivatives

    @optional
    def gradient(self, params: Any, design: Design, S: Floats) -> Floats:
        """Gradient of ``sum S log_joint`` for any signed ``S``, (n_theta,)."""
        raise self.lacks("gradient")

    @optional
    def derivatives(self, params: Any, fwd: Forward, R: Floats) -> tuple[Floats, Floats]:
        """Pointwise derivatives in the A local variables: logits that are linear in the design.

        Returns
        -------
        first : ndarray of shape (A, K, n)
            ``d log g_k / d eta_a``.
        curvature : ndarray of shape (A, A, n)
            ``- sum_k R_k d2 log g_k``; of :attr:`plain` gates, whose variables are all
            coordinates of :meth:`pack`, summed over rows, (A, A).
        """
        raise self.lacks("derivatives")

    def penalties(self, params: Any, summary: Summary) -> Any:
        """Penalties (S,) of several gates at once, where :meth:`stacks` says so, or 0."""
        return 0.0

    def penalty_value(self, params: Any, summary: Summary) -> float:
        """What is subtracted from the log-likelihood."""
        return 0.0

    def penalty_gradient(self, params: Any, summary: Summary) -> Floats:
        """Gradient of the penalty with respect to theta, (n_theta,)."""
        return np.zeros(self.pack(params).size)

    def penalty_hessian(self, params: Any, summary: Summary) -> Floats:
        """Hessian of the penalty with respect to theta, (n_theta, n_theta)."""
        size = self.pack(params).size
        return np.zeros((size, size))

    def optimality(self, params: Any, stats: Any, summary: Summary) -> Any:
        """Largest violation of the conditions of optimality by slopes under a lasso."""
        return 0.0

    def support(self, params: Any) -> tuple[Floats, Floats, Bools]:
        """Coordinates of what is not held at zero: ``theta = T u``, and whose signs stay."""
        theta = self.pack(params)
        return np.eye(theta.size), theta, np.zeros(theta.size, dtype=bool)

    # -------------------------------------------------------------------- records

    @optional
    def pack(self, params: Any) -> Floats:
        """Unconstrained vector theta, (n_theta,): empty where there is no half way."""
        return np.empty(0)

    def unpack(self, theta: Floats, like: Any, summary: Summary) -> Any:
        """Inverse of :meth:`pack`, with the shapes of ``like``."""
        return like

    def n_parameters(self, params: Any) -> Any:
        """Number of free parameters; nan where not known."""
        return int(self.pack(params).size)

    @abstractmethod
    def reorder(self, params: Any, order: np.ndarray) -> Any:
        """Parameters with the experts in a new order."""

    # -------------------------------------------------------------------- draws

    def sample(self, params: Any, design: Design, rng: np.random.Generator) -> Ints:
        """An expert for every row, (n,)."""
        return choose(np.exp(self.log_gate(params, design)), rng)

    @optional
    def sample_rows(self, params: Any, n: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Experts (n,) and what the gate sees of X (n, p), of generative gates alone."""
        raise self.lacks("sample_rows")

    @optional
    def draw(self, params: Any, regions: Regions) -> Any:
        """Random parameters like ``params`` under which every expert leads in its region.

        Part of :func:`~moe_classic.datasets.make_moe`.
        """
        raise self.lacks("draw")

    # -------------------------------------------------------------------- what users see

    @optional
    def lines(self, params: Any) -> Floats:
        """Coefficients (M, q) of logits that are linear in the design."""
        raise self.lacks("lines")

    def layout(self, params: Any) -> Any:
        """The tree of its nodes, or None: the gate chooses at once."""
        return None

    def shown(self, params: Any, design: DesignMap) -> dict[str, Any]:
        """Parameters as users see them, on the original scale of the features."""
        return {f"{name}_": value for name, value in vars(params).items()}

    def rows(self, shown: dict[str, Any], names: tuple[str, ...], K: int) -> list[GateRow]:
        """What summaries say of each expert, from what is :meth:`shown`: by default numbers."""
        own = {
            name.removesuffix("_"): value
            for name, value in shown.items()
            if np.shape(value) == (K,) and np.asarray(value).dtype.kind == "f"
        }
        return [{(name, name): float(value[k]) for name, value in own.items()} for k in range(K)]

    @optional
    def terms(self, params: Any, units: Units) -> ComponentTerms:
        """What tables of parameters show, and how it follows theta."""
        raise self.lacks("terms")

    def vanished(self, params: Any) -> Ints:
        """Coordinates that sit at a bound and are held there."""
        return np.empty(0, dtype=np.intp)

    def about(self, params: Any, features: Ints) -> Ints:
        """Coordinates that describe some of the features of its design."""
        if not self.has("lines"):
            return np.empty(0, dtype=np.intp)
        q = self.lines(params).shape[-1]
        places = np.arange(self.pack(params).size).reshape(-1, q)
        return places[:, features].ravel()

    @optional
    def graph(self, graph: Any, params: Any, linear: Any) -> str:
        """Add the gate probabilities (n, K) to an ONNX graph.

        ``linear`` turns coefficients (M, q) into the name of linear predictors (n, M).
        """
        raise self.lacks("graph")


def line_rows(shown: dict[str, Any], names: tuple[str, ...], K: int) -> list[GateRow]:
    """Rows of a summary for one line an expert."""
    coef, intercept = shown["coef_"], shown["intercept_"]
    slopes = [(SLOPE, name) for name in names]
    return [
        {(INTERCEPT, INTERCEPT): float(intercept[k])}
        | dict(zip(slopes, map(float, coef[k]), strict=True))
        for k in range(K)
    ]


def weight_rows(shown: dict[str, Any], names: tuple[str, ...], K: int) -> list[GateRow]:
    """Rows of a summary for one proportion an expert."""
    return [{(WEIGHT, WEIGHT): float(shown["weights_"][k])} for k in range(K)]
