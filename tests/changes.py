"""Variations of a record, by the names of its fields whatever part they are in."""

from dataclasses import fields, replace
from typing import Any

from normbench.records.record import PARTS, Record


def changed(record: Record, **changes: Any) -> Record:
    """The record with other values; a name that no part has raises."""
    unknown = changes.keys() - {f.name for kind in PARTS.values() for f in fields(kind)} - vars(record.request).keys()
    if unknown:
        raise TypeError(f"a record has no {', '.join(sorted(unknown))}")
    parts = {name: getattr(record, name) for name in PARTS}
    return Record(
        **{
            name: replace(part, **{key: changes[key] for key in vars(part) if key in changes})
            for name, part in parts.items()
        }
    )
