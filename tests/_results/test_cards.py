"""The HTML view of fitted estimators."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeRegressor

from moe_classic import HardMoERegressor, MoEClassifier, MoERegressor
from moe_classic._results.cards import expert_cards, html_repr
from moe_classic.datasets import load_tone
from moe_classic.experts import GaussianExpert


class Texts(HTMLParser):
    """Texts of a page, and the tags that are open."""

    def __init__(self):
        super().__init__()
        self.texts, self.open, self.tags = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data.strip())


def read(html):
    page = Texts()
    page.feed(html)
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def moe():
    X, y = load_tone(return_X_y=True, as_frame=True)
    return MoERegressor(2, n_init=2, random_state=0).fit(X, y)


def test_cards_show_names_shares_and_parameters(moe):
    texts = read(expert_cards(moe)).texts
    summary = moe.summary()
    for label in ("expert 1", "expert 2"):
        assert label in texts
        share = summary.loc[("mixture", "share", "share"), label]
        assert f"{100 * share:.3g} % of the data" in texts
        for value in summary.loc["expert", label]:
            assert f"{value:.4g}" in texts
    assert "softmax gate on stretchratio" in texts
    assert f"{summary.loc[('gate', 'slope', 'stretchratio'), 'expert 1']:.4g}" in texts


def test_cards_have_no_scripts_and_take_the_colour_of_the_page(moe):
    html = expert_cards(moe)
    assert "script" not in read(html).tags
    assert ";color:" not in html


def test_view_before_fit_is_scikit_learns():
    assert "moe-cards" not in html_repr(MoERegressor(2))


def test_view_after_fit_has_scikit_learns_diagram_and_the_cards(moe):
    html = html_repr(moe)
    assert "sk-top-container" in html
    assert html.index("moe-cards") > html.index("sk-top-container")


def test_names_are_escaped(rng):
    X = pd.DataFrame({"<b>age</b>": rng.standard_normal(30)})
    experts = [("<i>one</i>", GaussianExpert())]
    moe = MoERegressor(1, expert=experts).fit(X, X.iloc[:, 0] + rng.standard_normal(30))
    html = expert_cards(moe)
    assert "<i>" not in html
    assert "<b>age" not in html
    assert "&lt;b&gt;age" in html


def test_long_tables_are_cut_and_counted(rng):
    X = rng.standard_normal((60, 20))
    moe = MoERegressor(1).fit(X, X[:, 0] + rng.standard_normal(60))
    texts = read(expert_cards(moe)).texts
    # 20 slopes, intercept and scale, 13 of which are shown.
    assert "and 9 more terms" in texts


def test_one_line_too_many_is_shown(rng):
    X = rng.standard_normal((60, 12))
    moe = MoERegressor(1).fit(X, X[:, 0] + rng.standard_normal(60))
    texts = read(expert_cards(moe)).texts
    # 12 slopes, intercept and scale.
    assert "scale" in texts
    assert not any("more term" in text for text in texts)


def test_tables_of_many_experts_are_folded_and_counted(rng):
    X = rng.standard_normal((300, 1))
    moe = HardMoERegressor(32, expert=LinearRegression(), max_iter=1, random_state=0)
    page = read(expert_cards(moe.fit(X, X[:, 0])))
    assert page.texts.count("2 terms") == 24
    assert "and 8 more experts" in page.texts


def test_smallest_shares_and_gates_of_scikit_learn_are_told_in_words(rng):
    X = rng.standard_normal((60, 1))
    moe = MoERegressor(2, gate=LogisticRegression(), n_init=1, random_state=0)
    moe.fit(X, np.abs(X[:, 0]) + 0.1 * rng.standard_normal(60))
    moe.experts_[1] = replace(moe.experts_[1], weight_=1e-65)
    texts = read(expert_cards(moe)).texts
    assert "less than 0.01 % of the data" in texts
    assert "LogisticRegression gate on x0" in texts


def test_cards_say_where_an_estimator_has_no_equation(rng):
    X = rng.standard_normal((60, 1))
    tree = DecisionTreeRegressor(max_depth=1)
    moe = MoERegressor(1, expert=tree, n_init=1, random_state=0)
    texts = read(expert_cards(moe.fit(X, X[:, 0] + rng.standard_normal(60)))).texts
    assert any(text.endswith("DecisionTreeRegressor") for text in texts)
    assert {"no linear equation", "scale"} <= set(texts)


def test_cards_of_several_outputs_and_classes_name_them(rng):
    X = rng.standard_normal((60, 1))
    several = MoERegressor(1).fit(X, np.hstack([X, -X]) + rng.standard_normal((60, 2)))
    assert "y1: x0" in read(expert_cards(several)).texts
    classes = np.where(X[:, 0] > 0.5, "a", np.where(X[:, 0] < -0.5, "b", "c"))
    moe = MoEClassifier(1, random_state=0).fit(X, classes)
    assert "a: x0" in read(expert_cards(moe)).texts


def test_constant_gate_is_named(rng):
    X = rng.standard_normal((60, 1))
    moe = MoERegressor(1, gate="constant").fit(X, X[:, 0] + rng.standard_normal(60))
    assert "constant gate" in read(expert_cards(moe)).texts
