"""One look for all displays: a colour, a line style, a marker and a hatch for each expert.

Line styles, markers and hatches repeat with other periods than colours, so that pictures are read
in grey too and no two of the first forty experts look the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np

from moe_classic._results import EXPERT_COLORS, expert_color

__all__ = [
    "EXPERT_COLORS",
    "axes_for",
    "expert_color",
    "hatch",
    "ink",
    "is_dark",
    "legend_above",
    "line_look",
    "mixed_colors",
    "paper",
    "point_look",
    "rule",
    "tidy",
    "wrapped",
]

#: What belongs to the mixture as a whole, on a light ground; `ink` asks which ground it is.
MIXTURE_COLOR = "#1A1A1A"
_MIXTURE_ON_DARK = "#EDEDED"
#: Read on light and dark grounds.
DATA_COLOR = "#8C8C8C"
_GRID, _GRID_ON_DARK = "#D9D9D9", "#3D3D3D"

#: Font sizes in an inch, and the width of a letter in font sizes.
_FONTS_AN_INCH, _LETTER = 7.2, 0.55
#: What a constrained layout adds to the axes, about.
_LAID_OUT = 1.12

#: How bright red, green and blue look (ITU-R BT.601).
_LUMA = (0.299, 0.587, 0.114)

_LINES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (1, 1.3)), (0, (6, 2, 1, 2)), (0, (3, 1.2)))
_MARKERS = ("o", "^", "s", "D", "v", "P", "X")
_HATCHES = ("", "///", "...", "\\\\\\", "xxx")


def line_look(k: int) -> dict[str, Any]:
    """Colour and line style of expert ``k``, as keywords for a line."""
    return {"color": expert_color(k), "linestyle": _LINES[k % len(_LINES)]}


def point_look(k: int) -> dict[str, Any]:
    """Colour and marker of expert ``k``, as keywords for points."""
    return {"color": expert_color(k), "marker": _MARKERS[k % len(_MARKERS)]}


def hatch(k: int) -> str:
    """Hatch of the areas of expert ``k``."""
    return _HATCHES[k % len(_HATCHES)]


def axes_for(ax: Any, *, size: tuple[float, float] = (6.4, 4.2)) -> Any:
    """``ax``, or the axes of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def is_dark(ax: Any) -> bool:
    """Whether what is drawn on ``ax`` stands on a dark ground, as under a dark style."""
    return float(np.dot(paper(ax), _LUMA)) < 0.5


def paper(ax: Any) -> tuple[float, float, float]:
    """Colour of the ground: of the axes where they have one, else of the figure, else white."""
    from matplotlib.colors import to_rgba

    grounds = map(to_rgba, (ax.get_facecolor(), ax.figure.get_facecolor()))
    return next((g[:3] for g in grounds if g[3] > 0.0), (1.0, 1.0, 1.0))


def ink(ax: Any) -> str:
    """Colour of what belongs to the mixture as a whole, told from the ground."""
    return _MIXTURE_ON_DARK if is_dark(ax) else MIXTURE_COLOR


def rule(ax: Any) -> str:
    """Colour of lines that only guide the eye."""
    return _GRID_ON_DARK if is_dark(ax) else _GRID


def _letters(inches: float) -> float:
    """Letters that stand side by side along axes of so many inches, wider once laid out."""
    return _LAID_OUT * inches * _FONTS_AN_INCH / (0.9 * _LETTER)


def legend_above(ax: Any, *, handles: Sequence[Any] | None = None) -> None:
    """A legend over the axes, where it cannot hide data, in as many columns as fit; row by row."""
    chosen = ax.get_legend_handles_labels()[0] if handles is None else list(handles)
    if not chosen:
        return
    # In units of the font size: handle, padding and gap take 4.6, and there is no gap after the
    # last.
    width = ax.figure.get_size_inches()[0] * ax.get_position().width
    room = _LAID_OUT * width * _FONTS_AN_INCH
    names = [wrapped(str(h.get_label()), int(_letters(width)) - 8) for h in chosen]
    widths = [4.6 + _LETTER * max(map(len, n.split("\n"))) for n in names]
    columns = len(chosen) if sum(widths) - 1.4 <= room else max(1, int(room / max(widths)))
    ax.legend(
        # Matplotlib fills columns first, the long ones on the left.
        handles=[h for c in range(columns) for h in chosen[c::columns]],
        labels=[n for c in range(columns) for n in names[c::columns]],
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        frameon=False,
        borderaxespad=0.3,
        handlelength=2.4,
        columnspacing=1.4,
    )


def wrapped(text: str, letters: int) -> str:
    """A text in lines of so many letters at most; one that fits stays as it is."""
    return text if len(text) <= letters else fill(text, max(letters, 8))


def tidy(ax: Any, *, grid: str | None = None) -> None:
    """Axes without the lines that carry no data; ``grid`` is ``"x"``, ``"y"``, ``"both"``.

    Labels of the axes that are longer than the picture are broken into lines.
    """
    width, height = ax.figure.get_size_inches() * ax.get_position().size
    for axis, inches in ((ax.xaxis, width), (ax.yaxis, height)):
        axis.label.set_text(wrapped(axis.label.get_text(), int(_letters(inches))))
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    if grid is not None:
        ax.grid(visible=True, axis=grid, color=rule(ax), linewidth=0.7)


def mixed_colors(weights: Any) -> Any:
    """Colours of the experts mixed with the rows of ``weights`` (..., K), (..., 3) in [0, 1]."""
    from matplotlib.colors import to_rgb

    palette = [to_rgb(expert_color(k)) for k in range(weights.shape[-1])]
    return (weights @ palette).clip(0.0, 1.0)
