"""Fromage and LARS as ``torch.optim.Optimizer`` classes: relative updates, layer by layer (arXiv 2002.03432)."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from normbench.torch import fromage
from normbench.torch.optimizers.base import Closure, Group, check_options, evaluate


class _Layerwise(torch.optim.Optimizer):
    """An optimiser whose layers move independently: any number of groups, each with its own hyperparameters."""

    _key: str

    def add_param_group(self, param_group: Group) -> None:
        """Add a group; what it sets of its own is checked against the spec."""
        check_options(self, self._key, param_group)
        super().add_param_group(param_group)

    def _update(self, gradient: list[Tensor], layers: list[Tensor], group: Group) -> None:
        """Move the layers in place."""
        raise NotImplementedError

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Tensor | None:
        """Take one step from ``p.grad``; parameters without a gradient stay."""
        loss = evaluate(closure)
        for group in self.param_groups:
            for layers in _alike(group["params"]):
                self._update([p.grad for p in layers], layers, group)
        return loss


def _alike(parameters: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    """The parameters that have a gradient, in lists of one device and one dtype."""
    lists: dict[Any, list[Tensor]] = {}
    for p in parameters:
        if p.grad is not None:
            lists.setdefault((p.device, p.dtype), []).append(p)
    return lists.values()


class Fromage(_Layerwise):
    """Fromage: every layer changes by the relative amount eta.

    W <- [W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)        (arXiv 2002.03432, Algorithm 1)

    Every parameter is a layer, whatever its shape: a kernel has one Frobenius norm, biases move like weights, and one
    that is zero takes W - eta g.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) or of groups
    lr : float or Tensor
        eta, in [0, 1]; named as torch's schedulers expect it. As a tensor it may change without a new compilation.
    p_bound : float, optional
        Bound on ||W||_F in multiples of its value at construction, at least 1.

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter is unknown or out of range.
    """

    _key = "fromage"

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.01, *, p_bound: float | None = None) -> None:
        super().__init__(params, {"lr": lr, "p_bound": p_bound})

    def add_param_group(self, param_group: Group) -> None:
        """Add a group; its norm bounds are fixed now."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        bounds = fromage.norm_bounds([p.detach() for p in group["params"]], group["p_bound"])
        for p, bound in zip(group["params"], bounds or (), strict=bounds is not None):
            self.state[p]["norm_bound"] = bound

    def _update(self, gradient: list[Tensor], layers: list[Tensor], group: Group) -> None:
        bounds = None if group["p_bound"] is None else [self.state[p]["norm_bound"] for p in layers]
        fromage.fromage_(gradient, layers, bounds, learning_rate=group["lr"])


class LARS(_Layerwise):
    """LARS as the foil of the Fromage paper: the same relative step without the prefactor, so norms grow.

    W <- W - eta (||W||_F / ||g||_F) g        (arXiv 2002.03432, eq. 5)

    Parameters and errors as :class:`Fromage`, without ``p_bound``.
    """

    _key = "lars"

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.01) -> None:
        super().__init__(params, {"lr": lr})

    def _update(self, gradient: list[Tensor], layers: list[Tensor], group: Group) -> None:
        fromage.lars_(gradient, layers, learning_rate=group["lr"])
