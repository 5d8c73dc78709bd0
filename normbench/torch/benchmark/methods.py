"""The optimisers of the torch trainer, by the declarations."""

from typing import Any

from normbench import specs
from normbench.backends.method import Method, implementations

METHODS = implementations("normbench.torch.updates", specs.on("torch"))


def method(key: str, hyperparameters: dict[str, Any]) -> Method:
    """An optimiser with every hyperparameter, as the trainer takes it."""
    return METHODS[key](**hyperparameters).as_method(lambda objective, point: objective.slope(point).gradient)
