"""Where the optimisers of other packages are found: ``module:name``, or the entry points ``normbench.optimisers``.

They are looked for when a name is not one of ours, and imported when they are asked for. What a process has found it
keeps, so that all that it makes of a name rests on one declaration.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from normbench.errors import InvalidArgumentError, PlugInError, argument
from normbench.specs.base import LEARNING_RATE, SWITCH, suggestion
from normbench.specs.plug_in import LEARNING_RATES, PlugIn, from_object

OPTIMISERS, TASKS = "normbench.optimisers", "normbench.tasks"  # groups of entry points

_known: dict[str, PlugIn] = {}


@cache
def offered(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group that are installed, by name; none of them is imported.

    Of two packages with one name the first on Python's path has it, as of modules.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, point)
    return dict(sorted(found.items()))


def is_address(key: str) -> bool:
    """True for ``module:name``."""
    module, colon, name = key.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), *name.split(".")))


def is_name(key: str) -> bool:
    """True if the key may name a plug-in, which is not imported for that."""
    return key in _known or is_address(key) or key in offered(OPTIMISERS)


def get(key: str) -> PlugIn | None:
    """The plug-in of that name, imported if it has not been; None where no package offers one.

    Raises
    ------
    PlugInError
        If it cannot be imported, or is no optimiser.
    """
    if key not in _known:
        address = key if is_address(key) else offered(OPTIMISERS)[key].value if key in offered(OPTIMISERS) else ""
        if not address:
            return None
        _known[key] = from_object(loaded(address, key), address)
    return _known[key]


def adopt(key: str, plug_in: PlugIn) -> None:
    """What this process means by a name from now on: with the grids that a user has given, or what a plan rests on."""
    _known[key] = plug_in


def given_grids(key: str) -> tuple[str, ...]:
    """The hyperparameters whose grids a user has given."""
    found = get(key)
    return () if found is None else found.given_grids


def loaded(address: str, key: str = "") -> Any:
    """What ``module:name`` is.

    Parameters
    ----------
    address : str
    key : str
        What the user called it, for messages.

    Raises
    ------
    PlugInError
        If the module cannot be imported, or has no such name.
    """
    module, _, path = address.partition(":")
    called = f"{key or address!r}" if key in ("", address) else f"{key!r} ({address})"
    try:
        with quiet():
            found: Any = import_module(module)
    except (Exception, SystemExit) as error:  # whatever the code of others raises
        said = " ".join(str(error).split()) or type(error).__name__
        remedy = "Install the package, or correct the name" if _is_absent(error, module) else "Repair the package"
        raise PlugInError(f"plug-in {called} cannot be imported: {type(error).__name__}: {said}. {remedy}.") from error
    for name in path.split("."):
        if not hasattr(found, name):
            close = suggestion(name, {each: each for each in vars(found) if not each.startswith("_")})
            remedy = close or " Correct the name, or repair the package."
            raise PlugInError(f"plug-in {called}: {module} has no {name!r}.{remedy}")
        found = getattr(found, name)
    return found


def _is_absent(error: BaseException, module: str) -> bool:
    """True if the module itself is not there, or a package in which it lies."""
    return isinstance(error, ModuleNotFoundError) and (module + ".").startswith(f"{error.name}.")


def factory(key: str, backend: str) -> Callable[..., Any]:
    """What makes the optimiser on a backend; errors as :func:`get`."""
    found = get(key)
    if found is None or backend not in found.factories:
        raise InvalidArgumentError(f"no plug-in {key!r} for backend {backend!r}.")
    made: Callable[..., Any] = loaded(found.factories[backend], key)
    return made


def arguments(made: Callable[..., Any], hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters as a factory takes them: the learning rate by its own name for it, switches as truth values, and
    a list where its default is one."""
    taken = inspect.signature(made).parameters
    own = next((name for name in LEARNING_RATES if name in taken), LEARNING_RATE)
    found: dict[str, Any] = {}
    for name, value in hyperparameters.items():
        if isinstance(value, str) and value in SWITCH:
            value = value == SWITCH[1]
        elif isinstance(value, tuple) and name in taken and isinstance(taken[name].default, list):
            value = list(value)
        found[own if name == LEARNING_RATE else name] = value
    return found


def canonical(name: str) -> str:
    """The name of a hyperparameter in declarations: that of the learning rate for ``lr``."""
    return LEARNING_RATE if name in LEARNING_RATES else name


def called(
    key: str,
    made: Callable[..., Any],
    given: Mapping[str, Any],
    *weights: Any,
    passing: tuple[type[Exception], ...] = (),
) -> Any:
    """What the code of others makes of its arguments.

    Raises
    ------
    PlugInError
        In the place of whatever it raises, but for what is let pass.
    """
    try:
        with quiet():
            return made(*weights, **given)
    except passing:
        raise
    except (Exception, SystemExit) as error:
        raise PlugInError(refusal(key, given, error)) from error


@contextmanager
def quiet() -> Iterator[None]:
    """What the code of others prints goes to stderr: what a program reads from stdout is ours alone."""
    with redirect_stdout(sys.stderr):
        yield


def refusal(key: str, given: Mapping[str, Any], error: BaseException, *, does: str = "be made") -> str:
    """What to say where the code of others does not take its arguments, or cannot do something with them."""
    values = ", ".join(f"{name}={value!r}" for name, value in given.items()) or "no arguments"
    said = " ".join(str(error).split()) or "no message"
    remedy = f"Change them by {argument('hyperparameters')}."
    return f"{key} cannot {does} with {values}: {type(error).__name__}: {said}. {remedy}"
