"""Coefficients of the experts with their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from moe_classic._access import fitted_moe

from ._style import axes_for, legend_above, point_look, tidy

_COLUMNS = ("expert", "term", "estimate")


class CoefficientDisplay:
    """Estimates with intervals: one line a term, one mark an expert.

    Build it with :meth:`from_table` (estimates with intervals) or :meth:`from_estimator`
    (estimates alone).

    Parameters
    ----------
    table : DataFrame
        In long form, with columns ``expert``, ``term``, ``estimate``, and optionally ``low`` and
        ``high``, the ends of an interval; others are not looked at.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, *, table: pd.DataFrame) -> None:
        self.table = table

    @classmethod
    def from_table(
        cls, table: pd.DataFrame, *, terms: Any = None, ax: Any = None, **plot: Any
    ) -> CoefficientDisplay:
        """Draw a table of estimates.

        Parameters
        ----------
        table : DataFrame
            With columns ``expert``, ``term``, ``estimate``, ``low`` and ``high``; levels of the
            index of these names count as columns.
        terms : sequence of str, default=None
            Terms to draw, from top to bottom; None draws all.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : CoefficientDisplay
        """
        flat = table.reset_index() if set(table.index.names) & {"expert", "term"} else table
        missing = [c for c in _COLUMNS if c not in flat.columns]
        if missing or ("low" in flat) != ("high" in flat):
            raise ValueError(
                f"CoefficientDisplay: the table needs columns {list(_COLUMNS)}, and low and high "
                f"together or not at all; it has {list(flat.columns)}."
            )
        if terms is not None:
            strange = sorted(set(terms) - set(flat.term))
            if strange:
                raise ValueError(
                    f"CoefficientDisplay: terms={strange} are not in the table; it has "
                    f"{list(dict.fromkeys(flat.term))}."
                )
            flat = pd.concat([flat[flat.term == t] for t in terms])
        return cls(table=flat.reset_index(drop=True)).plot(ax, **plot)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        intercept: bool = False,
        standardized: bool = False,
        X: Any = None,
        ax: Any = None,
        **plot: Any,
    ) -> CoefficientDisplay:
        """Draw the coefficients of a fitted estimator with linear experts, without intervals.

        Parameters
        ----------
        estimator : fitted estimator
            A mixture of experts, a pipeline that ends in one, or a search over them.
        intercept : bool, default=False
            Whether to draw the intercepts too.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot
            Passed to :meth:`plot`.

        Returns
        -------
        display : CoefficientDisplay
        """
        raise NotImplementedError
