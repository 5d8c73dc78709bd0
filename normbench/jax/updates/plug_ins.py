"""Optimisers of other packages in JAX: an optax transformation, or a method of the trainer's own kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from normbench.backends.method import Method, Step, Update
from normbench.errors import PlugInError
from normbench.jax.updates.library import differentiable
from normbench.jax.updates.spheres import Arrays
from normbench.specs import LEARNING_RATE, plug_ins

_COUNT = "num_linesearch_steps"  # in the state of optax's line searches


@dataclass(frozen=True)
class Foreign:
    """A transformation of the gradient.

    Attributes
    ----------
    transformation : GradientTransformation
    learning_rate : float, array or None
        That of the transformation; None for one that has none.
    closure : bool
        True if a step evaluates the loss itself.
    """

    transformation: optax.GradientTransformation
    learning_rate: float | Array | None
    closure: bool

    def as_method(self, gradient_at: Callable[[Any, Any], Any]) -> Method:
        """Its step size is its learning rate, or else the length of the step."""

        def step(objective: Any, point: Any, state: Any) -> Step:
            gradient, value_fn = gradient_at(objective, point), differentiable(objective)
            known = {"value": point.loss}
            if self.closure:
                known |= {"grad": gradient, "value_fn": value_fn}
            transformation = optax.with_extra_args_support(self.transformation)
            updates, new = transformation.update(gradient, state, point.weights, **known)
            made = 1 + _searched(new) if self.closure else 1
            weights = optax.apply_updates(point.weights, updates)
            size = optax.tree.norm(updates) if self.learning_rate is None else self.learning_rate
            return Step(objective.point(weights), new, size, made)

        return Method(lambda objective, weights: self.transformation.init(weights), step)


def _searched(state: Any) -> Any:
    """Evaluations that line searches have made, as their states say."""
    return sum(jnp.asarray(count, jnp.int32) for _, count in optax.tree.get_all_with_path(state, _COUNT))


def plug_in(key: str, **hyperparameters: Any) -> Foreign | Method | Update:
    """The optimiser of another package under its name; traces where the package's code does.

    Raises
    ------
    PlugInError
        If it cannot be imported, or does not take the hyperparameters.
    """
    made = plug_ins.factory(key, "jax")
    given = plug_ins.arguments(made, hyperparameters)
    # where the code looks at a value the caller does without tracing it
    found = plug_ins.called(key, made, given, passing=(jax.errors.JAXTypeError,))
    if isinstance(found, Method | Update):
        return found
    if not isinstance(found, optax.GradientTransformation | optax.GradientTransformationExtraArgs):
        raise PlugInError(
            f"{key} is for JAX no function that returns an optax.GradientTransformation or a "
            f"normbench.backends.method.Method; it gave {type(found).__name__}."
        )
    declared = plug_ins.get(key)
    closure = (declared is not None and declared.closure) or _asks_for_more(found)
    return Foreign(found, hyperparameters.get(LEARNING_RATE), closure)


def _shapes(found: optax.GradientTransformation, **known: Any) -> Any:
    """Shapes of updates and state of one step on a small matrix."""

    def step(weights: Arrays) -> Any:
        transformation = optax.with_extra_args_support(found)
        return transformation.update(weights, transformation.init(weights), weights, **known)

    return jax.eval_shape(step, (jnp.zeros((2, 2)),))


def _asks_for_more(found: optax.GradientTransformation) -> bool:
    """True if a step cannot be made without the loss as a function."""
    try:
        _shapes(found, value=jnp.zeros(()))
    except TypeError as error:
        return "'value_fn'" in str(error) or "'grad'" in str(error)
    except Exception:  # what else is wrong shows where the step is made
        return False
    return False


def traces(key: str, hyperparameters: dict[str, Any], names: tuple[str, ...]) -> bool:
    """True if the optimiser can be made of hyperparameters whose values are not known yet."""
    numbers = {name: jnp.zeros(()) for name in names}

    def made(values: dict[str, Array]) -> Array:
        found = plug_in(key, **(hyperparameters | values))
        if isinstance(found, Foreign):
            found.transformation.init((jnp.zeros((2, 2)),))
        return jnp.zeros(())

    try:
        jax.eval_shape(made, numbers)
    except Exception:  # the values themselves may be fine
        return False
    return True


def check(key: str, hyperparameters: dict[str, Any]) -> None:
    """Raise a :class:`normbench.errors.PlugInError` unless the optimiser can be made and take a step."""
    found = plug_in(key, **hyperparameters)
    if not isinstance(found, Foreign):
        return
    value_fn = lambda weights: sum(jnp.sum(w**2) for w in weights)  # noqa: E731
    known = {"value": jnp.zeros(())}
    if found.closure:
        known |= {"grad": (jnp.zeros((2, 2)),), "value_fn": value_fn}
    try:
        with plug_ins.quiet():
            _, state = _shapes(found.transformation, **known)
    except (Exception, SystemExit) as error:  # whatever the code of others raises
        raise PlugInError(plug_ins.refusal(key, hyperparameters, error, does="take a step")) from error
    if found.closure and not optax.tree.get_all_with_path(state, _COUNT):
        raise PlugInError(
            f"{key} evaluates the loss itself, and its state has no {_COUNT!r} that says how often. Let its factory "
            "return a normbench.backends.method.Method, whose steps say so."
        )
