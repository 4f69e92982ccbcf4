"""The contract of routers, and what they may look at.

A router is a *description*: it holds hyper-parameters and nothing that was learned. What it learns
by gradient are ``params``, dicts of arrays; what it keeps otherwise (biases, thresholds, tables) is
``state``. ``plan`` and ``pull`` are pure: parameters and state come in, new state goes out.

Arrays are row-major here, (n, d) and (n, E); elsewhere in the package components come first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from moe_classic._arguments import check_real
from moe_classic._sklearn import BaseEstimator

from ._plans import Plan

Array = np.ndarray
Params: TypeAlias = dict[str, Array]
State: TypeAlias = dict[str, Array]


@dataclass(frozen=True)
class Rows:
    """What a router may look at.

    Attributes
    ----------
    h : ndarray of shape (n, d)
        Rows as the layer sees them.
    w : ndarray of shape (n,)
        Weights of the rows, of mean 1.
    inputs : ndarray of shape (n, p), default=None
        Standardised features of the samples, repeated for each token; what ``features=`` selects.
    group : int, default=0
        Tokens of a sample, which stand beside each other; 0: all rows are one group.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic.routers import Rows
    >>> h, w = np.zeros((3, 2)), np.ones(3)
    >>> Rows(h, w, h, 1).h.shape
    (3, 2)
    """

    h: Array
    w: Array
    inputs: Array | None = None
    group: int = 0


class RoutingWarning(UserWarning):
    """Experts that get no rows, rows that get no expert, or pairs that found no room.

    Examples
    --------
    >>> import warnings
    >>> from moe_classic.routers import RoutingWarning
    >>> warnings.filterwarnings("ignore", category=RoutingWarning)
    """


class Router(BaseEstimator, ABC):
    """Base class of routers.

    Order of calls in training::

        router.check(n_experts)
        params, state = router.start(d, n_experts, rng, dtype), router.state(n_experts)
        state = router.prepare(state, inputs, w)
        for each batch:
            plan = router.plan(params, state, rows, rng)
            g_h, g_params = router.pull(params, plan, plan.gradients(g_pairs), row_loss)
            state = router.settle(state, plan)
        state = router.calibrate(params, state, rows)

    and ``router.plan(params, state, rows)``, without ``rng``, in prediction: then the plan of a row
    does not depend on the rows beside it.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the router sees. None: the rows of its layer; else standardised columns of X, or what
        a transformer makes of them, as for gates.

    Examples
    --------
    >>> from moe_classic.routers import ROUTERS, Router, make_router
    >>> isinstance(make_router("top_k", 8), Router)
    True
    """

    name: ClassVar[str] = ""
    #: Whether the plan in training depends on the other rows of the batch.
    batchwise: ClassVar[bool] = False
    #: Arrays of the state that come from :meth:`calibrate` and may be averaged over batches.
    calibrated: ClassVar[tuple[str, ...]] = ()
    features: Any = None

    def check(self, n_experts: int) -> None:
        """Raise unless the arguments make sense for this many experts.

        Parameters
        ----------
        n_experts : int

        Raises
        ------
        ValueError, TypeError
            Naming the argument, its value and what is allowed.
        """

    def convex(self) -> bool:
        """Whether the weights of each row sum to one in prediction."""
        return False

    def full(self) -> bool:
        """Whether every row keeps all its pairs, of weights that sum to one, in training too."""
        return False

    def extra_experts(self) -> int:
        """Always-on experts, numbered after the routed ones."""
        return 0

    def choices(self, n_experts: int) -> float:
        """Routed experts that a row consults, on average."""
        return float(min(getattr(self, "top_k", 1), n_experts))

    def start(self, width: int, n_experts: int, rng: Any, dtype: Any) -> Params:
        """Parameters before training: small random logits, so that rows do not tie.

        Parameters
        ----------
        width : int
            Columns of what the router sees.
        n_experts : int
        rng : Generator
        dtype : dtype

        Returns
        -------
        params : dict of str to ndarray
        """
        scale = 0.1 / np.sqrt(max(width, 1))
        W = (scale * rng.standard_normal((width, n_experts))).astype(dtype)
        return {"W": W, "b": np.zeros(n_experts, dtype=dtype)}

    def state(self, n_experts: int) -> State:
        """What is kept besides parameters, before training."""
        return {}

    def prepare(self, state: State, inputs: Array, w: Array, n_experts: int) -> State:
        """One look at the training rows before training."""
        return state

    @abstractmethod
    def plan(self, params: Params, state: State, rows: Rows, rng: Any = None) -> Plan:
        """Where the rows go.

        Parameters
        ----------
        params, state : dict of str to ndarray
        rows : Rows
        rng : Generator, default=None
            Given in training, for noise and sampling; capacities hold only then. Its methods
            ``standard_normal`` and ``random`` are all that is called. None: prediction.

        Returns
        -------
        plan : Plan
        """

    @abstractmethod
    def pull(
        self, params: Params, plan: Plan, g_weights: Any, row_loss: Array | None
    ) -> tuple[Array | None, Params]:
        """Gradients in the rows and the parameters, with those of the auxiliary losses.

        Parameters
        ----------
        params : dict of str to ndarray
        plan : Plan
            From :meth:`plan` with ``rng``.
        g_weights : object
            ``plan.gradients(...)``: for pairs the gradient in each weight (m,), sorted by expert.
        row_loss : ndarray of shape (n,), or None
            Loss of each row; routers that sample learn from it.

        Returns
        -------
        g_h : ndarray of shape (n, d), or None
            None if the router does not look at the rows of the layer.
        g_params : dict of str to ndarray
        """

    def settle(self, state: State, plan: Plan) -> State:
        """State after a batch of training."""
        return state

    def calibrate(self, params: Params, state: State, rows: Rows) -> State:
        """After training: what the plan of a single row needs."""
        return state

    # -------------------------------------------------------------------- for those who derive

    def _seen(self, rows: Rows) -> Array:
        """What the router looks at, (n, d)."""
        if self.features is None:
            return rows.h
        return np.asarray(rows.inputs)

    def _logits(self, params: Params, X: Array) -> Array:
        """``X W + b``."""
        S = X @ params["W"]
        if "b" in params:
            S += params["b"]
        return S

    def _pull_logits(self, params: Params, X: Array, g_S: Array) -> tuple[Array | None, Params]:
        """Gradients in what was looked at, if that is the layer's rows, and in W and b."""
        g = {"W": X.T @ g_S}
        if "b" in params:
            g["b"] = np.ones(len(g_S), dtype=g_S.dtype) @ g_S
        return (g_S @ params["W"].T if self.features is None else None), g

    def _check_coefficient(self, name: str, what: str) -> None:
        """Raise unless an argument is a number >= 0."""
        check_real(f"{type(self).__name__}: {name}", getattr(self, name), 0.0, what)


def check_capacity(owner: Any) -> None:
    """Raise unless ``capacity`` is None, an int >= 1 or a float > 0."""
    capacity = owner.capacity
    number = isinstance(capacity, (int, float, np.number)) and not isinstance(capacity, bool)
    if capacity is None or (number and 0 < capacity < np.inf):
        return
    raise (ValueError if number else TypeError)(
        f"{type(owner).__name__}: capacity={capacity!r} must be None (no limit), an integer >= 1 "
        "(rows an expert takes) or a float > 0 (times an even share, such as 1.25)."
    )


def check_top_k(owner: Any, n_experts: int) -> None:
    """Raise unless ``top_k`` is an integer from 1 to the number of experts."""
    k = owner.top_k
    if isinstance(k, (bool, np.bool_)) or not isinstance(k, (int, np.integer)):
        raise TypeError(f"{type(owner).__name__}: top_k={k!r} must be an integer >= 1.")
    if not 1 <= k <= n_experts:
        raise ValueError(
            f"{type(owner).__name__}: top_k={k} must lie between 1 and n_experts={n_experts}: a "
            "row cannot consult more experts than there are. Lower top_k or raise n_experts."
        )


def pull_softmax(P: Array, g_P: Array) -> Array:
    """Gradient in the logits, from that in their softmax."""
    inner = np.multiply(g_P, P) @ np.ones(P.shape[1], dtype=P.dtype)
    g = g_P - inner[:, None]
    g *= P
    return g
