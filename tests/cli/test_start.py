"""What a command loads before it does anything, and what its help says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import normbench
from normbench.cli import _COMMANDS, main
from normbench.presentation.libraries import drawing_libraries
from tests.cli.calls import call
from tests.test_layers import MODULES, OWNERS, layer

HEAVY = {"pandas", "scipy", "sklearn", "matplotlib", "pyarrow", "pooch", "requests", "torch", "jax"}
UNWANTED = {  # in the order in which they may load more
    "normbench": HEAVY | {"numpy", "importlib.metadata"},
    "--help": HEAVY | {"numpy", "rich", "importlib.metadata"},
    "leaderboard --help": HEAVY | {"numpy"},
    "run --help": HEAVY | {"rich"},
    "data --help": HEAVY,
    "list optimisers": HEAVY,
    "list tasks": HEAVY,
}
A_RUN = """
from normbench.campaigns.job import RunJob
from normbench.records.record import UNTUNED
from normbench.running.request import Asked
small = {"dtype": "float64", "seed": 0, "iterations": 1, "layers": (64, 4, 10)}
asked = Asked(task="digits", optimiser="agd", backend="reference", **small)
assert RunJob(asked.resolved(), None, UNTUNED, jobs=1, threads=1)().record.outcome.status == "done"
"""
NO_BACKENDS = ["module://no_such_library", "nonsense"]
MEASURED = Path(__file__).parents[2] / "results" / "asv"
ONE_MACHINE = ["--results", str(MEASURED), "--machine", "epyc-2-cores"]
OUTSIDE_THE_BACKENDS = [
    module for module in MODULES if layer(module) not in {"torch", "jax"} and "__main__" not in module
]
LATER = {  # whatever they load, it is no array library
    "status": "assert main('status --optimiser adam --seeds 1'.split(), standalone_mode=False) == 1",
    "training": "import normbench.running.run",
    "figures": f"main({['history', 'track_train_rms', *ONE_MACHINE, '--output', 'h.svg']!r})",
    "every-module-outside-the-backends": f"for module in {OUTSIDE_THE_BACKENDS!r}: importlib.import_module(module)",
    "planted": "import jaxlib",
}
ONE_AFTER_ANOTHER = """
import contextlib, importlib, io, json, sys
steps, found = json.loads(sys.argv[1]), {}
for name, step in steps.items():
    code = 0
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            exec(step)
        except SystemExit as end:
            code = end.code or 0
        except Exception as error:
            code = repr(error)
    found[name] = [code, sorted(sys.modules)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("start")


@pytest.fixture(scope="module")
def loaded(folder):
    """What a process has loaded after the import and after each of the steps that follow it.

    It draws in the folder, and matplotlib is told there to draw with a library that nobody has.
    """
    commands = {command: f"main({command.split()!r})" for command in list(UNWANTED)[1:]}
    steps = {"normbench": "import normbench", "cli": "from normbench.cli import main", **commands}
    steps |= {"run": A_RUN, **LATER}
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_ANOTHER, json.dumps(steps)],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=os.environ | {"MPLBACKEND": NO_BACKENDS[0], "PYTHONPATH": str(Path(normbench.__file__).parents[1])},
    )
    return {name: set(modules) | {f"ended with {code}"} for name, (code, modules) in json.loads(done.stdout).items()}


@pytest.mark.parametrize("what", UNWANTED)
def test_nothing_heavy_is_imported_before_it_is_needed(what, loaded):
    assert f"normbench{'' if what == 'normbench' else '.cli'}" in loaded[what]
    assert "ended with 0" in loaded[what]
    assert (UNWANTED[what] | OWNERS.keys()) & loaded[what] == set()


def test_a_run_loads_what_it_uses(loaded):
    """The digits are in scikit-learn's folder, and a second or two is what each of these takes in every worker."""
    assert "ended with 0" in loaded["run"]
    assert {"numpy", "scipy.special"} - loaded["run"] == set()
    unused = {"sklearn", "scipy.stats", "scipy.optimize", "pandas", "pyarrow", "matplotlib"}
    assert unused & loaded["run"] == set()


@pytest.mark.parametrize("what", list(LATER)[:-1])
def test_no_array_library_is_loaded_before_a_backend_is_asked_for(what, loaded):
    if what == "figures":
        pytest.importorskip("asv")  # which reads what is drawn
    assert "ended with 0" in loaded[what]
    assert OWNERS.keys() & loaded[what] == set()


def test_the_probe_sees_a_library_that_is_loaded(loaded):
    assert OWNERS.keys() & loaded["planted"] == {"jaxlib"}


def test_figures_are_drawn_whatever_matplotlib_is_told(loaded, folder):
    pytest.importorskip("asv")
    assert "matplotlib" not in loaded["training"]
    assert "matplotlib" in loaded["figures"]
    assert (folder / "h.svg").is_file()
    assert (folder / "h.csv").is_file()


@pytest.mark.parametrize(
    ("backend", "unwanted"),
    [
        ("torch", HEAVY - {"torch"} | {"torch._dynamo"}),
        ("jax", {"pandas", "sklearn", "matplotlib", "pyarrow", "pooch", "torch"}),
    ],
)
def test_a_backend_loads_neither_the_other_nor_what_draws_or_downloads(backend, unwanted):
    pytest.importorskip(backend)
    code = f"import sys, normbench.{backend}; print(sorted({unwanted} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_every_command():
    overview = call("--help").output
    for command in ("run", "validate", "list", "data", "reproduce", "leaderboard", "compare"):
        assert command in overview
        assert call(command, "--help").exit_code == 0


def test_the_overview_says_of_every_command_what_its_own_help_says():
    for name, (_, about) in _COMMANDS.items():
        command = main.get_command(None, name)
        assert command.get_short_help_str(limit=200) == about


@pytest.mark.parametrize("told", [*NO_BACKENDS, None])
def test_matplotlib_is_imported_for_files_and_what_it_was_told_is_kept(told, monkeypatch):
    if told is None:
        monkeypatch.delenv("MPLBACKEND", raising=False)
    else:
        monkeypatch.setenv("MPLBACKEND", told)
    with drawing_libraries():
        assert os.environ["MPLBACKEND"] == "agg"
    assert os.environ.get("MPLBACKEND") == told
