"""A sparse layer by hand: linear-ReLU-linear experts in loops, straight from the formulas."""

import numpy as np

from moe_classic.routers import Rows, Slots

#: In place of one that nobody asks.
RNG = np.random.default_rng(0)


class Given:
    """In place of a generator: numbers that are given."""

    def __init__(self, normal=None, uniform=None):
        self.normal, self.uniform = normal, uniform

    def standard_normal(self, shape):
        assert self.normal.shape == tuple(np.atleast_1d(shape))
        return self.normal

    def random(self, shape):
        assert self.uniform.shape == tuple(np.atleast_1d(shape))
        return self.uniform


def layer(plan, x, W1, b1, W2, b2):
    """Output (n, d), and a function that pulls a gradient back through experts and plan."""
    X = plan.take(x)
    parts = [slice(a, b) for a, b in zip(plan.offsets[:-1], plan.offsets[1:], strict=True)]
    H = [np.maximum(X[s] @ W1[e] + b1[e], 0.0) for e, s in enumerate(parts)]
    Y = np.concatenate([h @ W2[e] + b2[e] for e, h in enumerate(H)])
    pairs = None if isinstance(plan, Slots) else plan.weights[:, None]

    def pull(G):
        Gp = plan.pull_put(G)
        g_w = (Gp * Y0).sum(axis=1)
        Gp = Gp if pairs is None else Gp * pairs
        g = {"W1": np.zeros_like(W1), "b1": np.zeros_like(b1)}
        g |= {"W2": np.zeros_like(W2), "b2": np.zeros_like(b2)}
        g_X = np.zeros_like(X)
        for e, s in enumerate(parts):
            g["W2"][e], g["b2"][e] = H[e].T @ Gp[s], Gp[s].sum(axis=0)
            g_H = (Gp[s] @ W2[e].T) * (H[e] > 0)
            g["W1"][e], g["b1"][e] = X[s].T @ g_H, g_H.sum(axis=0)
            g_X[s] = g_H @ W1[e].T
        g["x"] = plan.pull_take(g_X)
        return g, plan.gradients(g_w)

    Y0 = Y.copy()
    return plan.put(Y), pull


def run(router, o, params, state=None, experts=("W1", "b1", "W2", "b2"), rng=RNG):
    """Plan, output and gradients of ``sum(y * G)`` of a layer of the oracle's experts."""
    rows = Rows(o["x"], np.ones(len(o["x"])))
    plan = router.plan(params, state or {}, rows, rng)
    y, pull = layer(plan, o["x"], *(o[name] for name in experts))
    g, g_weights = pull(o["G"])
    g_h, g_params = router.pull(params, plan, g_weights, None)
    return plan, y, g | g_params | {"x": g["x"] + g_h}


def losses_alone(router, params, x, rng=RNG):
    """Plan with its losses, and their gradients in the parameters."""
    plan = router.plan(params, {}, Rows(x, np.ones(len(x))), rng)
    return plan, router.pull(params, plan, np.zeros(plan.n_pairs), None)[1]
