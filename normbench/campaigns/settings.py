"""Hyperparameters that a user sets, and grids that a user gives: ``name=value`` for all optimisers, or for one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from normbench import specs
from normbench.errors import InvalidArgumentError, argument
from normbench.specs import Hyperparameter, Value, plug_ins
from normbench.specs.values import OFF, Searched, grid_text, groups_in, numbers_in, value_text

T = TypeVar("T", bound=Value | tuple[Searched, ...])
_SET, _GRID = "hyperparameters", "grids"  # as Python calls them
_EXAMPLES = {_SET: "learning_rate=0.01", _GRID: "learning_rate=0.001,0.01,0.1"}


@dataclass(frozen=True)
class Settings:
    """By optimiser the values that are set, and the grids, by the names of the declarations."""

    values: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    grids: Mapping[str, Mapping[str, tuple[Searched, ...]]] = field(default_factory=dict)

    @classmethod
    def read(cls, settings: Sequence[str], grids: Sequence[str], optimisers: Sequence[str]) -> "Settings":
        """From texts such as ``lr=0.01`` or ``adam.beta1=0.8``.

        Parameters
        ----------
        settings, grids : sequence of str
        optimisers : sequence of str
            Those that are asked for; a text without one of their names in front is for all of them.

        Raises
        ------
        InvalidArgumentError
            If a text is no such pair, an optimiser has no hyperparameter of that name, or the value is none of its.
        PlugInError
            If an optimiser of another package cannot be imported.
        """
        values: _Given[Value] = _Given(_SET, value_text)
        for given, h, key, text, own in _read(_SET, settings, optimisers):
            with _named(_SET, given):
                value = h.check(_value(h, text))
            values.add(h.name, key, value, own=own)
        found: _Given[tuple[Searched, ...]] = _Given(_GRID, grid_text)
        for given, h, key, text, own in _read(_GRID, grids, optimisers):
            if key in specs.SPECS:
                others = [] if own else [other for other in optimisers if other not in specs.SPECS]
                raise InvalidArgumentError(
                    f"{argument(_GRID)} is for optimisers of other packages; that of {h.name} of {key} is "
                    f"declared. {_for_one(others, h.name, text) or 'Leave it out.'}"
                )
            with _named(_GRID, given):
                grid = _grid(h, text)
            found.add(h.name, key, grid, own=own)
        return cls(values.found, found.found)

    def adopt_grids(self) -> None:
        """From now on the optimisers have the grids that were given.

        Raises
        ------
        InvalidArgumentError
            If an optimiser has more than two then, or the second has not its default among its values.
        """
        for key, grids in self.grids.items():
            found = plug_ins.get(key)
            if found is not None:
                adopted = found.with_grids(grids)
                adopted.spec(key)  # raises
                plug_ins.adopt(key, adopted)


class _Given(Generic[T]):
    """What texts of an option give, by optimiser and name: one for an optimiser counts before one for all."""

    def __init__(self, option: str, text: Callable[[T], str]) -> None:
        self.found: dict[str, dict[str, T]] = {}
        self._option, self._text = option, text
        self._own: dict[tuple[str, str], bool] = {}

    def add(self, name: str, key: str, value: T, *, own: bool) -> None:
        """Raises :class:`InvalidArgumentError` where the name has another value that is meant as well."""
        before = self._own.get((key, name))
        if before is not None and before == own and self.found[key][name] != value:
            both = f"{self._text(self.found[key][name])} and {self._text(value)}"
            raise InvalidArgumentError(f"{argument(self._option)} gives {name} of {key} twice: {both}. Give one.")
        if before is None or own:
            self.found.setdefault(key, {})[name] = value
            self._own[key, name] = own


@contextmanager
def _named(option: str, text: str) -> Iterator[None]:
    """Say of an error inside which of the texts it is about, as it was written."""
    try:
        yield
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{argument(option)} {text}: {error}") from error


def _read(
    option: str, texts: Sequence[str], optimisers: Sequence[str]
) -> list[tuple[str, Hyperparameter, str, str, bool]]:
    """Every text with its hyperparameter, optimiser and value, and whether it names the optimiser."""
    found = []
    for text in texts:
        left, equals, value = text.partition("=")
        if not equals or not left or not value:
            example = _EXAMPLES[option]
            raise InvalidArgumentError(f"{argument(option)} takes NAME=VALUE; got {text!r}. Example: {example}.")
        named = [key for key in optimisers if left.startswith(f"{key}.")]
        of = max(named, key=len, default="")
        other = "" if of else left.rpartition(".")[0]
        if other:
            close = specs.suggestion(other, dict.fromkeys(optimisers))
            raise InvalidArgumentError(
                f"{argument(option)} {text}: {other!r} is no optimiser that is asked for, which are "
                f"{', '.join(optimisers)}.{close}"
            )
        name = plug_ins.canonical(left.removeprefix(f"{of}.") if of else left)
        for key in [of] if of else optimisers:
            spec = specs.get(key)
            known = {h.name: h for h in spec.hyperparameters}
            if name not in known:
                others = [] if of else [other for other in optimisers if _has(other, name)]
                if others:
                    raise InvalidArgumentError(
                        f"{argument(option)} {text} is for all optimisers that are asked for, and {key} has no "
                        f"hyperparameter {name!r}. {_for_one(others, name, value)}"
                    )
                with _named(option, text):
                    spec.refuse(name)
            found.append((text, known[name], key, value, bool(of)))
    return found


def _has(key: str, name: str) -> bool:
    return any(h.name == name for h in specs.get(key).hyperparameters)


def _for_one(keys: Sequence[str], name: str, value: str) -> str:
    """How to set it for one of these instead of for all; empty where there is none."""
    return f"Name the one that it is for: {keys[0]}.{name}={value}." if keys else ""


def _value(h: Hyperparameter, text: str) -> Value:
    """The text as a value of the hyperparameter's kind; what is none is left to its check."""
    if h.choices:
        return text.lower() if h.choices == specs.SWITCH else text
    if text == OFF and h.default is None:
        return None
    if isinstance(h.default, tuple):
        parts = numbers_in(text)
        numbers = tuple(part for part in parts if not isinstance(part, str))
        return numbers if len(numbers) == len(parts) else text
    try:
        return int(text) if isinstance(h.default, int) else float(text)
    except ValueError:
        return text


def _grid(h: Hyperparameter, text: str) -> tuple[Searched, ...]:
    """The values in ascending order, each once: numbers, or several of them in parentheses."""
    if isinstance(h.default, tuple):
        return _grid_of_several(h, text)
    values = [h.check(_value(h, part)) for part in text.split(",")]
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) < len(values) or any(number <= 0 for number in numbers):
        raise InvalidArgumentError(f"{h.name} takes positive numbers, tried on a log scale; got {text!r}.")
    return tuple(sorted(set(numbers)))


def _grid_of_several(h: Hyperparameter, text: str) -> tuple[Searched, ...]:
    groups = groups_in(text)
    if groups is None:
        raise InvalidArgumentError(
            f"a value of {h.name} has several numbers, and {argument(_GRID)} takes each in parentheses, such as "
            f"'{h.name}={grid_text([h.default, h.default])}', in Python a list of tuples; got {text!r}."
        )
    values = [h.check(_value(h, group)) for group in groups]
    return tuple(sorted({value for value in values if isinstance(value, tuple)}))
