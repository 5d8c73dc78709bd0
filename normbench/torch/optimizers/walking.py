"""What the optimisers share that take a closure and differentiate it themselves, to walk along a curve of the loss."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.torch.optimizers import gate
from normbench.torch.optimizers.base import Closure, Gated, move, require_no_rate
from normbench.torch.optimizers.closure import ClosureCurve
from normbench.torch.optimizers.gate import Group, label, require_trainable
from normbench.torch.optimizers.ranks import Ranks
from normbench.torch.optimizers.reach import report_unreached
from normbench.torch.precision import Surroundings, full_precision


class Walking(Gated):
    """An optimiser whose step evaluates closures at the points of a curve; one step moves all groups.

    Its hyperparameters are those of all groups together; ``lr`` is 1 for loggers.

    Attributes
    ----------
    own : tuple of str
        Options that each group has for itself.
    higher : bool
        Whether a step may ask for derivatives beyond the gradient.
    """

    differentiates: ClassVar[bool] = True
    kept: ClassVar[dict[str, Any]] = {"step_size": 0.0}
    own: ClassVar[tuple[str, ...]] = ()
    higher: ClassVar[bool] = True
    _reported: frozenset[str] = frozenset()  # parameters that the loss did not reach

    def __init__(
        self, params: Any, defaults: dict[str, Any], *, module: torch.nn.Module | None = None, process_group: Any
    ) -> None:
        if module is not None and not isinstance(module, torch.nn.Module):
            raise InvalidArgumentError(f"module must be a torch.nn.Module or None; got {module!r}.")
        self._module = module
        self._verified = self._searched = False
        self._ranks = Ranks(process_group)
        super().__init__(params, defaults)

    def __getstate__(self) -> dict[str, Any]:
        # torch's keeps nothing but its own attributes, and copies would lose these
        own = {name: getattr(self, name) for name in ("_module", "_verified", "_searched", "_ranks", "_reported")}
        return super().__getstate__() | own

    def _shared(self, options: Any) -> dict[str, Any]:
        """Those of the options that all groups have in common."""
        return {name: options[name] for name in specs.get(self.key).resolve({}) if name in options}

    def add_param_group(self, param_group: Group) -> None:
        """Add a group; its options and parameters are checked now."""
        if isinstance(param_group, dict) and self.param_groups:
            param_group = {**param_group, **self._in_common(param_group)}
        super().add_param_group(param_group)

    def _in_common(self, group: Group) -> dict[str, Any]:
        """The options that all groups share: those of the first."""
        first = self._shared(self.param_groups[0])
        for name, value in first.items():
            if group.get(name, value) != value:
                raise InvalidArgumentError(
                    f"{type(self).__name__} has no option {name} of a parameter group. A group takes: "
                    f"{', '.join(self.own)}. One step moves all groups, and the first has {name} = {value!r}; got "
                    f"{group[name]!r}."
                )
        return first

    def _require(self, group: Group) -> None:
        name = type(self).__name__
        gate.require_unsharded(name)
        gate.require_tensors(name, group)
        require_trainable(name, group)
        gate.require_whole(name, group, beside=self._layers)
        gate.require_finite(group)
        self._require_in_module(group)

    def _require_in_module(self, group: Group) -> None:
        if self._module is None:
            return
        inside = {id(p) for p in self._module.parameters()}
        for index, p in enumerate(group["params"]):
            if id(p) not in inside:
                name = type(self).__name__
                raise InvalidArgumentError(
                    f"{label(group, index)} is not a parameter of module. Give the module that holds all of them, and "
                    f"make {name} anew when the module has got other parameters."
                )

    @property
    def _layers(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def _prepared(self) -> Any:
        """What a step needs to know of the parameters; raises where they are not what they were."""
        raise NotImplementedError

    def _bends(self, prepared: Any) -> bool:
        """Whether the step is expected to ask for second derivatives."""
        return True

    def _walk(self, objective: ClosureCurve, start: Any, prepared: Any) -> tuple[Sequence[Tensor], float]:
        """The new weights of all parameters, and the step size."""
        raise NotImplementedError

    @torch.no_grad()
    def step(self, closure: Closure | Sequence[Closure] | None = None) -> Tensor:
        """Take one step; the step size is then in ``param_groups[0]["step_size"]``, 0 if nothing lowers the loss.

        Where the loss or a derivative is NaN or infinite, so are the new weights and the step size. If the closure
        raises, the weights are those from before.

        Parameters
        ----------
        closure : callable, or sequence of callables
            Evaluates the model and returns the loss *without* calling ``backward()``: the step differentiates the
            loss itself. It must give the same loss for the same weights (no dropout, one batch). Of several, one for
            each part of the data, the loss is the sum, and no more than one graph is in memory. Running statistics of
            batch normalisation follow every evaluation.

        Returns
        -------
        Tensor
            Loss before the step.

        Raises
        ------
        InvalidArgumentError
            If the closure gives no loss that can be differentiated, the loss reaches none of the parameters, or one of
            them is frozen, no longer in the module, or where the optimiser cannot move it.
        """
        closures = _closures(closure)
        name = type(self).__name__
        self._require_same_shapes()
        for group in self.param_groups:
            require_no_rate(name, group)
            require_trainable(name, group)
            self._require_in_module(group)
        with full_precision(self._layers) as surroundings:
            return self._step(closures, surroundings)

    def _step(self, closures: list[Closure], surroundings: Surroundings) -> Tensor:
        layers, name = self._layers, type(self).__name__
        objective = ClosureCurve(
            layers,
            closures,
            self._module,
            self._ranks.average,
            name=name,
            verified=self._verified,
            searched=self._searched,
            surroundings=surroundings,
            higher=self.higher,
        )
        if not layers:
            return objective.point([]).loss
        prepared = self._prepared()
        start = objective.start(again=self._bends(prepared))
        self._reported |= report_unreached(objective, self._names(), self._reported, name=name)
        try:
            weights, step_size = self._walk(objective, start, prepared)
        except BaseException:
            move(layers, start.weights)
            raise
        move(layers, weights)
        self._module, self._verified, self._searched = objective.module, objective.verified, objective.searched
        for group in self.param_groups:
            group["step_size"] = step_size
        return start.loss


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
