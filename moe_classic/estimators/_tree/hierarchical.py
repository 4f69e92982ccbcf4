"""HierarchicalMoERegressor and HierarchicalMoEClassifier: a tree of gates over the experts."""

from __future__ import annotations

from typing import Any

from moe_classic.estimators._mixture import (
    ClassifierAnswers,
    RegressorAnswers,
    store_arguments,
)

from .base import TreeEstimator
from .online import learn_recursively


class HierarchicalMoERegressor(RegressorAnswers, TreeEstimator):
    """Hierarchical mixture of experts for real targets: a soft decision tree of regressions.

    ::

        p(y | x) = sum over leaves of [ product of g_c|j(x) along the path ] p_leaf(y | x)

    The gates of a tree divide the features softly, level by level; the experts at its leaves are
    regressions with noise of their own. All of it is fitted together by maximum likelihood.

    Parameters
    ----------
    branching : sequence of int, nested sequences, int or "grow", default=(2, 2)
        Integers: children on each level of a balanced tree. Nested sequences: an unbalanced tree,
        see :class:`~moe_classic.gates.TreeGate`. A single integer: children of every node, with
        ``depth`` levels. ``"grow"``: the tree grows from a single expert by splits that pay and is
        pruned of branches that do not.
    depth : int or None, default=None
        Number of levels when ``branching`` is an integer; largest number of levels, None for no
        limit, when it is ``"grow"``.
    node : str or gate, default="softmax"
        Gate at every node: ``"softmax"``, ``"constant"``, or an instance with ``features`` and
        ``alpha`` or ``penalty``, such as ``SoftmaxGate(features=["age"])``.
    expert : str, expert, or list of (name, expert), default="gaussian"
        As for :class:`MoERegressor`; a list names one expert a leaf, from left to right.
    solver : str or solver, default="em"
        How the likelihood is climbed; see :class:`MoERegressor`.
    init : str or array-like of shape (n_samples, n_leaves), default="auto"
        How a node divides its rows at a start: ``"auto"`` tries several partitions; the names are
        those of :class:`MoERegressor`, such as ``"cut"``, the best threshold on one feature with a
        least-squares fit on either side; an array gives the responsibilities of a single start.
        A start splits the rows from the root to the leaves, fitting two or more experts to the
        rows of each node.
    n_init : int, default=10
        Number of starts. All get a short run on a sample, the best few a long one. With
        ``branching="grow"``: number of partitions tried at every leaf.
    least_squares_iter : int, default=0
        Passes of Jordan and Jacobs' second algorithm (gates by least squares on log posteriors)
        before each short run.
    max_leaves : int, default=32
        Most experts that a growing tree may have.
    criterion : {"bic", "held_out"}, default="bic"
        What a growing tree's splits and branches are judged by: the Bayesian information
        criterion, or the log-likelihood of rows held out while it grows. Rows held out also stop
        the passes between splits, and the last run takes only four passes, over all rows.
    validation_fraction : float, default=0.2
        Share of the rows held out with ``criterion="held_out"``.
    max_iter : int, default=500
        Largest number of passes over the data in a long run.
    tol : float, default=1e-6
        A run ends when the log-likelihood still to gain, estimated by Aitken's method, is below
        ``tol`` nats per unit of weight.
    standardize : bool, default=True
        Whether features and target are standardised inside. Results are reported on the original
        scale either way; penalties and starts see the standardised one.
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

    Attributes
    ----------
    tree_ : TreeNode
        Root of the fitted tree, which can be walked: ``children``, ``path``, ``weight_``, ``coef_``
        and ``intercept_`` of the gates on the original scale, ``expert`` at the leaves.
    branching_ : tuple or nested lists
        Shape of the fitted tree, as ``branching`` takes it.
    growth_ : DataFrame
        Only with ``branching="grow"``: every round of splits or prunings with the number of leaves,
        the depth, the log-likelihood in standardised units and the score that decided.
    experts_ : list of fitted experts
        Leaves from left to right, with ``coef_``, ``intercept_``, ``scale_`` ... on the original
        scale.
    gate_ : fitted gate
        With lists ``coef_``, ``intercept_`` and ``paths_`` over the nodes with children.
    log_likelihood_, trace_, n_iter_, converged_, n_parameters_, start_report_, n_features_in_,
    feature_names_in_
        As for :class:`MoERegressor`.

    See Also
    --------
    HierarchicalMoEClassifier : the same for classes.
    moe_classic.gates.TreeGate : the tree of gates by itself, for :class:`MoERegressor`.

    References
    ----------
    Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6. Waterhouse & Robinson (1996), Constructive algorithms for hierarchical mixtures
    of experts, NIPS 8. Fritsch, Finke & Waibel (1997), Adaptively growing hierarchical mixtures of
    experts, NIPS 9.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import HierarchicalMoERegressor
    >>> x = np.linspace(-2.0, 2.0, 400)
    >>> y = np.abs(np.abs(x) - 1.0) + 0.05 * np.sin(40.0 * x)
    >>> tree = HierarchicalMoERegressor((2, 2), random_state=0).fit(x[:, None], y)
    >>> tree.tree_.n_leaves
    4
    >>> round(tree.score(x[:, None], y), 2)
    0.99
    """

    learn_recursively = learn_recursively

    def __init__(
        self,
        branching: Any = (2, 2),
        *,
        depth: int | None = None,
        node: Any = "softmax",
        expert: Any = "gaussian",
        solver: Any = "em",
        init: Any = "auto",
        n_init: int = 10,
        least_squares_iter: int = 0,
        max_leaves: int = 32,
        criterion: str = "bic",
        validation_fraction: float = 0.2,
        max_iter: int = 500,
        tol: float = 1e-6,
        standardize: bool = True,
        block_size: int | None = None,
        n_jobs: int | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        store_arguments(self, locals())


class HierarchicalMoEClassifier(ClassifierAnswers, TreeEstimator):
    """Hierarchical mixture of experts for classes: a soft decision tree of logistic regressions.

    ::

        P(y = c | x) = sum over leaves of [ product of g_b|j(x) along the path ] P_leaf(c | x)

    Parameters
    ----------
    branching, depth
        As for :class:`HierarchicalMoERegressor`.
    node : str or gate, default="softmax"
        As for :class:`HierarchicalMoERegressor`; by name, ``SoftmaxGate(alpha=1e-4)`` as in
        :class:`MoEClassifier`.
    expert : str, expert, or list of (name, expert), default="multinomial"
        As for :class:`MoEClassifier`; a list names one expert a leaf, from left to right.
    solver, init, n_init, least_squares_iter, max_leaves, criterion, validation_fraction, max_iter,
    tol, standardize, block_size, n_jobs, warm_start, random_state, verbose
        As for :class:`HierarchicalMoERegressor`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    tree_, branching_, growth_, experts_, gate_, log_likelihood_, trace_, n_iter_, converged_,
    n_parameters_, start_report_, n_features_in_, feature_names_in_
        As for :class:`HierarchicalMoERegressor`; ``coef_`` of an expert has one row a class but
        the last, to which they are relative.

    References
    ----------
    Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6. Waterhouse & Robinson (1996), Constructive algorithms for hierarchical mixtures
    of experts, NIPS 8.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import HierarchicalMoEClassifier
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] * 5)
    >>> y = X[:, 0] != X[:, 1]
    >>> HierarchicalMoEClassifier((2,), random_state=0).fit(X, y).score(X, y)
    1.0
    """

    def __init__(
        self,
        branching: Any = (2, 2),
        *,
        depth: int | None = None,
        node: Any = "softmax",
        expert: Any = "multinomial",
        solver: Any = "em",
        init: Any = "auto",
        n_init: int = 10,
        least_squares_iter: int = 0,
        max_leaves: int = 32,
        criterion: str = "bic",
        validation_fraction: float = 0.2,
        max_iter: int = 500,
        tol: float = 1e-6,
        standardize: bool = True,
        block_size: int | None = None,
        n_jobs: int | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        store_arguments(self, locals())
