"""Columns of the tables, the notes beside them, and the sentences of the warning."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from moe_classic._components import Label, spoken
from moe_classic._results import FittedMixture
from moe_classic._typing import Bools, Floats, Ints

from ._case import Weighed
from ._findings import Caveat
from ._terms import Terms

#: Part of a term along a direction without effect from which on it is not determined.
_ALIASED_PART = 1e-6
#: Nats below the best within which another labelling is told of, and the share of the weight with
#: the same experts below which it is another.
_NEARLY, _OTHER = 2.0, 0.9
#: Names written out in one sentence.
_MOST_NAMES = 6


# ------------------------------------------------------------------------- columns


def wald_table(values: Floats, covariance: Floats, bounds: Floats, level: float) -> pd.DataFrame:
    """Estimates (M,), standard errors, tests and normal intervals; ``bounds`` is (M, 2)."""
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    low, high = _intervals(values, error, bounds, level)
    return _with_tests(values, error, low, high, bounds)


def draws_table(values: Floats, draws: Floats, bounds: Floats, level: float) -> pd.DataFrame:
    """Estimates (M,), standard deviations and quantiles of draws (B, M)."""
    tail = 0.5 * (1.0 - level)
    low, high = np.quantile(draws, [tail, 1.0 - tail], axis=0)
    return _with_tests(values, draws.std(axis=0, ddof=1), low, high, bounds)


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


def _intervals(
    values: Floats, error: Floats, bounds: Floats, level: float
) -> tuple[Floats, Floats]:
    """Normal intervals: on the line, for positive terms of the logarithm, else of the logit."""
    reach = float(ndtri(0.5 + 0.5 * level)) * error
    low, high = values - reach, values + reach
    inside = (bounds[:, 0] < values) & (values < bounds[:, 1])
    positive = inside & np.isfinite(bounds[:, 0]) & np.isinf(bounds[:, 1])
    v, factor = values[positive], np.exp(reach[positive] / values[positive])
    low[positive], high[positive] = v / factor, v * factor
    between = inside & np.isfinite(bounds).all(axis=1)
    a, b = bounds[between].T
    v = values[between]
    odds, stretch = (v - a) / (b - v), reach[between] * (b - a) / ((v - a) * (b - v))
    low[between] = a + (b - a) / (1.0 + np.exp(stretch) / odds)
    high[between] = a + (b - a) / (1.0 + np.exp(-stretch) / odds)
    return low, high


# ------------------------------------------------------------------------- notes


def held_terms(terms: Terms, J: Floats, fixed: Bools) -> Bools:
    """Which terms depend on fixed coordinates of theta, or are called like one of them; (M,)."""
    size = np.abs(J).max(axis=1, initial=0.0)
    return _named(terms, np.flatnonzero(fixed)) | (np.abs(J[:, fixed]) > 1e-8 * size[:, None]).any(
        axis=1
    )


def aliased_terms(J: Floats, null: Floats) -> Bools:
    """Which terms move along directions (D, R) that change no linear predictor, (M,)."""
    return np.linalg.norm(J @ null, axis=1) > _ALIASED_PART * np.linalg.norm(J, axis=1)


def _named(terms: Terms, places: Ints) -> Bools:
    """Which terms are called like one of the coordinates, (M,)."""
    names = {terms.coordinates[i] for i in places}
    return np.array([label in names for label in terms.labels], dtype=bool)


def notes_of(terms: Terms, J: Floats, found: list[Caveat], error: Floats) -> list[list[str]]:
    """What to write beside every term: what holds for it or for most of what it depends on.

    ``error`` (D,) is the size of the errors of theta, so that parts of a term can be compared.
    """
    squares = np.square(J * error)
    most = np.maximum(squares.sum(axis=1), np.finfo(float).tiny)
    notes: list[list[str]] = [[] for _ in terms.labels]
    for f in found:
        if f.directions is not None:
            for i in np.flatnonzero(aliased_terms(J, f.directions)):
                notes[i].append(f.note)
            continue
        concerned = _named(terms, f.places) | (squares[:, f.places].sum(axis=1) > 0.5 * most)
        for i in np.flatnonzero(concerned):
            notes[i].append(f.note)
    return notes


# ------------------------------------------------------------------------- sentences


def found_sentences(terms: Terms, J: Floats, found: list[Caveat], *, held: bool) -> list[str]:
    """One sentence a finding; ``held``: whether fixed coordinates stay where they are."""

    def names(f: Caveat) -> str:
        if f.directions is None:
            return names_of(terms, f.places)
        concerned = np.flatnonzero(aliased_terms(J, f.directions))
        return _joined([_name(terms.labels[i], terms.kinds) for i in concerned])

    tail = ", held there for the other standard errors."
    told = [f for f in found if f.note]
    return [f"{names(f)}: {f.note}" + (tail if held and f.fixed else ".") for f in told]


def weight_sentence(rows: float, fit: float) -> list[str]:
    """What to say about rows that weigh something else than those of the fit, if anything."""
    if abs(rows - fit) <= 1e-6 * fit:
        return []
    return [
        f"The rows weigh {rows:g}, those of the fit weighed {fit:g}: standard errors are for as "
        "many rows as are given. Pass the rows and weights of the fit."
    ]


def precision_sentence(weighed: Weighed, weight_kind: str) -> list[str]:
    """What to say of weights that can hardly be counts of rows."""
    rows, total = weighed.rows, weighed.weight
    if weight_kind != "frequency" or not weighed.fractions or abs(total - rows) <= 0.5 * rows:
        return []
    return [
        f"sample_weight adds up to {total:.3g} for {rows} rows, and weights are read as counts of "
        "rows. If they are precisions, such as 1 / error**2, set weight_kind='precision'; if they "
        "are sampling weights, kind='sandwich' with a cluster a row."
    ]


def rival_sentence(fitted: FittedMixture) -> list[str]:
    """What to say where a start ended nearly as high with rows given to other experts."""
    report = getattr(fitted, "report", None)
    if not report or "agreement" not in report or np.ptp(report["weight"]) > 0.0:
        return []
    if not np.isclose(report["weight"][0], fitted.summary.weight):
        return []  # starts were tried on some of the rows
    height, agreement = np.array(report["objective"]), np.array(report["agreement"])
    sound = np.array(report["degenerate_experts"]) == 0
    rivals = sound & (height > height[np.nanargmax(agreement)] - _NEARLY) & (agreement < _OTHER)
    if not rivals.any():
        return []
    i = int(np.argmax(np.where(rivals, height, -np.inf)))
    lost = max(float(height[np.nanargmax(agreement)] - height[i]), 0.0)
    return [
        f"Another labelling of the data is nearly as good: start {report['start'][i]} ended "
        f"{lost:.2g} nats below the best with {1.0 - agreement[i]:.0%} of the weight given to "
        "other experts (start_report_). Standard errors are those of the best one and say nothing "
        "of the choice."
    ]


def singular_sentence(terms: Terms, unknown: Floats, *, negative: bool) -> str:
    """What to say about directions (D, r) that the data do not determine."""
    squares = np.square(unknown).sum(axis=1)
    names = names_of(terms, np.flatnonzero(squares > 0.1 * squares.max()))
    if negative:
        return (
            f"The information has a negative eigenvalue in {names}: the estimates are no maximum. "
            "Refit with more starts or a smaller tol."
        )
    return (
        f"The information is singular in {names}: the data do not determine them. Features may be "
        "collinear, a gate separated, or the experts too many."
    )


def far_sentence(far: float) -> str:
    """What to say about estimates ``far`` standard errors from the optimum."""
    return (
        "The estimates are no maximum of the likelihood of these rows: a Newton step would move "
        f"them by up to {far:.2g} standard errors. Pass the rows and weights of the fit, or refit "
        "with a smaller tol."
    )


def names_of(terms: Terms, places: Ints) -> str:
    """Readable names of coordinates of theta."""
    return _joined([_name(terms.coordinates[i], terms.kinds) for i in places])


def _joined(some: list[str]) -> str:
    """Different names in one line, the most in all."""
    names = list(dict.fromkeys(some))
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _name(label: Label, kinds: set[str]) -> str:
    """Readable name: "gate expert 1 x0", "expert 1 x0", with several outputs "expert 1 y0 x0"."""
    part, expert, kind, name = label
    term = spoken(kind, name, kinds)
    if part == "gate":
        return f"gate {expert} {term}"
    output = part.removeprefix("expert").removeprefix(": ")
    return " ".join(word for word in (expert, output, term) if word)
