"""The transformation that a user would take for each optimiser, by the declarations."""

from typing import Any

import optax

from normbench.jax.benchmark.methods import METHODS
from normbench.jax.transformations import DROP_INS


def drop_in(key: str, hyperparameters: dict[str, Any]) -> optax.GradientTransformationExtraArgs:
    """The transformation of ours, or the library's own where a baseline has none."""
    if key in DROP_INS:
        return DROP_INS[key](**hyperparameters)
    return optax.with_extra_args_support(METHODS[key](**hyperparameters).transformation)
