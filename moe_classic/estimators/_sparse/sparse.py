"""SparseMoERegressor and SparseMoEClassifier: nets whose rows consult a few experts each.

::

    h_0 = x A + a,   h_l = h_{l-1} + sum_{e in S(h)} w_e(h) f_e(h),   o = h_L B + b
    f_e(h) = act(h W1_e + b1_e) W2_e + b2_e

Shazeer et al. (2017), Outrageously large neural networks. Fedus, Zoph & Shazeer (2022), Switch
transformers.
"""

from __future__ import annotations

from typing import Any, Self

from moe_classic._arguments import check_choice, check_integer
from moe_classic._nets import ACTIVATIONS, Affine, Experts, Head, SparseLayer
from moe_classic._targets import Target
from moe_classic.estimators import _reporting
from moe_classic.routers import Router, make_router

from .base import NetEstimator
from .classifier import NetClassifier
from .regressor import NetRegressor


class SparseNet(NetEstimator):
    """What both estimators with sparse layers share."""

    def __init__(
        self,
        n_experts: int = 8,
        *,
        router: Any = "top_k",
        n_layers: int = 1,
        expert_width: int = 32,
        width: int | None = 64,
        stem: str = "linear",
        activation: str = "relu",
        mix: str = "outputs",
        tokens: Any = None,
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
        self.router = router
        self.n_layers = n_layers
        self.expert_width = expert_width
        self.width = width
        self.stem = stem
        self.activation = activation
        self.mix = mix
        self.tokens = tokens
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

    def set_params(self, **params: Any) -> Self:
        """Set arguments by name, nested ones such as ``router__top_k`` too.

        A router that was given by its name is replaced by an instance of it where a parameter of
        its own is set.
        """
        router = params.get("router", self.router)
        if isinstance(router, str) and any(name.startswith("router__") for name in params):
            count = params.get("n_experts", self.n_experts)
            params = {**params, "router": make_router(router, count)}
        _reporting.refuse_parts(self, params)
        super().set_params(**params)
        return self

    def _make_router(self) -> Router:
        check_integer("n_layers", self.n_layers, 1, "the number of layers with experts")
        check_integer("expert_width", self.expert_width, 1, "hidden units of an expert")
        if self.width is not None:
            check_integer("width", self.width, 1, "channels of the stream, or None for X itself")
        check_choice(self, "stem", ("linear", "relu"))
        check_choice(self, "activation", tuple(sorted(ACTIVATIONS)))
        check_choice(self, "mix", ("outputs", "densities"))
        if self.width is None and self.stem != "linear":
            raise ValueError(
                f"stem={self.stem!r} is what makes the stream from X, and width=None takes X as it "
                "is; give a width, or leave stem at 'linear'."
            )
        router = make_router(self.router, self.n_experts)
        if self.mix == "densities":
            self._check_densities(router)
        return router

    def _check_densities(self, router: Router) -> None:
        """Raise unless densities can be mixed by this router."""
        if not router.full():
            raise ValueError(
                f"mix='densities' needs weights that sum to one over the same number of experts in "
                f"every row, and router={self.router!r} has no such: use mix='outputs', or a "
                "router such as 'top_k', 'dense' or 'mixtral'."
            )
        if self.tokens is not None:
            raise ValueError(
                f"mix='densities' mixes what experts say of a sample, and tokens={self.tokens!r} "
                "have several rows a sample; use mix='outputs'."
            )

    def _layers(
        self, router: Router, width: int, places: int, target: Target
    ) -> tuple[list[Any], Any]:
        layers: list[Any] = []
        d = width
        if self.width is not None:
            d = self.width
            activation = "relu" if self.stem == "relu" else "identity"
            layers.append(Affine(width, d, activation, places=places))
        total = self.n_experts + router.extra_experts()
        for _ in range(self.n_layers):
            experts = Experts(total, d, self.expert_width, d, self.activation)
            layers.append(SparseLayer(router, experts))
        mixed = self.mix == "densities"
        head = Head(d, target.width, target.kind, mixed=mixed, density_experts=total)
        return layers, head


class SparseMoERegressor(NetRegressor, SparseNet):
    """Regression by layers of experts of which every row consults a few.

    ::

        h_0 = x A + a,   h_l = h_{l-1} + sum_{e in S(h)} w_e(h) f_e(h),   y = h_L B + b

    The cost of a row does not grow with the number of experts. A prediction is a function of its
    row alone: what depends on a batch (capacity, noise, experts that choose rows) does so in
    training only.

    Parameters
    ----------
    n_experts : int, default=8
        Routed experts of a layer.
    router : str or Router, default="top_k"
        A name in :data:`moe_classic.routers.ROUTERS`, or an instance, for all layers.
    n_layers : int, default=1
        Layers with experts.
    expert_width : int, default=32
        Hidden units of an expert.
    width : int or None, default=64
        Channels of the stream, made by an affine map of the standardised features; None: the
        features themselves.
    stem : {"linear", "relu"}, default="linear"
        Whether an activation follows that map.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Of the experts' hidden units.
    mix : {"outputs", "densities"}, default="outputs"
        "outputs": the loss of the summed output. "densities": in the last layer every consulted
        expert has a density of its own, and these are mixed, as in :class:`MoERegressor`; needs a
        router with weights that sum to one.
    tokens : None, Patches or Features, default=None
        How a sample is cut into several rows of the stream, whose mean goes to the head.
    weight_decay : float, default=0.01
        Decoupled: matrices that move shrink by learning rate times this.
    dropout : float, default=0.0
        Share of the stream set to zero before the first layer of experts, in training.
    learning_rate : "auto" or float, default="auto"
        Of Adam. "auto": .008 for batches of 256 rows, growing with their root. When half the
        patience has passed without a gain, the rate falls to three tenths.
    batch_size : "auto" or int, default="auto"
        Rows a batch. "auto": 64 for each expert, at least 256, at most a sixteenth of all.
    max_iter : int, default=200
        Largest number of epochs.
    patience : int, default=12
        Epochs without a gain that end the fit.
    validation_fraction : float, default=0.1
        Rows held out to judge epochs; 0: the training loss judges.
    tol : float, default=1e-4
        Gain per unit of weight that counts.
    dtype : None, float32 or float64, default=None
        Numbers throughout; None: as X.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the last fit.
    n_jobs : int or None, default=None
        Threads that share the rows of a prediction. Training takes one step after another and has
        one thread.
    random_state : int, RandomState or None, default=None
    verbose : int, default=0

    Attributes
    ----------
    load_ : ndarray of shape (n_layers, n_experts)
        Share of the training pairs of each expert in the best epoch.
    dropped_, uncovered_ : ndarray of shape (n_layers,)
        Shares of pairs that found no room, and of rows without an expert, in the best epoch.
    history_ : DataFrame
        One row an epoch: loss, validation, for each layer ``i`` ``balance_entropy_i`` (entropy of
        the load over log E), ``max_over_mean_load_i``, ``dropped_i`` and the auxiliary losses;
        seconds.
    load_history_ : ndarray of shape (n_epochs, n_layers, n_experts)
    loss_, best_loss_ : float
        Training loss, and the loss that judges, in the best epoch: half the squared error in
        standard deviations of y, or nats.
    n_iter_, best_iter_ : int
        Epochs, and the number of the best.
    n_parameters_, n_active_parameters_ : int
        Numbers in all, and those that a row meets.
    routers_ : list
        Sparse layers with ``router``, ``arrays`` and ``state``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If X had names.

    See Also
    --------
    SparseMoEClassifier : the same for classes.
    MoERegressor : few experts with equations, fitted by maximum likelihood.
    upcycle : experts from a fitted perceptron.

    Notes
    -----
    Worth it where a function is in pieces that a linear map of the features can tell apart, with
    some hundred rows a piece; a smooth function is as well served by a perceptron of the same
    active size.

    References
    ----------
    Shazeer et al. (2017), Outrageously large neural networks: the sparsely-gated
    mixture-of-experts layer, ICLR. Fedus, Zoph & Shazeer (2022), Switch transformers: scaling to
    trillion parameter models with simple and efficient sparsity, JMLR 23.

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.datasets import make_regimes
    >>> X, y = make_regimes(2000, n_regimes=4, n_features=3, random_state=0)
    >>> moe = SparseMoERegressor(4, max_iter=100, random_state=0).fit(X[:1500], y[:1500])
    >>> moe.score(X[1500:], y[1500:]) > 0.8
    True
    """


class SparseMoEClassifier(NetClassifier, SparseNet):
    """Classification by layers of experts of which every row consults a few.

    ::

        h_0 = x A + a,   h_l = h_{l-1} + sum_{e in S(h)} w_e(h) f_e(h),   P = softmax(h_L B + b)

    Parameters
    ----------
    n_experts, router, n_layers, expert_width, width, stem, activation, mix, tokens, weight_decay, \
dropout, learning_rate, batch_size, max_iter, patience, validation_fraction, tol, dtype, \
warm_start, n_jobs, random_state, verbose
        As for :class:`SparseMoERegressor`; with ``mix="densities"`` the experts' class
        probabilities are mixed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    load_, dropped_, uncovered_, history_, load_history_, loss_, best_loss_, n_iter_, best_iter_, \
n_parameters_, n_active_parameters_, routers_, n_features_in_, feature_names_in_
        As for :class:`SparseMoERegressor`; losses are cross-entropies in nats.

    See Also
    --------
    SparseMoERegressor : the same for real targets.
    MixtureOfSoftmaxesClassifier, DeepMoEClassifier : published systems.

    References
    ----------
    Shazeer et al. (2017), ICLR. Fedus, Zoph & Shazeer (2022), JMLR 23.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from moe_classic import SparseMoEClassifier
    >>> from moe_classic.routers import Patches
    >>> X, y = load_digits(return_X_y=True)
    >>> moe = SparseMoEClassifier(tokens=Patches((8, 8), 4), max_iter=30, random_state=0)
    >>> moe.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:]) > 0.8  # doctest: +SKIP
    True
    """
