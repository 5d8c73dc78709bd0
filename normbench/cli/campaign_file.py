"""Campaign files: TOML whose tables say what ``normbench run`` says by its options, all of them one campaign.

There is no second list of options: every table is written as words of a command line, which the command's own options
read and check.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from normbench.campaigns.parts import Part, located
from normbench.cli.run_options import one_call
from normbench.errors import InvalidArgumentError
from normbench.specs import suggestion

RUNS, DEFAULTS = "runs", "defaults"
EXAMPLE = '[[runs]], and below it lines such as: optimiser = ["adam", "sgd"]'
_OPTIONS = {parameter.opts[0].removeprefix("--"): parameter for parameter in one_call.params}  # by key


def parts_of(path: Path, of_the_whole: Mapping[str, str]) -> list[Part]:
    """What each ``[[runs]]`` of a campaign file asks for.

    Paths in it are relative to its folder.

    Parameters
    ----------
    path : Path
    of_the_whole : mapping of str to str
        Options of the command that are of a whole campaign, and so no keys: their names, and how they are given.

    Raises
    ------
    InvalidArgumentError
        If the file cannot be read or is no campaign, or a value is none of its option; the message names the file, the
        table and the key.
    DataError
        If a table of the user's cannot be read.
    """
    with located(str(path)):
        runs, defaults = _tables(path)
    first = _lines(f"{path}, [{DEFAULTS}]", defaults, path.parent, of_the_whole)
    parts = []
    for number, table in enumerate(runs, start=1):
        where = f"{path}, [[{RUNS}]] {number}"
        lines = first | _lines(where, table, path.parent, of_the_whole)
        parts.append(Part(_wanted(lines, where), where))
    return parts


def _wanted(lines: "Mapping[str, _Line]", where: str) -> Any:
    """What the options of the command make of some lines."""
    words = [word for line in lines.values() for word in line.words()]
    try:
        with located(where), one_call.make_context(RUNS, words) as context:
            return one_call.invoke(context)
    except click.BadParameter as error:
        key = error.param.opts[0].removeprefix("--") if error.param else ""
        place = lines[key].place if key in lines else where
        raise InvalidArgumentError(f"{place}: {error.message}") from error


def _tables(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The tables of the runs, and what every one begins with."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidArgumentError("it is not UTF-8 text, as TOML is. Save it as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"it is no TOML: {error}.") from error
    except OSError as error:
        raise InvalidArgumentError(f"it cannot be read: {error.strerror}.") from error
    if not found:
        raise InvalidArgumentError(f"it is empty. Write {EXAMPLE}.")
    for name, value in found.items():
        if name not in (RUNS, DEFAULTS):
            what = f"table [{name}]" if isinstance(value, dict) else name
            place = f" Write it below [{DEFAULTS}] or [[{RUNS}]]." if name in _OPTIONS else ""
            close = suggestion(name, dict.fromkeys((RUNS, DEFAULTS)))
            raise InvalidArgumentError(
                f"{what} is none of the tables of a campaign, which are [[{RUNS}]] and [{DEFAULTS}].{close}{place}"
            )
    runs, defaults = found.get(RUNS, []), found.get(DEFAULTS, {})
    if not isinstance(defaults, dict):
        raise InvalidArgumentError(f"{DEFAULTS} must be one table, [{DEFAULTS}]; got {_shown(defaults)}.")
    if not isinstance(runs, list) or not all(isinstance(table, dict) for table in runs):
        raise InvalidArgumentError(f"{RUNS} must be tables, [[{RUNS}]] with two brackets each; got {_shown(runs)}.")
    if not runs:
        raise InvalidArgumentError(f"it asks for no runs. Write {EXAMPLE}.")
    return runs, defaults


def _lines(table: str, values: Mapping[str, Any], folder: Path, of_the_whole: Mapping[str, str]) -> "dict[str, _Line]":
    """The lines of a table by their keys, which are all options that say what is run."""
    for key in values:
        if key in of_the_whole:
            raise InvalidArgumentError(
                f"{table}: {key} is of the whole campaign, no key of its tables. Give it beside the file: "
                f"{of_the_whole[key]}"
            )
        if key not in _OPTIONS:
            known = suggestion(key, _OPTIONS) or f" Keys are options of normbench run: {', '.join(_OPTIONS)}."
            raise InvalidArgumentError(f"{table}: there is no key {key!r}.{known}")
    return {key: _Line(f"{table}, {key}", key, value, folder) for key, value in values.items()}


@dataclass(frozen=True)
class _Line:
    """A key and its value, where they stand, and the folder of the file."""

    place: str
    key: str
    value: Any
    folder: Path

    def words(self) -> list[str]:
        """The line as words of a command line."""
        option, value = _OPTIONS[self.key], self.value
        with located(self.place):
            if getattr(option, "is_flag", False):
                if not isinstance(value, bool):
                    raise InvalidArgumentError(f"it is either true or false; got {_shown(value)}.")
                return [option.opts[0]] if value else []
            if isinstance(value, list) and not option.multiple:
                one = ",".join(map(str, value))
                joined = f' Write one text: {self.key} = "{one}"' if "," in (option.metavar or "") else ""
                raise InvalidArgumentError(f"it takes one value; got {_shown(value)}.{joined}")
            values = value if isinstance(value, list) else [value]
            return [f"{option.opts[0]}={self._text(option, each)}" for each in values]

    def _text(self, option: click.Parameter, value: Any) -> str:
        """A value as the command line has it; a relative path is one from the folder of the file."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise InvalidArgumentError(f"it takes text or a number; got {_shown(value)}.")
        text = str(value)
        if "\0" in text:
            raise InvalidArgumentError(f"its text holds a null character; got {_shown(value)}.")
        if isinstance(option.type, click.Path) and text.strip() and not text.startswith("~"):
            return str(self.folder / text)
        return text


def _shown(value: Any) -> str:
    """A value as the file has it, or nearly so."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    return repr(value)
