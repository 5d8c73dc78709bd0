"""The class that a user would take for each optimiser, by the declarations."""

from typing import Any

import torch
from torch import Tensor

from normbench.torch.benchmark.methods import METHODS
from normbench.torch.optimizers import DROP_INS
from normbench.torch.optimizers.gate import torch_names


def drop_in(key: str, weights: list[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
    """The drop-in class made of the weights, or the library's own where a baseline has none of ours."""
    if key in DROP_INS:
        return DROP_INS[key](weights, **torch_names(hyperparameters))
    return METHODS[key](**hyperparameters).build(weights)
