"""One page about a fit: what is on it."""

import re

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import HardMoERegressor, MoEClassifier, MoERegressor
from moe_classic.inference import inference
from moe_classic.inspection import report


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 2))
    return X, np.where(
        X[:, 0] + rng.standard_normal(150) > 0, 2.0 * X[:, 0], -X[:, 1]
    ) + 0.2 * rng.standard_normal(150)


def headings(page):
    return re.findall(r"<h2>([^<]*)</h2>", page.html)


def test_page_has_tables_tests_and_pictures(rows, tmp_path):
    X, y = rows
    moe = MoERegressor(2, n_init=2, random_state=0).fit(X, y)
    page = report(moe, X, y, title="Two <planes>")
    assert inference(moe, X, y).summary().to_html() in page.html
    assert page.html.count("<img") == 9
    assert "<h1>Two &lt;planes&gt;</h1>" in page.html
    assert {"Parameters", "Coefficients", "Residuals", "Calibration"} <= set(headings(page))
    assert page.save(tmp_path / "page.html").read_text("utf-8") == page.html
    assert page._repr_html_().startswith("<h1>")
    assert "<script" not in page.html


def test_classes_and_pipelines_have_their_pages(rows):
    X, y = rows
    pipe = make_pipeline(StandardScaler(), MoEClassifier(1)).fit(X, y > 0.0)
    page = report(pipe, X, y > 0.0)
    assert any(title.endswith("class False") for title in headings(page))
    assert "Residuals" not in headings(page)


def test_what_was_warned_about_is_on_the_page(rows):
    X, y = rows
    X = np.column_stack([X, np.ones(len(X))])
    page = report(MoERegressor(1).fit(X, y), X, y)
    assert "To be known" in headings(page)
    assert any("constant" in text for text in page.warnings)


def test_kinks_get_a_sandwich(rows):
    page = report(MoERegressor(1, expert="laplace").fit(*rows), *rows)
    assert "covariance: sandwich" in page.html


def test_estimator_without_likelihood_is_refused(rows):
    with pytest.raises(TypeError, match="have a likelihood"):
        report(HardMoERegressor(2, random_state=0).fit(*rows), *rows)
