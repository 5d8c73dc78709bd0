"""Finds published files on this machine: which folders are searched, by which names, and what is the right content.

One rule for loading, verifying, fetching and describing: a file is the published one if what it holds is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from normbench.data.containers import is_zip, members_of, read_file
from normbench.data.contents import Content, digest_of
from normbench.data.dataset import Dataset
from normbench.data.files import FileCheck, RemoteFile, digest
from normbench.data.reasons import reason
from normbench.errors import DataError

PACKED = ("", ".gz", ".bz2", ".xz", ".zip")
Names = Mapping[str, list[Path]]
ARCHIVED = (".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".zip", ".npz")


@dataclass(frozen=True)
class FileSet:
    """Files that together hold all samples, and how to read them."""

    files: tuple[RemoteFile, ...]
    read: Callable[[Mapping[str, bytes]], Dataset]  # from the published bytes of every content, by its name
    folders: tuple[str, ...] = ()  # sub-folders in which others keep the files, as MNIST/raw
    archives: tuple[str, ...] = ()  # of others that hold all of them, without ending: mnist of Keras' mnist.npz

    @property
    def contents(self) -> tuple[Content, ...]:
        """All that the files hold."""
        return tuple(content for file in self.files for content in file.held)


@dataclass(frozen=True, eq=False)
class Found:
    """What a folder has of a file set."""

    folder: Path
    file_set: FileSet
    checks: list[FileCheck] = field(default_factory=list)  # one per content, or one for a published archive
    data: dict[str, bytes] = field(default_factory=dict)  # what is right, by the name of the content

    @property
    def ok(self) -> bool:
        """True if every content is the published one."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    def load(self) -> Dataset:
        """Read the samples.

        Raises
        ------
        DataError
            If a file is not the published one; the message says why.
        """
        wrong = next((check for check in self.checks if not check.ok), None)
        if wrong is not None:
            raise DataError(
                f"{wrong.file} is not the published file: {wrong.reason} (expected {wrong.algorithm} {wrong.expected}, "
                f"found {wrong.found}). Delete it and download it again from {self.file_set.files[0].url}."
            )
        return self.file_set.read(self.data)


def folders(root: Path, name: str, others: Sequence[str]) -> list[Path]:
    """Where the files of a source may lie below a folder: itself, its sub-folder of that name, and what others use."""
    bases = [root, *(_below(root, spelling) for spelling in dict.fromkeys((name, name.replace("-", "_"))))]
    every = [folder for base in bases if base for folder in (base, *(_below(base, other) for other in others))]
    return list(dict.fromkeys(folder for folder in every if folder))


def absent(folder: Path, file_set: FileSet) -> list[RemoteFile]:
    """The files of a set of which a folder lacks something; only names are looked at."""
    names = _names(folder)
    if _archives(names, file_set.archives):
        return []
    return [
        file
        for file in file_set.files
        if not (file.is_archive and _archives(names, [file.name]))
        and not all(_candidates(names, content) for content in file.held)
    ]


def absent_members(folder: Path, file_set: FileSet) -> list[str]:
    """What is missing where an archive was unpacked in part; empty where it was not, or is whole."""
    names = _names(folder)
    if folder.name.lower() not in [place.lower() for place in file_set.folders]:
        return []
    lacking = [content.base for content in file_set.contents if not _candidates(names, content)]
    return lacking if len(lacking) < len(file_set.contents) else []


def examine(folder: Path, file_set: FileSet) -> Found:
    """Read all that a folder has of a set, by whatever names and however packed, and judge the contents.

    Parameters
    ----------
    folder : Path
        With something for every file, see :func:`absent`.
    file_set : FileSet
    """
    found = Found(folder, file_set)
    names = _names(folder)
    for file in file_set.files:
        archives = _archives(names, [file.name]) if file.is_archive else []
        published = next((path for path in archives if digest(path, file.algorithm) == file.digest), None)
        if published is not None:
            _take_whole(found, file, published)
        else:
            _take_one_by_one(found, file, names)
    return found


def _take_whole(found: Found, file: RemoteFile, path: Path) -> None:
    """Members of the published archive: its own checksum speaks for them."""
    for content, name, data in members_of(path, file.contents):
        if content.name not in found.data or name == content.name:
            found.data[content.name] = data
    missing = [content.name for content in file.contents if content.name not in found.data]
    why = f"it lacks {', '.join(missing)}" if missing else ""
    found.checks.append(FileCheck(path, file.algorithm, file.digest, file.digest, why))


def _take_one_by_one(found: Found, file: RemoteFile, names: Names) -> None:
    judged: dict[str, FileCheck] = {}  # the right one of a content, else the first wrong one
    wanted = {content.name: content for content in file.held}
    for content, path, data in _readings(file, names, found.file_set.archives):
        right = content.published(data) if content.digest and isinstance(data, bytes) else None
        if right is not None:
            found.data[content.name] = right
            judged[content.name] = FileCheck(path, content.algorithm, content.digest, content.digest)
        elif content.name not in judged:
            judged[content.name] = _wrong(content, file, path, data)
        if content.name in found.data:
            wanted.pop(content.name, None)
        if not wanted:
            break
    for content in file.held:
        place = next(iter([*_archives(names, _stems(file, found.file_set.archives)), found.folder / content.base]))
        missing = FileCheck(place, content.algorithm, content.digest, "", f"it lacks {content.name}")
        found.checks.append(judged.get(content.name, missing))


def _readings(
    file: RemoteFile, names: Names, archives: Sequence[str]
) -> Iterator[tuple[Content, Path, bytes | DataError]]:
    """Everything that may be one of the contents, files by themselves first."""
    for content in file.held:
        for path in _candidates(names, content):
            try:
                if is_zip(path):
                    yield from ((content, path, data) for _, _, data in members_of(path, [content]))
                else:
                    yield content, path, read_file(path, most_bytes=content.most_bytes)
            except DataError as error:
                yield content, path, error
    for path in _archives(names, _stems(file, archives)):
        try:
            yield from ((content, path, data) for content, _, data in members_of(path, file.held))
        except DataError as error:
            yield from ((content, path, error) for content in file.held)


def _wrong(content: Content, file: RemoteFile, path: Path, data: bytes | DataError) -> FileCheck:
    if isinstance(data, DataError):
        why = str(data).removeprefix(f"{path} ").partition(". Get it again")[0]
        return FileCheck(path, content.algorithm, content.digest, "", f"it {why}")
    if not content.digest:
        why = f"nobody states checksums of its unpacked files; {file.name} is known as it is published only"
        return FileCheck(path, file.algorithm, file.digest, digest(path, file.algorithm), why)
    return FileCheck(path, content.algorithm, content.digest, digest_of(data, content.algorithm), reason(data, content))


def _stems(file: RemoteFile, archives: Sequence[str]) -> list[str]:
    return [*([file.name] if file.is_archive else []), *archives]


def _candidates(names: Names, content: Content) -> list[Path]:
    spellings = [name for name in (content.base, *content.aliases) if not name.endswith(".npy")]
    return [path for name in spellings for packed in PACKED for path in names.get((name + packed).lower(), [])]


def _archives(names: Names, stems: Sequence[str]) -> list[Path]:
    """Archives called so, with any of the endings; a stem may have one of them itself."""
    found: list[Path] = []
    for stem in stems:
        stem = next((stem.removesuffix(ending) for ending in ARCHIVED if stem.endswith(ending)), stem)
        found += [path for ending in ARCHIVED for path in names.get((stem + ending).lower(), [])]
    return found


def _names(folder: Path) -> Names:
    """Regular files by their name in lower case."""
    names: dict[str, list[Path]] = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.is_file():
                names.setdefault(path.name.lower(), []).append(path)
        return names
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error}). Correct the path, or its permissions.") from error


def _below(folder: Path, path: str) -> Path | None:
    """Folder of that relative path, in whatever case; None if there is none."""
    for part in path.split("/"):
        exact = folder / part
        if exact.is_dir():
            folder = exact
            continue
        try:
            same = [entry for entry in sorted(folder.iterdir()) if entry.name.lower() == part.lower()]
        except OSError:
            return None
        if not same or not same[0].is_dir():
            return None
        folder = same[0]
    return folder
