"""How a fit went: its trace, and where its starts ended."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from moe_classic._arguments import check_one_of
from moe_classic._results import fitted_moe
from moe_classic._typing import Floats

from ._style import DATA_COLOR, EXPERT_COLORS, axes_for, ink, legend_above, line_look, tidy, wrapped

#: Starts that end within this many nats of the best found the same optimum.
_SAME = 0.01


class ConvergenceDisplay:
    """The trace of a fit and the ends of its starts.

    Of a blend: the loss at every step of a Meta-Pi gate, or after every round of a hard mixture.

    Build it with :meth:`from_estimator`, or from arrays.

    Parameters
    ----------
    trace : ndarray of shape (n_steps,)
        The objective at every accepted step of the winning run, in nats; or losses.
    starts : DataFrame, default=None
        One row a start, with columns ``strategy``, ``objective``, ``finalist`` and
        ``degenerate_experts``; ``start_report_`` of a fitted estimator. None where there is one.
    converged : bool, default=None
        Whether the run ended by itself; None where rounds are compared.
    held_out : ndarray of shape (n_steps,), default=None
        Losses on rows that were not learned from.
    kept : int, default=None
        Number of the round that was kept, from 1, where rounds are compared: nothing makes their
        losses fall.
    objective_label : str, default="objective (nats)"
        Label of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.inspection import ConvergenceDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> display = ConvergenceDisplay.from_estimator(moe)
    >>> display.ax_.get_xlabel()
    'accepted step  (converged)'
    """

    ax_: Any
    figure_: Any

    def __init__(
        self,
        *,
        trace: Floats,
        starts: pd.DataFrame | None = None,
        converged: bool | None = None,
        held_out: Floats | None = None,
        kept: int | None = None,
        objective_label: str = "objective (nats)",
    ) -> None:
        self.trace = trace
        self.starts = starts
        self.converged = converged
        self.held_out = held_out
        self.kept = kept
        self.objective_label = objective_label

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
        moe = fitted_moe(estimator, needs="gate_", caller=cls.__name__)
        if hasattr(moe, "history_"):
            display = cls._of_rounds(moe)
        elif hasattr(moe, "start_report_"):
            trace = np.asarray(moe.trace_)
            display = cls(trace=trace, starts=moe.start_report_, converged=moe.converged_)
        else:
            display = cls(
                trace=np.asarray(moe.trace_),
                converged=moe.converged_,
                objective_label="loss over the variance of the target",
            )
        return display.plot(ax, **plot)

    @classmethod
    def _of_rounds(cls, moe: Any) -> ConvergenceDisplay:
        """The rounds of a hard mixture."""
        history = moe.history_
        validation = history.validation_loss.to_numpy()
        return cls(
            trace=history.loss.to_numpy(),
            held_out=validation if np.isfinite(validation).any() else None,
            kept=moe.best_round_,
            objective_label="mean squared error of the blend",
        )

    def plot(self, ax: Any = None, *, kind: str = "trace") -> ConvergenceDisplay:
        """Draw the trace or the starts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        kind : {"trace", "gap", "starts"}, default="trace"
            ``"trace"``: the objective by step. ``"gap"``: what was still to gain at each step, on
            a logarithmic axis: straight for linear, bent down for quadratic convergence; not for
            rounds. ``"starts"``: how far below the best each start ended, if there were several.

        Returns
        -------
        self : ConvergenceDisplay
        """
        check_one_of("ConvergenceDisplay", "kind", kind, ("trace", "gap", "starts"))
        if kind == "starts" and self.starts is None:
            raise ValueError(
                "ConvergenceDisplay: kind='starts' needs a fit from several starts, and this one "
                "has a single start; use kind='trace'."
            )
        if kind == "gap" and self.kept is not None:
            raise ValueError(
                "ConvergenceDisplay: kind='gap' needs a trace that ends at its best, and rounds "
                "need not; use kind='trace'."
            )
        self.ax_ = ax = axes_for(ax)
        self.figure_ = ax.figure
        {"trace": self._draw_trace, "gap": self._draw_gap, "starts": self._draw_starts}[kind](ax)
        return self

    def _draw_trace(self, ax: Any) -> None:
        """Objective by step, or losses by round."""
        if self.kept is not None:
            self._draw_rounds(ax, self.kept)
            return
        ax.plot(self.trace, color=EXPERT_COLORS[0], linewidth=2.0, marker="o", markersize=3.5)
        ax.set(xlabel=self._steps_label(), ylabel=self.objective_label)
        tidy(ax, grid="y")

    def _draw_rounds(self, ax: Any, kept: int) -> None:
        """Losses of the rounds, with a ring around the one that was kept."""
        from matplotlib.ticker import MaxNLocator

        rounds = np.arange(1, len(self.trace) + 1)
        judged = self.trace if self.held_out is None else self.held_out
        ax.plot(rounds, self.trace, label="rows learned from", marker="o", **line_look(0))
        if self.held_out is not None:
            ax.plot(rounds, self.held_out, label="rows held out", marker="^", **line_look(1))
        ax.scatter(
            [kept],
            [judged[kept - 1]],
            s=190,
            facecolors="none",
            edgecolors=ink(ax),
            linewidths=1.6,
            zorder=5,
            label="kept",
        )
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.margins(x=0.06, y=0.1)
        ax.set(xlabel="round", ylabel=self.objective_label)
        tidy(ax, grid="y")
        legend_above(ax)

    def _draw_gap(self, ax: Any) -> None:
        """What was still to gain, by step."""
        # The trace rises to a likelihood, or falls to a loss.
        gap = np.abs(self.trace[-1] - self.trace[:-1])
        steps = np.flatnonzero(gap > 0.0)
        ax.semilogy(steps, gap[steps], color=EXPERT_COLORS[0], lw=2.0, marker="o", markersize=3.5)
        unit = self.objective_label.removeprefix("objective ")
        label = f"still to gain {unit}" if unit.startswith("(") else f"{unit}, still to lose"
        ax.set(xlabel=self._steps_label(), ylabel=label)
        tidy(ax, grid="y")

    def _steps_label(self) -> str:
        """Label of the steps: how they ended."""
        if self.converged is None:
            return "accepted step"
        end = "converged" if self.converged else "stopped before it converged"
        return f"accepted step  ({end})"

    def _draw_starts(self, ax: Any) -> None:
        """Ends of the starts, one line a strategy."""
        if self.starts is None:
            return
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
            (spiked, "an expert at its smallest scale", {"marker": "x", "color": ink(ax)}),
        ]
        for chosen, label, look in looks:
            if chosen.any():
                ax.scatter(below[chosen], height[chosen], label=label, zorder=3, **look)
        ax.set_xscale("symlog", linthresh=_SAME)
        ax.set_yticks(range(len(strategies)), [wrapped(s, 24) for s in strategies])
        ax.invert_yaxis()
        ax.margins(x=0.06, y=0.2)
        same = int((below <= _SAME).sum())
        ax.set_xlabel(f"below the best start (nats): {same} of {len(below)} within {_SAME:g} of it")
        tidy(ax, grid="both")
        legend_above(ax)
