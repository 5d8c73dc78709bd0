"""What the rest of the program knows of a field of a request: what it separates, its label, checks and option."""

from dataclasses import MISSING, dataclass, fields, replace
from enum import Enum
from typing import Any

from normbench.errors import InvalidArgumentError, argument
from normbench.numbers import as_integer, positive

TOO_LARGE = 2**63  # an integer that records and other programs' files do not hold
FACTORS = (1e-100, 1e100)  # what a run may multiply by: float64 holds the squares of data so scaled
ALWAYS = object()  # in the place of a default: there is none, every value is said
_DECLARED = "axis"


class Level(Enum):
    """What two runs are to each other that differ in one field."""

    BOARD = "on boards of their own"
    ROW = "rows of their own on one board"
    RUN = "runs of one row"


class Place(Enum):
    """Where a value that is not the default is said."""

    BOARD = "in the title of a board, and beside the task of a run"
    NAME = "in words of its own: the optimiser, its hyperparameters, the number of iterations"
    WHERE = "beside the backend"
    HOW = "behind the optimiser"


@dataclass(frozen=True)
class Axis:
    """What the rest of the program knows of a field of a request.

    Attributes
    ----------
    separates : Level
    place : Place
    words : str
        How a label says a value that is not the default: ``batch {}``.
    choices : tuple of str
        The values that there are; empty where they are not texts from a list.
    at_least : int or None
        The smallest value of an integer.
    positive : bool
        True if every number above 0 is a value that :data:`FACTORS` allow.
    option : str
        Of ``normbench run``, which makes the value; "{}" stands for the name of the field.
    help : str
        Of that option; "" where the command makes the option itself, because it takes more than one value of the field.
    of_task : bool
        True if the command takes the attribute of the task of that name where the option is not given.
    original : bool
        True if the first records have it. A later field is no part of an identity at its default, so that the records
        from before it keep their names, and may be missing in their files.
    name : str
        Of the field.
    default : object
        Its default, which labels and commands leave unsaid; :data:`ALWAYS` where it has none.
    """

    separates: Level
    place: Place = Place.NAME
    words: str = "{}"
    choices: tuple[str, ...] = ()
    at_least: int | None = None
    positive: bool = False
    option: str = "--{}"
    help: str = ""
    of_task: bool = False
    original: bool = False
    name: str = ""
    default: Any = ALWAYS

    @property
    def metadata(self) -> dict[str, "Axis"]:
        """Of the field that it is declared with."""
        return {_DECLARED: self}

    def label(self, value: Any) -> str:
        """The value in words, or "" where it is the default."""
        return "" if value == self.default else self.words.format(value)

    def check(self, value: Any) -> Any:
        """The value as requests hold it, a number of NumPy as Python's: equal values make one run.

        Raises
        ------
        InvalidArgumentError
            Where there is no such value.
        """
        if value is None and self.default is None:
            return value
        if self.choices and (not isinstance(value, str) or value not in self.choices):
            raise InvalidArgumentError(
                f"{argument(self.name)} must be one of {', '.join(self.choices)}; got {value!r}."
            )
        if self.at_least is not None:
            return self._integer(value, self.at_least)
        return self._factor(value) if self.positive else value

    def _integer(self, value: Any, least: int) -> int:
        remedy = "" if self.default is not None else " Leave it out for the default."
        number = as_integer(value)
        if number is None:
            raise InvalidArgumentError(
                f"{argument(self.name)} must be an integer of at least {least}; got {value!r}.{remedy}"
            )
        if number < least:
            raise InvalidArgumentError(f"{argument(self.name)} must be at least {least}; got {value}.{remedy}")
        if number >= TOO_LARGE:
            raise InvalidArgumentError(f"{argument(self.name)} must be below 2^63; got {value}.")
        return number

    def _factor(self, value: Any) -> float:
        number, (least, most) = positive(argument(self.name), value), FACTORS
        if not least <= number <= most:
            raise InvalidArgumentError(f"{argument(self.name)} must lie in [{least:g}, {most:g}]; got {value!r:.60}.")
        return number


def declared(kind: type[Any]) -> tuple[Axis, ...]:
    """The axes among the fields of a dataclass, in their order."""
    return tuple(
        replace(
            said := f.metadata[_DECLARED],
            name=f.name,
            default=ALWAYS if f.default is MISSING else f.default,
            option=said.option.format(f.name.replace("_", "-")),
        )
        for f in fields(kind)
        if _DECLARED in f.metadata
    )
