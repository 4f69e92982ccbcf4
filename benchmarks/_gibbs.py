"""A Gibbs sampler for Bayesian mixtures of experts, many chains at once: for tests, slow and exact.

Polya-gamma augmentation of softmax probabilities (Polson, Scott & Windle 2013), one class against
the others in turn, conjugate draws of everything else, under the priors of ``BayesianMoERegressor``
and ``BayesianMoEClassifier`` in standardised units. Arrays have the chains first.
"""

import numpy as np
from scipy.special import logsumexp

#: Terms of the sum of gamma variables that stands for a Polya-gamma one; the rest has its mean.
TERMS = 30


def polya_gamma(c, rng):
    """PG(1, c) as a sum of exponentials, the tail by its mean."""
    c = np.abs(c)
    half = (np.arange(1, TERMS + 1) - 0.5) ** 2 + (c[..., None] / (2.0 * np.pi)) ** 2
    first = (rng.standard_exponential(half.shape) / half).sum(axis=-1)
    mean = np.where(c > 1e-6, np.tanh(0.5 * c) / np.maximum(2.0 * c, 1e-6), 0.25)
    tail = mean * 2.0 * np.pi**2 - (1.0 / half).sum(axis=-1)
    return (first + np.maximum(tail, 0.0)) / (2.0 * np.pi**2)


def normal(L, m, rng, scale=1.0):
    """Draws around ``m`` with precision ``L`` over the square of ``scale``."""
    z = rng.standard_normal(m.shape)[..., None]
    return m + scale * np.linalg.solve(np.linalg.cholesky(L).swapaxes(-1, -2), z)[..., 0]


def log_softmax(eta):
    """Over the axis before the last."""
    return eta - logsumexp(eta, axis=-2, keepdims=True)


class Logits:
    """Softmax probabilities of M classes: coefficients V (..., M, q), a precision a feature."""

    def __init__(self, Z, shape, M, prior=(0.5, 2.0)):
        q = Z.shape[1]
        self.Z, self.prior = Z, prior
        self.products = (Z[:, :, None] * Z[:, None, :]).reshape(len(Z), q * q)
        self.V, self.beta = np.zeros((*shape, M, q)), np.ones((*shape, q))

    def draw(self, hits, counts, rng):
        """Given indicators ``hits`` (..., M, n) and which rows count (..., n)."""
        V, q = self.V, self.Z.shape[1]
        for m in range(V.shape[-2]):
            rest = np.delete(np.arange(V.shape[-2]), m)
            if rest.size == 0:
                break
            offset = logsumexp(V[..., rest, :] @ self.Z.T, axis=-2)
            omega = counts * polya_gamma(V[..., m, :] @ self.Z.T - offset, rng)
            L = (omega @ self.products).reshape(*omega.shape[:-1], q, q)
            L = L + self.beta[..., None] * np.eye(q)
            pull = (counts * (hits[..., m, :] - 0.5) + omega * offset) @ self.Z
            V[..., m, :] = normal(L, np.linalg.solve(L, pull[..., None])[..., 0], rng)
        a, b = self.prior
        size = (V**2).sum(axis=-2)
        self.beta = rng.gamma(a + 0.5 * V.shape[-2], 1.0 / (b + 0.5 * size))

    def log_proba(self, Z):
        """(..., M, n)."""
        return log_softmax(self.V @ Z.T)


class Lines:
    """Gaussian regressions of K experts."""

    def __init__(self, Z, y, chains, K):
        q = Z.shape[1]
        self.Z, self.y = Z, y
        self.products = (Z[:, :, None] * Z[:, None, :]).reshape(len(Z), q * q)
        self.B, self.tau = np.zeros((chains, K, q)), np.ones((chains, K))
        self.alpha = np.ones((chains, K, q))

    def draw(self, mine, rng):
        """Given indicators (chains, K, n) of the experts of the rows."""
        q = self.Z.shape[1]
        L = (mine @ self.products).reshape(*mine.shape[:-1], q, q)
        L = L + self.alpha[..., None] * np.eye(q)
        m = np.linalg.solve(L, ((mine * self.y) @ self.Z)[..., None])[..., 0]
        fit = (mine * (self.y - m @ self.Z.T) ** 2).sum(axis=-1) + (self.alpha * m**2).sum(axis=-1)
        self.tau = rng.gamma(0.5 + 0.5 * mine.sum(axis=-1)) / (5e-3 + 0.5 * fit)
        self.B = normal(L, m, rng, self.tau[..., None] ** -0.5)
        self.alpha = rng.gamma(1.0, 1.0 / (2.0 + 0.5 * self.tau[..., None] * self.B**2))

    def log_density(self, Z, y):
        """(chains, K, n)."""
        t = self.tau[..., None]
        return 0.5 * (np.log(t / (2.0 * np.pi)) - t * (y - self.B @ Z.T) ** 2)


class Classes:
    """Multinomial logits of K experts."""

    def __init__(self, Z, y, chains, K):
        self.hits = np.eye(y.max() + 1)[y].T
        self.logits = Logits(Z, (chains, K), len(self.hits))

    def draw(self, mine, rng):
        """Given indicators (chains, K, n) of the experts of the rows."""
        hits = np.broadcast_to(self.hits, (*mine.shape[:2], *self.hits.shape))
        self.logits.draw(hits, mine, rng)

    def log_density(self, Z, y):
        """(chains, K, n)."""
        return self.logits.log_proba(Z)[:, :, y, np.arange(len(y))]


def held_out(experts, Z, y, R, new, sweeps, seed):
    """Log density of new rows (chains, n), averaged over the last three quarters of each chain.

    Parameters
    ----------
    experts : Lines or Classes
    Z, y : design (n, q) and target
    R : responsibilities (chains, K, n) with which the chains begin
    new : design and target of the new rows
    """
    rng, (chains, K, _) = np.random.default_rng(seed), R.shape
    gate, every = Logits(Z, (chains,), K), np.ones((chains, len(Z)))
    total, count = np.full((chains, len(new[1])), -np.inf), 0
    for i in range(sweeps):
        label = (R.cumsum(axis=1) < rng.random((chains, 1, len(Z)))).sum(axis=1).clip(max=K - 1)
        mine = (label[:, None] == np.arange(K)[:, None]).astype(float)
        experts.draw(mine, rng)
        gate.draw(mine, every, rng)
        R = np.exp(log_softmax(gate.log_proba(Z) + experts.log_density(Z, y)))
        if i >= sweeps // 4 and i % 3 == 0:
            joint = gate.log_proba(new[0]) + experts.log_density(*new)
            total, count = np.logaddexp(total, logsumexp(joint, axis=1)), count + 1
    return total - np.log(count)
