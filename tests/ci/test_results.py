"""The published board is what its records make, and an edited figure does not pass."""

import subprocess
import sys
from dataclasses import replace

import pytest

from ci.readme import MARK
from ci.results import README, RESULTS, differences, rebuilt
from normbench.records.frame import read_file, write_file


def test_the_published_board_is_what_its_records_make():
    assert differences(RESULTS) == {}


@pytest.fixture
def folder(tmp_path):
    """A small part of the published records with its boards, that of a README above it included."""
    runs = [run for run in read_file(RESULTS / "records.parquet") if run.optimiser in ("fromage", "adam")]
    (tmp_path / "README.md").write_text(f"Before\n\n{MARK}After\n", encoding="utf-8")
    place = tmp_path / "results"
    place.mkdir()
    write_file(runs, place / "records.parquet")
    for name, text in rebuilt(place).items():
        (place / name).write_text(text, encoding="utf-8")
    return place


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
    assert differences(folder).keys() == {"leaderboard.md", "leaderboard.csv", README}


def test_a_missing_file_differs(folder):
    (folder / "leaderboard.csv").unlink()
    assert differences(folder).keys() == {"leaderboard.csv"}


def test_the_board_of_the_readme_stands_between_its_words_and_an_edited_figure_differs(folder):
    readme = folder / README
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"Before\n\n{MARK}| rank |")
    assert text.endswith(" |\n\nAfter\n")
    assert len(text.splitlines()) == 12  # four rows: adam twice, fromage, the linear fit
    readme.write_text(text.replace("| adam | default", "| adam | none", 1), encoding="utf-8")
    assert differences(folder).keys() == {README}
