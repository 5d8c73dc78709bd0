"""The optimisers of the JAX trainer, and the transformation that a user would take for each, by the declarations."""

from typing import Any

import optax

from normbench import specs
from normbench.backends.method import Method, implementations
from normbench.jax.transformations import DROP_INS

METHODS = implementations("normbench.jax.updates", specs.on("jax"))


def method(key: str, hyperparameters: dict[str, Any]) -> Method:
    """An optimiser with every hyperparameter, as the trainer takes it; all of it traces."""
    return METHODS[key](**hyperparameters).as_method(lambda objective, point: point.gradient)


def drop_in(key: str, hyperparameters: dict[str, Any]) -> optax.GradientTransformationExtraArgs:
    """The transformation of ours, or the library's own where a baseline has none."""
    if key in DROP_INS:
        return DROP_INS[key](**hyperparameters)
    return optax.with_extra_args_support(METHODS[key](**hyperparameters).transformation)
