"""What the pages of docs/ show works: snippets run and print what stands below them, links lead somewhere."""

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

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "own_networks"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted(FOLDER.glob("*.md"))}
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


def same_output(found: str, shown: str) -> bool:
    """Equal words, and figures that are equal within the tolerance."""
    if NUMBER.sub("#", found).split() != NUMBER.sub("#", shown).split():
        return False
    pairs = zip(map(float, NUMBER.findall(found)), map(float, NUMBER.findall(shown)), strict=True)
    return all(a == pytest.approx(b, rel=RELATIVE, abs=LAST_DIGIT) for a, b in pairs)


def run_here(snippet: Snippet, space: dict[str, object]) -> str:
    """Run it in the namespace of its section; tracebacks show page and line."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * snippet.line + snippet.code, f"{snippet.page}.md", "exec"), space)
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


SECTIONS = {key: shown for page in PAGES if page != PREAMBLE for key, shown in sections(page).items()}
FIRST = [snippet for shown in sections(PREAMBLE).values() for snippet in shown]


@pytest.fixture
def _quick_compilation():
    """The snippets compile for longer than they run."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.parametrize("section", SECTIONS, ids="-".join)
@pytest.mark.usefixtures("_quick_compilation")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of torch's compiler itself
def test_snippets_print_what_the_page_says(section, tmp_path):
    space: dict[str, object] = {"__name__": "__main__"}
    for snippet in [*FIRST, *SECTIONS[section]]:
        if "torch.compile(" in snippet.code and not (shutil.which("g++") or shutil.which("clang++")):
            pytest.skip("torch.compile needs a C++ compiler, and there is none here")
        printed = run_file(snippet, tmp_path) if snippet.file else run_here(snippet, space)
        shown = snippet.output
        assert same_output(printed, shown), (
            f"{snippet.page}.md, line {snippet.line}, prints:\n{printed}The page says:\n{shown}"
        )


def test_no_snippet_is_left_out():
    found = [*FIRST, *(snippet for section in SECTIONS.values() for snippet in section)]
    assert len(found) == sum(text.count("```python") for text in PAGES.values()) > 20
    assert all(snippet.output for snippet in found if "print(" in snippet.code)
    assert all(PAGES[snippet.page].splitlines()[snippet.line - 1] == "```python" for snippet in found)


@pytest.mark.parametrize(
    ("shown", "same"),
    [("loss 2.30 -> 1.03", True), ("loss 2.30 -> 1.50", False), ("Loss 2.30 -> 1.00", False), ("loss 2.30", False)],
)
def test_the_check_of_output_notices_other_words_and_figures(shown, same):
    assert same_output("loss 2.30 -> 1.00\n", shown) == same


WHERE = (ROOT / "docs" / "where_is_what.md").read_text(encoding="utf-8")
LINKING = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "results" / "README.md"]


def anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def dead(page: Path, text: str) -> list[str]:
    """The links of a page that lead nowhere: no such file, or no such heading in it."""
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http:", "https:")):
            continue
        name, _, wanted = target.partition("#")
        path = page.parent / name if name else page
        headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE) if wanted else []
        if not path.exists() or (wanted and wanted not in map(anchor, headings)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert dead(page, page.read_text(encoding="utf-8")) == []


def test_a_link_that_leads_nowhere_is_found():
    text = "[a](gone.md) [b](README.md) [c](README.md#no-such-heading) [d](https://example.org)"
    assert dead(ROOT / "README.md", text) == ["gone.md", "README.md#no-such-heading"]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(\w[\w.-]*/[\w./-]*\w)`", WHERE))))
def test_the_page_that_says_where_what_is_names_files_that_exist(path):
    assert any((root / path).exists() for root in (ROOT, ROOT / "normbench"))
