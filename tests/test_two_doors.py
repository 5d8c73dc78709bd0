"""``normbench run`` and ``normbench.run``: what one takes the other takes, and both ask for the same."""

import dataclasses
import inspect
from pathlib import Path

import click
import pytest

from normbench import calls
from normbench.api import run
from normbench.cli.asked_runs import asked_runs
from normbench.cli.run import command
from normbench.cli.run_options import one_call
from normbench.cli.workers import given_workers
from normbench.errors import InvalidArgumentError
from normbench.running.request import axes
from tests.cli.calls import call
from tests.this_process import in_this_process  # noqa: F401

RENAMED = {"task": "tasks", "optimiser": "optimisers", "backend": "backends", "set": "hyperparameters", "grid": "grids"}
OF_THE_COMMAND = {"campaign", "format"}  # a path in the place of tasks; what is returned is a table
OF_PYTHON = {"progress"}  # how the command shows it depends on its terminal
OPTIONS = {option.opts[0].removeprefix("--").replace("-", "_"): option for option in command.params}
NAMES = {RENAMED.get(name, name): option for name, option in OPTIONS.items() if name not in OF_THE_COMMAND}
OF_AXES = {axis.name: axis for axis in axes() if axis.help}

ROWS = "v,q,f,g,c\n" + "".join(f"{n},{n % 7 + 1},{n * 3 % 5},{n % 3},{n % 2}\n" for n in range(1, 60))
TABLE = {"data": "a.csv", "inputs": "v", "outputs": "f"}
WORDS = ("--data", "a.csv", "--inputs", "v", "--outputs", "f")
BOTH_TABLES = ("--data", "a.csv", "--data", "b.csv")
PLUG_IN = "torch.optim:NAdam"
# of each argument that says what is run, words of the command and what the call has for them
SAID = {
    "tasks": (["--task", "digits", "--task", "quadrotor-sim"], {"tasks": ["digits", "quadrotor-sim"]}),
    "data": ([*BOTH_TABLES, *WORDS[2:]], TABLE | {"data": ["a.csv", Path("b.csv")]}),
    "inputs": ([*BOTH_TABLES, "--inputs", "v,q", "--inputs", "q", *WORDS[4:]], None),
    "outputs": ([*WORDS[:4], "--outputs", "q,f"], TABLE | {"outputs": ("q", "f")}),
    "group": ([*WORDS, "--group", "g"], TABLE | {"group": "g"}),
    "time": ([*WORDS, "--time", "q"], TABLE | {"time": ["q"]}),
    "unit": ([*WORDS, "--unit", "N"], TABLE | {"unit": "N"}),
    "classes": ([*WORDS[:4], "--outputs", "c", "--classes"], TABLE | {"outputs": "c", "classes": True}),
    "scale_inputs": ([*WORDS, "--scale-inputs"], TABLE | {"scale_inputs": True}),
    "optimisers": (["--optimiser", "adam", "--optimiser", PLUG_IN], {"optimisers": ["adam", PLUG_IN]}),
    "backends": (["--backend", "torch"], {"backends": "torch"}),
    "seeds": (["--seeds", "10..19"], {"seeds": range(10, 20)}),
    "lipschitz": (["--lipschitz", "5", "--lipschitz", "0.5"], {"lipschitz": [5, 0.5]}),
    "output_scale": (["--output-scale", "2"], {"output_scale": 2}),
    "layers": (["--layers", "12,4,3"], {"layers": [12, 4, 3]}),
    "width": (["--width", "4", "--depth", "2"], {"width": 4, "depth": 2}),
    "depth": (["--width", "4", "--depth", "3"], {"width": 4, "depth": 3}),
    "hyperparameters": (
        ["--set", "adam.beta1=0.8", "--set", "learning_rate=0.1"],
        {"hyperparameters": {"adam": {"beta1": 0.8}, "learning_rate": 0.1}},
    ),
    "tune": (["--tune", "two"], {"tune": "two"}),
    "tuning_budget": (["--tuning-budget", "9"], {"tuning_budget": 9}),
    "grids": (["--grid", f"{PLUG_IN}.lr=0.1,0.2"], {"grids": {PLUG_IN: {"lr": [0.1, 0.2]}}}),
    "choose_bound": (["--choose-bound"], {"choose_bound": True}),
    "quick": (["--quick"], {"quick": True}),
}
SAID["inputs"] = SAID["inputs"][0], TABLE | {"data": ("a.csv", "b.csv"), "inputs": [["v", "q"], ["q"]]}
for _name, _axis in OF_AXES.items():
    _value = _axis.choices[-1] if _axis.choices else 7
    SAID[_name] = [_axis.option, str(_value)], {_name: _value}
# likewise of those that say where it is made
MADE = {
    "jobs": (["--jobs", "3"], {"jobs": 3}),
    "scheduler": (["--scheduler", "tcp://here:1"], {"scheduler": "tcp://here:1"}),
    "cluster": (["--cluster", "a.csv"], {"cluster": "a.csv"}),
    "time_limit": (["--time-limit", "0.5"], {"time_limit": 0.5}),
    "memory_limit": (["--memory-limit", "4GiB"], {"memory_limit": "4GiB"}),
    "runs_per_gpu": (["--runs-per-gpu", "2"], {"runs_per_gpu": 2}),
    "dashboard": (["--dashboard"], {"dashboard": True}),
}
ELSEWHERE = {"shard", "data_dir", "out", "keep_networks"}  # handed on as they are


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("NORMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv"):
        Path(name).write_text(ROWS)
    return tmp_path


def test_both_take_the_same():
    assert set(NAMES) | OF_PYTHON == set(inspect.signature(run).parameters)
    assert set(NAMES) == set(SAID) | set(MADE) | ELSEWHERE


def asked_in_python(arguments):
    defaults = {name: made.default for name, made in inspect.signature(run).parameters.items()}
    said = {name: (arguments | {"of_a_run": {}}).get(name, defaults.get(name)) for name in calls.OF_RUNS}
    said["of_a_run"] = {name: value for name, value in arguments.items() if name in OF_AXES}
    assert arguments.keys() <= {*said, *OF_AXES}
    (part,) = calls.parts(said, {}, lambda text: None, Path("out"))
    return part.wanted


@click.command()
@asked_runs
def asked(asked, **others):
    return asked.parts[0].wanted


def plain(wanted):
    """Its fields, without what is as usual anyway and how the rest is held."""
    found = {name: value for name, value in vars(wanted).items() if name != "axes"}
    found = {name: tuple(value) if isinstance(value, list | range) else value for name, value in found.items()}
    said = {name: value for name, value in wanted.axes.items() if value is not None}
    return found | {name: value for name, value in said.items() if value != OF_AXES[name].default}


@pytest.mark.parametrize("name", SAID)
def test_both_ask_for_the_same_runs(name, here):
    words, arguments = SAID[name]
    assert name in arguments
    found = plain(asked.main(words, standalone_mode=False))
    assert found == plain(asked_in_python(arguments))
    assert found != plain(asked_in_python({}))


def test_what_is_left_out_is_the_same_in_both():
    assert plain(one_call.main([], standalone_mode=False)) == plain(asked_in_python({}))


@click.command()
@given_workers
def made(workers):
    return workers


@pytest.mark.parametrize("name", MADE)
def test_both_make_them_in_the_same_place(name, here):
    pytest.importorskip("bokeh") if name == "dashboard" else None
    words, arguments = MADE[name]
    usual = {name: inspect.signature(run).parameters[name].default for name in MADE}
    found = made.main(words, standalone_mode=False)
    assert found == calls.workers(**usual | arguments)
    assert dataclasses.replace(found, jobs=99) != dataclasses.replace(calls.workers(**usual), jobs=98)
    assert found != calls.workers(**usual)


CAMPAIGN = """
[defaults]
task = "digits"
backend = "reference"
layers = "64,3,10"
iterations = 2
tune = "none"
[[runs]]
optimiser = "sgd"
seeds = 2
[[runs]]
optimiser = "adam"
seeds = "3..3"
"""


@pytest.mark.usefixtures("in_this_process")
def test_a_campaign_file_makes_the_same_records(here):
    Path("sub").mkdir()
    Path("sub/campaign.toml").write_text(CAMPAIGN)
    made = run("sub/campaign.toml", out="runs", progress=False, jobs=1)
    assert {*zip(made.optimiser, made.seed, strict=True)} == {("sgd", 0), ("sgd", 1), ("adam", 3)}
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.json")}
    assert call("run", "sub/campaign.toml", "--out", "runs").exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.json")} == before
    parts = [run(Path("sub/campaign.toml"), shard=f"{k}/2", out="runs", progress=False) for k in (1, 2)]
    assert sorted(record for part in parts for record in part.record) == sorted(made.record)


@pytest.mark.parametrize("name", SAID)
def test_beside_a_campaign_file_nothing_says_what_is_run(name, here):
    Path("c.toml").write_text(CAMPAIGN)
    arguments = SAID[name][1] if name != "tasks" else {}
    words = SAID[name][0]
    assert call("run", "c.toml", *words).exit_code == 2
    if arguments:
        with pytest.raises(InvalidArgumentError, match=rf"{name}.* beside c\.toml: the file says what is run"):
            run("c.toml", out=here, **arguments)


def test_beside_quick_nothing_says_what_is_run(here):
    with pytest.raises(InvalidArgumentError, match="lipschitz, iterations beside quick=True: it says what is run"):
        run(quick=True, lipschitz=3, iterations=4, out=here)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"tasks": "none.toml"}, "none.toml: it cannot be read: No such file"),
        ({"tasks": Path()}, "it cannot be read: Is a directory"),
        ({"tasks": Path("a.csv")}, "a.csv: it is no TOML"),
        ({"tasks": Path("shard.toml")}, r"shard is of the whole campaign.*normbench.run\(..., shard=...\)"),
        ({"quick": 1}, "quick must be True or False; got 1"),
        ({"inputs": "v"}, "columns are named, and no table. Name it, too, by data, with inputs and outputs"),
        ({"data": "a.csv"}, "^data='a.csv' needs inputs: the names of the columns"),
        ({**TABLE, "inputs": [3]}, "inputs are named by text; got 3"),
        ({**TABLE, "classes": 1}, "classes must be True or False; got 1"),
        ({**TABLE, "data": "none.csv"}, "none.csv"),
        ({"memory_limit": "4"}, "memory_limit: '4' is 4 B, in which no process starts"),
        ({"memory_limit": b"4"}, "memory_limit: b'4' is no number of bytes"),
        ({"time_limit": 0}, "time_limit must be positive and finite; got 0"),
        ({"runs_per_gpu": 0}, "runs_per_gpu must be an integer of at least 1; got 0"),
        ({"dashboard": "yes"}, "dashboard must be True or False"),
    ],
)
def test_what_is_wrong_in_python_is_one_clear_error(arguments, said, here):
    Path("shard.toml").write_text('[[runs]]\nshard = "1/2"\n')
    with pytest.raises(ValueError, match=said):
        run(**{"out": here / "runs"} | arguments)
    assert not list(here.rglob("runs/*.json"))
