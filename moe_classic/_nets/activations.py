"""Activations and their derivatives in terms of their values, in place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray


def _relu(H: Array) -> None:
    np.maximum(H, 0.0, out=H)


def _tanh(H: Array) -> None:
    np.tanh(H, out=H)


def _logistic(H: Array) -> None:
    H *= 0.5
    np.tanh(H, out=H)
    H += 1.0
    H *= 0.5


def _identity(H: Array) -> None:
    pass


def _pull_relu(H: Array, g: Array) -> None:
    np.multiply(g, H > 0.0, out=g)


def _pull_tanh(H: Array, g: Array) -> None:
    g *= 1.0 - np.square(H)


def _pull_logistic(H: Array, g: Array) -> None:
    g *= H * (1.0 - H)


def _pull_identity(H: Array, g: Array) -> None:
    pass


#: In-place functions of pre-activations; of values and gradients.
ACTIVATIONS: dict[str, tuple[Callable[[Array], None], Callable[[Array, Array], None]]] = {
    "identity": (_identity, _pull_identity),
    "logistic": (_logistic, _pull_logistic),
    "relu": (_relu, _pull_relu),
    "tanh": (_tanh, _pull_tanh),
}

#: Leave a column of ones as it is.
KEEPS_ONES = ("identity", "relu")
