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
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from sklearn.utils import check_random_state

from ._inference_bootstrap import bootstrap
from ._inference_case import Case, make_case
from ._inference_curvature import (
    Curvature,
    Finding,
    ThetaCovariance,
    curvature,
    distance_from_optimum,
    findings,
    fixed_places,
    theta_covariance,
)
from ._inference_labels import match_experts, order_of
from ._inference_terms import Terms
from ._information import available
from ._model import MoEParams
from ._typing import Bools, Floats, Ints

__all__ = ["Inference", "inference", "match_experts", "order_of"]

_CURVATURE = ("observed", "opg", "sandwich")
_BOOTSTRAP = ("bootstrap", "parametric_bootstrap")
_INDEX = ["part", "expert", "term"]
#: Standard errors by which a Newton step may move the estimates before they are no optimum.
_FAR = 0.3
#: Share of refits that may fail before a warning.
_FAILED = 0.05
#: Step of the numerical gradient of a function of the parameters, in standard errors.
_STEP = 1e-4


# ------------------------------------------------------------------------- the result


@dataclass(frozen=True)
class Inference:
    """Tables and covariance of the parameters of one fit.

    Attributes
    ----------
    kind : str
        How the covariance was found.
    level : float
        Coverage of the intervals.
    table : DataFrame
        One row a parameter, indexed by (part, expert, term), on the user's scales: ``estimate``,
        ``std_error``, ``z``, ``p_value``, ``low``, ``high``, and a ``note`` where something must
        be known. Coefficients of a softmax gate are relative to the last expert. Intervals of
        parameters with bounds (scales, degrees of freedom, proportions, correlations) are computed
        on a logarithmic or logit scale, so that they respect them; a test against zero makes no
        sense there and is left out.
    covariance : DataFrame
        Covariance of the estimates, with the labels of ``table`` on both sides.
    draws : DataFrame or None
        Refitted parameters, one row a bootstrap sample.
    warnings : tuple of str
        What was warned about.
    """

    kind: str
    level: float
    table: pd.DataFrame
    covariance: pd.DataFrame
    draws: pd.DataFrame | None
    warnings: tuple[str, ...]
    _working: _Working = field(repr=False)

    @property
    def experts(self) -> pd.DataFrame:
        """Rows of the table that belong to experts."""
        return self.table[self.table.index.get_level_values("part") != "gate"]

    @property
    def gate(self) -> pd.DataFrame:
        """Rows of the table that belong to the gate."""
        return self.table[self.table.index.get_level_values("part") == "gate"]

    def delta(
        self,
        function: Callable[[Any], Any],
        *,
        gradient: Callable[[Any], Any] | None = None,
        of: str = "parameters",
    ) -> pd.DataFrame:
        """Standard error and interval of a function of the parameters.

        By the delta method; after a bootstrap, from the function's values at the draws.

        Parameters
        ----------
        function : callable
            Returns a number, an array or a Series of m values.
        gradient : callable, default=None
            Derivatives (m, n_parameters) of ``function``; None takes central differences. Only
            with ``of="parameters"``.
        of : {"parameters", "estimator"}, default="parameters"
            What ``function`` is given: a Series of the parameters with the index of ``table``, or
            the estimator at these parameters, of which it may use the methods, such as
            ``lambda moe: moe.predict(X)``.

        Returns
        -------
        table : DataFrame
            With the columns of ``table`` but the note. Parameters at a bound count as known;
            values that depend on what the data do not determine get NaN.
        """
        if of not in ("parameters", "estimator"):
            raise ValueError(f"of={of!r} must be 'parameters' or 'estimator'.")
        if gradient is not None and (of == "estimator" or self.draws is not None):
            reason = "of='estimator'" if of == "estimator" else f"kind={self.kind!r}"
            raise ValueError(f"gradient has no meaning with {reason}; leave it out.")
        return self._working.delta(self, function, gradient, of)

    def __repr__(self) -> str:
        """Kind, level and the table."""
        return f"Inference(kind={self.kind!r}, level={self.level})\n{self.table}"


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
) -> Inference:
    """Standard errors, tests and intervals of a fitted mixture of experts.

    Parameters
    ----------
    estimator : fitted MoERegressor, MoEClassifier or hierarchical estimator
        With linear experts.
    X, y, sample_weight :
        The rows on which it was fitted. Weights count rows: a weight of 2 is the same as a
        repeated row. For sampling weights use ``kind="sandwich"`` with
        ``clusters=np.arange(n_samples)``.
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
    """
    _check_kind(kind, clusters, n_bootstrap, n_jobs, random_state)
    if not isinstance(level, numbers.Real) or not 0.0 < level < 1.0:
        raise ValueError(f"level={level!r} must lie strictly between 0 and 1, such as 0.95.")
    case = make_case(estimator, X, y, sample_weight)
    groups = _cluster_numbers(clusters, len(X) if hasattr(X, "__len__") else X.shape[0], case.rows)
    smooth = all(g.expert.smooth for g in case.model.groups)
    if kind == "observed" and not smooth:
        names = sorted({g.expert.name for g in case.model.groups if not g.expert.smooth})
        raise ValueError(
            f"kind='observed' needs a log density with second derivatives, {names} experts have a "
            "kink where the residual is zero. Use kind='sandwich', which smooths it, or "
            "kind='bootstrap'."
        )
    terms = Terms(case)
    by_rows = kind in ("opg", "sandwich")
    seen = curvature(case, scores=by_rows, clusters=groups if by_rows else None)
    found = findings(case, seen)
    working = _Working(estimator, case, terms)
    if kind in _BOOTSTRAP:
        draws = bootstrap(
            case,
            parametric=kind == "parametric_bootstrap",
            clusters=groups,
            count=500 if n_bootstrap is None else n_bootstrap,
            n_jobs=n_jobs,
            rng=np.random.default_rng(check_random_state(random_state).randint(2**31 - 1)),
        )
        result = _from_draws(working, draws.params, draws.failed, kind, level, found)
    else:
        result = _from_curvature(working, seen, kind, level, found)
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
    if n_bootstrap is not None and not (
        isinstance(n_bootstrap, numbers.Integral)
        and not isinstance(n_bootstrap, bool)
        and n_bootstrap >= 2
    ):
        raise ValueError(f"n_bootstrap={n_bootstrap!r} must be an integer >= 2, or None for 500.")


def _cluster_numbers(clusters: Any, n: int, rows: Ints) -> Ints | None:
    """Numbers from 0 of the clusters of the rows that count."""
    if clusters is None:
        return None
    labels = np.asarray(clusters)
    if labels.shape != (n,):
        raise ValueError(
            f"clusters has shape {labels.shape}, X has {n} rows; give one label a row."
        )
    _, numbers_ = np.unique(labels[rows], return_inverse=True)
    if numbers_.max() == 0:
        raise ValueError("clusters has a single label; at least two clusters are needed.")
    return numbers_


# ------------------------------------------------------------------------- from curvature


def _from_curvature(
    working: _Working, seen: Curvature, kind: str, level: float, found: list[Finding]
) -> Inference:
    """Wald tables."""
    case, terms = working.case, working.terms
    fixed = fixed_places(found, seen.gradient.size)
    theta = theta_covariance(seen, kind, fixed)
    working.theta = theta
    J = terms.jacobian(case.params)
    covariance = J @ theta.covariance @ J.T
    unknown = theta.undetermined(J)
    notes = _notes(terms, J, found)
    for i in np.flatnonzero(unknown):
        notes[i] = [*notes[i], "not determined by the data"]
    held = _touched(terms, J, np.flatnonzero(fixed)) | unknown
    shown = covariance.copy()
    shown[held] = shown[:, held] = np.nan
    said = _sentences(terms, case, seen, theta, fixed, found)
    table = _wald(terms.values(case.params), shown, terms.bounds, level)
    return _result(working, kind, level, table, shown, notes, said, draws=None)


def _wald(values: Floats, covariance: Floats, bounds: Floats, level: float) -> pd.DataFrame:
    """Estimates, standard errors, tests and intervals."""
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    low, high = _interval(values, error, bounds, level)
    return _with_tests(values, error, low, high, bounds)


def _with_tests(
    values: Floats, error: Floats, low: Floats, high: Floats, bounds: Floats
) -> pd.DataFrame:
    """The columns of a table; no test where zero is not inside the bounds."""
    testable = (bounds[:, 0] < 0.0) & (error > 0.0)
    z = np.where(testable, values / np.where(testable, error, 1.0), np.nan)
    columns = {
        "estimate": values,
        "std_error": error,
        "z": z,
        "p_value": 2.0 * ndtr(-np.abs(z)),
        "low": low,
        "high": high,
    }
    return pd.DataFrame(columns)


def _interval(values: Floats, error: Floats, bounds: Floats, level: float) -> tuple[Floats, Floats]:
    """Normal intervals on the line, the logarithm or the logit, as the bounds ask for."""
    reach = float(ndtri(0.5 + 0.5 * level)) * error
    low, high = values - reach, values + reach
    for i, (a, b) in enumerate(bounds):
        v = values[i]
        if np.isinf(a) or not a < v < b:
            continue
        if np.isinf(b):
            factor = np.exp(reach[i] / (v - a))
            low[i], high[i] = a + (v - a) / factor, a + (v - a) * factor
        else:
            odds, stretch = (v - a) / (b - v), reach[i] * (b - a) / ((v - a) * (b - v))
            for end, sign in ((low, -1.0), (high, 1.0)):
                end[i] = a + (b - a) / (1.0 + np.exp(-sign * stretch) / odds)
    return low, high


def _touched(terms: Terms, J: Floats, places: Ints) -> Bools:
    """Which terms depend on coordinates of theta, or are called like one of them; (M,)."""
    names = {terms.coordinates[i] for i in places}
    named = np.array([label in names for label in terms.labels], dtype=bool)
    size = np.abs(J).max(axis=1, initial=0.0)
    return named | (np.abs(J[:, places]) > 1e-8 * size[:, None]).any(axis=1)


def _notes(terms: Terms, J: Floats, found: list[Finding]) -> list[list[str]]:
    """What to write beside every term."""
    notes: list[list[str]] = [[] for _ in terms.labels]
    for f in found:
        for i in np.flatnonzero(_touched(terms, J, f.places)):
            notes[i].append(f.note)
    return notes


def _sentences(
    terms: Terms,
    case: Case,
    seen: Curvature,
    theta: ThetaCovariance,
    fixed: Bools,
    found: list[Finding],
) -> list[str]:
    """What the warning says."""
    said = _found_sentences(terms, found)
    if theta.unknown.size:
        squares = np.square(theta.unknown).sum(axis=1)
        names = _names(terms, np.flatnonzero(squares > 0.1 * squares.max()))
        why = (
            "the likelihood curves upwards there, the estimates are no maximum: refit with more "
            "starts or a smaller tol"
            if theta.negative
            else "features are collinear, or experts too many"
        )
        said.append(f"The information is singular in {names}: {why}.")
    elif available(case.model):
        far = distance_from_optimum(seen, fixed)
        if far > _FAR:
            said.append(
                f"The estimates are no maximum of the likelihood of these rows: a Newton step "
                f"would move them by up to {far:.2g} standard errors. Pass the rows and weights "
                "of the fit, or refit with a smaller tol."
            )
    return said


def _found_sentences(terms: Terms, found: list[Finding]) -> list[str]:
    """One sentence a finding."""
    return [
        f"{_names(terms, f.places)}: {f.note}"
        + (", held there for the other standard errors." if f.fixed else ".")
        for f in found
    ]


def _names(terms: Terms, places: Ints) -> str:
    """Readable names of coordinates of theta."""
    labels = dict.fromkeys(" ".join(terms.coordinates[i]) for i in places)
    names = list(labels)
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


# ------------------------------------------------------------------------- from draws


def _from_draws(
    working: _Working,
    params: list[MoEParams],
    failed: int,
    kind: str,
    level: float,
    found: list[Finding],
) -> Inference:
    """Bootstrap tables."""
    case, terms = working.case, working.terms
    if len(params) < 2:
        raise ValueError(
            f"kind={kind!r}: {failed} of {failed + len(params)} refits failed; the data do not "
            "carry this model. Use fewer experts or larger penalties."
        )
    working.draws = params
    values = np.array([terms.values(p) for p in params])
    table = _from_values(terms.values(case.params), values, terms.bounds, level)
    covariance = np.atleast_2d(np.cov(values, rowvar=False))
    said = _found_sentences(terms, [f for f in found if not f.fixed])
    if failed > _FAILED * (failed + len(params)):
        said.append(
            f"{failed} of {failed + len(params)} refits did not converge or let an expert "
            "interpolate its rows, and were left out."
        )
    index = pd.MultiIndex.from_tuples(terms.labels, names=_INDEX)
    draws = pd.DataFrame(values, columns=index)
    notes = _notes(terms, terms.jacobian(case.params), found)
    return _result(working, kind, level, table, covariance, notes, said, draws=draws)


def _from_values(values: Floats, draws: Floats, bounds: Floats, level: float) -> pd.DataFrame:
    """Standard deviations and quantiles of draws (B, M)."""
    tail = 0.5 * (1.0 - level)
    low, high = np.quantile(draws, [tail, 1.0 - tail], axis=0)
    return _with_tests(values, draws.std(axis=0, ddof=1), low, high, bounds)


def _result(
    working: _Working,
    kind: str,
    level: float,
    table: pd.DataFrame,
    covariance: Floats,
    notes: list[list[str]],
    said: list[str],
    *,
    draws: pd.DataFrame | None,
) -> Inference:
    """The public record."""
    index = pd.MultiIndex.from_tuples(working.terms.labels, names=_INDEX)
    table = table.assign(note=["; ".join(n) for n in notes]).set_axis(index, axis=0)
    square = pd.DataFrame(covariance, index=index, columns=index)
    return Inference(kind, float(level), table, square, draws, tuple(said), working)


# ------------------------------------------------------------------------- functions


@dataclass
class _Working:
    """What functions of the parameters need besides the tables."""

    estimator: Any
    case: Case
    terms: Terms
    theta: ThetaCovariance | None = None
    draws: list[MoEParams] | None = None

    def delta(
        self,
        result: Inference,
        function: Callable[[Any], Any],
        gradient: Callable[[Any], Any] | None,
        of: str,
    ) -> pd.DataFrame:
        """Table of ``function``; see :meth:`Inference.delta`."""
        case = self.case

        def value(params: MoEParams) -> Floats:
            return np.atleast_1d(np.asarray(function(self._given(params, of)), np.float64)).ravel()

        first = function(self._given(case.params, of))
        values = value(case.params)
        free = np.tile([-np.inf, np.inf], (values.size, 1))
        if self.draws is not None:
            draws = np.array([value(p) for p in self.draws])
            table = _from_values(values, draws, free, result.level)
        else:
            G = self._gradient(value, gradient, values.size)
            covariance = G @ self.theta.covariance @ G.T
            covariance[self.theta.undetermined(G)] = np.nan
            table = _wald(values, covariance, free, result.level)
        return table.set_axis(first.index, axis=0) if isinstance(first, pd.Series) else table

    def _given(self, params: MoEParams, of: str) -> Any:
        """What the user's function is given at ``params``."""
        if of == "parameters":
            index = pd.MultiIndex.from_tuples(self.terms.labels, names=_INDEX)
            return pd.Series(self.terms.values(params), index=index)
        shadow = copy(self.estimator)
        shadow._params = self.case.original(params)
        # Views would still show the old numbers.
        for name in ("experts_", "gate_"):
            shadow.__dict__.pop(name, None)
        return shadow

    def _gradient(
        self,
        value: Callable[[MoEParams], Floats],
        gradient: Callable[[Any], Any] | None,
        m: int,
    ) -> Floats:
        """Derivatives (m, D) of a function in theta."""
        case = self.case
        if gradient is not None:
            given = np.asarray(gradient(self._given(case.params, "parameters")), np.float64)
            if given.size != m * len(self.terms.labels):
                raise ValueError(
                    f"gradient returned shape {given.shape}; {m} values of "
                    f"{len(self.terms.labels)} parameters need ({m}, {len(self.terms.labels)})."
                )
            return given.reshape(m, -1) @ self.terms.jacobian(case.params)
        theta, error = case.model.pack(case.params), np.sqrt(np.diag(self.theta.covariance))
        out = np.zeros((m, theta.size))
        for i in range(theta.size):
            step = np.zeros(theta.size)
            step[i] = _STEP * (error[i] if error[i] > 0.0 else max(1.0, abs(theta[i])))
            up, down = (
                value(case.model.unpack(theta + s * step, case.params, case.summary))
                for s in (1.0, -1.0)
            )
            out[:, i] = (up - down) / (2.0 * step[i])
        return out
