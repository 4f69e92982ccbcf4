"""Build the notebooks from their sources: ``python notebooks/_build.py [name ...]``.

The one place to edit is ``notebooks/sources/*.py``, in the percent format that editors and jupytext
read. This script runs each in a fresh kernel and writes ``notebooks/*.ipynb`` with its outputs, but
without anything that depends on the machine or on the clock.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "sources"

#: What the kernel is told before the first cell; not part of the notebook.
SETUP = """\
%matplotlib inline
%config InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "dpi": 90}
"""
_MARKER = re.compile(r"^# %%(.*)$", flags=re.MULTILINE)


def read_cells(text: str) -> list[tuple[str, str]]:
    """Cells of a percent-format source as pairs of ``"markdown"`` or ``"code"`` and text."""
    pieces = _MARKER.split(text)
    cells = []
    for header, body in zip(pieces[1::2], pieces[2::2], strict=True):
        kind = "markdown" if "[markdown]" in header else "code"
        lines = body.strip().splitlines()
        if kind == "markdown":
            lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
        cells.append((kind, "\n".join(lines)))
    return cells


def make_notebook(cells: list[tuple[str, str]]) -> nbformat.NotebookNode:
    """A notebook without outputs."""
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    found = [make[kind](text, id=f"cell-{i:02d}") for i, (kind, text) in enumerate(cells, 1)]
    return nbformat.v4.new_notebook(cells=found, metadata=clean_metadata())


def clean_metadata() -> dict[str, dict[str, str]]:
    """Metadata that are the same on every machine."""
    return {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def run(notebook: nbformat.NotebookNode) -> None:
    """Execute in a fresh kernel and keep clean outputs."""
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SETUP))
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    del notebook.cells[0]
    notebook.metadata = nbformat.from_dict(clean_metadata())
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.execution_count -= 1
            cell.outputs = [clean_output(output) for output in cell.outputs]


def clean_output(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """An output with small pictures, no clock, and no address in memory."""
    if output.output_type == "stream" and output.name == "stderr":
        raise RuntimeError(f"A cell wrote to stderr:\n{output.text}")
    if output.output_type == "execute_result":
        output.execution_count -= 1
    if re.search(r" at 0x[0-9a-f]+>", str(output.get("data", ""))):
        raise RuntimeError(f"An output shows an address in memory:\n{output.data}")
    if "image/png" in output.get("data", {}):
        output.data["image/png"] = smaller(output.data["image/png"])
    return output


def smaller(png: str) -> str:
    """A picture of at most 256 colours, without metadata, in base64."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").quantize(256)
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode("ascii")


def main() -> None:
    """Build the notebooks named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = sorted(path.stem for path in SOURCES.glob("*.py"))
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(known)}")
    names = parser.parse_args().names or known
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"no source of the name {', '.join(unknown)} in {SOURCES}")
    # One thread: sums in another order would change last digits from machine to machine.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for name in names:
        notebook = make_notebook(read_cells((SOURCES / f"{name}.py").read_text("utf-8")))
        run(notebook)
        nbformat.validate(notebook)
        nbformat.write(notebook, HERE / f"{name}.ipynb")
        sys.stdout.write(f"{name}.ipynb\n")


if __name__ == "__main__":
    main()
