"""One look for all displays: a colour, a line style, a marker and a hatch for each expert.

Line styles, markers and hatches repeat with other periods than colours, so that pictures are read
in grey too and no two of the first forty experts look the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moe_classic._results import EXPERT_COLORS, expert_color

__all__ = [
    "EXPERT_COLORS",
    "axes_for",
    "expert_color",
    "hatch",
    "legend_above",
    "line_look",
    "mixed_colors",
    "point_look",
    "tidy",
]

#: What belongs to the mixture as a whole.
MIXTURE_COLOR = "#1A1A1A"
DATA_COLOR = "#8C8C8C"

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


def legend_above(ax: Any, *, handles: Sequence[Any] | None = None) -> None:
    """A legend over the axes, where it cannot hide data, in as many columns as fit; row by row."""
    chosen = ax.get_legend_handles_labels()[0] if handles is None else list(handles)
    if not chosen:
        return
    # In units of the font size: handle, padding and gap take 4.6, a letter about 0.55, and there is
    # no gap after the last. A constrained layout will make the axes wider than they are now.
    room = 1.12 * ax.figure.get_size_inches()[0] * ax.get_position().width * 72.0 / 10.0
    widths = [4.6 + 0.55 * len(h.get_label()) for h in chosen]
    columns = len(chosen) if sum(widths) - 1.4 <= room else max(1, int(room / max(widths)))
    ax.legend(
        # Matplotlib fills columns first, the long ones on the left.
        handles=[h for c in range(columns) for h in chosen[c::columns]],
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        frameon=False,
        borderaxespad=0.3,
        handlelength=2.4,
        columnspacing=1.4,
    )


def tidy(ax: Any, *, grid: str | None = None) -> None:
    """Axes without the lines that carry no data; ``grid`` is ``"x"``, ``"y"``, ``"both"``."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    if grid is not None:
        ax.grid(visible=True, axis=grid, color="#D9D9D9", linewidth=0.7)


def mixed_colors(weights: Any) -> Any:
    """Colours of the experts mixed with the rows of ``weights`` (..., K), (..., 3) in [0, 1]."""
    from matplotlib.colors import to_rgb

    palette = [to_rgb(expert_color(k)) for k in range(weights.shape[-1])]
    return (weights @ palette).clip(0.0, 1.0)
