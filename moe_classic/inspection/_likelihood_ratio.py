"""A bootstrap likelihood-ratio test: the statistic among those of simulated data."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._results import probability
from moe_classic._typing import Floats

from ._style import DATA_COLOR, axes_for, ink, tidy


class LikelihoodRatioDisplay:
    """Histogram of likelihood ratios under the null hypothesis, and the observed one as a line.

    Build it with :meth:`from_test`.

    Parameters
    ----------
    statistic : float
        Of the data.
    null : array-like of shape (n_bootstrap,)
        Of data drawn from the smaller model.
    n_experts : int
        Experts of the smaller model.
    p_value : float

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.model_selection import bootstrap_lrt
    >>> from moe_classic.inspection import LikelihoodRatioDisplay
    >>> X, y = load_tone(return_X_y=True)
    >>> test = bootstrap_lrt(X, y, n_bootstrap=3, random_state=0)
    >>> display = LikelihoodRatioDisplay.from_test(test)
    >>> display.null.size
    3
    """

    null: np.ndarray
    ax_: Any
    figure_: Any

    def __init__(self, *, statistic: float, null: Floats, n_experts: int, p_value: float) -> None:
        self.statistic = statistic
        self.null = np.asarray(null, dtype=np.float64)
        self.n_experts = n_experts
        self.p_value = p_value

    @classmethod
    def from_test(cls, test: Any, *, ax: Any = None, **plot: Any) -> LikelihoodRatioDisplay:
        """Draw a test.

        Parameters
        ----------
        test : LikelihoodRatioTest
            As :func:`moe_classic.model_selection.bootstrap_lrt` gives it.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : LikelihoodRatioDisplay
        """
        display = cls(
            statistic=test.statistic, null=test.null, n_experts=test.n_experts, p_value=test.p_value
        )
        return display.plot(ax, **plot)

    def plot(self, ax: Any = None, *, bins: Any = "fd") -> LikelihoodRatioDisplay:
        """Draw on ``ax``, or on a new figure.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        bins : int, str or sequence, default="fd"
            As for :func:`numpy.histogram_bin_edges`; the default is the rule of Freedman and
            Diaconis.

        Returns
        -------
        self : LikelihoodRatioDisplay
        """
        ax = axes_for(ax)
        K = self.n_experts
        ax.hist(self.null, bins=bins, color=DATA_COLOR, edgecolor="none", rwidth=0.92)
        ax.axvline(self.statistic, color=ink(ax), linewidth=2.0)
        right = self.statistic > 0.5 * float(np.max([*self.null, self.statistic]))
        p = probability(self.p_value)
        ax.annotate(
            f"data, p {p if p.startswith('<') else '= ' + p}",
            (self.statistic, 0.97),
            xycoords=("data", "axes fraction"),
            xytext=(-5 if right else 5, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top",
        )
        ax.set(
            xlabel=f"twice the gain from {K} to {K + 1} experts",
            ylabel=f"of {self.null.size} data sets drawn from the smaller model",
        )
        tidy(ax, grid="y")
        self.ax_, self.figure_ = ax, ax.figure
        return self
