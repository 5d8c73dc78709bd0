"""The optimisers of the torch trainer, and the class that a user would take for each, by the declarations."""

from typing import Any

import torch
from torch import Tensor

from normbench import specs
from normbench.backends.method import Method, implementations
from normbench.torch.optimizers import DROP_INS
from normbench.torch.optimizers.gate import torch_names

METHODS = implementations("normbench.torch.updates", specs.on("torch"))


def method(key: str, hyperparameters: dict[str, Any]) -> Method:
    """An optimiser with every hyperparameter, as the trainer takes it."""
    return METHODS[key](**hyperparameters).as_method(lambda objective, point: objective.slope(point).gradient)


def drop_in(key: str, weights: list[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
    """The drop-in class made of the weights, or the library's own where a baseline has none of ours."""
    if key in DROP_INS:
        return DROP_INS[key](weights, **torch_names(hyperparameters))
    return METHODS[key](**hyperparameters).build(weights)
