"""What every source of samples offers, and the one for published files: find, download, check, read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from normbench.data.cache import cache_folder
from normbench.data.dataset import Dataset
from normbench.data.download import download, refuse
from normbench.data.files import FileCheck, RemoteFile
from normbench.data.search import FileSet, Found, absent, absent_members, examine, folders
from normbench.errors import DataError, argument
from normbench.paths import path_from

__all__ = ["DATA_VARIABLE", "FileSet", "PublishedSource", "Source", "SourceInfo"]

DATA_VARIABLE = "NORMBENCH_DATA"


@dataclass(frozen=True, kw_only=True)
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
        What is downloaded; empty for a simulator, for data that come with a package and for a folder of the user's.
    layout : str
        What the user's own folder holds, of data that no program may download; else empty.
    present : bool
        True if the samples can be loaded here without network or generation; :func:`normbench.data.info` looks.
    """

    name: str
    simulated: bool = False
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
    layout: str = ""
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
class PublishedSource:
    """Samples from published files, in a folder of the user's or downloaded into the cache.

    A file is the published one if what it holds is: see :mod:`normbench.data.search` for the folders and names that
    are tried. A folder that the caller names must hold the files; one named by NORMBENCH_DATA may serve other sources
    only.

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
        found = self._find(data_dir)
        if found is None or (not found.ok and found.folder == self._cache):
            found = self._download()
        return found.load()

    def fetch(self) -> list[Path]:
        """The right files of NORMBENCH_DATA, if it has them; else those of the cache, downloaded where it lacks one."""
        named = self._search(self._named_by_environment())
        found = named if named is not None and named.ok else self._download()
        return [check.file for check in found.checks]

    def verify(self, data_dir: Path | None) -> list[FileCheck]:
        """Judge the content of every file that :meth:`load` would read."""
        found = self._find(data_dir)
        if found is None:
            raise DataError(
                f"no file of data set {self.info.name!r} on this machine. Download it with "
                f"'normbench data fetch {self.info.name}', or name its folder with {argument('data_dir')} or "
                f"{DATA_VARIABLE}."
            )
        return found.checks

    def is_present(self) -> bool:
        """True if a whole set of files is in NORMBENCH_DATA or in the cache; their contents are not looked at."""
        try:
            return any(self._whole(folder) for folder in [*self._named_by_environment(), self._cache])
        except DataError:
            return False

    @property
    def _cache(self) -> Path:
        return cache_folder() / self.info.name

    def _download(self) -> Found:
        """The first file set in the cache, fetched where it lacks the right file."""
        whole = Found(self._cache, self.file_sets[0])
        for file in whole.file_set.files:
            single = replace(whole.file_set, files=(file,))
            found = None if absent(self._cache, single) else examine(self._cache, single)
            if found is None or not found.ok:
                path = download(file, self._cache)
                found = examine(self._cache, single)
                if not found.ok:
                    refuse(file, path, found)
            whole.checks.extend(found.checks)
            whole.data.update(found.data)
        return whole

    def _find(self, data_dir: Path | None) -> Found | None:
        """What would be read, or None if it must be downloaded."""
        if data_dir is not None:
            found = self._search(self._folders(data_dir))
            if found is None:
                raise DataError(self._missing(data_dir, self.file_sets[0].files))
            return found
        return self._search(self._named_by_environment()) or self._search([self._cache])

    def _named_by_environment(self) -> list[Path]:
        named = path_from(DATA_VARIABLE)
        if named and not named.is_dir():
            raise DataError(f"{DATA_VARIABLE} is {str(named)!r}, which is not a folder. Correct or unset it.")
        return self._folders(named) if named else []

    def _folders(self, root: Path) -> list[Path]:
        others = dict.fromkeys(folder for file_set in self.file_sets for folder in file_set.folders)
        return folders(root, self.info.name, tuple(others))

    def _search(self, places: Sequence[Path]) -> Found | None:
        """The first whole file set with the right content, else the first whole one; only part of one is an error."""
        first = None
        for folder in places:
            for file_set in self._whole(folder):
                found = examine(folder, file_set)
                if found.ok:
                    return found
                first = first or found
        if first is None:
            for folder in places:
                self._refuse_a_part(folder)
        return first

    def _whole(self, folder: Path) -> list[FileSet]:
        return [file_set for file_set in self.file_sets if not absent(folder, file_set)]

    def _refuse_a_part(self, folder: Path) -> None:
        for file_set in self.file_sets:
            lacking = absent(folder, file_set)
            if len(lacking) < len(file_set.files) and folder != self._cache:
                raise DataError(self._missing(folder, lacking))
            members = absent_members(folder, file_set)
            if members:
                raise DataError(
                    f"{folder} lacks {len(members)} unpacked file(s) of data set {self.info.name!r}: "
                    f"{', '.join(members)}. Unpack {file_set.files[0].name} again, or keep it packed."
                )

    def _missing(self, folder: Path, lacking: Sequence[RemoteFile]) -> str:
        listing = ", ".join(file.name for file in lacking)
        return (
            f"{folder} lacks {len(lacking)} file(s) of data set {self.info.name!r}: {listing}. Download them from "
            f"{lacking[0].url.rpartition('/')[0]}/ into that folder."
        )
