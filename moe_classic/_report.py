"""The picture that ``python -m moe_classic`` saves: data, experts and gate of one fitted model.

With one feature everything is drawn against it; with several, what can be read without it:
agreement with the data, calibration, and what each expert makes of each feature.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ._typing import Floats, Ints
from .inspection._style import (
    DATA_COLOR,
    MIXTURE_COLOR,
    expert_color,
    legend_above,
    line_look,
    point_look,
    tidy,
)

_COVERAGE = 0.9
#: Points of a curve; rows, features and classes shown before a picture becomes a blot.
_GRID = 400
_MOST_POINTS = 3000
_MOST_FEATURES = 12
_MOST_CLASSES = 7
_BINS = 10
_PALE = "#E3E3E3"
_CLASS_LINES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))


def draw(
    model: Any,
    X: pd.DataFrame,
    y: np.ndarray,
    *,
    target: str,
    labels: dict[str, str],
    title: str,
) -> Any:
    """Draw a fitted model over its data.

    Parameters
    ----------
    model : fitted MoERegressor or MoEClassifier
        Of one output.
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
    from matplotlib.figure import Figure

    names = {c: labels.get(c, c) for c in [*X.columns, target]}
    shown = np.sort(np.random.default_rng(0).permutation(len(y))[:_MOST_POINTS])
    expert = model.responsibilities(X, y).argmax(axis=1)[shown]
    rows = X.iloc[shown], y[shown], expert
    if X.shape[1] > 1:
        figure = Figure(figsize=(14.0, 5.0), layout="constrained")
        _several_features(figure, model, X, y, rows, names[target])
    else:
        panels = 1 if model.n_experts == 1 else 2
        figure = Figure(figsize=(7.5, 2.6 + 1.9 * panels), layout="constrained")
        axes = figure.subplots(panels, 1, sharex=True, height_ratios=[3, 1][:panels], squeeze=False)
        along = _classes_along if hasattr(model, "classes_") else _values_along
        along(axes[0, 0], model, *rows, names[target])
        if panels == 2:
            _gate_along(axes[1, 0], model, X)
        axes[-1, 0].set_xlabel(names[X.columns[0]])
    figure.suptitle(title, fontweight="bold")
    return figure


def _name(model: Any, k: int) -> str:
    """Expert k in a legend, with its share of the rows."""
    return f"{model.experts_[k].label} ({model.experts_[k].weight_:.0%})"


# ------------------------------------------------------------------------- along one feature


def _grid(X: pd.DataFrame) -> pd.DataFrame:
    """Evenly spaced values of the one feature, a little beyond the data."""
    x = X.iloc[:, 0]
    margin = 0.03 * (x.max() - x.min())
    return pd.DataFrame({X.columns[0]: np.linspace(x.min() - margin, x.max() + margin, _GRID)})


def _weighted_line(ax: Any, x: Floats, y: Floats, weight: Floats, k: int) -> None:
    """A line that is as thick as the gate trusts the expert."""
    from matplotlib.collections import LineCollection

    points = np.column_stack([x, y])
    segments = np.stack([points[:-1], points[1:]], axis=1)
    widths = 0.7 + 2.6 * 0.5 * (weight[:-1] + weight[1:])
    ax.add_collection(
        LineCollection(list(segments), linewidths=widths, colors=expert_color(k), capstyle="round"),
        autolim=False,
    )


def _values_along(
    ax: Any, model: Any, X: pd.DataFrame, y: Floats, expert: Ints, target: str
) -> None:
    """Data, expert lines, mean and prediction band."""
    grid = _grid(X)
    x, gate = grid.iloc[:, 0].to_numpy(), model.gate_proba(grid)
    band = model.predict_interval(grid, _COVERAGE)
    for k, line in enumerate(model.expert_predictions(grid).T):
        _weighted_line(ax, x, line, gate[:, k], k)
        mine = expert == k
        look = point_look(k) | {"edgecolors": "white", "linewidths": 0.4, "zorder": 3}
        ax.scatter(X.iloc[mine, 0], y[mine], s=24, alpha=0.75, label=_name(model, k), **look)
    if model.n_experts > 1:
        ax.plot(x, model.predict(grid), color=MIXTURE_COLOR, linestyle="--", lw=1.4, label="mean")
    band_label = f"{_COVERAGE:.0%} prediction band"
    ax.fill_between(x, *band.T, color=_PALE, linewidth=0, zorder=0, label=band_label)
    # Lines of experts far from their region must not squeeze the data.
    low, high = min(y.min(), np.percentile(band, 1)), max(y.max(), np.percentile(band, 99))
    ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    ax.set_ylabel(target)
    tidy(ax)
    legend_above(ax)


def _classes_along(
    ax: Any, model: Any, X: pd.DataFrame, y: np.ndarray, expert: Ints, target: str
) -> None:
    """Class probabilities of mixture and experts; the rows themselves above, by class."""
    grid = _grid(X)
    x, gate, C = grid.iloc[:, 0].to_numpy(), model.gate_proba(grid), len(model.classes_)
    own, blend = model.expert_predictions(grid), model.predict_proba(grid)
    for c in [1] if C == 2 else range(C):
        for k in range(model.n_experts):
            _weighted_line(ax, x, own[:, k, c], gate[:, k], k)
        style = _CLASS_LINES[c % len(_CLASS_LINES)] if C > 2 else "--"
        label = f"P({target} = {model.classes_[c]})"
        ax.plot(x, blend[:, c], color=MIXTURE_COLOR, linestyle=style, linewidth=1.6, label=label)
    jitter = np.random.default_rng(0).uniform(-0.02, 0.02, len(y))
    levels = 1.1 + 0.09 * np.arange(C)
    for k in range(model.n_experts):
        mine = expert == k
        height = levels[np.searchsorted(model.classes_, y[mine])] + jitter[mine]
        look = point_look(k) | {"label": _name(model, k), "linewidths": 0}
        ax.scatter(X.iloc[mine, 0], height, s=14, alpha=0.7, **look)
    ax.set_ylim(-0.03, 1.1 + 0.09 * C)
    ax.set_yticks([*np.linspace(0, 1, 6), *levels])
    ax.set_yticklabels([*(f"{v:.1f}" for v in np.linspace(0, 1, 6)), *map(str, model.classes_)])
    ax.set_ylabel(f"probability; rows by {target}")
    tidy(ax)
    legend_above(ax)


def _gate_along(ax: Any, model: Any, X: pd.DataFrame) -> None:
    """Gate probabilities."""
    grid = _grid(X)
    for k, g in enumerate(model.gate_proba(grid).T):
        ax.plot(grid.iloc[:, 0], g, **line_look(k), linewidth=2)
    ax.set_ylim(-0.04, 1.04)
    ax.set_yticks([0, 0.5, 1])
    ax.set_ylabel("gate probability")
    tidy(ax, grid="y")


# ------------------------------------------------------------------------- several features


def _several_features(
    figure: Any,
    model: Any,
    X: pd.DataFrame,
    y: np.ndarray,
    rows: tuple[pd.DataFrame, np.ndarray, Ints],
    target: str,
) -> None:
    """Three panels under one legend."""
    axes = figure.subplots(1, 3)
    if hasattr(model, "classes_"):
        _rows_on_a_plane(axes[0], model, *rows)
        _reliability(axes[1], model, X, y)
    else:
        _predicted(axes[0], model, *rows, target)
        _transform(axes[1], model, X, y, target)
    _effects(axes[2], model, X, target)
    handles = axes[0].get_legend_handles_labels()[0]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(len(handles), 8), frameon=False
    )


def _predicted(ax: Any, model: Any, X: pd.DataFrame, y: Floats, expert: Ints, target: str) -> None:
    """Observed against predicted, coloured by the expert that explains the row."""
    mean = model.predict(X)
    span = [min(mean.min(), y.min()), max(mean.max(), y.max())]
    ax.plot(span, span, color=DATA_COLOR, linewidth=1)
    for k in range(model.n_experts):
        mine = expert == k
        look = point_look(k) | {"edgecolors": "white", "linewidths": 0.3}
        ax.scatter(mean[mine], y[mine], s=22, alpha=0.7, label=_name(model, k), **look)
    ax.set_xlabel(f"predicted mean of {target}")
    ax.set_ylabel(f"observed {target}")
    ax.set_title("Agreement", fontsize="medium")
    tidy(ax)


def _transform(ax: Any, model: Any, X: pd.DataFrame, y: Floats, target: str) -> None:
    """Histogram of the probability integral transform: flat where the noise model is right."""
    u = model.predict_cdf(X, y)
    ax.hist(u, bins=2 * _BINS, range=(0, 1), density=True, color="#BDBDBD", edgecolor="white")
    spread = 2.0 * np.sqrt((2 * _BINS - 1) / len(u))
    for height, style in ((1 - spread, ":"), (1.0, "-"), (1 + spread, ":")):
        ax.axhline(height, color=MIXTURE_COLOR, linestyle=style, linewidth=1)
    ax.set_xlabel(f"P(Y < {target} | x)")
    ax.set_ylabel("density (dotted: two standard errors)")
    ax.set_title("Calibration: flat where the noise is right", fontsize="medium")
    tidy(ax)


def _rows_on_a_plane(ax: Any, model: Any, X: pd.DataFrame, y: np.ndarray, expert: Ints) -> None:
    """Rows on two features or principal axes: colour by expert, marker by class."""
    names, Z = list(X.columns), X.to_numpy(dtype=np.float64)
    if Z.shape[1] > 2:
        spread = Z.std(axis=0)
        Z = (Z - Z.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
        Z = Z @ np.linalg.svd(Z, full_matrices=False)[2][:2].T
        names = ["first principal component", "second principal component"]
    for k in range(model.n_experts):
        ax.scatter([], [], color=expert_color(k), marker="s", label=_name(model, k))
    few = len(model.classes_) <= _MOST_CLASSES
    for c, value in enumerate(model.classes_):
        mine = y == value
        marker = point_look(c)["marker"]
        colours = [expert_color(k) for k in expert[mine]]
        ax.scatter(*Z[mine].T, s=24, alpha=0.75, color=colours, marker=marker, linewidths=0)
        if few:
            ax.scatter([], [], color=DATA_COLOR, marker=marker, label=str(value))
    wrong = model.predict(X) != y
    look = {"facecolors": "none", "edgecolors": MIXTURE_COLOR, "linewidths": 0.9}
    ax.scatter(*Z[wrong].T, s=70, label=f"misclassified ({wrong.mean():.1%})", **look)
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    ax.set_title("Rows: colour by expert, marker by class", fontsize="medium")
    tidy(ax)


def _reliability(ax: Any, model: Any, X: pd.DataFrame, y: np.ndarray) -> None:
    """How often the predicted class is right, against how sure the model was."""
    proba = model.predict_proba(X)
    sure, right = proba.max(axis=1), model.classes_[proba.argmax(axis=1)] == y
    groups = np.array_split(np.argsort(sure, kind="stable"), min(_BINS, len(y)))
    at = np.array([sure[g].mean() for g in groups])
    rate = np.array([right[g].mean() for g in groups])
    error = 2.0 * np.sqrt(at * (1.0 - at) / [len(g) for g in groups])
    low = max(0.0, min(at.min(), rate.min()) - 0.05)
    ax.plot([low, 1], [low, 1], color=DATA_COLOR, linewidth=1)
    bars = [np.minimum(error, rate - low), np.minimum(error, 1.0 - rate)]
    ax.errorbar(at, rate, yerr=bars, fmt="o", color=MIXTURE_COLOR, elinewidth=1)
    ax.set_xlabel("probability of the predicted class")
    ax.set_ylabel("share predicted right (bars: two standard errors)")
    ax.set_title("Calibration: on the line", fontsize="medium")
    tidy(ax)


def _effects(ax: Any, model: Any, X: pd.DataFrame, target: str) -> None:
    """What one standard deviation of each feature changes in each expert."""
    spread = X.to_numpy(dtype=np.float64).std(axis=0)
    signed = np.stack([_slope(e.coef_) * spread for e in model.experts_])
    order = np.argsort(-np.abs(signed).max(axis=0), kind="stable")[:_MOST_FEATURES]
    place = np.arange(len(order))[::-1]
    ax.axvline(0, color=DATA_COLOR, linewidth=1)
    ends = signed[:, order].min(axis=0), signed[:, order].max(axis=0)
    ax.hlines(place, *ends, color=_PALE, linewidth=2)
    for k, values in enumerate(signed):
        ax.scatter(values[order], place, **point_look(k), s=42, zorder=3)
    ax.set_yticks(place, [str(X.columns[j]) for j in order])
    ax.set_xlabel(_effect_label(model, target))
    ax.set_title("Effect of one standard deviation of a feature", fontsize="medium")
    tidy(ax)


def _slope(coef: Floats) -> Floats:
    """One number a feature: the slope, or its size over several classes."""
    if coef.ndim == 1:
        return coef
    full = np.vstack([coef, np.zeros(coef.shape[1])])
    return np.sqrt(np.square(full - full.mean(axis=0)).sum(axis=0))


def _effect_label(model: Any, target: str) -> str:
    """What the effects are measured in."""
    if not hasattr(model, "classes_"):
        return f"change of {target}"
    if len(model.classes_) == 2:
        return f"change of the log odds of {target} = {model.classes_[0]}"
    return "size of the change of all logits"
