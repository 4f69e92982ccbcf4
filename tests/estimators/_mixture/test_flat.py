"""MoERegressor and MoEClassifier: what a fit leaves, and what it answers."""

import io
import logging

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import log_softmax, logsumexp
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.datasets import load_tone, make_moe
from moe_classic.experts import (
    GaussianExpert,
    LaplaceExpert,
    LogisticExpert,
    MultinomialExpert,
    StudentTExpert,
)
from moe_classic.gates import ConstantGate, GaussianGate, SoftmaxGate

REAL_EXPERTS = ["gaussian", "laplace", "student_t"]
GATES = ["constant", "gaussian", "softmax"]
STRATEGIES = ["principal", "kmeans", "elemental", "residual", "segments", "local"]
every_gate = pytest.mark.parametrize("gate", GATES)
every_real = pytest.mark.parametrize("expert", REAL_EXPERTS)


@pytest.fixture(scope="module")
def real():
    """Rows of three experts on two features."""
    return make_moe(150, n_experts=3, n_features=2, random_state=3)


@pytest.fixture(scope="module")
def classes():
    """Rows of two experts for three classes."""
    X, y = make_moe(
        150, expert="multinomial", n_classes=3, n_features=2, separation=5.0, random_state=1
    )
    return X, np.array(["a", "b", "c"])[y]


@pytest.fixture(scope="module")
def tone():
    return load_tone(return_X_y=True)


def regressor(n_experts=2, **options):
    return MoERegressor(n_experts, **{"n_init": 2, "random_state": 0} | options)


def classifier(n_experts=2, **options):
    return MoEClassifier(n_experts, **{"n_init": 2, "random_state": 0} | options)


def gate_by_hand(model, X):
    """Log gate probabilities from the published parameters, (n, K)."""
    gate = model.gate_
    if gate.name == "softmax":
        joint = X @ gate.coef_.T + gate.intercept_
    else:
        joint = np.log(gate.weights_) + np.zeros((len(X), 1))
    if gate.name == "gaussian":
        parts = zip(gate.means_, gate.covariances_, strict=True)
        joint = joint + np.column_stack([stats.multivariate_normal(*p).logpdf(X) for p in parts])
    return log_softmax(joint, axis=1)


# ------------------------------------------------------------------------- what a fit leaves


@pytest.mark.parametrize("estimator", [MoERegressor(), MoEClassifier()])
@pytest.mark.parametrize("method", ["predict", "gate_proba", "expert_predictions", "summary"])
def test_estimator_says_that_it_is_not_fitted(estimator, method):
    arguments = () if method == "summary" else ([[0.0]],)
    with pytest.raises(NotFittedError):
        getattr(estimator, method)(*arguments)


@every_real
@every_gate
def test_log_likelihood_is_that_of_the_training_rows(real, expert, gate):
    X, y = real
    model = regressor(expert=expert, gate=gate).fit(X, y)
    # rounding of coefficients moved between scales
    assert model.log_likelihood_ == pytest.approx(model.log_likelihood(X, y), abs=1e-7)
    assert model.log_likelihood(X, y) == pytest.approx(model.score_samples(X, y).sum())


@every_real
@every_gate
def test_trace_never_falls_and_ends_at_the_penalised_likelihood(real, expert, gate):
    X, y = real
    gate = SoftmaxGate(alpha=0.0) if gate == "softmax" else gate
    model = regressor(expert=expert, gate=gate).fit(X, y)
    assert model.trace_.ndim == 1
    assert (np.diff(model.trace_) >= 0).all()
    # Without penalties: the likelihood itself, of (x, y) jointly where the gate describes x.
    marginal = model.score_samples(X).sum()
    assert model.trace_[-1] == pytest.approx(model.log_likelihood_ + marginal, abs=1e-6)
    assert (marginal != 0.0) == (gate == "gaussian")


def test_trace_ends_at_the_likelihood_minus_the_penalties(real):
    X, y = real
    gate, expert = SoftmaxGate(alpha=0.03), GaussianExpert(alpha=0.02)
    model = regressor(expert=expert, gate=gate).fit(X, y)
    spread, size = X.std(axis=0), y.std()
    slopes = np.stack([e.coef_ * spread / size for e in model.experts_])
    pull = model.gate_.coef_ * spread
    penalty = 0.5 * 0.02 * (slopes**2).sum() + 0.5 * 0.03 * ((pull - pull.mean(axis=0)) ** 2).sum()
    expected = model.log_likelihood_ - len(y) * penalty
    assert model.trace_[-1] == pytest.approx(expected, abs=1e-6)


@every_gate
def test_experts_are_ordered_by_their_share_of_the_rows(real, gate):
    X, y = real
    model = regressor(3, gate=gate).fit(X, y)
    shares = np.array([e.weight_ for e in model.experts_])
    assert (np.diff(shares) <= 0).all()
    # E-step masses at the parameters of the fit
    np.testing.assert_allclose(shares, model.responsibilities(X, y).mean(axis=0), atol=1e-6)
    assert [e.label for e in model.experts_] == ["expert 1", "expert 2", "expert 3"]


#: Free parameters with p = 2 features and K = 3: experts by hand (intercept, slopes, nuisances).
COUNTS = [
    ("gaussian", "softmax", 3 * 4 + 2 * 3),
    ("gaussian", "constant", 3 * 4 + 2),
    ("gaussian", "gaussian", 3 * 4 + 2 + 3 * (2 + 3)),
    ("gaussian", GaussianGate(covariance_type="diag"), 3 * 4 + 2 + 3 * (2 + 2)),
    ("gaussian", GaussianGate(covariance_type="tied"), 3 * 4 + 2 + 3 * 2 + 3),
    (GaussianExpert(tied=True), "constant", 3 * 3 + 1 + 2),
    (GaussianExpert(features=[0]), SoftmaxGate(features=[]), 3 * 3 + 2),
    ("laplace", "softmax", 3 * 4 + 2 * 3),
    ("student_t", "softmax", 3 * 5 + 2 * 3),
    (StudentTExpert(df=3.0), "softmax", 3 * 4 + 2 * 3),
    ([("a", "gaussian"), ("b", "student_t"), ("c", "laplace")], "constant", 4 + 5 + 4 + 2),
]


@pytest.mark.parametrize(("expert", "gate", "count"), COUNTS, ids=str)
def test_parameters_are_counted(real, expert, gate, count):
    assert regressor(3, expert=expert, gate=gate).fit(*real).n_parameters_ == count


@pytest.mark.parametrize(
    ("expert", "count"),
    [
        (GaussianExpert(), 2 * (2 * 3 + 3) + 3),
        (GaussianExpert(tied=True), 2 * 2 * 3 + 3 + 3),
        (GaussianExpert(covariance_type="diag"), 2 * (2 * 3 + 2) + 3),
        (GaussianExpert(covariance_type="spherical"), 2 * (2 * 3 + 1) + 3),
        (GaussianExpert(covariance_type="spherical", tied=True), 2 * 2 * 3 + 1 + 3),
    ],
    ids=str,
)
def test_parameters_of_several_outputs_are_counted(expert, count):
    X, y = make_moe(120, n_features=2, n_outputs=2, random_state=0)
    assert regressor(expert=expert).fit(X, y).n_parameters_ == count


def test_parameters_of_classes_are_counted(classes):
    assert classifier(3).fit(*classes).n_parameters_ == 3 * 2 * 3 + 2 * 3


@pytest.mark.parametrize("K", [1, 3])
def test_start_report_has_one_row_a_start_and_is_best_first(real, K):
    model = regressor(K, n_init=6).fit(*real)
    report = model.start_report_
    assert report.index.name == "start"
    assert (np.diff(report.objective) <= 0).all()
    assert report.finalist.any()
    if K == 1:
        assert len(report) == 1
    else:
        # split-and-merge moves may add rows of their own
        assert len(report) >= 6
        assert set(STRATEGIES[:5]) <= set(report.strategy)
    assert model.trace_[-1] == pytest.approx(report.objective.max(), abs=1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_strategy_may_be_the_only_one(tone, strategy):
    model = regressor(init=strategy, n_init=3).fit(*tone)
    assert list(model.start_report_.strategy) == [strategy] * 3
    assert np.isfinite(model.log_likelihood_)


def test_given_responsibilities_are_the_only_start(tone, rng):
    X, y = tone
    near = np.abs(y - X[:, 0]) < np.abs(y - 2.0)
    R = 0.9 * np.column_stack([near, ~near]) + 0.05
    model = regressor(init=R, n_init=1).fit(X, y)
    assert len(model.start_report_) == 1
    # the optimum of the literature
    assert model.log_likelihood_ == pytest.approx(142.848, abs=1e-3)
    # Rows are scaled to sum to one; their order matters, that of the columns only names experts.
    scaled = regressor(init=R[:, ::-1] * rng.uniform(1, 9, (150, 1)), n_init=1).fit(X, y)
    assert scaled.log_likelihood_ == pytest.approx(model.log_likelihood_, abs=1e-6)


@pytest.mark.parametrize("solver", ["em", "newton", "lbfgs"])
def test_solvers_reach_the_same_optimum(tone, solver):
    X, y = tone
    near = np.abs(y - X[:, 0]) < np.abs(y - 2.0)
    R = 0.9 * np.column_stack([near, ~near]) + 0.05
    model = regressor(init=R, n_init=1, solver=solver, gate=SoftmaxGate(alpha=0.0)).fit(X, y)
    assert model.converged_
    # tol is 1e-6 nats a row
    assert model.log_likelihood_ == pytest.approx(142.84801, abs=2e-4)


@pytest.mark.parametrize("options", [{}, {"gate": "gaussian"}, {"expert": "student_t"}])
def test_same_seed_gives_the_same_fit(real, options):
    first, again = (regressor(**options).fit(*real) for _ in range(2))
    np.testing.assert_array_equal(first.trace_, again.trace_)
    np.testing.assert_array_equal(first.predict(real[0]), again.predict(real[0]))


def test_random_state_instance_and_none_are_taken(real):
    for state in (np.random.RandomState(0), None):
        assert np.isfinite(regressor(random_state=state).fit(*real).log_likelihood_)


def test_standardising_changes_the_way_and_not_the_optimum(real):
    X, y = real
    far, big = 3.0 * X - 7.0, 20.0 * y + 100.0
    options = {"gate": SoftmaxGate(alpha=0.0), "n_init": 10}
    inside, outside = (
        regressor(3, standardize=flag, **options).fit(far, big) for flag in (True, False)
    )
    # tol is 1e-6 nats a row
    assert inside.log_likelihood_ == pytest.approx(outside.log_likelihood_, abs=1e-3)
    np.testing.assert_allclose(inside.predict(far), outside.predict(far), rtol=1e-3)


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


def test_callback_can_stop_a_fit(real):
    X, y = real
    options = {"init": "principal", "n_init": 1, "gate": "constant"}
    free = regressor(3, **options).fit(X, y)
    stopped = regressor(3, **options).set_callbacks(Recorder(stop_after=2)).fit(X, y)
    assert stopped.n_iter_ < free.n_iter_
    assert not stopped.converged_
    assert len(stopped.predict(X)) == len(X)


def test_progress_bar_shows_the_iterations(real, capsys):
    from sklearn.callback import ProgressBar

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


# ------------------------------------------------------------------------- warm start


def test_warm_start_goes_on_from_the_last_fit(real):
    X, y = real
    model = regressor(3, warm_start=True, n_init=4).fit(X, y)
    value = model.log_likelihood_
    model.fit(X, y)
    assert list(model.start_report_.strategy) == ["warm start"]
    assert model.n_iter_ < 10
    # tol is 1e-6 nats a row
    assert model.log_likelihood_ == pytest.approx(value, abs=1e-3)


def test_warm_start_starts_from_the_lines_it_had_when_y_moves(real):
    X, y = real
    model = regressor(3, warm_start=True, n_init=4).fit(X, y)
    lines = model.expert_predictions(X)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        model.set_params(max_iter=1).fit(X, y + 50.0)
    # One pass evaluates the start and takes no step: the lines are those of the first fit, though
    # far from all rows, so that experts may change places.
    np.testing.assert_allclose(np.sort(model.expert_predictions(X)), np.sort(lines), rtol=1e-8)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_experts": 2},
        {"expert": "student_t"},
        {"expert": "laplace"},
        {"expert": GaussianExpert(tied=True)},
        {"expert": GaussianExpert(features=[0])},
        {"gate": "gaussian"},
        {"gate": "constant"},
        {"gate": SoftmaxGate(features=[1])},
    ],
    ids=str,
)
def test_warm_start_refuses_another_model(real, changes):
    model = regressor(3, warm_start=True).fit(*real).set_params(**changes)
    with pytest.raises(ValueError, match=r"warm_start=True cannot go on.*Set warm_start=False"):
        model.fit(*real)


def test_warm_start_refuses_other_data(real):
    X, y = real
    model = regressor(3, warm_start=True).fit(X, y)
    for new_X, new_y in ((X[:, :1], y), (X, np.column_stack([y, y**2]))):
        with pytest.raises(ValueError, match="warm_start=True cannot go on"):
            model.fit(new_X, new_y)


def test_warm_start_refuses_other_classes(classes):
    X, y = classes
    model = classifier(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="warm_start=True cannot go on"):
        model.fit(X, y == "a")


# ------------------------------------------------------------------------- gate and experts


@every_gate
def test_gate_proba_is_the_published_gate(real, gate):
    X, y = real
    model = regressor(3, gate=gate).fit(X, y)
    proba = model.gate_proba(X)
    assert proba.shape == (150, 3)
    # rounding of coefficients moved between scales
    np.testing.assert_allclose(proba, np.exp(gate_by_hand(model, X)), atol=1e-9)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(model.predict_expert(X), proba.argmax(axis=1))


@every_gate
def test_responsibilities_are_the_posterior_of_the_experts(real, gate):
    X, y = real
    model = regressor(3, gate=gate).fit(X, y)
    scale = np.array([e.scale_ for e in model.experts_])
    log_p = stats.norm.logpdf(y[:, None], model.expert_predictions(X), scale)
    R = model.responsibilities(X, y)
    # rounding of coefficients moved between scales
    np.testing.assert_allclose(R, np.exp(log_softmax(gate_by_hand(model, X) + log_p, 1)), atol=1e-9)
    np.testing.assert_allclose(R.sum(axis=1), 1.0, rtol=1e-12)


@every_real
def test_expert_predictions_are_the_published_lines(real, expert):
    X, y = real
    model = regressor(3, expert=expert).fit(X, y)
    lines = np.column_stack([X @ e.coef_ + e.intercept_ for e in model.experts_])
    np.testing.assert_allclose(model.expert_predictions(X), lines, rtol=1e-9, atol=1e-9)
    blend = (model.gate_proba(X) * lines).sum(axis=1)
    np.testing.assert_allclose(model.predict(X), blend, rtol=1e-9, atol=1e-9)


def test_several_outputs_are_predicted_by_the_published_planes():
    X, y = make_moe(150, n_features=2, n_outputs=3, random_state=0)
    model = regressor().fit(X, y)
    planes = np.stack([X @ e.coef_.T + e.intercept_ for e in model.experts_], axis=1)
    np.testing.assert_allclose(model.expert_predictions(X), planes, rtol=1e-9, atol=1e-9)
    blend = np.einsum("nk,nkd->nd", model.gate_proba(X), planes)
    np.testing.assert_allclose(model.predict(X), blend, rtol=1e-9, atol=1e-9)
    log_p = [
        stats.multivariate_normal(cov=e.covariance_).logpdf(y - planes[:, k])
        for k, e in enumerate(model.experts_)
    ]
    expected = logsumexp(np.log(model.gate_proba(X)) + np.column_stack(log_p), axis=1)
    np.testing.assert_allclose(model.score_samples(X, y), expected, atol=1e-8)


def test_target_with_one_column_keeps_its_shape(real):
    X, y = real
    model = regressor().fit(X, y[:, None])
    assert model.predict(X).shape == (150, 1)
    np.testing.assert_array_equal(model.predict(X)[:, 0], regressor().fit(X, y).predict(X))


def test_blocks_of_rows_do_not_change_answers(real, monkeypatch):
    X, y = real
    model = regressor(3).fit(X, y)
    whole = model.predict(X), model.score_samples(X, y), model.predict_quantile(X, 0.1)
    monkeypatch.setattr("moe_classic._results.fitted._ROWS", 17)
    parts = model.predict(X), model.score_samples(X, y), model.predict_quantile(X, 0.1)
    for a, b in zip(whole, parts, strict=True):
        # BLAS sums in another order
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


# ------------------------------------------------------------------------- criteria and tables


def test_criteria_follow_their_formulas(real, rng):
    X, y = real
    model = regressor(3).fit(X, y)
    w = rng.uniform(0.0, 3.0, len(y))
    rows, d = model.score_samples(X, y), model.n_parameters_
    R = model.responsibilities(X, y)
    entropy = -(R * np.log(np.maximum(R, 1e-300))).sum(axis=1)
    for weight in (np.ones(len(y)), w):
        options = {} if weight is not w else {"sample_weight": w}
        L = rows @ weight
        # sums in another order
        assert model.log_likelihood(X, y, **options) == pytest.approx(L, rel=1e-12)
        assert model.aic(X, y, **options) == pytest.approx(-2 * L + 2 * d, rel=1e-12)
        bic = -2 * L + d * np.log(weight.sum())
        assert model.bic(X, y, **options) == pytest.approx(bic, rel=1e-12)
        assert model.icl(X, y, **options) == pytest.approx(bic + 2 * weight @ entropy, rel=1e-12)


def test_criteria_take_one_weight_for_all_rows(real):
    X, y = real
    model = regressor().fit(X, y)
    expected = model.bic(X, y, sample_weight=np.full(len(y), 2.0))
    assert model.bic(X, y, sample_weight=2.0) == pytest.approx(expected, rel=1e-12)


def test_summary_shows_every_published_parameter(real):
    X = pd.DataFrame(real[0], columns=["age", "dose"])
    model = regressor(expert="student_t").fit(X, real[1])
    table = model.summary()
    assert list(table.columns) == ["expert 1", "expert 2"]
    for k, (label, e) in enumerate(zip(table, model.experts_, strict=True)):
        column = table[label]
        assert column["mixture", "share"] == e.weight_
        assert column["expert", "intercept"] == e.intercept_
        assert list(column["expert"][["age", "dose"]]) == list(e.coef_)
        assert column["expert", "scale"] == e.scale_
        assert column["expert", "df"] == e.df_
        assert column["gate", "intercept"] == model.gate_.intercept_[k]
        assert list(column["gate"][["age", "dose"]]) == list(model.gate_.coef_[k])
    assert len(table) == 1 + 5 + 3


def test_summary_leaves_cells_of_unlike_experts_empty(real):
    model = regressor(expert=[("line", "gaussian"), ("wild", "student_t")]).fit(*real)
    table = model.summary()
    assert list(table.columns) == ["line", "wild"]
    assert np.isnan(table.loc[("expert", "df"), "line"])
    assert table.loc[("expert", "df"), "wild"] == model.experts_[1].df_


@pytest.mark.parametrize(
    ("gate", "terms"),
    [
        ("constant", ["weight"]),
        ("gaussian", ["weight", "mean x0", "std x0", "mean x1", "std x1"]),
    ],
)
def test_summary_shows_other_gates_in_their_own_terms(real, gate, terms):
    model = regressor(gate=gate).fit(*real)
    part = model.summary().loc["gate"]
    assert list(part.index) == terms
    np.testing.assert_allclose(part.loc["weight"], model.gate_.weights_)


# ------------------------------------------------------------------------- features


@pytest.fixture(scope="module")
def frame():
    X, y = make_moe(150, n_features=3, random_state=2)
    return pd.DataFrame(X, columns=["age", "dose", "time"]), y


@pytest.mark.parametrize(
    "features", [["dose"], [1], [-2], np.array([1]), [False, True, False], pd.Index(["dose"])]
)
def test_features_may_be_names_numbers_or_a_mask(frame, features):
    X, y = frame
    gate = SoftmaxGate(features=features)
    model = regressor(expert=GaussianExpert(features=features), gate=gate).fit(X, y)
    assert model.gate_.feature_names_ == model.experts_[0].feature_names_ == ("dose",)
    alone = regressor().fit(X[["dose"]], y)
    # Rows are put in another order inside, and tol is 1e-6 nats a row.
    np.testing.assert_allclose(model.predict(X), alone.predict(X[["dose"]]), atol=1e-3)


def test_gate_and_experts_may_see_different_features(frame):
    X, y = frame
    model = regressor(expert=GaussianExpert(features=["age"]), gate=GaussianGate(features=[2]))
    model.fit(X, y)
    assert model.experts_[0].feature_names_ == ("age",)
    assert model.gate_.feature_names_ == ("time",)
    moved = X.assign(dose=X["dose"] + 5.0)
    np.testing.assert_array_equal(model.predict(X), model.predict(moved))
    moved = X.assign(age=X["age"] + 5.0)
    np.testing.assert_array_equal(model.gate_proba(X), model.gate_proba(moved))
    assert not np.allclose(model.predict(X), model.predict(moved))


def test_experts_without_features_are_constants(tone):
    X, y = tone
    model = regressor(expert=GaussianExpert(features=[])).fit(X, y)
    assert [e.coef_.shape for e in model.experts_] == [(0,), (0,)]
    levels = [e.intercept_ for e in model.experts_]
    np.testing.assert_allclose(model.expert_predictions(X), np.tile(levels, (150, 1)))
    R = model.responsibilities(X, y)
    # M-step: levels are weighted means; tol leaves some 1e-4
    np.testing.assert_allclose(levels, R.T @ y / R.sum(axis=0), atol=1e-3)


def test_gate_without_features_is_a_constant_gate(real):
    X, y = real
    blind = regressor(3, gate=SoftmaxGate(features=[]), n_init=6).fit(X, y)
    constant = regressor(3, gate="constant", n_init=6).fit(X, y)
    # tol is 1e-6 nats a row
    assert blind.log_likelihood_ == pytest.approx(constant.log_likelihood_, abs=1e-3)
    np.testing.assert_allclose(blind.gate_proba(X), constant.gate_proba(X), atol=1e-2)


TRANSFORMERS = {
    "polynomials": PolynomialFeatures(2, include_bias=False),
    "splines": SplineTransformer(4, degree=2, include_bias=False),
    "columns": ColumnTransformer([("scaled", StandardScaler(), ["age"])], remainder="drop"),
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_features_may_come_from_a_transformer(frame, name):
    X, y = frame
    transformer = TRANSFORMERS[name]
    before = dict(vars(transformer))
    model = regressor(1, expert=GaussianExpert(features=transformer)).fit(X, y)
    assert vars(transformer) == before, "the user's transformer is cloned"
    design = np.column_stack([np.ones(len(y)), transformer.fit_transform(X)])
    least_squares = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(model.predict(X), least_squares, rtol=1e-7, atol=1e-8)
    names = tuple(transformer.get_feature_names_out())
    assert model.experts_[0].feature_names_ == names


def test_transformer_of_the_gate_is_fitted_inside(frame):
    X, y = frame
    model = regressor(gate=SoftmaxGate(features=PolynomialFeatures(2, include_bias=False)))
    model.fit(X[["age"]], y)
    Z = np.column_stack([X["age"], X["age"] ** 2])
    expected = np.exp(log_softmax(Z @ model.gate_.coef_.T + model.gate_.intercept_, axis=1))
    np.testing.assert_allclose(model.gate_proba(X[["age"]]), expected, atol=1e-8)


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (["weight"], ValueError, "names 'weight', which is not a column of X; X has 3 columns"),
        ([3], ValueError, "names 3, which is not a column"),
        ([0, 0], ValueError, "names a column twice"),
        (["age", 0], ValueError, "names a column twice"),
        ("age", TypeError, "must be None, a list of column names or indices, or a transformer"),
        (1, TypeError, "must be None, a list"),
    ],
    ids=str,
)
@pytest.mark.parametrize("part", ["gate", "expert"])
def test_features_that_are_not_there_are_named(frame, features, error, message, part):
    component = {"gate": SoftmaxGate, "expert": GaussianExpert}[part](features=features)
    with pytest.raises(error, match=f"{type(component).__name__}: features=.*{message}"):
        regressor(**{part: component}).fit(*frame)


# ------------------------------------------------------------------------- unlike experts


@pytest.mark.parametrize("expert", ["multinomial", "gaussian"])
def test_softmax_gate_by_name_has_the_penalty_that_its_experts_call_for(real, classes, expert):
    estimator, (X, y), alpha = {
        "multinomial": (MoEClassifier, classes, 1e-4),
        "gaussian": (MoERegressor, real, 1e-6),
    }[expert]
    gates = ("softmax", SoftmaxGate(alpha=alpha), SoftmaxGate(alpha=1e-2))
    options = {"n_init": 2, "random_state": 0}
    named, made, other = (estimator(2, gate=g, **options).fit(X, y) for g in gates)
    np.testing.assert_array_equal(named.gate_.coef_, made.gate_.coef_)
    assert not np.allclose(named.gate_.coef_, other.gate_.coef_, rtol=1e-3)


def test_unlike_experts_keep_their_names_and_order(real):
    experts = [("a", LaplaceExpert()), ("b", "gaussian"), ("c", StudentTExpert(df=3.0))]
    model = regressor(3, expert=experts).fit(*real)
    assert [e.label for e in model.experts_] == ["a", "b", "c"]
    assert [e.name for e in model.experts_] == ["laplace", "gaussian", "student_t"]
    assert model.experts_[2].df_ == 3.0


def test_experts_in_a_list_may_go_by_their_own_names(real):
    model = regressor(expert=["laplace", "gaussian"]).fit(*real)
    assert [e.label for e in model.experts_] == ["laplace", "gaussian"]


def test_like_experts_in_a_list_reach_the_optimum_of_a_group(tone):
    X, y = tone
    listed = regressor(expert=[("a", "gaussian"), ("b", "gaussian")], n_init=10).fit(X, y)
    grouped = regressor(expert="gaussian", n_init=10).fit(X, y)
    # tol is 1e-6 nats a row
    assert listed.log_likelihood_ == pytest.approx(grouped.log_likelihood_, abs=1e-3)


def test_wild_expert_takes_the_outliers():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (200, 1))
    y = 2 * X[:, 0] + 0.1 * rng.standard_normal(200)
    y[:20] = rng.uniform(-10, 10, 20)
    experts = [("line", "gaussian"), ("outliers", GaussianExpert(features=[]))]
    model = regressor(expert=experts, gate="constant", n_init=6).fit(X, y)
    # a tenth of the rows, known to some .02; slope to .1 / sqrt(180 / 3)
    assert model.experts_[1].weight_ == pytest.approx(0.1, abs=0.03)
    assert model.experts_[0].coef_[0] == pytest.approx(2.0, abs=0.06)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"expert": [("a", "gaussian")]}, ValueError, "lists 1 experts but n_experts=2"),
        ({"expert": [("a", "gaussian"), ("a", "laplace")]}, ValueError, "a.*a"),
        ({"expert": ["gaussian", SoftmaxGate()]}, TypeError, r"expert=SoftmaxGate\(\) must be one"),
        ({"expert": [("a", "gaussian"), ("b", "logistic")]}, ValueError, "logistic.*real"),
        ({"expert": [("gate", "gaussian"), ("b", "laplace")]}, ValueError, "gate"),
        ({"expert": [("a__b", "gaussian"), ("c", "laplace")]}, ValueError, "a__b"),
        ({"expert": "poisson"}, ValueError, "expert='poisson' is not known; choose one of"),
        ({"expert": GaussianExpert}, TypeError, r"Write GaussianExpert\(\) with parentheses"),
        ({"expert": None}, TypeError, "expert=None must be one of"),
        ({"expert": SoftmaxGate()}, TypeError, r"expert=SoftmaxGate\(\) must be one of"),
        ({"gate": "hard"}, ValueError, "gate='hard' is not known; choose one of"),
        ({"gate": GaussianExpert()}, TypeError, r"gate=GaussianExpert\(\) must be one of"),
        ({"solver": "bfgs"}, ValueError, "solver='bfgs' is not known; choose one of"),
        ({"expert": GaussianExpert(alpha=-1.0)}, ValueError, r"alpha=-1\.0 must be"),
        ({"expert": GaussianExpert(min_scale=0.0)}, ValueError, r"min_scale=0\.0 must"),
        ({"expert": GaussianExpert(covariance_type="x")}, ValueError, "covariance_type='x'"),
        ({"expert": StudentTExpert(df=0.0)}, ValueError, r"df=0\.0 must be > 0"),
        ({"expert": StudentTExpert(df_bounds=(3, 1))}, ValueError, r"df_bounds=\(3, 1\) must"),
        ({"gate": SoftmaxGate(alpha=np.inf)}, ValueError, "alpha=inf must be"),
        ({"gate": GaussianGate(reg_covar=-1)}, ValueError, "reg_covar=-1 must be"),
        ({"gate": GaussianGate(covariance_type="x")}, ValueError, "covariance_type='x'"),
        ({"n_experts": 0}, ValueError, "n_experts=0 must be an integer >= 1"),
        ({"n_experts": 2.0}, ValueError, r"n_experts=2\.0 must be an integer >= 1"),
        ({"n_experts": "two"}, TypeError, "n_experts='two' must be an integer >= 1"),
        ({"n_init": 0}, ValueError, "n_init=0 must be an integer >= 1"),
        ({"max_iter": 0}, ValueError, "max_iter=0 must be an integer >= 1"),
        ({"tol": -1.0}, ValueError, r"tol=-1\.0 must be a finite number >= 0"),
        ({"tol": "small"}, TypeError, "tol='small' must be a finite number"),
        ({"block_size": 0}, ValueError, "block_size=0 must be an integer >= 1"),
        ({"standardize": "yes"}, TypeError, "standardize='yes' must be True or False"),
        ({"warm_start": 1}, TypeError, "warm_start=1 must be True or False"),
        ({"verbose": -1}, ValueError, "verbose=-1 must be an integer >= 0"),
        ({"verbose": "loud"}, TypeError, "verbose='loud' must be an integer >= 0"),
        ({"init": "random"}, ValueError, "init='random' is not known; choose one of"),
        ({"init": np.ones(5)}, ValueError, "init must be one of .* got ndarray with 1 dim"),
        ({"init": np.ones((5, 2)), "n_init": 1}, ValueError, r"init has shape \(5, 2\)"),
        ({"init": np.ones((150, 2)), "n_init": 3}, ValueError, "n_init=3 has no meaning"),
        ({"init": np.zeros((150, 2)), "n_init": 1}, ValueError, "init must be finite, not neg"),
        ({"init": -np.ones((150, 2)), "n_init": 1}, ValueError, "init must be finite, not neg"),
        ({"random_state": "seed"}, ValueError, "'seed' cannot be used to seed"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_fit_names_the_argument_it_cannot_use(real, options, error, message):
    with pytest.raises(error, match=message):
        regressor(**options).fit(*real)


# ------------------------------------------------------------------------- classes


@every_gate
@pytest.mark.parametrize("K", [1, 3])
def test_class_probabilities_are_those_of_the_published_parameters(classes, gate, K):
    X, y = classes
    model = classifier(K, gate=gate).fit(X, y)
    zero = np.zeros(len(X))
    logits = [np.column_stack([X @ e.coef_.T + e.intercept_, zero]) for e in model.experts_]
    experts = np.stack([np.exp(log_softmax(eta, axis=1)) for eta in logits], axis=1)
    # rounding of coefficients moved between scales
    np.testing.assert_allclose(model.expert_predictions(X), experts, atol=1e-8)
    blend = np.einsum("nk,nkc->nc", np.exp(gate_by_hand(model, X)), experts)
    np.testing.assert_allclose(model.predict_proba(X), blend, atol=1e-8)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0, rtol=1e-12)


def test_classifier_answers_agree_with_one_another(classes):
    X, y = classes
    model = classifier().fit(X, y)
    proba = model.predict_proba(X)
    codes = np.searchsorted(model.classes_, y)
    np.testing.assert_array_equal(model.classes_, ["a", "b", "c"])
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), proba, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), model.classes_[proba.argmax(axis=1)])
    np.testing.assert_allclose(model.score_samples(X, y), np.log(proba[np.arange(150), codes]))
    assert model.score(X, y) == np.mean(model.predict(X) == y)
    R = model.gate_proba(X) * model.expert_predictions(X)[np.arange(150), :, codes]
    expected = R / R.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.responsibilities(X, y), expected, atol=1e-10)


def test_sampled_classes_have_their_probabilities(classes):
    X, y = classes
    model = classifier().fit(X, y)
    draws = model.sample(X[:20], n_samples=2000, random_state=0)
    assert draws.shape == (20, 2000)
    share = (draws[:, :, None] == model.classes_).mean(axis=1)
    # 2000 draws: standard errors up to .011, four of them
    np.testing.assert_allclose(share, model.predict_proba(X[:20]), atol=0.045)


@pytest.mark.parametrize("labels", [[False, True], [3, 7], ["no", "yes"], [-1.0, 1.0]], ids=str)
def test_labels_come_back_as_they_were_given(labels):
    X, bits = make_moe(80, expert="logistic", random_state=0)
    y = np.array(labels)[bits]
    model = classifier(expert="logistic").fit(X, y)
    assert model.classes_.dtype == y.dtype
    assert set(model.predict(X)) <= set(labels)
    assert model.predict(X).dtype == model.sample(X, random_state=0).dtype == y.dtype


def test_two_classes_are_the_same_to_logistic_and_multinomial_experts():
    X, y = make_moe(120, expert="logistic", n_features=2, random_state=2)
    # Centred slopes of two classes are half their difference: penalties differ by the factor 2.
    one = classifier(expert=LogisticExpert(alpha=1e-3)).fit(X, y)
    two = classifier(expert=MultinomialExpert(alpha=2e-3)).fit(X, y)
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-8)


def test_summary_of_classes_has_one_part_a_class_but_the_last(classes):
    model = classifier().fit(*classes)
    parts = list(dict.fromkeys(model.summary().index.get_level_values("part")))
    assert parts == ["mixture", "expert: a", "expert: b", "gate"]
    intercepts = model.summary().loc[("expert: b", "intercept")]
    assert list(intercepts) == [e.intercept_[1] for e in model.experts_]


def test_unknown_class_is_named_when_scored(classes):
    X, y = classes
    model = classifier().fit(X, y)
    with pytest.raises(ValueError, match=r"y has the class .*z.*, which was not seen in fit"):
        model.score_samples(X, np.full(len(y), "z"))


# ------------------------------------------------------------------------- penalties


def test_alpha_of_experts_shrinks_slopes_and_not_intercepts(real):
    X, y = real
    sizes, means = [], []
    for alpha in (0.0, 0.1, 1e6):
        model = regressor(1, expert=GaussianExpert(alpha=alpha)).fit(X, y + 10.0)
        sizes.append(np.abs(model.experts_[0].coef_).sum())
        means.append(model.predict(X).mean())
    assert sizes[0] > sizes[1] > sizes[2]
    # y has unit variance inside, so that slopes are about 1 / alpha
    assert sizes[2] < 1e-4
    np.testing.assert_allclose(means, (y + 10.0).mean(), rtol=1e-9)


def test_alpha_of_the_gate_flattens_it(real):
    X, y = real
    steep = []
    for alpha in (1e-6, 1e-2, 1e3):
        model = regressor(3, gate=SoftmaxGate(alpha=alpha), n_init=5).fit(X, y)
        slopes = model.gate_.coef_
        steep.append(np.square(slopes - slopes.mean(axis=0)).sum())
    assert steep[0] > steep[1] > steep[2]
    assert steep[2] < 1e-6


def test_constant_gate_ignores_the_features(real):
    X, y = real
    model = regressor(gate=ConstantGate()).fit(X, y)
    assert np.ptp(model.gate_proba(X), axis=0).max() == 0.0
