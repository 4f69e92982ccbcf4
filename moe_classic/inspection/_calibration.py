"""Whether predictive distributions keep what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binom
from sklearn.utils.validation import _check_sample_weight, check_array

from moe_classic._arguments import check_one_of
from moe_classic._typing import Floats
from moe_classic.metrics import pit_values

from ._style import DATA_COLOR, EXPERT_COLORS, axes_for, ink, legend_above, tidy

#: Probability of the bands in which a calibrated model lies, at each place on its own.
_BAND = 0.95


class CalibrationDisplay:
    """Probability integral transform and coverage of predictive distributions.

    Build it with :meth:`from_estimator`, or from PIT values of any model. For classifiers use
    :class:`sklearn.calibration.CalibrationDisplay`.

    Parameters
    ----------
    pit : array-like of shape (n_samples,) or (n_samples, n_outputs)
        ``P(Y <= y | x)`` of the observed targets; outputs are pooled.
    sample_weight : array-like of shape (n_samples,), default=None

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    References
    ----------
    Gneiting, Balabdaoui & Raftery (2007), Probabilistic forecasts, calibration and sharpness,
    Journal of the Royal Statistical Society B 69.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.inspection import CalibrationDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> display = CalibrationDisplay.from_estimator(moe, X, y)
    >>> display.ax_.get_xlabel()
    'probability integral transform'
    """

    ax_: Any
    figure_: Any

    def __init__(self, *, pit: Any, sample_weight: Any = None) -> None:
        self.pit = pit
        self.sample_weight = sample_weight

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        ax: Any = None,
        **plot: Any,
    ) -> CalibrationDisplay:
        """Compute and draw the calibration of a fitted regressor; use rows it was not fitted to.

        Parameters
        ----------
        estimator : fitted regressor
            A mixture of experts, a pipeline that ends in one, or a search over them.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : CalibrationDisplay
        """
        pit = pit_values(estimator, X, y, random_state=0)
        return cls(pit=pit, sample_weight=sample_weight).plot(ax, **plot)

    def plot(self, ax: Any = None, *, kind: str = "pit", bins: int = 20) -> CalibrationDisplay:
        """Draw the calibration, with the band in which 95 % of calibrated models lie.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        kind : {"pit", "coverage"}, default="pit"
            ``"pit"``: histogram of the PIT, flat if calibrated, U-shaped if too sure, hump-shaped
            if too careful, sloped if biased. ``"coverage"``: share of targets inside central
            intervals against the nominal one.
        bins : int, default=20
            Bins of the histogram.

        Returns
        -------
        self : CalibrationDisplay
        """
        check_one_of("CalibrationDisplay", "kind", kind, ("pit", "coverage"))
        if not isinstance(bins, (int, np.integer)) or bins < 2:
            raise ValueError(f"CalibrationDisplay: bins={bins!r} must be an integer >= 2.")
        pit, w = self._rows()
        self.ax_ = ax = axes_for(ax, size=(5.4, 4.2))
        self.figure_ = ax.figure
        # Kish's effective number of rows.
        n = w.sum() ** 2 / (w**2).sum()
        if kind == "pit":
            _draw_pit(ax, pit, w, n, int(bins))
        else:
            _draw_coverage(ax, pit, w, n)
        legend_above(ax)
        return self

    def _rows(self) -> tuple[Floats, Floats]:
        """Pooled PIT values and their weights, summing to 1."""
        pit = check_array(self.pit, ensure_2d=False, dtype=np.float64, input_name="pit")
        columns = pit.reshape(len(pit), -1)
        w = _check_sample_weight(self.sample_weight, columns, dtype=np.float64)
        repeated = np.repeat(w, columns.shape[1])
        return columns.ravel(), repeated / repeated.sum()


def _band(n: float, p: Floats) -> tuple[Floats, Floats]:
    """Central interval of a share of n rows that has expectation p."""
    count = max(round(n), 1)
    tail = 0.5 * (1.0 - _BAND)
    return binom.ppf(tail, count, p) / count, binom.ppf(1.0 - tail, count, p) / count


def _draw_pit(ax: Any, pit: Floats, w: Floats, n: float, bins: int) -> None:
    """Histogram of the PIT, relative to the uniform density."""
    share, edges = np.histogram(pit, bins=bins, range=(0.0, 1.0), weights=w)
    low, high = (float(v) * bins for v in _band(n, np.array(1.0 / bins)))
    blue = EXPERT_COLORS[0]
    ax.stairs(share * bins, edges, fill=True, color=blue, alpha=0.3)
    ax.stairs(share * bins, edges, color=blue, linewidth=1.6, label="this model")
    ax.axhline(1.0, color=ink(ax), linestyle=(0, (5, 2)), linewidth=1.2, label="calibrated")
    ax.axhspan(low, high, facecolor=DATA_COLOR, alpha=0.25, lw=0, label="95 % band")
    for level in (low, high):
        ax.axhline(level, color=DATA_COLOR, linewidth=1.0)
    ax.set(xlabel="probability integral transform", ylabel="density", xlim=(0.0, 1.0))
    ax.set_ylim(0.0, 1.06 * max(float(share.max()) * bins, high))
    tidy(ax)


def _draw_coverage(ax: Any, pit: Floats, w: Floats, n: float) -> None:
    """Observed against nominal coverage of central intervals."""
    nominal = np.linspace(0.0, 1.0, 101)
    # y lies in the central interval of coverage c when |2 PIT - 1| <= c.
    needed = np.abs(2.0 * pit - 1.0)
    order = np.argsort(needed)
    covered = np.append(0.0, np.cumsum(w[order]))
    observed = covered[np.searchsorted(needed[order], nominal, side="right")]
    low, high = _band(n, nominal)
    ax.fill_between(nominal, low, high, color=DATA_COLOR, alpha=0.25, lw=0, label="95 % band")
    ax.plot(
        [0.0, 1.0],
        [0.0, 1.0],
        color=ink(ax),
        linestyle=(0, (5, 2)),
        lw=1.2,
        label="calibrated",
    )
    ax.plot(nominal, observed, color=EXPERT_COLORS[0], linewidth=2.2, label="this model")
    ax.set(
        xlabel="nominal coverage of central intervals",
        ylabel="share of targets inside",
        xlim=(0.0, 1.0),
        ylim=(0.0, 1.0),
    )
    tidy(ax, grid="both")
