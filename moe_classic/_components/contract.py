"""What gates and experts have in common: forward records, and the check of a penalty."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from moe_classic._typing import Floats


@dataclass
class Forward:
    """What one evaluation of a component on one block leaves for its statistics.

    Attributes
    ----------
    log_prob : ndarray of shape (K, n)
        Log density of an expert, or log mixing term of a gate.
    eta : ndarray
        Linear predictors, if any: (K, M, n).
    work : Any
        Intermediates that the component's own statistics reuse.
    mass : ndarray of shape (n,), or None
        What the columns of S sum to, where whoever made S knows it.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic.gates import Forward
    >>> Forward(np.log(np.full((2, 3), 0.5))).log_prob.shape
    (2, 3)
    """

    log_prob: Floats
    eta: Floats | None = None
    work: Any = None
    mass: Floats | None = None


def check_alpha(owner: str, alpha: float, name: str = "alpha") -> None:
    """Raise unless ``alpha``, or another penalty, is a finite number that is not negative."""
    if not (isinstance(alpha, Real) and 0.0 <= float(alpha) < np.inf):
        raise ValueError(
            f"{owner}: {name}={alpha!r} must be a finite number >= 0, the L2 penalty on slopes "
            "per unit of sample weight, in standardised units."
        )
