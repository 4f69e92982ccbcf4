"""What the experts say along one feature: lines, bands, and points by responsibility."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._data import Block
from moe_classic._results import (
    FittedMixture,
    checked_rows,
    fitted_mixture,
    fitted_moe,
    fitted_record,
    inner_rows,
)
from moe_classic._typing import Floats

from ._categories import bar_width, beside, name_categories, scattered
from ._membership import memberships
from ._profile import make_profile
from ._style import axes_for, ink, legend_above, line_look, mixed_colors, paper, point_look, tidy

#: Gate probability from which on an expert's line is drawn in full.
_SPEAKS = 0.05


class ExpertsDisplay:
    """Predictions of the experts along one feature.

    An expert's line is strong where its gate probability is at least 0.05 and thin elsewhere; its
    band is the central interval of its own noise. Points have the marker of the expert that is
    most responsible for them and a colour mixed by responsibility. The experts of blends (Meta-Pi
    and hard mixtures) have no noise, and their points are coloured by gate weight.

    Build it with :meth:`from_estimator`, or from arrays.

    Parameters
    ----------
    values : ndarray of shape (n_points,)
        Values of the feature.
    predictions : ndarray of shape (n_points, n_experts)
        What each expert predicts: a location, the probability of a class, or its margin.
    gate : ndarray of shape (n_points, n_experts)
        Gate probabilities.
    mixture : ndarray of shape (n_points,)
        What the mixture predicts.
    labels : sequence of str
        Names of the experts.
    feature_label, target_label : str
        Labels of the axes.
    bands : ndarray of shape (n_points, n_experts, 2), default=None
        Lower and upper ends of the experts' intervals.
    points : tuple of (x, y, responsibilities), default=None
        Data: (n,), (n,) and (n, n_experts).
    categories : sequence of str of length n_points, default=None
        Names of the values, where they stand alone - categories, or two numbers: points with bars
        are drawn instead of lines with bands, and rows beside each other.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.inspection import ExpertsDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> display = ExpertsDisplay.from_estimator(moe, X, y)
    >>> display.ax_.get_ylabel()
    'y'
    """

    ax_: Any
    figure_: Any

    def __init__(
        self,
        *,
        values: Floats,
        predictions: Floats,
        gate: Floats,
        mixture: Floats,
        labels: Any,
        feature_label: str,
        target_label: str = "y",
        bands: Floats | None = None,
        points: tuple[Floats, Floats, Floats] | None = None,
        categories: Any = None,
    ) -> None:
        self.values = values
        self.predictions = predictions
        self.gate = gate
        self.mixture = mixture
        self.labels = labels
        self.feature_label = feature_label
        self.target_label = target_label
        self.bands = bands
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
        target: Any = None,
        coverage: float | None = 0.8,
        average: bool = False,
        subsample: int = 200,
        n_points: int = 200,
        ax: Any = None,
        **plot: Any,
    ) -> ExpertsDisplay:
        """Compute and draw the experts of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            A mixture of experts, a pipeline that ends in one, or a search over them.
        X : array-like of shape (n_samples, n_features)
            Data, as ``fit`` saw them.
        y : array-like, default=None
            Targets; with them the data are drawn.
        feature : int or str, default=None
            The feature that varies, by index or name; may be left out if X has one column. A
            category, and a number with two values, is drawn as points.
        target : int or class label, default=None
            Which output of several, or which class; may be left out for one output, and for two
            classes, where it is the second.
        coverage : float in (0, 1) or None, default=0.8
            Coverage of the bands; None for none. Classes and blends have no bands.
        average : bool, default=False
            False holds the other features at their medians; True averages over rows of X.
        subsample : int, default=200
            Rows averaged over, evenly spaced in X.
        n_points : int, default=200
            Grid points.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : ExpertsDisplay
        """
        name = cls.__name__
        moe = fitted_moe(estimator, needs="expert_predictions", caller=name)
        place, target_label = _target(moe, target)
        profile = make_profile(
            X, (feature,), caller=name, n_points=n_points, average=average, subsample=subsample
        )
        rows = inner_rows(estimator, profile.rows)
        alone, gate = _column(moe.expert_predictions(rows), place), moe.gate_proba(rows)
        points, bands = None, None
        if y is not None:
            R = memberships(moe, inner_rows(estimator, X), y)
            points = (profile.places(X), _on_axis(moe, y, place), R)
        if coverage is not None and hasattr(moe, "predict_interval"):
            bands = profile.fold(_expert_intervals(moe, rows, coverage, place or 0))
        display = cls(
            values=profile.axes[0],
            predictions=profile.fold(alone),
            gate=profile.fold(gate),
            mixture=profile.fold(_column(_mixture(moe, rows), place)),
            labels=fitted_record(moe).labels,
            feature_label=profile.label(),
            target_label=(getattr(y, "name", None) or "y" if target_label == "y" else target_label),
            bands=bands,
            points=points,
            categories=profile.categories,
        )
        return display.plot(ax, **plot)

    def plot(self, ax: Any = None, *, mixture: bool = True) -> ExpertsDisplay:
        """Draw the experts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        mixture : bool, default=True
            Whether to draw what the mixture predicts, as a thin line, or short ones.

        Returns
        -------
        self : ExpertsDisplay
        """
        self.ax_ = ax = axes_for(ax)
        self.figure_ = ax.figure
        if self.points is not None:
            x, y, R = self.points
            _draw_points(ax, x if self.categories is None else scattered(x, self.values), y, R)
        if self.categories is None:
            self._draw_lines(ax, mixture=mixture)
        else:
            self._draw_stops(ax, mixture=mixture)
            name_categories(ax, self.values, self.categories)
        ax.set(xlabel=self.feature_label, ylabel=self.target_label, ylim=self._limits())
        tidy(ax)
        handles = ax.get_legend_handles_labels()[0]
        legend_above(ax, handles=self._with_markers(handles))
        return self

    def _draw_lines(self, ax: Any, *, mixture: bool) -> None:
        """A line with its band an expert."""
        speaks = np.abs(self.gate) >= _SPEAKS
        for k, label in enumerate(self.labels):
            look, line = line_look(k), self.predictions[:, k]
            if self.bands is not None:
                low, high = self.bands[:, k].T
                faint = {"color": look["color"], "alpha": 0.16, "lw": 0}
                ax.fill_between(self.values, low, high, where=speaks[:, k], **faint)
            ax.plot(self.values, line, color=look["color"], linewidth=0.9, alpha=0.5, zorder=3)
            strong = np.where(speaks[:, k], line, np.nan)
            ax.plot(self.values, strong, linewidth=2.6, label=label, zorder=4, **look)
        if mixture:
            whole = {"color": ink(ax), "lw": 1.1, "label": "mixture", "zorder": 5}
            ax.plot(self.values, self.mixture, **whole)

    def _draw_stops(self, ax: Any, *, mixture: bool) -> None:
        """A mark with its bar an expert and value; hollow where the gate does not trust it."""
        speaks = np.abs(self.gate) >= _SPEAKS
        for k, label in enumerate(self.labels):
            at, look = beside(self.values, k, len(self.labels)), point_look(k)
            look |= {"linestyle": "none", "markersize": 9.0, "zorder": 4}
            edge = {"markeredgecolor": paper(ax), "label": label}
            for mine, more in ((speaks[:, k], edge), (~speaks[:, k], {"fillstyle": "none"})):
                ax.plot(at[mine], self.predictions[mine, k], **look, **more)
            if self.bands is not None:
                low, high = self.bands[speaks[:, k], k].T
                ax.vlines(at[speaks[:, k]], low, high, color=look["color"], lw=2.0, zorder=3)
        if mixture:
            half = 0.5 * bar_width(self.values)
            whole = {"color": ink(ax), "lw": 1.1, "label": "mixture", "zorder": 5}
            ax.hlines(self.mixture, self.values - half, self.values + half, **whole)

    def _with_markers(self, handles: list[Any]) -> list[Any]:
        """Legend entries of the experts with the markers of their points."""
        if self.points is None:
            return handles
        from matplotlib.lines import Line2D

        entries = [
            Line2D(
                [], [], linewidth=2.6, label=label, markeredgecolor=paper(self.ax_), **line_look(k)
            )
            for k, label in enumerate(self.labels)
        ]
        for k, entry in enumerate(entries):
            entry.set(marker=point_look(k)["marker"], markersize=8)
        return entries + handles[len(entries) :]

    def _limits(self) -> tuple[float, float]:
        """Range of all that matters: data, and experts where they speak."""
        speaks = np.abs(self.gate) >= _SPEAKS
        shown = [self.predictions[speaks]]
        if self.bands is not None:
            shown.append(self.bands[speaks].ravel())
        if self.points is not None:
            shown.append(self.points[1])
        values = np.concatenate(shown)
        low, high = float(values.min()), float(values.max())
        # Weights of a linear gate may take a blend far away, where experts could not be seen.
        room = high - low
        blend = np.clip(self.mixture, low - room, high + room)
        low, high = min(low, float(blend.min())), max(high, float(blend.max()))
        margin = 0.04 * (high - low) or 1.0
        return low - margin, high + margin


def _draw_points(ax: Any, x: Floats, y: Floats, R: Floats) -> None:
    """Data with the marker of the most responsible expert and a mixed colour."""
    most, colors = R.argmax(axis=1), mixed_colors(R)
    for k in np.unique(most):
        mine = most == k
        ax.scatter(
            x[mine],
            y[mine],
            s=22,
            marker=point_look(k)["marker"],
            c=colors[mine],
            edgecolors=paper(ax),
            linewidths=0.4,
            zorder=2,
        )


def _target(moe: Any, target: Any) -> tuple[int | None, str]:
    """Which output or class is drawn, and its name; None for the only output."""
    if hasattr(moe, "classes_"):
        classes = list(moe.classes_)
        if target is None and len(classes) == 2:
            target = classes[1]
        if target not in classes:
            raise ValueError(f"target={target!r} must be one of the classes {classes[:10]}.")
        place = classes.index(target)
        if not _has_margins(moe):
            return place, f"probability of {target}"
        if len(classes) == 2 and place == 0:
            raise ValueError(
                f"target={target!r}: of two classes only the second, {classes[1]!r}, has a margin."
            )
        return (None if len(classes) == 2 else place), f"margin of {target}"
    names = fitted_record(moe).target.names
    if len(names) == 1:
        if target not in (None, 0):
            raise ValueError(f"target={target!r}: there is one output, leave target out.")
        return (None, "y") if fitted_record(moe).target.flat else (0, names[0])
    if not isinstance(target, (int, np.integer)) or not 0 <= target < len(names):
        raise ValueError(
            f"target={target!r} must be the number of an output, 0 to {len(names) - 1}."
        )
    return int(target), names[int(target)]


def _has_margins(moe: Any) -> bool:
    """Whether the experts are blended by their margins."""
    return hasattr(moe, "decision_function")


def _mixture(moe: Any, X: Any) -> Floats:
    """What all experts say together, in the units of theirs, (n,) or (n, M)."""
    if not hasattr(moe, "classes_"):
        return np.asarray(moe.predict(X))
    return moe.decision_function(X) if _has_margins(moe) else moe.predict_proba(X)


def _column(predictions: Floats, place: int | None) -> Floats:
    """One output or class of (n, M) or (n, K, M)."""
    return predictions if place is None else predictions[..., place]


def _on_axis(moe: Any, y: Any, place: int | None) -> Floats:
    """Targets on the vertical axis, (n,): 0 and 1 for a class, -1 and 1 for its margin."""
    if hasattr(moe, "classes_"):
        mine = np.asarray(y) == moe.classes_[-1 if place is None else place]
        return np.where(mine, 1.0, -1.0 if _has_margins(moe) else 0.0)
    target = np.asarray(y, dtype=np.float64)
    return target if target.ndim == 1 else target[:, place or 0]


def _expert_intervals(moe: Any, X: Any, coverage: float, output: int) -> Floats:
    """Central intervals of the experts' own noise, (n, K, 2)."""
    if not 0.0 < coverage < 1.0:
        raise ValueError(f"coverage={coverage!r} must lie strictly between 0 and 1, or be None.")
    rows, fitted = checked_rows(moe, X), fitted_mixture(moe)
    return np.concatenate(
        fitted.answers(
            lambda b: _block_intervals(fitted, b, coverage, output), rows, n_jobs=moe.n_jobs
        )
    )


def _block_intervals(fitted: FittedMixture, block: Block, coverage: float, output: int) -> Floats:
    """The same for one block."""
    tail, parts = 0.5 * (1.0 - coverage), fitted.predictive(block).parts
    ends = []
    for q in (tail, 1.0 - tail):
        level = np.full((1, 1, 1), q)
        quantiles = [expert.quantile_at(p, eta, level)[:, output] for expert, p, eta in parts]
        ends.append(np.concatenate(quantiles).T)
    return np.stack(ends, axis=-1)
