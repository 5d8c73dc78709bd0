"""The gate refuses a wrong call before it measures anything, with the exit code of what could not be measured."""

import pytest
from click.testing import CliRunner

from ci.gate.__main__ import UNMEASURED, main

CALL = ("HEAD", "HEAD")  # one commit is refused, too, after the options


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing argument 'BASE'"),
        (("no-such-commit", "HEAD"), "'no-such-commit' is no commit of this repository"),
        (CALL, "are the same commit"),
        ((*CALL, "--rounds", "2"), "2 is not in the range x>=3"),
        ((*CALL, "--bench", "time_(iteration"), "'time_(iteration' is no regular expression"),
        ((*CALL, "--output", "no-such-folder/summary.md"), "there is no folder"),
        ((*CALL, "--output", "."), "is a directory"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_measured(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(main, arguments)
    assert ended.exit_code == UNMEASURED, ended.output
    assert said in " ".join(ended.stderr.split())


def test_an_empty_file_for_the_summary_may_be_there_or_not(tmp_path):
    (tmp_path / "there.md").touch()
    for name in ("there.md", "new.md"):
        ended = CliRunner().invoke(main, [*CALL, "--output", str(tmp_path / name)])
        assert "are the same commit" in ended.stderr
