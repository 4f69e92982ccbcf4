"""Adam against its textbook form; experts that had no rows stand still."""

import numpy as np

from moe_classic._nets import Adam


def textbook(x, grads, rate, decay=0.0, weights=None):
    m = v = np.zeros_like(x)
    for t, g in enumerate(grads, 1):
        if decay:
            x = np.where(weights, x * (1 - rate * decay), x)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        x = x - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return x


def test_steps_are_those_of_the_paper_with_decoupled_decay(rng):
    x, grads = rng.normal(size=30), rng.normal(size=(7, 30))
    weights = rng.random(30) < 0.5
    ours = x.copy()
    adam = Adam(0.01, 0.1, ours, weights, [], [])
    for g in grads:
        adam.move(ours, g.copy())
    np.testing.assert_allclose(ours, textbook(x, grads, 0.01, 0.1, weights), rtol=1e-12)


def test_experts_have_their_own_step_counts(rng):
    T = rng.normal(size=(4, 6))
    start = T.copy()
    adam = Adam(0.01, 0.0, np.zeros(1), np.zeros(1, bool), [T], [np.ones(6, bool)])
    grads = rng.normal(size=(5, 2, 6))
    for step, g in enumerate(grads):
        adam.move_experts(0, T, 1, 3 if step % 2 == 0 else 2, g[: 2 if step % 2 == 0 else 1].copy())
    np.testing.assert_array_equal(T[[0, 3]], start[[0, 3]])
    np.testing.assert_allclose(T[1], textbook(start[1], grads[:, 0], 0.01), rtol=1e-12)
    np.testing.assert_allclose(T[2], textbook(start[2], grads[::2, 1], 0.01), rtol=1e-12)


def test_moments_that_died_away_become_zero():
    x = np.ones(3)
    adam = Adam(0.01, 0.0, x, np.zeros(3, bool), [], [])
    adam.m[:] = [1e-35, 0.5, -1e-40]
    adam.rest()
    assert adam.m.tolist() == [0.0, 0.5, 0.0]
