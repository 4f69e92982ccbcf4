"""Draw the pictures of the page of displays: ``python docs/_displays.py``.

The code on the page is run from top to bottom; a picture that follows a piece of code shows the figure
that it made.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

# One thread: sums in another order would change last digits from machine to machine.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import matplotlib as mpl
import matplotlib.pyplot as plt
from PIL import Image

HERE = Path(__file__).resolve().parent
#: A piece of code, and the picture below it if there is one.
PIECE = re.compile(
    r"^```python\n(.*?)^```(?:\n\n!\[[^\]]+\]\(([^)]+)\))?", re.MULTILINE | re.DOTALL
)


def draw(text: str, folder: Path) -> None:
    """Run the code of a page and write its pictures below ``folder``."""
    mpl.use("Agg")
    names: dict[str, object] = {}
    for code, picture in PIECE.findall(text):
        exec(code, names)
        if picture:
            path = folder / picture
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(as_png(plt.gcf()))
        plt.close("all")


def as_png(figure: mpl.figure.Figure) -> bytes:
    """A figure as a picture of at most 256 colours, without metadata."""
    drawn, out = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=80, bbox_inches="tight")
    Image.open(drawn).convert("RGB").quantize(256).save(out, format="PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    draw((HERE / "displays.md").read_text("utf-8"), HERE)
