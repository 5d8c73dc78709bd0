"""Method 1 as a ``torch.optim.Optimizer`` (arXiv 2312.10672)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from normbench import specs
from normbench.backends.method import Step
from normbench.errors import InvalidArgumentError
from normbench.numbers import positive
from normbench.torch.optimizers import gate
from normbench.torch.optimizers.base import (
    INERT_RATE,
    Closure,
    Gated,
    live_radii,
    move,
    require_no_rate,
)
from normbench.torch.optimizers.closure import ClosureCurve
from normbench.torch.optimizers.gate import Group, label, require_trainable
from normbench.torch.optimizers.ranks import Ranks
from normbench.torch.optimizers.reach import report_unreached
from normbench.torch.updates.method1 import method1

_DEFAULTS = specs.get("method1").defaults
_SHARED = tuple(specs.get("method1").resolve({}))  # options that all groups have in common


class Method1(Gated):
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
    kept: ClassVar[dict[str, Any]] = {"step_size": 0.0}
    differentiates: ClassVar[bool] = True
    _reported: frozenset[str] = frozenset()  # parameters that the loss did not reach

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
        if module is not None and not isinstance(module, torch.nn.Module):
            raise InvalidArgumentError(f"module must be a torch.nn.Module or None; got {module!r}.")
        self._module = module
        self._verified = self._searched = False
        self._ranks = Ranks(process_group)
        super().__init__(params, {"order": order, "trust_region": trust_region, "max_halvings": max_halvings})

    def __getstate__(self) -> dict[str, Any]:
        # torch's keeps nothing but its own attributes, and copies would lose these
        own = {name: getattr(self, name) for name in ("_module", "_verified", "_searched", "_ranks", "_reported")}
        return super().__getstate__() | own

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        require_no_rate("Method1", options)
        shared = gate.check_hyperparameters("method1", {k: v for k, v in options.items() if k in _SHARED})
        manifold = options.get("manifold", "sphere")
        return shared | {"lr": INERT_RATE, "manifold": manifold, "radius": _radius(manifold, options.get("radius"))}

    def add_param_group(self, param_group: Group) -> None:
        """Add a group; its radii are taken now."""
        if isinstance(param_group, dict) and self.param_groups:
            param_group = {**param_group, **self._in_common(param_group)}
        super().add_param_group(param_group)

    def _in_common(self, group: Group) -> dict[str, Any]:
        """The options that all groups share: those of the first."""
        first = {name: self.param_groups[0][name] for name in _SHARED}
        for name, value in first.items():
            if group.get(name, value) != value:
                raise InvalidArgumentError(
                    f"Method1 has no option {name} of a parameter group. A group takes: manifold, radius. One step "
                    f"moves all groups, and the first has {name} = {value!r}; got {group[name]!r}."
                )
        return first

    def _require(self, group: Group) -> None:
        gate.require_unsharded("Method1")
        gate.require_tensors("Method1", group)
        require_trainable("Method1", group)
        gate.require_whole("Method1", group, beside=self._layers)
        gate.require_finite(group)
        self._require_in_module(group)
        for index, p in enumerate(group["params"]):
            if p.dim() == 0 and group["manifold"] == "sphere":
                raise InvalidArgumentError(
                    f"{label(group, index)} is a single number, which keeps its norm only by staying where it is. "
                    'Give it to a group with "manifold": "euclidean".'
                )

    def _require_in_module(self, group: Group) -> None:
        if self._module is None:
            return
        inside = {id(p) for p in self._module.parameters()}
        for index, p in enumerate(group["params"]):
            if id(p) not in inside:
                raise InvalidArgumentError(
                    f"{label(group, index)} is not a parameter of module. Give the module that holds all of them, and "
                    "make Method1 anew when the module has got other parameters."
                )

    def _enter(self, group: Group) -> None:
        if group["manifold"] == "sphere":
            live_radii(group, self.state)

    @property
    def _layers(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    @torch.no_grad()
    def step(self, closure: Closure | Sequence[Closure]) -> Tensor:
        """Take one step; the step size is then in ``param_groups[0]["step_size"]``, 0 if nothing lowers the loss.

        Where the loss or a derivative is NaN or infinite, so are the new weights and the step size. If the closure
        raises, the weights are those from before.

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

        Raises
        ------
        InvalidArgumentError
            If the closure gives no loss that can be differentiated, the loss reaches none of the parameters, or one of
            them is zero, frozen or no longer in the module.
        """
        closures = _closures(closure)
        self._require_same_shapes()
        for group in self.param_groups:
            require_no_rate("Method1", group)
            require_trainable("Method1", group)
            self._require_in_module(group)
        layers = self._layers
        objective = ClosureCurve(
            layers, closures, self._module, self._ranks.average, verified=self._verified, searched=self._searched
        )
        if not layers:
            return objective.point([]).loss
        radii = self._radii()
        start = objective.start()
        self._reported |= report_unreached(objective, self._names(), self._reported)
        try:
            found = self._move_along(objective, start, radii)
        except BaseException:
            move(layers, start.weights)
            raise
        move(layers, found.point.weights)
        self._module, self._verified, self._searched = objective.module, objective.verified, objective.searched
        for group in self.param_groups:
            group["step_size"] = found.step_size
        return start.loss

    def _move_along(self, objective: ClosureCurve, start: Any, radii: list[float]) -> Step:
        shared = {name: self.param_groups[0][name] for name in _SHARED}
        straight = [group["manifold"] == "euclidean" for group in self.param_groups for _ in group["params"]]
        return method1(**shared, straight=straight).step(objective, start, radii)

    def _radii(self) -> list[float]:
        """Of every parameter: the norm that it has, or the length of the velocity where it moves straight on."""
        return [
            radius
            for group in self.param_groups
            for radius in (
                live_radii(group, self.state)
                if group["manifold"] == "sphere"
                else [group["radius"]] * len(group["params"])
            )
        ]


def _closures(closure: Any) -> list[Closure]:
    given = [closure] if callable(closure) else closure
    try:
        closures = [] if isinstance(given, str | Tensor) else list(given)
    except TypeError:
        closures = []
    if not closures or not all(map(callable, closures)):
        shown = "an empty one" if isinstance(closure, list | tuple) and not closure else repr(closure)
        raise InvalidArgumentError(
            "closure must be a callable that returns the loss, or a sequence of at least one; "
            f"got {shown}. E.g. optimizer.step(lambda: loss_function(model(x), y))."
        )
    return closures


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
