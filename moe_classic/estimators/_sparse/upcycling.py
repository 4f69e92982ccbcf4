"""upcycle: a fitted perceptron as a sparse mixture that predicts the same and learns on.

Komatsuzaki et al. (2023), Sparse upcycling: training mixture-of-experts from dense checkpoints,
ICLR.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from moe_classic._arguments import check_integer
from moe_classic._data import DesignMap
from moe_classic._nets import Outcome, net_of_copies
from moe_classic._results import FittedNet
from moe_classic._targets import ClassTarget, RealTarget, Target
from moe_classic.routers import HashRouter, Router, make_router

from .sparse import SparseMoEClassifier, SparseMoERegressor

Array = np.ndarray


def upcycle(
    mlp: Any,
    n_experts: int = 8,
    *,
    router: Any = "mixtral",
    place: str = "last",
    random_state: Any = None,
    **params: Any,
) -> SparseMoERegressor | SparseMoEClassifier:
    """Copy a part of a fitted perceptron into every expert of a sparse mixture.

    Predictions stay what they were, as all experts say the same and their weights sum to one;
    ``fit`` then goes on, and the experts come apart because each sees other rows. With
    ``router="dense"`` all see the same, and come apart slowly.

    Parameters
    ----------
    mlp : fitted MLPRegressor or MLPClassifier
        Or a pipeline of a StandardScaler and one, or a TransformedTargetRegressor around either
        whose transformer is a StandardScaler.
    n_experts : int, default=8
    router : str or Router, default="mixtral"
        One whose weights sum to one.
    place : {"last", "first"}, default="last"
        Which two neighbouring maps of the perceptron become the experts; with one hidden layer
        both are the whole net.
    random_state : int, RandomState or None, default=None
        Seed of the router, and of the training that follows.
    **params
        Arguments of :class:`SparseMoERegressor` for that training, such as ``max_iter``;
        ``learning_rate`` is that of the perceptron unless given.

    Returns
    -------
    moe : SparseMoERegressor or SparseMoEClassifier
        Fitted, with ``warm_start=True``.

    Raises
    ------
    ValueError, TypeError
        If the perceptron or the router cannot be used.

    References
    ----------
    Komatsuzaki et al. (2023), Sparse upcycling, ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from moe_classic import upcycle
    >>> X, y = load_iris(return_X_y=True)
    >>> mlp = MLPClassifier(hidden_layer_sizes=(16,), max_iter=2000, random_state=0).fit(X, y)
    >>> moe = upcycle(mlp, 4, random_state=0)
    >>> bool(np.allclose(moe.predict_proba(X), mlp.predict_proba(X), atol=1e-12))
    True
    """
    inner, scaler, target = _parts(mlp)
    check_integer("n_experts", n_experts, 1, "copies to make")
    if place not in ("first", "last"):
        raise ValueError(f"place={place!r} must be 'first' or 'last'.")
    made = _checked_router(router, n_experts)
    real = isinstance(inner, MLPRegressor)
    cls = SparseMoERegressor if real else SparseMoEClassifier
    options = {"activation": inner.activation, "learning_rate": inner.learning_rate_init}
    moe = cls(n_experts, router=router, warm_start=True, random_state=random_state)
    moe.set_params(**options | params)
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    maps = _maps(inner)
    at = len(maps) - 2 if place == "last" else 0
    moe.set_params(expert_width=maps[at][0].shape[1])
    dtype = np.dtype(maps[0][0].dtype if moe.dtype is None else moe.dtype).name
    learned = _target(inner, target)
    net = net_of_copies(
        maps, inner.activation, learned.kind, clone(made), n_experts, place, rng, dtype
    )
    moe.n_features_in_ = inner.n_features_in_
    if hasattr(mlp, "feature_names_in_"):
        moe.feature_names_in_ = mlp.feature_names_in_
    moe._set_fitted(
        FittedNet(net, _design(mlp, inner, scaler), None, learned, None, dtype), Outcome()
    )
    return moe


def _parts(mlp: Any) -> tuple[Any, Any, Any]:
    """The perceptron, the scaler before it, and that of its target."""
    check_is_fitted(mlp)
    inner, scaler, target = mlp, None, None
    if isinstance(inner, TransformedTargetRegressor):
        inner, target = inner.regressor_, inner.transformer_
        if not isinstance(target, StandardScaler):
            raise TypeError(
                f"upcycle: the target's transformer {target!r} must be a StandardScaler."
            )
    if isinstance(inner, Pipeline):
        *before, last = [step for _, step in inner.steps]
        if len(before) != 1 or not isinstance(before[0], StandardScaler):
            raise TypeError(
                f"upcycle: {inner!r} must be a pipeline of a StandardScaler and a perceptron; put "
                "other steps before the mixture in a pipeline of their own."
            )
        inner, scaler = last, before[0]
    if not isinstance(inner, (MLPRegressor, MLPClassifier)):
        raise TypeError(
            f"upcycle needs a fitted MLPRegressor or MLPClassifier of scikit-learn, got {inner!r}."
        )
    several = getattr(inner, "out_activation_", "") == "logistic" and inner.n_outputs_ > 1
    if several:
        raise ValueError("upcycle: a perceptron for several labels a row cannot be used.")
    return inner, scaler, target


def _checked_router(router: Any, n_experts: int) -> Router:
    """The router, if it keeps predictions as they are."""
    made = make_router(router, n_experts)
    if not made.convex():
        raise ValueError(
            f"router={router!r} gives weights that do not sum to one, and copies would no longer "
            "predict what the perceptron does; use 'mixtral', 'top_k' or another that normalises."
        )
    if isinstance(made, HashRouter) or made.features is not None:
        raise ValueError(
            f"router={router!r} needs the training rows to see its features, and upcycle has none; "
            "use a router of the stream, such as 'mixtral'."
        )
    return made


def _maps(inner: Any) -> list[tuple[Array, Array]]:
    """Weights and biases; two logits where the perceptron has one."""
    maps = list(zip(inner.coefs_, inner.intercepts_, strict=True))
    if isinstance(inner, MLPClassifier) and inner.out_activation_ == "logistic":
        W, b = maps[-1]
        maps[-1] = np.hstack([np.zeros_like(W), W]), np.concatenate([[0.0], b])
    return maps


def _design(mlp: Any, inner: Any, scaler: Any) -> DesignMap:
    """The scaler as our own standardisation."""
    p = inner.n_features_in_
    centre, inverse = np.zeros(p), np.ones(p)
    if scaler is not None:
        centre = np.zeros(p) if scaler.mean_ is None else np.asarray(scaler.mean_)
        centre = centre if scaler.with_mean else np.zeros(p)
        inverse = 1.0 / scaler.scale_ if scaler.scale_ is not None else np.ones(p)
    names = getattr(mlp, "feature_names_in_", None)
    listed = None if names is None else [str(v) for v in names]
    return DesignMap(
        None, None, listed, centre, inverse, tuple(listed or [f"x{j}" for j in range(p)])
    )


def _target(inner: Any, scaler: Any) -> Target:
    """Classes, or the scale of y."""
    if isinstance(inner, MLPClassifier):
        return ClassTarget(inner.classes_)
    d = inner.n_outputs_
    shift, factor = np.zeros(d), np.ones(d)
    if scaler is not None and scaler.with_mean:
        shift = np.asarray(scaler.mean_)
    if scaler is not None and scaler.with_std:
        factor = np.asarray(scaler.scale_)
    return RealTarget(d == 1, shift, factor)
