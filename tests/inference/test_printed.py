"""The page about the parameters: its width, its numbers, its notes."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.inference import inference

from .fits import classes_of, line_data, two_lines


@pytest.fixture(scope="module")
def found():
    X, y = two_lines(np.random.default_rng(0))
    moe = MoERegressor(2, n_init=2, random_state=0).fit(X, y)
    return inference(moe, X, y), moe, X, y


def test_page_has_every_number_and_80_columns_at_most(found):
    found, moe, X, y = found
    text = str(found)
    assert max(map(len, text.splitlines())) <= 80
    for value in found.table[["estimate", "std_error", "low", "high"]].to_numpy().ravel():
        assert f"{value:.4g}" in text
    assert f"{moe.log_likelihood_:.2f}" in text
    assert f"{moe.bic(X, y):.2f}" in text
    assert f"{moe.aic(X, y):.2f}" in text
    assert "Gate: log odds against expert 2." in text
    assert repr(found) == text


def test_page_as_html_and_latex(found):
    page = found[0].summary()
    html, latex = page.to_html(), page.to_latex()
    assert page._repr_html_() == found[0]._repr_html_() == html
    assert html.count("<table") == html.count("</table>") == 1
    # Three lines of the header are rows there, and one line of the foot here; and two lines more.
    assert html.count("<tr") == latex.count(r"\\")
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 1
    assert "color:" not in html
    # Blocks are set apart by rules, which no later "border:0" takes away.
    heads = re.findall(r'<th style="([^"]*)"', html)
    assert heads
    assert all(h.index("border-top:1px") > h.index("border:0") for h in heads)


def test_names_are_escaped_and_never_cut(rng):
    X, y = line_data(rng)
    long = "a column with a name that is longer than any table"
    frame = pd.DataFrame(X, columns=[long, "50% <b>_x"])
    page = inference(MoERegressor(1).fit(frame, y), frame, y).summary()
    text = str(page)
    assert max(map(len, text.splitlines())) <= 80
    assert f"  {long}\n" in text
    assert "50% &lt;b&gt;_x" in page.to_html()
    assert r"50\% <b>\_x" in page.to_latex()


def test_notes_are_told_once_by_a_letter(rng):
    X, y = line_data(rng)
    X = np.column_stack([X, np.ones(len(X))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = str(inference(MoERegressor(1).fit(X, y), X, y))
    line = next(line for line in text.splitlines() if line.startswith("  x2"))
    assert line.endswith("[a]")
    assert len(re.findall(r"^\[a\] ", text, flags=re.MULTILINE)) == 1
    assert max(map(len, text.splitlines())) <= 80


def test_classes_say_against_which_one(rng):
    X, y = line_data(rng)
    labels = np.array(["red", "green", "blue"])[classes_of(y)]
    text = str(inference(MoEClassifier(1).fit(X, labels), X, labels))
    assert "Experts: log odds against class red." in text
    assert "expert 1, blue" in text
    assert max(map(len, text.splitlines())) <= 80


def test_great_tables_are_made_or_missed_by_name(found):
    page = found[0].summary()
    try:
        import great_tables
    except ImportError:
        with pytest.raises(ImportError, match="pip install great_tables"):
            page.to_great_tables()
    else:
        assert isinstance(page.to_great_tables(), great_tables.GT)
