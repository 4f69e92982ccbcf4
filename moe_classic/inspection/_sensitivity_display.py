"""Sobol indices and main effects as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from moe_classic._arguments import check_one_of

from ._sensitivity import sensitivity
from ._sensitivity_tables import Sensitivity
from ._style import axes_for, ink, legend_above, line_look, tidy, wrapped

#: Most features whose main effects are drawn, those with the largest total index.
_MOST = 8


class SensitivityDisplay:
    """First-order and total Sobol indices, or main effects, of the features of a fitted regressor.

    Build it with :meth:`from_estimator`, or from a result of
    :func:`moe_classic.inspection.sensitivity`.

    Parameters
    ----------
    result : Sensitivity
    output : str, default=None
        Output to draw, by name; None draws the first.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import make_moe
    >>> from moe_classic.inspection import SensitivityDisplay
    >>> X, y = make_moe(300, random_state=0)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> SensitivityDisplay.from_estimator(moe, X)  # doctest: +SKIP
    """

    ax_: Any
    figure_: Any

    def __init__(self, *, result: Sensitivity, output: str | None = None) -> None:
        self.result = result
        self.output = output

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        output: str | None = None,
        kind: str = "indices",
        ax: Any = None,
        **options: Any,
    ) -> SensitivityDisplay:
        """Compute and draw the indices of a fitted regressor.

        Parameters
        ----------
        estimator, X, y :
            As for :func:`moe_classic.inspection.sensitivity`.
        output : str, default=None
            Output to draw, by name; None draws the first.
        kind : {"indices", "effects"}, default="indices"
            As for :meth:`plot`.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **options
            Passed to :func:`moe_classic.inspection.sensitivity`.

        Returns
        -------
        display : SensitivityDisplay
        """
        check_one_of(cls.__name__, "kind", kind, ("indices", "effects"))
        result = sensitivity(estimator, X, y, **options)
        return cls(result=result, output=output).plot(ax, kind=kind)

    def plot(self, ax: Any = None, *, kind: str = "indices") -> SensitivityDisplay:
        """Draw indices or effects.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        kind : {"indices", "effects"}, default="indices"
            ``"indices"``: two marks a feature with their intervals, largest total first.
            ``"effects"``: the mean of the prediction against each feature, on the scale of its
            quantiles, of the eight features with the largest totals.

        Returns
        -------
        self : SensitivityDisplay
        """
        check_one_of("SensitivityDisplay", "kind", kind, ("indices", "effects"))
        table, effects = self._of_output()
        order = table.total.sort_values(ascending=False, kind="stable").index
        self.ax_ = ax = axes_for(ax, size=(6.4, max(2.4, min(1.2 + 0.36 * len(order), 12.0))))
        self.figure_ = ax.figure
        if kind == "indices":
            self._draw_indices(ax, table.loc[order])
        else:
            self._draw_effects(ax, effects, list(order[:_MOST]))
        legend_above(ax)
        return self

    def _of_output(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Tables of one output."""
        table, effects = self.result.table, self.result.effects
        names = list(self.result.mean.index)
        output = names[0] if self.output is None else self.output
        if output not in names:
            raise ValueError(f"output={output!r} is not known; choose one of {names}.")
        if len(names) == 1:
            return table, effects
        return table.loc[output], effects[effects.output == output]

    def _draw_indices(self, ax: Any, table: pd.DataFrame) -> None:
        """Bars of first orders on those of totals, from the top."""
        place = np.arange(len(table))
        for name, shift, color in (
            ("total", -0.18, line_look(0)["color"]),
            ("first_order", 0.18, line_look(1)["color"]),
        ):
            value = table[name].to_numpy()
            bars = None
            if f"{name}_low" in table:
                ends = table[[f"{name}_low", f"{name}_high"]].to_numpy().T
                bars = np.maximum((ends - value) * [[-1.0], [1.0]], 0.0)
            label = "total" if name == "total" else "first order"
            look = {"ecolor": ink(ax), "error_kw": {"elinewidth": 1.2}}
            ax.barh(place + shift, value, 0.34, xerr=bars, color=color, label=label, **look)
        ax.set_yticks(place, [wrapped(str(name), 30) for name in table.index])
        ax.set_ylim(len(table) - 0.5, -0.5)
        ax.set(xlabel="share of the variance of the prediction")
        ax.axvline(0.0, color=ink(ax), linewidth=0.9)
        tidy(ax, grid="x")

    def _draw_effects(self, ax: Any, effects: pd.DataFrame, features: list[str]) -> None:
        """A line a feature."""
        for k, feature in enumerate(features):
            mine = effects[effects.feature == feature]
            level = np.linspace(0.01, 0.99, len(mine))
            look = line_look(k)
            ax.plot(level, mine.effect, label=feature, linewidth=1.8, **look)
            if "low" in mine:
                ax.fill_between(level, mine.low, mine.high, color=look["color"], alpha=0.15, lw=0)
        ax.axhline(0.0, color=ink(ax), linewidth=0.9, linestyle=":")
        ax.set(xlabel="quantile of the feature", ylabel="main effect")
        tidy(ax, grid="y")
