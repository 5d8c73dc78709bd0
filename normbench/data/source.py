"""What every source of samples offers, and the one for published files: find, download, check, read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from normbench.data.cache import cache_folder
from normbench.data.dataset import Dataset
from normbench.data.files import FileCheck, RemoteFile, check, download, require
from normbench.errors import DataError
from normbench.paths import path_from

DATA_VARIABLE = "NORMBENCH_DATA"


@dataclass(frozen=True)
class SourceInfo:
    """What a reader should know about a source.

    Attributes
    ----------
    name : str
        Registry key.
    simulated : bool
        True if a simulator makes the samples.
    description : str
        One sentence.
    terms : str
        Licence or terms of use.
    url : str
        Home of the data, or of what they were calibrated on.
    citation : str
        What to cite.
    samples : int
        Number of samples.
    shape : tuple of int
        Of the inputs of one.
    test_samples : int
        How many of them are the published test set; 0 where there is none.
    classes : int
        Number of classes, or of words; 0 for a regression.
    splits : tuple of str
        Rules of :func:`normbench.data.split_indices` that fit the data.
    files : tuple of RemoteFile
        What is downloaded; empty for a simulator and for data that come with a package.
    present : bool
        True if the samples can be loaded here without network or generation; :func:`normbench.data.info` looks.
    """

    name: str
    simulated: bool
    description: str
    terms: str
    url: str
    citation: str
    samples: int
    shape: tuple[int, ...]
    test_samples: int = 0
    classes: int = 0
    splits: tuple[str, ...] = ("random", "blocked")
    files: tuple[RemoteFile, ...] = ()
    present: bool = False


class Source(Protocol):
    """One way to come by samples."""

    @property
    def info(self) -> SourceInfo:
        """What a reader should know."""

    def load(self, data_dir: Path | None) -> Dataset:
        """Samples, from ``data_dir`` if given, else from wherever they are, else downloaded or generated."""

    def fetch(self) -> list[Path]:
        """Download or generate into the cache; the files that are there afterwards."""

    def verify(self, data_dir: Path | None) -> list[FileCheck]:
        """One row per file that is present; raises DataError if none is."""

    def is_present(self) -> bool:
        """True if loading needs neither download nor generation."""


@dataclass(frozen=True)
class FileSet:
    """Files that together hold all samples, and how to read them.

    Attributes
    ----------
    files : tuple of RemoteFile
    read : callable
        From the folder that holds the (already checked) files to a Dataset.
    """

    files: tuple[RemoteFile, ...]
    read: Callable[[Path], Dataset]


@dataclass(frozen=True)
class PublishedSource:
    """Samples from published files, in a folder of the user's or downloaded into the cache.

    A folder is searched itself, then its sub-folder named after the source (with - or _). A folder that the caller
    names must hold the files; one named by NORMBENCH_DATA may serve other sources only.

    Attributes
    ----------
    info : SourceInfo
    file_sets : tuple of FileSet
        Alternatives, best first; the first is the one that is downloaded.
    """

    info: SourceInfo
    file_sets: tuple[FileSet, ...]

    def load(self, data_dir: Path | None) -> Dataset:
        """Samples from the named folder, NORMBENCH_DATA, the cache, or downloaded, in this order."""
        folder, file_set = self._find(data_dir) or (self._cache, self.file_sets[0])
        for file in file_set.files:
            if folder == self._cache:
                download(file, folder)  # does nothing where the right file is there
            else:
                require(folder / file.name, file)
        return file_set.read(folder)

    def fetch(self) -> list[Path]:
        """Download every file of the first set into the cache and check it."""
        return [download(file, self._cache) for file in self.file_sets[0].files]

    def verify(self, data_dir: Path | None) -> list[FileCheck]:
        """Recompute the checksum of every file that :meth:`load` would read."""
        found = self._find(data_dir)
        if found is None:
            raise DataError(
                f"no file of data set {self.info.name!r} on this machine. Download it with "
                f"'normbench data fetch {self.info.name}', or name its folder with --data-dir or {DATA_VARIABLE}."
            )
        folder, file_set = found
        return [check(folder / file.name, file) for file in file_set.files]

    def is_present(self) -> bool:
        """True if a whole set of files is in NORMBENCH_DATA or in the cache; checksums are not computed."""
        try:
            return self._find(None) is not None
        except DataError:
            return False

    @property
    def _cache(self) -> Path:
        return cache_folder() / self.info.name

    def _find(self, data_dir: Path | None) -> tuple[Path, FileSet] | None:
        """Folder and file set to read, or None if they must be downloaded."""
        if data_dir is not None:
            found = self._search(_candidates(data_dir, self.info.name))
            if found is None:
                raise DataError(self._missing(data_dir, self.file_sets[0].files))
            return found
        named = path_from(DATA_VARIABLE)
        if named and not named.is_dir():
            raise DataError(f"{DATA_VARIABLE} is {str(named)!r}, which is not a folder. Correct or unset it.")
        candidates = _candidates(named, self.info.name) if named else []
        return self._search([*candidates, self._cache])

    def _search(self, folders: Sequence[Path]) -> tuple[Path, FileSet] | None:
        """First folder that holds a whole file set; a folder with only part of one is an error."""
        incomplete = None
        for folder in folders:
            for file_set in self.file_sets:
                absent = [file for file in file_set.files if not (folder / file.name).is_file()]
                if not absent:
                    return folder, file_set
                if len(absent) < len(file_set.files) and folder != self._cache:
                    incomplete = incomplete or self._missing(folder, absent)
        if incomplete:
            raise DataError(incomplete)
        return None

    def _missing(self, folder: Path, absent: Sequence[RemoteFile]) -> str:
        listing = ", ".join(file.name for file in absent)
        return (
            f"{folder} lacks {len(absent)} file(s) of data set {self.info.name!r}: {listing}. Download them from "
            f"{absent[0].url.rpartition('/')[0]}/ into that folder."
        )


def _candidates(folder: Path, name: str) -> list[Path]:
    return [folder, folder / name, folder / name.replace("-", "_")]
