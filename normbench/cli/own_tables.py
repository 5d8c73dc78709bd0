"""``--data FILE --inputs ... --outputs ...`` of ``normbench run``: tables of the user's as tasks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from normbench.cli import options
from normbench.cli.columns import columns
from normbench.errors import InvalidArgumentError, argument

Value = TypeVar("Value")

OF_COLUMNS = ("inputs", "outputs", "group", "time", "unit", "classes", "scale_inputs")  # arguments of given_tables


@dataclass(frozen=True)
class GivenTable:
    """A table as the command line names it: files, and the part that each column plays."""

    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    group: str | None
    time: str | None
    unit: str | None
    classes: bool
    scaled: bool

    def kept(self, say: Callable[[str], None]) -> str:
        """The key of its task, under which it is kept in the cache; ``say`` receives lines on it.

        Raises
        ------
        InvalidArgumentError, DataError
            As :func:`normbench.data.tables.read`, and where no task can be made of it.
        """
        from normbench.data import kept_tables
        from normbench.data.tables import read

        table = read(
            [self.path],
            inputs=self.inputs,
            outputs=self.outputs,
            group=self.group,
            time=self.time,
            unit=self.unit or "",
            classes=self.classes,
        )
        if self.scaled:
            table = table.scaled()
        elif table.small:
            say(
                f"Note: of {self.path}, {', '.join(table.small)} are less than a hundredth of the largest input, and "
                "runs divide every row by its norm: --scale-inputs puts all inputs on one scale."
            )
        names = (*table.input_names, *table.output_names)
        key = kept_tables.keep(table.dataset(table.name), columns=names, split=table.split)
        say(f"{self.path}: {len(table.inputs):,} rows, task {key}, kept as {kept_tables.path_of(key)}")
        return key


def given_tables(
    data: Sequence[Path],
    *,
    inputs: Sequence[tuple[str, ...]],
    outputs: Sequence[tuple[str, ...]],
    group: Sequence[str],
    time: Sequence[str],
    unit: Sequence[str],
    classes: bool,
    scale_inputs: bool,
) -> list[GivenTable]:
    """The tables, with what is said of their columns: once for each of them, or once for all.

    Raises
    ------
    InvalidArgumentError
        If it is said neither once nor as often, or of no table.
    """
    if not data and (inputs or outputs or group or time or unit or classes or scale_inputs):
        raise InvalidArgumentError(
            f"columns are named, and no table. Name it, too, by {argument('data')}, with {argument('inputs')} and "
            f"{argument('outputs')}."
        )
    needed = {"inputs": inputs, "outputs": outputs}
    parts = {name: _each(data, name, values, needed=True) for name, values in needed.items()}
    parts |= {name: _each(data, name, values) for name, values in {"group": group, "time": time, "unit": unit}.items()}
    return [
        GivenTable(
            path=path, classes=classes, scaled=scale_inputs, **{name: values[k] for name, values in parts.items()}
        )
        for k, path in enumerate(data)
    ]


def own_tables(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options; the command gets the tables as ``tables``."""

    @wraps(command)
    def with_tables(*given: Any, data: Sequence[Path], **others: Any) -> Any:
        of_columns = {name: others.pop(name) for name in OF_COLUMNS}
        return command(*given, tables=given_tables(data, **of_columns), **others)

    data_option = click.option(
        "--data",
        type=options.UserPath(),
        metavar="FILE",
        multiple=True,
        help="A table of yours as a task: CSV with a header, Parquet, NPZ or MAT, or a folder of them; see normbench "
        "fit. Repeat for several, each with its own --inputs and so on, or one for all. It is kept in the cache under "
        "a name that --task takes.",
    )
    scale_option = click.option(
        "--scale-inputs",
        is_flag=True,
        help="Divide every input of --data by its root mean square: runs see rows divided by their norms, of which "
        "inputs in small units would be next to nothing.",
    )
    return data_option(columns(several=True)(scale_option(with_tables)))


def _each(data: Sequence[Path], name: str, given: Sequence[Value], *, needed: bool = False) -> list[Any]:
    """One value for each table: its own, or that of all."""
    if len(given) == len(data):
        return list(given)
    if len(given) == 1 or (not given and not needed):
        return [given[0] if given else None] * len(data)
    if not given:
        raise InvalidArgumentError(
            f"{argument('data', str(data[0]))} needs {argument(name)}: the names of the columns that they are."
        )
    if len(data) == 1 and name in ("inputs", "outputs"):
        raise InvalidArgumentError(
            f"{argument('data', str(data[0]))} is one table, and {argument(name)} is given {len(given)} times. Give it "
            "once, with all names of columns, separated by commas."
        )
    raise InvalidArgumentError(
        f"{len(data)} tables and {len(given)} times {argument(name)}. Give it once for each table of "
        f"{argument('data')}, or once for all."
    )
