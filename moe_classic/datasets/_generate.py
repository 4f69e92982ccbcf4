"""Generated problems in one dimension, with the checks that all generators share.

Random numbers come from scikit-learn's `check_random_state`: the streams of `RandomState` are
frozen, so a seed names the same data set under every version of NumPy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from moe_classic._arguments import check_integer, check_real

__all__ = ["make_inverse_sine", "make_piecewise_linear"]


def make_piecewise_linear(
    n_samples: int = 500,
    *,
    n_pieces: int = 4,
    jump: float = 1.0,
    noise: float = 0.1,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw rows around a broken line: one straight line per interval, and steep borders.

    ``[-1, 1]`` is cut into `n_pieces` equal intervals ``k = 0, 1, ...``. With ``t`` in ``[0, 1)``
    the place of ``x`` within its interval::

        y = 2 t - 1          + noise * e     k even: rises from -1 to 1
        y = 1 - 2 t  + jump  + noise * e     k odd:  falls from 1 + jump to -1 + jump

    with ``e`` standard normal. The line is the same for every `random_state`, so that two calls
    give a training and a test set of one problem.

    Parameters
    ----------
    n_samples : int, default=500
        Number of rows.
    n_pieces : int, default=4
        Number of intervals; all slopes are ``n_pieces`` or ``-n_pieces``.
    jump : float, default=1.0
        Height of the step between neighbouring pieces. 0 gives a continuous zigzag, which a soft
        gate can follow; a step needs a steep one.
    noise : float, default=0.1
        Standard deviation of the Gaussian noise.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows.

    Returns
    -------
    X : ndarray of shape (n_samples, 1)
        Uniform on ``[-1, 1]``, in random order.
    y : ndarray of shape (n_samples,)
        The target.

    Raises
    ------
    ValueError, TypeError
        If a count is not a positive integer, `noise` is negative, or a number is not finite.

    Examples
    --------
    >>> from moe_classic.datasets import make_piecewise_linear
    >>> X, y = make_piecewise_linear(100, n_pieces=2, random_state=0)
    >>> X.shape, y.shape
    ((100, 1), (100,))
    """
    check_integer("n_samples", n_samples, 1, "rows to draw")
    check_integer("n_pieces", n_pieces, 1, "pieces of the line")
    check_real("jump", jump, -np.inf, "height of the steps")
    check_real("noise", noise, 0.0, "size of the noise")
    rng = check_random_state(random_state)
    x = rng.uniform(-1.0, 1.0, n_samples)
    t, k = np.modf((x + 1.0) * (n_pieces / 2.0))
    y = np.where(k % 2 == 0, 2.0 * t - 1.0, 1.0 - 2.0 * t + jump)
    return x[:, None], y + noise * rng.standard_normal(n_samples)


def make_inverse_sine(
    n_samples: int = 500,
    *,
    noise: float = 0.1,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw rows of an inverse problem whose answer has up to three branches (Bishop 1994).

    The forward problem is easy, the inverse is asked for: ``y`` is uniform on ``(0, 1)`` and ::

        x = y + 0.3 sin(2 pi y) + e,    e uniform on (-noise, noise)

    For ``x`` near one half three values of ``y`` are possible. Their mean, which least squares
    estimates, is no solution, while a mixture keeps the branches apart.

    Parameters
    ----------
    n_samples : int, default=500
        Number of rows.
    noise : float, default=0.1
        Half width of the uniform noise on ``x``; 0.1 is the value of the paper.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows.

    Returns
    -------
    X : ndarray of shape (n_samples, 1)
        The observed effect ``x``.
    y : ndarray of shape (n_samples,)
        The cause, between 0 and 1.

    Raises
    ------
    ValueError, TypeError
        If `n_samples` is not a positive integer, or `noise` is negative or not finite.

    References
    ----------
    Bishop, C. M. (1994), "Mixture density networks", technical report NCRG/94/004, Aston
    University.

    Examples
    --------
    >>> from moe_classic.datasets import make_inverse_sine
    >>> X, y = make_inverse_sine(100, random_state=0)
    >>> X.shape, y.shape
    ((100, 1), (100,))
    """
    check_integer("n_samples", n_samples, 1, "rows to draw")
    check_real("noise", noise, 0.0, "size of the noise")
    rng = check_random_state(random_state)
    y = rng.uniform(0.0, 1.0, n_samples)
    x = y + 0.3 * np.sin(2.0 * np.pi * y) + noise * rng.uniform(-1.0, 1.0, n_samples)
    return x[:, None], y
