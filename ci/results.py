"""The published boards from their records: ``python -m ci.results`` writes them, ``--check`` fails where one differs.

results/records.parquet holds every run of the boards; leaderboard.md and .csv beside it are made from it,
frontier.md and .csv and the README's frontier from frontier.parquet, where there is one. What accepted submissions hold
in files of these names, in folders of ../submissions, stands beside it. The page and the figures are made with them and
not compared: they hold libraries and fonts, whose versions differ.
"""

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci.readme import leading, with_frontier
from normbench.analysis.frontier import frontiers
from normbench.analysis.leaderboard import boards
from normbench.errors import NormbenchError
from normbench.papers.asgd import figures as experiments
from normbench.papers.asgd.published import ITERATIONS, applies, board_rows
from normbench.presentation import exports, frontier_files, frontier_tables
from normbench.presentation.across import across
from normbench.presentation.charts.board import board_pictures
from normbench.presentation.charts.frontier import NAME, frontier_picture, frontier_pictures
from normbench.presentation.charts.sheet import Picture
from normbench.presentation.page import report_page
from normbench.records.frame import read_file
from normbench.records.schema import Record

RESULTS = Path(__file__).parent.parent / "results"
RECORDS, EXPERIMENT2, FRONTIER = "records.parquet", "experiment2.parquet", "frontier.parquet"
SUBMISSIONS = "../submissions"  # docs/submissions.md
README = "../README.md"
_WRITERS = {"leaderboard.md": exports.markdown, "leaderboard.csv": exports.csv}


def rebuilt(folder: Path) -> dict[str, str]:
    """Name and text of every file that the records of the folder make."""
    found = boards(_every(stored(folder, RECORDS)), published=board_rows)
    files = {name: write(found) for name, write in _WRITERS.items()}
    lines = frontiers(_every(stored(folder, FRONTIER)))
    if lines:
        files["frontier.md"] = frontier_tables.markdown(lines, across(lines))
        files["frontier.csv"] = frontier_files.csv(lines)
    readme = _text(folder / README)
    return files | ({README: with_frontier(readme, lines)} if readme else {})


def stored(folder: Path, name: str) -> dict[str, list[Record]]:
    """The published runs of a kind by the path of their file from the folder: its own, then those of submissions."""
    own = [] if name == FRONTIER and not (folder / name).exists() else [name]
    submitted = sorted((folder / SUBMISSIONS).glob(f"*/{name}"))
    paths = [*own, *(f"{SUBMISSIONS}/{path.parent.name}/{name}" for path in submitted)]
    return {path: read_file(folder / path) for path in paths}


def _every(files: Mapping[str, Sequence[Record]]) -> list[Record]:
    return [run for runs in files.values() for run in runs]


def differences(folder: Path) -> dict[str, str]:
    """Files that are not what the records make, each with the first lines that differ."""
    return {
        name: _first_lines(_text(folder / name), text)
        for name, text in rebuilt(folder).items()
        if _text(folder / name) != text
    }


def pictures(runs: Sequence[Record], experiment2: Sequence[Record], frontier: Sequence[Record]) -> list[Picture]:
    """Figures of boards and frontiers, and of experiments 1 and 2 as ``normbench reproduce`` draws them."""
    lines = frontiers(frontier)
    first = leading(lines)
    others = [line for line in lines if line is not first]
    table1 = [
        run
        for run in runs
        if run.request.optimiser in ITERATIONS
        and run.request.backend == "jax"
        and applies(run.request.task, run.request.split, run.request.layers)
    ]
    return [
        *([frontier_picture(first, name=NAME)] if first else []),
        *frontier_pictures(others),
        *board_pictures(runs),
        experiments.experiment1(table1),
        experiments.experiment2(experiment2),
    ]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _first_lines(committed: str, made: str) -> str:
    lines = difflib.unified_diff(committed.splitlines(), made.splitlines(), "committed", "rebuilt", n=0, lineterm="")
    return "\n".join(line[:160] for line in list(lines)[:8])


def main() -> int:
    """The command; exit code 1 where a committed file differs."""
    parser = argparse.ArgumentParser(prog="python -m ci.results", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a file differs")
    parser.add_argument("--folder", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.check:
        found = differences(given.folder)
        for name, lines in found.items():
            made = FRONTIER if name.startswith("frontier") else RECORDS
            print(f"{name} is not what {made} makes; run python -m ci.results.\n{lines}", file=sys.stderr)
        return 1 if found else 0
    for name, text in rebuilt(given.folder).items():
        (given.folder / name).write_text(text, encoding="utf-8")
    published, frontier = stored(given.folder, RECORDS), stored(given.folder, FRONTIER)
    files = published | {EXPERIMENT2: read_file(given.folder / EXPERIMENT2)} | frontier
    links = {run.record_id: path for path, found in files.items() for run in found}
    page = report_page(_every(files), record_link=links.__getitem__)
    (given.folder / "report.html").write_text(page, encoding="utf-8")
    for picture in pictures(_every(published), files[EXPERIMENT2], _every(frontier)):
        picture.save(given.folder / "figures")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NormbenchError as error:
        sys.exit(f"Error: {error}")
