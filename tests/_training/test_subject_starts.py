"""Starts where rows belong to subjects: their regressions tell them apart."""

import numpy as np
import pytest

from moe_classic._data import Subjects
from moe_classic._training.starts import StartData
from moe_classic._training.subject_starts import SUBJECT_STRATEGIES, of_subjects


def crossing(rng, subjects=60, visits=6, width=2):
    """A view of rows on lines that cross, the subjects, and the line of each."""
    kind = np.arange(subjects) % 2
    X = rng.normal(size=(subjects * visits, width))
    slope = np.where(kind, 2.0, -2.0)
    y = np.repeat(slope, visits) * X[:, 0] + 0.1 * rng.normal(size=len(X))
    view = StartData(X, (y / y.std())[:, None], np.ones(len(X)), 2)
    return view, Subjects(np.full(subjects, visits), np.ones(subjects)), kind


def test_a_subject_is_a_point_that_its_regression_gives(rng):
    view, subjects, kind = crossing(rng)
    points = of_subjects(view, subjects)
    assert points.target.shape == (60, 3)
    assert points.X.shape == (60, 2)
    assert ((points.target[:, 0] > 0.0) == (kind == 1)).all()
    # Slopes that are ridge regressions of what one fit leaves, in one unit.
    A = np.column_stack([view.X, np.ones(360)])
    rest = view.target - A @ np.linalg.lstsq(A, view.target, rcond=None)[0]
    own = [
        np.linalg.solve(A[i : i + 6].T @ A[i : i + 6] + np.eye(3), A[i : i + 6].T @ rest[i : i + 6])
        for i in range(0, 360, 6)
    ]
    own = np.array(own)[..., 0]
    own -= own.mean(axis=0)
    np.testing.assert_allclose(points.target, own / own.std(axis=0).max(), atol=1e-10)


@pytest.mark.parametrize("width", [14, 15, 40])
def test_wide_regressions_become_ten_numbers(rng, width):
    view, subjects, kind = crossing(rng, width=width, visits=20)
    points = of_subjects(view, subjects).target
    assert points.shape == (60, 10)
    side = points[:, -1] > 0.0
    assert max((side == kind).mean(), (side != kind).mean()) == 1.0


@pytest.mark.parametrize("name", ["elemental", "local", "residual", "kmeans"])
def test_subjects_are_told_apart(rng, name):
    view, subjects, kind = crossing(rng)
    points = of_subjects(view, subjects)
    found = []
    for seed in range(12):
        labels = SUBJECT_STRATEGIES[name](points, np.random.default_rng(seed))
        assert labels.shape == (60,)
        assert set(labels) <= {0, 1}
        found.append(max((labels == kind).mean(), (labels != kind).mean()))
    assert max(found) == 1.0


def test_distant_subjects_are_of_either_line(rng):
    view, subjects, kind = crossing(rng)
    points = of_subjects(view, subjects)
    draws = [SUBJECT_STRATEGIES["local"](points, np.random.default_rng(s)) for s in range(40)]
    right = [max((d == kind).mean(), (d != kind).mean()) == 1.0 for d in draws]
    assert np.mean(right) > 0.9


def test_subjects_that_are_all_alike_do_not_break_a_start(rng):
    view, subjects, _ = crossing(rng, subjects=4, visits=3)
    still = StartData(view.X * 0.0, view.target * 0.0, view.w, 2)
    points = of_subjects(still, subjects)
    for strategy in SUBJECT_STRATEGIES.values():
        labels = strategy(points, np.random.default_rng(0))
        assert labels.shape == (4,)
