"""DeepMoERegressor and DeepMoEClassifier: layers of experts with a gate each.

::

    h_l = sum_e g_e(h_{l-1}) relu(h_{l-1} W_e + b_e),   g = softmax(relu(h V + c) W + b)

Eigen, Ranzato & Sutskever (2013), Learning factored representations in a deep mixture of experts.
"""

from __future__ import annotations

from typing import Any

from moe_classic._arguments import check_integer, check_range
from moe_classic._nets import Experts, Head, Net, SparseLayer
from moe_classic._targets import Target
from moe_classic.routers import DenseRouter, Router

from .base import NetEstimator
from .classifier import NetClassifier
from .regressor import NetRegressor


class DeepNet(NetEstimator):
    """What both deep mixtures share."""

    def __init__(
        self,
        n_experts: int = 4,
        *,
        n_layers: int = 2,
        expert_width: int = 50,
        gate_units: int = 50,
        margin: float = 100.0,
        balance_iter: int = 5,
        weight_decay: float = 0.01,
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
        self.n_layers = n_layers
        self.expert_width = expert_width
        self.gate_units = gate_units
        self.margin = margin
        self.balance_iter = balance_iter
        self.weight_decay = weight_decay
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

    mix = "outputs"

    def _make_router(self) -> Router:
        check_integer("n_layers", self.n_layers, 1, "the number of layers with experts")
        check_integer("expert_width", self.expert_width, 1, "units of an expert")
        check_integer("gate_units", self.gate_units, 1, "hidden units of a gate")
        check_integer("balance_iter", self.balance_iter, 0, "epochs with the rule of the margin")
        check_range(self, "margin", "rows by which an expert may be ahead")
        return DenseRouter(hidden_units=self.gate_units, margin=self.margin)

    def _layers(
        self, router: Router, width: int, places: int, target: Target
    ) -> tuple[list[Any], Any]:
        layers, d = [], width
        for _ in range(self.n_layers):
            experts = Experts(self.n_experts, d, 0, self.expert_width, "relu")
            own = DenseRouter(**router.get_params(deep=False))
            layers.append(SparseLayer(own, experts, residual=False))
            d = self.expert_width
        return layers, Head(d, target.width, target.kind)

    def _epoch_begins(self, net: Net, epoch: int) -> None:
        """The margin holds in the first epochs only."""
        for layer in net.sparse:
            layer.router.set_params(margin=self.margin if epoch < self.balance_iter else None)


class DeepMoERegressor(NetRegressor, DeepNet):
    """Regression by layers that blend all their experts, each layer with a gate of its own.

    ::

        h_l = sum_e g_e(h_{l-1}) relu(h_{l-1} W_e + b_e),   g = softmax(relu(h V + c) W + b)

    Two layers of four experts make sixteen ways through the net. In the first epochs experts that
    are ahead of the others by more than a margin are left out for a batch: without it the first
    to learn would learn everything.

    Parameters
    ----------
    n_experts : int, default=4
        Experts of a layer.
    n_layers : int, default=2
    expert_width : int, default=50
        Units of an expert.
    gate_units : int, default=50
        Hidden units of a gate.
    margin : float, default=100.0
        Rows by which the running sum of an expert's weights may exceed the mean.
    balance_iter : int, default=5
        Epochs in which the margin holds.
    weight_decay, learning_rate, batch_size, max_iter, patience, validation_fraction, tol, dtype, \
warm_start, n_jobs, random_state, verbose
        As for :class:`SparseMoERegressor`.

    Attributes
    ----------
    load_, history_, load_history_, loss_, best_loss_, n_iter_, best_iter_, n_parameters_, \
n_active_parameters_, routers_, n_features_in_, feature_names_in_
        As for :class:`SparseMoERegressor`.

    References
    ----------
    Eigen, Ranzato & Sutskever (2013), Learning factored representations in a deep mixture of
    experts, arXiv 1312.4314.

    Examples
    --------
    >>> from moe_classic import DeepMoERegressor
    >>> from moe_classic.datasets import make_piecewise_linear
    >>> X, y = make_piecewise_linear(600, random_state=0)
    >>> moe = DeepMoERegressor(random_state=0).fit(X, y)
    >>> moe.gate_proba(X, layer=0).shape
    (600, 4)
    """


class DeepMoEClassifier(NetClassifier, DeepNet):
    """Classification by layers that blend all their experts, each layer with a gate of its own.

    ::

        h_l = sum_e g_e(h_{l-1}) relu(h_{l-1} W_e + b_e),   P = softmax(h_L B + b)

    Parameters
    ----------
    n_experts, n_layers, expert_width, gate_units, margin, balance_iter, weight_decay, \
learning_rate, batch_size, max_iter, patience, validation_fraction, tol, dtype, warm_start, \
n_jobs, random_state, verbose
        As for :class:`DeepMoERegressor`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    load_, history_, load_history_, loss_, best_loss_, n_iter_, best_iter_, n_parameters_, \
n_active_parameters_, routers_, n_features_in_, feature_names_in_
        As for :class:`SparseMoERegressor`.

    References
    ----------
    Eigen, Ranzato & Sutskever (2013), arXiv 1312.4314.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from moe_classic import DeepMoEClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> DeepMoEClassifier(random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """
