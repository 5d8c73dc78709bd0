"""Result files as asv writes them, made with asv's own classes, for the tests of what reads them."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from asv.results import Results

VERSION = "1"
START = datetime(2026, 1, 1, tzinfo=UTC)


def benchmark(name, params=(), *, unit="seconds", kind="time"):
    """One entry of benchmarks.json."""
    return {
        "name": name,
        "params": [list(map(repr, values)) for values in params],
        "param_names": [f"p{k}" for k in range(len(params))],
        "unit": unit,
        "type": kind,
        "version": VERSION,
        "code": "",
        "number": 1,
    }


def write(folder, benchmarks, commits, *, machine="laptop"):
    """``commits``: for every commit hash, for every benchmark's name, a list with one entry per parameter.

    An entry is a list of samples in seconds, a number, None (failed) or NaN (skipped).
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = {b["name"]: b for b in benchmarks} | {"version": 2}
    (folder / "benchmarks.json").write_text(json.dumps(listed), encoding="utf-8")
    (folder / machine).mkdir(exist_ok=True)
    (folder / machine / "machine.json").write_text(json.dumps({"machine": machine, "version": 1}), encoding="utf-8")
    for k, (commit, measured) in enumerate(commits.items()):
        date = int((START + timedelta(days=k)).timestamp() * 1000)
        result = Results({"machine": machine, "python": "3.11"}, {}, commit, date, "3.11", "env", {})
        for entry in benchmarks:
            if entry["name"] in measured:
                result.add_result(entry, _outcome(measured[entry["name"]]), record_samples=True)
        result.save(str(folder))


def _outcome(entries):
    timed = [isinstance(entry, list) for entry in entries]
    return SimpleNamespace(
        result=[entry[0] if is_time else entry for entry, is_time in zip(entries, timed, strict=True)],
        samples=[entry if is_time else None for entry, is_time in zip(entries, timed, strict=True)],
        number=[1 if is_time else None for is_time in timed],
        stderr="",
        errcode=0,
        profile=None,
    )
