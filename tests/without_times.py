"""What a run found, to compare runs whose clocks differ."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from normbench.records.record import Record
from normbench.records.store import RECORDS, Store

OF_THE_CAMPAIGN = ("jobs",)  # of the environment: how many ran beside it


def without_times(record: Record) -> str:
    """Every field of a record but its times, as a text, in which NaN is NaN."""
    fields: dict[str, Any] = record.flat()
    curves = asdict(fields.pop("curves"))
    curves.pop("seconds")
    fields["environment"] = {k: text for k, text in fields["environment"].items() if k not in OF_THE_CAMPAIGN}
    kept = {name: value for name, value in fields.items() if not name.startswith("seconds") and name != "created"}
    return repr(kept | curves)


def numbers_in(folder: Path) -> dict[str, str]:
    """What every record of a results folder says, but for times, by its identity."""
    records, problems = Store(folder / RECORDS).load_all()
    assert not problems
    return {record.record_id: without_times(record) for record in records}


def networks_in(folder: Path) -> dict[str, dict[str, Any]]:
    """The arrays of the networks below a folder, but for the time that a certificate took, by name of the file."""
    found = {}
    for path in folder.rglob("*.npz"):
        with np.load(path) as arrays:
            found[path.name] = {name: arrays[name].tolist() for name in arrays if name != "witness_seconds"}
    return found
