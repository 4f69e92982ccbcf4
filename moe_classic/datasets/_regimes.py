"""A function in pieces: cells of a space, each with a linear function of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from moe_classic._arguments import check_integer, check_real

__all__ = ["make_regimes"]

#: Half the side of a cube of unit variance.
_HALF = np.sqrt(3.0)


def make_regimes(
    n_samples: int = 5000,
    *,
    n_regimes: int = 32,
    n_features: int = 6,
    n_outputs: int = 1,
    noise: float = 0.3,
    regimes: int = 0,
    return_regimes: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> Any:
    """Draw rows whose target is linear inside each cell of a Voronoi partition.

    Rows are uniform in a cube, of variance 1 in each feature. Each belongs to the nearest of
    `n_regimes` centres, which are uniform too, and ::

        y = b_k + sum_j a_kj x_j + noise * e     in cell k

    with standard normal ``b_k``, ``a_kj`` and ``e``; so the function jumps from cell to cell.

    Parameters
    ----------
    n_samples : int, default=5000
        Number of rows.
    n_regimes : int, default=32
        Number of cells.
    n_features : int, default=6
        Number of features.
    n_outputs : int, default=1
        Number of targets, each with linear functions of its own.
    noise : float, default=0.3
        Standard deviation of the noise.
    regimes : int, default=0
        Seed of centres and functions: two calls with the same one give rows of one problem.
    return_regimes : bool, default=False
        Whether to return the number of each row's cell, too.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    regime : ndarray of int of shape (n_samples,)
        Only if `return_regimes`.

    Raises
    ------
    ValueError, TypeError
        If a count is not a positive integer, or `noise` is negative or not finite.

    Examples
    --------
    >>> from moe_classic.datasets import make_regimes
    >>> X, y = make_regimes(100, n_regimes=4, n_features=2, random_state=0)
    >>> X.shape, y.shape
    ((100, 2), (100,))
    """
    check_integer("n_samples", n_samples, 1, "rows to draw")
    check_integer("n_regimes", n_regimes, 1, "regimes of the data")
    check_integer("n_features", n_features, 1, "columns of X")
    check_integer("n_outputs", n_outputs, 1, "columns of y")
    check_integer("regimes", regimes, 0, "seed of the regimes themselves")
    check_real("noise", noise, 0.0, "size of the noise")
    fixed = check_random_state(regimes)
    centres = fixed.uniform(-_HALF, _HALF, (n_regimes, n_features))
    slopes = fixed.standard_normal((n_regimes, n_outputs, n_features))
    levels = fixed.standard_normal((n_regimes, n_outputs))
    rng = check_random_state(random_state)
    X = rng.uniform(-_HALF, _HALF, (n_samples, n_features))
    cell = _nearest(X, centres)
    y = levels[cell] + np.einsum("nof,nf->no", slopes[cell], X)
    y += noise * rng.standard_normal(y.shape)
    target = y[:, 0] if n_outputs == 1 else y
    return (X, target, cell) if return_regimes else (X, target)


def _nearest(X: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.intp]:
    """Number of the nearest centre of each row."""
    return (X @ centres.T - 0.5 * np.square(centres).sum(axis=1)).argmax(axis=1)
