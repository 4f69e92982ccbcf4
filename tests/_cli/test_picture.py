"""The picture of a fitted model: what it shows, and under which names."""

import numpy as np
import pandas as pd
import pytest

from moe_classic import MoEClassifier, MoERegressor
from moe_classic._cli.picture import _influence, draw
from moe_classic.datasets import make_moe
from moe_classic.gates import ConstantGate, SoftmaxGate

NAMES = [f"f{j}" for j in range(15)]


def pictured(n_features=1, K=2, expert="gaussian", **options):
    """A figure with its model."""
    shape = {"n_classes": options.pop("n_classes")} if "n_classes" in options else {}
    X, y = make_moe(120, n_features=n_features, expert=expert, random_state=0, **shape)
    estimator = MoEClassifier if expert == "multinomial" else MoERegressor
    model = estimator(K, expert=expert, n_init=1, random_state=0, **options)
    frame = pd.DataFrame(X, columns=NAMES[:n_features])
    model.fit(frame, y)
    figure = draw(model, frame, y, target="goal", labels={"f0": "effort (h)"}, title="A title")
    figure.canvas.draw()
    return figure, model


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_picture_of_one_feature_has_experts_over_the_gate():
    figure, model = pictured(K=3)
    top, bottom = figure.axes
    assert figure.get_suptitle() == "A title"
    assert (top.get_ylabel(), bottom.get_ylabel()) == ("goal", "gate probability")
    assert (top.get_xlabel(), bottom.get_xlabel()) == ("", "effort (h)")
    assert legend_of(top) == ["expert 1", "expert 2", "expert 3", "mixture"]
    assert bottom.get_legend() is None
    assert any("90%" in text.get_text() for text in top.texts)
    x = bottom.lines[0].get_xdata()
    for k, line in enumerate(bottom.lines[:3]):
        expected = model.gate_proba(pd.DataFrame({"f0": x}))[:, k]
        np.testing.assert_allclose(line.get_ydata(), expected, atol=1e-12)
    assert len({line.get_color() for line in bottom.lines[:3]}) == 3


def test_picture_of_one_expert_has_no_gate():
    figure, _ = pictured(K=1)
    (ax,) = figure.axes
    assert ax.get_xlabel() == "effort (h)"


@pytest.mark.parametrize(("n_classes", "panels"), [(2, 1), (3, 3), (6, 4)])
def test_picture_of_classes_has_a_panel_for_each_of_a_few(n_classes, panels):
    figure, _ = pictured(expert="multinomial", n_classes=n_classes)
    assert len(figure.axes) == panels + 1
    labels = [ax.get_ylabel() for ax in figure.axes[:-1]]
    first = 1 if n_classes == 2 else 0
    assert labels == [f"probability of {c}" for c in range(first, first + panels)]


def test_picture_of_several_features_shows_agreement_calibration_regions_and_effects():
    figure, _ = pictured(n_features=3)
    agreement, calibration, regions, effects = figure.axes
    assert agreement.get_xlabel() == "predicted mean of goal"
    assert calibration.get_xlabel() == "probability integral transform"
    assert "others at their median" in regions.get_xlabel()
    assert effects.get_xlabel() == "change of goal per standard deviation"
    points = sum(len(c.get_offsets()) for c in agreement.collections)
    assert points == 120
    assert {t.get_text() for t in effects.get_yticklabels()} == {"f0", "f1", "f2"}


def test_effects_are_slopes_times_standard_deviations():
    figure, model = pictured(n_features=3)
    X, _ = make_moe(120, n_features=3, random_state=0)
    effects = figure.axes[-1]
    order = [t.get_text() for t in effects.get_yticklabels()]
    drawn = np.array([c[0].get_xdata() for c in effects.containers], dtype=np.float64)
    for k, expert in enumerate(model.experts_):
        expected = dict(zip(NAMES, expert.coef_ * X.std(axis=0), strict=False))
        np.testing.assert_allclose(drawn[k], [expected[name] for name in order], rtol=1e-9)
    sizes = np.abs(drawn).max(axis=0)
    assert (np.diff(sizes) <= 0).all()


def test_effects_of_several_classes_name_class_and_feature():
    figure, _ = pictured(n_features=2, expert="multinomial", n_classes=3)
    names = {t.get_text() for t in figure.axes[-1].get_yticklabels()}
    assert names == {"0: f0", "0: f1", "1: f0", "1: f1"}
    assert figure.axes[-1].get_xlabel().startswith("change of log odds against goal = 2")


def test_effects_show_the_largest_of_many_features():
    figure, _ = pictured(n_features=15, K=1)
    assert len(figure.axes) == 3
    assert len(figure.axes[-1].get_yticklabels()) == 12


def test_reliability_is_drawn_for_classes_of_several_features():
    figure, _ = pictured(n_features=2, expert="multinomial", n_classes=2)
    reliability, regions, effects = figure.axes
    assert reliability.get_xlabel() == "probability of the predicted goal"
    (points,) = reliability.containers
    sure, rate = points[0].get_data()
    assert len(sure) == 10
    assert ((rate >= 0) & (rate <= 1) & (sure > 0.5)).all()
    assert effects.get_xlabel() == "change of log odds of goal = 0 per standard deviation"
    assert (regions.get_xlabel(), regions.get_ylabel()) == ("f0", "f1")


def test_picture_draws_a_sample_of_many_rows(monkeypatch):
    monkeypatch.setattr("moe_classic._cli.picture._MOST_ROWS", 50)
    figure, _ = pictured(n_features=3)
    assert sum(len(c.get_offsets()) for c in figure.axes[0].collections) == 50


def test_influence_finds_the_features_that_move_the_gate():
    X, y = make_moe(120, n_features=3, random_state=0)
    frame = pd.DataFrame(X, columns=NAMES[:3])
    blind = MoERegressor(2, gate=ConstantGate(), n_init=1, random_state=0).fit(frame, y)
    np.testing.assert_array_equal(_influence(blind, frame), 0.0)
    one = MoERegressor(2, gate=SoftmaxGate(features=["f2"]), n_init=1, random_state=0)
    moves = _influence(one.fit(frame, y), frame)
    assert moves[2] > 0.1
    np.testing.assert_array_equal(moves[:2], 0.0)
