"""Functions of the parameters: the delta method, or their values at bootstrap draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._model import MoEParams
from moe_classic._results import with_record
from moe_classic._typing import Floats

from ._case import FittedModel
from ._curvature import ThetaCovariance
from ._tables import draws_table, wald_table
from ._terms import Terms

#: Step of a numerical gradient, in standard errors: small against the curvature of any function
#: for which the delta method makes sense. `scipy.differentiate` looks for its steps, and asks for
#: twelve times as many predictions of all rows.
_STEP = 1e-4


@dataclass(frozen=True)
class DeltaMethod:
    """What functions of the parameters of one fit need.

    Attributes
    ----------
    estimator : the fitted estimator
    case : its model, rows and parameters
    covariance : ThetaCovariance or list of MoEParams
        From the curvature, or the draws of a bootstrap.
    """

    estimator: Any
    case: FittedModel
    covariance: ThetaCovariance | list[MoEParams]

    def table(
        self,
        function: Callable[[Any], Any],
        gradient: Callable[[Any], Any] | None,
        of: str,
        level: float,
    ) -> pd.DataFrame:
        """Table of the values of ``function``."""
        terms, at = Terms(self.case), self.case.params

        def given(params: MoEParams) -> Any:
            if of == "parameters":
                return pd.Series(terms.values(params), index=terms.index())
            return self._estimator_at(params)

        def value(params: MoEParams) -> Floats:
            return np.asarray(function(given(params)), dtype=np.float64).ravel()

        first, values = function(given(at)), value(at)
        line = np.tile([-np.inf, np.inf], (values.size, 1))
        if isinstance(self.covariance, list):
            draws = np.array([value(params) for params in self.covariance])
            table = draws_table(values, draws, line, level)
        else:
            if gradient is None:
                G = self._differences(value, values.size, self.covariance)
            else:
                rows = _checked_rows(gradient(given(at)), values.size, len(terms.labels))
                G = rows @ terms.jacobian(at)
            matrix = G @ self.covariance.covariance @ G.T
            matrix[self.covariance.undetermined(G)] = np.nan
            table = wald_table(values, matrix, line, level)
        return table.set_axis(first.index, axis=0) if isinstance(first, pd.Series) else table

    def _estimator_at(self, params: MoEParams) -> Any:
        """The estimator at other parameters."""
        fitted = replace(self.case.fitted, order=None)
        return with_record(self.estimator, fitted.at(params, fitted.shares))

    def _differences(
        self, value: Callable[[MoEParams], Floats], m: int, theta: ThetaCovariance
    ) -> Floats:
        """Central differences (m, D) of a function in theta."""
        case, error = self.case, np.sqrt(np.diag(theta.covariance))
        at = case.model.pack(case.params)
        out = np.zeros((m, at.size))
        for i in range(at.size):
            step = np.zeros(at.size)
            step[i] = _STEP * (error[i] if error[i] > 0.0 else max(1.0, abs(at[i])))
            up = value(case.model.unpack(at + step, case.params, case.summary))
            down = value(case.model.unpack(at - step, case.params, case.summary))
            out[:, i] = (up - down) / (2.0 * step[i])
        return out


def _checked_rows(rows: Any, m: int, count: int) -> Floats:
    """Derivatives (m, count) that the user wrote."""
    given = np.asarray(rows, dtype=np.float64)
    if given.size != m * count:
        raise ValueError(
            f"gradient returned shape {given.shape}; {m} values of {count} parameters need "
            f"({m}, {count})."
        )
    return given.reshape(m, count)
