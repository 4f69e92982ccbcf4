"""The HTML view of a fitted mixture of experts: scikit-learn's diagram, and a card an expert.

All style is inline and takes its text colour from the page, so that the cards need no style sheet
and are readable on light and on dark pages.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

from moe_classic._components import INTERCEPT, spoken

from .palette import expert_color
from .records import summary_table
from .remarks import sentences
from .unwrap import fitted_experts, fitted_record

#: Lines of a table that are shown; the rest is counted.
_MOST_TERMS = 12
_MOST_CARDS = 24
#: Smallest share of the data that is told.
_LEAST_SHARE = 1e-4
#: With more experts than this their tables are folded away.
_OPEN_CARDS = 8

_CARD = (
    "border:1px solid rgba(128,128,128,.45);border-top:5px solid {color};border-radius:4px;"
    "padding:.45em .8em .6em;min-width:11em;max-width:32em;box-sizing:border-box;"
)
_CELL = "padding:.05em .6em .05em 0;text-align:{side};border:0;background:none;white-space:nowrap;"


def html_repr(estimator: Any, headline: Callable[[], str] = str) -> str:
    """HTML of an estimator: scikit-learn's diagram, with the expert cards below once it is fitted.

    Parameters
    ----------
    estimator : mixture of experts
    headline : callable
        Gives one line about the fit, once there is one.

    Returns
    -------
    html : str
    """
    diagram = estimator_html_repr(estimator)
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return diagram
    return diagram + expert_cards(estimator, headline())


def expert_cards(estimator: Any, headline: str = "") -> str:
    """The cards of the experts and of the gate.

    Parameters
    ----------
    estimator : fitted mixture of experts
    headline : str
        One line about the fit.

    Returns
    -------
    html : str
        A ``div`` without scripts.
    """
    record, views = fitted_record(estimator), fitted_experts(estimator)
    table = summary_table(views, estimator.gate_, record.target.names)
    folded = len(views) > _OPEN_CARDS
    remarks = sentences(getattr(record, "remarks", {}))
    cards = [
        _expert_card(k, view, table[view.label], folded=folded)
        for k, view in enumerate(views[:_MOST_CARDS])
    ]
    if len(views) > _MOST_CARDS:
        cards.append(f"<div>and {len(views) - _MOST_CARDS} more experts</div>")
    return (
        '<div class="moe-cards" style="font-size:.9em;margin-top:.6em;">'
        f"<div>{escape(headline)}</div>{_told(remarks)}"
        '<div style="display:flex;flex-wrap:wrap;gap:.6em;margin:.5em 0;">'
        f"{''.join(cards)}</div>{_gate_card(estimator.gate_, table)}</div>"
    )


def _told(remarks: list[str]) -> str:
    """What must be known of the parameters, a line each."""
    return "".join(f"<div>&#9888; {escape(text)}</div>" for text in remarks)


def _expert_card(k: int, view: Any, column: pd.Series, *, folded: bool) -> str:
    """Name, family, share and parameters of one expert."""
    mine = column[column.index.get_level_values("part").str.startswith("expert")].dropna()
    several = mine.index.get_level_values("part").nunique() > 1
    kinds = set(mine.index.get_level_values("kind"))
    rows: list[tuple[str, ...]] = []
    for (part, of_kind, name), value in mine.items():
        output, term = part.partition(": ")[2], spoken(of_kind, name, kinds)
        rows.append((f"{output}: {term}" if several else term, f"{value:.4g}"))
    kind, body = view.name, _rows(rows)
    if hasattr(view, "estimator_"):
        kind = ", ".join(view.steps)
        if INTERCEPT not in kinds:
            body = f"no linear equation{body}"
    if folded and rows:
        body = f"<details><summary>{len(rows)} terms</summary>{body}</details>"
    return (
        f'<div style="{_CARD.format(color=expert_color(k))}">'
        f"<b>{escape(view.label)}</b> &middot; {escape(kind)}<br>"
        f"{_share_bar(view.weight_, expert_color(k))}{body}</div>"
    )


def _share_bar(share: float, color: str) -> str:
    """The share of the training weight, in words and as a bar."""
    least = f"less than {100.0 * _LEAST_SHARE:g}"
    text = f"{100.0 * share:.3g}" if share >= _LEAST_SHARE else least
    return (
        f"{text} % of the data"
        '<div style="height:4px;background:rgba(128,128,128,.25);margin:.25em 0 .4em;">'
        f'<div style="height:4px;width:{100.0 * share:.1f}%;background:{color};"></div></div>'
    )


def _gate_card(gate: Any, table: pd.DataFrame) -> str:
    """Parameters of the gate, folded away."""
    rows = table[table.index.get_level_values("part") == "gate"]
    features = ", ".join(gate.feature_names_[:6]) + (" ..." if len(gate.feature_names_) > 6 else "")
    units = getattr(gate, "hidden_units", 0)
    name = type(gate.estimator_).__name__ if hasattr(gate, "estimator_") else gate.name
    title = f"{name} gate" + (f" on {features}" if features else "")
    title += f", with a layer of {units} tanh units" if units else ""
    if rows.empty:
        return f"<div>{escape(title)}</div>"
    head = ["", *rows.columns[:_MOST_CARDS]]
    kinds = set(rows.index.get_level_values("kind"))
    body = [
        (spoken(k, term, kinds), *("" if pd.isna(v) else f"{v:.4g}" for v in row[:_MOST_CARDS]))
        for (_, k, term), row in zip(rows.index, rows.to_numpy(), strict=True)
    ]
    return f"<details><summary>{escape(title)}</summary>{_rows([tuple(head), *body])}</details>"


def _rows(rows: list[tuple[str, ...]]) -> str:
    """A table without borders, names on the left, numbers on the right."""
    lines = []
    if not rows:
        return ""
    # One line more takes no more room than saying that it is left out.
    most = _MOST_TERMS + 2 if len(rows) == _MOST_TERMS + 2 else _MOST_TERMS + 1
    for row in rows[:most]:
        sides = ["left", *["right"] * (len(row) - 1)]
        cells = [
            f'<td style="{_CELL.format(side=side)}">{escape(str(value))}</td>'
            for side, value in zip(sides, row, strict=True)
        ]
        lines.append(f'<tr style="background:none;">{"".join(cells)}</tr>')
    left = len(rows) - most
    more = f"<div>and {left} more terms</div>" if left > 0 else ""
    table = "".join(lines)
    return (
        '<div style="overflow-x:auto;">'
        f'<table style="border-collapse:collapse;margin:0;font-size:inherit;">{table}</table></div>'
        f"{more}"
    )
