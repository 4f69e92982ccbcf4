"""Poisson experts for counts.

::

    log p(y | x) = y eta - exp(eta) - log y!,   eta = b z + offset + log exposure

Link: logarithm, the canonical one. Step: Newton's, which is Fisher scoring here. McCullagh & Nelder
(1989), Generalized Linear Models, chapter 6.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.special import pdtr, pdtrc

from moe_classic._components import Forward
from moe_classic._data import Design
from moe_classic._numerics import empty, log_factorial
from moe_classic._typing import Floats
from moe_classic.experts._linear import LinearParams

from .base import LogMean


class PoissonExpert(LogMean):
    """Poisson regressions for counts, with the logarithm as link.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`GaussianExpert`. None: all columns but those that
        ``offset`` and ``exposure`` name.
    alpha : float, default=1e-4
        L2 penalty on the slopes in standardised units, per unit of sample weight. Where all counts
        of an expert are zero its slopes are otherwise infinite.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.
    offset : str or int, default=None
        Column of X, by name or index, that is added to the linear predictor.
    exposure : str or int, default=None
        Column of X, by name or index, to which means are proportional: time at risk, area, number
        of policies. Its logarithm is added to the linear predictor; values must be > 0.
    penalty : Penalty, default=None
        In place of ``alpha``, which then stays at its default: an object of
        :mod:`moe_classic.penalties`, such as ``Lasso(0.1)``, under which slopes may be exactly
        zero.
    shared : list of column names or indices, default=None
        Columns of X whose slopes all experts have in common; see :class:`GaussianExpert`.

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, chapter 6. Wang, Puterman, Cockburn & Le
    (1996), Mixed Poisson regression models with covariate dependent rates, Biometrics 52.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import PoissonExpert
    >>> rng = np.random.default_rng(0)
    >>> age, years = rng.normal(size=400), rng.uniform(0.5, 2.0, 400)
    >>> claims = rng.poisson(years * np.exp(0.3 + 0.5 * age))
    >>> X = np.column_stack([age, years])
    >>> moe = MoERegressor(1, expert=PoissonExpert(exposure=1)).fit(X, claims)
    >>> moe.experts_[0].coef_.round(1)
    array([0.5])
    """

    name: ClassVar[str] = "poisson"
    target: ClassVar[str] = "count"
    deviance_power: ClassVar[int | None] = 1

    def forward(self, params: LinearParams, design: Design, y: Floats) -> Forward:
        """Log probability and its slopes, from one exponential."""
        self.check_target(y)
        eta, row = self.predictor(params, design), y[0]
        mean = np.exp(eta[:, 0], out=empty((len(eta), row.size)))
        log_prob = np.multiply(row, eta[:, 0], out=empty(mean.shape))
        log_prob -= mean
        log_prob -= log_factorial(row)
        first = np.subtract(row, mean, out=empty(mean.shape))
        return Forward(log_prob, eta, (first, np.negative(mean, out=mean)))

    def log_density(self, eta: Floats, y: Floats) -> Floats:
        """``y eta - exp(eta) - log y!``."""
        return y * eta - np.exp(eta) - log_factorial(y)

    def slopes(self, eta: Floats, y: Floats) -> tuple[Floats, Floats]:
        """``y - mu`` and ``-mu``."""
        mean = np.exp(eta)
        return y - mean, -mean

    # -------------------------------------------------------------------- answers about y

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """Rates again."""
        return np.exp(eta)

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y), (K, 1, n)."""
        return np.where(y < 0.0, 0.0, pdtr(np.maximum(y, 0.0), np.exp(eta)))

    def above_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y > y), (K, 1, n)."""
        return np.where(y < 0.0, 1.0, pdtrc(np.maximum(y, 0.0), np.exp(eta)))

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> Floats:
        """Poisson draws, (K, 1, n)."""
        return rng.poisson(np.exp(np.minimum(eta, 40.0))).astype(np.float64)
