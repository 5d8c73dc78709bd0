"""A user's table as samples: columns chosen and checked, files of one kind put together, groups and times beside."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from normbench.data.dataset import Dataset
from normbench.data.tables.locations import files_of, name_of
from normbench.data.tables.names import repeated
from normbench.data.tables.part import Part, Wanted, part_of
from normbench.errors import DataError, InvalidArgumentError, argument

LEAST_ROWS = 10
SMALL = 0.01


@dataclass(frozen=True, eq=False)
class Table:
    """Samples of a user's table, in its own units.

    Attributes
    ----------
    name : str
        Of the file or folder, without its ending.
    inputs : array, shape (rows, columns), float64
    outputs : array, float64, shape (rows, outputs), or of classes int64, shape (rows,), numbers of the classes
    input_names, output_names : tuple of str
        One a column; ``v_0``, ``v_1``, ... of a column ``v`` that holds vectors.
    unit : str
        Of the outputs; empty where nobody said.
    classes : tuple of str
        Empty for a regression.
    time : array, shape (rows,), or None
        Seconds.
    flight : array, shape (rows,), int64, or None
        Number of the group of every row; with times the file where no group was named.
    groups : tuple of str
        Names of the groups; empty where none was named.
    files : tuple of Path
    weight : array, shape (rows,), float64, or None
        What every row counts, above 0; None where nobody said.
    weight_name : str
        Of the column that says it; empty without.
    """

    name: str
    inputs: np.ndarray
    outputs: np.ndarray
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    unit: str
    classes: tuple[str, ...]
    time: np.ndarray | None
    flight: np.ndarray | None
    groups: tuple[str, ...]
    files: tuple[Path, ...]
    weight: np.ndarray | None = None
    weight_name: str = ""
    official: None = None

    @property
    def split(self) -> str:
        """The rule that leaks least: whole groups, else blocks of time, else single rows."""
        return "grouped" if self.groups else "blocked" if self.time is not None else "random"

    @property
    def constant(self) -> tuple[str, ...]:
        """Names of the inputs that never vary."""
        still = self.inputs.min(axis=0) == self.inputs.max(axis=0)
        return tuple(name for name, constant in zip(self.input_names, still, strict=True) if constant)

    def scaled(self) -> "Table":
        """The table with every input divided by its root mean square, so that none is next to all of x / ||x||."""
        return replace(self, inputs=self.inputs / np.where(self._sizes, self._sizes, 1.0))

    @property
    def small(self) -> tuple[str, ...]:
        """Inputs of less than a hundredth of the size of the largest, of which x / ||x|| has next to nothing."""
        return tuple(np.array(self.input_names)[self._sizes < SMALL * self._sizes.max()].tolist())

    @property
    def _sizes(self) -> np.ndarray:
        return np.sqrt(np.square(self.inputs).mean(axis=0))

    def dataset(self, name: str) -> Dataset:
        """The samples of a task; errors as :class:`normbench.data.dataset.Dataset`."""
        named: dict[str, Any]
        if self.classes:
            named = {"classes": self.classes, "outputs": np.eye(len(self.classes))[self.outputs]}
        else:
            named = {"outputs": self.outputs, "input_names": self.input_names, "output_names": self.output_names}
            named |= {"unit": self.unit or "its own unit"}
        return Dataset(name=name, simulated=False, inputs=self.inputs, time=self.time, flight=self.flight, **named)


def read(
    paths: Sequence[Path],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    group: str | None = None,
    time: str | None = None,
    unit: str = "",
    classes: bool = False,
    weight: str | None = None,
) -> Table:
    """A table from one file or several with the same columns.

    Parameters
    ----------
    paths : sequence of Path
        Files, folders of them and patterns such as ``flights/*.csv``; what they hold is put together in that order.
    inputs, outputs : sequence of str
        Names of columns. Of a column ``v`` whose cells are lists, or of a matrix, ``v`` stands for all and ``v_0`` for
        the first. One output that is text is taken for classes.
    group : str, optional
        Column of the recording, subject or batch that a row belongs to; "file" for the file, if no column is called so.
    time : str, optional
        Column of seconds, or of dates.
    unit : str
        Of the outputs.
    classes : bool
        True if the output is a class though it is a number.
    weight : str, optional
        Column of what every row counts, at least 0. Rows of weight 0 are left out, as if no file had them.

    Raises
    ------
    InvalidArgumentError
        If there is no such file or column, or a name has two parts to play.
    DataError
        If what a file holds is no table of finite numbers with something to learn in it.
    BackendUnavailableError
        If what reads Parquet is not installed.
    """
    wanted = Wanted(tuple(inputs), tuple(outputs), group, time, classes, weight)
    _check_roles(wanted)
    files = files_of(paths)
    parts: list[Part] = []
    for file in files:
        part = part_of(file, wanted)
        if parts and (part.input_names, part.output_names) != (parts[0].input_names, parts[0].output_names):
            raise DataError(
                f"{file.name} has {len(part.input_names)} inputs and {len(part.output_names)} outputs, and "
                f"{files[0].name} {len(parts[0].input_names)} and {len(parts[0].output_names)}: vectors are of unequal "
                "length. Give files of the same columns."
            )
        parts.append(part)
    return _joined(name_of(paths, files), files, parts, wanted, unit)


def _check_roles(wanted: Wanted) -> None:
    for role, names in (("inputs", wanted.inputs), ("outputs", wanted.outputs)):
        if not names or not all(names):
            raise InvalidArgumentError(
                f"{argument(role)} must be names of columns, separated by commas; got {','.join(names)!r}."
            )
        if twice := repeated(names):
            raise InvalidArgumentError(f"{argument(role)} names {twice} twice. Name each column once.")


def _joined(name: str, files: Sequence[Path], parts: Sequence[Part], wanted: Wanted, unit: str) -> Table:
    first, *others = parts
    x, y = first.inputs, first.outputs
    if others:
        x, y = (np.concatenate([getattr(part, field) for part in parts]) for field in ("inputs", "outputs"))
    classes: tuple[str, ...] = ()
    if y.ndim == 1:
        unique, y = np.unique(y, return_inverse=True)
        classes = tuple(map(str, unique))
    groups: tuple[str, ...] = ()
    flight: np.ndarray | None = None
    time: np.ndarray | None = None
    if wanted.time is not None:
        time = np.concatenate([part.time for part in parts if part.time is not None])
        flight = np.repeat(np.arange(len(parts), dtype=np.int64), [len(part.inputs) for part in parts])
    if wanted.group is not None:
        unique, flight = np.unique(
            np.concatenate([part.group for part in parts if part.group is not None]), return_inverse=True
        )
        groups, flight = tuple(map(str, unique)), flight.astype(np.int64)
    weight = (
        None if first.weight is None else np.concatenate([part.weight for part in parts if part.weight is not None])
    )
    names = first.input_names, first.output_names
    weights = weight, wanted.weight or ""
    table = Table(name, x, y, *names, unit, classes, time, flight, groups, tuple(files), *weights)
    _check_worth(table)
    return table


def _check_worth(table: Table) -> None:
    """Raise where there is nothing to learn."""
    rows = len(table.inputs)
    if rows < LEAST_ROWS:
        which = "rows" if table.weight is None else "rows of a weight above 0"
        raise DataError(f"table {table.name!r} has {rows} {which}; at least {LEAST_ROWS} are needed. Give more.")
    if len(table.constant) == len(table.input_names):
        raise DataError(
            f"every input of table {table.name!r} is the same in all {rows} rows: {', '.join(table.constant)}. Name "
            "columns that vary."
        )
    if table.classes:
        if len(table.classes) < 2:
            raise DataError(
                f"output {table.output_names[0]!r} of table {table.name!r} is {table.classes[0]!r} in all {rows} rows; "
                "a classifier needs two classes at least."
            )
        return
    still = table.outputs.min(axis=0) == table.outputs.max(axis=0)
    if still.any():
        listing = ", ".join(repr(n) for n, constant in zip(table.output_names, still, strict=True) if constant)
        raise DataError(
            f"output {listing} of table {table.name!r} is the same in all {rows} rows: nothing to learn. Leave it out."
        )
