"""Members of compressed files, read into memory: nothing is unpacked to disk, and damage is one clear error."""

import gzip
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from normbench.data.cache import DAMAGE
from normbench.data.files import CHUNK_BYTES
from normbench.errors import DataError

_DAMAGE = (*DAMAGE, tarfile.TarError)


def read_gzip(path: Path) -> bytes:
    """Content of a .gz file.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    with _readable(path), gzip.open(path, "rb") as stream:
        return stream.read()


def read_tar(path: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Some members of a .tar.gz file.

    Parameters
    ----------
    path : Path
    names : sequence of str
        Full names within the archive, folders included; only regular files count.

    Returns
    -------
    mapping of name to content

    Raises
    ------
    DataError
        If the file is damaged or lacks a member.
    """
    found: dict[str, bytes] = {}
    with _readable(path), gzip.open(path, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() and member.name in names else None
            if content is not None:
                found[member.name] = content.read()
        while stream.read(CHUNK_BYTES):  # to the end, where gzip's own checksum is
            pass
    _require_members(path, names, found)
    return found


def read_zip(path: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Some members of a .zip file; parameters, result and errors as :func:`read_tar`."""
    with _readable(path), zipfile.ZipFile(path) as archive:
        present = set(archive.namelist())
        found = {name: archive.read(name) for name in names if name in present}
    _require_members(path, names, found)
    return found


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DataError(
            f"{path} is damaged ({type(error).__name__}: {error}). Delete it and download it again."
        ) from error


def _require_members(path: Path, names: Sequence[str], found: dict[str, bytes]) -> None:
    absent = [name for name in names if name not in found]
    if absent:
        raise DataError(f"{path} lacks the member(s) {', '.join(absent)}. Delete it and download it again.")
