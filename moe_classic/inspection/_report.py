"""One page about a fit: tables, pictures, and in plain words what must be known."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._results import (
    expert_cards,
    fitted_mixture,
    fitted_moe,
    number,
    probability,
    unwrapped,
)
from moe_classic.inference import inference, influence

from ._calibration import CalibrationDisplay
from ._coefficient import CoefficientDisplay
from ._experts import ExpertsDisplay
from ._gate import GateDisplay
from ._membership import assignments
from ._profile import as_frame
from ._residual import ResidualDisplay
from ._responsibility import ResponsibilityDisplay

#: Features along which experts and gate are drawn, the most telling first.
_FEATURES = 2
#: Rows named because they move the fit most.
_ROWS = 5
_STYLE = (
    "body{font-family:system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;"
    "line-height:1.45;color-scheme:light dark;}img{max-width:100%;background:#fff;}"
    "table{border-collapse:collapse}h2{margin-top:1.6em}td,th{padding:.1em .7em}"
)


@dataclass(frozen=True)
class Report:
    """A page about a fit.

    Attributes
    ----------
    html : str
        One document without scripts; pictures are inside.
    warnings : tuple of str
        What was warned about on the way, as it stands on the page.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.inspection import report
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> page = report(moe, X, y)
    >>> page.save("fit.html").name
    'fit.html'
    """

    html: str
    warnings: tuple[str, ...]

    def save(self, path: Any) -> Path:
        """Write the page.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        path : Path
        """
        target = Path(path)
        target.write_text(self.html, "utf-8")
        return target

    def _repr_html_(self) -> str:
        """What notebooks show: the body of the page."""
        return self.html[self.html.index("<body>") + 6 : self.html.index("</body>")]

    def __repr__(self) -> str:
        """How long it is."""
        return f"Report({len(self.html):,} characters; save('report.html') writes it)"


def report(
    estimator: Any, X: Any, y: Any, *, title: str = "Mixture of experts", groups: Any = None
) -> Report:
    """Tables and pictures of a fit on one page.

    Parameters
    ----------
    estimator : fitted MoERegressor, MoEClassifier or hierarchical estimator
        Or a pipeline that ends in one, or a search over them.
    X, y : array-like
        The rows on which it was fitted.
    title : str, default="Mixture of experts"
        Heading of the page.
    groups : array-like of shape (n_samples,), default=None
        Labels of the subjects of a mixture that was fitted to some.

    Returns
    -------
    report : Report
        With ``html`` and ``save(path)``; a notebook shows it.

    Raises
    ------
    TypeError
        If the estimator has no likelihood.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.inspection import report
    >>> X, y = load_tone(return_X_y=True)
    >>> page = report(MoERegressor(2, random_state=0).fit(X, y), X, y)
    >>> page.html.count("<img")
    7
    """
    fitted_moe(estimator, needs="gate_proba", caller="report")
    moe, rows, y = unwrapped(estimator, X, y, needs="gate_proba", caller="report")
    fitted_mixture(moe)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parts = list(_parts(moe, rows, y, groups))
    said = tuple(dict.fromkeys(str(w.message) for w in caught))
    told = "".join(f"<li>{escape(text)}</li>" for text in said)
    note = f"<h2>To be known</h2><ul>{told}</ul>" if said else ""
    body = f"<h1>{escape(title)}</h1>{parts[0]}{note}{''.join(parts[1:])}"
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return Report(f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>", said)


# ------------------------------------------------------------------------- parts


def _parts(moe: Any, X: Any, y: Any, groups: Any) -> Iterator[str]:
    """Pieces of the body, the head of the page first."""
    yield expert_cards(moe)
    parametric = None
    try:
        parametric = inference(moe, X, y, kind=_kind(moe), groups=groups)
    except (TypeError, ValueError) as error:
        yield f"<h2>Parameters</h2><p>No standard errors: {escape(str(error))}</p>"
    if parametric is not None:
        yield f"<h2>Parameters</h2>{parametric.summary().to_html()}"
        yield _terms(parametric.wald_test_terms())
    yield from _pictures(moe, X, y, parametric, groups)
    yield _between(assignments(moe, X, y, groups=groups))
    if parametric is not None:
        yield _rows(influence(moe, X, y, groups=groups).largest(_ROWS))


def _kind(moe: Any) -> str:
    """How errors can be found: by curvature where there is one."""
    smooth = all(g.expert.smooth for g in fitted_mixture(moe).model.groups)
    return "observed" if smooth else "sandwich"


def _terms(tests: pd.DataFrame) -> str:
    """Tests of every feature."""
    if tests.empty:
        return ""
    cells = pd.DataFrame(
        {
            "chi-squared": [number(v) for v in tests["statistic"]],
            "df": tests["df"].astype(str),
            "p": [probability(p) for p in tests["p_value"]],
        },
        index=tests.index,
    )
    return f"<h2>What each feature does</h2>{cells.to_html(border=0)}"


def _rows(largest: pd.DataFrame) -> str:
    """Rows that move the fit most."""
    table, what = largest.to_html(border=0, float_format="{:.3g}".format), largest.index.name
    return (
        f"<h2>{what.capitalize()}s that move the fit most</h2><p>Without the {what} all "
        "parameters move by the distance, in units of their covariance; the parameter that moves "
        f"most, by the shift, in standard errors.</p>{table}"
    )


def _between(rows: pd.DataFrame) -> str:
    """Rows that two experts claim."""
    doubtful = rows[rows["uncertainty"] > 0.0].nlargest(_ROWS, "entropy")
    if doubtful.empty:
        return ""
    table = doubtful.to_html(border=0, float_format="{:.3g}".format)
    return (
        "<h2>Rows between experts</h2><p>The uncertainty is the probability that a row is of "
        f"another expert than the first.</p>{table}"
    )


def _pictures(moe: Any, X: Any, y: Any, parametric: Any, groups: Any) -> Iterator[str]:
    """Pictures with their headings."""
    features = _telling(moe, X, parametric)
    for feature in features:
        options = {"feature": feature, "average": np.shape(X)[1] > 1}
        for target in _targets(moe):
            title = f"Experts along {feature}" + ("" if target is None else f": class {target}")
            yield _picture(title, ExpertsDisplay, moe, X, y, target=target, **options)
        yield _picture(f"Gate along {feature}", GateDisplay, moe, X, **options)
    if parametric is not None:
        yield _picture("Coefficients", CoefficientDisplay.from_inference, parametric, X)
    yield _picture("Which expert", ResponsibilityDisplay, moe, X, y, groups=groups)
    if hasattr(moe, "residuals") and fitted_mixture(moe).target.flat:
        yield _picture("Residuals", ResidualDisplay, moe, X, y)
        yield _picture("Residuals as a worm", ResidualDisplay, moe, X, y, kind="worm")
        yield _picture("Calibration", CalibrationDisplay, moe, X, y)


def _targets(moe: Any) -> list[Any]:
    """What experts are drawn for: the only output, or classes but the last, if they are few."""
    if hasattr(moe, "classes_"):
        return list(moe.classes_[:-1])[:_FEATURES]
    return [None] if fitted_mixture(moe).target.flat else []


def _telling(moe: Any, X: Any, parametric: Any) -> list[Any]:
    """Features with the smallest p-values, or the first."""
    frame = as_frame(X)
    numeric = [str(c) for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])]
    if parametric is None:
        return numeric[:_FEATURES]
    tests = parametric.wald_test_terms()["statistic"].groupby("term").sum()
    return sorted(numeric, key=lambda name: -float(tests.get(name, 0.0)))[:_FEATURES]


def _picture(title: str, display: Any, *arguments: Any, **options: Any) -> str:
    """A display inside the page."""
    import matplotlib.pyplot as plt

    draw: Callable[..., Any] = getattr(display, "from_estimator", display)
    figure = draw(*arguments, **options).figure_
    out = io.BytesIO()
    # Letters are chosen for the ground of the style; the page itself is white.
    ground = figure.get_facecolor() if figure.get_facecolor()[3] > 0.0 else "white"
    figure.savefig(out, format="png", dpi=110, facecolor=ground, bbox_inches="tight")
    plt.close(figure)
    data = base64.b64encode(out.getvalue()).decode("ascii")
    name = escape(title)
    return f'<h2>{name}</h2><img alt="{name}" src="data:image/png;base64,{data}">'
