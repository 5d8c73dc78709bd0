"""Method 1 as a ``torch.optim.Optimizer`` (arXiv 2312.10672)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.numbers import positive
from normbench.torch.optimizers import gate
from normbench.torch.optimizers.base import INERT_RATE, live_radii, require_no_rate
from normbench.torch.optimizers.closure import ClosureCurve
from normbench.torch.optimizers.gate import Group, label
from normbench.torch.optimizers.walking import Walking
from normbench.torch.updates.method1 import method1

_DEFAULTS = specs.get("method1").defaults


class Method1(Walking):
    """Method 1: a Hessian-free automatic step along the geodesic on the product of spheres.

    Gamma_i(t) = W_i cos t + mu_i V_i sin t, with t chosen by Algorithm 2       (arXiv 2312.10672, eq. 5-8)

    There is no learning rate: ``lr`` in the groups is 1 for loggers, and a step refuses another value. Every parameter
    keeps its Frobenius norm mu_i, whatever its shape: a kernel is one layer. Weights that are loaded later keep the
    norm that they come with. Biases and gains, which may be zero and need their norms free, go into a group of their
    own, an extension of ours: ``{"params": ..., "manifold": "euclidean", "radius": rho}`` moves each of them along
    p - t rho g / ||g|| with the same t; rho is 1 unless given. Groups without these options lie on spheres.

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
        If a hyperparameter or an option of a group is unknown or out of range, or a parameter is frozen, sharded, holds
        NaN, is not part of the module, or is zero and shall lie on a sphere.

    Warns
    -----
    NotReachedWarning
        If the loss of a step does not reach some parameters: once for the same ones. They stay where they are. If it
        reaches none, the step raises.

    Examples
    --------
    >>> import torch
    >>> from normbench.torch import Method1
    >>> model, x = torch.nn.Linear(3, 2, bias=False), torch.randn(8, 3)
    >>> optimizer = Method1(model.parameters())
    >>> before = optimizer.step(lambda: (model(x) - 1).square().mean())
    >>> (model(x) - 1).square().mean() < before
    tensor(True)
    """

    key = "method1"
    own: ClassVar[tuple[str, ...]] = ("manifold", "radius")

    def __init__(
        self,
        params: Iterable[Any],
        *,
        order: int = _DEFAULTS["order"],
        trust_region: float = _DEFAULTS["trust_region"],
        max_halvings: int = _DEFAULTS["max_halvings"],
        module: torch.nn.Module | None = None,
        process_group: Any = None,
    ) -> None:
        options = {"order": order, "trust_region": trust_region, "max_halvings": max_halvings}
        super().__init__(params, options, module=module, process_group=process_group)

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        require_no_rate("Method1", options)
        shared = gate.check_hyperparameters("method1", self._shared(options))
        manifold = options.get("manifold", "sphere")
        return shared | {"lr": INERT_RATE, "manifold": manifold, "radius": _radius(manifold, options.get("radius"))}

    def _require(self, group: Group) -> None:
        super()._require(group)
        for index, p in enumerate(group["params"]):
            if p.dim() == 0 and group["manifold"] == "sphere":
                raise InvalidArgumentError(
                    f"{label(group, index)} is a single number, which keeps its norm only by staying where it is. "
                    'Give it to a group with "manifold": "euclidean".'
                )

    def _enter(self, group: Group) -> None:
        if group["manifold"] == "sphere":
            live_radii(group, self.state)

    def _prepared(self) -> list[float]:
        """The radius of every parameter: the norm that it has, or the length of its velocity if it moves straight."""
        return [
            radius
            for group in self.param_groups
            for radius in (
                live_radii(group, self.state)
                if group["manifold"] == "sphere"
                else [group["radius"]] * len(group["params"])
            )
        ]

    def _walk(self, objective: ClosureCurve, start: Any, prepared: list[float]) -> tuple[Sequence[Tensor], float]:
        shared = self._shared(self.param_groups[0])
        straight = [group["manifold"] == "euclidean" for group in self.param_groups for _ in group["params"]]
        found = method1(**shared, straight=straight).step(objective, start, prepared)
        return found.point.weights, found.step_size


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
    return float(_DEFAULTS["radius"]) if radius is None else positive("radius", radius)
