"""What a fit leaves: likelihood, order, counts, starts, the same numbers again."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.experts import GaussianExpert, StudentTExpert
from moe_classic.gates import GaussianGate, SoftmaxGate

from .models import STRATEGIES, classifier, every_gate, every_real, regressor


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
