"""Which expert where: the regions of the gate in the plane of two features."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from moe_classic._results import fitted_moe, fitted_record, inner_rows
from moe_classic._typing import Floats

from ._membership import memberships, shares
from ._profile import as_frame, make_profile
from ._style import MIXTURE_COLOR, axes_for, hatch, legend_above, mixed_colors, point_look, tidy

#: Share of white in the colour of a region, so that points and labels stand out.
_WHITE = 0.5
#: Share of the range of the data that is shown around them.
_MARGIN = 0.03
#: Regions with a smaller share of the picture do not hold a name.
_NAMED = 0.02


class PartitionDisplay:
    """Regions of the gate in the plane of two features.

    Every point of the plane has the experts' colours mixed by gate probability; black lines are the
    borders between the most probable experts, whose names stand inside. With targets, the data are
    drawn with the marker and colour of the expert that is most responsible for them, or, in a
    blend, has the highest weight.

    Build it with :meth:`from_estimator`, or from arrays.

    Parameters
    ----------
    values : tuple of ndarray of shape (n_points,)
        Grid values of the horizontal and of the vertical feature.
    gate : ndarray of shape (n_points, n_points, n_experts)
        Gate probabilities; the first axis is the horizontal feature.
    labels : sequence of str
        Names of the experts.
    feature_labels : tuple of str
        Labels of the axes.
    points : tuple of (x, y, expert), default=None
        Data: coordinates (n,), and the expert's number (n,), from 0.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.inspection import PartitionDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X = X[:, [2, 8]]
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> display = PartitionDisplay.from_estimator(moe, X, y)
    >>> display.ax_.get_xlabel()
    'x0'
    """

    ax_: Any
    figure_: Any

    def __init__(
        self,
        *,
        values: tuple[Floats, Floats],
        gate: Floats,
        labels: Any,
        feature_labels: tuple[str, str],
        points: tuple[Floats, Floats, Any] | None = None,
    ) -> None:
        self.values = values
        self.gate = gate
        self.labels = labels
        self.feature_labels = feature_labels
        self.points = points

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        features: tuple[Any, Any] | None = None,
        average: bool = False,
        subsample: int = 50,
        n_points: int = 150,
        ax: Any = None,
        **plot: Any,
    ) -> PartitionDisplay:
        """Compute and draw the regions of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            A mixture of experts, a pipeline that ends in one, or a search over them.
        X : array-like of shape (n_samples, n_features)
            Data, as ``fit`` saw them.
        y : array-like, default=None
            Targets; with them the data are drawn, by responsibility.
        features : pair of int or str, default=None
            Horizontal and vertical feature, by index or name; may be left out if X has two columns.
        average : bool, default=False
            False holds the other features at their medians; True averages over rows of X.
        subsample : int, default=50
            Rows averaged over, evenly spaced in X.
        n_points : int, default=150
            Grid points a feature.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : PartitionDisplay
        """
        name = cls.__name__
        moe = fitted_moe(estimator, needs="gate_proba", caller=name)
        profile = make_profile(
            X,
            _pair(features, X, name),
            caller=name,
            n_points=n_points,
            average=average,
            subsample=subsample,
            margin=_MARGIN,
            categories=False,
        )
        points = None
        if y is not None:
            expert = memberships(moe, inner_rows(estimator, X), y).argmax(axis=1)
            points = (profile.places(X), profile.places(X, 1), expert)
        display = cls(
            values=(profile.axes[0], profile.axes[1]),
            gate=profile.fold(moe.gate_proba(inner_rows(estimator, profile.rows))),
            labels=fitted_record(moe).labels,
            feature_labels=(profile.label(0), profile.label(1)),
            points=points,
        )
        return display.plot(ax, **plot)

    def plot(self, ax: Any = None, *, hatches: bool = True) -> PartitionDisplay:
        """Draw the regions.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        hatches : bool, default=True
            Whether regions are hatched too, to be told apart in grey.

        Returns
        -------
        self : PartitionDisplay
        """
        self.ax_ = ax = axes_for(ax, size=(5.8, 4.8))
        self.figure_ = ax.figure
        x, y = self.values
        owner = self.gate.argmax(axis=2)
        colors = _WHITE + (1.0 - _WHITE) * mixed_colors(shares(self.gate))
        extent = (*_edges(x), *_edges(y))
        ax.imshow(colors.transpose(1, 0, 2), origin="lower", extent=extent, aspect="auto", zorder=0)
        for k in np.unique(owner):
            mine = (owner == k).T.astype(np.float64)
            if hatches and hatch(k):
                drawn = ax.contourf(
                    x, y, mine, levels=[0.5, 1.5], colors="none", hatches=[hatch(k)]
                )
                drawn.set(edgecolor=(1.0, 1.0, 1.0, 0.8), linewidth=0.0)
            if mine.min() == 0.0:
                others = np.delete(self.gate, k, axis=2).max(axis=2)
                lead = self.gate[:, :, k] - others
                ax.contour(x, y, lead.T, levels=[0.0], colors="black", linewidths=1.2)
        if self.points is not None:
            self._draw_points(ax)
        for k in np.unique(owner):
            if (owner == k).mean() >= _NAMED:
                self._name_region(ax, owner == k, self.labels[k])
        ax.set(
            xlabel=self.feature_labels[0],
            ylabel=self.feature_labels[1],
            xlim=extent[:2],
            ylim=extent[2:],
        )
        tidy(ax)
        legend_above(ax)
        return self

    def _name_region(self, ax: Any, region: Any, label: str) -> None:
        """The expert's name at the place of its region that is farthest from the border."""
        depth = distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
        i, j = np.unravel_index(depth.argmax(), depth.shape)
        ax.text(
            self.values[0][i],
            self.values[1][j],
            label,
            ha="center",
            va="center",
            color=MIXTURE_COLOR,
            zorder=5,
            bbox={"boxstyle": "round,pad=0.25", "fc": "white", "ec": "none", "alpha": 0.85},
        )

    def _draw_points(self, ax: Any) -> None:
        """Data with the look of the expert responsible for them."""
        if self.points is None:
            return
        x, y, expert = self.points
        for k in np.unique(expert):
            mine = expert == k
            look = point_look(int(k))
            ax.scatter(
                x[mine],
                y[mine],
                s=22,
                edgecolors="white",
                linewidths=0.5,
                zorder=3,
                label=self.labels[k],
                **look,
            )


def _pair(features: Any, X: Any, caller: str) -> tuple[Any, Any]:
    """The two features that are varied."""
    if features is None:
        names = [str(c) for c in as_frame(X).columns]
        if len(names) != 2:
            some = f"{len(names)} columns {names[:8]}" if len(names) != 1 else "one column"
            what = f"say which, such as features=({names[0]!r}, {names[-1]!r})"
            if len(names) == 1:
                what = "use GateDisplay"
            raise ValueError(f"{caller}: two features are varied and X has {some}; {what}.")
        return 0, 1
    if not isinstance(features, (list, tuple)) or len(features) != 2:
        raise ValueError(f"{caller}: features={features!r} must be a pair of names or indices.")
    return features[0], features[1]


def _edges(values: Floats) -> tuple[float, float]:
    """Outer edges of the cells around evenly spaced values."""
    half = 0.5 * (values[1] - values[0])
    return float(values[0] - half), float(values[-1] + half)
