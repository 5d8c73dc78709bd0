"""What an optimiser is to every trainer: how it starts and takes one step; and where the declared ones are found.

In each backend the module of the declaration's name has a function of the optimiser's key, whose arguments are the
hyperparameters of the declaration. It returns an :class:`Update` where the gradient is all that a step needs, else a
:class:`Method`. A step along a curve is put together from three parts, which are functions of their own:

- the *direction*: where the weights go, from the gradient,
- the *geometry*: the curve on which they go there, and on which their norms or bounds stay what they are,
- the *search*: how far, from what is known of the loss along the curve.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

from normbench import specs
from normbench.errors import InvalidArgumentError


class Step(NamedTuple):
    """One step of an optimiser.

    Attributes
    ----------
    point : with fields ``weights`` and ``loss``
        Where it ends, evaluated.
    state : whatever the optimiser carries
    step_size : number
        The optimiser's own: tau in radians, eta, or the learning rate; 0 where nothing lowers the loss.
    evaluations : integer
        Points that were evaluated.
    halvings : integer
        Times that a safeguard halved the step.
    """

    point: Any
    state: Any
    step_size: Any
    evaluations: Any = 1
    halvings: Any = 0


@dataclass(frozen=True)
class Method:
    """An optimiser that asks the objective itself.

    Attributes
    ----------
    init : callable
        (objective, weights) -> state
    step : callable
        (objective, point, state) -> :class:`Step`; the point is that of the last step.
    """

    init: Callable[[Any, Any], Any]
    step: Callable[[Any, Any, Any], Step]

    def as_method(self, gradient_at: Callable[[Any, Any], Any]) -> "Method":
        """Itself, see :meth:`Update.as_method`."""
        return self


@dataclass(frozen=True)
class Update:
    """An optimiser that needs the gradient alone.

    Attributes
    ----------
    init : callable
        (objective, weights) -> state
    step : callable
        (gradient, weights, state) -> (new weights, state, step size)
    """

    init: Callable[[Any, Any], Any]
    step: Callable[[Any, Any, Any], tuple[Any, Any, Any]]

    def as_method(self, gradient_at: Callable[[Any, Any], Any]) -> Method:
        """The same for an objective, of which ``gradient_at(objective, point)`` is the gradient at a point."""

        def step(objective: Any, point: Any, state: Any) -> Step:
            weights, new, step_size = self.step(gradient_at(objective, point), point.weights, state)
            return Step(objective.point(weights), new, step_size)

        return Method(self.init, step)


def stateless(objective: Any, weights: Any) -> tuple[()]:
    """The state of an optimiser that carries nothing."""
    return ()


def implementations(
    package: str,
    keys: Iterable[str],
    named: Callable[[ModuleType, str], Any] = lambda module, key: vars(module).get(key),
) -> dict[str, Any]:
    """What a package has for optimisers, in the module of the name of the one that declares them.

    Whoever calls it with a literal name uses every module of that package: :mod:`normbench.records.imports` reads it.

    Parameters
    ----------
    package : str
    keys : iterable of str
        Optimisers.
    named : callable
        (module, key) -> what is found there, or None; what has the name of the key by default.

    Raises
    ------
    InvalidArgumentError
        If one is declared and not there.
    """
    found = {}
    for key in keys:
        name = f"{package}.{specs.module_of(key)}"
        found[key] = named(import_module(name), key) if find_spec(name) else None
        if found[key] is None:
            raise InvalidArgumentError(
                f"optimiser {key!r} is declared, and {name} does not have it. Write it there, or take the backend out "
                "of the declaration."
            )
    return found
