"""What Sphinx reads: a mirror of the repository's pages, so that links between them lead where they lead on GitHub.

The start page docs/index.md becomes the mirror's index.md. Pages that are made of the code are written beside those
that are written by hand.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from ci.site import ROOT, commands, declared, reference

START = "docs/index.md"
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/**/*.md", "results/*.md")
TITLES = {"results/frontier.md": "Frontiers", "results/leaderboard.md": "Leaderboards"}  # files that begin with a board
_LINK = re.compile(r"\]\(([^)\s#]+)")
_NO_FILES = (".md", ".py")  # pages, and sources, which ci/site/links.py links


def generated() -> dict[str, str]:
    """Path in the repository and text of the pages that are made of the code."""
    declarations = {f"docs/{name}": text for name, text in declared.pages().items()}
    return reference.pages() | commands.pages() | declarations


def mirror(folder: Path, more: Mapping[str, str], root: Path = ROOT) -> None:
    """Write the mirror into an empty folder.

    Parameters
    ----------
    folder : Path
    more : mapping
        Path and text of pages beside those of the repository.
    root : Path
        Of the repository.
    """
    texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in written(root)}
    made = {**texts, **generated(), **more}
    made["index.md"] = made.pop(START)
    for name, text in made.items():
        _place(folder / name).write_text(_complete(name, text), encoding="utf-8")
    for path in linked(texts, root):
        shutil.copyfile(path, _place(folder / path.relative_to(root)))


def _place(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def written(root: Path) -> list[Path]:
    """The pages that are written by hand, or stored as boards."""
    return sorted({path for pattern in PAGES for path in root.glob(pattern)})


def linked(texts: dict[str, str], root: Path) -> set[Path]:
    """Files of the repository that pages show or link and that are no pages: pictures, tables, settings."""
    found: set[Path] = set()
    for name, text in texts.items():
        for target in _LINK.findall(text):
            path = (root / target[1:] if target.startswith("/") else root / name / ".." / target).resolve()
            if path.is_file() and path.suffix not in _NO_FILES and path.is_relative_to(root):
                found.add(path)
    return found


def _complete(name: str, text: str) -> str:
    """A page with the title that it lacks; the first page of a folder with the list of the others, as it links them."""
    if name in TITLES:
        return f"# {TITLES[name]}\n\n{text}"
    if name.startswith("docs/") and name.endswith("/README.md"):
        others = dict.fromkeys(link for link in _LINK.findall(text) if "/" not in link and link.endswith(".md"))
        return "\n".join(
            [text, "```{toctree}", ":hidden:", "", *(link.removesuffix(".md") for link in others), "```", ""]
        )
    return text
