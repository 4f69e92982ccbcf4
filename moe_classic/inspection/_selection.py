"""How many experts, and which: criteria against their number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ._style import DATA_COLOR, axes_for, ink, legend_above, line_look, paper, point_look, tidy

#: Criteria that are better when they are lower.
_LOWER = ("aic", "bic", "ebic", "icl")


class SelectionDisplay:
    """Criteria against the number of experts, one line a family of models; rings mark the best.

    Build it with :meth:`from_table` or :meth:`from_cv_results`, or from a table in long form.

    Parameters
    ----------
    curves : DataFrame
        One row a fitted model, with columns ``n_experts``, ``value`` and ``label`` (which line it
        belongs to), and optionally ``std``, half the length of an error bar, ``criterion`` (the
        best is then marked for each), and ``sound``, False for models that cannot be the best.
    criterion : str
        Label of the vertical axis.
    greater_is_better : bool
        Whether the best model has the largest value.

    Attributes
    ----------
    best_ : DataFrame
        The rows of ``curves`` with the best value of each criterion; after :meth:`plot`.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.model_selection import select
    >>> from moe_classic.inspection import SelectionDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> display = SelectionDisplay.from_table(select(X, y, n_experts=[1, 2, 3]).table)
    >>> int(display.best_.n_experts.iloc[0])
    3
    """

    ax_: Any
    figure_: Any
    best_: Any

    def __init__(self, *, curves: pd.DataFrame, criterion: str, greater_is_better: bool) -> None:
        self.curves = curves
        self.criterion = criterion
        self.greater_is_better = greater_is_better

    @classmethod
    def from_table(
        cls,
        table: pd.DataFrame,
        *,
        criterion: Any = "bic",
        by: Any = None,
        greater_is_better: bool | None = None,
        ax: Any = None,
        **plot: Any,
    ) -> SelectionDisplay:
        """Draw a table of criteria.

        Parameters
        ----------
        table : DataFrame
            One row a model, with ``n_experts`` as a column or as a level of the index, and a column
            a criterion; ``<criterion>_std_error`` gives error bars, and models with
            ``degenerate_experts`` are crossed out and not the best. The ``table`` of
            :func:`moe_classic.model_selection.select` is one.
        criterion : str or sequence of str, default="bic"
            Column to draw; several are drawn as a line each, and need the same direction.
        by : str or sequence of str, default=None
            Columns that tell families of models apart; each combination gets a line. None takes
            ``expert`` and ``gate``, if the table has them.
        greater_is_better : bool, default=None
            None: no for ``"aic"``, ``"bic"``, ``"ebic"`` and ``"icl"``, yes for anything else.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : SelectionDisplay
        """
        names = [criterion] if isinstance(criterion, str) else list(criterion)
        flat = table if "n_experts" in table.columns else table.reset_index()
        if by is None:
            groups = [c for c in ("expert", "gate") if c in flat.columns]
        else:
            groups = [by] if isinstance(by, str) else list(by)
        missing = [c for c in ["n_experts", *names, *groups] if c not in flat.columns]
        if missing:
            raise ValueError(
                f"SelectionDisplay: the table has no {missing}; it has {list(flat.columns)}."
            )
        up = {c: c.lower() not in _LOWER for c in names}
        if greater_is_better is None and len(set(up.values())) > 1:
            raise ValueError(
                f"SelectionDisplay: criterion={criterion!r} mixes criteria that are better low "
                "with such that are better high; draw them apart."
            )
        parts = [_curves(flat, name, groups, alone=len(names) == 1) for name in names]
        better = up[names[0]] if greater_is_better is None else greater_is_better
        title = ", ".join(_title(name) for name in names)
        display = cls(
            curves=pd.concat(parts, ignore_index=True), criterion=title, greater_is_better=better
        )
        return display.plot(ax, **plot)

    @classmethod
    def from_cv_results(
        cls, search: Any, *, scoring: str = "score", ax: Any = None, **plot: Any
    ) -> SelectionDisplay:
        """Draw the scores of a grid search over ``n_experts`` and other arguments.

        Parameters
        ----------
        search : fitted search, or its ``cv_results_``
            As :class:`~sklearn.model_selection.GridSearchCV` leaves it.
        scoring : str, default="score"
            Which score, in a search with several.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : SelectionDisplay
            Error bars are standard errors of the mean over folds.
        """
        results = getattr(search, "cv_results_", search)
        number = [k for k in results if k.startswith("param_") and k.endswith("n_experts")]
        mean, std = f"mean_test_{scoring}", f"std_test_{scoring}"
        if len(number) != 1 or mean not in results:
            raise ValueError(
                f"SelectionDisplay: the results need one param_..n_experts and {mean}; they have "
                f"{sorted(results)}."
            )
        others = {k: results[k] for k in results if k.startswith("param_") and k != number[0]}
        folds = sum(k.startswith("split") and k.endswith(f"_test_{scoring}") for k in results)
        curves = pd.DataFrame(
            {
                "n_experts": np.asarray(results[number[0]], dtype=int),
                "value": np.asarray(results[mean], dtype=float),
                "label": _labels(pd.DataFrame(others, index=range(len(results[mean]))), ""),
                "std": np.asarray(results[std], dtype=float) / np.sqrt(max(folds - 1, 1)),
            }
        )
        title = "score" if scoring == "score" else scoring
        title = f"mean {title} over {folds} folds"
        return cls(curves=curves, criterion=title, greater_is_better=True).plot(ax, **plot)

    def plot(self, ax: Any = None) -> SelectionDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        self : SelectionDisplay
        """
        known = self.curves.dropna(subset=["value"])
        if known.empty:
            raise ValueError("SelectionDisplay: the table has no value that is a number.")
        self.ax_ = ax = axes_for(ax)
        self.figure_ = ax.figure
        for i, (label, curve) in enumerate(known.groupby("label", sort=False)):
            curve = curve.sort_values("n_experts")
            look = line_look(i) | point_look(i)
            bars = curve.get("std")
            ax.errorbar(
                curve.n_experts,
                curve.value,
                yerr=bars,
                linewidth=1.9,
                markersize=6,
                markeredgecolor=paper(ax),
                capsize=2.5,
                elinewidth=1.0,
                label=label or None,
                **look,
            )
        self.best_ = self._best(known)
        spiked = known[~known.sound] if "sound" in known else known[:0]
        if len(spiked):
            ax.scatter(
                spiked.n_experts,
                spiked.value,
                marker="x",
                s=90,
                color=ink(ax),
                zorder=5,
                label="degenerate",
            )
        rings = ax.scatter(
            self.best_.n_experts,
            self.best_.value,
            s=190,
            facecolors="none",
            edgecolors=ink(ax),
            linewidths=1.6,
            zorder=5,
            label="best",
        )
        better = "higher" if self.greater_is_better else "lower"
        ax.set(xlabel="number of experts", ylabel=f"{self.criterion}  ({better} is better)")
        ax.set_xticks(np.unique(known.n_experts))
        ax.margins(x=0.06, y=0.1)
        ax.tick_params(color=DATA_COLOR)
        tidy(ax, grid="y")
        handles = [h for h in ax.get_legend_handles_labels()[0] if h is not rings]
        legend_above(ax, handles=[*handles, rings])
        return self

    def _best(self, known: pd.DataFrame) -> pd.DataFrame:
        """Best row of each criterion, among the sound ones if there are any."""
        if "sound" in known and known.sound.any():
            known = known[known.sound]
        apart = known.criterion if "criterion" in known else pd.Series("", index=known.index)
        values = known.value.groupby(apart)
        return known.loc[values.idxmax() if self.greater_is_better else values.idxmin()]


def _curves(flat: pd.DataFrame, name: str, groups: list[str], *, alone: bool) -> pd.DataFrame:
    """Long form of one criterion."""
    curves = pd.DataFrame(
        {
            "n_experts": flat.n_experts,
            "value": flat[name].astype(float),
            "label": _labels(flat[groups], "" if alone else _title(name)),
            "criterion": name,
        }
    )
    if f"{name}_std_error" in flat.columns:
        curves["std"] = flat[f"{name}_std_error"].astype(float)
    if "degenerate_experts" in flat.columns:
        curves["sound"] = flat.degenerate_experts.to_numpy() == 0
    return curves


def _title(criterion: str) -> str:
    """A criterion as it is written: acronyms in capitals."""
    return criterion.upper() if criterion.lower() in _LOWER else criterion


def _labels(groups: pd.DataFrame, prefix: str) -> list[str]:
    """Name of each row's line: what tells it apart."""
    varying = [c for c in groups if groups[c].map(str).nunique() > 1]
    rows = groups[varying].map(str).to_numpy() if varying else np.empty((len(groups), 0), object)
    return [", ".join([prefix] * bool(prefix) + list(row)) for row in rows]
