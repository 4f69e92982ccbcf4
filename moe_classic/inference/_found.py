"""What inference found: tables with their covariance, from the curvature or from draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._arguments import check_fraction
from moe_classic._model import available
from moe_classic._results import ALIASED, CONSTANT, SEPARATED, PrintedTable
from moe_classic._typing import Floats

from ._bootstrap import Draws
from ._case import FittedModel
from ._curvature import Curvature, distance_from_optimum, theta_covariance
from ._delta import DeltaMethod
from ._findings import Caveat, fixed_places
from ._hypotheses import HypothesisTest, wald_test, wald_test_terms
from ._printed import printed
from ._tables import (
    aliased_terms,
    draws_table,
    far_sentence,
    found_sentences,
    held_terms,
    notes_of,
    singular_sentence,
    wald_table,
    weight_sentence,
)
from ._terms import Terms

#: Standard errors by which a Newton step may move the estimates before they are no optimum.
_FAR = 0.3
#: Share of refits that may fail before a warning.
_FAILED = 0.05


@dataclass(frozen=True)
class Inference:
    """Tables and covariance of the parameters of one fit.

    Attributes
    ----------
    kind : str
        How the covariance was found.
    level : float
        Coverage of the intervals.
    table : DataFrame
        One row a parameter, indexed by (part, expert, kind, term), on the user's scales:
        ``estimate``, ``std_error``, ``z``, ``p_value``, ``low``, ``high``, and a ``note`` where
        something must be known. Coefficients of a softmax gate are relative to the last expert.
        Intervals of parameters with bounds (scales, degrees of freedom, proportions, correlations)
        are computed on a logarithmic or logit scale, so that they respect them; a test against zero
        makes no sense there and is left out.
    covariance : DataFrame
        Covariance of the estimates, with the labels of ``table`` on both sides.
    draws : DataFrame or None
        Refitted parameters, one row a bootstrap sample.
    warnings : tuple of str
        What was warned about.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.inference import inference
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> found = inference(moe, X, y)
    >>> found.wald_test("x0[1] = x0[2]").df
    1
    """

    kind: str
    level: float
    table: pd.DataFrame
    covariance: pd.DataFrame
    draws: pd.DataFrame | None
    warnings: tuple[str, ...]
    _delta_method: DeltaMethod = field(repr=False)

    @property
    def experts(self) -> pd.DataFrame:
        """Rows of the table that belong to experts."""
        return self.table[self.table.index.get_level_values("part") != "gate"]

    @property
    def gate(self) -> pd.DataFrame:
        """Rows of the table that belong to the gate."""
        return self.table[self.table.index.get_level_values("part") == "gate"]

    def conf_int(self, level: float | None = None) -> pd.DataFrame:
        """Intervals of all parameters.

        Parameters
        ----------
        level : float in (0, 1), default=None
            Coverage; None is that of ``table``.

        Returns
        -------
        intervals : DataFrame with columns low and high
        """
        level = self.level if level is None else check_fraction("level", level)
        values = self.table["estimate"].to_numpy()
        bounds = Terms(self._delta_method.case).bounds
        if self.draws is None:
            table = wald_table(values, self.covariance.to_numpy(), bounds, level)
        else:
            table = draws_table(values, self.draws.to_numpy(), bounds, level)
        table = table[["low", "high"]].set_axis(self.table.index, axis=0)
        return table.where(self.table["std_error"].notna())

    def summary(self) -> PrintedTable:
        """All of it as one page: printed within 80 columns, HTML in a notebook, LaTeX.

        Returns
        -------
        page : PrintedTable
            With ``to_html()``, ``to_latex()`` and, where that package is installed,
            ``to_great_tables()``. BIC and AIC are of the rows that were given.
        """
        return printed(
            self._delta_method.case,
            self.table,
            kind=self.kind,
            level=self.level,
            said=self.warnings,
            name=type(self._delta_method.estimator).__name__,
        )

    def wald_test(self, hypothesis: Any) -> HypothesisTest:
        """Joint Wald test of linear hypotheses about the parameters.

        Parameters
        ----------
        hypothesis : str, array-like or (array-like, array-like)
            Equations, separated by commas: ``"x[1] = x[2]"`` (the slope of x in experts 1 and 2),
            ``"x = 0"`` (in all experts), ``"gate: x = 0"``, ``"x[1] - 2 * z[1] = 0.5"``,
            ``"x[1] = x[2] = x[3]"``. A number in brackets counts experts from 1, and a name in
            brackets is an expert's own. A part before a colon is the gate or an output. Names with
            other than letters, digits, points and underscores stand in backticks. Or a matrix R
            (m, n_parameters), in the order of ``table``, for ``R b = 0``; or a pair (R, r) for
            ``R b = r``.

        Returns
        -------
        test : HypothesisTest
            Chi-squared; as many degrees of freedom as the hypotheses have rank.

        Raises
        ------
        ValueError
            If the hypothesis cannot be read, or speaks of parameters without a standard error.
        """
        return wald_test(self.table, self.covariance, hypothesis)

    def wald_test_terms(self) -> pd.DataFrame:
        """Joint tests of every feature: absent from experts, equal in them, absent from the gate.

        Returns
        -------
        tests : DataFrame
            Indexed by (part, term, hypothesis), with ``statistic``, ``df`` and ``p_value``; NaN
            where a standard error does not exist.
        """
        return wald_test_terms(self.table, self.covariance)

    def delta(
        self,
        function: Callable[[Any], Any],
        *,
        gradient: Callable[[Any], Any] | None = None,
        of: str = "parameters",
    ) -> pd.DataFrame:
        """Standard error and interval of a function of the parameters.

        By the delta method; after a bootstrap, from the function's values at the draws.

        Parameters
        ----------
        function : callable
            Returns a number, an array or a Series of m values.
        gradient : callable, default=None
            Derivatives (m, n_parameters) of ``function``; None takes central differences. Only
            with ``of="parameters"``.
        of : {"parameters", "estimator"}, default="parameters"
            What ``function`` is given: a Series of the parameters with the index of ``table``, or
            the estimator at these parameters, such as in ``lambda moe: moe.predict(X)``.

        Returns
        -------
        table : DataFrame
            With the columns of ``table`` but the note. Parameters at a bound count as known;
            values that depend on what the data do not determine get NaN.
        """
        if of not in ("parameters", "estimator"):
            raise ValueError(f"of={of!r} must be 'parameters' or 'estimator'.")
        if gradient is not None and (of == "estimator" or self.draws is not None):
            reason = "of='estimator'" if of == "estimator" else f"kind={self.kind!r}"
            raise ValueError(f"gradient has no meaning with {reason}; leave it out.")
        return self._delta_method.table(function, gradient, of, self.level)

    def __repr__(self) -> str:
        """The page that :meth:`summary` gives."""
        return str(self.summary())

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return self.summary().to_html()


def from_curvature(
    estimator: Any,
    case: FittedModel,
    terms: Terms,
    curve: Curvature,
    kind: str,
    level: float,
    known: list[Caveat],
) -> Inference:
    """Wald tables."""
    fixed, J = fixed_places(known, curve.gradient.size), terms.jacobian(case.params)
    weight = case.summary.weight
    theta = theta_covariance(curve, kind, fixed, weight, case.open)
    unknown = theta.undetermined(J)
    notes = notes_of(terms, J, known, curve.error_size)
    said = found_sentences(terms, J, known, held=True)
    said += weight_sentence(case.weighed.weight, weight)
    for i in np.flatnonzero(unknown):
        if not {ALIASED, SEPARATED} & set(notes[i]):
            notes[i].append("not determined by the data")
    singular = theta.unknown[:, theta.n_aliased :]
    if singular.size:
        said.append(singular_sentence(terms, singular, negative=theta.negative))
    elif available(case.model):
        far = distance_from_optimum(curve, fixed, weight, case.open)
        said += [far_sentence(far)] if far > _FAR else []
    covariance = J @ theta.covariance @ J.T
    hidden = unknown | held_terms(terms, J, fixed)
    covariance[hidden] = covariance[:, hidden] = np.nan
    table = wald_table(terms.values(case.params), covariance, terms.bounds, level)
    delta_method = DeltaMethod(estimator, case, theta)
    return _result(delta_method, terms, kind, level, table, covariance, notes, said, draws=None)


def from_draws(
    delta_method: DeltaMethod,
    terms: Terms,
    draws: Draws,
    curve: Curvature,
    kind: str,
    level: float,
    known: list[Caveat],
) -> Inference:
    """Bootstrap tables."""
    case = delta_method.case
    count = draws.failed + len(draws.params)
    if len(draws.params) < 2:
        raise ValueError(
            f"kind={kind!r}: {draws.failed} of {count} refits failed; the data do not carry this "
            "model. Use fewer experts or larger penalties."
        )
    J = terms.jacobian(case.params)
    said = found_sentences(terms, J, known, held=False)
    said += weight_sentence(case.weighed.weight, case.summary.weight)
    if draws.failed > _FAILED * count:
        said.append(
            f"{draws.failed} of {count} refits did not converge or let an expert interpolate its "
            "rows, and were left out."
        )
    values = np.array([terms.values(p) for p in draws.params])
    table = draws_table(terms.values(case.params), values, terms.bounds, level)
    notes = notes_of(terms, J, known, curve.error_size)
    covariance = np.atleast_2d(np.cov(values, rowvar=False))
    still = fixed_places([f for f in known if f.note == CONSTANT], curve.gradient.size)
    none = held_terms(terms, J, still) | aliased_terms(J, case.open)
    table.loc[none, table.columns != "estimate"] = np.nan
    covariance[none] = covariance[:, none] = np.nan
    frame = pd.DataFrame(values, columns=terms.index())
    return _result(delta_method, terms, kind, level, table, covariance, notes, said, draws=frame)


def _result(
    delta_method: DeltaMethod,
    terms: Terms,
    kind: str,
    level: float,
    table: pd.DataFrame,
    covariance: Floats,
    notes: list[list[str]],
    said: list[str],
    *,
    draws: pd.DataFrame | None,
) -> Inference:
    """The public record."""
    index = terms.index()
    table = table.assign(note=["; ".join(n) for n in notes]).set_axis(index, axis=0)
    square = pd.DataFrame(covariance, index=index, columns=index)
    return Inference(kind, float(level), table, square, draws, tuple(said), delta_method)
