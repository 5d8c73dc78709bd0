"""Files that appear whole or not at all, and the question beforehand whether they can be written."""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from normbench.errors import OutputError

TEMPORARY = ".tmp"  # ending of files that are being written
_PROBE = b"normbench" * 455  # a block: a full disk has no room for it
_TRIES, _SECONDS = 20, 0.01  # where another process makes or removes the same folder; it takes a millisecond or less


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Temporary path beside ``path`` that takes its place, on disk, if the block ends well and vanishes if it raises.

    Raises
    ------
    OutputError
        If the folder or the file cannot be written, or the block raises an OSError.
    """
    target = Path(os.path.realpath(path)) if _is_so(path.is_symlink) else path
    temporary = target.with_name(f".{uuid.uuid4().hex}{TEMPORARY}")
    try:
        _check_replaceable(target)
        _again(partial(_begin, temporary))
        yield temporary
        _to_disk(temporary)
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write or replace a file; it is on disk, whole, when this returns. Errors as :func:`replaced`."""
    with replaced(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """As :func:`write_bytes`, in UTF-8 and without change of line ends."""
    write_bytes(path, text.encode("utf-8"))


def probe_folder(folder: Path) -> None:
    """Raise unless files can be written into the folder, which need not exist yet; nothing is left behind.

    Commands that begin in the same moment may ask for the same new folder: see :func:`_again`.

    Raises
    ------
    OutputError
        The message names the folder and the cause.
    """
    try:
        _again(partial(_probe, folder))
    except OSError as error:
        raise unwritable(folder, error) from error


def _probe(folder: Path) -> None:
    made: list[Path] = []
    temporary = folder / f".{uuid.uuid4().hex}{TEMPORARY}"
    try:
        for path in reversed((folder, *folder.parents)):
            if not path.is_dir():
                path.mkdir()
                made.append(path)
        temporary.write_bytes(_PROBE)
        _to_disk(temporary)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir()


def _begin(temporary: Path) -> None:
    temporary.parent.mkdir(parents=True, exist_ok=True)
    temporary.touch()


def _again(act: Callable[[], None]) -> None:
    """Do it, and once more where a folder came or went meanwhile.

    A probe makes folders that are not there yet and removes them: to another process one of them is there when it looks
    and gone when it wants to use it, or the other way round.
    """
    for _ in range(_TRIES):
        with suppress(FileNotFoundError, FileExistsError):
            return act()
        time.sleep(_SECONDS)
    return act()


def probe_file(path: Path) -> None:
    """Raise unless the file can be written or replaced; nothing is left behind. Errors as :func:`probe_folder`."""
    probe_folder(path.parent)
    try:
        _check_replaceable(path)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> OutputError:
    """The error that names a path and the cause, in one line."""
    return OutputError(f"cannot write {path}: {_cause(path, error)}.")


def _check_replaceable(path: Path) -> None:
    """Raise where something is in the way, or the name is too long for the file system."""
    if not path.exists():
        return
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not path.is_file():
        raise OSError(errno.EINVAL, "It is no regular file", str(path))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "The file is read-only", str(path))


def _cause(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOENT and not path.is_absolute() and not _is_so(lambda: bool(Path.cwd())):
        return "the working directory no longer exists"
    for part in (path, *path.parents):
        if error.errno in (errno.ENOTDIR, errno.EEXIST) and _is_so(part.exists) and not _is_so(part.is_dir):
            return f"{part} is not a folder"
    return error.strerror or str(error)


def _is_so(question: Callable[[], bool]) -> bool:
    """The answer of the file system; no where it has none, as for a name that is too long."""
    try:
        return question()
    except OSError:
        return False


def _to_disk(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
