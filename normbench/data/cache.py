"""Where downloaded and generated data are kept, and how they get there whole or not at all."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from normbench import writing
from normbench.errors import DAMAGE, DataError, OutputError
from normbench.paths import path_from

CACHE_VARIABLE = "NORMBENCH_CACHE"


def cache_folder() -> Path:
    """Folder named by the environment variable NORMBENCH_CACHE, or the user's cache folder of normbench."""
    import platformdirs  # not needed where the variable is set, and by no command that reads no data

    return path_from(CACHE_VARIABLE) or Path(platformdirs.user_cache_dir("normbench"))


@contextmanager
def replaced_when_done(path: Path) -> Iterator[Path]:
    """Temporary path beside ``path`` that takes its place if the block ends well and vanishes if it raises.

    The folder is made if need be.

    Raises
    ------
    DataError
        If the folder cannot be written, before or while the block does.
    """
    try:
        with writing.replaced(path) as temporary:
            yield temporary
    except OutputError as error:
        raise _elsewhere(error) from error


def require_room(path: Path) -> None:
    """Raise DataError unless the file can be written; for work that takes long before it has something to write."""
    try:
        writing.probe_file(path)
    except OutputError as error:
        raise _elsewhere(error) from error


def _elsewhere(error: OutputError) -> DataError:
    return DataError(
        f"{error} It belongs into the cache folder: set the environment variable {CACHE_VARIABLE} to a folder that can "
        "be written and has room."
    )


def write_table(path: Path, table: np.ndarray) -> None:
    """Store an array with its content hash as ``.npz``; a reader never sees half of it."""
    with replaced_when_done(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, table=table, sha256=np.array(table_hash(table)))


def read_table(path: Path) -> np.ndarray | None:
    """Stored array, or None if the file is absent, damaged or does not match its content hash."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            table, stored = archive["table"], str(archive["sha256"])
    except (OSError, *DAMAGE):
        return None
    return table if table_hash(table) == stored else None


def table_hash(table: np.ndarray) -> str:
    """SHA-256 over shape and little-endian float64 bytes, as hexadecimal digits."""
    digest = hashlib.sha256(repr(table.shape).encode())
    digest.update(np.ascontiguousarray(table, dtype="<f8").tobytes())
    return digest.hexdigest()
