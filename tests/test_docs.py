"""What docs/own_networks.md shows works: every snippet runs, and prints what stands below it."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import jax
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "own_networks.md"
TEXT = PAGE.read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
RELATIVE, LAST_DIGIT = 0.05, 0.01  # roundings of other processors and versions, after some tens of steps


@dataclass(frozen=True)
class Snippet:
    """A block of Python at a line of the page, the command that runs it if it is a file, and what it prints."""

    line: int
    code: str
    command: str = ""
    output: str = ""

    @property
    def file(self) -> str:
        """The name in a first line ``# name.py``; empty where the block continues those above it."""
        found = re.match(r"# (\w+\.py)\n", self.code)
        return found[1] if found else ""


def sections(page: str) -> dict[str, list[Snippet]]:
    """The snippets by heading; those above the first one under the empty name."""
    parts, line, found = re.split(r"^## (.*)$", page, flags=re.MULTILINE), 1, {}
    for title, body in zip(["", *parts[1::2]], parts[::2], strict=True):
        found[title] = list(snippets(body, line))
        line += body.count("\n")
    return found


def snippets(body: str, first_line: int) -> Iterator[Snippet]:
    """Every block of Python, with the blocks of bash and text between it and the next one."""
    blocks = list(FENCE.finditer(body))
    for k, block in enumerate(blocks):
        if block[1] == "python":
            behind = {b[1]: b[2] for b in takewhile(lambda b: b[1] != "python", blocks[k + 1 :])}
            line = first_line + body[: block.start()].count("\n")
            yield Snippet(line, block[2], behind.get("bash", ""), behind.get("text", ""))


def same_output(found: str, shown: str) -> bool:
    """Equal words, and figures that are equal within the tolerance."""
    if NUMBER.sub("#", found).split() != NUMBER.sub("#", shown).split():
        return False
    pairs = zip(map(float, NUMBER.findall(found)), map(float, NUMBER.findall(shown)), strict=True)
    return all(a == pytest.approx(b, rel=RELATIVE, abs=LAST_DIGIT) for a, b in pairs)


def run_here(snippet: Snippet, space: dict[str, object]) -> str:
    """Run it in the namespace of its section; tracebacks show the lines of the page."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * snippet.line + snippet.code, str(PAGE), "exec"), space)
    return printed.getvalue()


def run_file(snippet: Snippet, folder: Path) -> str:
    """Write it to its file and run the page's command there, with the programs beside this Python found first."""
    (folder / snippet.file).write_text(snippet.code, encoding="utf-8")
    path = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    program, *arguments = snippet.command.split()
    command = [shutil.which(program, path=path) or program, *arguments]
    settings = {"PATH": path, "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
    if sys.platform == "linux":
        settings["GLOO_SOCKET_IFNAME"] = "lo"  # the machine's own name may have no address
    environment = os.environ | settings
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=180
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


SECTIONS = sections(TEXT)
PREAMBLE = SECTIONS.pop("")


@pytest.fixture
def _quick_compilation():
    """The snippets compile for longer than they run."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.parametrize("title", SECTIONS)
@pytest.mark.usefixtures("_quick_compilation")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of torch's compiler itself
def test_snippets_print_what_the_page_says(title, tmp_path):
    space: dict[str, object] = {"__name__": "__main__"}
    for snippet in [*PREAMBLE, *SECTIONS[title]]:
        if "torch.compile(" in snippet.code and not (shutil.which("g++") or shutil.which("clang++")):
            pytest.skip("torch.compile needs a C++ compiler, and there is none here")
        printed = run_file(snippet, tmp_path) if snippet.file else run_here(snippet, space)
        shown = snippet.output
        assert same_output(printed, shown), f"line {snippet.line} prints:\n{printed}The page says:\n{shown}"


def test_no_snippet_is_left_out():
    found = [*PREAMBLE, *(snippet for section in SECTIONS.values() for snippet in section)]
    assert len(found) == TEXT.count("```python") > 20
    assert all(snippet.output for snippet in found if "print(" in snippet.code)
    assert all(TEXT.splitlines()[snippet.line - 1] == "```python" for snippet in found)


@pytest.mark.parametrize(
    ("shown", "same"),
    [("loss 2.30 -> 1.03", True), ("loss 2.30 -> 1.50", False), ("Loss 2.30 -> 1.00", False), ("loss 2.30", False)],
)
def test_the_check_of_output_notices_other_words_and_figures(shown, same):
    assert same_output("loss 2.30 -> 1.00\n", shown) == same


def test_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert targets
    assert all((PAGE.parent / target).exists() for target in targets)
