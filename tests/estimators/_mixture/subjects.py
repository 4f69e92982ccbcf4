"""Subjects in classes: tables whose rows belong together, and how well they are told apart."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

#: Intercept, slope and effect of a treatment in each class.
TRUTH = np.array([[0.0, 2.0, 0.0], [1.5, 0.0, 2.0], [3.0, -2.0, 0.0]])


def three_classes(seed, subjects=60, visits=6, noise=0.5):
    """Time and treatment (n, 2), y (n,), subjects (n,), classes (n,)."""
    rng = np.random.default_rng(seed)
    kind = np.arange(subjects) % 3
    time = rng.uniform(-1.0, 1.0, (subjects, visits))
    treated = np.repeat(rng.integers(2, size=(subjects, 1)), visits, axis=1)
    intercept, slope, effect = TRUTH[kind].T[..., None]
    y = intercept + slope * time + effect * treated + noise * rng.normal(size=time.shape)
    X = np.column_stack([time.ravel(), treated.ravel()])
    return X, y.ravel(), np.repeat(np.arange(subjects), visits), np.repeat(kind, visits)


def matched(found, true):
    """Share of rows in the right class, and which true class each expert is."""
    K = int(true.max()) + 1
    counts = np.array([[((found == k) & (true == c)).mean() for c in range(K)] for k in range(K)])
    experts, classes = linear_sum_assignment(-counts)
    return counts[experts, classes].sum(), classes


def by_hand(X, y, groups, gate, intercepts, slopes, scales):
    """Log-likelihood of subjects with log gate rows (G, K), written down plainly."""
    total = 0.0
    for i, label in enumerate(np.unique(groups)):
        rows = groups == label
        joint = np.array(gate[i], dtype=float)
        for k in range(len(scales)):
            z = (y[rows] - intercepts[k] - X[rows] @ slopes[k]) / scales[k]
            joint[k] += np.sum(-0.5 * z**2 - np.log(scales[k]) - 0.5 * np.log(2.0 * np.pi))
        total += np.logaddexp.reduce(joint)
    return total
