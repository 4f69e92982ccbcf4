"""What is left of y after the model, against what should not matter."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import beta

from moe_classic._arguments import check_one_of
from moe_classic._results import fitted_moe, inner_rows
from moe_classic._typing import Floats

from ._categories import alone, name_categories, scattered
from ._profile import as_frame, column_number
from ._style import DATA_COLOR, EXPERT_COLORS, axes_for, ink, legend_above, tidy

#: Probability of the band, at each place on its own.
_BAND = 0.95
#: Rows a step of the running median and of the running band.
_STEPS = 12
_KINDS = ("scatter", "qq", "worm")


class ResidualDisplay:
    """Quantile residuals: standard normal under the right model, whatever the family.

    Build it with :meth:`from_estimator`, or from residuals of any model.

    Parameters
    ----------
    residuals : array-like of shape (n_samples,)
    against : array-like of shape (n_samples,)
        What they are drawn against.
    label : str
        What ``against`` is, for the axis.
    categories : sequence of str, default=None
        Names of the places 0, 1 and so on at which ``against`` stands, for a feature whose values
        stand alone: medians and central 90 % of each are drawn instead of running ones.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    References
    ----------
    Dunn & Smyth (1996), Randomized quantile residuals, Journal of Computational and Graphical
    Statistics 5; van Buuren & Fredriks (2001), Worm plot: a simple diagnostic device for modelling
    growth reference curves, Statistics in Medicine 20.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.inspection import ResidualDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> display = ResidualDisplay.from_estimator(moe, X, y, kind="worm")
    >>> display.ax_.get_xlabel()
    'normal quantile'
    """

    residuals: np.ndarray
    against: np.ndarray
    ax_: Any
    figure_: Any

    def __init__(self, *, residuals: Any, against: Any, label: str, categories: Any = None) -> None:
        self.residuals = np.asarray(residuals, dtype=np.float64)
        self.against = np.asarray(against, dtype=np.float64)
        self.label = label
        self.categories = categories

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        feature: Any = None,
        output: int | None = None,
        random_state: Any = 0,
        ax: Any = None,
        **plot: Any,
    ) -> ResidualDisplay:
        """Compute and draw the quantile residuals of a fitted regressor.

        Parameters
        ----------
        estimator : fitted regressor
            A mixture of experts, a pipeline that ends in one, or a search over them.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        feature : str or int, default=None
            Column of X against which they are drawn; None is the predicted mean. A category, and a
            number with two values, is drawn as columns of points.
        output : int, default=None
            Which output, where there are several.
        random_state : int, RandomState or None, default=0
            Seed of the draws, for targets whose single values have a probability.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : ResidualDisplay
        """
        moe = fitted_moe(estimator, needs="residuals", caller=cls.__name__)
        rows = inner_rows(estimator, X)
        left = moe.residuals(rows, y, random_state=random_state)
        said = moe.predict(rows)
        if left.ndim > 1:
            if output is None or not 0 <= output < left.shape[1]:
                raise ValueError(
                    f"{cls.__name__}: output={output!r} must be one of 0 to {left.shape[1] - 1}: "
                    "the target has several."
                )
            left, said = left[:, output], said[:, output]
        elif output is not None:
            raise ValueError(f"{cls.__name__}: output={output!r}, but the target has a single one.")
        label, categories = "predicted mean", None
        if feature is not None:
            said, label, categories = _feature(X, feature, cls.__name__)
        display = cls(residuals=left, against=said, label=label, categories=categories)
        return display.plot(ax, **plot)

    def plot(self, ax: Any = None, *, kind: str = "scatter") -> ResidualDisplay:
        """Draw the residuals.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        kind : {"scatter", "qq", "worm"}, default="scatter"
            ``"scatter"``: against the feature or the mean, with the running median and the running
            central 90 %; both should be level. ``"qq"``: against normal quantiles, with the band in
            which each of them lies with probability 0.95 under the model. ``"worm"``: the same
            minus the diagonal, which shows more.

        Returns
        -------
        self : ResidualDisplay
        """
        check_one_of(type(self).__name__, "kind", kind, _KINDS)
        self.ax_ = ax = axes_for(ax)
        self.figure_ = ax.figure
        if kind == "scatter":
            self._scatter(ax)
        else:
            self._quantiles(ax, level=kind == "worm")
        tidy(ax, grid="y")
        legend_above(ax)
        return self

    def _scatter(self, ax: Any) -> None:
        """Points, and running quantiles."""
        ax.axhline(0.0, color=ink(ax), linewidth=0.8)
        if self.categories is not None:
            self._columns(ax)
            return
        ax.scatter(self.against, self.residuals, s=10, color=DATA_COLOR, alpha=0.6, linewidths=0)
        at, running = _running(self.against, self.residuals)
        if at.size > 1:
            ax.plot(at, running[1], color=EXPERT_COLORS[0], linewidth=2.0, label="running median")
            look = {"color": EXPERT_COLORS[0], "alpha": 0.15, "linewidth": 0.0}
            ax.fill_between(at, running[0], running[2], label="central 90 %", **look)
        ax.set(xlabel=self.label, ylabel="quantile residual")

    def _columns(self, ax: Any) -> None:
        """Points of each category beside each other, their median and central 90 %."""
        at = np.arange(float(len(self.categories)))
        x = scattered(self.against, at)
        ax.scatter(x, self.residuals, s=10, color=DATA_COLOR, alpha=0.6, linewidths=0)
        held = [self.residuals[self.against == a] for a in at]
        low, middle, high = np.array([np.quantile(h, [0.05, 0.5, 0.95]) for h in held]).T
        bars = [middle - low, high - middle]
        look = {"marker": "o", "color": EXPERT_COLORS[0], "linestyle": "none", "elinewidth": 2.0}
        ax.errorbar(at, middle, yerr=bars, label="median, central 90 %", **look)
        name_categories(ax, at, self.categories)
        ax.set(xlabel=self.label, ylabel="quantile residual")

    def _quantiles(self, ax: Any, *, level: bool) -> None:
        """Ordered residuals against those of a normal sample."""
        left = np.sort(self.residuals)
        n = left.size
        rank = np.arange(1, n + 1)
        tail = 0.5 * (1.0 - _BAND)
        low, middle, high = (
            ndtri(beta.ppf(q, rank, n - rank + 1)) for q in (tail, 0.5, 1.0 - tail)
        )
        base = middle if level else np.zeros(n)
        look = {"color": DATA_COLOR, "alpha": 0.25, "linewidth": 0.0}
        ax.fill_between(middle, low - base, high - base, label=f"{100 * _BAND:.0f} % band", **look)
        ax.plot(middle, middle - base, color=ink(ax), linewidth=0.8)
        ax.scatter(middle, left - base, s=10, color=EXPERT_COLORS[0], linewidths=0)
        name = "quantile residual" + (" minus normal quantile" if level else "")
        ax.set(xlabel="normal quantile", ylabel=name)


def _feature(X: Any, feature: Any, caller: str) -> tuple[Floats, str, tuple[str, ...] | None]:
    """Where rows stand along a column, its name, and those of categories."""
    frame = as_frame(X)
    place = column_number(frame, feature, caller)
    values, label = frame.iloc[:, place], str(frame.columns[place])
    found = alone(values, label, caller)
    if found is None:
        return values.to_numpy(dtype=np.float64), label, None
    return np.searchsorted(found.at, found.places(values)).astype(np.float64), label, found.names


def _running(at: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Medians of ``at`` and 5, 50 and 95 % quantiles of ``values`` in groups of equal size."""
    order = np.argsort(at, kind="stable")
    groups = np.array_split(order, max(1, min(_STEPS, at.size // 10)))
    middle = np.array([np.median(at[g]) for g in groups])
    return middle, np.array([np.quantile(values[g], [0.05, 0.5, 0.95]) for g in groups]).T
