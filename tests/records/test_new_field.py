"""A field added to the declaration of a request, and to nothing else, is everywhere: shown in a copy of the tree."""

import csv
import io
import json
import shutil
from pathlib import Path

from click.testing import CliRunner

import normbench
from tests.anew import imported_anew

PLANTED = """
    flavour: str = field(
        default="plain",
        metadata=Axis(
            Level.ROW,
            Place.HOW,
            words="tastes {}",
            choices=("plain", "bitter"),
            help="What it tastes like.",
        ).metadata,
    )

"""
AFTER = "    def resolved(self)"
CALL = ["run", "--backend=reference", "--optimiser=agd", "--seeds=1", "--iterations=1", "--layers=12,4,3", "--out"]


def walk(folder, monkeypatch):
    """Where the field is found, in the package as it is imported now."""
    from tests.this_process import without_workers

    without_workers(monkeypatch)
    from normbench.analysis.compare import compare
    from normbench.analysis.leaderboard import boards
    from normbench.cli import main
    from normbench.presentation.changes import METRICS
    from normbench.presentation.commands import command
    from normbench.records.frame import load_records, read_file, write_file
    from normbench.records.store import Store

    def shown(*more):
        ended = CliRunner().invoke(main, [*CALL, str(folder), *more], catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return ended.stdout

    [before] = Store(folder / "records").load_all()[0]
    [plain] = [json.loads(line) for line in shown("--format", "json").splitlines()]
    [bitter] = csv.DictReader(io.StringIO(shown("--flavour", "bitter", "--format", "csv")))
    records, problems = Store(folder / "records").load_all()
    tables = {}
    for name in ("runs.parquet", "runs.csv.gz"):
        write_file(records, folder / name)
        tables[name] = {r.record_id: r.request.flavour for r in read_file(folder / name)}
    found = [(row, board) for board in boards(records[:]) for row in board.optimisers]
    where = CliRunner(env={"COLUMNS": "300"}).invoke(main, ["leaderboard", "--out", str(folder)]).stdout
    _, old_only, _ = compare(records, [r for r in records if r.request.flavour == "plain"], metrics=METRICS)
    return {
        "before": [before.record_id, before.request.flavour],
        "json": plain["flavour"],
        "csv": bitter["flavour"],
        "names": len({r.record_id for r in records}),
        "problems": len(problems),
        "tables": [sorted(table.values()) for table in tables.values()],
        "columns": sorted(load_records(folder)["flavour"]),
        "labels": [where.count(text) for text in ("tastes bitter", "tastes plain")],
        "commands": sorted(command(row, board).count("--flavour bitter") for row, board in found),
        "exported": sorted(row.asked["flavour"] for row, _ in found),
        "old only": len(old_only),
        "wrong": CliRunner().invoke(main, [*CALL, str(folder), "--flavour", "sour"]).exit_code,
    }


def test_a_new_field_is_one_declaration(record, tmp_path, monkeypatch):
    package = Path(normbench.__file__).parent
    copy = tmp_path / "tree"
    shutil.copytree(package, copy / package.name)  # with what Python has compiled of it
    declaration = copy / package.name / "running" / "request.py"
    text = declaration.read_text()
    assert text.count(AFTER) == 1
    declaration.write_text(text.replace(AFTER, PLANTED.lstrip("\n") + AFTER))
    results = tmp_path / "results" / "records"
    results.mkdir(parents=True)
    (results / f"{record.record_id}.json").write_text(record.to_json())  # written before there was the field

    with imported_anew(copy):
        found = walk(results.parent, monkeypatch)
    assert found == {
        "before": [record.record_id, "plain"],
        "json": "plain",
        "csv": "bitter",
        "names": 3,
        "problems": 0,
        "tables": [["bitter", "plain", "plain"]] * 2,
        "columns": ["bitter", "plain", "plain"],
        "labels": [1, 0],
        "commands": [0, 0, 1],
        "exported": ["bitter", "plain", "plain"],
        "old only": 1,
        "wrong": 2,
    }
