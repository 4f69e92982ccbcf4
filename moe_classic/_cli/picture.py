"""The picture that ``python -m moe_classic`` saves: data, experts and gate of one fitted model.

With one feature everything is drawn along it; with several, what can be read without it: agreement
with the data, calibration, regions of the gate, and what each expert makes of each feature.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from moe_classic._typing import Floats
from moe_classic.inspection import (
    DATA_COLOR,
    MIXTURE_COLOR,
    CalibrationDisplay,
    CoefficientDisplay,
    ExpertsDisplay,
    GateDisplay,
    PartitionDisplay,
    legend_above,
    point_look,
    tidy,
)

_COVERAGE = 0.9
#: Rows, terms and classes shown before a picture becomes a blot.
_MOST_ROWS = 3000
_MOST_TERMS = 12
_MOST_CLASSES = 4
_BINS = 10


def draw(
    model: Any,
    X: pd.DataFrame,
    y: np.ndarray,
    *,
    target: str,
    labels: dict[str, str],
    title: str,
) -> Any:
    """Draw a fitted model and some of its data.

    Parameters
    ----------
    model : fitted MoERegressor or MoEClassifier
        Of one output, with linear experts.
    X : DataFrame of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    target : str
        Name of y.
    labels : dict of str to str
        What to call columns on the axes, where not by their name.
    title : str

    Returns
    -------
    figure : matplotlib Figure
        Not yet saved.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Names are text: one with dollars is no formula.
    with rc_context({"text.parse_math": False}):
        return _drawn(Figure(layout="constrained"), model, X, y, target, labels, title)


def _drawn(
    figure: Any,
    model: Any,
    X: pd.DataFrame,
    y: np.ndarray,
    target: str,
    labels: dict[str, str],
    title: str,
) -> Any:
    """The picture on an empty figure."""
    rows = np.sort(np.random.default_rng(0).permutation(len(y))[:_MOST_ROWS])
    X, values = X.iloc[rows], pd.Series(y[rows], name=labels.get(target, target))
    if X.shape[1] == 1:
        _along(figure, model, X, values, labels.get(X.columns[0], X.columns[0]))
    else:
        _several(figure, model, X, values)
    figure.suptitle(title, fontweight="bold")
    return figure


# ------------------------------------------------------------------------- one feature


def _along(figure: Any, model: Any, X: pd.DataFrame, y: pd.Series, feature: str) -> None:
    """Experts over the gate along the one feature; several classes have a panel each."""
    shown: list[Any] = [None]
    if hasattr(model, "classes_") and len(model.classes_) > 2:
        shown = list(model.classes_[:_MOST_CLASSES])
    heights = [3.0 if len(shown) == 1 else 2.0] * len(shown) + [1.3] * (model.n_experts > 1)
    figure.set_size_inches(7.5, 1.5 * sum(heights))
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    for ax, c in zip(axes, shown, strict=False):
        ExpertsDisplay.from_estimator(
            model, X, y.to_numpy(), target=c, coverage=_COVERAGE, n_points=400, ax=ax
        )
        ax.set_xlabel("")
        if not hasattr(model, "classes_"):
            ax.set_ylabel(str(y.name))
            note = f"bands: {_COVERAGE:.0%} of the experts' own noise"
            ax.text(0.99, 0.02, note, transform=ax.transAxes, ha="right", fontsize="small")
    if model.n_experts > 1:
        GateDisplay.from_estimator(model, X, n_points=400, ax=axes[-1])
    # One legend is enough.
    for ax in axes[1:]:
        ax.get_legend().remove()
    axes[-1].set_xlabel(feature)
    x = X.iloc[:, 0]
    if x.nunique() > 2:
        # Two values are points, with room around them already.
        margin = 0.02 * (x.max() - x.min())
        axes[-1].set_xlim(x.min() - margin, x.max() + margin)


# ------------------------------------------------------------------------- several features


def _several(figure: Any, model: Any, X: pd.DataFrame, y: pd.Series) -> None:
    """Agreement or reliability, calibration, regions of the gate, effects of the features."""
    panels = [_reliability] if hasattr(model, "classes_") else [_agreement, _calibration]
    panels += [_effects] if model.n_experts == 1 else [_regions, _effects]
    columns = 2 if len(panels) == 4 else len(panels)
    figure.set_size_inches(5.4 * columns, 4.6 * (len(panels) // columns))
    axes = figure.subplots(len(panels) // columns, columns, squeeze=False)
    for panel, ax in zip(panels, axes.ravel(), strict=True):
        panel(ax, model, X, y)


def _agreement(ax: Any, model: Any, X: pd.DataFrame, y: pd.Series) -> None:
    """Observed against predicted, by the expert that is most responsible for the row."""
    mean, expert = model.predict(X), model.responsibilities(X, y).argmax(axis=1)
    span = [min(mean.min(), y.min()), max(mean.max(), y.max())]
    ax.plot(span, span, color=DATA_COLOR, linewidth=1)
    for k, fitted in enumerate(model.experts_):
        mine = expert == k
        look = point_look(k) | {"edgecolors": "white", "linewidths": 0.3, "label": fitted.label}
        ax.scatter(mean[mine], y[mine], s=22, alpha=0.7, **look)
    ax.set(xlabel=f"predicted mean of {y.name}", ylabel=f"observed {y.name}")
    tidy(ax)
    legend_above(ax)


def _calibration(ax: Any, model: Any, X: pd.DataFrame, y: pd.Series) -> None:
    """Probability integral transform of the rows."""
    CalibrationDisplay.from_estimator(model, X, y.to_numpy(), ax=ax)


def _regions(ax: Any, model: Any, X: pd.DataFrame, y: pd.Series) -> None:
    """Regions of the gate in the plane of the two features that matter most to it."""
    pair = np.argsort(-_influence(model, X), kind="stable")[:2]
    features = tuple(X.columns[np.sort(pair)])
    PartitionDisplay.from_estimator(model, X, y.to_numpy(), features=features, ax=ax)


def _influence(model: Any, X: pd.DataFrame) -> Floats:
    """How much a standard deviation of each feature around its median moves the gate, (p,)."""
    middle, spread = X.median(), X.std(ddof=0)
    moves = []
    for column in X.columns:
        ends = pd.DataFrame([middle, middle], index=[0, 1]).astype(np.float64)
        ends[column] += [-spread[column], spread[column]]
        moves.append(np.abs(np.diff(model.gate_proba(ends), axis=0)).sum())
    return np.array(moves)


def _effects(ax: Any, model: Any, X: pd.DataFrame, y: pd.Series) -> None:
    """What one standard deviation of each feature changes in each expert; the largest."""
    numbers = model.summary().drop(columns="note", errors="ignore")
    parts = numbers.rename_axis(columns="expert")
    table = parts[parts.index.get_level_values("part").str.startswith("expert")]
    table = table[table.index.get_level_values("kind") == "slope"]
    # With several classes a term is a feature of one class.
    part, term = (table.index.get_level_values(name) for name in ("part", "term"))
    output = part.str.partition(": ").get_level_values(2)
    names = term if len(set(output)) == 1 else output + ": " + term
    effect = table.mul(X.std(ddof=0).loc[term].to_numpy(), axis=0)
    effect.index = pd.Index(names, name="term")
    order = np.argsort(-effect.abs().max(axis=1).to_numpy(), kind="stable")[:_MOST_TERMS]
    long = effect.iloc[order].stack().rename("estimate").reset_index()
    what = f"log odds of {y.name} = {model.classes_[0]}" if hasattr(model, "classes_") else y.name
    if hasattr(model, "classes_") and len(model.classes_) > 2:
        what = f"log odds against {y.name} = {model.classes_[-1]}"
    label = f"change of {what} per standard deviation"
    CoefficientDisplay(table=long, xlabel=label).plot(ax)


def _reliability(ax: Any, model: Any, X: pd.DataFrame, y: pd.Series) -> None:
    """How often the predicted class is right, against how sure the model was."""
    proba = model.predict_proba(X)
    sure, right = proba.max(axis=1), model.classes_[proba.argmax(axis=1)] == y.to_numpy()
    groups = np.array_split(np.argsort(sure, kind="stable"), min(_BINS, len(y)))
    at = np.array([sure[g].mean() for g in groups])
    rate = np.array([right[g].mean() for g in groups])
    error = 2.0 * np.sqrt(at * (1.0 - at) / [len(g) for g in groups])
    low = max(0.0, min(at.min(), rate.min()) - 0.05)
    ax.plot([low, 1], [low, 1], color=DATA_COLOR, linewidth=1)
    bars = [np.minimum(error, rate - low), np.minimum(error, 1.0 - rate)]
    ax.errorbar(at, rate, yerr=bars, fmt="o", color=MIXTURE_COLOR, elinewidth=1)
    ax.set_xlabel(f"probability of the predicted {y.name}")
    ax.set_ylabel("share predicted right (bars: two standard errors)")
    tidy(ax)
