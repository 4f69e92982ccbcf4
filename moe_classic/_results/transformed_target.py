"""A regressor of a transformed target, as one of the target itself.

With ``z = T(y)`` increasing or decreasing, and a mixture for z given x,

::

    f(y | x) = f_z(T(y) | x) |T'(y)|,   Q_y(q | x) = T^-1(Q_z(q | x)),   F(y | x) = F_z(T(y) | x)

(the last two with 1 - q and 1 - F where T falls). Means, modes and CRPS have no such rule, and are
refused. The derivative is that of the inverse, by differences of fourth order at steps of a
thousandth of the spread of z.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._arguments import check_fraction, counts_of
from moe_classic._typing import Floats

#: What does not depend on the unit of y, or is told of the transformed one.
_SAME = {
    "branching_",
    "converged_",
    "experts_",
    "feature_names_in_",
    "gate_",
    "gate_proba",
    "n_features_in_",
    "n_iter_",
    "n_parameters_",
    "predict_expert",
    "start_report_",
    "summary",
    "trace_",
    "tree_",
}
#: What cannot be turned back.
REFUSED = {
    "crps": "the CRPS",
    "expert_predictions": "the means of the experts",
    "explain": "the means of the experts",
    "predict_mode": "the mode",
}
#: Step of a difference, in spreads of the transformed target.
_STEP = 1e-3


class OnTransformedTarget:
    """Answers of a mixture fitted to ``transformer.transform(y)``, in the units of y.

    Parameters
    ----------
    moe : fitted mixture
    transformer : fitted transformer
        As :class:`~sklearn.compose.TransformedTargetRegressor` leaves it.
    spread : float
        Standard deviation of the transformed target.
    """

    def __init__(self, moe: Any, transformer: Any, spread: float) -> None:
        self.moe = moe
        self.transformer = transformer
        self.spread = spread

    def __getattr__(self, name: str) -> Any:
        if name in _SAME:
            return getattr(self.moe, name)
        raise AttributeError(name)

    def __moe_fitted__(self) -> Any:
        """The record of the mixture, which speaks of the transformed target."""
        return self.moe.__moe_fitted__()

    # -------------------------------------------------------------------- there and back

    def to_model(self, y: Any) -> Floats:
        """Transformed target (n,)."""
        y = np.asarray(y, dtype=np.float64)
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(
                "densities of several transformed outputs are not known; transform y before the "
                "fit, or one output at a time."
            )
        return np.asarray(self.transformer.transform(y.reshape(-1, 1)), dtype=np.float64).ravel()

    def _back(self, z: Floats) -> Floats:
        """Target at transformed values of any shape."""
        with np.errstate(all="ignore"):
            y = self.transformer.inverse_transform(np.reshape(z, (-1, 1)))
        return np.asarray(y, dtype=np.float64).reshape(np.shape(z))

    def _slope(self, z: Floats) -> Floats:
        """Derivative of the target in the transformed one."""
        h = _STEP * self.spread
        far = self._back(z + 2.0 * h) - self._back(z - 2.0 * h)
        near = self._back(z + h) - self._back(z - h)
        slope = (8.0 * near - far) / (12.0 * h)
        one_way = (slope > 0.0).all() or (slope < 0.0).all()
        if not (np.isfinite(slope).all() and one_way):
            raise ValueError(
                f"the target is transformed by {self.transformer!r}, which is flat, not defined or "
                "not monotone at some rows: the density of y does not exist there. Use a "
                "transformation that rises or falls throughout, such as log or PowerTransformer."
            )
        return slope

    def _falls(self, z: Floats) -> bool:
        """Whether the target falls where the transformed one rises."""
        return bool(self._slope(z)[0] < 0.0)

    # -------------------------------------------------------------------- answers

    def score_samples(self, X: Any, y: Any = None) -> Floats:
        """Log density of y given x, (n,)."""
        if y is None:
            return np.asarray(self.moe.score_samples(X))
        z = self.to_model(y)
        return np.asarray(self.moe.score_samples(X, z) - np.log(np.abs(self._slope(z))))

    def log_likelihood(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Total log density."""
        rows = self.score_samples(X, y)
        return float(rows @ _weights(sample_weight, rows.size))

    def _criterion(self, name: str, X: Any, y: Any, sample_weight: Any, kind: str) -> float:
        """A criterion, with the units of y."""
        z, w = self.to_model(y), counts_of(sample_weight, kind)
        slope = np.log(np.abs(self._slope(z)))
        given = getattr(self.moe, name)(X, z, w)
        return float(given + 2.0 * _weights(w, slope.size) @ slope)

    def aic(
        self, X: Any, y: Any, sample_weight: Any = None, *, weight_kind: str = "frequency"
    ) -> float:
        """Akaike's criterion."""
        return self._criterion("aic", X, y, sample_weight, weight_kind)

    def bic(
        self, X: Any, y: Any, sample_weight: Any = None, *, weight_kind: str = "frequency"
    ) -> float:
        """Schwarz's criterion."""
        return self._criterion("bic", X, y, sample_weight, weight_kind)

    def icl(
        self, X: Any, y: Any, sample_weight: Any = None, *, weight_kind: str = "frequency"
    ) -> float:
        """Integrated completed likelihood."""
        return self._criterion("icl", X, y, sample_weight, weight_kind)

    def predict_quantile(self, X: Any, q: Any) -> Floats:
        """Conditional quantiles, with a last axis for a sequence of levels."""
        levels = np.array([check_fraction("q", v) for v in np.atleast_1d(q)])
        middle = np.ravel(self.moe.predict_quantile(X, 0.5))
        levels = 1.0 - levels if self._falls(middle) else levels
        y = self._back(np.asarray(self.moe.predict_quantile(X, levels.tolist())))
        return np.asarray(y[..., 0] if np.ndim(q) == 0 else y)

    def predict_interval(self, X: Any, coverage: float = 0.9) -> Floats:
        """Central prediction intervals."""
        tail = 0.5 * (1.0 - check_fraction("coverage", coverage))
        return self.predict_quantile(X, [tail, 1.0 - tail])

    def predict_cdf(self, X: Any, y: Any) -> Floats:
        """P(Y <= y | x)."""
        z = self.to_model(y)
        below = np.asarray(self.moe.predict_cdf(X, z))
        return np.asarray(1.0 - below if self._falls(z) else below)

    def responsibilities(self, X: Any, y: Any) -> Floats:
        """Posterior probabilities of the experts."""
        return np.asarray(self.moe.responsibilities(X, self.to_model(y)))

    def sample(self, X: Any, n_samples: int = 1, random_state: Any = None) -> Floats:
        """Draws from the conditional distribution."""
        return self._back(np.asarray(self.moe.sample(X, n_samples, random_state)))

    def inference(self, X: Any, y: Any, **options: Any) -> Any:
        """Standard errors of the parameters, which speak of the transformed target."""
        return self.moe.inference(X, self.to_model(y), **options)


def _weights(sample_weight: Any, n: int) -> Floats:
    """Weights (n,), ones where none are given."""
    w = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if w.shape != (n,):
        raise ValueError(f"sample_weight has shape {w.shape}, X has {n} rows; give one a row.")
    return w
