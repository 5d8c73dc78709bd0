"""Published files: what they should hold, where they come from, and what a file on this machine turns out to be."""

from dataclasses import dataclass
from pathlib import Path

from normbench.data.containers import CHUNK_BYTES, readable
from normbench.data.contents import ALGORITHMS, Content, hasher_of
from normbench.errors import InvalidArgumentError


@dataclass(frozen=True)
class RemoteFile:
    """One published file.

    Attributes
    ----------
    name : str
        File name, without folders.
    url : str
        Where it can be downloaded.
    algorithm, digest : str
        Checksum of the file as it is published, see :class:`normbench.data.contents.Content`.
    size : int or None
        Bytes of the file as it is published; None where nobody states it.
    contents : tuple of Content
        What is in it, if it is packed; empty where the file itself is the content.
    text : bool
        True for an unpacked text, see :class:`normbench.data.contents.Content`.

    Raises
    ------
    InvalidArgumentError
        If the algorithm is unknown.
    """

    name: str
    url: str
    algorithm: str
    digest: str
    size: int | None = None
    contents: tuple[Content, ...] = ()
    text: bool = False

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise InvalidArgumentError(f"unknown checksum {self.algorithm!r}; choose from {', '.join(ALGORITHMS)}.")

    @property
    def held(self) -> tuple[Content, ...]:
        """What is in it."""
        return self.contents or (Content(self.name, self.algorithm, self.digest, self.size, self.text),)

    @property
    def is_archive(self) -> bool:
        """True if it holds members by name, as tar and zip do; a .gz of one file has no names."""
        return any("/" in content.name for content in self.contents)


@dataclass(frozen=True)
class FileCheck:
    """One row of a verification.

    Attributes
    ----------
    file : Path
    algorithm : str
        Of the content, or of the archive as it is published where that is the proof.
    expected, found : str
        Hexadecimal digits.
    reason : str
        Why the file is not the published one; empty where it is.
    """

    file: Path
    algorithm: str
    expected: str
    found: str
    reason: str = ""

    @property
    def ok(self) -> bool:
        """True if the file is the expected one."""
        return self.found == self.expected and not self.reason


def digest(path: Path, algorithm: str) -> str:
    """Checksum of a file as it is, as hexadecimal digits; raises DataError if it cannot be read."""
    with readable(path), path.open("rb") as stream:
        hasher = hasher_of(algorithm, path.stat().st_size)
        while chunk := stream.read(CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()
