"""The snippets of Python in docs/own_networks and docs/clients, and how what they print is held against the page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

import pytest

from normbench.errors import install

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "own_networks"
CLIENTS = ROOT / "docs" / "clients"
PAGES = {
    path.relative_to(above).with_suffix("").as_posix(): path.read_text(encoding="utf-8")
    for folder, above in ((FOLDER, FOLDER), (CLIENTS, CLIENTS.parent))
    for path in sorted(folder.glob("*.md"))
}
PREAMBLE = "README"  # the page with the lines that every section begins with
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
RELATIVE, LAST_DIGIT = 0.05, 0.01  # roundings of other processors and versions, after some tens of steps


@dataclass(frozen=True)
class Snippet:
    """A block of Python at a line of a page, the command that runs it if it is a file, and what it prints."""

    page: str
    line: int
    code: str
    command: str = ""
    output: str = ""

    @property
    def file(self) -> str:
        """The name in a first line ``# name.py``; empty where the block continues those above it."""
        found = re.match(r"# (\w+\.py)\n", self.code)
        return found[1] if found else ""


def sections(page: str) -> dict[tuple[str, str], list[Snippet]]:
    """The snippets of a page by page and heading; those above the first heading under the empty one."""
    parts, line, found = re.split(r"^## (.*)$", PAGES[page], flags=re.MULTILINE), 1, {}
    for title, body in zip(["", *parts[1::2]], parts[::2], strict=True):
        found[page, title] = list(snippets(page, body, line))
        line += body.count("\n")
    return {key: shown for key, shown in found.items() if shown}


def snippets(page: str, body: str, first_line: int) -> Iterator[Snippet]:
    """Every block of Python, with the blocks of bash and text between it and the next one."""
    blocks = list(FENCE.finditer(body))
    for k, block in enumerate(blocks):
        if block[1] == "python":
            behind = {b[1]: b[2] for b in takewhile(lambda b: b[1] != "python", blocks[k + 1 :])}
            line = first_line + body[: block.start()].count("\n")
            yield Snippet(page, line, block[2], behind.get("bash", ""), behind.get("text", ""))


def require_clients(snippet: Snippet) -> None:
    """Skip where a library is missing that a page of docs/clients imports: it is in an extra of its own."""
    for name in re.findall(r"^(?:import|from) (\w+)", snippet.code, re.MULTILINE):
        if snippet.page.startswith(CLIENTS.name) and find_spec(name) is None:
            pytest.skip(f"{name} is not installed: {install('clients')}")


def same_output(found: str, shown: str) -> bool:
    """Equal words, and figures that are equal within the tolerance."""
    if NUMBER.sub("#", found).split() != NUMBER.sub("#", shown).split():
        return False
    pairs = zip(map(float, NUMBER.findall(found)), map(float, NUMBER.findall(shown)), strict=True)
    return all(a == pytest.approx(b, rel=RELATIVE, abs=LAST_DIGIT) for a, b in pairs)


SECTIONS = {key: shown for page in PAGES if page != PREAMBLE for key, shown in sections(page).items()}
FIRST = [snippet for shown in sections(PREAMBLE).values() for snippet in shown]
