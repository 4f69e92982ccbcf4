"""Regions of the gate in the plane of two features."""

import numpy as np
import pytest

from moe_classic import MoERegressor
from moe_classic.inspection import PartitionDisplay


@pytest.fixture
def display(plane, plane_moe):
    return PartitionDisplay.from_estimator(
        plane_moe, *plane, features=("age", "income"), n_points=30
    )


def test_gate_has_the_horizontal_feature_first(plane, plane_moe, display):
    row = plane[0].median().to_frame().T
    corner = row.assign(age=display.values[0][-1], income=display.values[1][0])
    np.testing.assert_allclose(display.gate[-1, 0], plane_moe.gate_proba(corner)[0], rtol=1e-12)


def test_picture_shows_the_gate_where_it_belongs():
    values = np.linspace(0.0, 1.0, 5)
    right = np.repeat((values > 0.5)[:, None], 5, axis=1).astype(float)
    display = PartitionDisplay(
        values=(values, values),
        gate=np.stack([1.0 - right, right], axis=2),
        labels=["left", "right"],
        feature_labels=("a", "b"),
    ).plot()
    colors = display.ax_.get_images()[0].get_array()
    blue, vermilion = colors[0, 0], colors[0, -1]
    assert blue[2] > blue[0]
    assert vermilion[0] > vermilion[2]
    np.testing.assert_allclose(colors[:, 0], np.tile(blue, (5, 1)))
    assert [t.get_text() for t in display.ax_.texts] == ["left", "right"]


def test_axes_name_the_features(display):
    assert display.ax_.get_xlabel() == "age  (others at their median)"
    assert display.ax_.get_ylabel() == "income"


def test_names_stand_inside_their_regions(display):
    for text in display.ax_.texts:
        x, y = text.get_position()
        i = np.abs(display.values[0] - x).argmin()
        j = np.abs(display.values[1] - y).argmin()
        assert text.get_text() == display.labels[display.gate[i, j].argmax()]
    assert len(display.ax_.texts) == 2


def test_points_are_grouped_by_responsibility(plane, plane_moe, display):
    owners = plane_moe.responsibilities(*plane).argmax(axis=1)
    np.testing.assert_array_equal(display.points[2], owners)
    texts = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert texts == ["expert 1", "expert 2"]


def test_features_are_asked_for_unless_there_are_two(plane, plane_moe):
    X, y = plane
    with pytest.raises(ValueError, match=r"two features .*3 columns .*features=\('age', 'town'\)"):
        PartitionDisplay.from_estimator(plane_moe, X)
    with pytest.raises(ValueError, match="must be a pair"):
        PartitionDisplay.from_estimator(plane_moe, X, features="age")
    with pytest.raises(ValueError, match="one column; use GateDisplay"):
        PartitionDisplay.from_estimator(plane_moe, X[["age"]])
    pair = MoERegressor(2, n_init=1, random_state=0).fit(X[["age", "income"]], y)
    display = PartitionDisplay.from_estimator(pair, X[["age", "income"]], n_points=5)
    assert display.feature_labels == ("age", "income")


def test_one_expert_everywhere_has_no_border(plane):
    values = np.linspace(0.0, 1.0, 4)
    gate = np.ones((4, 4, 1))
    display = PartitionDisplay(
        values=(values, values), gate=gate, labels=["only"], feature_labels=("a", "b")
    ).plot()
    assert [t.get_text() for t in display.ax_.texts] == ["only"]


def test_features_must_be_a_pair(plane, plane_moe):
    with pytest.raises(ValueError, match="features=\\('age',\\) must be a pair"):
        PartitionDisplay.from_estimator(plane_moe, plane[0], features=("age",))
