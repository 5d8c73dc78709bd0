"""Declaration of an optimiser of another package: given as such, or read from the signature of a class or function.

Nothing here imports an array library: a class of torch is known by its ancestors.
"""

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from normbench.errors import InvalidArgumentError
from normbench.specs.base import LEARNING_RATE, SWITCH, Family, Hyperparameter, OptimiserSpec
from normbench.specs.baselines import ADAM, UNCONSTRAINED
from normbench.specs.values import Searched, as_numbers

LEARNING_RATES = (LEARNING_RATE, "lr")  # what classes and functions call it
_TORCH = ("torch.optim.optimizer", "Optimizer")
_LARGEST = sys.float_info.max
_WIDEST_INTEGER = 2**62
_RATE = next(h for h in ADAM.hyperparameters if h.name == LEARNING_RATE)  # range and grid of one that says neither
_KINDS = (
    "a subclass of torch.optim.Optimizer, a function that returns an optax.GradientTransformation, or a "
    "normbench.specs.PlugIn"
)


@dataclass(frozen=True, kw_only=True)
class PlugIn:
    """An optimiser of another package, for the entry points ``normbench.optimisers`` or ``module:NAME``.

    Attributes
    ----------
    title : str
        Name shown in lists.
    factories : mapping of str to str
        For ``torch``, ``jax`` or both ``module:name`` of a subclass of torch.optim.Optimizer, of a function that
        returns an optax.GradientTransformation, or, in either, of one that returns a
        :class:`normbench.backends.method.Method`. Classes and functions may stand there themselves. Each takes the
        hyperparameters by name, the learning rate as ``learning_rate`` or ``lr``.
    hyperparameters : tuple of Hyperparameter
        At most two with a grid, which are searched; the learning rate is called ``learning_rate``. Switches have
        :data:`normbench.specs.SWITCH` as their choices.
    paper, equations : str
        Where it comes from.
    closure : bool
        True if a step evaluates the loss itself though its signature does not say so: torch's gets a closure, optax's
        ``value``, ``grad`` and ``value_fn``.
    full_batch : bool
        True if mini-batches would mix up what it compares between iterations.
    unsuited : tuple of pairs of str
        Parametrisations that make no sense with it, each with the reason, see
        :class:`normbench.specs.OptimiserSpec`.
    notes : tuple of str
    given_grids : tuple of str
        Hyperparameters whose grids are not the package's, but a user's, see :meth:`with_grids`.
    fixed : tuple of pairs of str
        Arguments that are no hyperparameters and stay at their defaults, each with its default.

    Examples
    --------
    >>> plug_in = PlugIn(
    ...     title="Plain descent",
    ...     factories={"torch": "torch.optim:SGD", "jax": "optax:sgd"},
    ...     hyperparameters=(Hyperparameter("learning_rate", 0.1, 0.0, 1e9, "step", (0.01, 0.1, 1.0)),),
    ... )
    >>> plug_in.spec("plain_descent").backends
    ('torch', 'jax')
    """

    title: str
    factories: Mapping[str, Any]
    hyperparameters: tuple[Hyperparameter, ...] = ()
    paper: str = ""
    equations: str = ""
    closure: bool = False
    full_batch: bool = False
    unsuited: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    given_grids: tuple[str, ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.factories:
            raise InvalidArgumentError(
                f"plug-in {self.title!r} has no factory. Give one, such as {{'torch': 'package.module:Class'}}."
            )
        addresses = {
            backend: made if isinstance(made, str) else address_of(made) for backend, made in self.factories.items()
        }
        object.__setattr__(self, "factories", addresses)

    def spec(self, key: str) -> OptimiserSpec:
        """Its declaration under a name, as everything else here reads it.

        Raises
        ------
        InvalidArgumentError
            If its hyperparameters contradict each other.
        """
        return OptimiserSpec(
            key=key,
            title=self.title,
            paper=self.paper,
            equations=self.equations or ", ".join(dict.fromkeys(self.factories.values())),
            family=Family.PLUG_IN,
            backends=tuple(self.factories),
            full_batch=self.full_batch,
            unsuited=self.unsuited,
            hyperparameters=self.hyperparameters,
            notes=(*self.notes, UNCONSTRAINED),
            fixed=self.fixed,
        )

    def with_grids(self, grids: Mapping[str, tuple[Searched, ...]]) -> "PlugIn":
        """The same with other values to search; a name that it does not have is left to the caller."""
        own = tuple(replace(h, grid=grids[h.name]) if h.name in grids else h for h in self.hyperparameters)
        return replace(self, hyperparameters=own, given_grids=tuple(h.name for h in own if h.name in grids))


def address_of(found: Any) -> str:
    """``module:name`` of a class or function, by which every process can import it.

    Raises
    ------
    InvalidArgumentError
        If it has no such name, or its module is the program itself.
    """
    module, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    if not module or not name:
        raise InvalidArgumentError(f"an optimiser is {_KINDS}, or its name; got {found!r}.")
    if module == "__main__" or "<" in name:
        raise InvalidArgumentError(
            f"worker processes cannot import {name!r} of {module!r}, where it was defined. Put it into a module of its "
            f"own and import it from there, or name it: 'my_module:{name.rpartition('.')[2].strip('<>')}'."
        )
    return f"{module}:{name}"


def from_object(found: Any, address: str) -> PlugIn:
    """The declaration that an object is, or that its signature makes of it.

    Parameters
    ----------
    found : PlugIn, subclass of torch.optim.Optimizer, or function that returns an optax.GradientTransformation
    address : str
        Of it, by which workers find it.

    Raises
    ------
    InvalidArgumentError
        If it is nothing of the kind, or has no signature.
    """
    if isinstance(found, PlugIn):
        return found
    if isinstance(found, type):
        if not is_torch(found):
            raise InvalidArgumentError(f"{address} is the class {found.__name__!r}, and must be {_KINDS}.")
        return _from_signature(found, address, "torch", first=1)  # behind the parameters that it moves
    if not callable(found):
        raise InvalidArgumentError(f"{address} is of type {type(found).__name__}, and must be {_KINDS}.")
    return _from_signature(found, address, "jax", first=0)


def is_torch(found: type) -> bool:
    """True for a class of torch's optimisers."""
    return any((base.__module__, base.__qualname__) == _TORCH for base in found.__mro__)


def _from_signature(found: Callable[..., Any], address: str, backend: str, *, first: int) -> PlugIn:
    try:
        parameters = list(inspect.signature(found).parameters.values())[first:]
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(
            f"{address} has no signature from which its hyperparameters could be read: {error}. Declare it as a "
            "normbench.specs.PlugIn."
        ) from error
    arguments = {
        p.name: (p.default, _hyperparameter(p))
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    return PlugIn(
        title=address.rpartition(":")[2],
        factories={backend: address},
        hyperparameters=tuple(h for _, h in arguments.values() if h is not None),
        fixed=tuple((name, _shown(default)) for name, (default, h) in arguments.items() if h is None),
    )


def _shown(default: Any) -> str:
    """A default as Python has it, if it has words for it."""
    try:
        return " ".join(repr(default).split())[:60]
    except Exception:  # the code of others
        return f"of type {type(default).__name__}"


def _hyperparameter(parameter: inspect.Parameter) -> Hyperparameter | None:
    """The hyperparameter that a parameter is; None where its default is none of numbers and no switch, and stays."""
    default, required = parameter.default, parameter.default is parameter.empty
    if not required and not _fits(default):
        return None
    if _is_several(parameter):
        return _several(parameter)
    kind = _kind(parameter.annotation) if required else type(default)
    if parameter.name in LEARNING_RATES and (required or kind in (int, float)):
        rate = _RATE.default if required else float(default)
        return replace(_RATE, default=rate, meaning=parameter.name, required=required)
    if kind is bool:
        return Hyperparameter(parameter.name, SWITCH[bool(default) and not required], choices=SWITCH, required=required)
    if kind is int and not (not required and _kind(parameter.annotation) is float):
        return Hyperparameter(
            parameter.name, 0 if required else default, -_WIDEST_INTEGER, _WIDEST_INTEGER, required=required
        )
    if kind in (int, float):
        return Hyperparameter(
            parameter.name, 0.0 if required else float(default), -_LARGEST, _LARGEST, required=required
        )
    return None


def _fits(default: Any) -> bool:
    """False for infinities, NaN and integers that no file holds, alone or among others."""
    if isinstance(default, tuple | list):
        return all(map(_fits, default))
    return (
        not isinstance(default, int | float)
        or -_WIDEST_INTEGER <= default <= _WIDEST_INTEGER
        or (isinstance(default, float) and math.isfinite(default))
    )


def _is_several(parameter: inspect.Parameter) -> bool:
    """True for a tuple or list, by its default, or else its annotation."""
    if parameter.default is not parameter.empty:
        return isinstance(parameter.default, tuple | list)
    outside = _words(parameter).partition("[")[0].rpartition(".")[2]
    return outside.lower() in ("tuple", "list", "sequence")


def _several(parameter: inspect.Parameter) -> Hyperparameter | None:
    """The hyperparameter of several numbers; None where the default has none, or something else among them."""
    required = parameter.default is parameter.empty
    words = _words(parameter)
    zero = 0 if "int" in words and "float" not in words else 0.0
    given = (zero, zero) if required else tuple(parameter.default)
    default = as_numbers(given, (zero,) if "float" in words else given)
    if default is None:
        return None
    return Hyperparameter(parameter.name, default, -_LARGEST, _LARGEST, required=required)


def _words(parameter: inspect.Parameter) -> str:
    """Its annotation as text, which it may be already."""
    said = parameter.annotation
    return said if isinstance(said, str) else inspect.formatannotation(said)


def _kind(annotation: Any) -> type:
    """What an annotation says of a number, which may be text; a float where it says nothing."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return next((kind for kind in (float, int, bool) if kind.__name__ in text), float)
