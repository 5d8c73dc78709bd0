"""The optimisers of the torch trainer, by the declarations."""

from typing import Any

from normbench import specs
from normbench.backends.method import Method, implementations
from normbench.torch.updates.plug_ins import plug_in

METHODS = implementations("normbench.torch.updates", specs.on("torch"))


def method(key: str, hyperparameters: dict[str, Any]) -> Method:
    """An optimiser with every hyperparameter, as the trainer takes it."""
    made = METHODS[key](**hyperparameters) if key in METHODS else plug_in(key, **hyperparameters)
    return made.as_method(lambda objective, point: objective.slope(point).gradient)
