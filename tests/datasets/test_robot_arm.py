"""The robot arm: its mechanics proved from points on the rods, and its hardness as a problem."""

import numpy as np
import pytest

from moe_classic.datasets import _robot_arm as arm
from moe_classic.datasets import make_robot_arm


def positions(angles):
    """Points on the rods (n, 3 rods, 2 nodes, 3) whose masses carry the rods' exact moments.

    Two Gauss points integrate cubics, and energies are quadratic along a rod.
    """
    waist, pitch = angles[:, :1], np.cumsum(angles[:, 1:], axis=1)
    forward = np.stack([np.cos(waist) * np.cos(pitch), np.sin(waist) * np.cos(pitch)], axis=-1)
    rods = arm.LENGTHS[:, None] * np.concatenate([forward, np.sin(pitch)[..., None]], axis=-1)
    joints = np.cumsum(rods, axis=1) - rods
    places = 0.5 + np.array([-0.5, 0.5]) / np.sqrt(3)
    return joints[:, :, None, :] + places[:, None] * rods[:, :, None, :]


def kinetic(angles, velocities):
    """Kinetic energy (n,): moving points, and the turning base."""
    h = 1e-5
    speed = (positions(angles + h * velocities) - positions(angles - h * velocities)) / (2 * h)
    rods = 0.25 * np.einsum("k,nkpi->n", arm.MASSES, speed**2)
    return rods + 0.5 * arm.WAIST_INERTIA * velocities[:, 0] ** 2


def potential(angles):
    """Potential energy (n,) of the points under gravity."""
    return 0.5 * arm.GRAVITY * np.einsum("k,nkp->n", arm.MASSES, positions(angles)[..., 2])


@pytest.fixture(scope="module")
def states():
    """Angles, velocities, torques and accelerations of 200 rows."""
    X, _, y, _ = make_robot_arm(200, 1, random_state=0)
    return X[:, :4], X[:, 4:8], X[:, 8:], y


def test_robot_arm_balances_power(states):
    q, v, torque, a = states
    h = 1e-4

    def energy(time):
        angles = q + time * v + 0.5 * time**2 * a
        return kinetic(angles, v + time * a) + potential(angles)

    gained = (energy(h) - energy(-h)) / (2 * h)
    supplied = np.sum((torque - arm.FRICTION * v) * v, axis=1)
    # The difference's own error falls as h^2 and is 4e-5 W at this h, where powers are some 9 W.
    np.testing.assert_allclose(gained, supplied, rtol=0, atol=2e-4)


def test_robot_arm_obeys_lagrange_equations_in_every_joint(states):
    q, v, torque, a = states
    h = 1e-4

    def momentum(angles, velocities, joint):
        # The kinetic energy is quadratic in velocities, so a difference of any step is exact.
        step = np.eye(4)[joint]
        return 0.5 * (kinetic(angles, velocities + step) - kinetic(angles, velocities - step))

    for joint in range(4):
        step = h * np.eye(4)[joint]
        later = momentum(q + h * v + 0.5 * h**2 * a, v + h * a, joint)
        before = momentum(q - h * v + 0.5 * h**2 * a, v - h * a, joint)
        rate = (later - before) / (2 * h)
        pull = (
            kinetic(q + step, v) - kinetic(q - step, v) - potential(q + step) + potential(q - step)
        ) / (2 * h)
        applied = torque[:, joint] - arm.FRICTION[joint] * v[:, joint]
        # The differences' own error falls as h^2 and is 1e-5 N m at this h.
        np.testing.assert_allclose(rate - pull, applied, rtol=0, atol=5e-5)


def test_robot_arm_rests_when_motors_hold_its_weight(states):
    q, _, _, _ = states
    h = 1e-5
    hold = np.empty_like(q)
    for joint in range(4):
        step = h * np.eye(4)[joint]
        hold[:, joint] = (potential(q + step) - potential(q - step)) / (2 * h)
    still = arm._accelerations(q, np.zeros_like(q), hold)
    # Differences leave some 1e-10 N m, which the hand's small inertia magnifies to 4e-8 rad / s^2.
    np.testing.assert_allclose(still, 0.0, atol=1e-6)


def test_robot_arm_moves_alike_whichever_way_its_waist_points(states):
    q, v, torque, a = states
    turned = arm._accelerations(q + np.array([1.0, 0.0, 0.0, 0.0]), v, torque)
    np.testing.assert_array_equal(turned, a)


def test_robot_arm_returns_train_and_test_rows_in_the_order_of_a_split():
    X_train, X_test, y_train, y_test = make_robot_arm(30, 20, random_state=0)
    assert X_train.shape == (30, 12)
    assert X_test.shape == (20, 12)
    assert y_train.shape == (30, 4)
    assert y_test.shape == (20, 4)


def test_robot_arm_draws_by_default_as_many_rows_as_the_paper():
    X_train, X_test, y_train, y_test = make_robot_arm(random_state=0)
    assert len(X_train) == len(y_train) == 15_000
    assert len(X_test) == len(y_test) == 5_000


def test_robot_arm_repeats_its_rows_for_the_same_seed_only():
    first, second, other = (make_robot_arm(10, 10, random_state=seed) for seed in (1, 1, 2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])


def test_robot_arm_leaves_a_linear_model_the_relative_error_of_the_paper():
    X_train, X_test, y_train, y_test = make_robot_arm(60_000, 150_000, random_state=0)
    design = np.column_stack([X_train, np.ones(len(X_train))])
    coef = np.linalg.lstsq(design, y_train, rcond=None)[0]
    error = np.mean((y_test - np.column_stack([X_test, np.ones(len(X_test))]) @ coef) ** 2, axis=0)
    spread = np.mean((y_test - y_train.mean(axis=0)) ** 2, axis=0)
    # .31 in Jordan & Jacobs (1994, table 1). Between draws of this size the figures have standard
    # deviations of .0016 and .0010 (12 seeds); the tolerance is three of the larger.
    assert error.sum() / spread.sum() == pytest.approx(0.31, abs=0.005)
    assert np.mean(error / spread) == pytest.approx(0.31, abs=0.005)


@pytest.mark.parametrize("name", ["n_train", "n_test"])
@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-3, ValueError), (2.0, ValueError), ("2", TypeError)]
)
def test_robot_arm_names_the_count_it_cannot_use(name, value, error):
    with pytest.raises(error, match=f"{name}={value!r} must be an integer >= 1"):
        make_robot_arm(**{name: value})
