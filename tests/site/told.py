"""Pages that tell one story: their blocks run one after the other, in one folder and namespace, as a reader runs them.

A block whose first line is a comment with a file name is that file. Commands are those of blocks of bash, a line each;
what a block of Python or bash prints stands in the block of text below it, where a line ``...`` stands for any lines.
"""

import contextlib
import io
import re
import runpy
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.calls import call
from tests.pages import FENCE, same_output

_FILE = re.compile(r"(?:# (\S+\.\w+)|/\* (\S+\.\w+) \*/)\n")
_ANY = "...\n"
PROGRAMS = {"cc"}  # that are started, beside what they made


@dataclass(frozen=True)
class Block:
    """A block of a page, its language and first line, and the output that the page shows below it."""

    language: str
    line: int
    code: str
    output: str

    @property
    def file(self) -> str:
        """The name of the file that it is, or ""."""
        found = _FILE.match(self.code)
        return (found[1] or found[2]) if found else ""


def blocks(text: str) -> Iterator[Block]:
    """Every block but those of output, which belong to the one above them."""
    found = list(FENCE.finditer(text))
    for k, fence in enumerate(found):
        if fence[1] != "text":
            below = found[k + 1] if k + 1 < len(found) else None
            output = below[2] if below and below[1] == "text" else ""
            yield Block(fence[1], text[: fence.start()].count("\n") + 1, fence[2], output)


def tell(page: Path, read_only: dict[str, object]) -> None:
    """Run a page in the present folder, and hold every output against the page.

    Parameters
    ----------
    page : Path
    read_only : dict
        By the first words of a command that would take too long: a callable that reads its other words as the command
        would, and raises where it would refuse them.
    """
    space: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.file:
            Path(block.file).write_text(block.code, encoding="utf-8")
            continue
        printed = _python(page, block, space) if block.language == "python" else _commands(block, read_only)
        assert shows(block.output, printed), f"{page.name}, line {block.line}, prints:\n{printed}"


def _python(page: Path, block: Block, space: dict[str, object]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile("\n" * block.line + block.code, page.name, "exec"), space)
    return printed.getvalue()


def _commands(block: Block, read_only: dict[str, object]) -> str:
    assert block.language == "bash", f"line {block.line}: a block of {block.language} is run by nobody"
    lines = re.sub(r"\\\n\s*", "", block.code).splitlines()
    return "".join(_command(re.sub(r"\s+#.*", "", line), read_only) for line in lines if line)


def _command(line: str, read_only: dict[str, object]) -> str:
    for words, read in read_only.items():
        if line == words or line.startswith(f"{words} "):
            read(shlex.split(line.removeprefix(words)))
            return ""
    program, *words = shlex.split(line)
    if program == "normbench":
        found = call(*words)
        assert found.exit_code == 0, f"{line}\n{found.output}"
        return found.stdout
    if program == "python":
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            runpy.run_path(words[0], run_name="__main__")
        return printed.getvalue()
    if program in PROGRAMS and shutil.which(program) is None:
        pytest.skip(f"there is no {program} here")
    assert program in PROGRAMS or Path(program).exists(), f"nobody runs {program!r}"
    done = subprocess.run([program, *words], check=True, capture_output=True, text=True)
    return done.stdout


def shows(page: str, printed: str) -> bool:
    """True if the page shows what was printed: all of it, in its order, but for what its lines ``...`` leave out."""
    parts = page.split(_ANY)
    if len(parts) == 1:
        return not page or same_output(printed, page)
    lines, at = printed.splitlines(), 0
    for k, part in enumerate(parts):
        wanted = part.splitlines()
        places = range(at, len(lines) - len(wanted) + 1) if k else [0]
        if k == len(parts) - 1:
            places = [len(lines) - len(wanted)] if wanted and len(lines) - len(wanted) >= at else places
        fits = (i for i in places if same_output("\n".join(lines[i : i + len(wanted)]), part))
        found = next(fits, None)
        if found is None:
            return False
        at = found + len(wanted)
    return True
