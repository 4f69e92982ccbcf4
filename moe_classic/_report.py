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
#: Points of a curve; rows and features shown before a picture becomes a blot.
_GRID = 400
_MOST_POINTS = 3000
_MOST_FEATURES = 12
_BINS = 10
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

    classes = hasattr(model, "classes_")
    names = {c: labels.get(c, c) for c in [*X.columns, target]}
    expert = model.responsibilities(X, y).argmax(axis=1)
    rng = np.random.default_rng(0)
    shown = np.sort(rng.permutation(len(y))[:_MOST_POINTS])
    data = (X.iloc[shown], y[shown], expert[shown])
    if X.shape[1] == 1:
        rows = 1 if model.n_experts == 1 else 2
        figure = Figure(figsize=(7.5, 4.4 + 1.8 * (rows - 1)), layout="constrained")
        axes = figure.subplots(rows, 1, sharex=True, height_ratios=[3, 1][:rows], squeeze=False)
        (_classes_along if classes else _values_along)(axes[0, 0], model, *data, names[target])
        if rows == 2:
            _gate_along(axes[1, 0], model, X)
        axes[-1, 0].set_xlabel(names[X.columns[0]])
    else:
        figure = Figure(figsize=(14.0, 4.8), layout="constrained")
        axes = figure.subplots(1, 3)
        if classes:
            _rows_on_a_plane(axes[0], model, *data)
            _reliability(axes[1], model, X, y)
        else:
            _predicted(axes[0], model, *data, names[target])
            _transform(axes[1], model, X, y, names[target])
        _effects(axes[2], model, X, names[target])
    figure.suptitle(title, fontweight="bold")
    return figure


# ------------------------------------------------------------------------- along one feature


def _grid(X: pd.DataFrame) -> pd.DataFrame:
    """Evenly spaced values of the one feature, a little beyond the data."""
    x = X.iloc[:, 0]
    margin = 0.03 * (x.max() - x.min())
    return pd.DataFrame({X.columns[0]: np.linspace(x.min() - margin, x.max() + margin, _GRID)})


def _values_along(
    ax: Any, model: Any, X: pd.DataFrame, y: Floats, expert: Ints, target: str
) -> None:
    """Data, expert lines, mean and prediction band."""
    grid = _grid(X)
    x = grid.iloc[:, 0]
    band = model.predict_interval(grid, _COVERAGE)
    ax.fill_between(
        x, *band.T, color="#E3E3E3", linewidth=0, label=f"{_COVERAGE:.0%} prediction band"
    )
    for k, line in enumerate(model.expert_predictions(grid).T):
        leads = np.where(model.predict_expert(grid) == k, line, np.nan)
        ax.plot(x, line, color=expert_color(k), linewidth=0.8, alpha=0.6)
        ax.plot(x, leads, **line_look(k) | {"linestyle": "-"}, linewidth=2.8, label=_name(model, k))
        mine = expert == k
        ax.scatter(
            X.iloc[mine, 0],
            y[mine],
            **point_look(k),
            s=22,
            alpha=0.75,
            edgecolors="white",
            linewidths=0.4,
            zorder=3,
        )
    if model.n_experts > 1:
        ax.plot(x, model.predict(grid), color=MIXTURE_COLOR, linestyle="--", lw=1.4, label="mean")
    # Lines of experts far from their region must not squeeze the data.
    low, high = min(y.min(), np.percentile(band, 1)), max(y.max(), np.percentile(band, 99))
    ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    ax.set_ylabel(target)
    tidy(ax)
    legend_above(ax, columns=4)


def _classes_along(
    ax: Any, model: Any, X: pd.DataFrame, y: np.ndarray, expert: Ints, target: str
) -> None:
    """Class probabilities of mixture and experts, rows above the axes by class."""
    grid = _grid(X)
    x, C = grid.iloc[:, 0], len(model.classes_)
    drawn = [1] if C == 2 else range(C)
    own, blend = model.expert_predictions(grid), model.predict_proba(grid)
    for c in drawn:
        style = _CLASS_LINES[c % len(_CLASS_LINES)] if C > 2 else "-"
        for k in range(model.n_experts):
            ax.plot(x, own[:, k, c], color=expert_color(k), linestyle=style, lw=1.2, alpha=0.8)
        label = f"P({target} = {model.classes_[c]})"
        ax.plot(x, blend[:, c], color=MIXTURE_COLOR, linestyle=style, linewidth=2.4, label=label)
    jitter = np.random.default_rng(0).uniform(-0.02, 0.02, len(y))
    for c, value in enumerate(model.classes_):
        level = 1.08 + 0.08 * c
        for k in range(model.n_experts):
            mine = (expert == k) & (y == value)
            ax.scatter(
                X.iloc[mine, 0], level + jitter[mine], **point_look(k), s=12, alpha=0.7, lw=0
            )
        ax.annotate(
            f" {value}", (1.0, level), xycoords=("axes fraction", "data"), va="center", fontsize=9
        )
    for k in range(model.n_experts):
        ax.plot([], [], color=expert_color(k), linewidth=2, label=_name(model, k))
    ax.set_ylim(-0.03, 1.08 + 0.08 * C)
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_ylabel("probability")
    tidy(ax)
    legend_above(ax, columns=3)


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


def _predicted(ax: Any, model: Any, X: pd.DataFrame, y: Floats, expert: Ints, target: str) -> None:
    """Observed against predicted, coloured by the expert that explains the row."""
    mean = model.predict(X)
    span = [min(mean.min(), y.min()), max(mean.max(), y.max())]
    ax.plot(span, span, color=DATA_COLOR, linewidth=1)
    _by_expert(ax, model, mean, y, expert)
    ax.set_xlabel(f"predicted mean of {target}")
    ax.set_ylabel(f"observed {target}")
    tidy(ax)
    legend_above(ax)


def _transform(ax: Any, model: Any, X: pd.DataFrame, y: Floats, target: str) -> None:
    """Histogram of the probability integral transform: flat where the noise model is right."""
    u = model.predict_cdf(X, y)
    ax.hist(u, bins=2 * _BINS, range=(0, 1), density=True, color="#BBBBBB", edgecolor="white")
    spread = 2.0 * np.sqrt((2 * _BINS - 1) / len(u))
    ax.axhspan(1 - spread, 1 + spread, color=expert_color(0), alpha=0.15, linewidth=0)
    ax.axhline(1, color=expert_color(0), linewidth=1)
    ax.set_xlabel(f"P(Y <= {target} | x), flat if the noise is right")
    ax.set_ylabel("density (band: two standard errors)")
    tidy(ax)


def _rows_on_a_plane(ax: Any, model: Any, X: pd.DataFrame, y: np.ndarray, expert: Ints) -> None:
    """Rows on two features or principal axes: colour by expert, letter or sign by class."""
    names, Z = list(X.columns), X.to_numpy(dtype=np.float64)
    if Z.shape[1] > 2:
        spread = Z.std(axis=0)
        Z = (Z - Z.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
        Z = Z @ np.linalg.svd(Z, full_matrices=False)[2][:2].T
        names = ["first principal component", "second principal component"]
    _by_expert(ax, model, Z[:, 0], Z[:, 1], expert)
    wrong = model.predict(X) != y
    ax.scatter(
        *Z[wrong].T,
        s=60,
        facecolors="none",
        edgecolors=MIXTURE_COLOR,
        lw=0.8,
        label=f"misclassified ({wrong.mean():.1%})",
    )
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    tidy(ax)
    legend_above(ax, columns=3)


def _reliability(ax: Any, model: Any, X: pd.DataFrame, y: np.ndarray) -> None:
    """How often the predicted class is right, against how sure the model was."""
    proba = model.predict_proba(X)
    sure, right = proba.max(axis=1), model.classes_[proba.argmax(axis=1)] == y
    groups = np.array_split(np.argsort(sure, kind="stable"), min(_BINS, len(y)))
    at = np.array([sure[g].mean() for g in groups])
    rate = np.array([right[g].mean() for g in groups])
    error = np.array([np.sqrt(s * (1 - s) / len(g)) for s, g in zip(at, groups, strict=True)])
    low = min(at.min(), rate.min()) - 0.02
    ax.plot([low, 1], [low, 1], color=DATA_COLOR, linewidth=1)
    ax.errorbar(at, rate, yerr=2 * error, fmt="o", color=MIXTURE_COLOR, capsize=2, elinewidth=1)
    ax.set_xlabel("probability of the predicted class (groups of equal size)")
    ax.set_ylabel("share of rows predicted right")
    tidy(ax)


def _effects(ax: Any, model: Any, X: pd.DataFrame, target: str) -> None:
    """What one standard deviation of each feature changes in each expert."""
    spread = X.to_numpy(dtype=np.float64).std(axis=0)
    signed = np.stack([_slope(e.coef_) * spread for e in model.experts_])
    order = np.argsort(-np.abs(signed).max(axis=0), kind="stable")[:_MOST_FEATURES]
    place = np.arange(len(order))[::-1]
    ax.axvline(0, color=DATA_COLOR, linewidth=1)
    ax.hlines(place, signed[:, order].min(axis=0), signed[:, order].max(axis=0), color="#D9D9D9")
    for k, values in enumerate(signed):
        ax.scatter(values[order], place, **point_look(k), s=42, zorder=3, label=_name(model, k))
    ax.set_yticks(place, [str(X.columns[j]) for j in order])
    ax.set_xlabel(_effect_label(model, target))
    tidy(ax)
    legend_above(ax)


def _slope(coef: Floats) -> Floats:
    """One number a feature: the slope, or its size over several classes."""
    if coef.ndim == 1:
        return coef
    full = np.vstack([coef, np.zeros(coef.shape[1])])
    return np.sqrt(np.square(full - full.mean(axis=0)).sum(axis=0))


def _effect_label(model: Any, target: str) -> str:
    """Label of the effects."""
    if not hasattr(model, "classes_"):
        return f"change of {target} per standard deviation"
    if len(model.classes_) == 2:
        return f"change of the log odds of {target} = {model.classes_[0]} per standard deviation"
    return "change of the logits per standard deviation (root sum of squares over classes)"


def _by_expert(ax: Any, model: Any, x: Floats, y: Floats, expert: Ints) -> None:
    """Points in the colours of their experts."""
    for k in range(model.n_experts):
        mine = expert == k
        ax.scatter(
            x[mine],
            y[mine],
            **point_look(k),
            s=20,
            alpha=0.7,
            edgecolors="white",
            linewidths=0.3,
            label=_name(model, k),
        )


def _name(model: Any, k: int) -> str:
    """Expert k in a legend, with its share of the rows."""
    return f"{model.experts_[k].label} ({model.experts_[k].weight_:.0%})"
