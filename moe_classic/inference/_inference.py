"""Standard errors, intervals and tests for the parameters of a fitted mixture of experts.

::

    table   estimate, standard error, z = estimate / standard error, p, interval

Everything is computed for the unconstrained parameters of the standardised data and carried to the
user's scales by the delta method: coefficients follow linearly, scales, degrees of freedom,
proportions and correlations smoothly. Louis (1982), Finding the observed information matrix when
using the EM algorithm, Journal of the Royal Statistical Society B 44, equation 3.2'; White (1982),
Maximum likelihood estimation of misspecified models, Econometrica 50.
"""

from __future__ import annotations

import numbers
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from moe_classic._arguments import generator
from moe_classic._data import is_dask
from moe_classic._results import unwrapped
from moe_classic._typing import Ints

from ._bootstrap import bootstrap
from ._case import FittedModel, fitted_model
from ._curvature import curvature
from ._delta import DeltaMethod
from ._findings import caveats
from ._found import Inference, from_curvature, from_draws
from ._partitions import check_partitioned, partitioned_model
from ._tables import (
    precision_sentence,
    rival_sentence,
)
from ._terms import Terms

_CURVATURE = ("observed", "opg", "sandwich")
_BOOTSTRAP = ("bootstrap", "parametric_bootstrap")


def inference(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    kind: str = "observed",
    sample_weight: Any = None,
    clusters: Any = None,
    level: float = 0.95,
    n_bootstrap: int | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    weight_kind: str = "frequency",
    groups: Any = None,
) -> Inference:
    """Standard errors, tests and intervals of a fitted mixture of experts.

    Parameters
    ----------
    estimator : fitted MoERegressor, MoEClassifier or hierarchical estimator
        With linear experts. Or a pipeline that ends in one, whose tables bear the names that the
        step before gives, a TransformedTargetRegressor around one, whose tables speak of the
        transformed target, or a fitted search over these.
    X, y, sample_weight :
        The rows on which it was fitted, with ``weight_kind`` saying what weights are. For sampling
        weights use ``kind="sandwich"`` with ``clusters=np.arange(n_samples)``. Or Dask
        collections: rows stay where they are, the curvature adds up, and clusters may lie in
        several partitions; not for the bootstrap.
    kind : str, default="observed"
        - ``"observed"``: inverse of the observed information, by Louis' identity.
        - ``"opg"``: inverse of the outer product of the scores.
        - ``"sandwich"``: holds when the model is wrong, with ``clusters`` also when rows of a
          cluster depend on each other. No small-sample correction. The kink of Laplace experts is
          smoothed by a normal kernel with the bandwidth of Hall & Sheather (1988).
        - ``"bootstrap"``: refits to rows (or clusters) drawn with replacement.
        - ``"parametric_bootstrap"``: refits to targets drawn from the model; with a Gaussian gate
          the features that it describes are drawn too. For small samples.
    clusters : array-like of shape (n_samples,), default=None
        Labels of the clusters of rows, for the sandwich and the bootstrap of rows.
    level : float in (0, 1), default=0.95
        Coverage of the intervals: normal ones, quantiles of the draws after a bootstrap.
    n_bootstrap : int, default=None
        Number of refits; None means 500.
    n_jobs : int or None, default=None
        Processes for the refits.
    random_state : int, RandomState or None, default=None
        Seed of the bootstrap.
    weight_kind : {"frequency", "precision"}, default="frequency"
        Frequencies count rows: a weight of 2 is the same as a repeated row. Precisions, such as
        ``1 / error**2``, say how exact a row is beside others: they are divided by their mean, so
        that there are as many rows as are given.
    groups : array-like of shape (n_samples,), default=None
        Labels of the subjects, those of the fit. They take the place of rows in all of the above:
        scores add within a group, whole groups are resampled and drawn.

    Returns
    -------
    result : Inference

    Raises
    ------
    ValueError, TypeError
        If an argument has no meaning for ``kind`` or the model, with what to do instead.

    Warns
    -----
    UserWarning
        One warning that names the parameters that are at a bound or not determined by the data,
        and says if a gate has separated or the estimates are no maximum.

    Notes
    -----
    With penalties (``alpha``) the curvature is that of the penalised likelihood: "observed" then
    is the covariance of a posterior with a normal prior, "sandwich" that of the penalised
    estimates, about their own expectation (Gray 1992). Bootstrap refits keep penalty and
    standardisation; their experts are matched with those of the fit (Stephens 2000).

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.inference import inference
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> table = inference(moe, X, y).table
    >>> round(float(table.loc["expert", "expert 2", "slope", "x0"]["estimate"]), 2)
    1.0
    """
    _check_kind(kind, clusters, n_bootstrap, n_jobs, random_state)
    if not isinstance(level, numbers.Real) or not 0.0 < level < 1.0:
        raise ValueError(f"level={level!r} must lie strictly between 0 and 1, such as 0.95.")
    case: FittedModel
    if is_dask(X, y, sample_weight, clusters, groups):
        check_partitioned(estimator, kind, weight_kind, groups, clusters)
        case = partitioned_model(estimator, X, y, sample_weight, clusters, groups)
        numbers_ = None if clusters is None else np.zeros(0, dtype=np.intp)
    else:
        estimator, X, y = unwrapped(estimator, X, y, needs="inference", caller="inference")
        case = fitted_model(estimator, X, y, sample_weight, weight_kind, groups)
        numbers_ = _cluster_numbers(clusters, np.shape(X)[0], case)
    _check_smooth(kind, case)
    terms, curve = Terms(case), curvature(case, numbers_)
    known = caveats(case, curve)
    about_weights = [] if clusters is not None else precision_sentence(case.weighed, weight_kind)
    if kind in _BOOTSTRAP:
        draws = bootstrap(
            case,
            parametric=kind == "parametric_bootstrap",
            clusters=numbers_,
            count=500 if n_bootstrap is None else n_bootstrap,
            n_jobs=n_jobs,
            rng=generator(random_state),
        )
        delta_method = DeltaMethod(estimator, case, draws.params)
        result = from_draws(delta_method, terms, draws, curve, kind, level, known)
    else:
        result = from_curvature(estimator, case, terms, curve, kind, level, known)
    about = [*about_weights, *rival_sentence(case.fitted)]
    if about:
        result = replace(result, warnings=(*about, *result.warnings))
    if result.warnings:
        warnings.warn(" ".join(result.warnings), UserWarning, stacklevel=2)
    return result


# ------------------------------------------------------------------------- arguments


def _check_kind(kind: Any, clusters: Any, n_bootstrap: Any, n_jobs: Any, random_state: Any) -> None:
    """Raise if ``kind`` is unknown or an argument has no meaning with it."""
    if kind not in _CURVATURE + _BOOTSTRAP:
        raise ValueError(f"kind={kind!r} is not known; choose one of {_CURVATURE + _BOOTSTRAP}.")
    if kind in _CURVATURE:
        extra = {"n_bootstrap": n_bootstrap, "n_jobs": n_jobs, "random_state": random_state}
        for name, value in extra.items():
            if value is not None:
                raise ValueError(
                    f"{name}={value!r} has no meaning with kind={kind!r}, which draws nothing; "
                    f"leave it out or choose one of {_BOOTSTRAP}."
                )
    if clusters is not None and kind not in ("sandwich", "bootstrap"):
        raise ValueError(
            f"clusters has no meaning with kind={kind!r}, which takes rows as independent; use "
            "kind='sandwich' or 'bootstrap'."
        )
    whole = isinstance(n_bootstrap, numbers.Integral) and not isinstance(n_bootstrap, bool)
    if n_bootstrap is not None and not (whole and int(n_bootstrap) >= 2):
        raise ValueError(f"n_bootstrap={n_bootstrap!r} must be an integer >= 2, or None for 500.")


def _check_smooth(kind: str, case: FittedModel) -> None:
    """Raise if the observed information does not exist."""
    kinks = sorted({g.expert.name for g in case.model.groups if not g.expert.smooth})
    if kind == "observed" and kinks:
        raise ValueError(
            f"kind='observed' needs a log density with second derivatives, {kinks} experts have a "
            "kink where the residual is zero. Use kind='sandwich', which smooths it, or "
            "kind='bootstrap'."
        )


def _cluster_numbers(clusters: Any, n: int, case: FittedModel) -> Ints | None:
    """Numbers from 0 of the clusters of the rows that count, or of the subjects."""
    if clusters is None:
        return None
    labels = np.asarray(clusters)
    if labels.shape != (n,):
        raise ValueError(
            f"clusters has shape {labels.shape}, X has {n} rows; give one label a row."
        )
    _, numbers_ = np.unique(labels[case.rows], return_inverse=True)
    if numbers_.max() == 0:
        raise ValueError("clusters has a single label; at least two clusters are needed.")
    if case.subjects is None:
        return numbers_
    first = numbers_[case.subjects.starts]
    if (case.subjects.at_rows(first) != numbers_).any():
        raise ValueError(
            "clusters divides a group, whose rows depend on each other; give all rows of a group "
            "the label of one cluster, or leave clusters out: groups are clusters."
        )
    return first
