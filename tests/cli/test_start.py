"""What a command loads before it does anything, and what its help says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from normbench.cli import _COMMANDS, main
from normbench.presentation.libraries import drawing_libraries
from tests.cli.calls import COMMAND, call

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
ONE_AFTER_ANOTHER = """
import contextlib, io, json, sys
import normbench
found = [sorted(sys.modules)]
from normbench.cli import main
for arguments in sys.argv[1:]:
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main(arguments.split())
    found.append(sorted(sys.modules))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def loaded():
    """What a process has loaded after the import and after each of the commands that follow it."""
    commands = list(UNWANTED)[1:]
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_ANOTHER, *commands], capture_output=True, text=True, check=True
    )
    return dict(zip(UNWANTED, map(set, json.loads(done.stdout)), strict=True))


@pytest.mark.parametrize("what", UNWANTED)
def test_nothing_heavy_is_imported_before_it_is_needed(what, loaded):
    assert f"normbench{'' if what == 'normbench' else '.cli'}" in loaded[what]
    assert UNWANTED[what] & loaded[what] == set()


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


NO_BACKENDS = ["module://no_such_library", "nonsense"]


def test_figures_are_drawn_whatever_matplotlib_is_told(tmp_path):
    pytest.importorskip("asv")
    measured = Path(__file__).parents[2] / "results" / "asv"
    environment = os.environ | {"MPLBACKEND": NO_BACKENDS[0]}
    figure = tmp_path / "h.svg"
    command = [*COMMAND, "history", "track_train_rms", "--results", str(measured), "--output", str(figure)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert figure.is_file()
    assert figure.with_suffix(".csv").is_file()


@pytest.mark.parametrize("told", [*NO_BACKENDS, None])
def test_matplotlib_is_imported_for_files_and_what_it_was_told_is_kept(told, monkeypatch):
    if told is None:
        monkeypatch.delenv("MPLBACKEND", raising=False)
    else:
        monkeypatch.setenv("MPLBACKEND", told)
    with drawing_libraries():
        assert os.environ["MPLBACKEND"] == "agg"
    assert os.environ.get("MPLBACKEND") == told
