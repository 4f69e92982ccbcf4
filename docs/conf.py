"""Sphinx configuration: ``sphinx-build -W docs docs/_build``.

Notebooks are shown with their committed outputs, nothing is executed here and nothing is fetched.
"""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import moe_classic

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent / "notebooks"

project = "moe_classic"
author = "The moe_classic developers"
copyright = author  # noqa: A001 - Sphinx's name for it
release = moe_classic.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

# ------------------------------------------------------------------------- the look

html_theme = "pydata_sphinx_theme"
html_title = "moe_classic"
html_theme_options = {
    "show_prev_next": False,
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_end": ["theme-switcher"],
}
pages = ["architecture", "displays", "install", "mathematics", "user_guide", "zoo"]
html_sidebars = {page: [] for page in pages}
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["gallery.css"]

# ------------------------------------------------------------------------- docstrings

autosummary_generate = True
autodoc_typehints = "none"
# Attributes and methods are listed by the templates, and those of scikit-learn's bases left out.
numpydoc_show_class_members = False
numpydoc_xref_param_type = False


def from_elsewhere(
    app: Any,
    what: str,
    name: str,
    obj: Any,
    skip: bool,
    options: Any,
) -> bool | None:
    """Leave out what a class inherits from other packages; they document it."""
    module = getattr(obj, "__module__", None) or getattr(
        getattr(obj, "fget", None), "__module__", ""
    )
    if what == "class" and callable(obj) and not module.startswith("moe_classic"):
        return True
    return None


# ------------------------------------------------------------------------- notebooks

nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

#: Which picture of a notebook stands for it, from 0.
THUMBNAILS = {
    "01_quickstart": 1,
    "02_vowels": 2,
    "03_robot_arm": 1,
    "04_outliers": 1,
    "06_grid_search": 1,
}


def first_heading(notebook: dict[str, Any]) -> str:
    """Title of a notebook."""
    text = "".join(notebook["cells"][0]["source"])
    return text.splitlines()[0].removeprefix("# ")


def pictures(notebook: dict[str, Any]) -> list[str]:
    """Pictures among the outputs, in base64."""
    outputs = [o for c in notebook["cells"] if c["cell_type"] == "code" for o in c["outputs"]]
    found = [o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    return ["".join(p) for p in found]


def collect_notebooks() -> None:
    """Copy the notebooks into the source folder, with a gallery page that shows them."""
    target = HERE / "notebooks"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    cards, names = [], []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = json.loads(path.read_text("utf-8"))
        seen = pictures(notebook)
        shutil.copy(path, target)
        names.append(path.stem)
        card = f":::{{grid-item-card}} {first_heading(notebook)}\n:link: {path.stem}\n:link-type: doc\n"
        if seen:
            picture = base64.b64decode(seen[THUMBNAILS.get(path.stem, 0)])
            (target / f"{path.stem}.png").write_bytes(picture)
            card += f":img-bottom: {path.stem}.png\n"
        cards.append(f"{card}:::")
    page = [
        "# Notebooks",
        "Each asks a question and answers it, with data that ship with the package or with "
        "scikit-learn. Sources are in the folder `notebooks` of the repository.",
        "::::{grid} 1 2 2 2\n:gutter: 3\n\n" + "\n".join(cards) + "\n::::",
        "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```",
    ]
    (target / "index.md").write_text("\n\n".join(page) + "\n", "utf-8")


collect_notebooks()


def setup(app: Any) -> None:
    """Connect the hooks."""
    app.connect("autodoc-skip-member", from_elsewhere)
