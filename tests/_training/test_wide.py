"""Models with so many coefficients that starts climb by gradients alone."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_classification

from moe_classic import MoEClassifier
from moe_classic._training import wide as _wide
from moe_classic.experts import MultinomialExpert
from moe_classic.gates import SoftmaxGate


@pytest.fixture(scope="module")
def digits():
    """Some rows to fit, and others."""
    X, y = load_digits(return_X_y=True)
    return X[:500], y[:500], X[500:], y[500:]


@pytest.fixture(scope="module")
def fitted(digits):
    """A default fit of a few experts."""
    X, y, *_ = digits
    return MoEClassifier(4, n_init=3, random_state=0).fit(X, y)


def test_by_name_wide_experts_are_pooled_and_lean(digits, fitted):
    X, y, other, _ = digits
    expert = MultinomialExpert(alpha=5e-5, pooling=5e-4)
    same = MoEClassifier(4, expert=expert, gate=SoftmaxGate(alpha=1e-4), n_init=3, random_state=0)
    np.testing.assert_array_equal(fitted.predict_proba(other), same.fit(X, y).predict_proba(other))


def test_pooled_experts_predict_other_rows_better():
    options = {"n_informative": 20, "n_redundant": 0, "n_classes": 8, "class_sep": 2.0}
    X, y = make_classification(2400, 60, **options, random_state=0)

    def loss(expert):
        model = MoEClassifier(4, expert=expert, n_init=2, random_state=0).fit(X[:1200], y[:1200])
        return -model.score_samples(X[1200:], y[1200:]).mean()

    pooled, apart = loss("multinomial"), loss(MultinomialExpert())
    assert pooled < apart - 0.02


def test_the_trace_of_a_wide_fit_never_falls_and_one_start_is_followed(fitted):
    assert (np.diff(fitted.trace_) >= 0.0).all()
    report = fitted.start_report_
    assert report.finalist.tolist() == [True, False, False]
    assert len(set(report.objective)) == 3
    assert fitted.converged_


def test_narrow_experts_by_name_are_those_of_the_instance():
    X, y = load_digits(return_X_y=True, n_class=3)
    X, y = X[:200, 18:30], y[:200]
    named = MoEClassifier(2, n_init=2, random_state=0).fit(X, y)
    made = MoEClassifier(
        2, expert=MultinomialExpert(), gate=SoftmaxGate(alpha=1e-4), n_init=2, random_state=0
    ).fit(X, y)
    assert named.log_likelihood_ == made.log_likelihood_


def test_starts_are_one_fit_for_all_experts_and_a_gate_that_leads(digits, monkeypatch):
    X, y, *_ = digits
    seen = []

    def spied(model, block, several, summary):
        found = starts(model, block, several, summary)
        seen.extend((model, block, R, one) for R, one in zip(several, found, strict=True))
        return found

    starts = _wide.wide_starts
    monkeypatch.setattr("moe_classic._training.trainer.wide_starts", spied)
    MoEClassifier(3, n_init=2, max_iter=20, random_state=0).fit(X, y)
    assert len(seen) == 2
    for model, block, R, params in seen:
        (coef,) = [p.coef for p in params.experts]
        np.testing.assert_array_equal(coef, coef[[0, 0, 0]])
        design = block.designs[model.groups[0].design]
        P = model.groups[0].expert.probabilities(params.experts[0], design)
        assert (P[0].argmax(axis=0) == block.y).mean() > 0.9
        gate = model.gate.forward(params.gate, block.designs[model.gate_design]).work
        assert (gate.argmax(axis=0) == R.argmax(axis=0)).mean() > 0.8


@pytest.mark.parametrize("gate", ["constant", "tree"])
def test_wide_experts_go_with_other_gates(digits, gate):
    X, y, other, truth = digits
    model = MoEClassifier(2, gate=gate, n_init=2, random_state=0).fit(X[:300, 10:50], y[:300])
    assert model.score(other[:, 10:50], truth) > 0.8
