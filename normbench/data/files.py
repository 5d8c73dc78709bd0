"""Published files: what they should contain, where they come from, and the check that they are the right ones."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from normbench.data.cache import replaced_when_done
from normbench.errors import DataError, DownloadError, InvalidArgumentError

ALGORITHMS = ("sha256", "git-blob")
CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class RemoteFile:
    """One published file.

    Attributes
    ----------
    name : str
        File name, without folders.
    url : str
        Where it can be downloaded.
    algorithm : str
        ``"sha256"``, or ``"git-blob"`` for SHA-1 of ``b"blob <size>\\0"`` and the content.
    digest : str
        Hexadecimal digits.

    Raises
    ------
    InvalidArgumentError
        If the algorithm is unknown.
    """

    name: str
    url: str
    algorithm: str
    digest: str

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise InvalidArgumentError(f"unknown checksum {self.algorithm!r}; choose from {', '.join(ALGORITHMS)}.")


@dataclass(frozen=True)
class FileCheck:
    """One row of a verification.

    Attributes
    ----------
    file : Path
    algorithm : str
    expected, found : str
        Hexadecimal digits.
    """

    file: Path
    algorithm: str
    expected: str
    found: str

    @property
    def ok(self) -> bool:
        """True if the file is the expected one."""
        return self.found == self.expected


def digest(path: Path, algorithm: str) -> str:
    """Checksum of a file.

    Parameters
    ----------
    path : Path
    algorithm : str
        See :class:`RemoteFile`.

    Returns
    -------
    str
        Hexadecimal digits.
    """
    if algorithm == "git-blob":
        hasher = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    else:
        hasher = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()


def check(path: Path, file: RemoteFile) -> FileCheck:
    """Compare a file on disk with what is published."""
    return FileCheck(path, file.algorithm, file.digest, digest(path, file.algorithm))


def require(path: Path, file: RemoteFile) -> None:
    """Check a file on disk.

    Raises
    ------
    DataError
        If it is not the published one.
    """
    row = check(path, file)
    if not row.ok:
        raise DataError(
            f"{path} is not the published file: expected {row.algorithm} {row.expected}, found {row.found}. "
            f"It may be truncated or edited; delete it and download it again from {file.url}."
        )


def download(file: RemoteFile, folder: Path) -> Path:
    """Fetch a file into a folder, unless the right one is there already.

    Parameters
    ----------
    file : RemoteFile
    folder : Path
        Made if need be.

    Returns
    -------
    Path
        The checked file.

    Raises
    ------
    DownloadError
        If it cannot be fetched.
    DataError
        If what was fetched is not the published file; nothing is left in the folder.
    """
    path = folder / file.name
    if path.is_file() and check(path, file).ok:
        return path
    import pooch  # requests and its kin take a tenth of a second

    with replaced_when_done(path) as temporary:
        try:
            pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS)(file.url, str(temporary), None)
        except OSError as error:  # requests' exceptions are OSErrors
            raise DownloadError(
                f"could not download {file.url} ({type(error).__name__}: {error}). Download {file.name} by hand, put "
                f"it in a folder and pass --data-dir FOLDER, or set the environment variable NORMBENCH_DATA to FOLDER."
            ) from error
        row = check(temporary, file)
        if not row.ok:
            raise DataError(
                f"{file.url} sent a file that is not the published one: expected {row.algorithm} {row.expected}, "
                f"found {row.found}. Try again, or download {file.name} by hand and pass --data-dir FOLDER."
            )
    return path
