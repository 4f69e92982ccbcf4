"""Classes as a target: learned from labels, coded, and given back."""

import numpy as np
import pytest

from moe_classic import MoEClassifier
from moe_classic._data.rows import RawData
from moe_classic._targets import ClassTarget

LABELS = np.array(["b", "a", "c", "b"])


@pytest.fixture
def target():
    return ClassTarget.learn(LABELS)


def test_labels_come_back_from_their_codes(target):
    codes = target.values(target.columns(LABELS))
    assert codes.tolist() == [1, 0, 2, 1]
    np.testing.assert_array_equal(target.from_model(codes), LABELS)
    np.testing.assert_array_equal(target.to_model(target.scored(LABELS)), codes)


def test_parts_give_the_classes_of_the_whole(target):
    parts = ClassTarget.learn_in_parts(iter([LABELS[:1], LABELS[1:]]))
    np.testing.assert_array_equal(parts.classes, target.classes)


@pytest.mark.parametrize(
    ("used", "match"),
    [([True, False, False, True], "one class, 'b'"), ([True, True, False, True], "'a', 'b'")],
)
def test_class_without_weight_is_refused(used, match):
    with pytest.raises(ValueError, match=match):
        ClassTarget.learn(LABELS, np.array(used))


def test_unknown_class_is_refused(target):
    with pytest.raises(ValueError, match="the class 'z', which was not seen in fit"):
        target.columns(np.array(["a", "z"]))


def test_perfect_predictions_and_errors_are_one_and_zero(target):
    columns = target.columns(LABELS)
    ideal = target.ideal(columns)
    np.testing.assert_array_equal(ideal.sum(axis=0), 1.0)
    predicted = np.tile(ideal.T[:, None], (1, 2, 1))
    np.testing.assert_array_equal(target.errors(target.values(columns), predicted), 0.0)
    np.testing.assert_array_equal(target.decided(predicted)[:, 0], LABELS)


def test_moments_are_shares_of_the_classes_and_points_are_centred(target):
    w = np.array([1.0, 2.0, 1.0, 4.0])
    raw = RawData(np.zeros((4, 1)), target.columns(LABELS), w, w > 0.0)
    data = target.training_data(raw, None, standardize=True, common=False)
    np.testing.assert_allclose(data.summary.y_mean, [0.25, 0.625, 0.125])
    points = target.points(target.to_model(raw.key), data.summary)
    np.testing.assert_allclose(w @ points, 0.0, atol=1e-12)


def test_names_are_those_of_the_linear_predictors(target):
    assert target.names == ["a", "b"]
    assert target.equations == ["log P(a) / P(c)", "log P(b) / P(c)"]
    assert target.attributes["classes_"] is target.classes
    assert MoEClassifier._target is ClassTarget
