"""The whole site, built once for all tests, and its pages as a browser reads them."""

from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from ci.site import beside
from ci.site.build import build

LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "object": "data"}


class Page(HTMLParser):
    """What a page links to, what it loads, its anchors, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        """Sort the attributes."""
        found = {name: value or "" for name, value in attributes}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag in ("a", "form"):
            self.links += [found[name] for name in ("href", "action") if name in found]
        if tag in LOADING and LOADING[tag] in found and found.get("rel") not in ("next", "prev", "search", "index"):
            self.loads.append(found[LOADING[tag]])

    def handle_data(self, data: str) -> None:
        """Keep the words."""
        self.text += data


@dataclass(frozen=True)
class Site:
    """A folder of pages, by their paths in it."""

    folder: Path
    pages: dict[str, Page]

    def local(self, page: str, address: str) -> tuple[str, str] | None:
        """Path in the site and anchor of a link; None where it leads to another host."""
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            return None
        # in words: to ask the file system for every link between pages takes seconds
        path = normpath(join(dirname(page), unquote(parts.path)) if parts.path else page)
        assert not path.startswith(("/", "..")), f"{page} leads out of the site: {address}"
        return path, unquote(parts.fragment)


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Site:
    """The pages; building them raises where one has a warning."""
    folder = tmp_path_factory.mktemp("built") / "site"
    build(folder, beside.page(report=False, asv=False))
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*.html")]
    return Site(folder, {name: Page((folder / name).read_text(encoding="utf-8")) for name in names})
