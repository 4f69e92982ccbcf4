"""Follow the links inside of built pages: ``python docs/_links.py docs/_build``.

Prints those that lead to no file or to no place on its page, and fails if there are any. Links to
elsewhere are not followed.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Places on a page, and where it leads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.places, self.links = path.resolve(), {"", "top"}, set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note places and links."""
        for name, value in attrs:
            if name == "id":
                self.places.add(value)
            elif name in {"href", "src"} and value:
                self.links.add(value)


def broken(folder: Path) -> list[str]:
    """Links inside of a folder of pages that lead nowhere."""
    # What lies in _static belongs to the theme, templates among it.
    paths = (p for p in folder.rglob("*.html") if "_static" not in p.parts)
    pages = {page.path: page for page in map(Page, paths)}
    found = []
    for page in pages.values():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            path = (page.path.parent / unquote(url.path)).resolve() if url.path else page.path
            there = path in pages and unquote(url.fragment) in pages[path].places
            if not (there or (path.exists() and path not in pages)):
                found.append(f"{page.path.relative_to(folder.resolve())}: {link}")
    return sorted(found)


if __name__ == "__main__":
    sys.exit("\n".join(broken(Path(sys.argv[1]))) or 0)
