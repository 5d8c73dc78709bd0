"""A directory with one JSON file per run, each named by the run's content hash and replaced atomically."""

import os
import re
import shlex
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from normbench.errors import InvalidArgumentError, RecordError, argument
from normbench.records.schema import Record, from_json
from normbench.records.strict_json import reason
from normbench.writing import TEMPORARY, write_text

RECORDS = "records"  # sub-folder of a results folder
_NETWORKS = "networks"  # beside it
_KEPT = ".kept"  # what was no readable record of the run that its name says, and had to make room for one
_CONFLICTS = "conflicts"  # sub-folder of imported records that differ from those of the same runs
_RECORD_FILE = re.compile(r"[0-9a-f]{32}\.json")
_STALE_SECONDS = 60.0  # a write takes milliseconds; anything older was left by a process that died


def no_records(folder: Path) -> InvalidArgumentError:
    """The error where a folder of results holds no record."""
    command = shlex.join(["normbench", "run", "--out", str(folder)])
    return InvalidArgumentError(f"no records in {folder}. Make some: {command}")


@dataclass(frozen=True)
class Store:
    """Records in ``directory``, which is created on the first write.

    A file appears under its final name only when it is complete, so a process killed at any moment leaves
    whole records and at most a temporary file, which readers ignore and :meth:`sweep` removes.
    """

    directory: Path

    @classmethod
    def within(cls, folder: Path) -> "Store":
        """The store of a results folder, or the folder itself where it holds the records."""
        nested = folder / RECORDS
        return cls(nested if nested.is_dir() else folder)

    @classmethod
    def of_results(cls, folder: Path) -> "Store":
        """The store that a results folder has, or will have when something is written.

        Raises
        ------
        InvalidArgumentError
            If the folder holds records itself: beside them, in a folder within it, none of these would be found.
        """
        nested, found = folder / RECORDS, cls(folder)
        if not nested.is_dir() and any(_RECORD_FILE.fullmatch(path.name) for path in found.files()):
            raise InvalidArgumentError(
                f"{folder} holds records itself"
                + (
                    f". Name the results folder that it is in: {argument('out', str(folder.parent))}"
                    if folder.name == RECORDS
                    else f", not in a sub-folder {RECORDS}. Name another folder, or move them."
                )
            )
        return cls(nested)

    def path(self, record_id: str) -> Path:
        """Where the record of that identity is kept."""
        return self.directory / f"{record_id}.json"

    def network_path(self, record_id: str) -> Path:
        """Where the trained network of that run is kept, if it is: in a folder beside that of the records."""
        return self.directory.parent / _NETWORKS / f"{record_id}.npz"

    def write(self, record: Record) -> Path:
        """Write or replace one record; it is on disk, whole, when this returns.

        What lies under its name and is no readable record of that run, such as one of a newer normbench, is kept
        beside it, see :meth:`kept`.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        path = self.path(record.record_id)
        self._set_aside(record.record_id)
        write_text(path, record.to_json())
        return path

    def read(self, record_id: str) -> Record:
        """The record of that identity.

        Raises
        ------
        RecordError
            If the file cannot be read, does not follow the schema, or describes another run than its name says.
        """
        path = self.path(record_id)
        try:
            if not path.is_file():
                raise OSError("it is no file")
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecordError(
                f"{path} cannot be read: {reason(error)}. Move the file elsewhere and run again."
            ) from error
        record = from_json(text, source=str(path))
        if record.record_id != record_id:
            raise RecordError(
                f"{path} describes the run {record.record_id}, not the one in its name: it was edited or renamed. "
                "Move the file elsewhere and run again."
            )
        return record

    def find(self, record_id: str) -> Record | None:
        """The record of that identity, or None if there is none or it is unreadable (so that it is made again)."""
        try:
            return self.read(record_id) if self.path(record_id).is_file() else None
        except RecordError:
            return None

    def holds(self, record_id: str) -> bool:
        """True if anything lies under the name of that identity, readable or not."""
        return os.path.lexists(self.path(record_id))

    def _set_aside(self, record_id: str) -> None:
        if not self.holds(record_id) or self.find(record_id) is not None:
            return
        path = self.path(record_id)
        free = (path.with_name(f"{path.name}{_KEPT}{n or ''}") for n in count())
        path.rename(next(name for name in free if not os.path.lexists(name)))

    def kept(self) -> list[Path]:
        """Files that were no readable records of the runs that their names said, and were renamed to make room."""
        return sorted(self.directory.glob(f"*.json{_KEPT}*"))

    @property
    def conflicts(self) -> "Store":
        """Where imported records go that differ from those of the same runs here."""
        return Store(self.directory / _CONFLICTS)

    def files(self) -> list[Path]:
        """The files that hold records, in the order of their names: regular, not hidden, ending in ``.json``.

        What else lies there (folders, pipes, ``._x.json`` of macOS) is no record and none of our business.

        Raises
        ------
        RecordError
            If the folder is there and cannot be read.
        """
        try:
            entries = sorted(self.directory.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise RecordError(f"the folder {self.directory} cannot be read: {error.strerror}.") from error
        return [path for path in entries if path.suffix == ".json" and path.name[0] != "." and path.is_file()]

    def load_all(self) -> tuple[list[Record], list[RecordError]]:
        """Every readable record in the order of file names, and one error for each file that is not."""
        records: list[Record] = []
        problems: list[RecordError] = []
        for path in self.files():
            try:
                records.append(self.read(path.stem))
            except RecordError as error:
                problems.append(error)
        return records, problems

    def sweep(self) -> int:
        """Remove temporary files that a killed process left; return how many."""
        stale = [p for p in self.directory.glob(f"*{TEMPORARY}") if time.time() - p.stat().st_mtime > _STALE_SECONDS]
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)
