"""The fitted gate of a blend, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from moe_classic._arguments import check_integer, check_real
from moe_classic._components import INTERCEPT, SLOPE, WEIGHT
from moe_classic._data import DesignMap, checked_design, fit_design, slices_of
from moe_classic._typing import Floats, Names

from .net import BlendData, BlendNet, Trace, blend_objective, descend, error_of, simplex_weights


@dataclass(frozen=True)
class FittedBlendGate:
    """A gate on the original scale of the features.

    Attributes
    ----------
    output : {"softmax", "sigmoid", "linear", "constant"}
        How outputs become weights.
    feature_names_ : tuple of str
    hidden_units : int
    weights_ : ndarray of shape (K,)
        Only of a constant gate.
    coef_, intercept_ : ndarrays of shape (K, p) and (K,)
        Of a gate linear in x; with hidden units, (K, H) and (K,) in the units' activations.
    hidden_coef_, hidden_intercept_ : ndarrays of shape (H, p) and (H,)
        Of the hidden units, ``tanh(hidden_coef_ @ x + hidden_intercept_)``.
    """

    output: str
    design: DesignMap
    net: BlendNet | None
    theta: Floats

    @property
    def name(self) -> str:
        """How outputs become weights."""
        return self.output

    @property
    def hidden_units(self) -> int:
        """Number of tanh units H; 0 if there is no such layer."""
        return 0 if self.net is None else self.net.hidden_units

    @property
    def feature_names_(self) -> tuple[str, ...]:
        """Names of the features that the gate sees."""
        return self.design.names

    @property
    def weights_(self) -> Floats:
        """Weights of a constant gate, (K,)."""
        if self.net is not None:
            raise AttributeError(f"a {self.output} gate has no constant weights_")
        return self.theta

    @property
    def trained(self) -> BlendNet:
        """The net, or an error if the gate is constant."""
        if self.net is None:
            raise AttributeError("a constant gate has no coefficients; see weights_")
        return self.net

    @property
    def _parts(self) -> tuple[Floats, Floats]:
        """Hidden (H, q) and output coefficients of a net."""
        return self.trained.split(self.theta)

    @property
    def coef_(self) -> Floats:
        """Slopes of the outputs."""
        first, last = self._parts
        return last[:, :-1] if len(first) else self.design.original(last)[0]

    @property
    def intercept_(self) -> Floats:
        """Intercepts of the outputs."""
        first, last = self._parts
        return last[:, -1] if len(first) else self.design.original(last)[1]

    @property
    def hidden_coef_(self) -> Floats:
        """Slopes of the hidden units."""
        return self.design.original(self._parts[0])[0]

    @property
    def hidden_intercept_(self) -> Floats:
        """Intercepts of the hidden units."""
        return self.design.original(self._parts[0])[1]

    def terms(self, k: int) -> dict[tuple[str, str], float]:
        """Parameters of expert ``k`` by (kind, term); none of a gate with hidden units."""
        if self.net is None:
            return {(WEIGHT, WEIGHT): float(self.theta[k])}
        if self.hidden_units:
            return {}
        slopes = [(SLOPE, name) for name in self.feature_names_]
        table = dict(zip(slopes, map(float, self.coef_[k]), strict=True))
        return {(INTERCEPT, INTERCEPT): float(self.intercept_[k])} | table

    def weights(self, X: np.ndarray) -> Floats:
        """Weights of the experts at the rows of ``X`` (n, p), (K, n)."""
        if self.net is None:
            return np.repeat(self.theta[:, None], len(X), axis=1)
        return self.net.weights(self.theta, checked_design(self.design, X))


@dataclass(frozen=True)
class GateOptions:
    """Arguments of an estimator that are about its gate, checked."""

    output: str
    hidden_units: int
    features: Any
    alpha: float
    max_iter: int
    tol: float

    @classmethod
    def of(
        cls, estimator: Any, allowed: tuple[str, ...], *, steps: str = "max_iter"
    ) -> GateOptions:
        """Options from an estimator's parameters; raises if one is out of range.

        ``steps`` names the parameter that bounds the steps of the gate.
        """
        gate, most = estimator.gate, getattr(estimator, steps)
        if gate not in allowed:
            raise ValueError(f"gate={gate!r} is not known; choose one of {sorted(allowed)}.")
        check_integer("hidden_units", estimator.hidden_units, 0, "tanh units of the gate")
        check_integer(steps, most, 1, "the largest number of steps of the gate")
        if gate == "constant" and (estimator.hidden_units or estimator.gate_features is not None):
            raise ValueError(
                "gate='constant' does not look at x: hidden_units and gate_features have no "
                "meaning; leave them at 0 and None."
            )
        return cls(
            gate,
            int(estimator.hidden_units),
            [] if gate == "constant" else estimator.gate_features,
            check_real("alpha", estimator.alpha, 0.0, "the L2 penalty on the slopes of the gate"),
            int(most),
            check_real("tol", estimator.tol, 0.0, "the relative fall of the loss that ends a fit"),
        )

    def design(
        self, X: np.ndarray, y: np.ndarray, w: Floats, names: Names, owner: str
    ) -> DesignMap:
        """What the gate sees of X, standardised by the weighted moments."""
        return fit_design(
            self.features,
            slices_of(X, w),
            fit_on=(X, y),
            names_in=names,
            standardize=True,
            owner=f"{owner}: gate_features",
        )

    def net(self, n_experts: int, design: DesignMap) -> BlendNet:
        """The gate without numbers."""
        return BlendNet(n_experts, design.width, self.hidden_units, self.output)


def train_gate(
    options: GateOptions,
    design: DesignMap,
    data: BlendData,
    rng: np.random.Generator,
    start: Floats | None = None,
) -> tuple[FittedBlendGate, Trace]:
    """The gate that minimises the squared error of the blend.

    Parameters
    ----------
    options, design, data : what to train, on what
    rng : generator
        Draws the hidden units.
    start : ndarray, optional
        Coefficients to go on from.
    """
    if options.output == "constant":
        p = simplex_weights(data.outputs, data.target, data.w)
        error = error_of(data, np.repeat(p[:, None], data.w.size, axis=1))
        loss = error * data.w.sum() / data.unit
        return FittedBlendGate("constant", design, None, p), Trace(
            np.array([loss]), converged=True, n_iter=1
        )
    net = options.net(len(data.outputs), design)
    theta = net.start(rng) if start is None else start
    objective = blend_objective(net, data, options.alpha)
    theta, trace = descend(objective, theta, max_iter=options.max_iter, tol=options.tol)
    return FittedBlendGate(options.output, design, net, theta), trace
