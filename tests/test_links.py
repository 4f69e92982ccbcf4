"""Links inside the repository lead somewhere; what is said in two places is the same."""

import re
from pathlib import Path

import pytest

import moe_classic

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/README.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CARD = re.compile(r"^:link: (\S+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
#: Folders that the build of the pages makes.
BUILT = ("notebooks/", "generated/")


def slug(heading):
    """Anchor of a heading, as GitHub and MyST make it."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", ""))
    return kept.replace(" ", "-")


def anchors(text):
    """Anchors of a page."""
    text = FENCED.sub("", text)
    found = {slug(h) for h in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    return found | set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))


def missing(path):
    """Links of a page that lead nowhere."""
    text = path.read_text("utf-8")
    plain = FENCED.sub("", text)
    links = [*LINK.findall(plain), *CARD.findall(text)]
    for link in links:
        where, _, anchor = link.partition("#")
        if where.startswith(("http", "mailto:")) or where.startswith(BUILT):
            continue
        target = path.parent / where if where else path
        # Cards name pages without their ending.
        named = [target, target.with_suffix(".md"), target.with_suffix(".rst")]
        found = next((t for t in named if t.exists()), None)
        if found is None or (
            anchor and found.suffix == ".md" and anchor not in anchors(found.read_text("utf-8"))
        ):
            yield link


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_link_is_broken(path):
    assert list(missing(path)) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_merge_is_left_half_done(path):
    assert not re.search(r"^(<{7} |={7}$|>{7} )", path.read_text("utf-8"), re.MULTILINE)


def test_changes_are_told_once_by_kind():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    for version in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (\w+)$", version, re.MULTILINE)
        assert len(kinds) == len(set(kinds)), version.splitlines()[0]


def test_a_broken_link_would_be_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One thing\n[a](#one-thing) [b](#another) [c](none.md)\n", "utf-8")
    assert list(missing(page)) == ["#another", "none.md"]


def test_every_page_is_in_the_contents():
    text = (ROOT / "docs" / "index.md").read_text("utf-8")
    listed = text[text.rindex("{toctree}") :]
    for path in (ROOT / "docs").glob("*.md"):
        assert path.stem == "index" or re.search(rf"\b{path.stem}\b", listed), path.name


def test_citation_is_the_same_in_its_file_and_on_the_front_page():
    text = (ROOT / "docs" / "index.md").read_text("utf-8")
    cited = (ROOT / "CITATION.cff").read_text("utf-8")
    (title,) = re.findall(r'^title: "(.*)"$', cited, re.MULTILINE)
    (author,) = re.findall(r"- name: (.*)$", cited, re.MULTILINE)
    assert f"title  = {{{title}}}" in text
    assert f"author = {{{{{author}}}}}" in text
    assert f"version: {moe_classic.__version__}\n" in cited
    (day,) = re.findall(r'^date-released: "(.*)"$', cited, re.MULTILINE)
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"\n## [{moe_classic.__version__}] - {day}\n" in changes


def test_release_notes_begin_with_this_version():
    text = (ROOT / "docs" / "releases.md").read_text("utf-8")
    (first, *_) = re.findall(r"^## (\d+\.\d+\.\d+)$", text, re.MULTILINE)
    assert first == moe_classic.__version__
