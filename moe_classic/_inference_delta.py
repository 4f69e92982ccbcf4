"""Functions of the parameters: the delta method, or their values at bootstrap draws."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ._inference_case import Case
from ._inference_curvature import ThetaCovariance
from ._inference_tables import draws_table, wald_table
from ._inference_terms import Terms
from ._model import MoEParams
from ._typing import Floats

#: Step of a numerical gradient, in standard errors: small against the curvature of any function
#: for which the delta method makes sense.
_STEP = 1e-4


@dataclass(frozen=True)
class Functions:
    """What functions of the parameters of one fit need.

    Attributes
    ----------
    estimator : the fitted estimator
    case, terms : its model, rows and parameters
    covariance : ThetaCovariance or list of MoEParams
        From the curvature, or the draws of a bootstrap.
    """

    estimator: Any
    case: Case
    terms: Terms
    covariance: ThetaCovariance | list[MoEParams]

    def table(
        self,
        function: Callable[[Any], Any],
        gradient: Callable[[Any], Any] | None,
        of: str,
        level: float,
    ) -> pd.DataFrame:
        """Table of the values of ``function``."""

        def value(params: MoEParams) -> Floats:
            return np.asarray(function(self.given(params, of)), dtype=np.float64).ravel()

        first = function(self.given(self.case.params, of))
        values = value(self.case.params)
        line = np.tile([-np.inf, np.inf], (values.size, 1))
        if isinstance(self.covariance, list):
            draws = np.array([value(p) for p in self.covariance])
            table = draws_table(values, draws, line, level)
        else:
            if gradient is None:
                G = self._differences(value, values.size, self.covariance)
            else:
                G = self._written(gradient, values.size)
            matrix = G @ self.covariance.covariance @ G.T
            matrix[self.covariance.undetermined(G)] = np.nan
            table = wald_table(values, matrix, line, level)
        return table.set_axis(first.index, axis=0) if isinstance(first, pd.Series) else table

    def given(self, params: MoEParams, of: str) -> Any:
        """What the user's function is given at ``params``."""
        if of == "parameters":
            return pd.Series(self.terms.values(params), index=self.terms.index())
        shadow = copy(self.estimator)
        shadow._order = None
        shadow._show(params, self.estimator._shares)
        return shadow

    def _written(self, gradient: Callable[[Any], Any], m: int) -> Floats:
        """Derivatives (m, D) in theta from the user's derivatives in the parameters."""
        rows = np.asarray(gradient(self.given(self.case.params, "parameters")), dtype=np.float64)
        count = len(self.terms.labels)
        if rows.size != m * count:
            raise ValueError(
                f"gradient returned shape {rows.shape}; {m} values of {count} parameters need "
                f"({m}, {count})."
            )
        return rows.reshape(m, count) @ self.terms.jacobian(self.case.params)

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
