"""A board is what its records make, and an edited one is not; ``ci/tests.sh`` asks the same of the published board."""

import shutil
import subprocess
import sys

import pytest
from pyarrow import parquet

from ci.readme import MARK
from ci.results import README, RESULTS, differences, rebuilt
from normbench.records.frame import read_file, write_file
from tests.changes import changed


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small part of the published records with its boards, that of a README above it included."""
    folder = tmp_path_factory.mktemp("board") / "results"
    folder.mkdir()
    (folder.parent / "README.md").write_text(f"Before\n\n{MARK}After\n", encoding="utf-8")
    few = parquet.read_table(RESULTS / "records.parquet", filters=[("optimiser", "in", ("fromage", "adam"))])
    parquet.write_table(few, folder / "records.parquet")
    for name, text in rebuilt(folder).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(made.parent, tmp_path / "board") / made.name


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


def test_a_changed_record_changes_every_file_and_a_missing_one_differs(folder):
    runs = read_file(folder / "records.parquet")
    write_file([changed(run, test_rms=1.1 * run.outcome.test_rms) for run in runs], folder / "records.parquet")
    (folder / "leaderboard.csv").unlink()
    assert differences(folder).keys() == {"leaderboard.md", "leaderboard.csv", README}


def test_the_board_of_the_readme_stands_between_its_words_and_an_edited_figure_differs(folder):
    readme = folder / README
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"Before\n\n{MARK}| rank |")
    assert text.endswith(" |\n\nAfter\n")
    assert len(text.splitlines()) == 12  # four rows: adam twice, fromage, the linear fit
    readme.write_text(text.replace("| adam | default", "| adam | none", 1), encoding="utf-8")
    assert differences(folder).keys() == {README}
