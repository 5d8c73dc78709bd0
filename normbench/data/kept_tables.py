"""Users' tables as data sets: each is kept once in the cache, under its name and a hash of its content and columns.

So every process that has the cache finds a table by its key, whatever has become of the file that it came from;
campaigns on several machines send it to those whose cache lacks it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from normbench.data.cache import CACHE_VARIABLE, cache_folder, replaced_when_done
from normbench.data.dataset import TABLE_MARK, Dataset
from normbench.data.files import FileCheck
from normbench.data.source import SourceInfo
from normbench.data.splits import rules
from normbench.errors import DAMAGE, DataError, InvalidArgumentError

FOLDER = "tables"  # of the cache
_DIGITS, _LONGEST = 8, 40
_KEY = re.compile(rf"[A-Za-z0-9_.-]+{TABLE_MARK}[0-9a-f]{{{_DIGITS}}}")
_PER_SAMPLE = ("inputs", "outputs", "time", "flight")
_ABOUT, _CLASSES = "about", "classes"


def keep(dataset: Dataset, *, columns: tuple[str, ...], split: str) -> str:
    """Store a table, if it is not there yet; the key under which every process finds it.

    Parameters
    ----------
    dataset : Dataset
        Under the name of the table.
    columns : tuple of str
        Names of the inputs, then of the outputs.
    split : str
        The rule that its runs are split by, unless the user says otherwise.

    Raises
    ------
    DataError
        If the cache cannot be written.
    """
    about = {
        "columns": list(columns),
        "unit": dataset.unit,
        "split": split,
        "splits": list(rules(dataset)),
        "samples": len(dataset.inputs),
        "inputs": dataset.inputs.shape[1],
    }
    digest = _digest(dataset, columns)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", dataset.name)[:_LONGEST].strip("-.") or "table"
    key = f"{name}{TABLE_MARK}{digest[:_DIGITS]}"
    if not _is_whole(key, digest, about):
        arrays = {field: getattr(dataset, field) for field in _PER_SAMPLE if getattr(dataset, field) is not None}
        if dataset.classes:
            arrays |= {"outputs": dataset.outputs.argmax(axis=1), _CLASSES: np.array(dataset.classes)}
        with replaced_when_done(path_of(key)) as temporary, temporary.open("wb") as stream:
            np.savez(stream, about=np.array(json.dumps(about | {"sha256": digest})), **arrays)
        _about.cache_clear()
    return key


def _is_whole(key: str, digest: str, about: Mapping[str, Any]) -> bool:
    """True if the table is there, undamaged, and what is said of it is the same."""
    try:
        found, said = _read(key)
        return said == {**about, "sha256": digest} and _digest(found, tuple(said["columns"])) == digest
    except (DataError, InvalidArgumentError):
        return False


def path_of(key: str) -> Path:
    """Where a table is kept."""
    return cache_folder() / FOLDER / f"{key}.npz"


def find(key: str) -> "KeptTable | None":
    """The table of that key, or None if none is kept here that can be read."""
    if not _KEY.fullmatch(key) or not path_of(key).is_file():
        return None
    try:
        _about(path_of(key))
    except DataError:
        return None
    return KeptTable(key)


def every() -> "list[KeptTable]":
    """Those that are kept here, by name."""
    names = sorted(path.stem for path in (cache_folder() / FOLDER).glob("*.npz"))
    return [table for table in map(find, names) if table is not None]


def absent(key: str) -> str:
    """What to do where a table is not kept."""
    return (
        f"no table {key!r} of yours is kept here, in {cache_folder() / FOLDER}. Give it again: normbench run --data "
        f"FILE --inputs A,B,... --outputs C,D,...; or let {CACHE_VARIABLE} name the cache that has it."
    )


@dataclass(frozen=True)
class KeptTable:
    """A user's table in the cache; see :class:`normbench.data.source.Source`."""

    key: str

    @property
    def about(self) -> dict[str, Any]:
        """What is said of it: columns, unit, split, splits, samples, inputs, classes, sha256.

        Raises
        ------
        DataError
            If it is damaged.
        """
        return _about(path_of(self.key))

    @property
    def info(self) -> SourceInfo:
        """What a reader should know."""
        about = self.about
        return SourceInfo(
            name=self.key,
            description=f"A table of yours, columns {', '.join(about['columns'])}; outputs in {about['unit']}.",
            terms="Yours; it goes to machines that you name, and nowhere else.",
            url="none",
            citation="none",
            samples=about["samples"],
            shape=(about["inputs"],),
            classes=about["classes"],
            splits=tuple(about["splits"]),
        )

    def load(self, data_dir: Path | None) -> Dataset:
        """Samples; ``data_dir`` is of no use to what is kept in the cache and ignored."""
        dataset, about = _read(self.key)
        if _digest(dataset, tuple(about["columns"])) != about["sha256"]:
            raise DataError(_damaged(path_of(self.key)))
        return dataset

    def fetch(self) -> list[Path]:
        """The file in the cache, checked."""
        self.load(None)
        return [path_of(self.key)]

    def verify(self, data_dir: Path | None) -> list[FileCheck]:
        """Compare the hash of what is kept with the one that it was kept under."""
        dataset, about = _read(self.key)
        return [FileCheck(path_of(self.key), "sha256", about["sha256"], _digest(dataset, tuple(about["columns"])))]

    def is_present(self) -> bool:
        """True if the file is there."""
        return path_of(self.key).is_file()


def _digest(dataset: Dataset, columns: tuple[str, ...]) -> str:
    """Of the samples and of what the columns are called."""
    return hashlib.sha256(json.dumps([dataset.sha256, columns, dataset.unit]).encode()).hexdigest()


def _damaged(path: Path) -> str:
    return f"{path} is damaged. Delete it, and give the table again: normbench run --data FILE ..."


@cache
def _about(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return json.loads(str(file[_ABOUT])) | {"classes": len(file[_CLASSES]) if _CLASSES in file else 0}
    except (OSError, *DAMAGE) as error:
        raise DataError(_damaged(path)) from error


def _read(key: str) -> tuple[Dataset, dict[str, Any]]:
    path = path_of(key)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(str(arrays.pop(_ABOUT)))
        columns, unit = about["columns"], about["unit"]
        classes = tuple(map(str, arrays.pop(_CLASSES, ())))
        named: dict[str, Any]
        if classes:
            named = {"classes": classes, "outputs": np.eye(len(classes))[arrays.pop("outputs")]}
        else:
            inputs = arrays["inputs"].shape[1]
            named = {"unit": unit, "input_names": tuple(columns[:inputs]), "output_names": tuple(columns[inputs:])}
        return Dataset(name=key, simulated=False, **arrays, **named), about
    except (OSError, *DAMAGE, TypeError, IndexError) as error:
        raise DataError(_damaged(path)) from error
