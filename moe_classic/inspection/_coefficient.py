"""Coefficients with their intervals, expert by expert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._arguments import check_one_of
from moe_classic._components import SLOPE, spoken
from moe_classic._results import ALIASED, fitted_mixture, fitted_moe, unwrapped

from ._profile import as_frame
from ._style import axes_for, ink, legend_above, paper, point_look, rule, tidy, wrapped

_COLUMNS = ("expert", "term", "estimate")
#: Terms that are no slopes, in tables that do not tell kinds; drawn only if asked for.
_NO_SLOPES = ("intercept", "scale", "df")
#: Ratio of standard deviations from which on features have unlike units.
_UNLIKE = 5.0


class CoefficientDisplay:
    """Estimates with intervals: one line a term, one mark an expert.

    Build it with :meth:`from_estimator` or :meth:`from_table`, or from a table in long form.

    Parameters
    ----------
    table : DataFrame
        Columns ``expert``, ``term``, ``estimate``, and optionally ``low`` and ``high``, the ends of
        an interval; others are not looked at. Terms are drawn in their order, from the top.
    xlabel : str, default="estimate"
        Label of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.inspection import CoefficientDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> display = CoefficientDisplay.from_estimator(moe, X, y)
    >>> list(display.table.term)
    ['x0', 'x0']
    """

    ax_: Any
    figure_: Any

    def __init__(self, *, table: pd.DataFrame, xlabel: str = "estimate") -> None:
        self.table = table
        self.xlabel = xlabel

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        kind: str = "observed",
        level: float = 0.95,
        sample_weight: Any = None,
        groups: Any = None,
        part: str = "expert",
        terms: Any = None,
        scale: Any = "auto",
        ax: Any = None,
        **plot: Any,
    ) -> CoefficientDisplay:
        """Compute and draw estimates and intervals of a fitted estimator with linear experts.

        Parameters
        ----------
        estimator : fitted estimator
            A mixture of experts, a pipeline that ends in one, or a search over them.
        X, y, sample_weight, groups :
            The rows on which it was fitted.
        kind : str, default="observed"
            Kind of standard errors; see :func:`moe_classic.inference.inference`. Of a Bayesian
            mixture posterior means and credible intervals are drawn instead.
        level : float in (0, 1), default=0.95
            Coverage of the intervals.
        part, terms :
            As for :meth:`from_table`.
        scale : "auto", mapping from term to number, or None, default="auto"
            What estimates are multiplied by. ``"auto"``: the standard deviations of the features
            where these differ more than five times, so that slopes in unlike units can be read off
            one axis, which then says so. None: nothing.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : CoefficientDisplay
        """
        from moe_classic.inference import inference

        fitted_moe(estimator, needs="summary", caller=cls.__name__)
        moe, rows, y = unwrapped(estimator, X, y, needs="summary", caller=cls.__name__)
        if hasattr(moe, "sample_posterior"):
            check_one_of(f"{cls.__name__} of a posterior", "kind", kind, ("observed",))
            table = moe.summary(coverage=level).rename(columns={"mean": "estimate"})
            title = f"posterior mean and {100 * level:g} % interval"
            rows = _under_names(moe, rows)
            return cls._of_rows(table, rows, title, part, terms, scale).plot(ax, **plot)
        fitted_moe(estimator, needs="inference", caller=cls.__name__)
        options = {"sample_weight": sample_weight, "groups": groups}
        result = inference(moe, rows, y, kind=kind, level=level, **options)
        rows = _under_names(moe, rows)
        return cls.from_inference(result, rows, part=part, terms=terms, scale=scale, ax=ax, **plot)

    @classmethod
    def from_inference(
        cls,
        result: Any,
        X: Any,
        *,
        part: str = "expert",
        terms: Any = None,
        scale: Any = "auto",
        ax: Any = None,
        **plot: Any,
    ) -> CoefficientDisplay:
        """Draw what :func:`moe_classic.inference.inference` found.

        Parameters
        ----------
        result : Inference
        X : array-like of shape (n_samples, n_features)
            Rows whose features have the standard deviations of ``scale="auto"``.
        part, terms, scale, ax, **plot :
            As for :meth:`from_estimator`.

        Returns
        -------
        display : CoefficientDisplay
        """
        title = f"estimate and {100 * result.level:g} % interval"
        return cls._of_rows(result.table, X, title, part, terms, scale).plot(ax, **plot)

    @classmethod
    def _of_rows(
        cls, table: pd.DataFrame, X: Any, title: str, part: str, terms: Any, scale: Any
    ) -> CoefficientDisplay:
        """Estimates in units that the rows may give."""
        if isinstance(scale, str):
            check_one_of(cls.__name__, "scale", scale, ("auto",))
            scale = _units(_chosen(table, part, terms)[0], X)
            title += "" if scale is None else ", for a standard deviation of the feature"
        return cls(table=_drawn(table, part, terms, scale), xlabel=title)

    @classmethod
    def from_table(
        cls,
        table: pd.DataFrame,
        *,
        part: str = "expert",
        terms: Any = None,
        scale: Mapping[str, float] | pd.Series | None = None,
        xlabel: str = "estimate",
        ax: Any = None,
        **plot: Any,
    ) -> CoefficientDisplay:
        """Draw a table of estimates.

        Parameters
        ----------
        table : DataFrame
            With columns ``expert``, ``term``, ``estimate``, ``low`` and ``high``, and optionally
            ``part`` and ``kind``; levels of the index count as columns. The ``table`` of
            :func:`moe_classic.inference.inference` is one.
        part : {"expert", "gate"}, default="expert"
            Which rows to draw, if the table has parts.
        terms : sequence of str, default=None
            Terms to draw, from top to bottom; None draws slopes: rows of the kind ``slope``, or,
            in tables without kinds, all but ``intercept``, ``scale`` and ``df``. A term of several
            kinds, such as the slope of a column called "scale", is drawn with all of them.
        scale : mapping from term to number, default=None
            What estimates are multiplied by, for terms with different units: ``X.std()`` shows what
            a change of one standard deviation of a feature does.
        xlabel : str, default="estimate"
            Label of the axis.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : CoefficientDisplay
        """
        xlabel += "" if scale is None else ", scaled"
        return cls(table=_drawn(table, part, terms, scale), xlabel=xlabel).plot(ax, **plot)

    def plot(self, ax: Any = None) -> CoefficientDisplay:
        """Draw the estimates.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure as high as the table is long.

        Returns
        -------
        self : CoefficientDisplay
        """
        experts = list(dict.fromkeys(self.table.expert))
        terms = list(dict.fromkeys(self.table.term))
        names = [wrapped(t, 30) for t in terms]
        lines = len("\n".join(names).split("\n")) - len(terms)
        height = 1.1 + len(terms) * (0.22 + 0.16 * len(experts)) + 0.1 * lines
        self.ax_ = ax = axes_for(ax, size=(6.4, min(max(height, 2.4), 14.0)))
        self.figure_ = ax.figure
        ax.axvline(0.0, color=ink(ax), linewidth=0.9, zorder=1)
        step = min(0.18, 0.7 / len(experts))
        for k, expert in enumerate(experts):
            mine = self.table[self.table.expert == expert]
            offset = (k - 0.5 * (len(experts) - 1)) * step
            place = np.array([terms.index(t) for t in mine.term]) + offset
            bars = _bars(mine) if "low" in mine else None
            ax.errorbar(
                mine.estimate,
                place,
                xerr=bars,
                linestyle="none",
                markersize=6.5,
                elinewidth=1.8,
                markeredgecolor=paper(ax),
                capsize=0,
                label=str(expert),
                zorder=3,
                **point_look(k),
            )
            if "low" in mine:
                _draw_endless(ax, mine, place, point_look(k)["color"])
        for border in np.arange(0.5, len(terms) - 1):
            ax.axhline(border, color=rule(ax), linewidth=0.8, zorder=0)
        ax.set_yticks(range(len(terms)), names)
        ax.set(xlabel=self.xlabel, ylim=(len(terms) - 0.5, -0.5))
        ax.tick_params(axis="y", length=0)
        tidy(ax, grid="x")
        legend_above(ax)
        return self


def _draw_endless(ax: Any, rows: pd.DataFrame, place: np.ndarray, color: Any) -> None:
    """Arrows to the border of the axes for ends of intervals that are infinite."""
    across = ax.get_yaxis_transform()
    for end, border, marker in (("low", 0.0, "<"), ("high", 1.0, ">")):
        for at in place[np.isinf(rows[end].to_numpy())]:
            ax.plot(border, at, marker, color=color, transform=across, clip_on=False, zorder=3)


def _bars(rows: pd.DataFrame) -> np.ndarray:
    """Lengths (2, m) of intervals to the left and right; none where an end is infinite."""
    lengths = np.abs(rows[["low", "high"]].to_numpy().T - rows.estimate.to_numpy())
    return np.where(np.isfinite(lengths), lengths, 0.0)


def _drawn(table: pd.DataFrame, part: str, terms: Any, scale: Any) -> pd.DataFrame:
    """Rows of a table to draw."""
    chosen, flat = _chosen(table, part, terms)
    return _told(chosen if scale is None else _scaled(chosen, scale), flat)


def _chosen(table: pd.DataFrame, part: str, terms: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the terms asked for, and all of their part."""
    check_one_of("CoefficientDisplay", "part", part, ("expert", "gate"))
    flat = _of_part(_flat(table), part)
    return (_slopes(flat) if terms is None else _named(flat, terms)), flat


def _under_names(moe: Any, rows: Any) -> Any:
    """Rows under the names that features have in tables."""
    if isinstance(rows, pd.DataFrame):
        return rows
    width = np.shape(rows)[1]
    for design in fitted_mixture(moe).maps:
        if len(design.names) == width:
            return pd.DataFrame(np.asarray(rows), columns=list(design.names))
    return rows


def _units(chosen: pd.DataFrame, X: Any) -> dict[str, float] | None:
    """Standard deviations of the features, by term, where slopes in their units are unlike."""
    frame = as_frame(X)
    numeric = frame.select_dtypes("number")
    spreads = {str(c): float(numeric[c].std(ddof=0)) for c in numeric.columns}
    features = chosen.term.str.rpartition(": ")[2]
    if "kind" not in chosen or set(chosen.kind) != {SLOPE} or set(features) - set(spreads):
        return None
    sizes = [spreads[f] for f in features if spreads[f] > 0.0]
    if not sizes or max(sizes) <= _UNLIKE * min(sizes):
        return None
    return {term: spreads[f] for term, f in zip(chosen.term, features, strict=True)}


def _flat(table: Any) -> pd.DataFrame:
    """The table with the levels of its index as columns, checked."""
    named = [n for n in table.index.names if n is not None]
    flat = table.reset_index() if named else table
    missing = [c for c in _COLUMNS if c not in flat.columns]
    if missing or ("low" in flat) != ("high" in flat):
        raise ValueError(
            f"CoefficientDisplay: the table needs columns {list(_COLUMNS)}, and low and high "
            f"together or not at all; it has {list(flat.columns)}."
        )
    return flat


def _of_part(flat: pd.DataFrame, part: str) -> pd.DataFrame:
    """Rows of one part; with several outputs, terms get the output's name."""
    if "part" not in flat.columns:
        return flat
    mine = flat[flat.part.str.startswith(part)]
    if mine.empty:
        raise ValueError(
            f"CoefficientDisplay: no part {part!r} in the table; it has {sorted(set(flat.part))}."
        )
    output = mine.part.str.partition(": ")[2]
    if output.nunique() > 1:
        named = output.where(output == "", output + ": ")
        mine = mine.assign(term=named + mine.term)
    return mine


def _slopes(flat: pd.DataFrame) -> pd.DataFrame:
    """Rows of slopes; all where there are none."""
    slope = flat.kind == SLOPE if "kind" in flat else ~flat.term.isin(_NO_SLOPES)
    return _in_order(flat[slope] if slope.any() else flat)


def _named(flat: pd.DataFrame, terms: Any) -> pd.DataFrame:
    """Rows of some terms, in their order."""
    known = list(dict.fromkeys(flat.term))
    strange = [t for t in terms if t not in known]
    if strange:
        raise ValueError(f"CoefficientDisplay: no terms {strange} in the table; it has {known}.")
    return pd.concat([_in_order(flat[flat.term == t]) for t in terms], ignore_index=True)


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows term by term, those of one kind together."""
    keys = [name for name in ("kind", "term") if name in rows]
    groups = [part for _, part in rows.groupby(keys, sort=False)]
    return pd.concat(groups, ignore_index=True)


def _told(chosen: pd.DataFrame, flat: pd.DataFrame) -> pd.DataFrame:
    """The rows with their kind beside terms that do not say it, and aliased ones marked."""
    if "kind" not in chosen:
        return chosen
    kinds, known = set(flat.kind), chosen.get("note", pd.Series("", chosen.index))
    parts = zip(chosen.kind, chosen.term, known, strict=True)
    names = [spoken(k, t, kinds) + " (aliased)" * (ALIASED in n) for k, t, n in parts]
    return chosen.assign(term=names)


def _scaled(table: pd.DataFrame, scale: Any) -> pd.DataFrame:
    """Estimates and intervals times the number that belongs to their term."""
    missing = [t for t in dict.fromkeys(table.term) if t not in scale]
    if missing:
        raise ValueError(f"CoefficientDisplay: scale has no number for the terms {missing}.")
    factor = table.term.map(lambda t: float(scale[t]))
    numbers = [c for c in ("estimate", "low", "high") if c in table]
    scaled = table.assign(**{c: table[c] * factor for c in numbers})
    if "low" in scaled:
        # A negative factor turns an interval round.
        ends = np.sort(scaled[["low", "high"]].to_numpy(), axis=1)
        scaled = scaled.assign(low=ends[:, 0], high=ends[:, 1])
    return scaled
