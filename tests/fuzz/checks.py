"""What must hold whatever the rows: a sentence, or numbers that are numbers and agree."""

from __future__ import annotations

import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError

import moe_classic
from moe_classic.solvers import SGD, SOLVERS, Adam, DivergenceError, Solver

from .cases import Case

PACKAGE = str(Path(moe_classic.__file__).parent)
#: How far, relative to its size, a trace may fall by rounding.
FALL = 1e-9


class FoundError(AssertionError):
    """Something that must not be."""


def check(case: Case) -> str:
    """Fit a case and look at all it says; returns how it ended: "fitted", "refused", "waiting".

    Raises
    ------
    FoundError
        What is wrong, in a line.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        # One of its kind for scikit-learn, but it is a sentence.
        warnings.simplefilter("ignore", FitFailedWarning)
        estimator = clone(case.estimator)
        try:
            case.fit(estimator)
        except DivergenceError:
            return "refused"
        except Exception as error:  # noqa: BLE001 whatever it is, it is looked at
            if _is_theirs(error):
                return "refused"
            _is_a_sentence("fit", error)
            if case.way != "batches":
                _stays_unfitted(estimator, case.X)
            return "refused"
        if case.way == "batches" and not hasattr(estimator, "n_features_in_"):
            return "waiting"
        answers = _answers(estimator, case)
        _agree(estimator, answers)
        if case.way != "batches":
            _climbs(estimator)
        _is_a_transaction(estimator, case, answers)
        return "fitted"


def _is_theirs(error: Exception) -> bool:
    """Whether it is a warning that scikit-learn gave of an estimator of the user's."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    given = frame.name == "emit_warnings" or "sklearn" in frame.filename
    return isinstance(error, Warning) and given


def _is_a_sentence(what: str, error: Exception) -> None:
    """Raise unless an error is one that the package, or a validation for it, meant to raise."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    ours = frame.filename.startswith(PACKAGE) or "sklearn/utils" in frame.filename
    meant = isinstance(error, (ValueError, TypeError)) and not isinstance(
        error, np.linalg.LinAlgError
    )
    if not (meant and ours):
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        raise FoundError(f"{what}: {type(error).__name__}: {error} ({place})") from error


def _stays_unfitted(estimator: Any, X: Any) -> None:
    """After a refused first fit there is nothing to predict with."""
    try:
        estimator.predict(X)
    except NotFittedError:
        return
    except Exception as error:
        raise FoundError(f"predict after a refused first fit: {type(error).__name__}") from error
    raise FoundError("predict answers after a refused first fit")


# ------------------------------------------------------------------------- answers


def _answers(estimator: Any, case: Case) -> dict[str, np.ndarray]:
    """What a fitted estimator says of its rows; all finite."""
    answers = {}
    for name, ask in _questions(estimator, case).items():
        try:
            answers[name] = np.asarray(ask())
        except Exception as error:
            if _is_theirs(error):
                continue
            _is_a_sentence(name, error)
            raise FoundError(f"{name} is refused after a fit: {error}") from error
        values = answers[name]
        if values.dtype.kind == "f":
            wrong = np.isnan(values) if name in ("std", "score_samples") else ~np.isfinite(values)
            if wrong.any():
                raise FoundError(f"{name} holds {values[wrong][0]}")
    return answers


def _questions(estimator: Any, case: Case) -> dict[str, Any]:
    """Answers that are looked at, by name."""
    X, y, groups = case.heard
    ask: dict[str, Any] = {"predict": lambda: estimator.predict(X)}
    ask["elsewhere"] = lambda: estimator.predict(case.elsewhere(X))
    for name in ("predict_proba", "gate_proba"):
        if hasattr(estimator, name):
            ask[name] = lambda name=name: getattr(estimator, name)(X)
    for name in ("log_likelihood_", "lower_bound_"):
        if hasattr(estimator, name):
            ask[name] = lambda name=name: getattr(estimator, name)
            ask["trace_"] = lambda: np.asarray(estimator.trace_)
            ask["score_samples"] = lambda: estimator.score_samples(X, y, **groups)
            ask["responsibilities"] = lambda: estimator.responsibilities(X, y, **groups)
            ask["summary"] = lambda: len(estimator.summary())
            if not hasattr(estimator, "predict_proba"):
                ask["std"] = lambda: estimator.predict(X, return_std=True)[1]
                ask["median"] = lambda: estimator.predict_quantile(X[:5], 0.5)
    return ask


def _agree(estimator: Any, answers: dict[str, np.ndarray]) -> None:
    """Probabilities add up to one, and the likeliest class is predicted."""
    for name in ("predict_proba", "responsibilities", "gate_proba"):
        P = answers.get(name)
        mixture = hasattr(estimator, "log_likelihood_") or hasattr(estimator, "lower_bound_")
        if P is None or (name == "gate_proba" and not mixture):
            continue
        if np.abs(P.sum(axis=1) - 1.0).max() > 1e-9 or P.min() < 0.0:
            raise FoundError(f"{name} is no distribution: rows sum to {P.sum(axis=1)[:3]}")
    if "predict_proba" in answers:
        likeliest = estimator.classes_[answers["predict_proba"].argmax(axis=1)]
        if not np.array_equal(likeliest, answers["predict"]):
            raise FoundError("predict is not the argmax of predict_proba")


def _climbs(estimator: Any) -> None:
    """The trace never falls, where the solver promises that."""
    if hasattr(estimator, "lower_bound_"):
        _never_falls(estimator.trace_)
    solver = getattr(estimator, "solver", None)
    if solver is None or not hasattr(estimator, "trace_"):
        return
    solver = solver if isinstance(solver, Solver) else SOLVERS[solver]()
    noisy = isinstance(solver, (Adam, SGD)) or getattr(solver, "assignment", "") == "stochastic"
    # Without a monotone step: estimators inside are not fitted by likelihood.
    listed = estimator.expert if isinstance(estimator.expert, list) else [estimator.expert]
    ours = all(isinstance(c, (str, moe_classic.experts.Expert)) for c in listed)
    if noisy or not ours or getattr(solver, "annealing", None):
        return
    _never_falls(estimator.trace_)


def _never_falls(trace: Any) -> None:
    """Raise if a trace falls by more than rounding."""
    trace = np.asarray(trace, dtype=float)
    fall = -np.diff(trace) / (1.0 + np.abs(trace[1:]))
    if fall.max(initial=0.0) > FALL:
        raise FoundError(f"the trace falls by {fall.max():.2g} of its size")


def _is_a_transaction(estimator: Any, case: Case, before: dict[str, np.ndarray]) -> None:
    """A refused refit leaves every answer as it was."""
    spoiled = np.full((2 * len(case.y), case.X.shape[1] + 1), np.inf)
    other = np.concatenate([case.y, case.y])
    try:
        estimator.fit(spoiled, other)
    except Exception as error:  # noqa: BLE001 whatever it is, it is looked at
        _is_a_sentence("refit", error)
    else:
        raise FoundError("rows of infinities are fitted")
    for name, ask in _questions(estimator, case).items():
        if name in before and not np.array_equal(np.asarray(ask()), before[name]):
            raise FoundError(f"{name} is another after a refused refit")
