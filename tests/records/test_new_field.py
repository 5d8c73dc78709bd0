"""A field added to the declaration of a request, and to nothing else, is everywhere: shown in a copy of the tree."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import normbench

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
WALK = """
import csv, io, json, sys
from pathlib import Path
from click.testing import CliRunner
from normbench.analysis.compare import compare
from normbench.analysis.leaderboard import boards
from normbench.cli import main
from normbench.presentation.changes import METRICS as M
from normbench.presentation.commands import command
from normbench.records.frame import load_records, read_file, write_file
from normbench.records.store import Store

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    call = ("run --backend reference --optimiser agd --seeds 1 --iterations 1 --layers 12,4,3 --jobs 1 --out").split()
    def shown(*more):
        ended = CliRunner().invoke(main, [*call, str(folder), *more], catch_exceptions=False)
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
    changes, old_only, new_only = compare(records, [r for r in records if r.request.flavour == "plain"], metrics=M)
    print(json.dumps({
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
        "wrong": CliRunner().invoke(main, [*call, str(folder), "--flavour", "sour"]).exit_code,
    }))
"""


def test_a_new_field_is_one_declaration(record, tmp_path):
    package = Path(normbench.__file__).parent
    copy = tmp_path / "tree"
    shutil.copytree(package, copy / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    declaration = copy / package.name / "running" / "request.py"
    text = declaration.read_text()
    assert text.count(AFTER) == 1
    declaration.write_text(text.replace(AFTER, PLANTED.lstrip("\n") + AFTER))
    (copy / "walk.py").write_text(WALK)
    results = tmp_path / "results" / "records"
    results.mkdir(parents=True)
    (results / f"{record.record_id}.json").write_text(record.to_json())  # written before there was the field

    call = [sys.executable, "walk.py", str(results.parent)]
    ended = subprocess.run(
        call, cwd=copy, env=os.environ | {"PYTHONPATH": str(copy)}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert json.loads(ended.stdout) == {
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
