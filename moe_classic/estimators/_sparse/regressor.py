"""What nets with a real target answer."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self, cast, overload

import numpy as np

from moe_classic._compat import with_callbacks
from moe_classic._results import checked_rows, fitted_net
from moe_classic._sklearn import RegressorMixin
from moe_classic._targets import RealTarget, Target
from moe_classic._typing import Floats

from .answers import mixes_densities

Array = np.ndarray


class NetRegressor(RegressorMixin):
    """Predictions of one or several real outputs."""

    _target: ClassVar[type[Target]] = RealTarget
    n_jobs: int | None

    def __sklearn_tags__(self) -> Any:
        """Tags: several outputs."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch over some rows; nothing is held out.

        The first call fixes the moments by which features and target are standardised.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError, TypeError
            If an argument or the data cannot be used, or X or y has other columns than before.
        """
        cast("Any", self)._learn_batch(X, y, sample_weight)
        return self

    @overload
    def predict(self, X: Any, *, return_std: Literal[False] = False) -> Floats: ...

    @overload
    def predict(self, X: Any, *, return_std: Literal[True]) -> tuple[Floats, Floats]: ...

    @overload
    def predict(self, X: Any, *, return_std: bool) -> Floats | tuple[Floats, Floats]: ...

    def predict(self: Any, X: Any, *, return_std: bool = False) -> Any:
        """Predict the mean of y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        return_std : bool, default=False
            With ``mix="densities"``: standard deviations of the mixtures, too.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        std : ndarray of the same shape
            Only if asked for.
        """
        if return_std:
            mixes_densities(self)
            return self._moments(X)
        X, record = checked_rows(self, X), fitted_net(self)
        said = record.predictions(X, n_jobs=self.n_jobs)
        return record.target.from_model(said.T).astype(record.dtype)

    def _moments(self, X: Any) -> tuple[Array, Array]:
        """Mean and standard deviation of the mixtures."""
        X, record = checked_rows(self, X), fitted_net(self)
        means, stds = [], []
        for plan, said in record.pair_answers(X, n_jobs=self.n_jobs):
            sigma = np.repeat(record.net.head.sigma(), np.diff(plan.offsets), axis=0)
            mean = plan.put(said.copy())
            gap = said - mean[plan.rows]
            stds.append(np.sqrt(plan.put(np.square(gap) + np.square(sigma))))
            means.append(mean)
        target = record.target
        std = np.concatenate(stds) * target.factor
        return target.from_model(np.concatenate(means).T), target.shaped(std.T)
