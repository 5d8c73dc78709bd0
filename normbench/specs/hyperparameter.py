"""One hyperparameter as it is declared: its default, its range or choices, and the values that a search tries."""

from dataclasses import dataclass
from typing import Any

from normbench.errors import InvalidArgumentError
from normbench.numbers import as_float, as_integer
from normbench.specs.values import Searched, Value, as_numbers, value_text

BELOW_ONE = 1.0 - 1e-7  # the largest decay of an average: one that float32 tells from 1, by whose distance is divided
SWITCH = ("false", "true")  # choices of a hyperparameter that is on or off


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter: its default, its closed range or its choices and, where it can be tuned, a log grid.

    Attributes
    ----------
    name : str
    default : float, int, str, tuple of numbers or None
        An ``int`` default makes the hyperparameter integer-valued; None means "off". Of a tuple, such as the betas of
        Adam, every value is one of any number of numbers.
    low, high : float
        Inclusive range of admissible values, of a tuple of each number; of no meaning where there are choices.
    meaning : str
        One line, with the unit.
    grid : tuple of float, or of tuples of numbers
        Values tried when the hyperparameter is tuned; empty if it needs no tuning. Those of a tuple are all that are
        tried: no search goes on beyond them.
    choices : tuple of str
        Admissible values of one that is a name.
    near_one : bool
        True where the distance to 1 is what counts, as of a momentum: its grid is one of distances.
    required : bool
        True if there is no default: every run has to be given a value, and ``default`` says its type alone.
    """

    name: str
    default: Value
    low: float = 0.0
    high: float = 0.0
    meaning: str = ""
    grid: tuple[Searched, ...] = ()
    choices: tuple[str, ...] = ()
    near_one: bool = False
    required: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise InvalidArgumentError(f"hyperparameter {self.name!r} has an empty range [{self.low}, {self.high}].")
        for value in (self.default, *self.grid):
            self.check(value)
        if isinstance(self.default, tuple):  # lists and whole numbers in a grid are the values that runs have
            object.__setattr__(self, "grid", tuple(self._numbers(value, self.default) for value in self.grid))

    def check(self, value: Value) -> Value:
        """Return ``value`` if it is admissible.

        Raises
        ------
        InvalidArgumentError
            If the value has the wrong type, lies outside [low, high] or is none of the choices.
        """
        if self.choices:
            return self._choice(value)
        if value is None and self.default is None:
            return value
        if isinstance(self.default, tuple):
            return self._numbers(value, self.default)
        integer = isinstance(self.default, int)
        number = as_integer(value) if integer else as_float(value)
        if number is None:
            raise InvalidArgumentError(f"{self.name} must be {'an integer' if integer else 'a number'}; got {value!r}.")
        if not self.low <= number <= self.high:  # false for NaN
            raise InvalidArgumentError(f"{self.name} must lie in [{self.low:g}, {self.high:g}]; got {value!r}.")
        return number

    def _numbers(self, value: Any, default: tuple[float, ...]) -> tuple[float, ...]:
        numbers = as_numbers(value, default)
        if numbers is None:
            kind = "integers" if all(isinstance(number, int) for number in default) else "numbers"
            raise InvalidArgumentError(f"{self.name} must be {kind} such as {value_text(default)}; got {value!r}.")
        if not all(self.low <= number <= self.high for number in numbers):
            raise InvalidArgumentError(
                f"each number of {self.name} must lie in [{self.low:g}, {self.high:g}]; got {value!r}."
            )
        return numbers

    @property
    def example(self) -> Value:
        """A value that is admissible."""
        return self.grid[len(self.grid) // 2] if self.grid else self.default

    def _choice(self, value: Value) -> str:
        if self.choices == SWITCH and isinstance(value, bool):
            return SWITCH[value]
        if not isinstance(value, str) or value not in self.choices:
            raise InvalidArgumentError(f"{self.name} must be one of {', '.join(self.choices)}; got {value!r}.")
        return value
