"""MyST Markdown for the generated pages: text that stays what it is, links of papers, tables, code, tabs."""

import re
from collections.abc import Iterable, Mapping, Sequence

from normbench.records.formats import markdown_text

_ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")
_LITERAL = re.compile(r"\\`\\`(\w+)\\`\\`")  # as markdown_text leaves it
_OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")


def text(plain: str) -> str:
    """Text of a declaration as Markdown: nothing in it is markup, its options are code, its arXiv numbers links.

    Of a docstring, what stands between two backticks is code, too.
    """
    shown = _LITERAL.sub(r"`\1`", markdown_text(plain))
    return _ARXIV.sub(r"[arXiv \1](https://arxiv.org/abs/\1)", _OPTION.sub(r"`\g<0>`", shown))


def together(words: str) -> str:
    """A figure with its marks, which no line breaks apart: blanks and hyphens that hold."""
    return words.replace(" ", "\N{NO-BREAK SPACE}").replace("-", "\N{NON-BREAKING HYPHEN}")


def bullets(items: Iterable[str]) -> list[str]:
    """One line each, and an empty one behind them; nothing of nothing. The items are Markdown."""
    lines = [f"- {item}" for item in items]
    return [*lines, ""] if lines else []


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table and an empty line behind it; the cells are Markdown."""
    return [_line(header), _line(["---"] * len(header)), *map(_line, rows), ""]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("\n", " ").replace("|", r"\|") for cell in cells) + " |"


def code(lines: str, language: str = "text") -> list[str]:
    """A block of code."""
    return [f"```{language}", *lines.splitlines(), "```", ""]


def section(title: str, body: Sequence[str], level: int = 2) -> list[str]:
    """A heading with what stands under it; nothing where nothing does."""
    return [f"{'#' * level} {title}", "", *body] if body else []


def tabs(items: Mapping[str, Sequence[str]]) -> list[str]:
    """Blocks beside each other, of which a reader sees one (sphinx-design)."""
    inner = [line for name, body in items.items() for line in (f"````{{tab-item}} {name}", *_cut(body), "````")]
    return ["`````{tab-set}", *inner, "`````", ""] if items else []


def dropdown(title: str, body: Sequence[str]) -> list[str]:
    """A block that a reader opens (sphinx-design)."""
    return [f"````{{dropdown}} {title}", *_cut(body), "````", ""] if body else []


def _cut(body: Sequence[str]) -> list[str]:
    """Without the empty lines at its end."""
    return "\n".join(body).rstrip("\n").splitlines()


def page(lines: Iterable[str]) -> str:
    """The text of a page."""
    return "\n".join(lines).rstrip("\n") + "\n"
