"""docs/submissions.md shows files that are read and commands that are taken, and CI checks what it says, safely."""

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from itertools import product

import click
import pytest
import yaml

from ci.results import RESULTS
from ci.submission.__main__ import parser
from ci.submission.metadata import FILE, Submission, read
from ci.submission.rules import FILES
from ci.submission.terms import CHOSEN
from normbench.cli import main
from normbench.cli.campaign_file import parts_of
from normbench.running.request import axes
from tests.pages import ROOT

PAGE = (ROOT / "docs" / "submissions.md").read_text(encoding="utf-8")
METADATA, *CAMPAIGNS = re.findall(r"^```toml\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
COMMANDS = [
    line for block in re.findall(r"^```bash\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE) for line in block.splitlines()
]
WORKFLOW = (ROOT / ".github" / "workflows" / "submissions.yml").read_text(encoding="utf-8")
# names that git writes in quotation marks unless it is told not to, and one that pathspecs could take for more
ODD_NAMES = ('bad"one', "bad\\one", "bad\none", "bad\tone", "bad \u00f6ne", "bad*")


def test_the_metadata_of_the_page_is_metadata(tmp_path):
    (tmp_path / FILE).write_text(METADATA, encoding="utf-8")
    folder = tmp_path.rename(tmp_path.with_name("signum"))
    assert isinstance(read(folder), Submission)


def combinations(text):
    """What each table of a campaign asks for: task, split, seeds, iterations and bound, one of each."""
    campaign = tomllib.loads(text)
    for table in campaign["runs"]:
        asked = campaign.get("defaults", {}) | table
        lists = [asked.get(key, None) for key in ("task", "split", "seeds", "iterations", "lipschitz")]
        yield from product(*(each if isinstance(each, list) else [each] for each in lists))


@pytest.mark.parametrize(("campaign", "published"), [*zip(CAMPAIGNS, ("boards.toml", "frontiers.toml"), strict=True)])
def test_the_campaigns_of_the_page_ask_for_what_is_published(campaign, published):
    asked = {*combinations(campaign)}
    assert asked <= {*combinations((RESULTS / published).read_text(encoding="utf-8"))}
    assert len(asked) > 3
    assert {*tomllib.loads(campaign)["defaults"]} >= {"optimiser"}


def test_the_commands_of_the_page_are_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for campaign in CAMPAIGNS:
        name = re.match(r"# (\S+)\n", campaign)[1]
        (tmp_path / name).write_text(campaign.replace('"signum"', '"adam"'), encoding="utf-8")
        assert parts_of(tmp_path / name, {})
    taken = []
    for line in COMMANDS:
        program, *words = shlex.split(line)
        if program == "normbench":
            name, command = program, main
            while isinstance(command, click.Group):
                name, command, words = command.resolve_command(click.Context(command), words)
            command.make_context(name, words)  # raises where an option or a file is none
            taken.append(name)
        elif words[:2] == ["-m", "ci.submission"]:
            taken.append(parser().parse_args(words[2:]).folder.name)
    assert taken == ["signum", "run", "export", "run", "export", "signum"]
    written = {word.rpartition("/")[2] for line in COMMANDS if " export " in line for word in line.split()}
    assert written >= {*FILES}


def test_the_rules_of_the_page_are_those_of_the_check_and_what_may_be_chosen_are_fields():
    source = (ROOT / "ci" / "submission").glob("r*.py")
    rules = {name for path in source for name in re.findall(r'Verdict\(\s*"(\w+)"', path.read_text(encoding="utf-8"))}
    assert rules == {*re.findall(r"^\| (\w+) \|", PAGE, re.MULTILINE)} - {"rule"}
    assert {*CHOSEN} <= {axis.name for axis in axes()}


def test_the_workflow_gives_strangers_nothing():
    read = yaml.safe_load(WORKFLOW)
    assert read[True].keys() == {"pull_request"}  # "on" is a truth value in YAML 1.1
    assert read["permissions"] == {"contents": "read"}
    assert "secrets." not in WORKFLOW
    assert "cache" not in WORKFLOW.partition("\nname:")[2]
    steps = [step for job in read["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in used)
    checkouts = [step["with"] for step in steps if "checkout" in step.get("uses", "")]
    assert [each["persist-credentials"] for each in checkouts] == [False] * len(read["jobs"])
    assert not any("${{" in step.get("run", "") for step in steps)  # names of branches are no code
    assert [job for job, said in read["jobs"].items() if "--rerun" in str(said)] == ["rerun"]


@pytest.fixture
def branch(tmp_path):
    """A repository whose second commit a test makes, and a Python that says how it was called and fails for "bad"."""
    (tmp_path / "ci").mkdir()
    shutil.copy(ROOT / "ci" / "submissions.sh", tmp_path / "ci")
    (tmp_path / "ci" / "rules.py").write_text("a rule\n" * 20)
    python = tmp_path / "python"
    python.write_text('#!/bin/bash\necho "called $*"\n[[ "$*" != *bad* ]]\n')
    python.chmod(0o755)
    identity = {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = os.environ | identity | {"PYTHON": str(python), "GIT_CONFIG_GLOBAL": os.devnull}

    def run(*command):
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    def after(*files, moved=None):
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text("x")
        run("git", "add", *files)
        for old, new in (moved or {}).items():
            assert run("git", "mv", old, new).returncode == 0
        assert run("git", "commit", "-qm", "second").returncode == 0
        return lambda *options, base="HEAD~1": run("ci/submissions.sh", base, *options)

    run("git", "init", "-q")
    run("git", "add", "ci")
    assert run("git", "commit", "-qm", "first").returncode == 0
    return after


def test_every_changed_submission_is_checked_and_then_installed_and_run(branch):
    check = branch("submissions/a/x", "submissions/good one/deep/x", "results/leaderboard.md", "README.md")
    done = check()
    called = [line for line in done.stdout.splitlines() if line.startswith("called")]
    assert (done.returncode, called) == (
        0,
        ["called -m ci.submission submissions/a", "called -m ci.submission submissions/good one"],
    )
    assert "called -m ci.submission --install submissions/a\ncalled -m ci.submission --rerun submissions/a\n" in (
        check("--rerun").stdout
    )


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        (["submissions/bad/x", "submissions/good/x"], 1, "called -m ci.submission submissions/good"),
        (["submissions/a/x", "results/records.parquet"], 1, "changes nothing but its folder and the boards"),
        (["submissions/a/x", "ci/submission/rules.py"], 1, "elsewhere:\nci/submission/rules.py"),
        (["submissions/README.md", "ci/other.py"], 0, ""),
        *(([f"submissions/{name}/x"], 1, "submissions/") for name in ODD_NAMES),
        (["submissions/a/x", 'ci/"rules".py'], 1, "elsewhere:\n"),
    ],
)
def test_a_branch_with_a_bad_submission_or_changes_elsewhere_fails(branch, files, code, said):
    done = branch(*files)()
    assert done.returncode == code, done.stderr
    assert said in done.stdout


def test_what_is_moved_into_a_submission_is_gone_elsewhere(branch):
    done = branch("submissions/a/x", moved={"ci/rules.py": "submissions/a/rules.py"})()
    assert done.returncode == 1, done.stderr
    assert "elsewhere:\nci/rules.py\n" in done.stdout


@pytest.mark.parametrize("base", ["no-such-commit", "0" * 40])
def test_a_base_that_is_not_there_is_no_pass(branch, base):
    done = branch("submissions/a/x")(base=base)
    assert done.returncode != 0
    assert base in done.stderr
    assert not done.stdout
