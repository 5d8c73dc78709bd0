"""From what a user names to files: a file, the tables of a folder, or those of a pattern."""

import glob
from collections.abc import Sequence
from pathlib import Path

from normbench.data.tables.formats import READERS
from normbench.errors import InvalidArgumentError


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Every file, in the order of the paths, those of a folder or pattern by name.

    Raises
    ------
    InvalidArgumentError
        If a folder or pattern has none, or a file is there twice.
    """
    found = [file for path in paths for file in _under(path)]
    twice = next((file for file in found if sum(_same(file, other) for other in found) > 1), None)
    if twice is not None:
        raise InvalidArgumentError(f"{twice} is given twice, so that its rows would train and test. Give it once.")
    return found


def _same(file: Path, other: Path) -> bool:
    return file.resolve() == other.resolve()


def _under(path: Path) -> list[Path]:
    """The file; or the tables of a folder, or of a pattern, by name."""
    if path.is_dir():
        tables = sorted(file for file in path.iterdir() if file.suffix.lower() in READERS and file.is_file())
        if not tables:
            raise InvalidArgumentError(f"folder {path} holds no table: no file that ends in {', '.join(READERS)}.")
        return tables
    if not path.exists() and glob.has_magic(str(path)):
        tables = sorted(map(Path, glob.glob(str(path))))  # noqa: PTH207, the pattern may begin at the root
        if not tables:
            raise InvalidArgumentError(f"no file matches {path}. Check the pattern.")
        return tables
    return [path]


def name_of(paths: Sequence[Path], files: Sequence[Path]) -> str:
    """Of the file, else of the folder that all of them come from."""
    return files[0].stem if len(files) == 1 else (paths[0] if paths[0].is_dir() else files[0].parent).resolve().name
