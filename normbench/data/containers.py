"""What is inside a file, whatever wraps it: read into memory, never more than asked for, nothing unpacked to disk.

The first bytes of a file say what it is, not the ending of its name: an unpacked file that is still called .gz is
read as it is.
"""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from normbench.data.contents import Content
from normbench.errors import DAMAGE, DataError

CHUNK_BYTES = 1 << 20
MOST_UNPACKED_BYTES = 1 << 30  # of everything in one archive; what is published has less than 200 MB

GZIP, BZIP2, XZ, ZIP = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"PK"
_OPENERS: dict[bytes, Callable[[Path], IO[bytes]]] = {
    GZIP: gzip.GzipFile,  # type: ignore[dict-item]
    BZIP2: bz2.BZ2File,
    XZ: lzma.LZMAFile,
}


def read_file(path: Path, *, most_bytes: int) -> bytes:
    """Content of a file, unpacked if it is gzip, bzip2 or xz.

    Parameters
    ----------
    path : Path
    most_bytes : int
        One byte more than this is read at most, so that a longer content can be told.

    Raises
    ------
    DataError
        If the file cannot be read or is damaged.
    """
    with readable(path), _unpacked(path) as stream:
        return _read(stream, most_bytes + 1)


def is_zip(path: Path) -> bool:
    """True if the file is a zip archive by its first bytes; an .npz is one."""
    return _magic(path).startswith(ZIP)


def members_of(path: Path, contents: Sequence[Content]) -> Iterator[tuple[Content, str, bytes]]:
    """Members of an archive that bear the name of one of the contents, as they come.

    Only regular members count; links are not followed, and what lies outside the archive's folder is passed over.
    Arrays (``.npy``, of an ``.npz``) come as IDX files.

    Parameters
    ----------
    path : Path
        Zip (or .npz), or tar, itself packed by gzip, bzip2, xz or nothing.
    contents : sequence of Content

    Yields
    ------
    content, name of the member, bytes
        At most one byte more than the content can have.

    Raises
    ------
    DataError
        If the archive is damaged, or unpacks to more than a published one by far.
    """
    wanted: dict[str, Content] = {}
    for content in contents:
        wanted |= {name.lower(): content for name in (content.base, *content.aliases)}
    with readable(path):
        for name, stream in (_zip_members if is_zip(path) else _tar_members)(path, set(wanted)):
            content = wanted[PurePosixPath(name).name.lower()]
            data = _read(stream, content.most_bytes + 1 + _NPY_HEADER_BYTES * name.endswith(".npy"))
            yield content, name, array_as_idx(data) if name.endswith(".npy") else data


_NPY_HEADER_BYTES = 1024


def array_as_idx(content: bytes) -> bytes:
    """An array of unsigned bytes in NumPy's format as an IDX file; anything else as it is."""
    import numpy as np

    array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    if array.dtype != np.uint8 or not 0 < array.ndim < 256 or max(array.shape) >= 1 << 32:
        return content
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever a broken file makes its reader raise, as one DataError that says what is broken."""
    try:
        yield
    except DataError:
        raise
    except EOFError as error:
        raise DataError(f"{path} is truncated: its compressed stream ends early. Get it again.") from error
    except (OSError, *DAMAGE, lzma.LZMAError, tarfile.TarError) as error:
        found = str(error) or type(error).__name__
        raise DataError(f"{path} cannot be read or is damaged ({found}). Get it again.") from error


def _zip_members(path: Path, wanted: set[str]) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir() and _is_inside(member.filename) and _base(member.filename) in wanted:
                with archive.open(member) as stream:
                    yield member.filename, stream


def _tar_members(path: Path, wanted: set[str]) -> Iterator[tuple[str, IO[bytes]]]:
    with (
        _unpacked(path) as stream,
        tarfile.open(fileobj=_Bounded(path, stream), mode="r:") as archive,  # type: ignore[call-overload]
    ):
        for member in archive:
            if member.isfile() and _is_inside(member.name) and _base(member.name) in wanted:
                found = archive.extractfile(member)
                if found is not None:
                    yield member.name, found
            archive.members = []  # tarfile keeps every header that it has seen


def _base(name: str) -> str:
    return PurePosixPath(name).name.lower()


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return not path.is_absolute() and ".." not in path.parts


class _Bounded:
    """A stream that tarfile reads from: small pieces only (a header may ask for gigabytes), and not for ever."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream = path, stream
        self._unpacked = 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= CHUNK_BYTES:
            raise DataError(f"{self._path} is damaged: a header in it claims {size} bytes. Get it again.")
        self._count(size)
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        here = self._stream.tell()
        self._count(position - here if position >= here else position)  # backwards is from the beginning again
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()

    def _count(self, size: int) -> None:
        self._unpacked += size
        if self._unpacked > MOST_UNPACKED_BYTES:
            raise DataError(
                f"{self._path} unpacks to more than {MOST_UNPACKED_BYTES:,} bytes: it is not the published archive."
            )


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    magic = _magic(path)
    opener = next((found for start, found in _OPENERS.items() if magic.startswith(start)), None)
    with path.open("rb") if opener is None else opener(path) as stream:
        yield stream


def _magic(path: Path) -> bytes:
    with readable(path), path.open("rb") as stream:
        return stream.read(8)


def _read(stream: IO[bytes], most_bytes: int) -> bytes:
    pieces, missing = [], most_bytes
    while missing > 0 and (piece := stream.read(min(missing, CHUNK_BYTES))):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
