"""The published board is what its records make, and an edited figure does not pass."""

import subprocess
import sys
from dataclasses import replace

import pytest

from ci.results import RESULTS, differences, rebuilt
from normbench.records.frame import read_file, write_file


def test_the_published_board_is_what_its_records_make():
    assert differences(RESULTS) == {}


@pytest.fixture
def folder(tmp_path):
    """A small part of the published records with its board."""
    runs = [run for run in read_file(RESULTS / "records.parquet") if run.optimiser in ("fromage", "adam")]
    write_file(runs, tmp_path / "records.parquet")
    for name, text in rebuilt(tmp_path).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def check(folder):
    command = [sys.executable, "-m", "ci.results", "--check", "--folder", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=RESULTS.parent)


def test_a_rebuilt_board_passes_and_an_edited_one_does_not(folder):
    assert check(folder).returncode == 0
    board = folder / "leaderboard.md"
    board.write_text(board.read_text(encoding="utf-8").replace("0.7", "0.6", 1), encoding="utf-8")
    result = check(folder)
    assert result.returncode == 1
    assert "leaderboard.md is not what records.parquet makes" in result.stderr


def test_a_changed_record_changes_every_file(folder):
    runs = read_file(folder / "records.parquet")
    write_file([replace(run, test_rms=1.1 * run.test_rms) for run in runs], folder / "records.parquet")
    assert differences(folder).keys() == {"leaderboard.md", "leaderboard.csv"}


def test_a_missing_file_differs(folder):
    (folder / "leaderboard.csv").unlink()
    assert differences(folder).keys() == {"leaderboard.csv"}
