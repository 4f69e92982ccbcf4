"""The whole predictive distribution along one feature."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._arguments import check_one_of
from moe_classic._components import TARGETS
from moe_classic._results import checked_rows, fitted_mixture, fitted_moe, inner_rows
from moe_classic._typing import Floats

from ._categories import bar_width, name_categories, scattered
from ._profile import Profile, make_profile
from ._style import (
    DATA_COLOR,
    EXPERT_COLORS,
    MIXTURE_COLOR,
    axes_for,
    ink,
    is_dark,
    legend_above,
    tidy,
)

#: The darkest and a light blue.
_MEDIAN, _MEDIAN_ON_DARK = "#08306B", "#DEEBF7"
#: Halvings of the bracket of an averaged quantile: 2^-40 of its width is left.
_HALVINGS = 40


class FanDisplay:
    """Predictive quantiles, or the predictive density, along one feature.

    A fan of central intervals hides what the density shows: that a mixture may have several modes,
    with next to nothing at its mean.

    Build it with :meth:`from_estimator`, or from arrays.

    Parameters
    ----------
    values : ndarray of shape (n_points,)
        Values of the feature.
    mean : ndarray of shape (n_points,)
    levels : sequence of float
        Probabilities of the quantiles: symmetric about a middle one of 0.5.
    quantiles : ndarray of shape (n_points, n_levels)
    targets : ndarray of shape (n_targets,)
        Values of y at which the density is known.
    density : ndarray of shape (n_points, n_targets)
    feature_label, target_label : str
        Labels of the axes.
    points : tuple of (x, y), default=None
        Data, (n,) each.
    categories : sequence of str of length n_points, default=None
        Names of the values, where they stand alone - categories, or two numbers: bars are drawn
        instead of bands, and rows beside each other.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.inspection import FanDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> display = FanDisplay.from_estimator(moe, X, y)
    >>> display.ax_.get_ylabel()
    'y'
    """

    ax_: Any
    figure_: Any

    def __init__(
        self,
        *,
        values: Floats,
        mean: Floats,
        levels: Any,
        quantiles: Floats,
        targets: Floats,
        density: Floats,
        feature_label: str,
        target_label: str = "y",
        points: tuple[Floats, Floats] | None = None,
        categories: Any = None,
    ) -> None:
        self.values = values
        self.mean = mean
        self.levels = levels
        self.quantiles = quantiles
        self.targets = targets
        self.density = density
        self.feature_label = feature_label
        self.target_label = target_label
        self.points = points
        self.categories = categories

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        feature: Any = None,
        coverages: Any = (0.5, 0.8, 0.95),
        average: bool = False,
        subsample: int = 50,
        n_points: int = 120,
        ax: Any = None,
        **plot: Any,
    ) -> FanDisplay:
        """Compute and draw the predictive distribution of a fitted regressor with one output.

        Parameters
        ----------
        estimator : fitted regressor
            A mixture of experts, a pipeline that ends in one, or a search over them.
        X : array-like of shape (n_samples, n_features)
            Data, as ``fit`` saw them.
        y : array-like of shape (n_samples,), default=None
            Targets; with them the data are drawn.
        feature : int or str, default=None
            The feature that varies, by index or name; may be left out if there is one. A category,
            and a number with two values, is drawn as bars.
        coverages : sequence of float in (0, 1), default=(0.5, 0.8, 0.95)
            Coverages of the central intervals.
        average : bool, default=False
            False holds the other features at their medians; True mixes the distributions at rows
            of X.
        subsample : int, default=50
            Rows mixed, evenly spaced in X.
        n_points : int, default=120
            Grid points of the feature, and of y.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : FanDisplay
        """
        name = cls.__name__
        moe = fitted_moe(estimator, needs="predict_quantile", caller=name)
        fitted = fitted_mixture(moe)
        if len(fitted.target.names) > 1:
            raise ValueError(f"{name} draws one output, the estimator has several.")
        levels = _levels(coverages)
        profile = make_profile(
            X, (feature,), caller=name, n_points=n_points, average=average, subsample=subsample
        )
        rows, flat = inner_rows(estimator, profile.rows), fitted.target.flat
        quantiles = _quantiles(moe, rows, profile, levels)
        points = None if y is None else (profile.places(X), np.ravel(y))
        targets = _target_grid(quantiles, points, n_points)
        mean = np.asarray(moe.predict(rows)).reshape(-1)
        density = [profile.fold(_density(moe, rows, t, mean.size, flat=flat)) for t in targets]
        display = cls(
            values=profile.axes[0],
            mean=profile.fold(mean),
            levels=levels,
            quantiles=quantiles,
            targets=targets,
            density=np.stack(density, axis=1),
            feature_label=profile.label(),
            target_label=getattr(y, "name", None) or "y",
            points=points,
            categories=profile.categories,
        )
        return display.plot(ax, **plot)

    def plot(self, ax: Any = None, *, kind: str = "fan", mean: bool = True) -> FanDisplay:
        """Draw the distribution.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        kind : {"fan", "density"}, default="fan"
            ``"fan"``: the median within central intervals. ``"density"``: the density as shades,
            each column relative to its own peak.
        mean : bool, default=True
            Whether to draw the mean.

        Returns
        -------
        self : FanDisplay
        """
        check_one_of("FanDisplay", "kind", kind, ("fan", "density"))
        self.ax_ = ax = axes_for(ax)
        self.figure_ = ax.figure
        if kind == "fan":
            self._draw_fan(ax)
        else:
            self._draw_density(ax)
        if self.points is not None:
            self._draw_points(ax, kind)
        if mean:
            color = ink(ax) if kind == "fan" else EXPERT_COLORS[1]
            line: dict[str, Any] = {"linestyle": (0, (5, 2)), "linewidth": 1.6}
            look = line if self.categories is None else {"linestyle": "none", "marker": "D"}
            ax.plot(self.values, self.mean, color=color, zorder=4, label="mean", **look)
        ax.set(
            xlabel=self.feature_label,
            ylabel=self.target_label,
            ylim=(self.targets[0], self.targets[-1]),
        )
        if self.categories is None:
            ax.set_xlim(self.values[0], self.values[-1])
        else:
            name_categories(ax, self.values, self.categories)
        tidy(ax)
        legend_above(ax)
        return self

    def _draw_points(self, ax: Any, kind: str) -> None:
        """Data, told from what lies behind them; densities are light everywhere else."""
        if self.points is None:
            return
        x, y = self.points
        if self.categories is not None:
            x = scattered(x, self.values)
        on_density = DATA_COLOR if is_dark(ax) else MIXTURE_COLOR
        color = ink(ax) if kind == "fan" else on_density
        ax.scatter(x, y, s=9, color=color, alpha=0.5, linewidths=0, zorder=3, label="data")

    def _draw_fan(self, ax: Any) -> None:
        """Central intervals, pale outside and strong inside, around the median."""
        half = len(self.levels) // 2
        for i in range(half):
            coverage = self.levels[-1 - i] - self.levels[i]
            look = {"facecolor": _shade((i + 1) / (half + 1), dark=is_dark(ax)), "linewidth": 0.0}
            look |= {"label": f"{100 * coverage:.3g} %"}
            low, high = self.quantiles[:, i], self.quantiles[:, -1 - i]
            if self.categories is None:
                ax.fill_between(self.values, low, high, **look)
            else:
                width = bar_width(self.values) * (1.0 - 0.25 * i)
                ax.bar(self.values, high - low, width, bottom=low, **look)
        line = {
            "color": _MEDIAN_ON_DARK if is_dark(ax) else _MEDIAN,
            "linewidth": 2.0,
            "label": "median",
        }
        if self.categories is None:
            ax.plot(self.values, self.quantiles[:, half], **line)
        else:
            reach = 0.5 * bar_width(self.values)
            ax.hlines(self.quantiles[:, half], self.values - reach, self.values + reach, **line)

    def _draw_density(self, ax: Any) -> None:
        """Density, each column relative to its peak."""
        peak = self.density.max(axis=1, keepdims=True)
        relative = (self.density / np.where(peak > 0.0, peak, 1.0)).T
        shades = {"cmap": "Blues", "vmin": 0.0, "vmax": 1.0, "shading": "gouraud"}
        shades |= {"rasterized": True}
        if self.categories is None:
            mesh = ax.pcolormesh(self.values, self.targets, relative, **shades)
        else:
            reach = 0.5 * bar_width(self.values)
            for at, column in zip(self.values, relative.T, strict=True):
                ends = np.array([at - reach, at + reach])
                mesh = ax.pcolormesh(ends, self.targets, np.stack([column] * 2, axis=1), **shades)
        bar = ax.figure.colorbar(mesh, ax=ax, pad=0.02, aspect=30)
        bar.set_label("density relative to its peak")
        bar.outline.set_edgecolor(DATA_COLOR)


def _shade(depth: float, *, dark: bool) -> Any:
    """A blue between that of the ground (0) and one that stands out from it (1)."""
    from matplotlib import colormaps

    level = 0.12 + 0.6 * depth
    return colormaps["Blues"](1.0 - 0.75 * level if dark else level)


def _levels(coverages: Any) -> Floats:
    """Probabilities of the ends of central intervals and of the median, rising."""
    c = np.unique(np.atleast_1d(np.asarray(coverages, dtype=np.float64)))[::-1]
    if not c.size or c.min() <= 0.0 or c.max() >= 1.0:
        raise ValueError(f"coverages={coverages!r} must be numbers strictly between 0 and 1.")
    tails = 0.5 * (1.0 - c)
    return np.concatenate([tails, [0.5], 1.0 - tails[::-1]])


def _constant(value: float, n: int, *, flat: bool) -> Floats:
    """The same target for every row, of the shape that was fitted."""
    return np.full(n if flat else (n, 1), value)


def _density(moe: Any, rows: Any, value: float, n: int, *, flat: bool) -> Floats:
    """Density of every row at one value, 0 where y cannot be, (n,)."""
    fitted = fitted_mixture(moe)
    experts = [group.expert for group in fitted.model.groups]
    if all(e.kind == TARGETS["real"] and not hasattr(e, "window") for e in experts):
        return np.exp(moe.score_samples(rows, _constant(value, n, flat=flat)))
    parts = fitted.answers(
        lambda b: fitted.predictive(b).output(0).density(np.full(b.w.size, value)),
        checked_rows(moe, rows),
    )
    return np.concatenate(parts)


def _quantiles(moe: Any, rows: Any, profile: Profile, levels: Floats) -> Floats:
    """Quantiles on the grid, (G, n_levels): of the mixture over held rows."""
    quantiles = np.asarray(moe.predict_quantile(rows, levels)).reshape(-1, levels.size)
    if profile.n_held == 1:
        return quantiles
    by_point = quantiles.reshape(-1, profile.n_held, levels.size)
    low, high = by_point.min(axis=1), by_point.max(axis=1)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        below = np.stack([_cdf(moe, rows, profile, m) for m in middle.T], axis=1) < levels
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def _cdf(moe: Any, rows: Any, profile: Profile, y: Floats) -> Floats:
    """Distribution function at ``y`` (G,), averaged over held rows, (G,)."""
    target = np.repeat(y, profile.n_held)
    p = moe.predict_cdf(rows, target if fitted_mixture(moe).target.flat else target[:, None])
    return profile.fold(np.asarray(p).reshape(-1))


def _target_grid(quantiles: Floats, points: tuple[Floats, Floats] | None, count: int) -> Floats:
    """Values of y that span the outermost quantiles and the data."""
    low, high = float(quantiles.min()), float(quantiles.max())
    if points is not None:
        low, high = min(low, float(points[1].min())), max(high, float(points[1].max()))
    margin = 0.05 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, count)
