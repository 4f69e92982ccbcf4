"""How a fit went: its trace, and where its starts ended."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from moe_classic._access import fitted_moe
from moe_classic._typing import Floats

from ._profile import check_choice
from ._style import DATA_COLOR, EXPERT_COLORS, MIXTURE_COLOR, axes_for, legend_above, tidy

#: Starts that end within this many nats of the best found the same optimum.
_SAME = 0.01


class ConvergenceDisplay:
    """The trace of a fit and the ends of its starts.

    Build it with :meth:`from_estimator`, or from arrays.

    Parameters
    ----------
    trace : ndarray of shape (n_steps,)
        The objective at every accepted step of the winning run, in nats.
    starts : DataFrame
        One row a start, with columns ``strategy``, ``objective``, ``finalist`` and
        ``degenerate_experts``; ``start_report_`` of a fitted estimator.
    converged : bool
        Whether the run ended by itself.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, *, trace: Floats, starts: pd.DataFrame, converged: bool) -> None:
        self.trace = trace
        self.starts = starts
        self.converged = converged

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **plot: Any) -> ConvergenceDisplay:
        """Draw how a fitted estimator was found.

        Parameters
        ----------
        estimator : fitted estimator
            A mixture of experts, a pipeline that ends in one, or a search over them.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : ConvergenceDisplay
        """
        moe = fitted_moe(estimator, needs="start_report_", caller=cls.__name__)
        display = cls(
            trace=np.asarray(moe.trace_), starts=moe.start_report_, converged=moe.converged_
        )
        return display.plot(ax, **plot)

    def plot(self, ax: Any = None, *, kind: str = "trace") -> ConvergenceDisplay:
        """Draw the trace or the starts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        kind : {"trace", "gap", "starts"}, default="trace"
            ``"trace"``: the objective by step. ``"gap"``: what was still to gain at each step, on
            a logarithmic axis: straight for linear, bent down for quadratic convergence.
            ``"starts"``: how far below the best each start ended.

        Returns
        -------
        self : ConvergenceDisplay
        """
        check_choice("ConvergenceDisplay", "kind", kind, ("trace", "gap", "starts"))
        self.ax_ = ax = axes_for(ax)
        self.figure_ = ax.figure
        {"trace": self._draw_trace, "gap": self._draw_gap, "starts": self._draw_starts}[kind](ax)
        return self

    def _draw_trace(self, ax: Any) -> None:
        """Objective by step."""
        ax.plot(self.trace, color=EXPERT_COLORS[0], linewidth=2.0, marker="o", markersize=3.5)
        end = "converged" if self.converged else "stopped before it converged"
        ax.set(xlabel=f"accepted step  ({end})", ylabel="objective (nats)")
        tidy(ax, grid="y")

    def _draw_gap(self, ax: Any) -> None:
        """What was still to gain, by step."""
        gap = self.trace[-1] - self.trace[:-1]
        steps = np.flatnonzero(gap > 0.0)
        ax.semilogy(steps, gap[steps], color=EXPERT_COLORS[0], lw=2.0, marker="o", markersize=3.5)
        end = "converged" if self.converged else "stopped before it converged"
        ax.set(xlabel=f"accepted step  ({end})", ylabel="still to gain (nats)")
        tidy(ax, grid="y")

    def _draw_starts(self, ax: Any) -> None:
        """Ends of the starts, one line a strategy."""
        below = self.starts.objective.max() - self.starts.objective.to_numpy()
        strategies = list(dict.fromkeys(self.starts.strategy))
        height = np.array([strategies.index(s) for s in self.starts.strategy], dtype=np.float64)
        spiked = self.starts.degenerate_experts.to_numpy() > 0
        final = self.starts.finalist.to_numpy(dtype=bool)
        looks: list[tuple[Any, str, dict[str, Any]]] = [
            (final & ~spiked, "long run", {"marker": "o", "color": EXPERT_COLORS[0], "s": 60}),
            (
                ~final & ~spiked,
                "short run only",
                {"marker": "o", "facecolors": "none", "edgecolors": DATA_COLOR, "s": 60},
            ),
            (spiked, "an expert at its smallest scale", {"marker": "x", "color": MIXTURE_COLOR}),
        ]
        for chosen, label, look in looks:
            if chosen.any():
                ax.scatter(below[chosen], height[chosen], label=label, zorder=3, **look)
        ax.set_xscale("symlog", linthresh=_SAME)
        ax.set_yticks(range(len(strategies)), strategies)
        ax.invert_yaxis()
        ax.margins(x=0.06, y=0.2)
        same = int((below <= _SAME).sum())
        ax.set_xlabel(f"below the best start (nats): {same} of {len(below)} within {_SAME:g} of it")
        tidy(ax, grid="both")
        legend_above(ax)
