"""Parameters as matrices in spectral balls ||W||_op <= radius, or on spheres ||W||_F = radius, in their own dtype."""

import math
from typing import Any

import torch
from torch import Tensor

from normbench.errors import InvalidArgumentError
from normbench.numbers import positive
from normbench.torch.norms import WITHOUT_FLOAT64, host_norms
from normbench.torch.optimizers.gate import Group, label

MARGIN = 1.0 - 16 * torch.finfo(torch.float64).eps  # two ways to compute a norm in float64 differ by less


def as_matrix(tensor: Tensor) -> Tensor:
    """(fan_out, fan_in); a kernel (out, in, height, width) as (out, in height width), a vector as one column."""
    return tensor.reshape(len(tensor), -1)


def operator_norm(tensor: Tensor) -> float:
    """||W||_op of a parameter as a matrix, computed in float64; NaN where an entry is not finite."""
    matrix = as_matrix(tensor.detach())
    if not bool(matrix.isfinite().all()):
        return math.nan
    if matrix.device.type in WITHOUT_FLOAT64:
        matrix = matrix.cpu()
    matrix = matrix.double()
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    return math.sqrt(max(float(torch.linalg.eigvalsh(tall.T @ tall)[-1]), 0.0))


def within(weight: Tensor, p: Tensor, radius: float) -> Tensor:
    """W = radius ``weight`` in the dtype and shape of ``p``, made as much smaller as rounding asks for.

    So that ||W||_op <= radius holds in float64. A weight that is not finite is left as it is.
    """
    limit, factor = radius * MARGIN, radius
    margin = max(torch.finfo(p.dtype).eps / 4, 1.0 - MARGIN)
    while True:
        found = (weight * factor).to(p.dtype).reshape(p.shape)
        size = operator_norm(found)
        if not size > limit:
            return found
        factor *= limit / size * (1.0 - margin)
        margin = min(2 * margin, 0.5)


def require_matrices(name: str, group: Group) -> None:
    """Refuse single numbers: in a ball they have one radius as everything else, and no direction."""
    for index, p in enumerate(group["params"]):
        if isinstance(p, Tensor) and p.dim() == 0:
            raise InvalidArgumentError(
                f"{label(group, index)} is a single number and no matrix, which is all that {name} moves. Give it to "
                "another optimiser, or make it a vector of one entry."
            )


def checked_radius(radius: object) -> float | None:
    """The option of a group, as a number of Python or None."""
    return None if radius is None else positive("radius", radius)


def enter(group: Group, state: dict[Tensor, Any], *, sphere: bool = False) -> None:
    """Keep the radius of every new parameter: the group's, or the norm that it has.

    Raises
    ------
    InvalidArgumentError
        If a parameter lies outside its ball or off its sphere, or is zero and has no radius.
    """
    for index, p in enumerate(group["params"]):
        size = _size(p, sphere)
        radius = size if group["radius"] is None else group["radius"]
        if radius == 0.0:
            raise InvalidArgumentError(
                f"{label(group, index)} is zero, and its norm is no radius. Initialise it, or give its group "
                '"radius": r for the ball ||W||_op <= r.'
            )
        _require_there(group, index, size, radius, sphere)
        state[p]["radius"] = radius


def require_there(group: Group, state: dict[Tensor, Any], *, sphere: bool = False) -> None:
    """Refuse parameters that were loaded or changed to where the radius that was kept does not admit them.

    A group's radius may be set to another one; what was remembered of its parameters is then forgotten.
    """
    for index, p in enumerate(group["params"]):
        own = state[p]
        size = _size(p, sphere)
        if is_new(group, own):
            own["radius"] = group["radius"] or size
            own.pop("seen", None)
        _require_there(group, index, size, own["radius"], sphere)


def is_new(group: Group, own: dict[str, Any]) -> bool:
    """Whether a parameter has no radius yet, as in foreign states, or another than its group says by now."""
    return "radius" not in own or group["radius"] not in (None, own["radius"])


def _size(p: Tensor, sphere: bool) -> float:
    return host_norms([p])[0] if sphere else operator_norm(p)


def _require_there(group: Group, index: int, size: float, radius: float, sphere: bool) -> None:
    """A size that is not finite passes: a diverged run looks diverged."""
    rounding = 2 * torch.finfo(group["params"][index].dtype).eps
    if sphere and abs(size - radius) > max(1e-3, 8 * rounding) * radius:
        raise InvalidArgumentError(
            f"{label(group, index)} has the norm {size:.9g} and shall lie on the sphere of radius {radius:.9g}. Scale "
            "it, or make the optimiser anew with radius=None, which takes the norm that it has."
        )
    if not sphere and size > radius * (1.0 + rounding):
        raise InvalidArgumentError(
            f"{label(group, index)} has the operator norm {size:.9g} and lies outside the ball of radius "
            f"{radius:.9g}. Scale it by {radius / size:.6g}, or give its group a larger radius."
        )
