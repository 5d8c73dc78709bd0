"""The optimisers of the JAX trainer, by the declarations."""

from typing import Any

from normbench import specs
from normbench.backends.method import Method, implementations

METHODS = implementations("normbench.jax.updates", specs.on("jax"))


def method(key: str, hyperparameters: dict[str, Any]) -> Method:
    """An optimiser with every hyperparameter, as the trainer takes it; all of it traces."""
    return METHODS[key](**hyperparameters).as_method(lambda objective, point: point.gradient)
