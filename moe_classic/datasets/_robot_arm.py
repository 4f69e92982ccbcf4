"""Forward dynamics of a robot arm with four joints, computed from rigid-body mechanics.

A waist turns about the vertical; shoulder, elbow and wrist pitch in the vertical plane that the
waist carries. Links are thin uniform rods. With pitch angles ``phi = cumsum(q[1:])`` measured from
the horizontal, ``w`` the waist's velocity and ``A`` the couplings of the rods (below)::

    inertia about the vertical   I(phi)  = I_0 + cos(phi)' A cos(phi)
    waist                        I w'    = tau_0 - b_0 w - (dI/dphi . phi') w
    pitch, in phi                M phi'' = Q - h - g W cos(phi) + (dI/dphi) w^2 / 2
                                 M_ij    = A_ij cos(phi_i - phi_j)
                                 h_i     = sum_j A_ij sin(phi_i - phi_j) phi_j'^2
                                 Q_i     = f_i - f_(i+1),   f = tau[1:] - b[1:] q'[1:]

The learning problem is that of Jordan & Jacobs (1994), whose simulator was not published.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from moe_classic._arguments import check_integer

__all__ = ["make_robot_arm"]

Array = NDArray[np.float64]

GRAVITY = 9.81  # m / s^2
LENGTHS = np.array([0.5, 0.4, 0.3])  # upper arm, fore-arm, hand (m)
MASSES = np.array([4.0, 2.0, 1.0])  # (kg)
WAIST_INERTIA = 0.5  # of the turning base alone (kg m^2)
FRICTION = np.array([1.0, 1.0, 0.5, 0.2])  # viscous, waist to wrist (N m s)

# Ranges of the inputs, all uniform. They were chosen together so that a linear model leaves a
# relative error of .31, as on Jordan & Jacobs' arm, summed over the outputs and also on average.
ANGLE_CENTRES = np.array([0.0, 0.4, 0.0, 0.0])  # (rad)
ANGLE_RANGES = np.array([np.pi, 1.2, 1.2, 1.2])  # either side of the centre (rad)
VELOCITY_RANGES = np.array([1.5, 3.0, 3.0, 3.0])  # (rad / s)
TORQUE_RANGES = np.array([10.0, 8.0, 2.6, 0.6])  # (N m)


def _rod_constants() -> tuple[Array, Array]:
    """Couplings A (3, 3) in kg m^2 and weight moments W (3,) in kg m of the chain of rods.

    A point of rod j at distance s from its joint lies at ``sum_(i<j) l_i e_i + s e_j``, with
    ``e_i`` the direction of rod i; A and W integrate its square and itself over the mass.
    """
    outer = np.cumsum(MASSES[::-1])[::-1] - MASSES
    moments = LENGTHS * (MASSES / 2.0 + outer)
    upper = np.triu(np.outer(LENGTHS, moments), k=1)
    return upper + upper.T + np.diag(LENGTHS**2 * (MASSES / 3.0 + outer)), moments


COUPLINGS, WEIGHT_MOMENTS = _rod_constants()


def make_robot_arm(
    n_train: int = 15000,
    n_test: int = 5000,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Array, Array, Array, Array]:
    """Draw states of a four-joint robot arm and compute its joint accelerations, free of noise.

    The arm moves in three dimensions under gravity, viscous friction and the torques of its motors:
    a waist about the vertical and three pitch joints that carry uniform rods of 0.5, 0.4 and 0.3 m
    and 4, 2 and 1 kg. Angles, velocities and torques are uniform and independent.

    Parameters
    ----------
    n_train : int, default=15000
        Number of training rows.
    n_test : int, default=5000
        Number of test rows, drawn after and independent of the training rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows.

    Returns
    -------
    X_train, X_test : ndarrays of shape (n_train, 12) and (n_test, 12)
        Four angles (rad), four angular velocities (rad / s) and four torques (N m), each in the
        order waist, shoulder, elbow, wrist. The shoulder's angle is measured from the horizontal,
        the others from the straight arm.
    y_train, y_test : ndarrays of shape (n_train, 4) and (n_test, 4)
        Angular accelerations of the four joints (rad / s^2).

    Raises
    ------
    ValueError, TypeError
        If `n_train` or `n_test` is not a positive integer.

    Notes
    -----
    The relative error of Jordan & Jacobs is the mean squared error on the test rows over that of
    predicting the mean. On this arm a linear model leaves about .31, as on theirs, whether squared
    errors are summed over the outputs as they are or after dividing each by its variance.

    References
    ----------
    Jordan, M. I. and Jacobs, R. A. (1994), "Hierarchical mixtures of experts and the EM algorithm",
    *Neural Computation* 6, 181-214.

    Examples
    --------
    >>> from moe_classic.datasets import make_robot_arm
    >>> X_train, X_test, y_train, y_test = make_robot_arm(100, 20, random_state=0)
    >>> X_train.shape, y_test.shape
    ((100, 12), (20, 4))
    """
    check_integer("n_train", n_train, 1, "rows to learn from")
    check_integer("n_test", n_test, 1, "rows to test on")
    rng = check_random_state(random_state)
    X = rng.uniform(-1.0, 1.0, (n_train + n_test, 12))
    X *= np.concatenate([ANGLE_RANGES, VELOCITY_RANGES, TORQUE_RANGES])
    X[:, :4] += ANGLE_CENTRES
    y = _accelerations(X[:, :4], X[:, 4:8], X[:, 8:])
    return X[:n_train], X[n_train:], y[:n_train], y[n_train:]


def _accelerations(angles: Array, velocities: Array, torques: Array) -> Array:
    """Joint accelerations (n, 4) from angles, velocities and torques, each (n, 4)."""
    phi = np.cumsum(angles[:, 1:], axis=1)
    phi_dot = np.cumsum(velocities[:, 1:], axis=1)
    w = velocities[:, 0]
    cos, sin = np.cos(phi), np.sin(phi)
    forces = torques - FRICTION * velocities

    reach = cos @ COUPLINGS
    inertia = WAIST_INERTIA + np.sum(reach * cos, axis=1)
    inertia_slope = -2.0 * sin * reach
    waist = (forces[:, 0] - np.sum(inertia_slope * phi_dot, axis=1) * w) / inertia

    between = phi[:, :, None] - phi[:, None, :]
    mass = COUPLINGS * np.cos(between)
    swirl = np.einsum("nij,nj->ni", COUPLINGS * np.sin(between), phi_dot**2)
    # A motor turns its own rod one way and, by reaction, the rod before it the other way.
    drive = forces[:, 1:] - np.pad(forces[:, 2:], ((0, 0), (0, 1)))
    load = drive - swirl - GRAVITY * WEIGHT_MOMENTS * cos + 0.5 * inertia_slope * w[:, None] ** 2
    pitch = np.linalg.solve(mass, load[:, :, None])[:, :, 0]
    return np.column_stack([waist, np.diff(pitch, axis=1, prepend=0.0)])
