"""Sphinx configuration: ``sphinx-build -W docs docs/_build``.

Notebooks are shown with their committed outputs, nothing is executed here and nothing is fetched:
mathematics is drawn by a copy of MathJax beside the pages. With ``MOE_CLASSIC_DOCS_ONLINE=1`` links
lead to the documentation of scikit-learn and others as well, whose lists of names are then fetched.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils.nodes import Node, container
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

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
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx-mathjax-offline",
]
#: A prompt is no part of what is copied.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
if os.environ.get("MOE_CLASSIC_DOCS_ONLINE"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "matplotlib": ("https://matplotlib.org/stable", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "python": ("https://docs.python.org/3", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }
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


class Registry(SphinxDirective):
    """A registry as a table: the name to write, the class, and what it is.

    ``.. registry:: moe_classic.experts EXPERTS``
    """

    required_arguments = 2

    def run(self) -> list[Node]:
        """Rows of the table."""
        module, name = self.arguments
        room = import_module(module)
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: auto", ""]
        lines += ["   * - name", "     - what it is"]
        for key, kind in getattr(room, name).items():
            first = " ".join((kind.__doc__ or "").strip().split("\n\n")[0].split())
            title = getattr(kind, "__name__", "")
            made = f":obj:`~{module}.{title}`: " if hasattr(room, title) else ""
            lines += [f"   * - ``{key!r}``", f"     - {made}{getattr(kind, 'says', first)}"]
        box = container()
        self.state.nested_parse(StringList(lines, "registry"), self.content_offset, box)
        return box.children


def setup(app: Any) -> None:
    """Connect the hooks."""
    app.add_directive("registry", Registry)
    # It only copies MathJax, and does not say that this is safe when pages are read side by side.
    app.extensions["sphinx-mathjax-offline"].parallel_read_safe = True
    app.connect("autodoc-skip-member", from_elsewhere)
