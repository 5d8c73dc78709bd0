"""Text of strangers in CSV and Markdown: one function per format, which every writer of that format uses."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula
_QUOTE = "'"
_NUMERIC = "biufc"  # kinds of columns of NumPy and pandas that hold no text
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_text(text: str) -> str:
    """The text so that no spreadsheet takes it for a formula: ``'`` in front; :func:`csv_original` takes it away."""
    formula = text.startswith(_FORMULA) and not _NUMBER.fullmatch(text)
    return _QUOTE + text if formula or text.startswith(_QUOTE) else text


def csv_original(text: str) -> str:
    """What :func:`csv_text` was given; texts of files from before it are their own originals."""
    return text[1:] if text.startswith(tuple(_QUOTE + mark for mark in (*_FORMULA, _QUOTE))) else text


def csv_frame(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table with every text as :func:`csv_text`, headers included; numbers as they are."""
    safe = frame.rename(columns=lambda name: csv_text(name) if isinstance(name, str) else name)
    for name, kind in safe.dtypes.items():
        if kind.kind not in _NUMERIC:
            safe[name] = safe[name].map(lambda value: csv_text(value) if isinstance(value, str) else value)
    return safe


def markdown_text(text: str) -> str:
    """The text so that Markdown shows it as it is, on one line: no HTML, link, code or emphasis."""
    line = " ".join(text.split("\n")).replace("\r", " ")
    line = line.replace("\\", "\\\\").replace("&", "&amp;")
    line = re.sub(r"<(?=\S)", "&lt;", line)
    line = re.sub(r"([`\[\]~$])", r"\\\1", line)
    line = re.sub(r"\b(https?|ftp)://|\bwww\.", lambda m: m[0].replace(":", "&#58;").replace(".", "&#46;"), line)
    # Runs of * and _ mark nothing between blanks, nor does _ inside a word.
    line = re.sub(r"(?<!\S)(\*+)(?!\S)|(\*)", lambda m: m[1] or r"\*", line)
    return re.sub(r"(?<=[^\W_])_+(?=[^\W_])|(_)", lambda m: r"\_" if m[1] else m[0], line)


def markdown_cell(text: str) -> str:
    """:func:`markdown_text` for a table, whose columns ``|`` would part."""
    return markdown_text(text).replace("|", "\\|")


def markdown_code(text: str) -> str:
    """The text as code on one line: between more backticks than it holds side by side."""
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    blank = " " if "`" in line else ""
    return f"{fence}{blank}{line}{blank}{fence}"
