"""What the optimiser classes share: the way into a parameter group, what a state keeps, and a closure's call."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from normbench.errors import InvalidArgumentError, NotReachedWarning
from normbench.torch.norms import WITHOUT_FLOAT64, host_norms
from normbench.torch.optimizers import gate
from normbench.torch.optimizers.gate import KEYS_OF_TORCH, Group, label

Closure = Callable[[], Any]

NAMED = 6  # parameters in one message
OF = "optimiser"  # where a stored state says whose it is: beside what torch stores, so that a state without loads, too
INERT_RATE = 1.0  # of classes without a learning rate, in group["lr"], which torch's schedulers and loggers read


class Gated(torch.optim.Optimizer):
    """An optimiser whose groups pass the gate and whose state survives torch.save at every dtype.

    Attributes
    ----------
    key : str
        Of its spec.
    differentiates : bool
        Whether a step takes a closure that returns the loss, and differentiates that itself.
    kept : dict
        What a step leaves in a group, with its first value.
    numbers : tuple of str
        Names of a parameter's state that are single numbers on the device. ``state_dict`` holds them as Python
        numbers: torch would cast tensors to the parameter's dtype on loading, and half precision would lose digits.
    """

    key: ClassVar[str]
    differentiates: ClassVar[bool] = False
    kept: ClassVar[dict[str, Any]] = {}
    numbers: ClassVar[tuple[str, ...]] = ()
    _told = False  # of missing gradients
    _shapes: Sequence[list[torch.Size]] = ()  # of the parameters of every group, when it was added

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        super().__init__(gate.no_module(params), self._checked(defaults))

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options of a group, complete, as numbers of Python; raises for a value that is out of range."""
        return gate.check_hyperparameters(self.key, options)

    def _require(self, group: Group) -> None:
        """Raise for a parameter that this class cannot move."""
        gate.require_tensors(type(self).__name__, group)
        gate.require_finite(group)

    def _enter(self, group: Group) -> None:
        """Take from new parameters what the state keeps of them."""

    def add_param_group(self, param_group: Group) -> None:
        """Add a group; its options and parameters are checked now."""
        group = gate.listed(param_group)
        if gate.is_group(group):
            group = {name: value for name, value in group.items() if name not in self.kept}
            gate.check_keys(type(self).__name__, group, self.defaults)
            own = {name: group.get(name, value) for name, value in self.defaults.items() if name not in KEYS_OF_TORCH}
            group |= self._checked(own)
            self._require(group)
        super().add_param_group(group)
        try:
            self._enter(self.param_groups[-1])
        except InvalidArgumentError:
            for p in self.param_groups.pop()["params"]:
                self.state.pop(p, None)
            raise
        self.param_groups[-1] |= self.kept
        self._shapes = [*self._shapes, _shapes(self.param_groups[-1])]

    def _require_same_shapes(self) -> None:
        """Refuse groups whose parameters a wrapper has replaced: a flat part of several layers is no layer."""
        for index, (group, shapes) in enumerate(zip(self.param_groups, self._shapes, strict=False)):
            found = _shapes(group)
            if found != shapes:
                raise InvalidArgumentError(
                    f"the parameters of group {index} of {type(self).__name__} have the shapes "
                    f"{[tuple(shape) for shape in found[:NAMED]]} and had {[tuple(shape) for shape in shapes[:NAMED]]} "
                    "when it was made. If a wrapper (DeepSpeed ZeRO) has put flat parts of layers there, use "
                    "DistributedDataParallel or fully_shard; else make the optimiser anew."
                )

    def state_dict(self) -> dict[str, Any]:
        """All that a run needs to go on with the same bits, in numbers of Python and tensors that torch keeps whole."""
        stored = super().state_dict()
        groups = [{name: _plain(value) for name, value in group.items()} for group in stored["param_groups"]]
        state = {p: self._as_numbers(own) for p, own in stored["state"].items()}
        return {**stored, "state": state, "param_groups": groups, OF: self.key}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state of this class, or one that does not say its class, as those of older versions and of torch."""
        of = state_dict.get(OF, self.key)
        if of != self.key:
            raise InvalidArgumentError(
                f"the state is none of {type(self).__name__}: it is of the optimiser {of!r}, not {self.key!r}. Load it "
                f"into that one, or leave it: this optimiser starts from the weights. To go on with its numbers all "
                f"the same, remove state[{OF!r}]."
            )
        super().load_state_dict(state_dict)

    def _as_numbers(self, own: Any) -> Any:
        if not isinstance(own, dict):
            return own
        return {
            name: value.item() if name in self.numbers and isinstance(value, Tensor) else value
            for name, value in own.items()
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        # load_state_dict and unpickling end here; older states lack keys, those of another class have foreign values
        groups = state.get("param_groups", [])
        for group, present in zip(groups, self.__dict__.get("param_groups", groups), strict=True):
            for name in self._option_names() | self.kept.keys():
                group.setdefault(name, present.get(name, self.kept.get(name)))
            self._check_loaded(group)
        super().__setstate__(state)
        if not self._shapes:  # a copy, or out of a file
            self._shapes = [_shapes(group) for group in self.param_groups]
        for p, own in self.state.items():
            for name in self.numbers:
                if isinstance(p, Tensor) and isinstance(own, dict) and name in own:
                    own[name] = on_device(own[name], p)

    def _check_loaded(self, group: Group) -> None:
        own = {name: value for name, value in group.items() if name in self._option_names()}
        try:
            gate.check_keys(type(self).__name__, group, [*own, *self.kept])
            self._checked(own)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"the state is none of {type(self).__name__}: {error}") from error

    def _option_names(self) -> set[str]:
        return set(self._checked({}))

    def _warn_of_missing_gradients(self, missing: Sequence[str], total: int) -> None:
        """Say once by name which parameters have no gradient."""
        if self._told:
            return
        self._told = True
        name = type(self).__name__
        if len(missing) == total:  # e.g. a step before the first backward()
            what = f"not one of the {total} parameters of {name} has a gradient, so its step moves nothing"
        else:
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            have = "has" if len(missing) == 1 else "have"
            what = f"{', '.join(missing[:NAMED])}{more} of {name} {have} no gradient and will not move"
        warnings.warn(
            f"{what}. Either backward() was not called or does not reach them, or the model has got other parameters "
            "since the optimiser was made (load_state_dict(assign=True), deepcopy, some .to()): then make it anew.",
            NotReachedWarning,
            stacklevel=2,
        )

    def _names(self) -> list[str]:
        """How messages call the parameters of all groups, in order."""
        return [label(group, k) for group in self.param_groups for k in range(len(group["params"]))]


def _shapes(group: Group) -> list[torch.Size]:
    return [p.shape for p in group["params"]]


def require_no_rate(name: str, options: Mapping[str, Any]) -> None:
    """Refuse a learning rate that somebody has set: this class would not follow it."""
    rate = options.get("lr", INERT_RATE)
    if not isinstance(rate, int | float | np.number | Tensor) or rate != INERT_RATE:
        raise InvalidArgumentError(
            f"{name} has no learning rate; got lr = {rate!r}. It keeps lr = {INERT_RATE} for loggers alone: "
            "leave it so, and take schedulers off."
        )


def on_device(number: float | Tensor, p: Tensor) -> Tensor:
    """A number of a parameter's state as a tensor without axes beside it, in the widest float of its device."""
    kind = torch.float32 if p.device.type in WITHOUT_FLOAT64 else torch.float64
    return torch.as_tensor(number, dtype=kind, device=p.device)


def dense(gradient: Tensor) -> Tensor:
    """A gradient without holes: embeddings may leave sparse ones, and every update here moves all rows."""
    return gradient if gradient.layout is torch.strided else gradient.to_dense()


def live_radii(group: Group, state: dict[Tensor, Any]) -> list[float]:
    """The radii of the spheres on which a group's weights lie now.

    The radius that was kept, or ||W_i||_F where that is another, or none was: weights that were loaded, or changed
    otherwise, keep the norm that they have got.
    """
    radii = []
    for index, (p, size) in enumerate(zip(group["params"], host_norms(group["params"]), strict=True)):
        kept = state[p].get("radius", math.nan)
        if not abs(size - kept) <= tolerance(p.dtype) * kept:
            _require_on_sphere(group, index, size)
            state[p]["radius"] = size
        radii.append(state[p]["radius"])
    return radii


def tolerance(kind: torch.dtype) -> float:
    """By how much of itself a norm may have changed through rounding alone."""
    return max(1e-3, 16 * torch.finfo(kind).eps)


def _require_on_sphere(group: Group, index: int, radius: float) -> None:
    if radius == 0.0:
        raise InvalidArgumentError(
            f"{label(group, index)} is zero and lies on no sphere. Initialise it, or give it to another optimiser."
        )


def move(layers: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
    """Write the new weights into the parameters, each in its own dtype."""
    if layers:
        torch._foreach_copy_(list(layers), list(weights))


def evaluate(closure: Closure | None) -> Any:
    """Call a closure that may call backward(), as torch's own optimisers do."""
    if closure is None:
        return None
    with torch.enable_grad():
        return gate.closure_of_a_loss(closure)()


def _plain(value: Any) -> Any:
    """NumPy scalars, which schedulers may leave, as numbers of Python."""
    return value.item() if isinstance(value, np.generic) else value
