"""``--quick`` is a small board at a bound through the same engine and store; it says what it is worth."""

import json
import shlex
from dataclasses import replace

import pytest

from normbench import backends
from normbench.cli import quick
from normbench.cli.run_options import one_call
from normbench.records.store import Store
from tests.cli.calls import call
from tests.cli.test_campaign_file import samples_of
from tests.this_process import in_this_process  # noqa: F401


@pytest.mark.usefixtures("in_this_process")
def test_a_first_board_is_at_its_bound_and_says_what_it_is_worth(tmp_path):
    """A sixth of it, which is one run: that all of it takes seconds is for ci/package.py."""
    shown = call("run", "--quick", "--shard", "6/6", "--out", tmp_path)
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.startswith("digits (real data)")
    assert "L = 10" in shown.stdout.splitlines()[0]
    assert "quick look: 2 seeds, 50 iterations, nothing searched" in shown.stderr
    (made,), problems = Store.within(tmp_path).load_all()
    assert not problems
    assert made.outcome.status == "done"
    assert made.outcome.proven_bound <= 10
    # the command that it names asks for the same runs, of which one is there
    (same,) = [line for line in shown.stderr.splitlines() if line.startswith("The same: ")]
    words = shlex.split(same.removeprefix("The same: normbench run "))
    named, quick_ = [
        json.loads(call("status", *given, "--format", "json").stdout)["tasks"]["digits"]
        for given in (words, ["--quick", "--out", tmp_path])
    ]
    assert named == quick_
    assert (named["done"], named["missing"]) == (1, 5)


@pytest.mark.usefixtures("in_this_process")
def test_it_has_a_folder_of_its_own(tmp_path, monkeypatch):
    """In that of a full board its two seeds would be the only ones that all rows share."""
    monkeypatch.chdir(tmp_path)
    shown = call("run", "--quick", "--shard", "6/6")
    assert shown.exit_code == 0, shown.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["normbench-quick"]
    assert "--out normbench-quick\n" in shown.stderr
    known = json.loads(call("status", "--quick", "--format", "json").stdout)["tasks"]["digits"]
    assert known["done"] == 1


def test_one_process_makes_it_unless_more_are_asked_for():
    assert quick.in_one_process({"jobs": None, "out": "x"}) == {"jobs": 1, "out": "x"}
    assert quick.in_one_process({"jobs": 3}) == {"jobs": 3}
    assert quick.in_one_process({"format_": "table"}) == {"format_": "table"}  # a command that makes no runs


@pytest.mark.parametrize("option", [option for option in one_call.params if option.opts[0] != "--data"])
@pytest.mark.parametrize("command", ["run", "status"])
def test_what_else_says_what_is_run_is_refused_with_the_remedy(option, command, tmp_path):
    name = option.opts[0]
    word = samples_of(option)[0][1]
    refused = call(command, "--quick", name, *([] if word is None else [word]), "--out", tmp_path / "out")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"Error: {name} beside --quick: it says what is run. Leave it out, or the rest." in refused.stderr
    assert not (tmp_path / "out").exists()


def test_all_that_is_too_much_is_one_error(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[[runs]]\n")
    refused = call("run", file, "--quick", "--seeds", "3", "--task", "digits")
    assert refused.exit_code == 2
    assert f"Error: {file}, --task, --seeds beside --quick" in refused.stderr


def test_it_runs_on_the_first_backend_that_is_installed(monkeypatch):
    torch, jax, _ = every = backends.every()
    assert quick.quick_runs().backends == ("torch",)
    monkeypatch.setattr(backends, "every", lambda: (replace(torch, libraries=("nobody_has",)), *every[1:]))
    assert quick.quick_runs().backends == (jax.name,)
    monkeypatch.setattr(backends, "every", lambda: (replace(torch, libraries=("nobody_has",)),))
    refused = call("run", "--quick")
    assert refused.exit_code == 2
    assert "no backend can be used. Install one" in refused.stderr
