"""Draw the storeys of the package from its imports: ``python docs/_architecture.py``.

Storeys are those that the tests hold (tests/contracts/test_structure.py); rooms and arrows are read from
the sources. An arrow goes from a room to one that it imports from; those that a path of other arrows
already says are left out.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

HERE = Path(__file__).resolve().parent
TREE = HERE.parent
PICTURE = Path("images/architecture.png")

#: What a storey is for, lowest first.
WORDS = [
    "types, arguments, warnings",
    "arrays; estimators inside",
    "rows in blocks; routing",
    "who adds; what components share",
    "experts and gates",
    "gate times experts",
    "what is climbed, answered, told",
    "who climbs; scores",
    "a fit; inference on it",
    "what users call",
    "choosing; export; the command line",
    "the package",
]
#: Rooms in which the theory lives, and those of the surface that users see.
THEORY = {"_data", "experts", "gates", "_model", "_objectives", "solvers", "_training"}
#: Between rooms beside each other, and between storeys.
GAP, HEIGHT = 3.1, 1.45
#: Room that the words of a storey need.
WORDS_WIDTH = 5.6
INK, BLUE, PALE, EDGE = "#26323d", "#d7e6f4", "#f4f4f2", "#9aa5b1"


def house():
    """The module that reads rooms and imports from sources."""
    spec = importlib.util.spec_from_file_location("house", TREE / "benchmarks" / "house.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plan():
    """Storey of every room, and arrows between rooms that no other path says."""
    reader, root = house(), TREE / "moe_classic"
    pairs = {(reader.room(a, root), reader.room(b, root)) for a, b in reader.imports(root)}
    levels = reader.storeys(TREE)
    # Everything may use the lowest storey; the package's own face is no room to come from.
    arrows = {(a, b) for a, b in pairs if a != b and b != "__init__" and levels[b] > 0}
    below = {a: {b for x, b in arrows if x == a} for a in levels}

    def reaches(start, goal):
        return goal in below[start] or any(reaches(b, goal) for b in below[start])

    needed = {(a, b) for a, b in arrows if not any(reaches(c, b) for c in below[a] - {b})}
    return levels, needed


def placed(levels, arrows):
    """Centre of every room: storeys upwards, rooms beside each other near what they import."""
    places = {}
    for level in range(max(levels.values()) + 1):
        names = sorted(name for name, at in levels.items() if at == level)

        def wish(name):
            under = [places[b][0] for a, b in arrows if a == name and b in places]
            return (sum(under) / len(under) if under else 0.0, name)

        names.sort(key=wish)
        for i, name in enumerate(names):
            places[name] = ((i - (len(names) - 1) / 2) * GAP, HEIGHT * level)
    return places


def draw(path):
    """Write the picture; the rooms and the arrows in it."""
    mpl.use("Agg")
    levels, arrows = plan()
    places = placed(levels, arrows)
    right = max(x for x, _ in places.values()) + 1.3
    left = min(x for x, _ in places.values()) - 1.6 - WORDS_WIDTH
    figure, axes = plt.subplots(figsize=(0.6 * (right - left), 11.5))
    for level, words in enumerate(WORDS):
        y = HEIGHT * level
        if level % 2:
            axes.axhspan(y - 0.72, y + 0.72, color="#fafafa", zorder=0)
        axes.text(left + 0.5, y, f"{level + 1}", ha="right", va="center", color=EDGE, size=13)
        axes.text(left + 0.8, y, words, ha="left", va="center", color=INK, size=9.5, style="italic")
    for a, b in sorted(arrows):
        (x, y), (u, v) = places[a], places[b]
        side = 1.25 if u > x else -1.25
        level = y == v
        start, end = ((x + side, y), (u - side, v)) if level else ((x, y - 0.36), (u, v + 0.36))
        axes.add_patch(
            FancyArrowPatch(
                start, end, arrowstyle="-|>", mutation_scale=9, lw=0.9, color=EDGE, zorder=1,
                shrinkA=0, shrinkB=0,
            )
        )  # fmt: skip
    for name, (x, y) in places.items():
        colour = BLUE if name in THEORY else PALE
        axes.add_patch(
            FancyBboxPatch(
                (x - 1.2, y - 0.34), 2.4, 0.68, boxstyle="round,pad=0.02,rounding_size=0.12",
                facecolor=colour, edgecolor=INK, lw=0.9, zorder=2,
            )
        )  # fmt: skip
        axes.text(x, y, name, ha="center", va="center", color=INK, size=9.5, zorder=3)
    axes.set(xlim=(left, right), ylim=(-0.8, HEIGHT * (len(WORDS) - 1) + 0.8))
    axes.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return levels, arrows


if __name__ == "__main__":
    draw(HERE / PICTURE)
