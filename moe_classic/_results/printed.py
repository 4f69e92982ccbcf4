"""Results as pages of text: a header, blocks of numbers, notes; on terminals, in HTML, in LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

#: Columns of a terminal.
WIDTH = 80
#: Room for names of rows that is worth wide gaps; longer ones stand on a line of their own.
_NAME = 18
_CELL = "padding:.1em .7em;text-align:{side};border:0;background:none;white-space:nowrap;"
_RULE = "border-top:1px solid rgba(128,128,128,.6);"
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "&%$#_{}"},
}


def number(value: Any) -> str:
    """Four digits; nothing where there is no number."""
    if isinstance(value, str):
        return value
    return "" if value is None or np.isnan(value) else f"{value:.4g}"


def probability(value: float) -> str:
    """A p-value with three decimals."""
    if np.isnan(value):
        return ""
    return "<.001" if value < 0.0005 else f"{value:.3f}"


@dataclass(frozen=True)
class Section:
    """Some rows of a printed table, under a heading.

    Attributes
    ----------
    title : str
    frame : DataFrame of str
        Names of the rows are its index.
    """

    title: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class PrintedTable:
    """A result as it is read: printed within 80 columns, shown as HTML in a notebook.

    Attributes
    ----------
    title : str
    header : tuple of (name, value)
        What holds for all of it.
    sections : tuple of Section
        Blocks with the same columns.
    notes : tuple of str

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.inference import inference
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> page = inference(moe, X, y).summary()
    >>> print(str(page).splitlines()[0])
    MoERegressor, 2 experts, softmax gate
    """

    title: str
    header: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Names of the columns of all blocks."""
        return list(self.sections[0].frame.columns) if self.sections else []

    # -------------------------------------------------------------------- text

    def __str__(self) -> str:
        """The page as text."""
        widths = self._widths()
        total = max(WIDTH - 2, _room(widths) + sum(widths))
        lines = [self.title, "=" * total, *self._header_lines(total), "-" * total]
        for section in self.sections:
            lines.append(_line(section.title, section.frame.columns, widths))
            lines += [_line(f"  {n}", row, widths) for n, row in _rows(section)]
            lines.append("-" * total)
        return "\n".join(
            [*lines, *(fill(note, total, subsequent_indent="    ") for note in self.notes)]
        )

    def __repr__(self) -> str:
        """The page as text."""
        return str(self)

    def _widths(self) -> list[int]:
        """Widths of the columns of numbers, two spaces before each, or one where room is short."""
        cells = [[c, *(v for s in self.sections for v in s.frame[c])] for c in self.columns]
        widths = [max(len(str(v)) for v in column) for column in cells]
        gap = 2 if sum(widths) + 2 * len(widths) + _NAME <= WIDTH - 2 else 1
        return [gap + width for width in widths]

    def _header_lines(self, total: int) -> list[str]:
        """The header in two columns."""
        half = total // 2 - 1
        cells = [f"{name:<{max(half - len(value) - 1, 0)}} {value}" for name, value in self.header]
        pairs = zip(cells[::2], [*cells[1::2], ""], strict=False)
        return [f"{left}  {right}".rstrip() for left, right in pairs]

    # -------------------------------------------------------------------- HTML

    def to_html(self) -> str:
        """The page as one HTML table; colours are those of the page around it."""
        count = len(self.columns) + 1
        rows = [_html_row([f"{n}: {v}" for n, v in pair], count) for pair in self._pairs()]
        for section in self.sections:
            rows.append(_html_row([section.title, *self.columns], count, head=True))
            rows += [_html_row([n, *row], count) for n, row in _rows(section)]
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        return (
            '<div style="overflow-x:auto;font-size:.9em;">'
            f"<div><b>{escape(self.title)}</b></div>"
            f'<table style="border-collapse:collapse;margin:.3em 0;">{"".join(rows)}</table>'
            f"{notes}</div>"
        )

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return self.to_html()

    def _pairs(self) -> list[tuple[tuple[str, str], ...]]:
        """The header, two entries a line."""
        return [self.header[i : i + 2] for i in range(0, len(self.header), 2)]

    # -------------------------------------------------------------------- LaTeX, great_tables

    def to_latex(self) -> str:
        """The page as a LaTeX table, with the rules of the package booktabs."""
        align = "l" + "r" * len(self.columns)
        lines = [rf"\begin{{tabular}}{{{align}}}", r"\toprule"]
        for k, section in enumerate(self.sections):
            lines += [r"\midrule"] if k else []
            lines.append(_latex_row([section.title, *self.columns]))
            lines.append(r"\midrule")
            lines += [_latex_row([n, *row]) for n, row in _rows(section)]
        header = "; ".join(f"{name}: {value}" for name, value in self.header)
        foot = [_latex(text) + r"\\" for text in (header, *self.notes) if text]
        lines += [r"\bottomrule", r"\end{tabular}", "", r"\medskip", _latex(self.title) + r"\\"]
        return "\n".join([*lines, *foot])

    def to_great_tables(self) -> Any:
        """The page as a table of the package great_tables, to be styled further.

        Raises
        ------
        ImportError
            Where great_tables is not installed.
        """
        try:
            from great_tables import GT
        except ImportError as error:
            raise ImportError(
                "to_great_tables needs the package great_tables: pip install great_tables; "
                "to_html and to_latex need nothing."
            ) from error
        frames = [s.frame.assign(section=s.title, name=s.frame.index) for s in self.sections]
        table = GT(pd.concat(frames), rowname_col="name", groupname_col="section")
        table = table.tab_header(title=self.title)
        for text in ("; ".join(f"{n}: {v}" for n, v in self.header), *self.notes):
            table = table.tab_source_note(text)
        return table


def _rows(section: Section) -> Sequence[tuple[str, list[str]]]:
    """Names and cells of the rows of a section."""
    cells = section.frame.to_numpy().tolist()
    return list(zip(map(str, section.frame.index), cells, strict=True))


def _room(widths: list[int]) -> int:
    """Room for names beside columns of these widths."""
    return max(_NAME - 4, WIDTH - 2 - sum(widths))


def _line(name: str, cells: Any, widths: list[int]) -> str:
    """A line of text; a long name has a line of its own, and is never cut."""
    numbers = "".join(f"{v!s:>{w}}" for v, w in zip(cells, widths, strict=True)).rstrip()
    room = _room(widths)
    if len(name) <= room:
        return f"{name:<{room}}{numbers}".rstrip()
    return f"{name}\n{'':<{room}}{numbers}".rstrip()


def _html_row(cells: list[str], count: int, *, head: bool = False) -> str:
    """A row of an HTML table."""
    span = count - len(cells) + 1
    # The rule comes last: a cell without borders of the theme's would be without it otherwise.
    tag, rule = ("th", _RULE) if head else ("td", "")
    out = []
    for i, text in enumerate(cells):
        style = _CELL.format(side="right" if i and len(cells) == count else "left") + rule
        wide = f' colspan="{span}"' if span > 1 and i == len(cells) - 1 else ""
        out.append(f'<{tag} style="{style}"{wide}>{escape(text)}</{tag}>')
    return f'<tr style="background:none;">{"".join(out)}</tr>'


def _latex_row(cells: list[str]) -> str:
    """A row of a LaTeX table."""
    return " & ".join(map(_latex, cells)) + r" \\"


def _latex(text: str) -> str:
    """Text in which nothing is a command."""
    return "".join(_SPECIAL.get(c, c) for c in text)
