"""Tables of a sensitivity analysis: indices and effects, with ends from draws or errors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._results import FittedMixture, inner_rows
from moe_classic._typing import Floats

from ._sobol import Indices, Marginal


@dataclass(frozen=True)
class Sensitivity:
    """Sobol indices and main effects of a fitted regressor.

    Attributes
    ----------
    table : DataFrame
        Indexed by feature, with several outputs by (output, feature): ``first_order`` and
        ``total``, shares of the variance of the prediction; with intervals also
        ``first_order_low``, ``first_order_high``, ``total_low`` and ``total_high``.
    effects : DataFrame
        Main effects in long form: ``feature``, ``value``, ``effect`` (the mean of the prediction
        with the feature held there, less its average), with a posterior also ``low`` and ``high``;
        ``output`` where there are several.
    mean, variance : Series
        Of the prediction over the inputs, by output.
    method : str
        ``"exact"`` or ``"qmc"``.
    coverage : float or None
        Of the intervals; None where there are none.
    errors : DataFrame or None
        Those of the integration, of ``first_order`` and ``total``, indexed as ``table``: standard
        errors of quasi-Monte Carlo, rather too large; of sums over directions of a gate the
        difference to half as many points. None of formulas and Gauss's rules.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.inspection import sensitivity
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(3, random_state=0).fit(X, y)
    >>> sensitivity(moe, X).table.total.round(6).tolist()
    [1.0]
    """

    table: pd.DataFrame
    effects: pd.DataFrame
    mean: pd.Series
    variance: pd.Series
    method: str
    coverage: float | None = None
    errors: pd.DataFrame | None = None

    def __repr__(self) -> str:
        """The table."""
        return f"Sobol indices, method {self.method!r}\n{self.table}"


@dataclass(frozen=True)
class Question:
    """What is asked: of whom, over which inputs, at which values of the features."""

    estimator: Any
    moe: Any
    inputs: list[Marginal]
    names: list[str]
    frame: bool
    grids: Floats
    rows: Floats = field(default_factory=lambda: np.empty((0, 0)))
    held: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def inner(self, rows: Floats) -> Any:
        """Rows as the mixture itself sees them."""
        given = pd.DataFrame(rows, columns=self.names) if self.frame else rows
        return inner_rows(self.estimator, given)

    def predicted(self, moe: Any, rows: Any) -> Floats:
        """Predictions (d, m) of the mixture."""
        answer = np.asarray(moe.predict(rows))
        return answer.reshape(len(answer), -1).T


@dataclass(frozen=True)
class Answer:
    """Indices and main effects (d, p, m)."""

    indices: Indices
    effects: Floats


@dataclass(frozen=True)
class Report:
    """What was found, as tables."""

    asked: Question
    found: Answer
    method: str

    @property
    def _outputs(self) -> list[str]:
        """Names of the outputs."""
        d = len(self.found.indices.mean)
        record = record_of(self.asked.moe)
        names = record.target.names if isinstance(record, FittedMixture) else []
        return names if len(names) == d else ["y"] if d == 1 else [f"y{j}" for j in range(d)]

    def plain(self) -> Sensitivity:
        """Without intervals."""
        found, names, outputs = self.found.indices, self.asked.names, self._outputs
        index: Any = pd.Index(names, name="feature")
        if len(outputs) > 1:
            index = pd.MultiIndex.from_product([outputs, names], names=["output", "feature"])
        table = pd.DataFrame(
            {"first_order": found.first.ravel(), "total": found.total.ravel()}, index=index
        )
        d, p, m = self.found.effects.shape
        effects = pd.DataFrame(
            {
                "output": np.repeat(outputs, p * m),
                "feature": np.tile(np.repeat(names, m), d),
                "value": np.tile(self.asked.grids.ravel(), d),
                "effect": self.found.effects.ravel(),
            }
        )
        if d == 1:
            effects = effects.drop(columns="output")
        mean, variance = (
            pd.Series(v, index=outputs, name=name)
            for name, v in (("mean", found.mean), ("variance", found.variance))
        )
        errors = None
        if found.errors is not None:
            both = found.errors.reshape(2, -1)
            errors = pd.DataFrame({"first_order": both[0], "total": both[1]}, index=index)
        return Sensitivity(table, effects, mean, variance, self.method, errors=errors)

    def with_draws(self, draws: list[Answer], coverage: float) -> Sensitivity:
        """With quantiles of draws."""
        plain, tail = self.plain(), 0.5 * (1.0 - coverage)

        def ends(values: list[Floats]) -> Floats:
            return np.quantile(np.stack(values), [tail, 1.0 - tail], axis=0).reshape(2, -1)

        first, total = (
            ends([a.indices.first for a in draws]),
            ends([a.indices.total for a in draws]),
        )
        low, high = ends([a.effects for a in draws])
        return replace(
            plain,
            table=_with_ends(plain.table, first, total),
            effects=plain.effects.assign(low=low, high=high),
            coverage=coverage,
        )

    def with_errors(self, errors: pd.DataFrame, coverage: float) -> Sensitivity:
        """With intervals of the delta method."""
        plain = self.plain()
        ends = errors[["low", "high"]].to_numpy().T
        half = ends.shape[1] // 2
        table = _with_ends(plain.table, ends[:, :half], ends[:, half:])
        return replace(plain, table=table, coverage=coverage)


def _with_ends(table: pd.DataFrame, first: Floats, total: Floats) -> pd.DataFrame:
    """The table with the ends of intervals (2, rows)."""
    ends = {
        "first_order_low": first[0],
        "first_order_high": first[1],
        "total_low": total[0],
        "total_high": total[1],
    }
    first_columns = ["first_order", "first_order_low", "first_order_high"]
    return table.assign(**ends)[[*first_columns, "total", "total_low", "total_high"]]


def record_of(moe: Any) -> Any:
    """What the last fit left, if it is one of ours."""
    ask = getattr(moe, "__moe_fitted__", None)
    return None if ask is None else ask()
