"""Fromage and LARS as ``torch.optim.Optimizer`` classes: relative updates, layer by layer (arXiv 2002.03432)."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from normbench import specs
from normbench.torch.norms import is_sharded, locals_of, norms, wide, widened
from normbench.torch.optimizers import gate
from normbench.torch.optimizers.base import Closure, Gated, dense, evaluate, move, on_device, tolerance
from normbench.torch.optimizers.gate import Group
from normbench.torch.updates.fromage import fromage_, lars_

_FROMAGE, _LARS = (specs.get(key).defaults for key in ("fromage", "lars"))


class _Layerwise(Gated):
    """An optimiser whose layers move independently: any number of groups, each with its own hyperparameters.

    Frozen parameters never move, whatever is in their ``grad``; one that is unfrozen later moves from then on.
    """

    def _require(self, group: Group) -> None:
        gate.require_tensors(type(self).__name__, group, dtypes=gate.DTYPES + gate.COMPLEX)
        gate.require_finite(group)

    def _update(self, gradient: list[Tensor], weights: list[Tensor], layers: list[Tensor], group: Group) -> None:
        """Move the weights of the layers, in float32 at least, in place."""
        raise NotImplementedError

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        """Take one step from ``p.grad``; parameters without a gradient stay."""
        loss = evaluate(closure)
        self._require_same_shapes()
        reached = False
        for group in self.param_groups:
            for layers in _alike(group["params"]):
                reached = True
                self._move(layers, group)
        if not reached and any(group["params"] for group in self.param_groups):
            names = self._names()
            self._warn_of_missing_gradients(names, len(names))
        return loss

    def _move(self, layers: list[Tensor], group: Group) -> None:
        gradient = [dense(p.grad) for p in layers]
        kind = wide([layers[0], gradient[0]])
        weights = widened(layers, kind)
        self._update(widened(gradient, kind), weights, layers, group)
        if layers[0].dtype != kind:
            move(locals_of(layers), locals_of(weights))


def _alike(parameters: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """The free parameters that have a gradient, in lists of one device and one dtype."""
    lists: dict[Any, list[Tensor]] = {}
    for p in parameters:
        if p.grad is not None and p.requires_grad:
            lists.setdefault((p.device, p.dtype, p.grad.dtype, is_sharded(p)), []).append(p)
    yield from lists.values()


class Fromage(_Layerwise):
    """Fromage: every layer changes by the relative amount eta.

    W <- [W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)        (arXiv 2002.03432, Algorithm 1)

    Every parameter is a layer, whatever its shape: a kernel has one Frobenius norm, biases move like weights, and one
    that is zero takes W - eta g. Shards of ``torch.distributed.fsdp.fully_shard`` move as the whole layer would.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) or of groups
        Floating or complex, float32 at least for the arithmetic of all; frozen ones never move.
    lr : float or Tensor
        eta, in [0, 1]; named as torch's schedulers expect it. As a tensor it may change without a new compilation.
    p_bound : float, optional
        Bound on ||W||_F in multiples of its value at construction, at least 1. Where a step finds a norm that is not
        the one that the last step left, because weights were loaded, the bound is taken anew from it.

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter is unknown or out of range, or a parameter holds NaN or is none that can move.

    Warns
    -----
    NotReachedWarning
        Once, if a step finds no gradient at all.

    Examples
    --------
    >>> import torch
    >>> from normbench.torch import Fromage
    >>> model, x = torch.nn.Linear(3, 2, bias=False), torch.randn(8, 3)
    >>> optimizer = Fromage(model.parameters(), lr=0.01)
    >>> before = (model(x) - 1).square().mean()
    >>> before.backward()
    >>> optimizer.step()
    >>> (model(x) - 1).square().mean() < before
    tensor(True)
    """

    key = "fromage"
    numbers: ClassVar[tuple[str, ...]] = ("norm_bound", "norm_seen")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = _FROMAGE["learning_rate"],
        *,
        p_bound: float | None = _FROMAGE["p_bound"],
    ) -> None:
        super().__init__(params, {"lr": lr, "p_bound": p_bound})

    def _enter(self, group: Group) -> None:
        if group["p_bound"] is not None:
            for p in group["params"]:
                (seen,) = norms(widened([p.detach()], wide([p])))
                self._keep(p, seen, group["p_bound"])

    def _keep(self, p: Tensor, seen: Tensor | float, p_bound: float) -> None:
        kept = on_device(seen, p)
        self.state[p] |= {"norm_bound": kept * p_bound, "norm_seen": kept.clone()}

    def _update(self, gradient: list[Tensor], weights: list[Tensor], layers: list[Tensor], group: Group) -> None:
        if group["p_bound"] is None:
            fromage_(gradient, weights, None, learning_rate=group["lr"])
            return
        live = norms(weights)
        states = [self.state[p] for p in layers]
        for k, own in enumerate(states):
            if len(own) < len(self.numbers):
                self._complete(own, layers[k], live[k], group["p_bound"])
        seen, bounds = (torch.stack([own[name] for own in states]) for name in self.numbers[::-1])
        # without waiting for the device; NaN, as in states of older versions, leaves the bound as it is
        loaded = (live - seen).abs() > tolerance(layers[0].dtype) * seen
        limits = torch.where(loaded, group["p_bound"] * live, bounds)
        reached = fromage_(gradient, weights, limits, learning_rate=group["lr"], sizes=live)
        torch._foreach_copy_([own["norm_bound"] for own in states], limits.unbind())
        torch._foreach_copy_(
            [own["norm_seen"] for own in states], torch.where(reached.isfinite(), reached, seen).unbind()
        )

    def _complete(self, own: dict[str, Any], p: Tensor, size: Tensor, p_bound: float) -> None:
        """Fill in what a foreign state lacks, from the present norm, or one of an older version, which saw none."""
        if "norm_bound" not in own:
            self._keep(p, size, p_bound)
        own.setdefault("norm_seen", on_device(float("nan"), p))


class LARS(_Layerwise):
    """LARS as the foil of the Fromage paper: the same relative step without the prefactor, so norms grow.

    W <- W - eta (||W||_F / ||g||_F) g        (arXiv 2002.03432, eq. 5)

    Parameters, errors and warnings as :class:`Fromage`, without ``p_bound``.

    Examples
    --------
    >>> import torch
    >>> from normbench.torch import LARS
    >>> model, x = torch.nn.Linear(3, 2, bias=False), torch.randn(8, 3)
    >>> optimizer = LARS(model.parameters(), lr=0.01)
    >>> before = (model(x) - 1).square().mean()
    >>> before.backward()
    >>> optimizer.step()
    >>> (model(x) - 1).square().mean() < before
    tensor(True)
    """

    key = "lars"

    def __init__(self, params: Iterable[Any], lr: float | Tensor = _LARS["learning_rate"]) -> None:
        super().__init__(params, {"lr": lr})

    def _update(self, gradient: list[Tensor], weights: list[Tensor], layers: list[Tensor], group: Group) -> None:
        lars_(gradient, weights, learning_rate=group["lr"])
