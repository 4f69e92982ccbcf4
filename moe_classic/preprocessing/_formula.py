"""The right-hand side of a formula as a transformer of tables."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from moe_classic._adapters import (
    holds_numbers,
    model_matrix,
    pandas_table,
    refuse_missing,
    variables_of,
)
from moe_classic._arguments import check_one_of
from moe_classic._sklearn import BaseEstimator, TransformerMixin
from moe_classic._typing import Floats

from ._encoder import UnseenLevelWarning

#: Whole numbers as levels, which a table of numbers holds as float64.
_WHOLE = re.compile(r"\[(T\.|S\.)?(-?\d+)\.0\]")
#: Levels shown in a message.
_SHOWN = 5


class FormulaTerms(TransformerMixin, BaseEstimator):
    """Terms of a formula as columns: factors, interactions, functions, splines.

    Parameters
    ----------
    terms : str
        What stands right of the tilde in the language of formulaic, R and patsy, such as
        ``"x * treatment"``, ``"C(dose) + log(age)"`` or ``"bs(age, df=4)"``. An intercept is left
        out: gates and experts have their own.
    handle_unknown : {"warn", "error"}, default="warn"
        What becomes of a level of a factor that the fit did not see; see :class:`TableEncoder`.

    Attributes
    ----------
    variables_ : list of str
        Columns of the table that the terms name.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Examples
    --------
    >>> import pandas as pd
    >>> from moe_classic.preprocessing import FormulaTerms
    >>> table = pd.DataFrame({"x": [1.0, 2.0, 3.0], "arm": ["a", "b", "a"]})
    >>> terms = FormulaTerms("x * arm").fit(table)
    >>> terms.get_feature_names_out().tolist()
    ['x', 'arm[T.b]', 'x:arm[T.b]']
    >>> terms.transform(table)
    array([[1., 0., 0.],
           [2., 1., 2.],
           [3., 0., 0.]])
    """

    def __init__(self, terms: str, *, handle_unknown: str = "warn") -> None:
        self.terms = terms
        self.handle_unknown = handle_unknown

    def fit(self, X: Any, y: Any = None) -> FormulaTerms:
        """Learn levels, knots and what else terms depend on.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self : FormulaTerms

        Raises
        ------
        ImportError
            If formulaic is not installed.
        ValueError, TypeError
            If the formula cannot be read, names what the table does not have, or takes the
            intercept away.
        """
        check_one_of("FormulaTerms", "handle_unknown", self.handle_unknown, ("warn", "error"))
        X = _table(X)
        variables = variables_of(self.terms, list(X.columns))
        _check_complete(X, variables)
        matrix = model_matrix(self.terms, X)
        if "Intercept" not in matrix:
            raise ValueError(
                f"terms={self.terms!r} take the intercept away, and gates and experts always have "
                "one; leave out '0 +' or '- 1'."
            )
        self._spec = matrix.model_spec
        self._names = [_WHOLE.sub(r"[\1\2]", str(c)) for c in matrix if c != "Intercept"]
        self._levels = {
            name: sorted(X[name].dropna().astype(object).unique(), key=str)
            for name in variables
            if not holds_numbers(X[name])
        }
        self.variables_ = variables
        self.n_features_in_: int = X.shape[1]
        self.feature_names_in_: NDArray[Any] = np.array([str(v) for v in X.columns], dtype=object)
        return self

    def transform(self, X: Any) -> Floats:
        """The terms as columns.

        Parameters
        ----------
        X : DataFrame
            With the variables of the terms, in any order.

        Returns
        -------
        matrix : ndarray of shape (n_samples, n_features_out)

        Raises
        ------
        ValueError
            If a variable is not there or misses values, or a term is not defined at its values.
        """
        check_is_fitted(self)
        X = _table(X)
        absent = [name for name in self.variables_ if name not in X.columns]
        if absent:
            raise ValueError(f"X lacks {absent}, which the formula {self.terms!r} names.")
        _check_complete(X, self.variables_)
        X = self._known_levels(X)
        matrix = model_matrix(self._spec, X, what=f"{self.terms!r} has no value at some rows")
        return np.asarray(matrix.drop(columns="Intercept"), dtype=np.float64)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the terms.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self)
        return np.array(self._names, dtype=object)

    def _known_levels(self, X: pd.DataFrame) -> pd.DataFrame:
        """The table with the first level in the place of those that the fit did not see."""
        for name, levels in self._levels.items():
            values = X[name].astype(object)
            unseen = ~values.isin(levels)
            if not unseen.any():
                continue
            said = (
                f"column {name!r} has levels that the fit did not see, "
                f"{values[unseen].unique().tolist()[:_SHOWN]}"
            )
            if self.handle_unknown == "error":
                raise ValueError(f"{said}; it saw {levels[:_SHOWN]}.")
            warnings.warn(f"{said}; they count as {levels[0]!r}.", UnseenLevelWarning, stacklevel=3)
            X = X.assign(**{name: values.mask(unseen, levels[0])})
        return X


def _table(X: Any) -> pd.DataFrame:
    """X as a pandas table, or an error."""
    X = pandas_table(X)
    if not isinstance(X, pd.DataFrame):
        raise TypeError(
            f"formulas speak of a table with named columns (pandas, polars), got "
            f"{type(X).__name__}; make one with pandas.DataFrame(X, columns=[...])."
        )
    return X


def _check_complete(X: pd.DataFrame, variables: list[str]) -> None:
    """Raise if a variable misses values."""
    refuse_missing({v: int(X[v].isna().sum()) for v in variables}, "the formula")
