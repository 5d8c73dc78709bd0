"""Data-parallel training in two processes takes the steps of one process that sees all samples."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("data_parallel.py")
KEYS = ("method1", "method1-forward", "method2", "agd", "fromage", "lars")


@pytest.fixture(scope="module")
def deviations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    command = [sys.executable, str(SCRIPT), str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-12)])
@pytest.mark.parametrize("key", KEYS)
def test_two_processes_take_the_steps_of_one(deviations, key, dtype, tolerance):
    assert deviations[f"{key}-{dtype}"] <= tolerance
