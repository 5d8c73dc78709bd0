"""What a run found, to compare runs whose clocks differ."""

from dataclasses import asdict
from typing import Any

from normbench.records.record import Record

OF_THE_CAMPAIGN = ("jobs",)  # of the environment: how many ran beside it


def without_times(record: Record) -> str:
    """Every field of a record but its times, as a text, in which NaN is NaN."""
    fields: dict[str, Any] = record.flat()
    curves = asdict(fields.pop("curves"))
    curves.pop("seconds")
    fields["environment"] = {k: text for k, text in fields["environment"].items() if k not in OF_THE_CAMPAIGN}
    kept = {name: value for name, value in fields.items() if not name.startswith("seconds") and name != "created"}
    return repr(kept | curves)
