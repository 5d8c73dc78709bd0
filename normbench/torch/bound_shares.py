"""How the weights of a user's network share a Lipschitz bound, and which weights can keep their share."""

import math
from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize as library

from normbench.errors import InvalidArgumentError
from normbench.problems.shares import Share, shares
from normbench.torch.declared import Declared
from normbench.torch.norms import WITHOUT_FLOAT64

PRECISE = (torch.float32, torch.float64)  # their rounding is within the slack of shares


def shares_of(network: Declared, *, lipschitz: float) -> list[Share]:
    """Of every weight.

    Raises
    ------
    InvalidArgumentError
        If a weight has no norm to start from, cannot be replaced by a function, or could not hold its share.
    """
    _check(network)
    weights = [layer.weight for layer in network.weighted.values()]
    names = [f"the weight of layer {name!r}" for name in network.weighted]
    dtype = max((w.dtype for w in weights), key=lambda kind: torch.finfo(kind).tiny)  # the narrowest
    return shares(
        [numbers_of(w) for w in weights], names, lipschitz=lipschitz, gain=network.network.gain, dtype=_name(dtype)
    )


def _check(network: Declared) -> None:
    owners: dict[int, str] = {}
    for name, layer in network.weighted.items():
        _require_parameter(name, layer)
        weight = layer.weight.detach()
        first = owners.setdefault(id(layer.weight), name)
        if first != name:
            raise InvalidArgumentError(
                f"layers {first!r} and {name!r} have one weight, which cannot have a share of the bound for each. Give "
                f"layer {name!r} a weight of its own: torch.nn.Parameter(layer.weight.detach().clone())."
            )
        if weight.is_meta:
            raise InvalidArgumentError(
                f"the weight of layer {name!r} is on the meta device and has no values to start from. Load or "
                "initialise it first."
            )
        if weight.dtype not in PRECISE:
            raise InvalidArgumentError(f"the weight of layer {name!r} is {_too_coarse(weight.dtype)}")
        if not bool(weight.isfinite().all()) or not bool(weight.any()):
            raise InvalidArgumentError(
                f"the weight of layer {name!r} is zero or not finite: it has no direction to start from. Initialise it."
            )


def _require_parameter(name: str, layer: nn.Module) -> None:
    if library.is_parametrized(layer, "weight"):
        raise InvalidArgumentError(
            f"the weight of layer {name!r} is parametrised already. Remove that with "
            'torch.nn.utils.parametrize.remove_parametrizations(layer, "weight").'
        )
    if layer._parameters.get("weight") is None:
        raise InvalidArgumentError(
            f"the weight of layer {name!r} is no parameter: torch.nn.utils.spectral_norm, weight_norm or prune makes "
            "it of others before every pass. Undo that with remove_spectral_norm(layer), remove_weight_norm(layer) or "
            'prune.remove(layer, "weight").'
        )


def _too_coarse(dtype: torch.dtype) -> str:
    return (
        f"{_name(dtype)}, whose rounding exceeds any bound. Keep it in float32, and put "
        "torch.autocast around the forward pass."
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


class SharedBound(nn.Module):
    """A weight with its share of the bound; the ratio is stored with the variables, the bound is the one named here.

    Attributes
    ----------
    together : list of SharedBound
        Those of all weights, once all are made: in a list, so that this module does not own them.
    """

    ratio: Tensor

    def __init__(self, weight: Tensor, share: Share) -> None:
        super().__init__()
        self._even = share.even
        self.together: list[SharedBound] = []
        self._known = math.nan, [math.nan], math.nan  # the last share as a number, and what it was made of
        self.register_buffer("ratio", like(np.array(share.ratio), weight))

    @property
    def share(self) -> Tensor:
        """Shape (); smaller where the ratios have a product above 1, because only some of them were loaded."""
        own = double(self.ratio)
        if not self.together:
            return self._even * own
        ratios = double(torch.stack([ratio.to(own.device) for ratio in self._ratios]))  # one log, not one each
        return self._even * own / ratios.log().mean().exp().clamp(min=1.0)

    @property
    def _ratios(self) -> list[Tensor]:
        """Of all weights, this one's among them."""
        return [member.ratio for member in self.together or [self]]

    def _known_share(self) -> float | None:
        """The share as a number of Python, where its ratios may be looked at."""
        ratios = self._ratios
        found = None if any(ratio.requires_grad for ratio in ratios) else host_numbers(ratios)
        if found is None:
            return None
        if (self._even, found) != self._known[:2]:  # they hardly ever change, but may in any way
            self._known = self._even, found, float(self.share)
        return self._known[2]

    def shared(self, weight: Callable[[list[Tensor]], Tensor], variables: Sequence[Tensor]) -> Tensor:
        """The share of a weight of norm 1, which is a function of variables, in their dtype.

        NaN where a variable is not finite: of such, decompositions raise errors of their own, or look for ever. Where
        nobody may look at the variables, they are masked.

        Raises
        ------
        InvalidArgumentError
            If the model was cast to a dtype whose rounding exceeds the bound.
        """
        dtype = variables[0].dtype
        if dtype not in PRECISE:
            raise InvalidArgumentError(f"a variable of a network with a bound is {_too_coarse(dtype)}")
        share = self._known_share()
        sums = None if share is None else host_numbers(variables, lambda v: v.detach().sum())
        if sums is not None and all(map(math.isfinite, sums)):  # then so is every entry
            return (share * weight(list(map(double, variables)))).to(dtype)
        finite = reduce(torch.logical_and, [v.isfinite().all() for v in variables])
        found = weight([torch.where(finite, double(v), 1.0) for v in variables])
        return torch.where(finite, self.share * found, torch.nan).to(dtype)


def share_together(layers: Sequence[nn.Module]) -> None:
    """Let the shares of these layers' weights know of one another."""
    members = [layer.parametrizations["weight"][0] for layer in layers]
    for member in members:
        member.together = members


def host_numbers(tensors: Sequence[Tensor], of: Callable[[Tensor], Tensor] | None = None) -> list[float] | None:
    """Tensors without axes, or numbers of others, in Python; None where nobody may look, or would wait for a device.

    Nobody may look while a graph is compiled or traced, nor at what vmap has in batches.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or not all(t.is_cpu for t in tensors):
        return None
    try:
        return [(of(t) if of else t).item() for t in tensors]
    except RuntimeError:
        return None


def double(tensor: Tensor) -> Tensor:
    """In float64 where the device has it: what is left of rounding is that of the weight itself."""
    return tensor if tensor.device.type in WITHOUT_FLOAT64 else tensor.double()


def like(array: np.ndarray, weight: Tensor) -> Tensor:
    """A tensor in the dtype and on the device of another."""
    return torch.tensor(array, dtype=weight.dtype, device=weight.device)


def numbers_of(weight: Tensor) -> np.ndarray:
    """A tensor in float64."""
    found: np.ndarray = weight.detach().cpu().double().numpy()
    return found
