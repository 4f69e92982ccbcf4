"""What single rows do to a fit, by one Newton step without them.

::

    theta(-i) - theta = - (H - H_i)^-1 s_i, approximately - H^-1 s_i
    distance_i = w_i^2 s_i' H^-1 s_i

with s_i the score of row i and H the information of all rows. Cook (1986), Assessment of local
influence, Journal of the Royal Statistical Society B 48; Pregibon (1981), Logistic regression
diagnostics, Annals of Statistics 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._model import row_scores
from moe_classic._results import unwrapped
from moe_classic._typing import Floats

from ._case import fitted_model
from ._curvature import curvature, smoothed, theta_covariance
from ._findings import caveats, fixed_places
from ._terms import Terms


@dataclass(frozen=True)
class Influence:
    """Influence of every row, or group of rows, on the parameters.

    Attributes
    ----------
    distance : ndarray of shape (n_samples,)
        Generalised Cook's distance: how far all parameters move without the row, in units of
        their covariance; about twice the loss of log-likelihood. Rows beyond 1 decide alone what
        is found, and the step is then only a lower bound.
    shifts : DataFrame of shape (n_samples, n_parameters)
        Changes of the parameters of ``Inference.table`` without the row, in standard errors; NaN
        where there is none.
    labels : ndarray of shape (n_groups,), or None
        Labels of the groups, which then stand in place of rows.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.inference import influence
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> influence(moe, X, y).distance.shape
    (150,)
    """

    distance: Floats
    shifts: pd.DataFrame
    labels: np.ndarray | None = None

    def largest(self, count: int = 10) -> pd.DataFrame:
        """The rows with the largest distance.

        Parameters
        ----------
        count : int, default=10

        Returns
        -------
        table : DataFrame
            Indexed by row number, or label of the group: ``distance``, the parameter that moves
            most and its ``shift``.
        """
        rows = np.argsort(-self.distance, kind="stable")[:count]
        size = np.nan_to_num(np.abs(self.shifts.to_numpy()[rows]))
        most = size.argmax(axis=1)
        names = [" ".join(dict.fromkeys(map(str, self.shifts.columns[j]))) for j in most]
        return pd.DataFrame(
            {
                "distance": self.distance[rows],
                "parameter": names,
                "shift": self.shifts.to_numpy()[rows, most],
            },
            index=(
                pd.Index(rows, name="row")
                if self.labels is None
                else pd.Index(self.labels[rows], name="group")
            ),
        )


def influence(
    estimator: Any, X: Any, y: Any, *, sample_weight: Any = None, groups: Any = None
) -> Influence:
    """One-step case deletion: how much each row moves the estimates.

    Parameters
    ----------
    estimator : fitted MoERegressor, MoEClassifier or hierarchical estimator
        With linear experts; a pipeline that ends in one, or a search over them.
    X, y, sample_weight :
        The rows on which it was fitted. Rows of weight 0 have no influence.
    groups : array-like of shape (n_samples,), default=None
        Labels of the subjects of a model that was fitted to some. Whole groups then are deleted,
        those with weight in the order of their sorted labels.

    Returns
    -------
    influence : Influence

    Raises
    ------
    ValueError, TypeError
        If the model has no parameters with derivatives, or the rows cannot be used.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.inference import influence
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> influence(moe, X, y).largest(3).shape
    (3, 3)
    """
    estimator, X, y = unwrapped(estimator, X, y, needs="inference", caller="influence")
    case = fitted_model(estimator, X, y, sample_weight, groups=groups)
    curve, terms, model = curvature(case), Terms(case), smoothed(case)
    fixed = fixed_places(caveats(case, curve), curve.gradient.size)
    theta = theta_covariance(curve, "observed", fixed, case.summary.weight, case.open)
    J = terms.jacobian(case.params)
    labels = None if case.subjects is None else case.subjects.labels
    distance, steps = np.zeros(np.shape(X)[0] if labels is None else len(labels)), []
    rows = case.rows if labels is None else np.arange(distance.size)
    parts = []
    for block in case.source():
        scores = row_scores(model, case.params, block) * block.subject_w
        moved = theta.covariance @ scores
        parts.append((scores * moved).sum(axis=0))
        steps.append(-(J @ moved))
    distance[rows] = np.concatenate(parts)
    error = np.sqrt(np.maximum((J @ theta.covariance * J).sum(axis=1), 0.0))
    known = (error > 0.0) & ~theta.undetermined(J)
    shifts = np.zeros((distance.size, len(J)))
    moved = np.concatenate(steps, axis=1)
    shifts[rows] = np.where(known, moved.T / np.where(known, error, 1.0), np.nan)
    return Influence(distance, pd.DataFrame(shifts, columns=terms.index()), labels)
