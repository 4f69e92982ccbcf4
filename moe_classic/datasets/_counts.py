"""Counts of seizures of patients on a drug, whose variance exceeds the mean for a known cause.

::

    N | patient ~ Poisson(weeks * rate),   rate = exp(-0.1 + 0.4 severity - 0.3 dose), and its cause

The trial has the form of those of the literature on over-dispersed counts (Thall & Vail 1990, Some
covariance models for longitudinal count data with overdispersion, Biometrics 46); the numbers are
drawn.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.utils import check_random_state

from moe_classic._arguments import check_integer, check_one_of

__all__ = ["make_counts"]

_CAUSES = ("none", "spread", "zeros", "kinds")
#: Variance of the rates of like patients around their mean, relative to its square.
_SPREAD = 0.6
#: Change of the logarithm of the rate for 100 mg: of all, and of those whom the drug helps.
_DOSE, _HELPED = -0.3, -1.1


def make_counts(
    n_samples: int = 600,
    *,
    cause: str = "kinds",
    random_state: int | np.random.RandomState | None = None,
) -> tuple[pd.DataFrame, pd.Series]:
    """Draw seizures of patients, whose counts vary more than Poisson's for one cause.

    Parameters
    ----------
    n_samples : int, default=600
        Number of patients.
    cause : {"none", "spread", "zeros", "kinds"}, default="kinds"
        Why like patients differ: ``"none"``, they do not, and counts are Poisson's; ``"spread"``,
        each has a rate of its own, drawn around the mean from a gamma distribution with variance
        0.6 of its square (negative binomial counts); ``"zeros"``, some are cured and have none,
        young patients more often; ``"kinds"``, the drug helps some, young patients more often,
        and does nothing for the rest.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    X : DataFrame of shape (n_samples, 4)
        ``Weeks`` of observation, from 4 to 16, ``Age`` in years, ``Severity`` of the illness, a
        standard normal score, and ``Dose`` in units of 100 mg, from 0 to 3.
    y : Series of shape (n_samples,)
        ``Seizures`` in those weeks.

    Raises
    ------
    ValueError, TypeError
        If `n_samples` is not a positive integer, or `cause` is none of the four.

    References
    ----------
    Thall & Vail (1990), Some covariance models for longitudinal count data with overdispersion,
    Biometrics 46.

    Examples
    --------
    >>> from moe_classic.datasets import make_counts
    >>> X, y = make_counts(300, cause="spread", random_state=0)
    >>> X.shape, bool(y.var() > 3.0 * y.mean())
    ((300, 4), True)
    """
    check_integer("n_samples", n_samples, 1, "patients to draw")
    check_one_of("make_counts", "cause", cause, _CAUSES)
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    X = pd.DataFrame(
        {
            "Weeks": rng.integers(4, 17, n_samples).astype(float),
            "Age": rng.integers(18, 76, n_samples).astype(float),
            "Severity": rng.standard_normal(n_samples).round(2),
            "Dose": rng.integers(0, 4, n_samples).astype(float),
        }
    )
    seizures = rng.poisson(X.Weeks * _rates(X, cause, rng))
    return X, pd.Series(seizures, name="Seizures")


def _rates(X: pd.DataFrame, cause: str, rng: np.random.Generator) -> np.ndarray:
    """Seizures a week of every patient."""
    n, young = len(X), (45.0 - X.Age) / 10.0
    slope, factor = np.full(n, _DOSE), np.ones(n)
    if cause == "spread":
        factor = rng.gamma(1.0 / _SPREAD, _SPREAD, n)
    elif cause == "zeros":
        factor = 1.0 * (rng.random(n) > expit(-1.0 + 0.5 * young))
    elif cause == "kinds":
        slope = np.where(rng.random(n) < expit(0.7 * young), _HELPED, 0.0)
    rates = factor * np.exp(-0.1 + 0.4 * X.Severity + slope * X.Dose)
    return np.asarray(rates, dtype=np.float64)
