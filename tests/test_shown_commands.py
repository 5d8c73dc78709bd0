"""Every command that a page or a help text names is one that its program would take.

Nothing is run: tests/test_docs.py, tests/test_clusters.py and tests/site run pages, and look at what they print.
"""

import shutil
import sys
from collections import Counter
from functools import cache

import click
import pytest

from ci.site.sources import written
from normbench.cli import main
from tests.pages import ROOT
from tests.shown_commands import Command, commands, in_helps, in_messages, options_in, options_of_ours, refuse, start

BESIDE_THE_SITE = "submissions/README.md", ".github/pull_request_template.md"
OPTIONS_OF_OTHERS = {  # asv, the gate, SLURM, dask, pip, and the build of the site
    *("--dry-run", "--interleave-rounds", "--bench", "--rounds", "--cpus-per-task", "--nthreads", "--tls-ca-file"),
    *("--pre", "--only", "--links", "--check"),
}
ON_THE_SITE = {path.relative_to(ROOT).as_posix() for path in written(ROOT)}
PAGES = sorted(ON_THE_SITE | {name for name in BESIDE_THE_SITE if (ROOT / name).exists()})  # an sdist lacks some

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash, which reads the commands")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def shown() -> list[Command]:
    return commands({page: text_of(page) for page in PAGES})


def refused(found: list[Command], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each that is refused, with the reason."""
    said = []
    for command in found:
        try:
            with monkeypatch.context() as patch:
                refuse(command, patch)
        except (AssertionError, click.ClickException, SystemExit, pytest.fail.Exception) as reason:
            said.append(f"{' '.join(command.words)}: {reason}")
    return said


@pytest.mark.parametrize("page", PAGES)
def test_no_command_of_a_page_is_refused(page, monkeypatch):
    assert refused([command for command in shown() if command.page == page], monkeypatch) == []


def test_the_page_of_the_commands_has_every_command():
    said = {command.words[1] for command in shown() if command.page == "docs/commands.md" and command.words[1:]}
    assert set(main.list_commands(main.make_context("normbench", [], resilient_parsing=True))) - said == set()


def test_no_example_of_a_help_text_is_refused(monkeypatch):
    found = in_helps()
    assert len(found) > 30
    assert refused(found, monkeypatch) == []


def test_no_command_that_a_message_names_is_refused(monkeypatch):
    found = in_messages()
    assert {command.words[:3] for command in found} > {("normbench", "run", "--data"), ("normbench", "run", "--shard")}
    assert refused(found, monkeypatch) == []


@pytest.mark.parametrize("page", PAGES)
def test_no_option_of_a_sentence_is_unknown(page):
    assert options_in(text_of(page)) - options_of_ours() <= OPTIONS_OF_OTHERS


def test_every_history_is_of_a_machine_that_was_measured():
    """It refuses benchmarks of several machines at once, and the published ones are."""
    measured = {path.parent.name for path in ROOT.glob("results/asv/*/machine.json")}
    histories = [command.words for command in (*shown(), *in_helps()) if command.words[1:2] == ("history",)]
    drawn = [words for words in histories if words[2:]]
    assert len(measured) > 1
    assert len(drawn) > 4
    assert [words for words in drawn if not measured & set(words)] == []


@pytest.mark.parametrize(("module", "words"), [("scaling", []), ("certificates", ["--figure"])])
def test_what_draws_is_asked_for_before_minutes_are_measured(module, words, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "seaborn", None)
    with pytest.raises(SystemExit, match=r"the figure needs seaborn.*\[bench\]"):
        start(f"benchmarks.{module}", [*words, str(tmp_path / "figure.svg")], monkeypatch)
    assert list(tmp_path.iterdir()) == []


def test_commands_are_found_wherever_a_page_has_them():
    page = """
Say `normbench run
--quick`, or:

    at="--lipschitz 5"
    for seed in 1 2; do
      .venv/bin/normbench run $at --seeds $seed \\
          --optimiser adam    # a word
    done

```bash
python3 -m venv .venv && .venv/bin/pip install ".[torch]"
OMP_NUM_THREADS=1 asv run --bench "$(cat benchmarks/gate.regex)" 'HEAD^!'
```

```
$ ci/performance.sh main HEAD > out
no command
```

    normbench/      a folder
"""
    assert [(" ".join(command.words), command.whole) for command in commands({"page": page})] == [
        ("python3 -m venv .venv", True),
        ("pip install .[torch]", True),
        ("asv run --bench WORD HEAD^!", True),
        ("ci/performance.sh main HEAD", True),
        ("normbench run --lipschitz 5 --seeds 1 --optimiser adam", True),
        ("normbench run --lipschitz 5 --seeds 2 --optimiser adam", True),
        ("normbench run --quick", False),
    ]
    assert Counter(command.words[0] for command in shown())["normbench"] > 200


@pytest.mark.parametrize(
    "line",
    [
        "normbench train",
        "normbench records tidy FILE",
        "normbench run --optimizer adam",
        "normbench run --optimiser adamm",
        "normbench run --lipschitz",
        "normbench run --lipschitz -5",
        "normbench compare OLD",
        "normbench reproduce figure99",
        "normbench export net.npz more.npz",
        "python -m ci.nothing",
        "python -m ci.site --with report",
        "python -m ci.rekey FILE --why TEXT",
        "pip install .[tourch]",
        "pip install -c constraint.txt .",
        "asv run --fast",
        "ci/performance.py main HEAD",
        "pytest tests/nowhere",
    ],
)
def test_a_command_that_would_be_refused_is_noticed(line, monkeypatch):
    if line.startswith("asv"):
        pytest.importorskip("asv", reason="asv is not installed; pip install 'normbench[bench]'")
    assert len(refused([Command("page", tuple(line.split()))], monkeypatch)) == 1
