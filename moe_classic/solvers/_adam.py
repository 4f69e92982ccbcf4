"""Mini-batch gradient ascent: plain with momentum (SGD), and Adam.

::

    SGD     v <- momentum v + g / c,              theta <- theta + rate v
    Adam    m <- b1 m + (1 - b1) g,   s <- b2 s + (1 - b2) g^2
            theta <- theta + rate (m / (1 - b1^t)) / (sqrt(s / (1 - b2^t)) + eps)

in unconstrained coordinates theta, with g the exact gradient of the objective per unit of weight on
the batch and c the size of the curvature along each coordinate, or 1. Back-propagated gradients
with momentum are how Jacobs, Jordan, Nowlan & Hinton (1991) and Jordan & Jacobs (1994), section
3.3, trained; Adam is Kingma & Ba (2015), algorithm 1.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from moe_classic._arguments import check_choice, check_count, check_range
from moe_classic._model import MoEParams
from moe_classic._typing import Floats

from ._base import Limits, Problem, Result
from ._epochs import Epochs, Rule
from ._gradient_solver import GradientSolver


class GradientAscent(GradientSolver):
    """What SGD and Adam share: batches, learning rate, early stopping."""

    smooth: ClassVar[bool] = False
    learning_rate: float
    batch_size: int | None
    decay: float | None
    patience: int
    validation_fraction: float | None

    @property
    def scaled(self) -> bool:
        """Whether the gradient is divided by the curvature."""
        return False

    @abstractmethod
    def rule(self) -> Rule:
        """A fresh rule without memory."""

    def check(self) -> None:
        """Raise if an argument is out of range or has no meaning beside the others."""
        super().check()
        check_range(self, "learning_rate", "the length of a step in units of the gradient")
        if self.batch_size is not None:
            check_count(self, "batch_size", "rows a step, or None for all rows")
        if self.decay is not None:
            check_range(self, "decay", "the factor that cuts the learning rate, or None", high=1.0)
        check_count(self, "patience", "epochs without a gain")
        if self.validation_fraction is not None:
            check_range(
                self, "validation_fraction", "the share of rows held out, or None", high=1.0
            )

    def ascend(self, problem: Problem, params: MoEParams, limits: Limits) -> Result:
        """Epochs of steps from ``params``."""
        return Epochs(self, problem, params, limits).run(limits.max_iter)


class SGD(GradientAscent):
    """Mini-batch gradient ascent with momentum.

    Parameters
    ----------
    learning_rate : float, default=0.05
        Length of a step in units of the scaled gradient per unit of weight.
    momentum : float, default=0.9
        Share in [0, 1) of the last step that goes on; 0 is plain gradient ascent.
    scaling : {"auto", "curvature", None}, default="auto"
        ``"curvature"`` divides the gradient of each coordinate by the size of its curvature, so
        that one learning rate suits all scales of noise; None is the plain gradient of the papers.
        ``"auto"`` scales under ``error="likelihood"`` only: error functions have no posterior to
        measure the curvature with.
    batch_size : int or None, default=256
        Rows a step, drawn without replacement from all rows, shuffled anew every epoch; None takes
        all rows for every step.
    decay : float or None, default=0.5
        Factor in (0, 1) by which the learning rate is cut when ``patience`` epochs gained nothing;
        the climb then goes on from the best parameters, and ends after three cuts in vain. None
        keeps the rate and ends at once.
    patience : int, default=10
        Epochs without a gain before the rate is cut, or the climb ends.
    validation_fraction : float or None, default=None
        Share in (0, 1) of the weight held out at random. The epoch with the best held-out score
        wins, and the climb ends ``patience`` epochs after it: early stopping. The trace then holds
        the objective on all rows at each best epoch, and may fall.
    error : {"likelihood", "cooperative", "competitive", "unit_likelihood"}, default="likelihood"
        What is climbed: the log-likelihood, or minus an error function of Jacobs et al. (1991):
        E1, E2 or E3, in units of the standardised target. Scales are fitted to the likelihood
        afterwards, with gate and locations held.

    Notes
    -----
    Rows are shuffled by the seed of the fit. An epoch uses every row once for steps and, with
    batches, looks at all rows once more for the objective. A learning rate that makes the climb
    run away ends it with a :class:`DivergenceError`; the last good parameters are kept.

    References
    ----------
    Jacobs, Jordan, Nowlan & Hinton (1991), Adaptive mixtures of local experts, Neural Computation
    3. Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.solvers import SGD
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, solver=SGD(learning_rate=0.05), random_state=0).fit(X, y)
    >>> round(moe.score(X, y), 2)
    0.36
    """

    name: ClassVar[str] = "sgd"

    def __init__(
        self,
        *,
        learning_rate: float = 0.05,
        momentum: float = 0.9,
        scaling: str | None = "auto",
        batch_size: int | None = 256,
        decay: float | None = 0.5,
        patience: int = 10,
        validation_fraction: float | None = None,
        error: str = "likelihood",
    ) -> None:
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.scaling = scaling
        self.batch_size = batch_size
        self.decay = decay
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.error = error

    def check(self) -> None:
        """Raise if an argument is out of range or has no meaning beside the others."""
        super().check()
        check_choice(self, "scaling", ("auto", "curvature", None))
        if self.momentum != 0.0:
            check_range(self, "momentum", "the share of the last step, or 0", high=1.0)
        if self.scaling == "curvature" and self.error != "likelihood":
            raise ValueError(
                f"SGD: scaling='curvature' has no meaning with error={self.error!r}: the curvature "
                "is that of the likelihood. Use scaling=None."
            )

    @property
    def scaled(self) -> bool:
        """Whether the gradient is divided by the curvature."""
        return self.scaling is not None and self.error == "likelihood"

    def rule(self) -> Rule:
        """Momentum."""
        velocity: list[Floats] = []

        def step(gradient: Floats, curvature: Floats) -> Floats:
            new = gradient / curvature
            if velocity:
                new += self.momentum * velocity.pop()
            velocity.append(new)
            return new

        return step


class Adam(GradientAscent):
    """Mini-batch gradient ascent with steps of a like size in every coordinate.

    Parameters
    ----------
    learning_rate : float, default=0.01
        About the largest change of a coordinate in one step.
    beta1 : float, default=0.9
        Decay in [0, 1) of the mean gradient, the momentum.
    beta2 : float, default=0.999
        Decay in (0, 1) of the mean squared gradient.
    batch_size : int or None, default=256
        Rows a step, drawn without replacement from all rows, shuffled anew every epoch; None takes
        all rows for every step.
    decay : float or None, default=0.5
        Factor by which the learning rate is cut after ``patience`` epochs without a gain; see
        :class:`SGD`.
    patience : int, default=10
        Epochs without a gain before the rate is cut, or the climb ends.
    validation_fraction : float or None, default=None
        Share of the weight held out for early stopping; see :class:`SGD`.
    error : {"likelihood", "cooperative", "competitive", "unit_likelihood"}, default="likelihood"
        What is climbed; see :class:`SGD`.

    References
    ----------
    Kingma & Ba (2015), Adam: a method for stochastic optimization, ICLR.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.solvers import Adam
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, solver=Adam(learning_rate=0.05), random_state=0).fit(X, y)
    >>> round(moe.score(X, y), 2)
    0.36
    """

    name: ClassVar[str] = "adam"

    def __init__(
        self,
        *,
        learning_rate: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        batch_size: int | None = 256,
        decay: float | None = 0.5,
        patience: int = 10,
        validation_fraction: float | None = None,
        error: str = "likelihood",
    ) -> None:
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.batch_size = batch_size
        self.decay = decay
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.error = error

    def check(self) -> None:
        """Raise if an argument is out of range or has no meaning beside the others."""
        super().check()
        if self.beta1 != 0.0:
            check_range(self, "beta1", "the decay of the mean gradient, or 0", high=1.0)
        check_range(self, "beta2", "the decay of the mean squared gradient", high=1.0)

    def rule(self) -> Rule:
        """First and second moments with their bias corrected."""
        first = second = np.zeros(1)
        count = 0

        def step(gradient: Floats, curvature: Floats) -> Floats:
            nonlocal first, second, count
            count += 1
            first = self.beta1 * first + (1.0 - self.beta1) * gradient
            second = self.beta2 * second + (1.0 - self.beta2) * gradient**2
            mean = first / (1.0 - self.beta1**count)
            return mean / (np.sqrt(second / (1.0 - self.beta2**count)) + _SMALL)

        return step


#: Keeps steps finite along coordinates without any slope.
_SMALL = 1e-10
