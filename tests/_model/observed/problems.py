"""Small problems with missing values, and their likelihood by another way."""

import numpy as np

from moe_classic._data import Block, Design, Summary
from moe_classic._model import Group, ObservedModel
from moe_classic.experts import GaussianExpert
from moe_classic.gates import GaussianGate

from ...contracts.scenes import seeing_plain_columns

#: Arguments of the problems that every form of gate and experts is tried on.
FORMS = [
    {},
    {"d": 2},
    {"d": 2, "tied": True},
    {"d": 2, "covariance_type": "diag", "tied": True},
    {"d": 2, "covariance_type": "spherical"},
    {"shared": [1]},
    {"d": 2, "covariance_type": "diag", "shared": [0, 2]},
    {"gate": "diag"},
    {"gate": "tied", "K": 3},
]


def problem(d=1, K=2, p=3, n=40, gate="full", *, missing=True, **expert):
    """Model, parameters, a block and its summary."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((p, n)), rng.standard_normal((d, n))
    if missing:
        X[rng.random((p, n)) < 0.4] = np.nan
        X[:, 0] = np.nan
    summary = Summary(float(n), np.zeros(d), np.ones(d), n_rows=n)
    bound = seeing_plain_columns(GaussianExpert(**expert).bind(summary), p)
    gates = GaussianGate(covariance_type=gate)
    model = ObservedModel(gates, (Group(bound, K, 0),), 0)
    weights = rng.integers(1, 3, n).astype(float)
    block = Block((Design(np.vstack([X, np.ones(n)])),), y, weights)
    start = model.start([p + 1], summary)
    theta = model.pack(start)
    params = model.unpack(theta + 0.4 * rng.standard_normal(theta.size), start, summary)
    return model, params, block, summary


def log_likelihood(model, params, block):
    """Log density of what every row has, by the normal law of (x, y) cut down to it, (n,)."""
    gate = params.gate
    coef = np.concatenate([p.coef for p in params.experts])
    K, d, _ = coef.shape
    out = np.empty((K, block.w.size))
    for k in range(K):
        L = gate.chol[k % len(gate.chol)]
        C, B = L @ L.T, coef[k, :, :-1]
        p = params.experts[0]
        if hasattr(p, "chol"):
            root = p.chol[k % len(p.chol)]
        else:
            root = np.diag(np.broadcast_to(p.scale[k % len(p.scale)], d))
        mean = np.concatenate([gate.means[k], B @ gate.means[k] + coef[k, :, -1]])
        V = np.block([[C, C @ B.T], [B @ C, root @ root.T + B @ C @ B.T]])
        for i, z in enumerate(np.vstack([block.designs[0].Z[:-1], block.y]).T):
            o = ~np.isnan(z)
            e, part = z[o] - mean[o], 2.0 * np.pi * V[np.ix_(o, o)]
            height = -np.pi * e @ np.linalg.solve(part, e) - 0.5 * np.linalg.slogdet(part)[1]
            out[k, i] = np.log(gate.proportions[k]) + height
    return np.logaddexp.reduce(out)
