"""Overlap proved by Newton's method: a linear programme agrees, and is seldom needed."""

import numpy as np
import pytest
from scipy.optimize import linprog

from moe_classic import MoEClassifier, MoERegressor
from moe_classic._model import overlap, recession
from moe_classic._model.overlap import gaps, overlapping

TIE = 1e-6


def a_direction_exists(Z, labels, count):
    """The programme with all rows at once: a direction (C - 1, q) whose gaps are >= 0, some > 0."""
    normals = []
    for z, a in zip(Z.T, labels, strict=True):
        for b in set(range(count)) - {a}:
            row = np.zeros((count, len(Z)))
            row[a], row[b] = z, -z
            normals.append(row[:-1].ravel())
    normals = np.array(normals)
    found = linprog(
        -normals.sum(axis=0), A_ub=-normals, b_ub=np.zeros(len(normals)), bounds=(-1.0, 1.0)
    )
    return -found.fun > 1e-5


def classes(seed, count, noise):
    """Rows of classes by bands of a score with noise; features at most 1 in size, a one last."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2, 40))
    if seed % 3 == 0:
        X[1] = X[1] > 1.0
    score = X[0] + noise * rng.normal(size=40)
    labels = np.digitize(score, np.quantile(score, np.arange(1, count) / count))
    Z = np.vstack([X, np.ones(40)])
    return Z / np.abs(Z).max(axis=1, keepdims=True), labels


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1, 1.0])
def test_what_is_proved_to_overlap_has_no_direction(count, noise):
    for seed in range(12):
        Z, labels = classes(seed, count, noise)
        proved, apart = overlapping(Z, labels, count, TIE)
        assert not (proved and a_direction_exists(Z, labels, count))
        assert apart is None or (gaps(apart, Z, labels) >= 0.0).all()
        # Labels are cuts of one score: without noise all rows are told apart.
        assert (apart is not None) or noise > 0.0 or count > 2
        if noise == 1.0 and not a_direction_exists(Z, labels, count):
            assert proved


def test_quasi_separation_is_not_taken_for_overlap():
    Z, labels = classes(1, 2, 1.0)
    d = (np.arange(40) % 4 == 0).astype(float)
    Z = np.vstack([d, Z])
    assert overlapping(Z, np.where(d == 1.0, 1, labels), 2, TIE) == (False, None)
    # One row on the other side is enough.
    other = np.where(d == 1.0, 1, labels)
    other[0] = 0
    assert overlapping(Z, other, 2, TIE)[0] == (not a_direction_exists(Z, other, 2))


def test_columns_that_say_nothing_new_leave_the_question_open():
    Z, labels = classes(1, 2, 1.0)
    assert overlapping(Z, labels, 2, TIE)[0]
    assert overlapping(np.vstack([Z[0], Z]), labels, 2, TIE) == (False, None)


@pytest.mark.parametrize("kind", [MoERegressor, MoEClassifier])
@pytest.mark.parametrize("K", [1, 2, 3])
def test_no_programme_is_solved_where_fits_overlap(kind, K, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    side = X[:, 0] + 0.5 * rng.logistic(size=400) > 0.0
    y = np.where(side, X @ [3.0, 1.0], X @ [-1.0, 2.0]) + 0.5 * rng.logistic(size=400)
    y = y if kind is MoERegressor else (y > 0.0).astype(int)
    asked = []
    original = recession._programme
    monkeypatch.setattr(recession, "_programme", lambda *a: asked.append(a) or original(*a))
    quick = kind(K, n_init=2, random_state=0).fit(X, y)
    told = [s.component for s in quick._fitted.separated]
    if K < 3:
        assert not asked
        assert not told
    # The same is found where nothing can be proved.
    monkeypatch.setattr(overlap, "_proved", lambda *a: False)
    slow = kind(K, n_init=2, random_state=0).fit(X, y)
    assert [s.component for s in slow._fitted.separated] == told
