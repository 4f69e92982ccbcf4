"""Which expert where: gate probabilities along one feature."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._arguments import check_one_of
from moe_classic._results import fitted_moe, fitted_record, inner_rows
from moe_classic._typing import Floats

from ._categories import bar_width, beside, name_categories
from ._membership import is_share
from ._profile import make_profile
from ._style import axes_for, expert_color, hatch, ink, legend_above, line_look, point_look, tidy


class GateDisplay:
    """Gate probabilities along one feature.

    Build it with :meth:`from_estimator`, or from arrays.

    Parameters
    ----------
    values : ndarray of shape (n_points,)
        Values of the feature.
    gate : ndarray of shape (n_points, n_experts)
        Gate probabilities, or the weights of a blend.
    labels : sequence of str
        Names of the experts.
    feature_label : str
        Label of the axis.
    deciles : ndarray of shape (9,), default=None
        Deciles of the feature in the data, drawn as ticks inside the axes.
    gate_label : str, default="gate probability"
        Label of the other axis.
    categories : sequence of str of length n_points, default=None
        Names of the values, where they stand alone - categories, or two numbers: points are drawn
        instead of lines.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.inspection import GateDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(3, random_state=0).fit(X, y)
    >>> GateDisplay.from_estimator(moe, X)  # doctest: +SKIP
    """

    ax_: Any
    figure_: Any

    def __init__(
        self,
        *,
        values: Floats,
        gate: Floats,
        labels: Any,
        feature_label: str,
        deciles: Floats | None = None,
        gate_label: str = "gate probability",
        categories: Any = None,
    ) -> None:
        self.values = values
        self.gate = gate
        self.labels = labels
        self.feature_label = feature_label
        self.deciles = deciles
        self.gate_label = gate_label
        self.categories = categories

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        feature: Any = None,
        average: bool = False,
        subsample: int = 200,
        n_points: int = 200,
        ax: Any = None,
        **plot: Any,
    ) -> GateDisplay:
        """Compute and draw the gate of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            A mixture of experts, a pipeline that ends in one, or a search over them.
        X : array-like of shape (n_samples, n_features)
            Data, as ``fit`` saw them.
        feature : int or str, default=None
            The feature that varies, by index or name; may be left out if X has one column. A
            category, and a number with two values, is drawn as points.
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
        display : GateDisplay
        """
        moe = fitted_moe(estimator, needs="gate_proba", caller=cls.__name__)
        profile = make_profile(
            X,
            (feature,),
            caller=cls.__name__,
            n_points=n_points,
            average=average,
            subsample=subsample,
        )
        display = cls(
            values=profile.axes[0],
            gate=profile.fold(moe.gate_proba(inner_rows(estimator, profile.rows))),
            labels=fitted_record(moe).labels,
            feature_label=profile.label(),
            deciles=profile.deciles(X),
            categories=profile.categories,
            # Weights of a blend are no probabilities: no expert is drawn.
            gate_label="gate probability" if hasattr(moe, "responsibilities") else "gate weight",
        )
        return display.plot(ax, **plot)

    def plot(self, ax: Any = None, *, kind: str = "lines") -> GateDisplay:
        """Draw the gate.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        kind : {"lines", "stacked"}, default="lines"
            A line an expert, or bands that fill the height, which needs weights that sum to one;
            where values stand alone, points and bars.

        Returns
        -------
        self : GateDisplay
        """
        check_one_of("GateDisplay", "kind", kind, ("lines", "stacked"))
        inside = is_share(self.gate)
        if kind == "stacked" and not inside:
            raise ValueError(
                "GateDisplay: kind='stacked' needs weights that sum to one, and those of a linear "
                "gate do not; use kind='lines'."
            )
        self.ax_ = ax = axes_for(ax)
        self.figure_ = ax.figure
        draw = self._draw_lines if kind == "lines" else self._draw_stacked
        draw(ax)
        if self.deciles is not None:
            _draw_deciles(ax, self.deciles)
        ax.set(
            xlabel=self.feature_label,
            ylabel=self.gate_label,
        )
        if self.categories is None:
            ax.set_xlim(self.values[0], self.values[-1])
        else:
            name_categories(ax, self.values, self.categories)
        if inside:
            ax.set_ylim((0.0, 1.0) if kind == "stacked" else (-0.02, 1.02))
        tidy(ax, grid="y" if kind == "lines" else None)
        legend_above(ax)
        return self

    def _draw_lines(self, ax: Any) -> None:
        """A line an expert, or a mark at each value that stands alone."""
        for k, label in enumerate(self.labels):
            if self.categories is None:
                at, look = self.values, {"linewidth": 2.2, **line_look(k)}
            else:
                at = beside(self.values, k, len(self.labels))
                look = {"linestyle": "none", "markersize": 8.0, **point_look(k)}
            ax.plot(at, self.gate[:, k], label=label, **look)

    def _draw_stacked(self, ax: Any) -> None:
        """Bands that fill the height, or bars where values stand alone."""
        top = np.cumsum(self.gate, axis=1)
        bottom = top - self.gate
        for k, label in enumerate(self.labels):
            look = {"facecolor": expert_color(k), "alpha": 0.75, "edgecolor": "white"}
            look |= {"hatch": hatch(k), "linewidth": 0.0, "label": label}
            if self.categories is None:
                ax.fill_between(self.values, bottom[:, k], top[:, k], **look)
            else:
                width = bar_width(self.values)
                ax.bar(self.values, self.gate[:, k], width, bottom=bottom[:, k], **look)


def _draw_deciles(ax: Any, deciles: Floats) -> None:
    """Ticks inside the axes, named in the legend."""
    ax.scatter(
        deciles,
        np.full(deciles.size, 0.016),
        s=60.0,
        marker="|",
        color=ink(ax),
        linewidths=1.0,
        transform=ax.get_xaxis_transform(),
        label="deciles",
        zorder=3,
    )
