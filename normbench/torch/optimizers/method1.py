"""Method 1 as a ``torch.optim.Optimizer`` (arXiv 2312.10672)."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.torch import method1
from normbench.torch.closure import ClosureCurve
from normbench.torch.optimizers.base import (
    KEYS_OF_TORCH,
    Closure,
    Group,
    label,
    move,
    remember_radii,
    require_trainable,
)
from normbench.torch.optimizers.ranks import Ranks


class Method1(torch.optim.Optimizer):
    """Method 1: a Hessian-free automatic step along the geodesic on the product of spheres.

    Gamma_i(t) = W_i cos t + mu_i V_i sin t, with t chosen by Algorithm 2       (arXiv 2312.10672, eq. 5-8)

    There is no learning rate. Every parameter keeps its Frobenius norm mu_i, whatever its shape: a kernel is one layer.
    Biases and gains, which may be zero and need their norms free, go into a group of their own, an extension of ours:
    ``{"params": ..., "manifold": "euclidean", "radius": rho}`` moves each of them along p - t rho g / ||g|| with the
    same t; rho is 1 unless given. Groups without these options lie on spheres.

    The second derivatives come from the closure by differentiating its gradient again, or, with ``module``, from one
    run of the closure in forward mode, which keeps no graph. Networks wrapped by torch.compile have neither. The step
    decides on the host how far to go, and waits for the device.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) or of groups
        Weights of any shape, on one device.
    order : int
        Order of the Taylor polynomial, 2 to 4.
    trust_region : float
        Largest step, in radians.
    max_halvings : int
        How often a step may be halved until the closure's loss does not rise; 0 switches the safeguard off.
    module : torch.nn.Module, optional
        What the closure evaluates and where all parameters are; the closure must reach them through it.
    process_group : torch.distributed.ProcessGroup, optional
        For data-parallel training: loss, gradient and derivatives are averaged over the group, e.g.
        ``torch.distributed.group.WORLD``, so that all processes, begun with equal weights, take the same step. The
        closure then evaluates the bare module on this process's share of the data, not its DistributedDataParallel
        wrapper, whose own averaging belongs to backward().

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter or an option of a group is unknown or out of range, or a parameter is frozen, is not part of
        the module, or is zero and shall lie on a sphere.
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        order: int = 2,
        trust_region: float = math.pi / 6,
        max_halvings: int = 20,
        module: torch.nn.Module | None = None,
        process_group: Any = None,
    ) -> None:
        given = {"order": order, "trust_region": trust_region, "max_halvings": max_halvings}
        self._module = module
        self._verified = False
        self._ranks = Ranks(process_group)
        own = {"manifold": "sphere", "radius": None, "step_size": 0.0}
        super().__init__(params, specs.get("method1").resolve(given) | own)

    def __getstate__(self) -> dict[str, Any]:
        # torch's keeps nothing but its own attributes, and copies would lose these
        own = {"_module": self._module, "_verified": self._verified, "_ranks": self._ranks}
        return super().__getstate__() | own

    def add_param_group(self, param_group: Group) -> None:
        """Add a group; its radii are fixed now."""
        unknown = sorted(param_group.keys() - KEYS_OF_TORCH - {"manifold", "radius"})
        if unknown:
            raise InvalidArgumentError(
                f"Method1 has no option {', '.join(unknown)} of a parameter group. A group takes: manifold, radius."
            )
        manifold, radius = param_group.get("manifold", "sphere"), param_group.get("radius")
        super().add_param_group({**param_group, "radius": _radius(manifold, radius)})
        group = self.param_groups[-1]
        require_trainable("Method1", group)
        self._require_in_module(group)
        if manifold == "sphere":
            remember_radii(group, self.state)

    def _require_in_module(self, group: Group) -> None:
        if self._module is None:
            return
        inside = {id(p) for p in self._module.parameters()}
        for index, p in enumerate(group["params"]):
            if id(p) not in inside:
                raise InvalidArgumentError(
                    f"{label(group, index)} is not a parameter of module. Give the module that holds all of them."
                )

    @torch.no_grad()
    def step(self, closure: Closure | Sequence[Closure]) -> Tensor:
        """Take one step; the step size is then in ``param_groups[0]["step_size"]``, 0 if nothing lowers the loss.

        Parameters
        ----------
        closure : callable, or sequence of callables
            Evaluates the model and returns the loss *without* calling ``backward()``: the step differentiates the
            loss twice along the curve. It must give the same loss for the same weights (no dropout, one batch). Of
            several, one for each part of the data, the loss is the sum, and no more than one graph is in memory.
            Running statistics of batch normalisation follow every evaluation.

        Returns
        -------
        Tensor
            Loss before the step.
        """
        closures = [closure] if callable(closure) else list(closure)
        if not closures:
            raise InvalidArgumentError("closure must be a callable or a sequence of at least one; got an empty one.")
        group = self.param_groups[0]
        for own in self.param_groups:
            require_trainable("Method1", own)
        layers = [p for own in self.param_groups for p in own["params"]]
        objective = ClosureCurve(layers, closures, self._module, self._ranks.average, verified=self._verified)
        start = objective.start()
        accepted, tau, _ = method1.method1(
            objective,
            start,
            [self.state[p]["radius"] if own["radius"] is None else own["radius"] for own, p in self._owned()],
            order=group["order"],
            trust_region=group["trust_region"],
            max_halvings=group["max_halvings"],
            flat=[own["manifold"] == "euclidean" for own, _ in self._owned()],
        )
        move(layers, accepted.weights)
        self._module, self._verified = objective.module, objective.verified
        group["step_size"] = tau
        return start.loss

    def _owned(self) -> list[tuple[Group, Tensor]]:
        """Every parameter with its group."""
        return [(group, p) for group in self.param_groups for p in group["params"]]


def _radius(manifold: object, radius: object) -> float | None:
    """The radius of a Euclidean group; None for spheres, where every parameter has its own.

    Raises
    ------
    InvalidArgumentError
        If there is no such manifold, or the radius does not belong there.
    """
    if manifold not in ("sphere", "euclidean"):
        raise InvalidArgumentError(f"manifold must be 'sphere' or 'euclidean'; got {manifold!r}.")
    if manifold == "sphere":
        if radius is not None:
            raise InvalidArgumentError(
                f"radius belongs to manifold 'euclidean'; got {radius!r} on a sphere, whose radius is the norm of the "
                "parameter. Leave it out."
            )
        return None
    if radius is None:
        return 1.0
    if isinstance(radius, bool) or not isinstance(radius, int | float) or not 0.0 < radius < math.inf:
        raise InvalidArgumentError(f"radius must be positive and finite; got {radius!r}.")
    return float(radius)
