"""Workflows run what is there: actions pinned by commit, scripts that exist, no right that no job asks for."""

import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = {path.name: path for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
WRITES = {
    "contents",
    "id-token",
    "attestations",
    "pages",
}  # each in a job of its own purpose, and nothing else anywhere


def jobs(name):
    return yaml.safe_load(WORKFLOWS[name].read_text(encoding="utf-8"))["jobs"]


def steps(name):
    return [step for job in jobs(name).values() for step in job.get("steps", [])]


def missing(command):
    """Scripts, tests and modules of this repository that a command calls and that are not there."""
    scripts = [path for path in re.findall(r"(?<![\w./-])(?:ci|tests)/[\w./-]+", command) if not (ROOT / path).exists()]
    modules = re.findall(r"-m (ci\.[\w.]+)", command)
    return scripts + [module for module in modules if find_spec(module) is None]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(name):
    used = [step["uses"] for step in steps(name) if "uses" in step]
    assert used
    for action in used:
        assert PINNED.fullmatch(action), action
    text = WORKFLOWS[name].read_text(encoding="utf-8")
    assert len(re.findall(r"uses: \S+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", text, flags=re.MULTILINE)) == len(used)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_script_exists(name):
    commands = [step["run"] for step in steps(name) if "run" in step]
    assert not [lost for command in commands for lost in missing(command)]


@pytest.mark.parametrize(
    "script", sorted([*(ROOT / "ci").glob("*.sh"), ROOT / ".ci" / "run"]), ids=lambda path: path.name
)
def test_every_script_calls_what_is_there(script):
    called = [line for line in script.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    assert missing("\n".join(called)) == []


def test_hooks_before_a_commit_call_what_is_there():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    entries = [hook["entry"] for hook in hooks]
    assert [lost for entry in entries for lost in missing(entry)] == []
    assert any("tests/" in entry for entry in entries)


def test_a_script_that_does_not_exist_is_found():
    command = "ci/no_such.sh board && python -m ci.no_such && python -m ci.results && pytest tests/ci tests/no_such.py"
    assert missing(command) == ["ci/no_such.sh", "tests/no_such.py", "ci.no_such"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_job_has_a_right_that_it_does_not_name(name):
    whole = yaml.safe_load(WORKFLOWS[name].read_text(encoding="utf-8"))
    assert whole["permissions"] in ({}, {"contents": "read"})
    for job, said in whole["jobs"].items():
        given = {right for right, level in said.get("permissions", {}).items() if level == "write"}
        assert given <= WRITES, job
        assert "timeout-minutes" in said or "uses" in said, job  # another workflow says its own


def test_only_the_jobs_that_prove_who_they_are_may():
    held = {job for job, said in jobs("release.yml").items() if said["permissions"].get("id-token") == "write"}
    assert held == {"attest", "publish", "pages"}
    assert jobs("release.yml")["publish"]["environment"] == "pypi"


def test_the_pythons_that_are_promised_are_those_that_are_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = re.findall(r"Programming Language :: Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert jobs("ci.yml")["tests"]["strategy"]["matrix"]["python"] == promised
    assert project["requires-python"] == f">={promised[0]}"
