"""MoERegressor and MoEClassifier: a gate over a flat row of experts."""

from __future__ import annotations

from typing import Any

from .arguments import store_arguments
from .base import MixtureEstimator
from .classifier import ClassifierAnswers
from .formula import FromFormula
from .regressor import RegressorAnswers


class MoERegressor(FromFormula, RegressorAnswers, MixtureEstimator):
    """Mixture of experts for real targets.

    ::

        p(y | x) = sum_k g_k(x) p_k(y | x)

    A gate says which expert applies where, each expert is a regression with its own noise; both
    are fitted together by maximum likelihood.

    Parameters
    ----------
    n_experts : int, default=2
        Number of experts K.
    expert : str, expert, or list of (name, expert), default="gaussian"
        ``"gaussian"``, ``"laplace"`` or ``"student_t"``, an instance from
        :mod:`moe_classic.experts`, or K named unlike experts.
    gate : str or gate, default="softmax"
        ``"softmax"``, ``"gaussian"`` or ``"constant"``, or an instance from
        :mod:`moe_classic.gates`.
    solver : str or solver, default="em"
        How the likelihood is climbed: ``"em"``, ``"newton"``, ``"lbfgs"``, ``"squarem"``,
        ``"adam"`` or ``"sgd"``, or an instance from :mod:`moe_classic.solvers`. Changes time, not
        the answer, except where an instance asks for another objective: hard assignment, or the
        error functions of Jacobs et al. (1991).
    init : str or array-like of shape (n_samples, n_experts), default="auto"
        ``"auto"`` tries a portfolio of starts; a strategy's name (``"principal"``, ``"kmeans"``,
        ``"elemental"``, ``"residual"``, ``"segments"``, ``"local"``, ``"cut"``) tries that one
        ``n_init`` times; an array gives the responsibilities of a single start.
    n_init : int, default=10
        Number of starts. All get a short run on a sample, the best few a long one.
    max_iter : int, default=500
        Largest number of passes over the data in a long run.
    tol : float, default=1e-6
        A run ends when the log-likelihood still to gain, estimated by Aitken's method, is below
        ``tol`` nats per unit of weight.
    standardize : bool, default=True
        Whether features and target are standardised inside. Results are reported on the original
        scale either way; penalties and starts see the standardised one. False suits features in
        one unit, such as pixels: scaled to unit variance, those that hardly vary become noise.
    block_size : int or None, default=None
        Rows worked on at a time; None chooses from the cache size. Changes speed, not results.
    n_jobs : int or None, default=None
        Threads over blocks of rows, in fits and predictions; processes over starts, and over the
        blocks of long tables, once threads have waited for seconds. -1 means all processors.
        Changes speed, not results. A joblib context says which: ``parallel_config(backend="loky")``
        or ``"threading"``.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the last fit instead of the starts.
    random_state : int, RandomState or None, default=None
        Seed of the starts.
    verbose : int, default=0
        1 logs every pass of the long runs to the logger ``moe_classic``.
    order_by : str, default="mass"
        Order in which like experts are published: ``"mass"`` puts the one that explains most
        weight first; the name of a term (``"intercept"``, ``"scale"``, a feature) sorts by it.
    missing : {"error", "marginalize"}, default="error"
        What becomes of NaN in X. ``"error"`` refuses it where a component cannot take it.
        ``"marginalize"``, with ``gate="gaussian"``, Gaussian experts and EM: the likelihood is that
        of what was observed, fitted by EM over experts and missing values, and predictions
        marginalise gate and experts. It supposes that values are missing at random: whether one is
        missing may depend on what was seen, not on what was not. Rows may miss all of X.

    Attributes
    ----------
    experts_ : list of fitted experts
        With ``coef_``, ``intercept_``, ``scale_`` ... on the original scale, ordered by mass.
    gate_ : fitted gate
        With its parameters on the original scale.
    log_likelihood_ : float
        Conditional log-likelihood of the training data, in nats.
    trace_ : ndarray
        What the solver climbed (log-likelihood minus penalties; of (x, y) jointly with a Gaussian
        gate, of what was observed of them), at every accepted step; never falls.
    n_iter_ : int
        Passes over the data of the winning run.
    converged_ : bool
    n_parameters_ : int
        Number of free parameters.
    start_report_ : DataFrame
        What became of every start, best first: ``strategy``, ``objective``, ``optimum`` (number of
        the optimum at which it ended, 1 for the best, 0 where it was not followed to its end),
        ``passes``, ``finalist`` (whether it was followed), ``converged``, ``degenerate_experts``,
        the ``weight`` of the rows on which it was tried, and ``agreement``: the share of it that
        goes to the same experts as under the best (nan where not followed). Up to 1,000 rows all
        are followed. A start within 2 nats of the best with another partition is a rival that
        :meth:`inference` tells of.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If X had names.

    See Also
    --------
    MoEClassifier : the same for classes.

    References
    ----------
    Jacobs, Jordan, Nowlan & Hinton (1991), Adaptive mixtures of local experts, Neural Computation
    3. Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6. Xu, Jordan & Hinton (1995), An alternative model for mixtures of experts, NIPS 7.
    Missing values: Ghahramani & Jordan (1994), Supervised learning from incomplete data via an EM
    approach, NIPS 6.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> round(moe.log_likelihood_, 2)
    142.85
    """

    def __init__(
        self,
        n_experts: int = 2,
        *,
        expert: Any = "gaussian",
        gate: Any = "softmax",
        solver: Any = "em",
        init: Any = "auto",
        n_init: int = 10,
        max_iter: int = 500,
        tol: float = 1e-6,
        standardize: bool = True,
        block_size: int | None = None,
        n_jobs: int | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
        order_by: str = "mass",
        missing: str = "error",
    ) -> None:
        store_arguments(self, locals())


class MoEClassifier(FromFormula, ClassifierAnswers, MixtureEstimator):
    """Mixture of experts for classes.

    ::

        P(y = c | x) = sum_k g_k(x) P_k(c | x)

    Parameters
    ----------
    n_experts : int, default=2
        Number of experts K.
    expert : str, expert, or list of (name, expert), default="multinomial"
        ``"multinomial"``, or ``"logistic"`` for two classes, an instance from
        :mod:`moe_classic.experts`, or K named unlike experts. Experts of more than 300
        coefficients each, by name, have ``alpha=5e-5`` and ``pooling=5e-4``, which draws them
        towards their mean; whatever their penalties, features then count in units of at least a
        quarter of their range.
    gate : str or gate, default="softmax"
        ``"softmax"``, ``"gaussian"`` or ``"constant"``, or an instance from
        :mod:`moe_classic.gates`. By name, the softmax gate is ``SoftmaxGate(alpha=1e-4)``, with
        the penalty of the experts: a freer one fits noise where it can tell the rows of experts
        apart without error, as on many features it can.
    solver, init, n_init, max_iter, tol, standardize, block_size, n_jobs, warm_start, random_state,
    verbose, order_by
        As for :class:`MoERegressor`.
    missing : {"error"}, default="error"
        As for :class:`MoERegressor`, but classes have no normal law with x: ``"marginalize"`` is
        refused, and says what to do.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    experts_, gate_, log_likelihood_, trace_, n_iter_, converged_, n_parameters_, start_report_,
    n_features_in_, feature_names_in_
        As for :class:`MoERegressor`; ``coef_`` of an expert has one row a class but the last, to
        which they are relative.

    References
    ----------
    Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6. Chen, Xu & Chi (1999), Improved learning algorithms for mixture of experts in
    multiclass classification, Neural Networks 12.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoEClassifier
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] * 5)
    >>> y = X[:, 0] != X[:, 1]
    >>> MoEClassifier(2, random_state=0).fit(X, y).score(X, y)
    1.0
    """

    def __init__(
        self,
        n_experts: int = 2,
        *,
        expert: Any = "multinomial",
        gate: Any = "softmax",
        solver: Any = "em",
        init: Any = "auto",
        n_init: int = 10,
        max_iter: int = 500,
        tol: float = 1e-6,
        standardize: bool = True,
        block_size: int | None = None,
        n_jobs: int | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
        order_by: str = "mass",
        missing: str = "error",
    ) -> None:
        store_arguments(self, locals())
