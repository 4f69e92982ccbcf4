"""Paths that compete: who ends early, and who never does."""

from types import SimpleNamespace

import numpy as np
import pytest

from moe_classic import HierarchicalMoEClassifier, HierarchicalMoERegressor
from moe_classic.solvers._base import ENOUGH, OUTDONE, Result
from moe_classic.solvers._race import Race


def path(heights):
    """A path over known heights, whose parameters are the numbers of its passes."""
    trace = []
    for number, height in enumerate(heights):
        yield number
        trace.append(height)
    return Result(len(trace) - 1, trace[-1], trace, len(trace), True, 0.0, ENOUGH)


def walked(race, several):
    """Ends of paths, given by their heights, that advance together."""
    paths = [race.watched(path(heights)) for heights in several]
    ends, answers = {}, dict.fromkeys(range(len(paths)))
    while answers:
        asked = {}
        for i, answer in answers.items():
            try:
                asked[i] = paths[i].send(answer)
            except StopIteration as end:
                ends[i] = end.value
        answers = {i: SimpleNamespace(value=several[i][at]) for i, at in asked.items()}
    return [ends[i] for i in range(len(paths))]


def climb(end, rate, n):
    """Heights that converge to ``end`` at a rate."""
    return list(end - 10.0 * rate ** np.arange(n))


def test_a_path_that_falls_behind_an_end_is_left_where_it_is():
    short, long = climb(0.0, 0.3, 20), climb(-5.0, 0.9, 200)
    first, second = walked(Race(lambda params: True), [short, long])
    assert first.converged
    assert first.message == ENOUGH
    assert second.message == OUTDONE
    assert not second.converged
    # Its end is among the points that it was at, and it is known how much may have been ahead.
    at = second.n_iter - 1
    assert (second.params, second.objective) == (at, long[at])
    assert second.trace == long[: at + 1]
    assert second.objective + second.gain_left < first.objective
    assert second.n_iter < 60


def test_a_path_that_may_still_win_goes_on_to_its_end():
    short, late = climb(0.0, 0.3, 20), climb(1.0, 0.95, 400)
    assert [r.n_iter for r in walked(Race(lambda params: True), [short, late])] == [20, 400]


def test_ends_that_are_not_sound_beat_nobody():
    short, long = climb(0.0, 0.3, 20), climb(-5.0, 0.9, 200)
    ends = walked(Race(lambda params: params != 19), [short, long])
    assert [r.n_iter for r in ends] == [20, 200]


@pytest.mark.parametrize("order", [1, -1])
def test_the_highest_is_never_left(order):
    several = [climb(e, 0.97, 300) for e in (-0.2, -0.1, -0.3, -0.1)][::order]
    ends = walked(Race(lambda params: True, margin=1.0, on_the_way=True), several)
    best = max(ends, key=lambda end: end.objective)
    assert best.converged
    assert best.n_iter == 300
    assert any(end.message == OUTDONE for end in ends)


def test_nobody_climbs_for_what_lies_above_the_top():
    race = Race(lambda params: True, margin=1.0, top=0.0, on_the_way=True)
    first, second = walked(race, [[-0.5] * 3, climb(-0.1, 0.1, 20)])
    assert first.n_iter == 3 or second.n_iter == 20
    assert {first.message, second.message} == {ENOUGH, OUTDONE}


@pytest.mark.parametrize("kind", [HierarchicalMoERegressor, HierarchicalMoEClassifier])
def test_trees_leave_starts_that_cannot_win_and_their_best_has_converged(kind):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3))
    y = np.where(X[:, 0] > 0.0, X @ [1, 2, 0], X @ [-1, 0, 1]) + 0.3 * rng.standard_normal(300)
    y = y > 0.0 if kind is HierarchicalMoEClassifier else y
    tree = kind(random_state=0).fit(X, y)
    report = tree.start_report_
    assert tree.converged_
    # Ends with a degenerate expert may be higher, and do not win.
    best = report[report["optimum"] == 1]
    assert len(best)
    assert best["converged"].all()
    left = report[~report["converged"]]
    assert len(left)
    assert (left["optimum"] == 0).all()
    assert (left["objective"] < best["objective"].min()).all()
