"""The polar average as a ``torch.optim.Optimizer``: our own mini-batch rule at a Lipschitz bound."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from normbench import specs
from normbench.torch.norms import wide
from normbench.torch.optimizers import balls, gate
from normbench.torch.optimizers.averages import MODE, Averaging
from normbench.torch.optimizers.base import INERT_RATE, Closure, dense, evaluate, require_no_rate
from normbench.torch.optimizers.gate import Group, require_trainable
from normbench.torch.optimizers.uncast import Uncast
from normbench.torch.precision import full_precision
from normbench.torch.updates.polar_average import moved

_DEFAULTS = specs.get("polar_average").defaults


class PolarAverage(Uncast, Averaging):
    """Polar average: steps to the corner of the spectral ball that the averaged gradients point to, and their mean.

    m <- momentum m + (1 - momentum) g,   W <- (1 - eta) W - eta radius polar(m),   eta = 2 / (k + offset)
    A <- A + rho (W - A),   rho = (power + 1) / (k + power + 1),   k = 0, 1, ...

    so that ||W||_op <= radius and ||A||_op <= radius at every iterate, rounding in the parameter's own dtype included.
    Nothing depends on how long the run will be, nor on the size of the gradients; there is no learning rate: ``lr`` in
    the groups is 1 for loggers, and a step refuses another value. ``step_size`` is eta.

    The parameters hold W, where gradients are to be taken. What to evaluate, validate and ship is the average A:
    :meth:`eval` puts it into the parameters and :meth:`train` puts W back, as schedule-free optimisers have it. Both do
    nothing where it is done already; a step in between is refused. Weights are loaded in training mode.

    Each parameter is a matrix for itself: a kernel (out, in, height, width) as (out, in height width), a vector as one
    column. One without a gradient counts as one whose gradient is zero, and a warning names it once.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) or of groups
        Weights and vectors of any shape, on one device; a group may have options of its own.
    momentum : float
        Decay of the average of the gradients.
    offset : int
        c of eta = 2 / (k + c), at least 2.
    power : int
        The average gives the k-th iterate about the weight k^power.
    radius : float, optional
        Of the balls; None takes the operator norm that each weight has now.

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter is unknown or out of range, or a parameter is frozen, sharded, a single number, holds NaN,
        lies outside its ball, or is zero where no radius is given.

    Warns
    -----
    NotReachedWarning
        Once, if a parameter has no gradient.

    Examples
    --------
    >>> import torch
    >>> from normbench.torch import PolarAverage
    >>> model, x = torch.nn.Linear(3, 2, bias=False), torch.randn(8, 3)
    >>> optimizer = PolarAverage(model.parameters(), radius=2.0)
    >>> before = (model(x) - 1).square().mean()
    >>> for _ in range(10):
    ...     optimizer.zero_grad()
    ...     (model(x) - 1).square().mean().backward()
    ...     optimizer.step()
    >>> optimizer.eval()
    >>> (model(x) - 1).square().mean() < before
    tensor(True)
    >>> optimizer.train()
    """

    key = "polar_average"
    kept: ClassVar[dict[str, Any]] = {"count": 0, "step_size": 0.0} | MODE

    def __init__(
        self,
        params: Iterable[Any],
        *,
        momentum: float = _DEFAULTS["momentum"],
        offset: int = _DEFAULTS["offset"],
        power: int = _DEFAULTS["power"],
        radius: float | None = _DEFAULTS["radius"],
    ) -> None:
        super().__init__(params, {"momentum": momentum, "offset": offset, "power": power, "radius": radius})

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        require_no_rate("PolarAverage", options)
        declared = {name: value for name, value in options.items() if name not in ("lr", "radius")}
        radius = balls.checked_radius(options.get("radius"))
        return gate.check_hyperparameters("polar_average", declared) | {"radius": radius, "lr": INERT_RATE}

    def _require(self, group: Group) -> None:
        name = "PolarAverage"
        gate.require_unsharded(name, reason="the average is of all parameters at the same steps")
        gate.require_tensors(name, group)
        require_trainable(name, group)
        gate.require_whole(name, group, beside=[p for other in self.param_groups for p in other["params"]])
        gate.require_finite(group)
        balls.require_matrices(name, group)

    def _enter(self, group: Group) -> None:
        balls.enter(group, self.state)

    def _average(self, p: Tensor) -> Tensor | None:
        own = self.state[p]
        return own["average"].to(p.device) / own["radius"] if "average" in own else None

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        """Take one step from ``p.grad``; the step size is then in ``param_groups[0]["step_size"]``.

        A gradient that is not finite makes its parameter NaN, also where :meth:`eval` would put the average. The state
        stays, and the step does not count, so that a run goes on where its weights are restored.

        Raises
        ------
        InvalidArgumentError
            If the parameters hold the averages, or one lies outside its ball, because it was loaded or changed.
        """
        loss = evaluate(closure)
        self._require_same_shapes()
        for group in self.param_groups:
            self._require_ready(group)
        parameters = [p for group in self.param_groups for p in group["params"]]
        missing = [name for name, p in zip(self._names(), parameters, strict=True) if p.grad is None]
        if missing:
            self._warn_of_missing_gradients(missing, len(parameters))
        if len(missing) == len(parameters):
            return loss
        for group in self.param_groups:
            eta = 2 / (group["count"] + group["offset"])
            rho = (group["power"] + 1) / (group["count"] + group["power"] + 1)
            with full_precision(group["params"]):
                finite = [self._move(p, group["momentum"], eta, rho) for p in group["params"]]
            group["count"] += all(finite)
            group["step_size"] = eta
        return loss

    def _require_ready(self, group: Group) -> None:
        require_no_rate("PolarAverage", group)
        require_trainable("PolarAverage", group)
        self._require_iterates(group)
        balls.require_there(group, self.state)

    def _move(self, p: Tensor, momentum: float, eta: float, rho: float) -> bool:
        """Move one parameter; False where it or its gradient is not finite."""
        own = self.state[p]
        kind = wide([p] if p.grad is None else [p, p.grad])
        weight = balls.as_matrix(p).to(kind)
        gradient = torch.zeros_like(weight) if p.grad is None else balls.as_matrix(dense(p.grad)).to(kind)
        if not bool(weight.isfinite().all() & gradient.isfinite().all()):
            p.fill_(torch.nan)
            return False
        m = momentum * own.get("momentum", torch.zeros_like(weight)).to(weight) + (1 - momentum) * gradient
        own["momentum"] = m
        if m.any():  # else it rests, with all its bits
            p.copy_(balls.within(moved(weight / own["radius"], m, eta), p, own["radius"]))
            weight = balls.as_matrix(p).to(kind)
        average = own.get("average", weight).to(weight)
        own["average"] = average + rho * (weight - average)
        return True
