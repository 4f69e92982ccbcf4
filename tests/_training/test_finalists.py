"""Which starts are followed, and whether the report on their ends is true."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from moe_classic import MoERegressor
from moe_classic._training import trainer as _train
from moe_classic._training.finalists import (
    AGREE,
    MOST,
    StartRun,
    have_met,
    number_optima,
    report,
    run_finalists,
)
from moe_classic.datasets import make_moe
from moe_classic.solvers import EM, Newton, Result

from ..solvers.problems import drawn


def run(value, *, converged=True, degenerate=0):
    result = Result(None, value, [value], 1, converged, 0.0)
    return StartRun("kmeans", value, result, degenerate)


def led_to(heights):
    """What follows run i to ``heights[i]``, and the list of those that were."""
    asked = []

    def continue_run(starts):
        for i, _ in starts:
            asked.append(i)
            yield run(heights[i])

    return continue_run, asked


# ------------------------------------------------------------------------- who is followed


def test_following_ends_when_three_agree_on_the_best_height():
    runs = [run(-float(i)) for i in range(10)]
    continue_run, asked = led_to([5.0] * 10)
    assert run_finalists(runs, continue_run, same=1e-6, every=False) == [0, 1, 2]
    assert asked == [0, 1, 2]
    assert AGREE == 3


def test_following_ends_at_five_when_starts_disagree():
    runs = [run(-float(i)) for i in range(10)]
    continue_run, asked = led_to([10.0 * i for i in range(10)])
    assert run_finalists(runs, continue_run, same=1e-6, every=False) == [4, 3, 2, 1, 0]
    assert len(asked) == MOST == 5


def test_following_ends_at_a_height_that_others_hardly_surpass():
    runs = [run(-float(i)) for i in range(10)]
    continue_run, asked = led_to([-3.0, -2.0, -0.5, -0.1] + [0.0] * 6)
    assert run_finalists(runs, continue_run, same=1e-6, every=True, ceiling=-1.0) == [2, 1, 0]
    assert asked == [0, 1, 2]


def test_spurious_ends_are_not_high_enough():
    runs = [run(-float(i)) for i in range(3)]

    def continue_run(starts):
        yield from (run(-0.1, degenerate=1) for _ in starts)

    found = run_finalists(runs, continue_run, same=1e-6, every=True, ceiling=-1.0)
    assert len(found) == 3


def test_all_are_followed_on_few_rows():
    runs = [run(-float(i)) for i in range(10)]
    continue_run, asked = led_to([5.0] * 10)
    assert sorted(run_finalists(runs, continue_run, same=1e-6, every=True)) == list(range(10))
    assert asked == list(range(10))


def test_starts_with_degenerate_experts_are_followed_last():
    runs = [run(9.0, degenerate=1), run(1.0), run(2.0)]
    continue_run, asked = led_to([9.0, 3.0, 3.0])
    run_finalists(runs, continue_run, same=1e-6, every=True)
    assert asked == [2, 1, 0]


def test_same_path_is_followed_once_and_counted_twice():
    runs = [run(1.0), run(1.0), run(0.5)]
    continue_run, asked = led_to([7.0, 8.0, 7.0])
    run_finalists(runs, continue_run, same=1e-6, every=True)
    assert asked == [0, 2]
    assert [r.objective for r in runs] == [7.0, 7.0, 7.0]


def test_runs_that_have_met_are_followed_once():
    runs = [run(1.0), run(1.0 - 1e-7), run(0.5), run(0.5 - 1e-3)]
    continue_run, asked = led_to([7.0, 8.0, 7.0, 6.0])

    def met(a, b):
        return abs(a.objective - b.objective) <= 1e-6

    run_finalists(runs, continue_run, same=1e-6, every=True, met=met)
    assert asked == [0, 2, 3]
    assert [r.objective for r in runs] == [7.0, 7.0, 7.0, 6.0]


def test_runs_have_met_where_heights_and_assignments_agree():
    problem, start = drawn(apart=4.0)
    model, (block,) = problem.model, problem.source
    here = EM().run(problem, start, max_iter=200, tol=1e-8)
    model_start = model.start([d.width for d in block.designs], problem.summary)
    there = replace(here, params=model_start)
    ended = StartRun("", 5.0, here, 0)
    met = have_met(model, block, 1e-3)
    turned = replace(here, params=model.reorder(here.params, np.array([1, 0])), converged=False)
    assert met(ended, StartRun("", 5.0 - 1e-4, turned, 0))
    assert not met(ended, StartRun("", 5.0 - 1e-2, turned, 0))
    assert not met(ended, StartRun("", 5.0, turned, 1))
    assert not met(ended, StartRun("", 5.0, there, 0))
    assert not met(StartRun("", 5.0, turned, 0), ended)


# ------------------------------------------------------------------------- what is said of them


def test_optima_are_numbered_from_the_best_within_the_tolerance():
    runs = [run(2.0), run(3.0), run(3.0 - 1e-9), run(1.0)]
    assert number_optima(runs, [0, 1, 2, 3], 1e-6) == [2, 1, 1, 3]


def test_run_that_was_not_followed_or_was_capped_has_no_optimum():
    runs = [run(3.0), run(2.0, converged=False), run(2.5)]
    assert number_optima(runs, [0, 1], 1e-6) == [1, 0, 0]


def test_capped_run_as_high_as_the_best_has_reached_it():
    runs = [run(3.0), run(3.0 - 1e-8, converged=False)]
    assert number_optima(runs, [0, 1], 1e-6) == [1, 1]


def test_degenerate_optimum_comes_after_all_others_however_high():
    runs = [run(9.0, degenerate=1), run(3.0), run(2.0)]
    assert number_optima(runs, [0, 1, 2], 1e-6) == [3, 1, 2]
    assert [row["optimum"] for row in report(runs, [0, 1, 2], 10.0, 1e-6)] == [3, 1, 2]


# ------------------------------------------------------------------------- the truth


@pytest.mark.parametrize("solver", [EM(), Newton()], ids=repr)
@pytest.mark.parametrize("seed", [1, 3])
def test_as_many_starts_as_reported_reach_the_best_optimum(monkeypatch, solver, seed):
    # Under seed 3 the highest optimum has a spurious expert and is passed over.
    X, y = make_moe(150, n_experts=3, n_features=1, separation=0.8, random_state=seed)
    shorts = []
    original = _train.Trainer.short_runs

    def kept(self, start_sample, starts):
        runs = original(self, start_sample, starts)
        shorts.extend((start_sample.problem, run) for run in runs)
        return runs

    monkeypatch.setattr(_train.Trainer, "short_runs", kept)
    moe = MoERegressor(3, solver=solver, random_state=0).fit(X, y)
    starts = moe.start_report_[~moe.start_report_.strategy.isin(["split and merge"])]
    small = shorts[0][0]
    # Every short run once more, to the last digits, by a solver of its own.
    ends = []
    for _, short in shorts:
        far = solver.run(small, short.result.params, max_iter=2000, tol=1e-9)
        ends.append(EM(finish=None).run(small, far.params, max_iter=20, tol=1e-12).objective)
    # What ended at experts that interpolate or are spurious counts neither here nor there.
    sound = starts.sort_index().degenerate_experts.to_numpy() == 0
    ends = np.array(ends)[sound]
    assert (starts.optimum[starts.degenerate_experts > 0] != 1).all()
    # split-and-merge moves may have found a height that no start reached
    report = moe.start_report_[moe.start_report_.degenerate_experts == 0]
    found = report.objective.max() - moe._fitted.offset * small.summary.weight
    highest = max([*ends, found])
    reached = int((ends > highest - 1e-5).sum())
    assert 0 < (starts.optimum == 1).sum() < len(starts)
    assert (starts.optimum == 1).sum() == reached


def test_report_says_that_only_finalists_of_a_large_sample_are_known():
    X, y = make_moe(1500, n_experts=2, random_state=0)
    table = MoERegressor(2, random_state=0).fit(X, y).start_report_
    assert AGREE <= table.finalist.sum() <= MOST
    assert (table.optimum[~table.finalist] == 0).all()
    assert table.optimum.iloc[0] == 1


def test_single_start_is_the_best_optimum():
    X, y = make_moe(80, n_experts=2, random_state=0)
    moe = MoERegressor(2, random_state=0).fit(X, y)
    moe.set_params(warm_start=True).fit(X, y)
    assert list(moe.start_report_.optimum) == [1]


def test_cap_leaves_the_optima_of_lower_starts_unknown():
    X, y = make_moe(150, n_experts=3, n_features=1, separation=0.8, random_state=3)
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        moe = MoERegressor(3, max_iter=3, random_state=0).fit(X, y)
    table = moe.start_report_
    assert not table.converged.any()
    assert set(table.optimum) == {0, 1}
