"""Parametric bootstrap test of K experts against K + 1."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils import check_random_state

from moe_classic._adapters import as_frame
from moe_classic._results import PrintedTable, Section, names_seen, probability
from moe_classic._typing import Floats
from moe_classic.estimators import MoERegressor
from moe_classic.inference import check_simulable, fitted_model, simulate

from ._path import Steps, checked_counts, checked_template, path


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """Parametric bootstrap test of K experts against K + 1.

    Attributes
    ----------
    n_experts : int
        K.
    statistic : float
        Twice the gain in the objective from K to K + 1.
    p_value : float
        ``(1 + number of draws at least as large) / (1 + number of draws)``.
    null : ndarray of shape (n_bootstrap,)
        The statistic on data drawn from the fit with K experts.
    estimators_ : tuple of two estimators
        The fits with K and K + 1 experts.

    Examples
    --------
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.model_selection import bootstrap_lrt
    >>> X, y = load_tone(return_X_y=True)
    >>> test = bootstrap_lrt(X, y, n_bootstrap=3, random_state=0)
    >>> test.null.shape
    (3,)
    """

    n_experts: int
    statistic: float
    p_value: float
    null: Floats
    estimators_: tuple[Any, Any]

    def summary(self) -> PrintedTable:
        """The test as a page: printed, HTML in a notebook, LaTeX.

        Returns
        -------
        page : PrintedTable
        """
        # The mixtures themselves, where these are pipelines.
        small, large = (Steps.of(m)[1] for m in self.estimators_)
        rows = [[f"{m.log_likelihood_:.2f}", f"{m.n_parameters_}"] for m in (small, large)]
        frame = pd.DataFrame(
            rows,
            columns=["log-likelihood", "parameters"],
            index=[_experts(m) for m in (small, large)],
        )
        low, high = np.quantile(self.null, [0.5, 0.95])
        return PrintedTable(
            f"Likelihood ratio of {_experts(large)} to {_experts(small)}, by parametric bootstrap",
            (
                ("statistic", f"{self.statistic:.4g}"),
                ("p", probability(self.p_value)),
                ("median under the null", f"{low:.4g}"),
                ("95 % quantile", f"{high:.4g}"),
                ("simulated data sets", f"{self.null.size}"),
            ),
            (Section("fits", frame),),
        )

    def __str__(self) -> str:
        """The page."""
        return str(self.summary())

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return self.summary().to_html()


def _experts(estimator: Any) -> str:
    """How many experts an estimator has, in words."""
    return f"{estimator.n_experts} expert{'s'[: estimator.n_experts > 1]}"


def bootstrap_lrt(
    X: Any,
    y: Any,
    *,
    n_experts: int = 1,
    estimator: Any = None,
    n_bootstrap: int = 99,
    n_jobs: int | None = None,
    random_state: Any = None,
    groups: Any = None,
) -> LikelihoodRatioTest:
    """Test K experts against K + 1 by the likelihood ratio on simulated data.

    Parameters
    ----------
    X, y : array-like
        Training rows.
    n_experts : int, default=1
        K, the number of experts under the null hypothesis.
    estimator : MoERegressor or MoEClassifier, default=None
        Template; None is ``MoERegressor()``. Or a pipeline that ends in one, whose steps before it
        are fitted once.
    n_bootstrap : int, default=99
        Data sets drawn from the fit with K experts; each is fitted with K and K + 1.
    n_jobs : int or None, default=None
        Processes over the data sets.
    random_state : int, RandomState or None, default=None
        Seed of the draws and of the starts.
    groups : array-like of shape (n_samples,), default=None
        Labels of the subjects that rows were measured on, as for ``fit``; subjects are drawn as
        wholes.

    Returns
    -------
    test : LikelihoodRatioTest

    Raises
    ------
    ValueError, TypeError
        If an argument cannot be used.

    Notes
    -----
    The statistic is what the solver climbs: penalties count, and under a Gaussian gate the
    likelihood is that of (x, y), with the features that the gate describes drawn too. Fits in which
    an expert interpolates its rows give way to others where there are any.

    References
    ----------
    McLachlan (1987), On bootstrapping the likelihood ratio test statistic for the number of
    components in a normal mixture, Applied Statistics 36.

    Examples
    --------
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.model_selection import bootstrap_lrt
    >>> X, y = load_tone(return_X_y=True)
    >>> test = bootstrap_lrt(X, y, n_bootstrap=9, random_state=0)
    >>> test.p_value
    0.1
    """
    steps, template = Steps.of(MoERegressor() if estimator is None else estimator)
    template = checked_template(template)
    steps, X = steps.fit(X, y)
    (K,) = checked_counts(_single(n_experts))
    whole = isinstance(n_bootstrap, numbers.Integral) and not isinstance(n_bootstrap, bool)
    if not whole or n_bootstrap < 1:
        raise ValueError(f"n_bootstrap={n_bootstrap!r} must be an integer >= 1.")
    seed = check_random_state(random_state).randint(2**31 - 1)
    template = clone(template).set_params(random_state=seed)
    *_, null, alternative = path(template, 1, K + 1, X, y, groups=groups)
    check_simulable(fitted_model(null.estimator, X, y, None, groups=groups))
    streams = np.random.default_rng(seed).spawn(int(n_bootstrap))
    draws = Parallel(n_jobs=n_jobs)(
        delayed(_simulated_statistic)(template, null.estimator, X, y, groups, rng)
        for rng in streams
    )
    statistic, drawn = 2.0 * (alternative.objective - null.objective), np.array(draws)
    p = (1.0 + float((drawn >= statistic).sum())) / (1.0 + drawn.size)
    fits = steps.whole(null.estimator), steps.whole(alternative.estimator)
    return LikelihoodRatioTest(K, statistic, p, drawn, fits)


def _single(n_experts: Any) -> list[Any]:
    """One number of experts as a list."""
    if isinstance(n_experts, Iterable):
        raise TypeError(f"n_experts={n_experts!r} must be one integer, the K of the null model.")
    return [n_experts]


def _simulated_statistic(
    template: Any, null: Any, X: Any, y: Any, groups: Any, rng: np.random.Generator
) -> float:
    """The statistic on one data set drawn from the null model."""
    case = fitted_model(null, X, y, None, groups=groups)
    X_new, drawn, subjects = simulate(case, rng)
    labels = None if subjects is None else subjects.member
    target = case.fitted.target.from_model(drawn)
    X_new = as_frame(X_new, names_seen(case.fitted))
    K = null.n_experts
    seeded = clone(template).set_params(random_state=int(rng.integers(2**31 - 1)))
    *_, small, large = path(seeded, 1, K + 1, X_new, target, groups=labels)
    return 2.0 * (large.objective - small.objective)
