"""The tables of an inference as one page: header, a block an expert, the gate, notes."""

from __future__ import annotations

from string import ascii_lowercase

import numpy as np
import pandas as pd

from moe_classic._components import spoken
from moe_classic._results import PrintedTable, Section, number, probability

from ._case import FittedModel


def printed(
    case: FittedModel,
    table: pd.DataFrame,
    *,
    kind: str,
    level: float,
    said: tuple[str, ...],
    name: str,
) -> PrintedTable:
    """The page about the parameters of ``case``.

    Parameters
    ----------
    case : FittedModel
    table : DataFrame
        With the columns and index of ``Inference.table``.
    kind, level : how the covariance was found, and coverage of the intervals
    said : what was warned about
    name : of the estimator's class
    """
    marks, count = _marks(table["note"]), case.model.n_experts
    cells = _cells(table, level, marks)
    labels = table.index.to_frame(index=False)
    kinds = set(labels["kind"])
    cells.index = pd.Index(
        [spoken(k, t, kinds) for k, t in zip(labels["kind"], labels["term"], strict=True)]
    )
    sections = []
    for (part, expert), rows in labels.groupby(["part", "expert"], sort=False).groups.items():
        sections.append(Section(_heading(case, part, expert), cells.iloc[rows]))
    notes = [f"[{mark}] {text}." for text, mark in marks.items()]
    notes += _reference(case, labels)
    notes += [text for text in said if not any(noted in text for noted in marks)]
    return PrintedTable(
        f"{name}, {count} expert{'s'[: count > 1]}, {case.model.gate.name} gate",
        _header(case, kind, table),
        tuple(sections),
        tuple(notes),
    )


def _header(case: FittedModel, kind: str, table: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """Rows, likelihood and criteria."""
    weighed = case.weighed
    rows = weighed.weight
    n = rows if case.group_weight is None else case.group_weight
    count, likelihood = case.fitted.n_parameters, case.log_likelihood()
    inside = "" if case.group_weight is None else f" in {n:g} groups"
    return (
        ("rows" if not weighed.others else "weight of rows", f"{rows:g}{inside}"),
        ("log-likelihood", f"{likelihood:.2f}"),
        ("parameters", f"{count}"),
        ("BIC", f"{count * np.log(n) - 2.0 * likelihood:.2f}"),
        ("covariance", kind.replace("_", " ")),
        ("AIC", f"{2.0 * count - 2.0 * likelihood:.2f}"),
    )


def _cells(table: pd.DataFrame, level: float, marks: dict[str, str]) -> pd.DataFrame:
    """Numbers as they are printed."""
    tail = 0.5 * (1.0 - level)
    cells = {
        "estimate": [number(v) for v in table["estimate"]],
        "std error": [number(v) for v in table["std_error"]],
        "z": ["" if np.isnan(v) else f"{v:.2f}" for v in table["z"]],
        "p": [probability(v) for v in table["p_value"]],
        f"{tail:.4g}": [number(v) for v in table["low"]],
        f"{1.0 - tail:.4g}": [number(v) for v in table["high"]],
    }
    if marks:
        cells[""] = [_marked(note, marks) for note in table["note"]]
    return pd.DataFrame(cells)


def _marks(notes: pd.Series) -> dict[str, str]:
    """A letter for every note that stands in the table."""
    texts = dict.fromkeys(text for note in notes for text in note.split("; ") if text)
    letters = [*ascii_lowercase, *(a + b for a in ascii_lowercase for b in ascii_lowercase)]
    return dict(zip(texts, letters, strict=False))


def _marked(note: str, marks: dict[str, str]) -> str:
    """The letters of the notes of one term."""
    return "".join(f"[{marks[text]}]" for text in note.split("; ") if text)


def _heading(case: FittedModel, part: str, expert: str) -> str:
    """Heading of a block."""
    if part == "gate":
        return f"gate, {expert}" if expert else "gate"
    output = part.partition(": ")[2]
    who = expert or "all experts"
    return f"{who}, {output}" if output else who


def _reference(case: FittedModel, labels: pd.DataFrame) -> list[str]:
    """Against what coefficients are to be read."""
    found = []
    mine = labels[labels["part"] == "gate"]
    told = set(mine["expert"])
    if "slope" in set(mine["kind"]) and case.labels[-1] not in told:
        found.append(f"Gate: log odds against {case.labels[-1]}.")
    classes = case.fitted.target.reference
    if classes is not None:
        found.append(f"Experts: log odds against {classes}.")
    return found
