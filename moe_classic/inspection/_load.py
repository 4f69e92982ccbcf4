"""Which experts work: their load over the epochs, and what found no room."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._arguments import check_one_of
from moe_classic._results import fitted_moe
from moe_classic._typing import Floats

from ._style import DATA_COLOR, axes_for, ink, legend_above, line_look, tidy

#: With more experts than this, quantiles are drawn instead of a line for each.
_LINES = 8


class LoadDisplay:
    """Load of the experts of a sparse layer over the epochs.

    Build it with :meth:`from_estimator`, or from arrays.

    Parameters
    ----------
    load : ndarray of shape (n_epochs, n_experts)
        Share of the pairs of each expert.
    dropped : ndarray of shape (n_epochs,), default=None
        Share of the pairs that found no room; drawn where there are any.
    best : int, default=None
        Number of the epoch that was kept, from 1.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.datasets import make_regimes
    >>> from moe_classic.inspection import LoadDisplay
    >>> moe = SparseMoERegressor(random_state=0).fit(*make_regimes(2000, random_state=0))
    >>> LoadDisplay.from_estimator(moe)  # doctest: +SKIP
    """

    ax_: Any
    figure_: Any

    def __init__(
        self, *, load: Floats, dropped: Floats | None = None, best: int | None = None
    ) -> None:
        self.load = load
        self.dropped = dropped
        self.best = best

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, layer: int = 0, ax: Any = None, **plot: Any
    ) -> LoadDisplay:
        """Draw the loads of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            One with sparse layers, a pipeline that ends in one, or a search over them.
        layer : int, default=0
            Number of the sparse layer.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : LoadDisplay
        """
        moe = fitted_moe(estimator, needs="load_history_", caller=cls.__name__)
        n_layers = moe.load_history_.shape[1]
        if not -n_layers <= layer < n_layers:
            raise ValueError(f"layer={layer!r} must lie in [-{n_layers}, {n_layers}).")
        dropped = moe.history_[f"dropped_{layer % n_layers}"].to_numpy()
        display = cls(load=moe.load_history_[:, layer], dropped=dropped, best=moe.best_iter_)
        return display.plot(ax, **plot)

    def plot(self, ax: Any = None, *, kind: str = "epochs") -> LoadDisplay:
        """Draw the loads.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        kind : {"epochs", "experts"}, default="epochs"
            ``"epochs"``: load over even load by epoch, a line an expert, or quantiles of many.
            ``"experts"``: loads in the epoch that was kept, a bar an expert, largest first.

        Returns
        -------
        self : LoadDisplay
        """
        check_one_of("LoadDisplay", "kind", kind, ("epochs", "experts"))
        self.ax_ = ax = axes_for(ax)
        self.figure_ = ax.figure
        (self._draw_epochs if kind == "epochs" else self._draw_experts)(ax)
        return self

    def _draw_epochs(self, ax: Any) -> None:
        """Loads over an even load, by epoch."""
        from matplotlib.ticker import MaxNLocator

        E = self.load.shape[1]
        epochs, ratio = np.arange(1, len(self.load) + 1), self.load * E
        if E <= _LINES:
            for e in range(E):
                ax.plot(epochs, ratio[:, e], label=f"expert {e}", linewidth=1.8, **line_look(e))
        else:
            self._draw_quantiles(ax, epochs, ratio)
        ax.axhline(1.0, color=ink(ax), linewidth=0.9, linestyle=":")
        if self.dropped is not None and (self.dropped > 0.0).any():
            label = "pairs without room (share)"
            ax.plot(epochs, self.dropped, color=ink(ax), linewidth=1.4, label=label)
        if self.best:
            ax.axvline(self.best, color=DATA_COLOR, linewidth=1.0, linestyle="--")
        ax.set(xlabel="epoch  (dashed: kept)", ylabel="load over even load")
        ax.set_ylim(bottom=0.0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        tidy(ax, grid="y")
        legend_above(ax)

    @staticmethod
    def _draw_quantiles(ax: Any, epochs: Any, ratio: Floats) -> None:
        """Least, quartiles and most of many experts."""
        low, lower, middle, upper, high = np.quantile(ratio, [0, 0.25, 0.5, 0.75, 1], axis=1)
        color = line_look(0)["color"]
        ax.fill_between(epochs, low, high, color=color, alpha=0.15, label="all experts", lw=0)
        ax.fill_between(epochs, lower, upper, color=color, alpha=0.35, label="middle half", lw=0)
        ax.plot(epochs, middle, color=color, linewidth=2.0, label="median")

    def _draw_experts(self, ax: Any) -> None:
        """Loads in the epoch that was kept, largest first."""
        E = self.load.shape[1]
        at = (self.best or len(self.load)) - 1
        order = np.argsort(-self.load[at], kind="stable")
        ax.bar(np.arange(E), E * self.load[at, order], color=line_look(0)["color"], width=0.85)
        ax.axhline(1.0, color=ink(ax), linewidth=0.9, linestyle=":")
        names = [str(e) for e in order] if E <= 2 * _LINES else []
        ax.set_xticks(np.arange(len(names)), names)
        ax.set(xlabel="expert, busiest first", ylabel="load over even load")
        tidy(ax, grid="y")
