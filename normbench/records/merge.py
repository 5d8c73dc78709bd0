"""Adding records of elsewhere to a store: nothing that is there is replaced, nothing that comes is lost."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from normbench.records.record import Record
from normbench.records.store import Store
from normbench.records.versions import NOT_RECORDED, machine
from normbench.writing import write_bytes


@dataclass(frozen=True)
class Conflict:
    """A record that differs from what the store has under its name.

    Attributes
    ----------
    here : Path
        What the store has, as it was.
    there : Path
        Where the record of elsewhere is now.
    difference : str
        In what they differ, or why the one here cannot be compared.
    """

    here: Path
    there: Path
    difference: str

    def __str__(self) -> str:
        return f"Conflict: {self.here} stays; {self.difference}. The imported record is kept as {self.there}."


@dataclass(frozen=True)
class Merged:
    """What became of the records: how many are new, how many were there to the last field, and the others."""

    new: int
    same: int
    conflicts: tuple[Conflict, ...]


def merge(records: Iterable[Record], store: Store, networks: Store | None = None) -> Merged:
    """Write the records that the store does not have; those that differ from what it has go into its conflicts.

    Parameters
    ----------
    records : iterable of Record
    store : Store
    networks : Store, optional
        Where trained networks of the records are kept, which go with those that are new, or have none here.
    """
    new = same = 0
    conflicts = []
    for record in records:
        present = store.find(record.record_id)
        if not store.holds(record.record_id):
            if networks is not None:
                _copy_network(record.record_id, networks, store)  # first: a run that lacks its network is made again
            store.write(record)
            new += 1
        elif present is not None and present.checksum == record.checksum:
            same += 1
            if networks is not None and not store.network_path(record.record_id).exists():
                _copy_network(record.record_id, networks, store)
        else:
            conflicts.append(_keep(record, present, store))
    return Merged(new, same, tuple(conflicts))


def _copy_network(record_id: str, source: Store, store: Store) -> None:
    kept = source.network_path(record_id)
    if kept.is_file():
        write_bytes(store.network_path(record_id), kept.read_bytes())


def _keep(record: Record, present: Record | None, store: Store) -> Conflict:
    there = store.conflicts.directory / record.checksum[:16]
    path = Store(there).write(record)
    difference = "it cannot be read" if present is None else f"they differ in {_difference(present, record)}"
    return Conflict(store.path(record.record_id), path, difference)


def _difference(present: Record, record: Record) -> str:
    """Names of the fields; of the environment what it says on either side."""
    a, b = present.as_dict(), record.as_dict()
    names = [name for name in a if a[name] != b[name] and name != "environment"]
    ours, theirs = (dict(machine(run.provenance.environment, run.provenance.threads)) for run in (present, record))
    said = [
        f"{name} ({ours.get(name, NOT_RECORDED)} here, {theirs.get(name, NOT_RECORDED)} there)"
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    ]
    return ", ".join([*said, *names])
