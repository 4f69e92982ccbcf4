"""When a fit ends, what it reports on the way, and who may stop it."""

import io
import logging

import pytest
from sklearn.exceptions import ConvergenceWarning

from moe_classic._compat import HAS_CALLBACKS

from .models import regressor

callbacks = pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn before 1.9 has none")


# ------------------------------------------------------------------------- stopping


def test_fit_warns_with_numbers_when_passes_run_out(real):
    with pytest.warns(ConvergenceWarning, match=r"max_iter=2 passes .* Raise max_iter or tol"):
        model = regressor(3, max_iter=2).fit(*real)
    assert not model.converged_


def test_larger_tol_ends_sooner(real):
    X, y = real
    options = {"init": "principal", "n_init": 1, "gate": "constant"}
    rough, fine = (regressor(3, tol=tol, **options).fit(X, y) for tol in (1e-1, 1e-9))
    assert rough.n_iter_ < fine.n_iter_
    assert rough.log_likelihood_ <= fine.log_likelihood_
    assert rough.converged_
    assert fine.converged_


class Recorder:
    """Callback that writes down the tasks, and stops every run after some iterations."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.begun, self.ended, self.calls = [], [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(self.place(context))

    def on_fit_task_end(self, estimator, context):
        self.ended.append(self.place(context))
        return context.task_name == "iteration" and context.task_id + 1 == self.stop_after

    def place(self, context):
        parent = None if context.parent is None else context.parent.task_name
        return context.task_name, context.task_id, parent


@callbacks
def test_callback_sees_runs_and_their_iterations(real):
    recorder = Recorder()
    model = regressor(3).set_callbacks(recorder).fit(*real)
    assert recorder.calls == ["setup", "teardown"]
    assert sorted(recorder.begun, key=str) == sorted(recorder.ended, key=str)
    assert recorder.begun[0] == ("fit", 0, None)
    runs = [name for name, _, parent in recorder.begun if parent == "fit"]
    assert any("principal" in name or "kmeans" in name for name in runs)
    for run in runs:
        steps = [i for name, i, parent in recorder.begun if (name, parent) == ("iteration", run)]
        assert steps == list(range(len(steps)))
        assert 0 < len(steps) <= model.max_iter


@callbacks
def test_callback_can_stop_a_fit(real):
    X, y = real
    options = {"init": "principal", "n_init": 1, "gate": "constant"}
    free = regressor(3, **options).fit(X, y)
    stopped = regressor(3, **options).set_callbacks(Recorder(stop_after=2)).fit(X, y)
    assert stopped.n_iter_ < free.n_iter_
    assert not stopped.converged_
    assert len(stopped.predict(X)) == len(X)


@callbacks
def test_progress_bar_shows_the_iterations(real, capsys):
    from sklearn.callback import ProgressBar  # not there before 1.9

    regressor(3).set_callbacks(ProgressBar()).fit(*real)
    output = capsys.readouterr().out
    assert "MoERegressor - fit" in output
    assert "100%" in output


def test_verbose_logs_every_pass_with_its_objective(real, caplog):
    with caplog.at_level(logging.INFO, logger="moe_classic"):
        regressor(3, verbose=1).fit(*real)
    lines = [r.getMessage() for r in caplog.records]
    assert any("iteration 1: objective -" in line for line in lines)
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="moe_classic"):
        regressor(3).fit(*real)
    assert caplog.records == []


def test_verbose_is_heard_where_logging_is_not_set_up(real, monkeypatch):
    logger = logging.getLogger("moe_classic")
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logging.WARNING)
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    regressor(3, verbose=1).fit(*real)
    assert "iteration 1: objective" in stream.getvalue()
