"""The tree as a picture: one branch a child as wide as its share, one text a node."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import HierarchicalMoEClassifier, HierarchicalMoERegressor
from moe_classic.inspection import TreeDisplay

QUICK = {"n_init": 1, "tol": 1e-3, "random_state": 0}


@pytest.fixture(scope="module")
def plane_tree(plane):
    """Four experts below two levels of gates."""
    return HierarchicalMoERegressor((2, 2), **QUICK).fit(*plane)


def texts(display):
    return [t.get_text() for t in display.ax_.texts]


def test_every_node_has_its_name_share_and_form(plane_tree):
    display = TreeDisplay.from_estimator(plane_tree)
    written = texts(display)
    nodes = plane_tree.tree_.nodes()
    assert len(written) == len(nodes)
    for node in nodes:
        mine = [t for t in written if t.startswith(f"{node.label}, {100 * node.weight_:.1f} %")]
        assert len(mine) == 1
        assert ("y = " in mine[0]) == node.is_leaf
        assert (" > 0 ?" in mine[0]) != node.is_leaf


def test_branches_are_as_wide_as_the_shares(plane_tree):
    display = TreeDisplay.from_estimator(plane_tree)
    lines = [line for line in display.ax_.get_lines() if len(line.get_xdata()) == 3]
    children = [child for node in plane_tree.tree_.walk() for child in node.children]
    widths = np.array([line.get_linewidth() for line in lines])
    shares = np.array([child.weight_ for child in children])
    np.testing.assert_allclose(np.diff(widths), 9.0 * np.diff(shares), rtol=1e-9)


def test_leaves_stand_one_below_the_other_in_the_order_of_the_experts(plane_tree):
    display = TreeDisplay.from_estimator(plane_tree)
    places = [display.positions_[leaf.number] for leaf in plane_tree.tree_.leaves()]
    assert places == [(2.0, 0.0), (2.0, -1.0), (2.0, -2.0), (2.0, -3.0)]
    assert display.positions_[0] == (0.0, -1.5)


def test_largest_terms_are_kept_and_the_rest_is_marked(plane_tree):
    display = TreeDisplay.from_estimator(plane_tree, max_terms=1)
    leaf = plane_tree.tree_.leaves()[0]
    size = np.abs(leaf.expert.coef_)
    equation = display.equations[leaf.number][0]
    # The three features have the same spread, so that slopes are compared as they are.
    assert equation.split()[-3] == leaf.expert.feature_names_[int(size.argmax())]
    assert equation.endswith("+ \N{HORIZONTAL ELLIPSIS}")
    full = TreeDisplay.from_estimator(plane_tree, max_terms=3).equations[leaf.number][0]
    assert all(name in full for name in ("age", "income", "town"))
    assert not full.endswith("\N{HORIZONTAL ELLIPSIS}")


def test_node_with_three_children_has_a_form_a_child(plane):
    moe = HierarchicalMoERegressor((3,), **QUICK).fit(*plane)
    display = TreeDisplay.from_estimator(moe)
    root = next(t for t in texts(display) if t.startswith("root"))
    assert [line[:2] for line in root.split("\n")[1:]] == ["1:", "2:", "3:"]
    assert root.endswith("3: 0")


def test_classes_have_log_odds_at_the_leaves(plane, plane_classifier):
    moe = HierarchicalMoEClassifier((2,), **QUICK).fit(plane[0], plane_classifier[1])
    display = TreeDisplay.from_estimator(moe)
    assert sum("log P(high) / P(middle) = " in t for t in texts(display)) == 2


def test_pipeline_is_drawn_by_its_last_step(plane):
    X, y = plane
    pipe = make_pipeline(StandardScaler(), HierarchicalMoERegressor((2,), **QUICK)).fit(X, y)
    assert len(texts(TreeDisplay.from_estimator(pipe))) == 3


def test_given_axes_are_drawn_on(plane_tree):
    figure, ax = plt.subplots()
    display = TreeDisplay.from_estimator(plane_tree, ax=ax, fontsize=6.0)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert {t.get_fontsize() for t in ax.texts} == {6.0}


def test_flat_mixture_has_no_tree(plane_moe):
    with pytest.raises(TypeError, match="needs an estimator with tree_"):
        TreeDisplay.from_estimator(plane_moe)


@pytest.mark.parametrize(("name", "value"), [("max_terms", 0), ("decimals", -1), ("decimals", 1.5)])
def test_counts_out_of_range_are_refused(plane_tree, name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        TreeDisplay.from_estimator(plane_tree, **{name: value})
