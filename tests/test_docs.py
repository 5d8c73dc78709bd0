"""What the pages of docs/ show works: snippets run and print what stands below them, links lead somewhere."""

import contextlib
import io
import os
import re
import shutil
import sys
from pathlib import Path
from pkgutil import resolve_name

import jax
import pytest

from tests.pages import FIRST, PAGES, ROOT, SECTIONS, Snippet, require_clients, same_output

COMPILERS = {"torch.compile(": ("g++", "clang++"), '["cc"': ("cc",)}  # what a snippet does, and what that takes


FLIGHTS = "NORMBENCH_DATA"


def _has_flights() -> bool:
    return FLIGHTS in os.environ and (Path(os.environ[FLIGHTS]) / "neural_fly").is_dir()


def run_here(snippet: Snippet, space: dict[str, object]) -> str:
    """Run it in the namespace of its section; tracebacks show page and line."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * snippet.line + snippet.code, f"{snippet.page}.md", "exec"), space)
    return printed.getvalue()


def as_torchrun_reads_it(snippet: Snippet) -> str:
    """What the page says, if its command would run the file; tests/torch/test_torch_data_parallel.py runs it."""
    from torch.distributed.run import parse_args

    program, *arguments = snippet.command.split()
    assert (Path(sys.executable).parent / program).exists()
    read = parse_args(arguments)
    assert (read.training_script, read.training_script_args) == (snippet.file, [])
    assert (read.standalone, read.nproc_per_node) == (True, "2")
    return snippet.output


def as_python_reads_it(snippet: Snippet) -> str:
    """What the page says, if its command would run the file; tests/jax/test_optax_sharding.py runs it."""
    assert (snippet.command, "jax" in snippet.code) == (f"python {snippet.file}\n", True)
    return snippet.output


def run(snippet: Snippet, space: dict[str, object]) -> str:
    if not snippet.file:
        return run_here(snippet, space)
    return as_torchrun_reads_it(snippet) if snippet.command.startswith("torchrun") else as_python_reads_it(snippet)


@pytest.fixture
def _quick_compilation():
    """The snippets compile for longer than they run."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.parametrize("section", SECTIONS, ids="-".join)
@pytest.mark.usefixtures("_quick_compilation")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of torch's compiler itself
def test_snippets_print_what_the_page_says(section):
    space: dict[str, object] = {"__name__": "__main__"}
    if any(FLIGHTS in snippet.code for snippet in SECTIONS[section]) and not _has_flights():
        pytest.skip(f"{FLIGHTS} names no folder with neural_fly/, the real flights")
    for snippet in [*FIRST, *SECTIONS[section]]:
        require_clients(snippet)
        for asked, programs in COMPILERS.items():
            if asked in snippet.code and not any(map(shutil.which, programs)):
                pytest.skip(f"{asked} needs a compiler, {' or '.join(programs)}, and there is none here")
        printed, shown = run(snippet, space), snippet.output
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
        path = (ROOT / name[1:] if name.startswith("/") else page.parent / name) if name else page
        headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE) if wanted else []
        if not path.exists() or (wanted and wanted not in map(anchor, headings)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert dead(page, page.read_text(encoding="utf-8")) == []


def test_a_link_that_leads_nowhere_is_found():
    text = (
        "[a](gone.md) [b](README.md) [c](README.md#no-such-heading) [d](https://example.org) [e](/README.md) [f](/a.md)"
    )
    assert dead(ROOT / "docs" / ".." / "README.md", text) == ["gone.md", "README.md#no-such-heading", "/a.md"]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(\w[\w.-]*/[\w./-]*\w)`", WHERE))))
def test_the_page_that_says_where_what_is_names_files_that_exist(path):
    assert any((root / path).exists() for root in (ROOT, ROOT / "normbench"))


PRESENT = [page for page in LINKING if page.name != "CHANGELOG.md"]  # which also names what is gone
NAMED = re.compile(r"`((?:benchmarks|ci|docs|normbench|results|tests)/[\w./*-]+)`|`(normbench(?:\.\w+)+)`")


def misnamed(text: str) -> list[str]:
    """The files of the repository, and the names of the package, that a text has and nobody finds."""
    found = NAMED.findall(text)
    gone = [path for path, _ in found if path and not any(ROOT.glob(path.rstrip("/")))]
    return gone + [name for _, name in found if name and not _resolves(name)]


def _resolves(name: str) -> bool:
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


@pytest.mark.parametrize("page", PRESENT, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_names_that_a_page_has_exist(page):
    assert misnamed(page.read_text(encoding="utf-8")) == []


def test_a_file_or_a_name_that_is_gone_is_found():
    text = "`ci/tests.sh` `ci/gone.sh` `tests/*/no_such.py` `normbench.certify` `normbench.torch.Method9` `normbench.x`"
    assert misnamed(text) == ["ci/gone.sh", "tests/*/no_such.py", "normbench.torch.Method9", "normbench.x"]


def test_no_page_installs_from_an_index_that_has_no_normbench_yet():
    """What works is a clone; docs/releasing.md says what changes with the first release."""
    written = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "results").glob("*.md")]
    said = {path.name: re.findall(r"pip install[^\n`]*[\s\"']normbench\b", path.read_text("utf-8")) for path in written}
    assert {name for name, found in said.items() if found} == {"releasing.md"}
