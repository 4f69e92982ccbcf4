"""Checks of arguments, with one kind of sentence."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from sklearn.utils import check_random_state


def check_integer(name: str, value: Any, low: int, what: str) -> int:
    """``value`` as an int, or an error that says what is allowed."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= low:
        return int(value)
    kind = TypeError if not isinstance(value, numbers.Real) else ValueError
    raise kind(f"{name}={value!r} must be an integer >= {low}: {what}.")


def check_real(name: str, value: Any, low: float, what: str) -> float:
    """``value`` as a float, or an error that says what is allowed."""
    number = isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
    if number and low <= float(value) and np.isfinite(float(value)):
        return float(value)
    limit = "" if low == -np.inf else f" >= {low:g}"
    kind = ValueError if isinstance(value, numbers.Real) else TypeError
    raise kind(f"{name}={value!r} must be a finite number{limit}: {what}.")


def check_fraction(name: str, value: Any) -> float:
    """A number strictly between 0 and 1, or an error."""
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, numbers.Real) or not 0.0 < float(value) < 1.0:
        raise ValueError(f"{name}={value!r} must lie strictly between 0 and 1.")
    return float(value)


def check_choice(owner: Any, name: str, choices: tuple[Any, ...]) -> None:
    """Raise unless an argument is one of ``choices``."""
    check_one_of(type(owner).__name__, name, getattr(owner, name), choices)


def check_one_of(caller: str, name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raise unless a value that ``caller`` was given is one of ``choices``."""
    if not any(value is c or (isinstance(value, str) and value == c) for c in choices):
        raise ValueError(f"{caller}: {name}={value!r} must be one of {choices}.")


def check_range(
    owner: Any, name: str, what: str, *, low: float = 0.0, high: float = np.inf
) -> None:
    """Raise unless an argument is a number strictly between ``low`` and ``high``."""
    value = getattr(owner, name)
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if number and low < value < high:
        return
    limits = f"> {low:g}" if high == np.inf else f"in ({low:g}, {high:g})"
    raise (ValueError if number else TypeError)(
        f"{type(owner).__name__}: {name}={value!r} must be a finite number {limits}: {what}."
    )


def check_switch(owner: Any, name: str) -> None:
    """Raise unless an argument is True or False."""
    value = getattr(owner, name)
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{type(owner).__name__}: {name}={value!r} must be True or False.")


def check_count(owner: Any, name: str, what: str) -> None:
    """Raise unless an argument is an integer of at least 1."""
    value = getattr(owner, name)
    number = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if number and value >= 1:
        return
    raise (ValueError if number else TypeError)(
        f"{type(owner).__name__}: {name}={value!r} must be an integer >= 1: {what}."
    )


def refuse_groups(owner: Any, groups: Any, why: str) -> None:
    """Raise if rows come with groups where these have no meaning."""
    if groups is not None:
        raise ValueError(
            f"{type(owner).__name__}: groups has no meaning, {why}. Rows of a group come from one "
            "expert in MoERegressor, MoEClassifier and hierarchical mixtures of a given shape; "
            "leave groups out, or give them to the splitter of a search alone."
        )


def generator(random_state: Any) -> np.random.Generator:
    """A generator from scikit-learn's ``random_state``."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))


def counts_of(sample_weight: Any, kind: str) -> Any:
    """Weights read as counts of rows: frequencies as they are, precisions with mean 1.

    Parameters
    ----------
    sample_weight : array-like or None
    kind : {"frequency", "precision"}
        Of a precision only the ratio to others means something: rows of weight 4 have half the
        noise of rows of weight 1.
    """
    check_one_of("sample_weight", "weight_kind", kind, ("frequency", "precision"))
    if sample_weight is None or kind == "frequency" or not np.any(sample_weight):
        return sample_weight
    w = np.asarray(sample_weight, dtype=np.float64)
    # Divided by the largest first: sums of 1 / error^2 may overflow.
    w = w / w.max()
    return w * ((w > 0.0).sum() / w.sum())
