"""The optimisers of the JAX trainer, by the declarations."""

from typing import Any

from normbench import specs
from normbench.backends.method import Method, implementations
from normbench.jax.updates.plug_ins import plug_in, traces

METHODS = implementations("normbench.jax.updates", specs.on("jax"))


def method(key: str, hyperparameters: dict[str, Any]) -> Method:
    """An optimiser with every hyperparameter, as the trainer takes it; all of it traces."""
    made = METHODS[key](**hyperparameters) if key in METHODS else plug_in(key, **hyperparameters)
    return made.as_method(lambda objective, point: point.gradient)


def traced(key: str, hyperparameters: dict[str, Any]) -> dict[str, float]:
    """The hyperparameters that a program leaves open: all floats, unless a plug-in's own code looks at their values."""
    floats = {name: value for name, value in hyperparameters.items() if isinstance(value, float)}
    return floats if key in METHODS or traces(key, hyperparameters, tuple(floats)) else {}
