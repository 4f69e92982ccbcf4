"""How clearly the experts share the data out."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._arguments import check_one_of
from moe_classic._results import fitted_moe, fitted_record, inner_rows
from moe_classic._typing import Floats

from ._style import axes_for, expert_color, hatch, ink, legend_above, tidy

#: Most rows that are drawn one by one.
_ROWS = 1000
#: Responsibilities below this say only that a row is another expert's.
_NOT_MINE = 1e-2


class ResponsibilityDisplay:
    """Responsibilities of the experts for rows of data.

    Build it with :meth:`from_estimator`, or from arrays.

    Parameters
    ----------
    responsibilities : ndarray of shape (n_samples, n_experts)
        Posterior probabilities of the experts; rows sum to 1.
    labels : sequence of str
        Names of the experts.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    References
    ----------
    Leisch (2004), FlexMix: a general framework for finite mixture models and latent class
    regression in R, Journal of Statistical Software 11 (the histogram).

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.inspection import ResponsibilityDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> display = ResponsibilityDisplay.from_estimator(moe, X, y)
    >>> display.responsibilities.shape
    (133, 2)
    """

    ax_: Any
    figure_: Any

    def __init__(self, *, responsibilities: Floats, labels: Any) -> None:
        self.responsibilities = responsibilities
        self.labels = labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        groups: Any = None,
        ax: Any = None,
        **plot: Any,
    ) -> ResponsibilityDisplay:
        """Compute and draw the responsibilities of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            A mixture of experts, a pipeline that ends in one, or a search over them.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        groups : array-like of shape (n_samples,), default=None
            Labels of the subjects of a mixture that was fitted to some.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : ResponsibilityDisplay
        """
        moe = fitted_moe(estimator, needs="responsibilities", caller=cls.__name__)
        known = {} if groups is None else {"groups": groups}
        R = moe.responsibilities(inner_rows(estimator, X), y, **known)
        return cls(responsibilities=R, labels=fitted_record(moe).labels).plot(ax, **plot)

    def plot(self, ax: Any = None, *, kind: str = "rows") -> ResponsibilityDisplay:
        """Draw the responsibilities.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        kind : {"rows", "histogram"}, default="rows"
            ``"rows"``: a column a row of data, sorted by expert and certainty; sharp corners mean
            that experts are told apart, long slopes that they overlap. ``"histogram"``: how often
            each responsibility occurs, leaving out those below 0.01, on a square-root axis; a peak
            at 1 means a component that stands alone.

        Returns
        -------
        self : ResponsibilityDisplay
        """
        check_one_of("ResponsibilityDisplay", "kind", kind, ("rows", "histogram"))
        self.ax_ = ax = axes_for(ax)
        self.figure_ = ax.figure
        if kind == "rows":
            self._draw_rows(ax)
        else:
            self._draw_histogram(ax)
        legend_above(ax)
        return self

    def _draw_rows(self, ax: Any) -> None:
        """Stacked columns, sorted."""
        R = self.responsibilities
        owner = R.argmax(axis=1)
        R = R[np.lexsort((-R.max(axis=1), owner))]
        n = len(R)
        if n > _ROWS:
            R = R[np.linspace(0, n - 1, _ROWS).round().astype(np.intp)]
        edges = np.linspace(0.0, n, len(R) + 1)
        top = np.cumsum(R, axis=1)
        for k, label in enumerate(self.labels):
            ax.stairs(
                top[:, k],
                edges,
                baseline=top[:, k] - R[:, k],
                fill=True,
                facecolor=expert_color(k),
                alpha=0.8,
                edgecolor="white",
                hatch=hatch(k),
                linewidth=0.0,
                label=label,
            )
        for border in np.cumsum(np.bincount(owner, minlength=R.shape[1]))[:-1]:
            ax.axvline(border, color=ink(ax), linewidth=0.8)
        ax.set(
            xlabel="rows, sorted by expert and certainty",
            ylabel="responsibility",
            xlim=(0.0, n),
            ylim=(0.0, 1.0),
        )
        tidy(ax)

    def _draw_histogram(self, ax: Any) -> None:
        """Histograms of all experts, their bars side by side."""
        edges = np.linspace(0.0, 1.0, 11)
        K = len(self.labels)
        width = 0.085 / K
        for k, label in enumerate(self.labels):
            mine = self.responsibilities[:, k]
            counts, _ = np.histogram(mine[mine >= _NOT_MINE], edges)
            ax.bar(
                edges[:-1] + 0.0075 + (k + 0.5) * width,
                np.sqrt(counts),
                width,
                facecolor=expert_color(k),
                edgecolor="white",
                hatch=hatch(k),
                linewidth=0.0,
                label=label,
            )
        ticks = _square_ticks(ax.get_ylim()[1])
        ax.set_yticks(np.sqrt(ticks), [f"{t:d}" for t in ticks])
        ax.set_xticks(edges)
        ax.set(
            xlabel=f"responsibility, where at least {_NOT_MINE:g}",
            ylabel="rows (square-root scale)",
            xlim=(0.0, 1.0),
        )
        tidy(ax, grid="y")


def _square_ticks(top: float) -> Any:
    """Round counts, about evenly spaced on a square-root axis of this height."""
    wanted = np.linspace(0.0, top, 6) ** 2
    unit = 10.0 ** np.floor(np.log10(np.maximum(wanted, 1.0)))
    return np.unique((np.round(wanted / unit * 2.0) / 2.0 * unit).astype(np.intp))
