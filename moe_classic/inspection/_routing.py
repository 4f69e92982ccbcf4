"""Where, or for which classes, each expert of a sparse layer is consulted."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from moe_classic._results import fitted_moe, inner_rows
from moe_classic._typing import Floats

from ._style import axes_for, legend_above, mixed_colors, point_look, tidy, wrapped

#: With more experts than this, points of a plane have no legend.
_NAMED = 8
#: Fewer cells of the table than this carry their number.
_WRITTEN = 120


class RoutingDisplay:
    """Experts of a sparse layer by place in a plane, or by class.

    Build it with :meth:`from_estimator`, or from arrays: with ``points`` the plane, with
    ``classes`` a table.

    Parameters
    ----------
    weights : ndarray of shape (n_samples, n_experts)
        Weights of the experts, 0 where not consulted.
    points : ndarray of shape (n_samples, 2), default=None
        Places of the rows in the plane.
    classes : ndarray of shape (n_samples,), default=None
        Classes, or other groups, of the rows.
    labels : tuple of (str, str), default=("x0", "x1")
        Labels of the axes of the plane.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.datasets import make_regimes
    >>> from moe_classic.inspection import RoutingDisplay
    >>> X, y = make_regimes(2000, n_features=2, random_state=0)
    >>> moe = SparseMoERegressor(random_state=0).fit(X, y)
    >>> RoutingDisplay.from_estimator(moe, X)  # doctest: +SKIP
    """

    ax_: Any
    figure_: Any

    def __init__(
        self,
        *,
        weights: Floats,
        points: Floats | None = None,
        classes: Any = None,
        labels: tuple[str, str] = ("x0", "x1"),
    ) -> None:
        self.weights = weights
        self.points = points
        self.classes = classes
        self.labels = labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        y: Any = None,
        features: Any = (0, 1),
        layer: int = -1,
        ax: Any = None,
        **plot: Any,
    ) -> RoutingDisplay:
        """Draw the routing of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            One with sparse layers, a pipeline that ends in one, or a search over them.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Classes, or other groups: draws the share of each expert in each of them. None: the
            plane of two features.
        features : pair of int or str, default=(0, 1)
            Features that span the plane, by index or name.
        layer : int, default=-1
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : RoutingDisplay
        """
        moe = fitted_moe(estimator, needs="routing", caller=cls.__name__)
        inner = inner_rows(estimator, X)
        weights = moe.gate_proba(inner, layer=layer)
        if y is not None:
            y = np.asarray(y)
            if len(y) != len(weights):
                raise ValueError(f"X has {len(weights)} rows and y has {len(y)}; give one a row.")
            return cls(weights=weights, classes=y).plot(ax, **plot)
        names = [str(v) for v in getattr(moe, "feature_names_in_", range(moe.n_features_in_))]
        places = [_place(f, names) for f in features]
        if len(places) != 2:
            raise ValueError(f"features={features!r} must be two features of X.")
        values = check_array(inner, dtype=np.float64)
        named = [n if hasattr(moe, "feature_names_in_") else f"x{n}" for n in names]
        labels = named[places[0]], named[places[1]]
        return cls(weights=weights, points=values[:, places], labels=labels).plot(ax, **plot)

    def plot(self, ax: Any = None, *, size: float = 14.0) -> RoutingDisplay:
        """Draw the plane, or the table.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        size : float, default=14.0
            Area of a point.

        Returns
        -------
        self : RoutingDisplay
        """
        if (self.points is None) == (self.classes is None):
            raise ValueError("RoutingDisplay: give points for the plane, or classes for the table.")
        self.ax_ = ax = axes_for(ax)
        self.figure_ = ax.figure
        if self.classes is None:
            self._draw_plane(ax, size)
        else:
            self._draw_table(ax)
        return self

    def _draw_plane(self, ax: Any, size: float) -> None:
        """Rows in the colours of their experts, those of several mixed by weight."""
        points = np.asarray(self.points)
        total = self.weights.sum(axis=1, keepdims=True)
        shares = self.weights / np.where(total > 0.0, total, 1.0)
        colors, first = mixed_colors(shares), shares.argmax(axis=1)
        colors[total[:, 0] == 0.0] = 0.75
        for e in range(shares.shape[1]):
            mine = (first == e) & (total[:, 0] > 0.0)
            look = {"marker": point_look(e)["marker"]}
            ax.scatter(*points[mine].T, c=colors[mine], s=size, linewidths=0, **look)
        bare = total[:, 0] == 0.0
        if bare.any():
            ax.scatter(*points[bare].T, c=colors[bare], s=size, marker="x", label="no expert")
        if shares.shape[1] <= _NAMED:
            handles = [
                ax.scatter([], [], label=f"expert {e}", **point_look(e))
                for e in range(shares.shape[1])
            ]
            legend_above(ax, handles=handles)
        ax.set(xlabel=self.labels[0], ylabel=self.labels[1])
        tidy(ax)

    def _draw_table(self, ax: Any) -> None:
        """Share of the weight of each class (rows) that each expert (columns) has."""
        classes, code = np.unique(np.asarray(self.classes), return_inverse=True)
        mass = np.stack([self.weights[code == c].sum(axis=0) for c in range(len(classes))])
        share = mass / np.maximum(mass.sum(axis=1, keepdims=True), 1e-12)
        # Experts beside the class that they serve most.
        order = np.lexsort((-share.max(axis=0), share.argmax(axis=0)))
        share = share[:, order]
        image = ax.imshow(
            share, cmap="Blues", vmin=0.0, vmax=max(share.max(), 1e-12), aspect="auto"
        )
        ax.set_xticks(np.arange(len(order)), [str(e) for e in order])
        ax.set_yticks(np.arange(len(classes)), [wrapped(str(c), 24) for c in classes])
        if share.size <= _WRITTEN:
            for (i, j), value in np.ndenumerate(share):
                dark = "white" if value > 0.6 * share.max() else "black"
                text = f"{value:.2f}".lstrip("0") if value >= 0.005 else ""
                ax.text(j, i, text, ha="center", va="center", color=dark, fontsize=8)
        ax.set(xlabel="expert", ylabel="class")
        ax.figure.colorbar(image, ax=ax, label="share of the class")


def _place(feature: Any, names: list[str]) -> int:
    """Number of a feature."""
    if isinstance(feature, str):
        if feature not in names:
            raise ValueError(f"features: {feature!r} is no column of X; it has {names}.")
        return names.index(feature)
    if not -len(names) <= feature < len(names):
        raise ValueError(f"features: {feature!r} is no column; X has {len(names)}.")
    return int(feature) % len(names)
