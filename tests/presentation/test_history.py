"""normbench history reads what asv writes, in the order of the commits, and marks the steps."""

import importlib
import json
import math
import subprocess

import pandas as pd
import pytest
from click.testing import CliRunner

from normbench.cli import main
from normbench.errors import InvalidArgumentError
from tests.ci.asv_results import benchmark, write

TIME = benchmark("iteration.time_iteration", [["method1"], ["torch", "jax"]])
RMS = benchmark("quality.track_train_rms", unit="N", kind="track")
COMMITS = [f"{k:08x}" + "0" * 32 for k in range(0xA0, 0xB4)]
SLOWER_FROM = 12


@pytest.fixture(scope="module")
def module():
    """What is tested, with the libraries that draw: only a process that runs these tests loads them."""
    return importlib.import_module("normbench.presentation.history")


def samples(middle):
    return [middle * (1 + 0.01 * (k - 3)) for k in range(7)]


@pytest.fixture
def results(tmp_path):
    torch = [8e-3 * (1.3 if k >= SLOWER_FROM else 1) * (1 + 0.004 * (k % 3)) for k in range(len(COMMITS))]
    measured = {
        commit: {TIME["name"]: [samples(torch[k]), samples(4e-3)], RMS["name"]: [0.838]}
        for k, commit in enumerate(COMMITS)
    }
    measured[COMMITS[0]][TIME["name"]] = [samples(torch[0]), math.nan]
    measured[COMMITS[1]][TIME["name"]] = [None, samples(4e-3)]
    write(tmp_path / "asv", [TIME, RMS], measured)
    return tmp_path / "asv"


def test_every_number_is_read_and_what_failed_or_was_skipped_is_left_out(results, module):
    history = module.load_history(results)
    assert len(history) == 3 * len(COMMITS) - 2
    one = history[(history["commit"] == COMMITS[5][:8]) & (history["parameters"] == "method1, jax")].iloc[0]
    assert (one["value"], one["unit"], one["benchmark"]) == (4e-3, "seconds", TIME["name"])
    assert one["low"] < 4e-3 < one["high"]


def test_of_what_two_environments_measured_the_newest_counts(results, module):
    """Whatever the order of the files."""
    file = next(path for path in results.rglob(f"{COMMITS[7][:8]}*.json"))
    written = json.loads(file.read_text())
    for name, (value, started) in {"a": (0.9, 9 * 10**12), "z": (0.7, 8 * 10**12)}.items():
        values = dict(zip(written["result_columns"], written["results"][RMS["name"]], strict=False))
        changed = values | {"result": [value], "started_at": started}
        result = [changed.get(column) for column in written["result_columns"]]
        again = written | {"env_name": name, "results": {RMS["name"]: result}}
        file.with_name(f"{COMMITS[7][:8]}-{name}.json").write_text(json.dumps(again))
    history = module.load_history(results)
    found = history[(history["commit"] == COMMITS[7][:8]) & (history["benchmark"] == RMS["name"])]
    assert found["value"].tolist() == [0.9]
    assert len(history) == 3 * len(COMMITS) - 2


def test_the_planted_step_is_found_at_its_commit_and_no_other(results, module):
    (step,) = module.find_steps(module.load_history(results), threshold=0.1)
    assert (step.commit, step.parameters) == (COMMITS[SLOWER_FROM][:8], "method1, torch")
    assert step.ratio == pytest.approx(1.3, rel=0.01)


def test_commits_are_in_the_order_of_the_clone_where_their_dates_are_equal(tmp_path, module):
    clone = tmp_path / "clone"

    def git(*arguments):
        identity = ("-c", "user.name=n", "-c", "user.email=n@example.invalid")
        done = subprocess.run(["git", *identity, "-C", clone, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    clone.mkdir()
    git("init", "--quiet")
    commits = []
    for k in range(4):
        git("commit", "--quiet", "--allow-empty", "--message", str(k))
        commits.append(git("rev-parse", "HEAD"))
    write(tmp_path / "asv", [RMS], {commit: {RMS["name"]: [0.8]} for commit in reversed(commits)})
    assert module.load_history(tmp_path / "asv", clone)["commit"].tolist() == [commit[:8] for commit in commits]


def test_two_machines_are_not_mixed(results, module):
    write(results, [TIME, RMS], {COMMITS[0]: {RMS["name"]: [0.9]}}, machine="server")
    history = module.load_history(results)
    with pytest.raises(InvalidArgumentError, match=r"several machines.*--machine.*laptop.*server"):
        module.select(history, ["track"])
    assert module.select(history, ["track"], "server")["value"].tolist() == [0.9]
    with pytest.raises(InvalidArgumentError, match="no results of --machine desk; there are those of laptop, server"):
        module.select(history, ["track"], "desk")


def test_the_figure_has_a_panel_for_each_benchmark_and_a_mark_for_each_step(results, module):
    history = module.load_history(results)
    figure = module.plot_history(history, module.find_steps(history, threshold=0.1))
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert sorted(titles) == [TIME["name"], RMS["name"]]
    (timed,) = (panel for panel in figure.axes if panel.get_title(loc="left") == TIME["name"])
    (mark,) = timed.texts
    assert mark.get_text() == "×1.30"
    assert mark.xy[0] == SLOWER_FROM


def test_the_command_lists_and_draws(results, tmp_path):
    listed = CliRunner().invoke(main, ["history", "--results", str(results)])
    assert listed.output.split("\n")[0] == "iteration.time_iteration(method1, jax)"
    figure = tmp_path / "torch.svg"
    drawn = CliRunner().invoke(main, ["history", "torch", "--results", str(results), "--output", str(figure)])
    assert drawn.exit_code == 0, drawn.output
    assert "1.30" in drawn.output
    assert figure.read_text().startswith("<?xml")
    assert set(pd.read_csv(figure.with_suffix(".csv"))["parameters"]) == {"method1, torch"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--results", "nowhere"], "nowhere holds no asv results"),
        (["no_such_benchmark"], "no benchmark matches"),
        (["("], "is not a regular expression"),
        (["torch", "--output", "figure.xyz"], "xyz"),
    ],
)
def test_bad_calls_say_what_to_do(results, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = arguments if "--results" in arguments else [*arguments, "--results", str(results)]
    outcome = CliRunner().invoke(main, ["history", *given])
    assert outcome.exit_code == 2
    assert message in outcome.output
