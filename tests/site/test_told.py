"""The tutorials and the page on statistics: every block and every command runs, and prints what the page says."""

from pathlib import Path

import click
import pytest

from tests.site.told import blocks, shows, tell
from tests.this_process import in_this_process  # noqa: F401

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_statistics_are_those_of_the_published_row(monkeypatch):
    monkeypatch.chdir(ROOT)
    tell(DOCS / "statistics.md", {})


@pytest.mark.parametrize(
    ("page", "same"),
    [
        ("a 1.00\nb\n", True),
        ("a 1.20\nb\n", False),
        ("...\nb\n", True),
        ("...\na 1\n", False),
        ("a 1\n...\n", True),
        ("b\n...\n", False),
        ("...\nc\n...\n", False),
        ("a 1\n...\nb\n", True),
        ("", True),
    ],
)
def test_the_check_of_output_leaves_out_what_the_page_leaves_out(page, same):
    assert shows(page, "a 1.01\nb\n") == same


def test_blocks_of_output_belong_to_those_above_them():
    text = "```python\n# a.py\n1\n```\n\n```bash\npython a.py\n```\n```text\n1\n```\n"
    first, second = blocks(text)
    assert (first.file, first.line, first.output) == ("a.py", 1, "")
    assert (second.code, second.line, second.output) == ("python a.py\n", 6, "1\n")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a reader begins: an empty folder, whose modules are found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder", "in_this_process")
@pytest.mark.parametrize("name", ["engineer", "researcher"])
def test_a_tutorial_does_what_it_says(name):
    tell(DOCS / "tutorials" / f"{name}.md", {})


def refuse_what_asv_would(words):
    """asv's own parser reads them."""
    pytest.importorskip("asv", reason="asv is not installed; pip install 'normbench[bench]'")
    from asv.commands import make_argparser

    make_argparser()[0].parse_args(words)


def refuse_what_the_gate_would(words):
    """Its command line reads them; tests/ci runs what it does with what was measured."""
    from ci.gate.__main__ import main as gate

    assert gate.make_context("gate", list(words)).params["base"] == "main"


def refuse_other_options(known):
    def read(words):
        assert words == known

    return read


TOO_LONG = {
    "asv": refuse_what_asv_would,
    "ci/performance.sh": refuse_what_the_gate_would,
    "python -m pytest": refuse_other_options(["-m", "quick"]),
    "python -m ci.results": refuse_other_options(["--check"]),  # tests/ci/test_results.py makes the boards
    "normbench validate": refuse_other_options([]),
}


def test_the_maintainers_tutorial_does_what_it_says(folder):
    (folder / "results").symlink_to(ROOT / "results")
    tell(DOCS / "tutorials" / "maintainer.md", TOO_LONG)


def test_a_command_that_would_be_refused_is_noticed():
    with pytest.raises(SystemExit):
        refuse_what_asv_would(["run", "--no-such-option"])
    with pytest.raises(click.UsageError):
        refuse_what_the_gate_would(["main"])


def test_every_tutorial_is_run():
    run = {"engineer", "researcher", "maintainer"}
    assert {path.stem for path in (DOCS / "tutorials").glob("*.md")} == run
