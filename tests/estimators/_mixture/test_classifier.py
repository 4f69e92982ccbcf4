"""Mixtures of classifiers."""

import numpy as np
import pytest
from scipy.special import log_softmax

from moe_classic.datasets import make_moe
from moe_classic.experts import LogisticExpert, MultinomialExpert

from .models import classifier, every_gate, gate_by_hand


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
    intercepts = model.summary().loc[("expert: b", "intercept", "intercept")]
    assert list(intercepts) == [e.intercept_[1] for e in model.experts_]


def test_unknown_class_is_named_when_scored(classes):
    X, y = classes
    model = classifier().fit(X, y)
    with pytest.raises(ValueError, match=r"y has the class .*z.*, which was not seen in fit"):
        model.score_samples(X, np.full(len(y), "z"))
