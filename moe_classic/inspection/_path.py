"""Paths of penalties as pictures: slopes, and criteria, against the strength."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from moe_classic._arguments import check_one_of
from moe_classic._results import expert_labels, fitted_mixture
from moe_classic._typing import Floats

from ._style import DATA_COLOR, axes_for, ink, legend_above, line_look, point_look, tidy, wrapped

_KINDS = ("experts", "gate", "criterion")
#: Most slopes that are named at their ends.
_MOST = 12
#: Letters of their names in a line.
_LETTERS = 20


class PathDisplay:
    """Slopes of experts or gate, or a criterion, along a path of penalties.

    Build it with :meth:`from_path`.

    Parameters
    ----------
    result : RegularizationPath
        Of :func:`moe_classic.model_selection.path`.
    gate_ratio : float, default=None
        Which path to draw where there are several; None draws that of the chosen fit.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.inspection import PathDisplay
    >>> from moe_classic.model_selection import path
    >>> X, y = load_tone(return_X_y=True)
    >>> PathDisplay.from_path(path(X, y, alphas=5)).ax_.get_xscale()
    'log'
    """

    ax_: Any
    figure_: Any

    def __init__(self, *, result: Any, gate_ratio: float | None = None) -> None:
        self.result = result
        self.gate_ratio = gate_ratio

    @classmethod
    def from_path(
        cls,
        result: Any,
        *,
        kind: str = "experts",
        expert: int | None = None,
        gate_ratio: float | None = None,
        ax: Any = None,
    ) -> PathDisplay:
        """Draw a path.

        Parameters
        ----------
        result : RegularizationPath
            Of :func:`moe_classic.model_selection.path`.
        kind, expert, ax
            As for :meth:`plot`.
        gate_ratio : float, default=None
            Which path to draw where there are several; None draws that of the chosen fit.

        Returns
        -------
        display : PathDisplay
        """
        return cls(result=result, gate_ratio=gate_ratio).plot(ax, kind=kind, expert=expert)

    def plot(self, ax: Any = None, *, kind: str = "experts", expert: int | None = None) -> Any:
        """Draw slopes or a criterion; strong penalties are on the left.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        kind : {"experts", "gate", "criterion"}, default="experts"
            ``"experts"``: slopes on standardised features, an expert in its colour; those that the
            chosen fit leaves at zero are grey, its own are points. ``"gate"``: those of the gate.
            ``"criterion"``: what the fit was chosen by.
        expert : int, default=None
            Number of the only expert to draw; None draws all.

        Returns
        -------
        self : PathDisplay
        """
        from matplotlib.ticker import LogLocator, NullFormatter

        check_one_of("PathDisplay", "kind", kind, _KINDS)
        rows = self._rows()
        shown = self._experts(kind, expert)
        self.ax_ = ax = axes_for(ax)
        self.figure_ = ax.figure
        chosen = self.result.table.iloc[self.result.best_index_]
        if kind == "criterion":
            self._draw_criterion(ax, rows)
        else:
            gate = kind == "gate"
            coefs = self.result.gate_coefs_ if gate else self.result.coefs_
            terms = self.result.gate_terms_ if gate else self.result.terms_
            self._draw_slopes(ax, rows, coefs, shown, terms)
        if chosen.gate_ratio == rows.gate_ratio.iloc[0]:
            look = {"color": ink(ax), "linestyle": ":", "linewidth": 1.2}
            ax.axvline(chosen.alpha, label="chosen", **look)
        ax.set(xscale="log", xlabel="penalty alpha, per row")
        # Read from left to right, slopes come in.
        ax.set_xlim(rows.alpha.max() * 1.02, rows.alpha.min() / 1.02)
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        legend_above(ax)
        return self

    # -------------------------------------------------------------------- what to draw

    def _rows(self) -> pd.DataFrame:
        """Rows of one path."""
        table = self.result.table
        ratio = self.gate_ratio
        if ratio is None:
            ratio = table.gate_ratio[self.result.best_index_]
        rows = table[np.isclose(table.gate_ratio, ratio, rtol=1e-9, atol=0.0)]
        if rows.empty:
            known = [float(r) for r in table.gate_ratio.unique()]
            raise ValueError(
                f"PathDisplay: there is no path with gate_ratio={ratio!r}; choose one of {known}."
            )
        return rows[rows.highest]

    def _experts(self, kind: str, expert: int | None) -> list[int]:
        """Numbers of the experts to draw."""
        K = self.result.coefs_.shape[1]
        if kind == "gate" and self.result.gate_coefs_ is None:
            raise ValueError(
                "PathDisplay: kind='gate' needs a gate with a penalty under which slopes may be "
                "zero, such as gate=SoftmaxGate(penalty=Lasso())."
            )
        if expert is None:
            return list(range(K))
        if kind == "criterion":
            raise ValueError(
                f"PathDisplay: expert={expert!r} has no meaning with kind='criterion'; leave it "
                "out."
            )
        if isinstance(expert, bool) or not isinstance(expert, (int, np.integer)):
            raise TypeError(f"PathDisplay: expert={expert!r} must be an integer, or None.")
        if not 0 <= expert < K:
            raise ValueError(f"PathDisplay: expert={expert!r} must lie in 0, ..., {K - 1}.")
        return [int(expert)]

    # -------------------------------------------------------------------- drawing

    def _draw_slopes(
        self, ax: Any, rows: pd.DataFrame, coefs: Floats, shown: list[int], terms: list[str]
    ) -> None:
        """A line a slope; names at the weak end of those that were chosen."""
        chosen, alpha = coefs[self.result.best_index_], rows.alpha.to_numpy()
        at = self.result.table.iloc[self.result.best_index_]
        labels = expert_labels(fitted_mixture(self.result.best_estimator_).model)
        ends = []
        for k in shown:
            lines = coefs[rows.index, k]
            inside = chosen[k] != 0.0
            if (~inside).any():
                ax.plot(alpha, lines[:, ~inside], color=DATA_COLOR, linewidth=0.6, alpha=0.5)
            for i, j in enumerate(np.flatnonzero(inside)):
                label = labels[k] if i == 0 else None
                ax.plot(alpha, lines[:, j], linewidth=1.8, label=label, **line_look(k))
                ends.append((float(lines[-1, j]), terms[j]))
            if at.gate_ratio == rows.gate_ratio.iloc[0] and inside.any():
                ax.scatter(np.full(inside.sum(), at.alpha), chosen[k, inside], **point_look(k))
        ax.axhline(0.0, color=ink(ax), linewidth=0.9)
        ax.set(ylabel="slope, standardised")
        tidy(ax)
        self._name(ax, sorted(ends, key=lambda e: -abs(e[0]))[:_MOST], float(alpha[-1]))

    def _name(self, ax: Any, ends: list[tuple[float, str]], alpha: float) -> None:
        """Names of slopes right of their ends, moved apart where they would overlap."""
        low, high = ax.get_ylim()
        line, last, above = 0.045 * (high - low), -np.inf, 0
        for value, term in sorted(ends):
            text = wrapped(term, _LETTERS)
            lines = 1 + text.count("\n")
            last = max(value, last + 0.5 * line * (above + lines))
            above = lines
            ax.annotate(
                text,
                (alpha, last),
                xytext=(6.0, 0.0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=ink(ax),
                annotation_clip=False,
            )

    def _draw_criterion(self, ax: Any, rows: pd.DataFrame) -> None:
        """The criterion of each fit, and a ring around the chosen one."""
        name = self.result.criterion
        known, bars = rows[np.isfinite(rows[name])], None
        if f"{name}_std_error" in rows:
            bars = known[f"{name}_std_error"]
        look = line_look(0) | point_look(0)
        ax.errorbar(
            known.alpha, known[name], yerr=bars, markersize=4, linewidth=1.6, elinewidth=0.8, **look
        )
        best = self.result.table.iloc[self.result.best_index_]
        if best.gate_ratio == rows.gate_ratio.iloc[0]:
            ax.scatter(
                best.alpha,
                best[name],
                s=150,
                facecolors="none",
                edgecolors=ink(ax),
                linewidths=1.6,
                zorder=5,
            )
        title = "log score" if name == "log_score" else name.upper()
        better = "higher" if name == "log_score" else "lower"
        ax.set(ylabel=f"{title}  ({better} is better)")
        tidy(ax, grid="y")
