"""What ``penalty=`` may be: descriptions of penalties, with hyper-parameters only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from inspect import signature
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from moe_classic._sklearn import BaseEstimator
from moe_classic._typing import Floats

from ._centred import CentredRidge
from ._sparse import SparseSlopes
from ._squares import SquaredSlopes

#: Penalties bound to data.
Bound = SquaredSlopes | CentredRidge | SparseSlopes


class Penalty(BaseEstimator, ABC):
    """Base of all penalties on the slopes of experts and gates.

    Intercepts, scales and offsets are never penalised. Strengths are in nats per unit of sample
    weight, for slopes in standardised units.

    Examples
    --------
    >>> from moe_classic.penalties import Lasso, Penalty
    >>> isinstance(Lasso(0.1), Penalty)
    True
    """

    #: Whether slopes may be exactly zero.
    sparse: ClassVar[bool] = True
    alpha: float
    weights: Any = None

    def check(self, owner: str) -> None:
        """Raise if a hyper-parameter is out of range; ``owner`` has the penalty."""
        who = f"{owner}: penalty={self!r}"
        if not (isinstance(self.alpha, Real) and 0.0 <= float(self.alpha) < np.inf):
            raise ValueError(f"{who}: alpha={self.alpha!r} must be a finite number >= 0.")
        if self.weights is None:
            return
        weights = np.asarray(self.weights)
        numbers = weights.ndim == 1 and weights.dtype.kind in "iuf"
        if not (numbers and not np.isnan(weights).any() and (weights >= 0.0).all()):
            raise ValueError(
                f"{who}: weights must be a list of numbers >= 0, one for each feature; infinite "
                "ones keep a feature out."
            )

    def check_width(self, owner: str, names: tuple[str, ...]) -> None:
        """Raise unless there is a weight for each of the features that the owner sees."""
        if self.weights is not None and len(self.weights) != len(names):
            raise ValueError(
                f"{owner}: penalty={self!r} has {len(self.weights)} weights, but there are "
                f"{len(names)} features; give one for each of {list(names[:8])}"
                f"{'...' if len(names) > 8 else ''}."
            )

    @abstractmethod
    def bound(self, weight: float, *, symmetric: bool = False, doubled: bool = False) -> Bound:
        """The penalty for rows of this total weight.

        Parameters
        ----------
        weight : float
        symmetric : bool
            Whether coefficients are logits relative to a last class.
        doubled : bool
            Whether squares are those of the difference of two classes, not of centred slopes.
        """

    def _weights(self) -> Floats | None:
        """The factors of the features."""
        return None if self.weights is None else np.asarray(self.weights, dtype=np.float64)


def _ridge(pull: float, *, symmetric: bool, doubled: bool) -> SquaredSlopes | CentredRidge:
    """Squares of slopes, centred over classes where they are relative to one."""
    return CentredRidge((2.0 if doubled else 1.0) * pull) if symmetric else SquaredSlopes(pull)


class Ridge(Penalty):
    """Squared slopes, ``alpha / 2 sum b^2``: what ``alpha=`` of a component is.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength, per unit of sample weight, in standardised units.

    References
    ----------
    Hoerl & Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems,
    Technometrics 12.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.experts import GaussianExpert
    >>> from moe_classic.penalties import Ridge
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(1, expert=GaussianExpert(penalty=Ridge(1.0))).fit(X, y)
    >>> same = MoERegressor(1, expert=GaussianExpert(alpha=1.0)).fit(X, y)
    >>> abs(moe.log_likelihood_ - same.log_likelihood_) < 1e-9
    True
    """

    sparse: ClassVar[bool] = False

    def __init__(self, alpha: float = 0.01) -> None:
        self.alpha = alpha

    def bound(self, weight: float, *, symmetric: bool = False, doubled: bool = False) -> Bound:
        """The penalty for rows of this total weight."""
        return _ridge(self.alpha * weight, symmetric=symmetric, doubled=doubled)


class ElasticNet(Penalty):
    """Absolute and squared slopes, ``alpha sum (r w |b| + (1 - r) / 2 b^2)``, r is ``l1_ratio``.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength, per unit of sample weight, in standardised units.
    l1_ratio : float, default=0.5
        Share of the absolute values, in [0, 1]; 1 is the lasso, 0 the ridge.
    weights : list of float, default=None
        Factors of the absolute values, one for each feature that the component sees; infinite ones
        keep a feature out, zeros let it go free..

    References
    ----------
    Zou & Hastie (2005), Regularization and variable selection via the elastic net, Journal of the
    Royal Statistical Society B 67.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.experts import GaussianExpert
    >>> from moe_classic.penalties import ElasticNet
    >>> X, y = load_tone(return_X_y=True)
    >>> expert = GaussianExpert(penalty=ElasticNet(0.05, l1_ratio=0.9))
    >>> moe = MoERegressor(2, expert=expert, random_state=0).fit(X, y)
    >>> moe.predict([[2.0]]).shape
    (1,)
    """

    def __init__(self, alpha: float = 0.01, *, l1_ratio: float = 0.5, weights: Any = None) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.weights = weights

    def check(self, owner: str) -> None:
        """Raise if a hyper-parameter is out of range."""
        super().check(owner)
        if not (isinstance(self.l1_ratio, Real) and 0.0 <= float(self.l1_ratio) <= 1.0):
            raise ValueError(
                f"{owner}: penalty={self!r}: l1_ratio={self.l1_ratio!r} must lie in [0, 1]: the "
                "share of absolute values."
            )

    def bound(self, weight: float, *, symmetric: bool = False, doubled: bool = False) -> Bound:
        """The penalty for rows of this total weight."""
        pull = self.alpha * weight
        ridge = _ridge((1.0 - self.l1_ratio) * pull, symmetric=symmetric, doubled=doubled)
        return SparseSlopes(self.l1_ratio * pull, self._weights(), ridge, symmetric=symmetric)


class Lasso(Penalty):
    """Absolute slopes, ``alpha sum_j w_j |b_j|``: slopes that say little are exactly zero.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength, per unit of sample weight, in standardised units: that of
        :class:`~sklearn.linear_model.Lasso` over the variance of the noise.
    weights : list of float, default=None
        Factors of the features, as of :class:`ElasticNet`.

    References
    ----------
    Tibshirani (1996), Regression shrinkage and selection via the lasso, Journal of the Royal
    Statistical Society B 58. Khalili (2010), New estimation and feature selection methods in
    mixture-of-experts models, Canadian Journal of Statistics 38. Huynh & Chamroukhi (2019),
    Estimation and feature selection in mixtures of generalized linear experts models. Zou (2006),
    The adaptive lasso and its oracle properties, Journal of the American Statistical Association
    101, of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import GaussianExpert
    >>> from moe_classic.penalties import Lasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 6))
    >>> y = 2.0 * X[:, 1] + rng.standard_normal(200)
    >>> moe = MoERegressor(1, expert=GaussianExpert(penalty=Lasso(0.4))).fit(X, y)
    >>> np.flatnonzero(moe.experts_[0].coef_)
    array([1])
    """

    def __init__(self, alpha: float = 0.01, *, weights: Any = None) -> None:
        self.alpha = alpha
        self.weights = weights

    def bound(self, weight: float, *, symmetric: bool = False, doubled: bool = False) -> Bound:
        """The penalty for rows of this total weight."""
        ridge = _ridge(0.0, symmetric=symmetric, doubled=doubled)
        return SparseSlopes(self.alpha * weight, self._weights(), ridge, symmetric=symmetric)


class GroupLasso(Penalty):
    """Norms of the slopes of a feature, ``alpha sum_j w_j sqrt(size) |b_j|``.

    A group holds the slopes of a feature in all experts, outputs and classes, so that a feature
    leaves all experts at once; of a gate, those in all logits.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength, per unit of sample weight, in standardised units.
    weights : list of float, default=None
        Factors of the features, as of :class:`ElasticNet`.

    References
    ----------
    Yuan & Lin (2006), Model selection and estimation in regression with grouped variables, Journal
    of the Royal Statistical Society B 68.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import GaussianExpert
    >>> from moe_classic.penalties import GroupLasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((300, 4))
    >>> y = np.where(X[:, 0] > 0.0, 3.0, -3.0) * X[:, 1] + 0.5 * rng.standard_normal(300)
    >>> expert = GaussianExpert(penalty=GroupLasso(0.3))
    >>> moe = MoERegressor(2, expert=expert, random_state=0).fit(X, y)
    >>> [np.flatnonzero(e.coef_).tolist() for e in moe.experts_]
    [[1], [1]]
    """

    def __init__(self, alpha: float = 0.01, *, weights: Any = None) -> None:
        self.alpha = alpha
        self.weights = weights

    def bound(self, weight: float, *, symmetric: bool = False, doubled: bool = False) -> Bound:
        """The penalty for rows of this total weight."""
        ridge, own = _ridge(0.0, symmetric=symmetric, doubled=doubled), self._weights()
        return SparseSlopes(self.alpha * weight, own, ridge, grouped=True, symmetric=symmetric)


class Support(Penalty):
    """Features whose slopes are held at zero, the others free but for a ridge.

    Parameters
    ----------
    alpha : float
        Strength of the ridge.
    held : ndarray of bool of shape (K, p)
        Features of each expert; of a gate, (1, p).
    """

    def __init__(self, alpha: float = 0.0, held: Any = None) -> None:
        self.alpha = alpha
        self.held = held

    def bound(self, weight: float, *, symmetric: bool = False, doubled: bool = False) -> Bound:
        """The penalty for rows of this total weight."""
        ridge = _ridge(self.alpha * weight, symmetric=symmetric, doubled=doubled)
        held = None if self.held is None else np.asarray(self.held)[:, None]
        return SparseSlopes(0.0, None, ridge, symmetric=symmetric, held=held)


def check_penalty(owner: Any) -> None:
    """Raise if the penalty of a component has no meaning, alone or beside its ``alpha``."""
    penalty, name = owner.penalty, type(owner).__name__
    if penalty is None:
        return
    if not isinstance(penalty, Penalty):
        hint = f" Write {penalty.__name__}() with parentheses." if isinstance(penalty, type) else ""
        raise TypeError(
            f"{name}: penalty={penalty!r} must be None or an instance of a class of "
            f"moe_classic.penalties, as Lasso(0.1).{hint}"
        )
    penalty.check(name)
    if owner.alpha != signature(type(owner)).parameters["alpha"].default:
        raise ValueError(
            f"{name}: alpha={owner.alpha!r} has no meaning together with penalty={penalty!r}, "
            "which has its own. Leave alpha at its default, or use ElasticNet for both."
        )
