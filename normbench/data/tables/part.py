"""What one file holds of the columns that are asked for, checked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from normbench.data.tables import cells
from normbench.data.tables.formats import Arrays, opened
from normbench.data.tables.names import Pick, picks, repeated
from normbench.errors import DataError, InvalidArgumentError

FILE = "file"  # the group of the files themselves, where no column has that name


@dataclass(frozen=True)
class Wanted:
    """What is asked of every file."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    group: str | None
    time: str | None
    classes: bool
    weight: str | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """What one file holds of it, without rows of weight 0; attributes as of Table, one file long."""

    inputs: np.ndarray
    outputs: np.ndarray  # texts where they are classes
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    time: np.ndarray | None
    group: np.ndarray | None
    weight: np.ndarray | None = None

    def counting(self) -> "Part":
        """The rows of a weight above 0."""
        if self.weight is None or (kept := self.weight > 0).all():
            return self
        names = ("inputs", "outputs", "time", "group", "weight")
        arrays = {name: getattr(self, name) for name in names}
        return replace(self, **{name: array[kept] for name, array in arrays.items() if array is not None})


def part_of(file: Path, wanted: Wanted) -> Part:
    """The columns in a file; errors as :func:`normbench.data.tables.table.read`."""
    table = opened(file)
    by_file = wanted.group == FILE and FILE not in table.names
    group = () if wanted.group is None or by_file else (wanted.group,)
    time = () if wanted.time is None else (wanted.time,)
    weight = () if wanted.weight is None else (wanted.weight,)
    asked = picks(file.name, (*wanted.inputs, *wanted.outputs, *group, *time, *weight), table.names)
    named = {pick.name: pick.column for pick in asked}
    words = {named[name] for name in (*group, *(wanted.outputs if wanted.classes else ()))}
    words -= {named[name] for name in (*wanted.inputs, *time, *weight)}  # which are numbers as well
    arrays = table.read((pick.column for pick in asked), words)
    n, m = len(wanted.inputs), len(wanted.inputs) + len(wanted.outputs)
    input_names, x = _matrix(file.name, asked[:n], arrays)
    if wanted.classes or (m == n + 1 and cells.is_text(file.name, asked[n].column, arrays[asked[n].column])):
        output_names, y = _labels(file.name, asked[n:m], arrays)
    else:
        output_names, y = _matrix(file.name, asked[n:m], arrays)
    _check_apart(input_names, output_names)
    others = asked[m:]
    weights = None
    if weight:
        pick = others.pop()
        weights = _weights(file.name, pick, arrays)
    groups = None
    if by_file:
        groups = np.full(len(x), file.name)
    elif group:
        groups = cells.texts(file.name, others[0].name, arrays[others[0].column])
    seconds = None
    if time:
        seconds = cells.seconds(file.name, others[-1].name, arrays[others[-1].column])
        _check_finite(file.name, (others[-1].name,), seconds[:, None])
    return Part(x, y, input_names, output_names, seconds, groups, weights).counting()


def _matrix(where: str, asked: Sequence[Pick], arrays: Arrays) -> tuple[tuple[str, ...], np.ndarray]:
    """Columns side by side, each under its name; shape (rows, columns)."""
    names: list[str] = []
    found: list[np.ndarray] = []
    for pick in asked:
        values = cells.numbers(where, pick.column, arrays[pick.column])
        for name, column in _columns_of(where, pick, values):
            names.append(name)
            found.append(column)
    matrix = np.stack(found, axis=1)
    _check_finite(where, names, matrix)
    return tuple(names), matrix


def _columns_of(where: str, pick: Pick, values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    if values.ndim == 1 and pick.element is None:
        yield pick.name, values
        return
    width = values.shape[1] if values.ndim == 2 else 0
    if pick.element is None:
        yield from ((f"{pick.name}_{k}", values[:, k]) for k in range(width))
    elif pick.element < width:
        yield pick.name, values[:, pick.element]
    else:
        holds = f"vectors of {width}: {pick.column}_0 to {pick.column}_{width - 1}" if width else "numbers, no vectors"
        raise InvalidArgumentError(f"{where} has no column {pick.name!r}: its column {pick.column!r} holds {holds}.")


def _weights(where: str, pick: Pick, arrays: Arrays) -> np.ndarray:
    """One number of at least 0 a row."""
    names, found = _matrix(where, [pick], arrays)
    if len(names) != 1:
        raise DataError(f"{where}, column {pick.name!r}: vectors; a weight is one number a row.")
    negative = found[:, 0] < 0
    if negative.any():
        row = int(negative.argmax())
        raise DataError(
            f"{where}, column {pick.name!r}, row {row + 1}: a weight of {found[row, 0]}. Weights are at least 0, which "
            "leaves a row out."
        )
    return found[:, 0]


def _labels(where: str, asked: Sequence[Pick], arrays: Arrays) -> tuple[tuple[str, ...], np.ndarray]:
    if len(asked) != 1:
        raise InvalidArgumentError(
            f"classes must be one column; got the outputs {', '.join(pick.name for pick in asked)}. Name one of them."
        )
    (pick,) = asked
    return (pick.name,), cells.texts(where, pick.name, arrays[pick.column])


def _check_apart(input_names: Sequence[str], output_names: Sequence[str]) -> None:
    """No column twice, whether it was named itself or by its vector."""
    for role, names in (("inputs", input_names), ("outputs", output_names)):
        if twice := repeated(names):
            raise InvalidArgumentError(f"{role} has {twice} twice. Name each column once.")
    if both := [name for name in input_names if name in output_names]:
        raise InvalidArgumentError(
            f"{', '.join(map(repr, both))} is an input and an output: there would be nothing to learn. Leave it out of "
            "one of them."
        )


def _check_finite(where: str, names: Sequence[str], matrix: np.ndarray) -> None:
    finite = np.isfinite(matrix)
    if finite.all():
        return
    bad = ~finite.all(axis=1)
    row = int(bad.argmax())
    listing = ", ".join(repr(name) for name, fine in zip(names, finite.all(axis=0), strict=True) if not fine)
    first = int(finite[row].argmin())
    raise DataError(
        f"{where}: {bad.sum()} of {len(bad)} rows have no finite number in {listing}, the first is row {row + 1} "
        f"({names[first]} is {matrix[row, first]}). Remove those rows, or fill them in."
    )
