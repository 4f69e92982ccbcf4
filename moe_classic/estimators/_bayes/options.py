"""Arguments of Bayesian mixtures, checked before any work."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from moe_classic._arguments import check_integer, check_real
from moe_classic._bayes import Gamma, Run
from moe_classic._warnings import quiet
from moe_classic.estimators._mixture import check_init


def checked_prior(name: str, value: Any, what: str) -> Gamma:
    """A gamma prior from a pair (shape, rate)."""
    pair = isinstance(value, (tuple, list, np.ndarray)) and len(value) == 2
    if not (pair and all(isinstance(v, Real) and 0.0 < float(v) < np.inf for v in value)):
        raise ValueError(
            f"{name}={value!r} must be two positive numbers, shape and rate of the gamma "
            f"distribution of the precision of {what}, in standardised units."
        )
    return Gamma(float(value[0]), float(value[1]))


def check_options(estimator: Any) -> None:
    """Raise if an argument that all Bayesian mixtures have makes no sense by itself."""
    check_integer("n_experts", estimator.n_experts, 1, "the number of experts to start with")
    check_integer("n_init", estimator.n_init, 1, "the number of starts")
    check_integer("max_iter", estimator.max_iter, 1, "the largest number of sweeps")
    check_real("tol", estimator.tol, 0.0, "nats still to gain, per unit of weight, that end a fit")
    if not isinstance(estimator.prune, (bool, np.bool_)):
        raise TypeError(f"prune={estimator.prune!r} must be True or False.")
    check_init(estimator.init, estimator.n_init)


def warn_unless_converged(run: Run, max_iter: int) -> None:
    """One warning if the climb was stopped."""
    if run.converged or quiet():
        return
    warnings.warn(
        f"The fit stopped after max_iter={max_iter} sweeps before it converged. Raise max_iter or "
        "tol.",
        ConvergenceWarning,
        stacklevel=3,
    )
