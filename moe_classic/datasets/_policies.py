"""Motor policies and their claims, in the form of the French data of the actuarial literature.

::

    N | policy ~ Poisson(exposure * rate of its kind of driver),   losses ~ lognormal of their kind
    a claim is a loss above the deductible

The columns are those of the tables freMTPL2freq and freMTPL2sev (Noll, Salzmann & Wuthrich 2018,
Case study: French motor third-party liability claims); the numbers are drawn.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.utils import check_random_state

from moe_classic._arguments import check_integer, check_real

__all__ = ["make_policies"]

#: Means and standard deviations of the logarithms of everyday and of large losses.
_EVERYDAY, _LARGE = (6.9, 0.5), (8.4, 1.1)


def make_policies(
    n_samples: int = 5000,
    *,
    deductible: float = 500.0,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw motor policies and the claims that were made on them.

    Two kinds of drivers, careful and hasty, whom no column tells apart for certain: the young and
    those with a bad record are hasty more often, and hasty ones have six times the losses. Two
    kinds of losses, everyday and large, the latter with a heavy tail, and more often with powerful
    cars. The insurer hears of losses above the deductible alone.

    Parameters
    ----------
    n_samples : int, default=5000
        Number of policies.
    deductible : float, default=500.0
        Amount, in euros, up to which losses are the driver's own and are not heard of.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    policies : DataFrame of shape (n_samples, 6)
        ``Exposure`` in years, from 0.05 to 1, ``VehPower``, ``VehAge`` and ``DrivAge`` in years,
        ``BonusMalus`` from 50 to 150, and ``ClaimNb``, the number of claims.
    claims : DataFrame
        A row a claim: ``policy``, the number of its row in ``policies``, ``VehPower``, ``VehAge``,
        ``DrivAge`` and ``BonusMalus`` again, and ``Loss`` in euros, all of it, the deductible
        included.

    Raises
    ------
    ValueError, TypeError
        If `n_samples` is not a positive integer, or `deductible` is negative or not finite.

    References
    ----------
    Noll, Salzmann & Wuthrich (2018), Case study: French motor third-party liability claims.

    Examples
    --------
    >>> from moe_classic.datasets import make_policies
    >>> policies, claims = make_policies(1000, random_state=0)
    >>> policies.shape, bool(claims.Loss.min() > 500.0)
    ((1000, 6), True)
    """
    check_integer("n_samples", n_samples, 1, "policies to draw")
    check_real("deductible", deductible, 0.0, "euros of each loss that are the driver's own")
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    age = np.rint(18.0 + 62.0 * rng.beta(1.6, 2.2, n_samples))
    policies = pd.DataFrame(
        {
            "Exposure": np.clip(rng.beta(1.2, 0.6, n_samples), 0.05, 1.0).round(2),
            "VehPower": rng.integers(4, 13, n_samples).astype(float),
            "VehAge": np.minimum(rng.geometric(0.14, n_samples) - 1, 25).astype(float),
            "DrivAge": age,
            "BonusMalus": np.clip(50.0 + rng.gamma(1.0, 14.0, n_samples), 50.0, 150.0).round(),
        }
    )
    losses = rng.poisson(policies.Exposure * _rates(policies, rng))
    policy = np.repeat(np.arange(n_samples), losses)
    large = rng.random(policy.size) < expit(-2.4 + 0.15 * policies.VehPower.to_numpy()[policy])
    mean, spread = (np.where(large, a, b) for a, b in zip(_LARGE, _EVERYDAY, strict=True))
    amount = np.exp(mean + spread * rng.standard_normal(policy.size)).round(2)
    seen = amount > deductible
    policies["ClaimNb"] = np.bincount(policy[seen], minlength=n_samples)
    columns = ["VehPower", "VehAge", "DrivAge", "BonusMalus"]
    claims = policies.loc[policy[seen], columns].reset_index(drop=True)
    claims.insert(0, "policy", policy[seen])
    return policies, claims.assign(Loss=amount[seen])


def _rates(policies: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Losses a year, by the kind of the driver."""
    young, record = policies.DrivAge - 40.0, policies.BonusMalus - 60.0
    hasty = rng.random(len(policies)) < expit(-1.0 - 0.06 * young + 0.04 * record)
    rate = np.exp(-2.0 + 0.02 * (policies.VehPower - 8.0) + np.log(6.0) * hasty)
    return np.asarray(rate, dtype=np.float64)
