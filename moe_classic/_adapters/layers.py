"""Fitted estimators whose predictions are differentiable: linear models, logits and MLPs as layers.

What scikit-learn fitted is read as layers ``a <- act(a W + b)``, checked against the estimator's
own predictions, trained further together with a gate, and written back into a copy.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from moe_classic._typing import Floats, Ints

from .fitting import with_feature_names

#: Hidden activations, and their derivatives as functions of the activations themselves.
_ACTIVATIONS: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "identity": (lambda a: a, np.ones_like),
    "tanh": (np.tanh, lambda a: 1.0 - a**2),
    "logistic": (expit, lambda a: a * (1.0 - a)),
    "relu": (lambda a: np.maximum(a, 0.0), lambda a: (a > 0.0).astype(np.float64)),
}
#: How far the layers may be from the estimator's own predictions, relative to their size.
_AGREEMENT = 1e-8


@dataclass(frozen=True)
class Layers:
    """One differentiable expert at fixed rows.

    Attributes
    ----------
    estimator : fitted estimator
        What is written back into, as a copy.
    inputs : ndarray of shape (n, p)
        Rows as the first layer sees them, after the transformers of a pipeline.
    shapes : list of (fan in, fan out)
    hidden : str
        Activation of all layers but the last.
    last : {"identity", "softmax", "logistic"}
    places : ndarray of int
        Rows of the output (d or C, n) that this expert fills.
    width : int
        Number of outputs d or classes C.
    start : ndarray
        Coefficients as they were fitted.
    """

    estimator: Any
    inputs: Floats
    shapes: list[tuple[int, int]]
    hidden: str
    last: str
    places: Ints
    width: int
    start: Floats

    def _split(self, theta: Floats) -> list[tuple[Floats, Floats]]:
        """Weights (fan in, fan out) and intercepts (fan out,) of the layers."""
        layers, stop = [], 0
        for fan_in, fan_out in self.shapes:
            start, stop = stop, stop + fan_in * fan_out
            W = theta[start:stop].reshape(fan_in, fan_out)
            start, stop = stop, stop + fan_out
            layers.append((W, theta[start:stop]))
        return layers

    def forward(self, theta: Floats) -> tuple[Floats, list[Floats]]:
        """Predictions (d or C, n), and the activations (n, fan) of every layer."""
        act = _ACTIVATIONS[self.hidden][0]
        seen, layers = [self.inputs], self._split(theta)
        for number, (W, b) in enumerate(layers):
            a = seen[-1] @ W + b
            seen.append(act(a) if number < len(layers) - 1 else self._output(a))
        out = np.zeros((self.width, len(self.inputs)))
        out[self.places] = self._columns(seen[-1]).T
        return out, seen

    def _output(self, a: Floats) -> Floats:
        """Activation of the last layer."""
        if self.last == "softmax":
            e = np.exp(a - a.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)
        return expit(a) if self.last == "logistic" else a

    def _columns(self, a: Floats) -> Floats:
        """Both class probabilities from that of the second."""
        return np.hstack([1.0 - a, a]) if self.last == "logistic" else a

    def backward(self, theta: Floats, seen: list[Floats], G: Floats) -> Floats:
        """Gradient in theta from the derivatives ``G`` (d or C, n) in the predictions."""
        slope, layers = _ACTIVATIONS[self.hidden][1], self._split(theta)
        a, g = seen[-1], G[self.places].T
        if self.last == "softmax":
            delta = a * (g - (a * g).sum(axis=1, keepdims=True))
        elif self.last == "logistic":
            delta = (g[:, 1:] - g[:, :1]) * a * (1.0 - a)
        else:
            delta = g
        parts: list[Floats] = []
        for number in range(len(layers) - 1, -1, -1):
            parts = [(seen[number].T @ delta).ravel(), delta.sum(axis=0), *parts]
            if number:
                delta = (delta @ layers[number][0].T) * slope(seen[number])
        return np.concatenate(parts)

    def written(self, theta: Floats) -> Any:
        """A copy of the estimator with the coefficients ``theta``."""
        copy = deepcopy(self.estimator)
        last = copy[-1] if isinstance(copy, Pipeline) else copy
        layers = self._split(theta)
        if hasattr(last, "coefs_"):
            last.coefs_ = [W.copy() for W, _ in layers]
            last.intercepts_ = [b.copy() for _, b in layers]
        else:
            W, b = layers[0]
            last.coef_ = W.T.reshape(np.shape(last.coef_)).copy()
            # scikit-learn keeps one intercept, or none for several outputs, as a plain number.
            plain = np.ndim(last.intercept_) == 0 and b.size == 1
            last.intercept_ = float(b[0]) if plain else b.copy()
        return copy


def layers_of(label: str, estimator: Any, X: Floats, own: Floats, places: Ints) -> Layers:
    """A fitted estimator as layers.

    Parameters
    ----------
    label : name of the expert, for the message
    estimator : fitted estimator
    X : (n, p)
    own : (d or C, n)
        The estimator's own predictions.
    places : rows of ``own`` that the estimator fills

    Raises
    ------
    ValueError
        If the estimator is not one whose layers are known.
    """
    last, inputs = estimator, with_feature_names(estimator, X)
    if isinstance(estimator, Pipeline):
        last, inputs = estimator[-1], estimator[:-1].transform(inputs)
    found = _read(last)
    if found is not None:
        weights, hidden, output = found
        theta = np.concatenate([np.r_[np.ravel(W), np.ravel(b)] for W, b in weights])
        shapes = [(W.shape[0], W.shape[1]) for W, _ in weights]
        inputs = inputs.toarray() if hasattr(inputs, "toarray") else inputs
        inputs = np.asarray(inputs, dtype=np.float64)
        layers = Layers(estimator, inputs, shapes, hidden, output, places, len(own), theta)
        gap = np.abs(layers.forward(theta)[0] - own).max()
        if gap <= _AGREEMENT * max(1.0, np.abs(own).max()):
            return layers
    raise ValueError(
        f"joint=True needs experts that are differentiable: linear regressions, "
        f"LogisticRegression, MLPs, or pipelines that end in one; {label} is {estimator!r}. Set "
        "joint=False."
    )


def _read(last: Any) -> tuple[list[tuple[Floats, Floats]], str, str] | None:
    """Weights of all layers, hidden and last activation; None for an unknown estimator."""
    if hasattr(last, "coefs_"):
        weights = list(zip(last.coefs_, last.intercepts_, strict=True))
        return weights, last.activation, last.out_activation_
    if not (hasattr(last, "coef_") and hasattr(last, "intercept_")):
        return None
    coef = np.atleast_2d(last.coef_).astype(np.float64)
    intercept = np.broadcast_to(np.ravel(last.intercept_), len(coef)).astype(np.float64)
    output = "identity"
    if is_classifier(last):
        output = "logistic" if len(coef) == 1 else "softmax"
    return [(coef.T, intercept)], "identity", output
