"""Derivatives along a line by torch's forward mode inside itself, all orders in one pass."""

from collections.abc import Callable

import torch
from torch import Tensor


def derivatives(function: Callable[[Tensor], Tensor], order: int) -> list[Tensor]:
    """d^k f / dt^k at t = 0 for k = 0, ..., ``order``, of a function of one float64 number."""

    def up_to(order: int) -> Callable[[Tensor], tuple[Tensor, ...]]:
        if order == 0:
            return lambda t: (function(t),)
        below = up_to(order - 1)

        def along(t: Tensor) -> tuple[Tensor, ...]:
            values, slopes = torch.func.jvp(below, (t,), (torch.ones_like(t),))
            return (*values, slopes[-1])

        return along

    return list(up_to(order)(torch.zeros((), dtype=torch.float64)))
