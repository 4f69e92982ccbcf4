"""MixtureOfSoftmaxesClassifier: several softmaxes of one head, mixed.

::

    c = tanh(x A + a),   P(y | x) = sum_k p_k(c) softmax(tanh(c L_k + l_k) B + b)_y
    p = softmax(c W)

Yang, Dai, Salakhutdinov & Cohen (2018), Breaking the softmax bottleneck: a high-rank RNN language
model, ICLR.
"""

from __future__ import annotations

from typing import Any

from moe_classic._arguments import check_integer
from moe_classic._nets import Affine, Experts, Head, SparseLayer
from moe_classic._targets import Target
from moe_classic.routers import DenseRouter, Router

from .base import NetEstimator
from .classifier import NetClassifier


class MixtureOfSoftmaxesClassifier(NetClassifier, NetEstimator):
    """Classification by a mixture of softmaxes that share their head.

    ::

        c = tanh(x A + a),   P(y | x) = sum_k p_k(c) softmax(tanh(c L_k + l_k) B + b)_y

    Log probabilities of one softmax lie in a space of dimension ``latent_width + 1``: with many
    classes and a narrow head that is a bottleneck, and a mixture has none.

    Parameters
    ----------
    n_experts : int, default=4
        Softmaxes.
    context_width : int, default=64
        Width of the context c.
    latent_width : int, default=32
        Width of what the head sees.
    weight_decay, dropout, learning_rate, batch_size, max_iter, patience, validation_fraction, \
tol, dtype, warm_start, n_jobs, random_state, verbose
        As for :class:`SparseMoEClassifier`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    load_, history_, load_history_, loss_, best_loss_, n_iter_, best_iter_, n_parameters_, \
n_active_parameters_, routers_, n_features_in_, feature_names_in_
        As for :class:`SparseMoEClassifier`.

    References
    ----------
    Yang et al. (2018), Breaking the softmax bottleneck, ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from moe_classic import MixtureOfSoftmaxesClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> mos = MixtureOfSoftmaxesClassifier(3, random_state=0).fit(X, y)
    >>> mos.gate_proba(X).shape
    (150, 3)
    """

    mix = "densities"

    def __init__(
        self,
        n_experts: int = 4,
        *,
        context_width: int = 64,
        latent_width: int = 32,
        weight_decay: float = 0.01,
        dropout: float = 0.0,
        learning_rate: Any = "auto",
        batch_size: Any = "auto",
        max_iter: int = 200,
        patience: int = 12,
        validation_fraction: float = 0.1,
        tol: float = 1e-4,
        dtype: Any = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_experts = n_experts
        self.context_width = context_width
        self.latent_width = latent_width
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.patience: int | None = patience
        self.validation_fraction = validation_fraction
        self.tol = tol
        self.dtype = dtype
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _make_router(self) -> Router:
        check_integer("context_width", self.context_width, 1, "width of the context")
        check_integer("latent_width", self.latent_width, 1, "width of what the head sees")
        return DenseRouter(intercept=False)

    def _layers(
        self, router: Router, width: int, places: int, target: Target
    ) -> tuple[list[Any], Any]:
        context = Affine(width, self.context_width, "tanh")
        experts = Experts(self.n_experts, self.context_width, 0, self.latent_width, "tanh")
        layers = [context, SparseLayer(router, experts, residual=False)]
        return layers, Head(self.latent_width, target.width, target.kind, mixed=True)
