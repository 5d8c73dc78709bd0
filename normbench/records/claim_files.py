"""The files of claims: made by exactly one of those who try, and looked at as the file server has them."""

import os
import re
import uuid
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from normbench.writing import TEMPORARY, unwritable

_NAME = re.compile(r"(.+)\.(\d{1,9})")
_LONGEST = 4096  # bytes of a claim that are read
_TRIES = 5  # at a folder that others, who end, remove while it is empty


@dataclass(frozen=True)
class Seen:
    """A file as it was at one moment.

    Attributes
    ----------
    content : bytes
    changed : int
        Nanoseconds by the clock of the file server, not to be compared with another clock.
    """

    content: bytes
    changed: int


@dataclass(frozen=True)
class ClaimFiles:
    """The generations of the claim on each run, ``ID.0``, ``ID.1``, ..., in a folder that is there while it has any."""

    directory: Path

    def path(self, record_id: str, generation: int) -> Path:
        """Where a generation is kept."""
        return self.directory / f"{record_id}.{generation}"

    def found(self) -> dict[str, list[Path]]:
        """The files that are there, by the identity of the run; the last generation last."""
        found = defaultdict(list)
        with suppress(OSError):
            for path in self.directory.iterdir():
                if match := _NAME.fullmatch(path.name):
                    found[match[1]].append(path)
        return {record_id: sorted(found[record_id], key=generation_of) for record_id in sorted(found)}

    def create(self, path: Path, content: bytes) -> bool:
        """True if the file was not there and is now; False if it was.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        try:
            descriptor = self._new(path)
            if descriptor is None:
                return False
            try:
                with os.fdopen(descriptor, "wb", buffering=0) as stream:
                    stream.write(content)
            except BaseException:
                delete(path)
                raise
        except OSError as error:
            raise unwritable(path, error) from error
        return True

    def _new(self, path: Path) -> int | None:
        """A descriptor of a file that this call has made; None where there was one."""
        for tries_left in reversed(range(_TRIES)):
            try:
                return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
            except FileExistsError:
                return None
            except FileNotFoundError:
                if not tries_left:
                    raise
            self.directory.mkdir(parents=True, exist_ok=True)
        return None

    def now(self) -> int | None:
        """Nanoseconds by the clock of the file server; None where nothing can be written."""
        probe = self.directory / f".{uuid.uuid4().hex}{TEMPORARY}"
        try:
            probe.write_bytes(b"")
            return probe.stat().st_mtime_ns
        except OSError:
            return None
        finally:
            delete(probe)

    def remove_folder(self) -> None:
        """Remove the folder, if it is empty."""
        with suppress(OSError):
            self.directory.rmdir()


def generation_of(path: Path) -> int:
    """The number at the end of its name."""
    return int(path.suffix[1:])


def look(path: Path) -> Seen | None:
    """The file as it is; None if it is not there. It is opened, because only then does NFS ask its server anew."""
    try:
        with path.open("rb", buffering=0) as stream:
            return Seen(stream.read(_LONGEST), os.fstat(stream.fileno()).st_mtime_ns)
    except FileNotFoundError:
        return None
    except OSError:  # what cannot be read can still be watched
        with suppress(OSError):
            return Seen(b"", path.lstat().st_mtime_ns)
    return None


def delete(path: Path) -> None:
    """Remove a file, if it is there and can be removed."""
    with suppress(OSError):
        path.unlink()
