"""Weights of the adaptive lasso, from a first fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._arguments import check_one_of, check_real
from moe_classic._results import fitted_mixture

from ._walk import gate_slopes_of, slopes_of, width_of


def adaptive_weights(
    estimator: Any, *, part: str = "experts", exponent: float = 1.0
) -> list[float]:
    """Factors ``1 / |b_j|^exponent`` for a lasso, from the slopes of a first fit.

    Slopes that were large are shrunk less, those that were zero in all experts stay out: under such
    weights the lasso finds the right slopes with probability one as rows grow in number, and
    estimates them as if they had been known.

    Parameters
    ----------
    estimator : fitted MoERegressor or MoEClassifier
        With one family of linear experts.
    part : {"experts", "gate"}, default="experts"
        Whose slopes: lengths over the experts, or those of a softmax gate, centred over experts.
    exponent : float, default=1.0

    Returns
    -------
    weights : list of float
        One for each feature that the part sees, for ``weights`` of a
        :class:`~moe_classic.penalties.Lasso`; infinite where the slopes are zero. Scaled such that
        the smallest is 1.

    Raises
    ------
    ValueError
        If there is no slope that is not zero, or the experts are of unlike families.

    References
    ----------
    Zou (2006), The adaptive lasso and its oracle properties, Journal of the American Statistical
    Association 101.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import GaussianExpert
    >>> from moe_classic.model_selection import adaptive_weights
    >>> from moe_classic.penalties import Lasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 4))
    >>> y = 2.0 * X[:, 1] - X[:, 3] + rng.standard_normal(200)
    >>> first = MoERegressor(1).fit(X, y)
    >>> weights = adaptive_weights(first)
    >>> [round(w) for w in weights[1::2]]
    [1, 2]
    >>> again = MoERegressor(1, expert=GaussianExpert(penalty=Lasso(0.05, weights=weights)))
    >>> np.flatnonzero(again.fit(X, y).experts_[0].coef_)
    array([1, 3])
    """
    check_one_of("adaptive_weights", "part", part, ("experts", "gate"))
    check_real("exponent", exponent, 0.0, "the power of the slopes")
    record = fitted_mixture(estimator)
    if part == "experts":
        if len(record.model.groups) != 1 or not hasattr(
            record.model.groups[0].expert, "slopes_penalty"
        ):
            raise ValueError(
                "adaptive_weights: the estimator needs one family of linear experts, such as "
                "expert='gaussian'."
            )
        slopes = slopes_of(estimator).reshape(-1, width_of(estimator))
    else:
        if not hasattr(record.model.gate, "slopes_penalty"):
            raise ValueError("adaptive_weights: part='gate' needs a softmax gate.")
        slopes = gate_slopes_of(estimator)
    lengths = np.linalg.norm(slopes, axis=0)
    if not lengths.any():
        raise ValueError(
            f"adaptive_weights: all slopes of the {part} are zero; take them from a fit with a "
            "weaker penalty."
        )
    with np.errstate(divide="ignore"):
        return [float(w) for w in (lengths.max() / lengths) ** exponent]
