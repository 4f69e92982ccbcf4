"""Wald tests of linear hypotheses, and likelihood ratios of nested fits.

::

    W = (R b - r)' (R V R')^-1 (R b - r)        chi-squared, rank(R V R') degrees of freedom

Wald (1943), Tests of statistical hypotheses concerning several parameters when the number of
observations is large, Transactions of the American Mathematical Society 54; Wilks (1938), The
large-sample distribution of the likelihood ratio for testing composite hypotheses, Annals of
Mathematical Statistics 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from moe_classic._components import SLOPE
from moe_classic._results import fitted_mixture, probability
from moe_classic._typing import Floats

from ._equations import linear_hypothesis

#: Relative size of an eigenvalue of the covariance of hypotheses that repeat each other.
_REPEATED = 1e-10


@dataclass(frozen=True)
class HypothesisTest:
    """A test with a chi-squared statistic.

    Attributes
    ----------
    hypothesis : str
        What is tested.
    statistic : float
    df : int
        Degrees of freedom.
    p_value : float
    kind : {"Wald", "likelihood ratio"}

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.inference import inference
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> print(inference(moe, X, y).wald_test("gate: x0 = -1"))
    Wald test of gate: x0 = -1: chi-squared 0.2114 on 1 df, p = 0.646
    """

    hypothesis: str
    statistic: float
    df: int
    p_value: float
    kind: str

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.kind} test of {self.hypothesis}: chi-squared {self.statistic:.4g} on "
            f"{self.df} df, p {_with_sign(self.p_value)}"
        )


def _with_sign(p: float) -> str:
    """A p-value after its sign."""
    text = probability(p)
    return text if text.startswith("<") else f"= {text}"


# ------------------------------------------------------------------------- Wald


def wald_test(table: pd.DataFrame, covariance: pd.DataFrame, hypothesis: Any) -> HypothesisTest:
    """Joint test of linear hypotheses about the parameters of ``table``."""
    R, r, text = _read(table, hypothesis)
    known = table["std_error"].notna().to_numpy()
    lost = (R != 0.0).any(axis=0) & ~known
    if lost.any():
        names = [" ".join(dict.fromkeys(map(str, label))) for label in table.index[lost][:3]]
        raise ValueError(
            f"hypothesis={text!r} speaks of {names}, which have no standard error here; the "
            "column note of the table says why. Test the others."
        )
    return _wald(table, covariance, R, r, text)


def _wald(
    table: pd.DataFrame, covariance: pd.DataFrame, R: Floats, r: Floats, text: str
) -> HypothesisTest:
    """The test of ``R b = r``."""
    known = table["std_error"].notna().to_numpy()
    V = covariance.to_numpy()[np.ix_(known, known)]
    gap = R @ table["estimate"].to_numpy() - r
    middle = R[:, known] @ V @ R[:, known].T
    size = np.sqrt(np.maximum(np.diag(middle), 0.0))
    unit = 1.0 / np.where(size > 0.0, size, 1.0)
    values, vectors = np.linalg.eigh(middle * np.outer(unit, unit))
    kept = values > _REPEATED * max(float(values[-1]), np.finfo(float).tiny)
    z = (vectors[:, kept].T @ (unit * gap)) / np.sqrt(values[kept])
    statistic, df = float(z @ z), int(kept.sum())
    _check_consistent(vectors[:, ~kept].T @ (unit * gap), text)
    return HypothesisTest(text, statistic, df, float(chi2.sf(statistic, df)), "Wald")


def _check_consistent(left: Floats, text: str) -> None:
    """Raise if hypotheses that repeat each other ask for different values."""
    if (np.abs(left) > 1e-6).any():
        raise ValueError(f"hypothesis={text!r} contradicts itself: no parameters fulfil it.")


def _read(table: pd.DataFrame, hypothesis: Any) -> tuple[Floats, Floats, str]:
    """R (m, M), r (m,) and a text of the hypothesis."""
    if isinstance(hypothesis, str):
        return (*linear_hypothesis(table.index, hypothesis), hypothesis)
    pair = isinstance(hypothesis, tuple) and len(hypothesis) == 2
    matrix, value = hypothesis if pair else (hypothesis, 0.0)
    R = np.atleast_2d(np.asarray(matrix, dtype=np.float64))
    if R.ndim != 2 or R.shape[1] != len(table) or not R.any(axis=1).all():
        raise ValueError(
            f"hypothesis has shape {R.shape}; a matrix needs one column a parameter, "
            f"{len(table)}, in the order of the table, and no row of zeros. Or write equations, "
            "such as 'x[1] = x[2]'."
        )
    r = np.asarray(value, dtype=np.float64)
    if r.shape not in ((), (len(R),)) or not np.isfinite(R).all() or not np.isfinite(r).all():
        raise ValueError(
            f"hypothesis: the right side has shape {r.shape} beside {len(R)} rows of the matrix; "
            "give one finite number a row."
        )
    return R, np.broadcast_to(r, (len(R),)), f"{len(R)} linear combinations"


def wald_test_terms(table: pd.DataFrame, covariance: pd.DataFrame) -> pd.DataFrame:
    """Tests of every feature: absent from experts, equal in them, absent from the gate."""
    labels = table.index.to_frame(index=False)
    slopes = labels[labels["kind"] == SLOPE]
    found = {}
    for (part, term), rows in slopes.groupby(["part", "term"], sort=False).groups.items():
        places = np.array(rows)
        R = np.eye(len(table))[places]
        found[part, term, "absent"] = _row(table, covariance, R)
        if part != "gate" and len(places) > 1:
            found[part, term, "equal"] = _row(table, covariance, R[1:] - R[0])
    index = pd.MultiIndex.from_tuples(found, names=["part", "term", "hypothesis"])
    return pd.DataFrame(list(found.values()), index=index, columns=["statistic", "df", "p_value"])


def _row(table: pd.DataFrame, covariance: pd.DataFrame, R: Floats) -> tuple[float, int, float]:
    """Statistic, degrees of freedom and p-value of ``R b = 0``; NaN where errors are missing."""
    known = table["std_error"].notna().to_numpy()
    if ((R != 0.0).any(axis=0) & ~known).any():
        return np.nan, len(R), np.nan
    test = _wald(table, covariance, R, np.zeros(len(R)), "")
    return test.statistic, test.df, test.p_value


# ------------------------------------------------------------------------- likelihood ratios


def likelihood_ratio_test(restricted: Any, full: Any) -> HypothesisTest:
    """Likelihood-ratio test of two nested fits to the same rows.

    Parameters
    ----------
    restricted, full : fitted mixtures
        With the same experts and, up to penalties, the parameters of ``restricted`` a special case
        of those of ``full``: fewer features, a scale that is shared.

    Returns
    -------
    test : HypothesisTest
        Twice the difference of the log-likelihoods, and chi-squared with as many degrees of
        freedom as there are more parameters.

    Raises
    ------
    ValueError
        If the numbers of experts differ (the statistic then is not chi-squared; see
        :func:`moe_classic.model_selection.bootstrap_lrt`), the rows differ, a penalty sets slopes
        to zero, or the larger fit has no more parameters or a lower likelihood.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.experts import GaussianExpert
    >>> from moe_classic.inference import likelihood_ratio_test
    >>> X, y = load_tone(return_X_y=True)
    >>> one, two = (MoERegressor(2, expert=GaussianExpert(tied=t)).fit(X, y) for t in
    ...             (True, False))
    >>> test = likelihood_ratio_test(one, two)
    >>> test.df, test.p_value < 0.001
    (1, True)
    """
    small, large = fitted_mixture(restricted), fitted_mixture(full)
    counts = small.model.n_experts, large.model.n_experts
    if counts[0] != counts[1]:
        raise ValueError(
            f"restricted has {counts[0]} experts and full has {counts[1]}: the likelihood ratio "
            "is not chi-squared then. Use moe_classic.model_selection.bootstrap_lrt."
        )
    rows = [(m.summary.weight, m.summary.n_rows) for m in (small, large)]
    if rows[0] != rows[1] or type(small.target) is not type(large.target):
        raise ValueError(
            f"restricted was fitted to {rows[0][1]} rows of weight {rows[0][0]:g}, full to "
            f"{rows[1][1]} rows of weight {rows[1][0]:g}; fit both to the same rows."
        )
    if small.summary.per_row != large.summary.per_row:
        raise ValueError(
            "restricted and full were fitted with different groups, which are other likelihoods; "
            "fit both with the same groups, or both without."
        )
    for name, fit in (("restricted", small), ("full", large)):
        if any(part.sparse for part in (fit.model.gate, *(g.expert for g in fit.model.groups))):
            raise ValueError(
                f"{name} has a penalty that sets slopes to zero: it is no maximum of the "
                "likelihood, and the ratio is not chi-squared. Fit both without such a penalty."
            )
    df = large.n_parameters - small.n_parameters
    if df < 1:
        raise ValueError(
            f"full has {large.n_parameters} parameters, restricted {small.n_parameters}; full must "
            "have more of them."
        )
    gain = full.log_likelihood_ - restricted.log_likelihood_
    if gain < -1e-6 * abs(full.log_likelihood_):
        raise ValueError(
            f"full has the log-likelihood {full.log_likelihood_:.6g}, restricted "
            f"{restricted.log_likelihood_:.6g}: full ended at a lower hill. Fit it with more "
            "starts (n_init), or from the parameters of restricted."
        )
    statistic = max(2.0 * gain, 0.0)
    text = f"{df} restriction" + ("s" if df > 1 else "")
    return HypothesisTest(text, statistic, df, float(chi2.sf(statistic, df)), "likelihood ratio")
