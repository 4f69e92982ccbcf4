"""Scores: of arrays, as in scikit-learn, and row by row of a fitted mixture of experts."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_array, check_consistent_length

from moe_classic._arguments import check_fraction
from moe_classic._results import fitted_mixture, fitted_moe, inner_rows, kind_of, told_ends
from moe_classic._typing import Floats
from moe_classic.predictive import FAMILIES, Noise, mixture_crps

# ------------------------------------------------------------------------- CRPS


def crps_mixture(
    y_true: Any,
    weights: Any,
    location: Any,
    scale: Any,
    *,
    family: Any = "gaussian",
    df: Any = None,
) -> Floats:
    """Continuous ranked probability score of mixture distributions, row by row.

    ::

        CRPS(F, y) = int (F(t) - 1[t >= y])^2 dt = E|Y - y| - 1/2 E|Y - Y'|

    A proper score in the units of y: the absolute error of a point forecast, generalised to
    distributions. Lower is better.

    Gaussian and Laplace components, and their mixtures with each other, have a closed form. So has
    the first term of Student-t components; ``E|Y - Y'|`` between two of them, or one and another
    family, has none and is computed by writing Student's t as a scale mixture of normals, exact to
    about 1e-9, down to ``df`` near 1/2, where the score ends to exist. Where ``scale`` of a
    Student-t component differs from row to row, or a component is logistic, the integral itself is
    computed by double-exponential quadrature, exact to about 1e-7 and slower.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
    weights : array-like of shape (n_samples, n_components) or (n_components,)
        Mixing weights, not negative; every row sums to 1.
    location : array-like of shape (n_samples, n_components) or (n_components,)
    scale : array-like of shape (n_samples, n_components) or (n_components,), or float
        Positive; the standard deviation of a Gaussian, b of a Laplace component.
    family : str or sequence of str of length n_components, default="gaussian"
        ``"gaussian"``, ``"laplace"``, ``"logistic"`` or ``"student_t"``.
    df : float or array-like of shape (n_components,), default=None
        Degrees of freedom > 1/2 of Student-t components (the score is infinite otherwise); not
        looked at for others.

    Returns
    -------
    score : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If shapes do not fit, or weights, scales or df are out of range.

    References
    ----------
    Gneiting & Raftery (2007), Strictly proper scoring rules, prediction, and estimation, Journal
    of the American Statistical Association 102, equations 20-21. Grimit, Gneiting, Berrocal &
    Johnson (2006), The continuous ranked probability score for circular variables, Quarterly
    Journal of the Royal Meteorological Society 132, equation 5 (Gaussian mixtures).

    Examples
    --------
    >>> from moe_classic.metrics import crps_mixture
    >>> crps_mixture([0.0, 1.0], [0.5, 0.5], [-1.0, 1.0], 0.1).round(3)
    array([0.472, 0.512])
    """
    y = check_array(y_true, ensure_2d=False, dtype=np.float64, input_name="y_true").ravel()
    w, m = _per_row("weights", weights, y.size), _per_row("location", location, y.size)
    w, m = np.broadcast_arrays(w, m)
    if (w < 0.0).any() or np.abs(w.sum(axis=1) - 1.0).max() > 1e-6:
        raise ValueError("weights must not be negative and must sum to 1 in every row.")
    return mixture_crps(y, w.T, m.T, _noise(w.shape[1], scale, family, df, y.size))


def _per_row(name: str, value: Any, n: int) -> Floats:
    """(n, K) or (1, K) array of a component's numbers."""
    array = np.atleast_2d(np.asarray(value, dtype=np.float64))
    if array.ndim != 2 or array.shape[0] not in (1, n) or not np.isfinite(array).all():
        raise ValueError(
            f"{name} has shape {np.shape(value)} or values that are not finite; it needs shape "
            f"(n_samples, n_components) = ({n}, K), or (K,) for all rows."
        )
    return array


def _noise(K: int, scale: Any, family: Any, df: Any, n: int) -> list[Noise]:
    """Noises of the components."""
    names = [family] * K if isinstance(family, str) else list(family)
    unknown = [name for name in names if name not in FAMILIES]
    if unknown or len(names) != K:
        raise ValueError(
            f"family={family!r} must be one of {list(FAMILIES)}, or a sequence of {K} of them."
        )
    scales = np.broadcast_to(_per_row("scale", scale, n), (n if np.ndim(scale) == 2 else 1, K))
    if (scales <= 0.0).any():
        raise ValueError("scale must be positive.")
    dfs = np.broadcast_to(np.inf if df is None else np.asarray(df, dtype=np.float64), (K,))
    students = [k for k, name in enumerate(names) if name == "student_t"]
    if students and not (np.isfinite(dfs[students]) & (dfs[students] > 0.5)).all():
        raise ValueError(f"df={df!r} must be finite and > 0.5 for every student_t component.")
    columns = [s if len(s) > 1 else s[0] for s in scales.T]
    return [Noise(f, s, float(v)) for f, s, v in zip(names, columns, dfs, strict=True)]


def crps_samples(estimator: Any, X: Any, y: Any) -> Floats:
    """Continuous ranked probability score of a fitted regressor, row by row.

    Parameters
    ----------
    estimator : fitted regressor
        A mixture of experts, a pipeline that ends in one, or a search over them.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)

    Returns
    -------
    score : ndarray of the shape of y
        In the units of y, of each output on its own; lower is better. See :func:`crps_mixture`.

    Raises
    ------
    TypeError
        If the estimator does not predict distributions of real targets.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.metrics import crps_samples
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> crps_samples(moe, X, y).shape
    (133,)
    """
    moe = fitted_moe(estimator, needs="crps", caller="crps_samples")
    return np.asarray(moe.crps(inner_rows(estimator, X), y), dtype=np.float64)


# ------------------------------------------------------------------------- PIT


def pit_values(estimator: Any, X: Any, y: Any, *, random_state: Any = None) -> Floats:
    """Probability integral transform ``P(Y <= y | x)`` of a fitted regressor, row by row.

    Uniform on (0, 1) if the model is right (Dawid 1984); piled up at the ends where it is too
    sure, in the middle where it is too careful. Where single values have a probability, as counts
    have, it is drawn evenly between ``P(Y < y | x)`` and ``P(Y <= y | x)``: only so is it uniform.

    Parameters
    ----------
    estimator : fitted regressor
        A mixture of experts, a pipeline that ends in one, or a search over them.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; of no consequence for continuous targets.

    Returns
    -------
    pit : ndarray of the shape of y

    References
    ----------
    Dawid (1984), Statistical theory: the prequential approach, Journal of the Royal Statistical
    Society A 147. Dunn & Smyth (1996), Randomized quantile residuals, Journal of Computational and
    Graphical Statistics 5. Czado, Gneiting & Held (2009), Predictive model assessment for count
    data, Biometrics 65.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.metrics import pit_values
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> pit_values(moe, X, y).shape
    (133,)
    """
    moe = fitted_moe(estimator, needs="predict_cdf", caller="pit_values")
    rows, kind = inner_rows(estimator, X), kind_of(moe)
    if told_ends(moe):
        return _pit_of_ends(moe, rows, kind, y, check_random_state(random_state))
    pit: Floats = moe.predict_cdf(rows, y)
    if not kind.discrete:
        return pit
    rng = check_random_state(random_state)
    y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    # The distribution function is flat between two values.
    low = moe.predict_cdf(rows, y - kind.step if kind.step else np.nextafter(y, -np.inf))
    return np.asarray(low + rng.uniform(size=pit.shape) * (pit - low), dtype=np.float64)


def _pit_of_ends(moe: Any, X: Any, kind: Any, y: Any, rng: Any) -> Floats:
    """Draws between the probabilities of the ends of a censored y."""
    low, high = fitted_mixture(moe).target.scored(y)
    if kind.step:
        low = low - kind.step
    sides = [
        np.where(np.isfinite(v), moe.predict_cdf(X, np.where(np.isfinite(v), v, 0.0)), v > 0.0)
        for v in (low, high)
    ]
    return np.asarray(sides[0] + rng.uniform(size=low.size) * (sides[1] - sides[0]))


def pit_error(pit: Any, *, sample_weight: Any = None) -> float:
    """Largest distance between the distribution of PIT values and the uniform one.

    Kolmogorov's distance ``sup |F_n(u) - u|``: 0 for perfect calibration, below about
    ``1.36 / sqrt(n)`` in 95 % of samples from the right model.

    Parameters
    ----------
    pit : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Values in [0, 1]; the mean over outputs is taken.
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    error : float

    Examples
    --------
    >>> from moe_classic.metrics import pit_error
    >>> round(pit_error([0.1, 0.3, 0.5, 0.7, 0.9]), 3)
    0.1
    """
    pit = check_array(pit, ensure_2d=False, dtype=np.float64, input_name="pit")
    if pit.min() < 0.0 or pit.max() > 1.0:
        raise ValueError(f"pit must lie in [0, 1]; it runs from {pit.min():g} to {pit.max():g}.")
    columns = pit.reshape(len(pit), -1)
    w = _check_sample_weight(sample_weight, columns, dtype=np.float64, ensure_non_negative=True)
    order = np.argsort(columns, axis=0)
    below = np.cumsum(w[order], axis=0) / w.sum()
    values = np.take_along_axis(columns, order, axis=0)
    above = np.vstack([np.zeros((1, columns.shape[1])), below[:-1]])
    return float(np.maximum(below - values, values - above).max(axis=0).mean())


# ------------------------------------------------------------------------- intervals


def _interval(interval: Any) -> tuple[Floats, Floats]:
    """Lower and upper ends of checked intervals (n[, d], 2)."""
    ends = np.asarray(interval, dtype=np.float64)
    if ends.ndim < 2 or ends.shape[-1] != 2:
        raise ValueError(
            f"interval has shape {ends.shape}; it needs a last axis of length 2, lower and upper "
            "end, as predict_interval returns it."
        )
    low, high = ends[..., 0], ends[..., 1]
    if not (low <= high).all():
        raise ValueError("interval must have lower ends that are not above the upper ones.")
    return low, high


def _mean(rows: Floats, sample_weight: Any) -> float:
    """Weighted mean over rows, plain mean over outputs."""
    columns = rows.reshape(len(rows), -1)
    w = _check_sample_weight(sample_weight, columns, dtype=np.float64, ensure_non_negative=True)
    return float(np.average(columns, axis=0, weights=w).mean())


def interval_coverage(y_true: Any, interval: Any, *, sample_weight: Any = None) -> float:
    """Share of targets inside their prediction interval; right if near the nominal coverage.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
    interval : array-like of shape (n_samples[, n_outputs], 2)
        Lower and upper ends, as ``predict_interval`` returns them.
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    coverage : float in [0, 1]

    Examples
    --------
    >>> from moe_classic.metrics import interval_coverage
    >>> interval_coverage([1.0, 2.0], [[0.0, 1.5], [0.0, 1.5]])
    0.5
    """
    low, high = _interval(interval)
    y = _target_like(y_true, low)
    return _mean(((low <= y) & (y <= high)).astype(np.float64), sample_weight)


def interval_width(interval: Any, *, sample_weight: Any = None) -> float:
    """Mean width of prediction intervals, in the units of y; lower is sharper.

    Parameters
    ----------
    interval : array-like of shape (n_samples[, n_outputs], 2)
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    width : float

    Examples
    --------
    >>> from moe_classic.metrics import interval_width
    >>> interval_width([[0.0, 1.0], [0.0, 2.0]])
    1.5
    """
    low, high = _interval(interval)
    return _mean(high - low, sample_weight)


def interval_score(
    y_true: Any, interval: Any, *, coverage: float = 0.9, sample_weight: Any = None
) -> float:
    """Mean interval score: the width, plus ``2 / (1 - coverage)`` times what targets stick out.

    The proper score for central intervals (Winkler 1972; Gneiting & Raftery 2007, equation 43);
    lower is better, in the units of y.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
    interval : array-like of shape (n_samples[, n_outputs], 2)
    coverage : float in (0, 1), default=0.9
        Nominal coverage of the intervals.
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    score : float

    References
    ----------
    Winkler (1972), A decision-theoretic approach to interval estimation, Journal of the American
    Statistical Association 67. Gneiting & Raftery (2007), ibid. 102.

    Examples
    --------
    >>> from moe_classic.metrics import interval_score
    >>> round(interval_score([1.0, 2.0], [[0.0, 1.5], [0.0, 1.5]]), 3)
    6.5
    """
    check_fraction("coverage", coverage)
    low, high = _interval(interval)
    y = _target_like(y_true, low)
    out = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    return _mean(high - low + 2.0 / (1.0 - coverage) * out, sample_weight)


def _target_like(y_true: Any, low: Floats) -> Floats:
    """Targets of the shape of the lower ends."""
    y = check_array(y_true, ensure_2d=False, dtype=np.float64, input_name="y_true")
    check_consistent_length(y, low)
    if y.shape != low.shape:
        raise ValueError(f"y_true has shape {y.shape}, its intervals have shape {low.shape}.")
    return y
