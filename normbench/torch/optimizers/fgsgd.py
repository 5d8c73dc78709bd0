"""FG-SGD as a ``torch.optim.Optimizer``: weights on products of scaled manifolds (M. Ozay, Algorithm 1)."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from normbench import manifolds
from normbench.errors import InvalidArgumentError
from normbench.torch.fgsgd import deviations_at, indices, layer_step, learning_rate_at
from normbench.torch.geometry import MANIFOLDS
from normbench.torch.optimizers.base import Closure, Group, check_options, evaluate

MOMENTUM = 0.1  # of the running standard deviations, as in torch's batch normalisation


class FGSGD(torch.optim.Optimizer):
    """FG-SGD: stochastic gradient descent on products of manifolds (POMs) of a layer's blocks of channels.

    omega' = phi_omega(-(r(t) / zeta) grad),   r(t) = lr / (1 + t)^decay,   zeta = max(1, R_g (2 + R_g))
    (M. Ozay, "Fine-grained Optimization of Deep Neural Networks", Algorithm 1, eq. 2-7)

    with grad the Riemannian gradient of a POM, R_g its norm, phi the exponential map (Stiefel: a retraction), and
    W = gamma / lambda omega, gamma = 1 / sqrt(fan-in + channels_out * positions). A component is one height x width
    matrix of a kernel, or a whole block of a matrix or of a 1 x 1 kernel.

    The constructor moves the parameters: to the nearest points of their manifolds, scaled by gamma. lambda is 1 unless
    :meth:`track` measures it. To resume, make the optimiser first, load model and optimiser after it, and call
    :meth:`track` again: the constructor moves the parameters of the model that it is given.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) or of groups
        Matrices (fan_out, fan_in) and kernels (out, in, height, width); biases go to another optimiser.
    lr : float or Tensor
        r0; named as torch's schedulers expect it.
    decay : float
        Above 1/2, at most 1, so that sum r = inf and sum r^2 < inf (eq. 4).
    manifold : str
        "sphere" (unit Frobenius norm), "stiefel" (orthonormal columns, or rows if there are fewer) or "oblique"
        (columns of unit norm).
    grouping : str
        Channels that are split into sets, at random and for good: "pi" input, "po" output, "pio" both.
    groups : int
        Sets per split side of a layer.
    partition_seed : int
        Seeds the sets.
    positions : int
        Pixels of the output map of the kernels in the group.

    Raises
    ------
    InvalidArgumentError
        If an option is unknown or out of range, or a parameter is no weight or has a component that is zero.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 10.0,
        *,
        decay: float = 0.6,
        manifold: str = "sphere",
        grouping: str = "pio",
        groups: int = 2,
        partition_seed: int = 0,
        positions: int = 1,
    ) -> None:
        defaults = {"lr": lr, "decay": decay, "manifold": manifold, "grouping": grouping, "groups": groups}
        super().__init__(params, defaults | {"partition_seed": partition_seed, "positions": positions})

    def add_param_group(self, param_group: Group) -> None:
        """Add a group; its index sets are fixed and its weights put on their manifolds now."""
        check_options(self, "fgsgd", param_group, "positions")
        _check_positions(param_group.get("positions", self.defaults["positions"]))
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group |= {"count": 0, "step_size": 0.0}
        first = sum(len(other["params"]) for other in self.param_groups[:-1])
        for index, p in enumerate(group["params"]):
            names = group.get("param_names")
            self._place(p, group, first + index, f"parameter {repr(names[index]) if names else index}")

    @torch.no_grad()
    def _place(self, p: Tensor, group: Group, layer: int, name: str) -> None:
        manifolds.check_shape(tuple(p.shape), name)
        sets = manifolds.partition(tuple(p.shape), layer=layer, **_grouping(group))
        point = manifolds.nearest(p.detach().cpu().double().numpy(), sets, group["manifold"], name)
        p.copy_(torch.from_numpy(point * manifolds.scale(tuple(p.shape), positions=group["positions"])))
        one = torch.ones((), dtype=torch.promote_types(p.dtype, torch.float32), device=p.device)
        self.state[p] |= {"layer": layer, "deviation": one}

    def track(self, model: torch.nn.Module) -> list[torch.utils.hooks.RemovableHandle]:
        """Measure lambda, the running standard deviation of what feeds each weight, in every training forward pass.

        lambda <- 0.9 lambda + 0.1 std(inputs), from 1 on; the weights are scaled by gamma / max(1, lambda) at the next
        step: the paper rescales once an epoch. Evaluation mode measures nothing. The processes of distributed training
        see different inputs, and would scale their weights differently.

        Parameters
        ----------
        model : torch.nn.Module
            Its Linear and Conv2d modules whose weights are among the parameters are tracked.

        Returns
        -------
        list of torch.utils.hooks.RemovableHandle
            ``handle.remove()`` ends it.

        Raises
        ------
        InvalidArgumentError
            If the model has no such module.
        """
        kinds = (torch.nn.Linear, torch.nn.Conv2d)
        found = [m for m in model.modules() if isinstance(m, kinds) and m.weight in self.state]
        if not found:
            raise InvalidArgumentError(
                "track() found no Linear or Conv2d module whose weight this FGSGD moves; pass the model that it trains."
            )
        return [module.register_forward_pre_hook(self._observe) for module in found]

    @torch.no_grad()
    def _observe(self, module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if module.training:
            state = self.state[module.weight]
            deviation = inputs[0].to(state["deviation"].dtype).std(correction=0)
            state["feature_std"] = torch.lerp(state.get("feature_std", torch.ones_like(deviation)), deviation, MOMENTUM)

    @torch._disable_dynamo  # torch.compiler.disable would load the compiler at import; the index sets are NumPy's
    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Tensor | None:
        """Take one step from ``p.grad``; parameters without a gradient stay. ``group["step_size"]`` is then r(t)."""
        loss = evaluate(closure)
        for group in self.param_groups:
            rate = learning_rate_at(group["count"], learning_rate=group["lr"], decay=group["decay"])
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, group, rate)
            group["count"] += 1
            group["step_size"] = rate
        return loss

    def _move(self, p: Tensor, group: Group, rate: float) -> None:
        state = self.state[p]
        now = state["deviation"]
        (deviation,) = deviations_at(group["count"], [state.get("feature_std", now)], 1)
        gamma = manifolds.scale(p.shape, positions=group["positions"])
        index = indices(p.shape, p.device, layer=state["layer"], **_grouping(group))
        G, W = (tensor.to(now.dtype) for tensor in (p.grad, p))  # half precision cannot be factorised
        manifold = MANIFOLDS[group["manifold"]]
        p.copy_(layer_step(G, W, index, manifold, rate=rate, gamma=gamma, deviations=(now, deviation)))
        state["deviation"] = torch.as_tensor(deviation, dtype=now.dtype, device=now.device)


def _check_positions(positions: object) -> None:
    if isinstance(positions, bool) or not isinstance(positions, int) or positions < 1:
        raise InvalidArgumentError(f"positions must be an integer of at least 1; got {positions!r}.")


def _grouping(group: Group) -> dict[str, Any]:
    return {name: group[name] for name in ("grouping", "groups", "partition_seed")}
