"""The page of benchmarks shows what their files hold; how figures are kept."""

import importlib
import re
from pathlib import Path

import pandas as pd
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def modules(monkeypatch):
    """``_results`` and ``tables`` as the scripts import them."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("_results"), importlib.import_module("tables")


@pytest.fixture
def results(modules):
    return modules[0]


@pytest.fixture
def tables(modules):
    return modules[1]


def test_tables_of_the_page_are_those_of_the_files(tables):
    text = tables.README.read_text("utf-8")
    assert tables.page(text) == text, "run: python benchmarks/tables.py"


def test_tables_of_other_pages_are_those_of_the_files(tables):
    for path in tables.PAGES:
        text = path.read_text("utf-8")
        assert tables.MARKED.search(text)
        assert tables.page(text) == text, "run: python benchmarks/tables.py"


def test_every_table_has_its_place_and_no_other_stands_there(tables):
    text = tables.README.read_text("utf-8")
    assert sorted(name for _, name, _ in tables.MARKED.findall(text)) == sorted(tables.TABLES)
    # A table of causes and cures is prose.
    rest = re.sub(r"<!-- by hand -->\n(\|.*\n)+", "", tables.MARKED.sub("", text))
    assert "|---" not in rest


def test_every_file_is_written_by_a_script():
    scripts = [p.read_text("utf-8") for p in BENCHMARKS.glob("[a-z]*.py")]
    for path in (BENCHMARKS / "results").glob("*.csv"):
        assert any(f'"{path.stem}"' in text for text in scripts), path.name
        assert "processor" in pd.read_csv(path)


def test_page_names_every_script_that_keeps_figures():
    text = (BENCHMARKS / "README.md").read_text("utf-8")
    for path in BENCHMARKS.glob("[a-z]*.py"):
        if re.search(r"^\s+keep\(", path.read_text("utf-8"), re.MULTILINE):
            assert f"benchmarks/{path.name}" in text


def test_a_page_with_other_figures_is_written_anew(tables):
    text = tables.README.read_text("utf-8")
    assert "| 1,000 rows |" in text
    assert tables.page(text.replace("| 1,000 rows |", "| 1,001 rows |")) == text


def test_kept_rows_replace_those_of_the_same_keys_where_they_stand(results, tmp_path):
    rows = [{"system": s, "error": e} for s, e in (("a", 1.0), ("b", 2.0))]
    results.keep("race", rows, ["system"], tmp_path)
    results.keep("race", [{"system": "c", "error": 3.0}], ["system"], tmp_path)
    results.keep("race", [{"system": "a", "error": 0.5}], ["system"], tmp_path)
    table = results.read("race", tmp_path)
    assert dict(zip(table.system, table.error, strict=True)) == {"a": 0.5, "b": 2.0, "c": 3.0}
    assert list(table.system) == ["a", "b", "c"]
    assert set(table.processor) == {results.processor()}


def test_widened_rows_keep_least_and_most_of_all_runs(results, tmp_path):
    for value in (2.0, 1.0, 3.0):
        rows = [{"what": "ratio", "least": value, "most": value}]
        results.widen("speed", rows, ["what"], tmp_path)
    table = results.read("speed", tmp_path)
    assert table[["least", "most"]].to_numpy().tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize(
    ("row", "shown"), [({"a": 1.25, "b": 2.0}, "1.2 (2)"), ({"a": 1.25, "b": None}, "1.2")]
)
def test_parts_of_a_cell_without_a_figure_are_left_out(tables, row, shown):
    assert tables.cell(pd.Series(row), "{a:.1f} ({b:.0f})") == shown
