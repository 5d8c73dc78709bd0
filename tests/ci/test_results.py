"""A board is what its records make, and an edited one is not; ``ci/tests.sh`` asks the same of the published board."""

import runpy
import shutil

import pytest
from pyarrow import parquet

from ci import results
from ci.readme import FRONTIER, FRONTIER_ENDS
from ci.results import README, differences, rebuilt, stored
from normbench.records.frame import read_file, write_file
from tests.board_records import published
from tests.changes import changed


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small part of the published records with its boards, and the frontier of a README above them."""
    folder = tmp_path_factory.mktemp("board") / "results"
    folder.mkdir()
    (folder.parent / "README.md").write_text(f"Before\n\n{FRONTIER}{FRONTIER_ENDS}After\n", encoding="utf-8")
    seeds = ("seed", "in", (0, 1, 2))
    some = [seeds, ("optimiser", "in", ("fromage", "adam")), ("task", "in", ("neural-fly", "digits-conv"))]
    few = parquet.read_table(published("records.parquet"), filters=some)
    parquet.write_table(few, folder / "records.parquet")
    lines = [seeds, ("optimiser", "=", "geodesic_lbfgs"), ("task", "=", "neural-fly"), ("lipschitz", "in", (5.0, 20.0))]
    parquet.write_table(parquet.read_table(published("frontier.parquet"), filters=lines), folder / "frontier.parquet")
    for name, text in rebuilt(folder).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(made.parent, tmp_path / "board") / made.name


def check(folder, monkeypatch):
    """The exit code of the command."""
    monkeypatch.setattr("sys.argv", ["ci.results", "--check", "--folder", str(folder)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(results.__file__, run_name="__main__")
    return end.value.code


def test_a_rebuilt_board_passes_and_an_edited_one_does_not(folder, monkeypatch, capsys):
    assert check(folder, monkeypatch) == 0
    board = folder / "leaderboard.md"
    board.write_text(board.read_text(encoding="utf-8").replace("0.7", "0.6", 1), encoding="utf-8")
    assert check(folder, monkeypatch) == 1
    assert "leaderboard.md is not what records.parquet makes" in capsys.readouterr().err


def test_a_changed_record_changes_every_file_and_a_missing_one_differs(folder):
    runs = read_file(folder / "records.parquet")
    write_file([changed(run, test_rms=1.1 * run.outcome.test_rms) for run in runs], folder / "records.parquet")
    (folder / "leaderboard.csv").unlink()
    assert differences(folder).keys() == {"leaderboard.md", "leaderboard.csv"}


def test_the_frontier_of_the_readme_stands_between_its_marks_and_an_edited_figure_differs(folder):
    readme = folder / README
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"Before\n\n{FRONTIER}\n![Test RMS in N at a certified bound L")
    assert text.endswith(f" |\n\n{FRONTIER_ENDS}After\n")
    # the best way of an optimiser stands for it
    assert [text.count(f"geodesic_lbfgs {name} |") for name in ("sandwich", "ball")] == [1, 0]
    readme.write_text(text.replace("geodesic_lbfgs sandwich", "geodesic_lbfgs", 1), encoding="utf-8")
    assert differences(folder).keys() == {README}


def test_a_run_that_was_certified_above_its_bound_changes_the_frontier_everywhere(folder):
    runs = read_file(folder / "frontier.parquet")
    way = ("random", 200, "geodesic_lbfgs", "sandwich")  # one that the README shows
    fields = ("split", "iterations", "optimiser", "parametrisation")
    shown = next(run for run in runs if tuple(getattr(run.request, f) for f in fields) == way)
    above = [changed(run, lipschitz_certificate=30.0) if run is shown else run for run in runs]
    write_file(above, folder / "frontier.parquet")
    assert differences(folder).keys() == {"frontier.md", "frontier.csv", README}


def test_an_accepted_submission_stands_on_the_boards_as_if_its_runs_were_ours(folder):
    for name in ("records.parquet", "frontier.parquet"):
        runs = read_file(folder / name)
        moved = [run for run in runs if run.request.optimiser == "fromage" or run.request.lipschitz == 5.0]
        assert 0 < len(moved) < len(runs)
        submission = folder.parent / "submissions" / "planted"
        submission.mkdir(parents=True, exist_ok=True)
        write_file(moved, submission / name)
        write_file([run for run in runs if run not in moved], folder / name)
        assert stored(folder, name).keys() == {name, f"../submissions/planted/{name}"}
    names = ("leaderboard.md", "leaderboard.csv", "frontier.md", "frontier.csv", README)
    assert rebuilt(folder) == {name: (folder / name).read_text(encoding="utf-8") for name in names}
    (submission / "records.parquet").unlink()
    assert differences(folder).keys() == {"leaderboard.md", "leaderboard.csv"}
