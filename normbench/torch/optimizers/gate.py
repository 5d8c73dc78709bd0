"""The gate: what may enter a parameter group of an optimiser class, and what it says of the rest, by name."""

import difflib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.torch.norms import is_sharded, local

Group = dict[str, Any]

RATE, LR = "learning_rate", "lr"  # the declarations' name, and torch's
KEYS_OF_TORCH = frozenset({"params", "param_names", "differentiable"})
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
COMPLEX = (torch.complex64, torch.complex128)
# keys that torch's optimisers obey: carried along in silence they would change nothing, where their user counts on them
_OBEYED_ELSEWHERE = ("maximize", "weight_decay", "momentum", "p_bound")
_SHARDING = ("torch.distributed.optim", "fairscale.optim")
_CLOSE = 0.8  # of difflib: "p_bond" is a typing mistake, "lr_decay" a label


def listed(param_group: Group) -> Group:
    """A copy of the group whose ``params`` is a list of tensors, with their names apart, as torch keeps them.

    What torch refuses is left as it is, for torch to refuse.
    """
    if not isinstance(param_group, dict) or isinstance(param_group.get("params"), set | None):
        return param_group
    given = no_module(param_group["params"])
    entries = [given] if isinstance(given, Tensor) else list(given)
    group = {**param_group, "params": entries}
    if entries and all(isinstance(entry, tuple) and len(entry) == 2 for entry in entries):
        group |= {"params": [p for _, p in entries], "param_names": [name for name, _ in entries]}
    return group


def is_group(group: Any) -> bool:
    """Whether it is a group of tensors; torch has its own words for what is none."""
    return isinstance(group, dict) and isinstance(p := group.get("params"), list) and all(map(torch.is_tensor, p))


def no_module(params: Any) -> Any:
    """``params`` of a constructor or a group, unless it is a module."""
    if isinstance(params, torch.nn.Module):
        raise InvalidArgumentError(
            f"params must be parameters or groups of them; got the module {type(params).__name__}. "
            "Pass its .parameters() or .named_parameters()."
        )
    return params


def label(group: Group, index: int) -> str:
    """How a message calls a parameter: by its name if torch knows it, else by its place."""
    names, p = group.get("param_names"), group["params"][index]
    shape = "" if torch.nn.parameter.is_lazy(p) else f" of shape {tuple(p.shape)}"
    return f"parameter {repr(names[index]) if names else index}{shape}"


def _tensors(group: Group) -> Iterator[tuple[int, Tensor]]:
    return ((k, p) for k, p in enumerate(group["params"]) if isinstance(p, Tensor))


def check_keys(name: str, group: Group, options: Iterable[str]) -> None:
    """Refuse what looks like an option and is none; all other keys are the caller's labels, as in torch.optim."""
    known = [option for option in options if option not in KEYS_OF_TORCH]
    takes = f"It takes: {', '.join(known) or 'none'}."
    for key, value in group.items():
        if not isinstance(key, str) or key in KEYS_OF_TORCH or key in known:
            continue
        if key == RATE:
            raise InvalidArgumentError(f"{name} has no option {RATE!r}. {takes}")
        if key in _OBEYED_ELSEWHERE and value is not None and bool(value):
            raise InvalidArgumentError(
                f"{name} has no {key!r}; a parameter group asks for {key}={value!r}. Leave it out. {takes}"
            )
        close = difflib.get_close_matches(key.lower(), known, n=1, cutoff=_CLOSE)
        if close:
            raise InvalidArgumentError(f"{name} has no option {key!r}. Did you mean {close[0]!r}? {takes}")


def check_hyperparameters(key: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every hyperparameter of a spec, under torch's names, as a Python number or a tensor learning rate.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown or a value is out of range.
    """
    given = {RATE if name == LR else name: value for name, value in given.items()}
    for name, value in given.items():
        if isinstance(value, Tensor) and value.numel() != 1:
            raise InvalidArgumentError(
                f"{name} must be a number or a tensor of one entry; got a tensor of shape {tuple(value.shape)}. "
                "A value for each part of the parameters goes into a parameter group of its own."
            )
    numbers = {name: value.item() if isinstance(value, Tensor) else value for name, value in given.items()}
    resolved = specs.get(key).resolve(numbers)
    rate = given.get(RATE)
    if isinstance(rate, Tensor) and rate.is_floating_point():
        resolved[RATE] = rate
    return torch_names(resolved)


def closure_of_a_loss(closure: Any) -> Any:
    """The closure of a step that takes its gradients from ``backward()``, unless it is something else: often a loss."""
    if not callable(closure):
        raise InvalidArgumentError(
            f"closure must be a callable that calls backward() and returns the loss; got {closure!r}. Call "
            "loss.backward() and then optimizer.step()."
        )
    return closure


def torch_names(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters of a declaration under the names that torch's schedulers and loggers know."""
    return {LR if name == RATE else name: value for name, value in hyperparameters.items()}


def require_tensors(name: str, group: Group, *, dtypes: tuple[torch.dtype, ...] = DTYPES) -> None:
    """Refuse tensors on which the update has no meaning: kinds, layouts and dtypes."""
    seen: set[Tensor] = set()
    for index, p in _tensors(group):
        reason = _unfit(p, dtypes)
        if reason:
            raise InvalidArgumentError(f"{label(group, index)} {reason}")
        if p in seen:
            raise InvalidArgumentError(f"{label(group, index)} is given twice, and {name} would move it twice.")
        seen.add(p)


def _unfit(p: Tensor, dtypes: tuple[torch.dtype, ...]) -> str:
    """What is wrong with a tensor, and the remedy; empty if nothing is."""
    if torch.nn.parameter.is_lazy(p):
        return "is not initialised yet. Run one batch through the lazy module before you make the optimiser."
    if p.device.type == "meta":
        return "is on the meta device and has no values. Load or initialise it before you make the optimiser."
    if p.is_quantized:
        return "is quantised. Leave it out."
    if p.is_nested:
        return "is a nested tensor. Give its parts as parameters of their own."
    if p.layout is not torch.strided:
        return f"is stored as {p.layout}, not dense. Make it dense (.to_dense()), or leave it out."
    if p.dtype not in dtypes:
        names = ", ".join(str(d).removeprefix("torch.") for d in dtypes)
        return f"holds {str(p.dtype).removeprefix('torch.')}; the update is for {names}. Cast it, or leave it out."
    if getattr(p, "_fsdp_flattened", False):
        return (
            "is a flat shard of FullyShardedDataParallel, which hides where a layer ends. "
            "Use torch.distributed.fsdp.fully_shard, whose parameters keep their shapes."
        )
    return ""


def require_finite(group: Group) -> None:
    """Refuse weights that are not numbers: no step would ever make them some."""
    for index, p in _tensors(group):
        if not bool(torch.isfinite(local(p.detach())).all()):
            raise InvalidArgumentError(
                f"{label(group, index)} holds NaN or infinity. Initialise or load it before you make the optimiser."
            )


def require_weights(name: str, group: Group) -> None:
    """Refuse biases and gains: an update of matrices has no meaning for them."""
    for index, p in _tensors(group):
        if p.dim() < 2:
            raise InvalidArgumentError(
                f"{label(group, index)} is neither a matrix (fan_out, fan_in) nor a kernel (fan_out, fan_in, height, "
                f"width), which is all that {name} moves. Give it to another optimiser, e.g. torch.optim.Adam."
            )


def require_trainable(name: str, group: Group) -> None:
    """Refuse parameters that never get a gradient: they would count as layers."""
    for index, p in _tensors(group):
        if not p.requires_grad:
            raise InvalidArgumentError(
                f"{label(group, index)} is frozen (requires_grad=False). Leave it out of {name}, "
                "or give it to another optimiser once it is free."
            )


def require_whole(name: str, group: Group, *, beside: Sequence[Tensor] = ()) -> None:
    """Refuse parts of a network's layers: a step that couples all of them must see all of them, on one device.

    ``beside`` are those that it has already.
    """
    device = beside[0].device if beside else None
    for index, p in _tensors(group):
        if is_sharded(p):
            raise InvalidArgumentError(
                f"{label(group, index)} is a DTensor, a shard of a weight. The step of {name} couples all layers and "
                "needs them whole: use DistributedDataParallel, or Fromage or LARS on shards."
            )
        if p.numel() == 0:
            raise InvalidArgumentError(
                f"{label(group, index)} has no entries, but would count. Leave it out of {name}."
            )
        device = device or p.device
        if p.device != device:
            raise InvalidArgumentError(
                f"{label(group, index)} is on {p.device}, others are on {device}. The step of {name} couples all "
                "layers: move them to one device, or use Fromage or LARS."
            )


def require_unsharded(name: str, *, reason: str = "the step couples all layers") -> None:
    """Refuse to be made by a wrapper that gives every process, or every parameter, an optimiser of its own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(_SHARDING):
            owner = type(frame.f_locals.get("self")).__name__ if "self" in frame.f_locals else frame.f_code.co_name
            raise InvalidArgumentError(
                f"{name} cannot be made by {owner} of {module}, which shows every optimiser a part of the parameters: "
                f"{reason}. Make it of all parameters; its state is a few numbers, nothing to shard."
            )
        frame = frame.f_back
