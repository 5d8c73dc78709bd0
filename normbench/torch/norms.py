"""Frobenius norms that neither overflow nor vanish: weights and gradients from 1e-30 to 1e30, in any floating dtype.

In float32 the square of 1e20 is infinite and that of 1e-23 is zero. Half precision is widened to float32 first. On the
CPU a norm is taken in float32 and once more in float64 where it may be wrong, so that common norms cost what they did;
elsewhere, and in a compiled graph, it is accumulated in float64 at once, because nothing here waits for a device.
Apple's GPUs have no float64: there the range is that of squares in float32, 1e-19 to 1e18.
"""

import math
import sys
from collections.abc import Sequence

import torch
from torch import Tensor

# norms in float32 between these are right to rounding: no square that matters has overflowed or lost digits
LOW, HIGH = 1e-14, 1e18
WITHOUT_FLOAT64 = ("mps",)


def wide(tensors: Sequence[Tensor]) -> torch.dtype:
    """The dtype to compute in: the widest of all tensors, float32 at least."""
    kind = torch.float32
    for t in tensors:
        kind = torch.promote_types(kind, t.dtype)
    return kind


def widened(tensors: Sequence[Tensor], kind: torch.dtype) -> list[Tensor]:
    """The tensors in one dtype; those that have it are not copied."""
    return [t if t.dtype == kind else t.to(kind) for t in tensors]


def norms(tensors: Sequence[Tensor]) -> Tensor:
    """||T_i||_F of tensors of one dtype, float32 at least, on one device, without waiting for it; shape (tensors,).

    In float32 if that holds all of them well, else in float64.
    """
    plain = list(tensors)
    if is_sharded(plain[0]):
        return torch.stack([exact_norm(t).full_tensor() for t in plain])
    if in_doubles_at_once(plain[0]):
        return torch.stack(torch._foreach_norm(plain, 2, dtype=_double(plain[0].dtype)))
    found = torch.stack(torch._foreach_norm(plain))
    if found.dtype == torch.float64 or all_common(found):
        return found
    sizes = [size if LOW < size < HIGH else float(exact_norm(t)) for size, t in zip(found.tolist(), plain, strict=True)]
    return narrowed(torch.tensor(sizes, dtype=torch.float64, device=plain[0].device))


def in_doubles_at_once(tensor: Tensor) -> bool:
    """Whether to take norms in float64 because nobody may look whether float32 will do, which means to wait."""
    single = tensor.dtype in (torch.float32, torch.complex64)
    waits = tensor.device.type != "cpu" or torch.compiler.is_compiling()
    return single and waits and tensor.device.type not in WITHOUT_FLOAT64


def all_common(sizes: Tensor) -> bool:
    """Whether norms in float32 are right, of shape (norms,); always True where the device has nothing better."""
    return sizes.device.type in WITHOUT_FLOAT64 or all(LOW < size < HIGH for size in sizes.tolist())


def narrowed(exact: Tensor) -> Tensor:
    """Norms in float32 if all of them are zero or well inside its range, so that common runs keep their bits."""
    return exact.float() if all(size == 0.0 or LOW < size < HIGH for size in exact.tolist()) else exact


def exact_norm(tensor: Tensor) -> Tensor:
    """||T||_F with squares in float64, where the device has it; shape ()."""
    if tensor.device.type in WITHOUT_FLOAT64:
        return torch.linalg.vector_norm(tensor)
    return torch.linalg.vector_norm(tensor, dtype=_double(tensor.dtype))


def _double(kind: torch.dtype) -> torch.dtype:
    return torch.complex128 if kind.is_complex else torch.float64


def host_norms(tensors: Sequence[Tensor]) -> list[float]:
    """||T_i||_F of tensors of any floating dtypes as Python numbers, in the widest; waits for the device."""
    if not tensors:
        return []
    whole = widened([t.detach() for t in tensors], wide(tensors))
    found = torch.stack([torch.linalg.vector_norm(t).double() for t in whole]).tolist()
    return [
        size if LOW < size < HIGH or t.dtype == torch.float64 else float(exact_norm(t))
        for size, t in zip(found, whole, strict=True)
    ]


def power_of_two(size: float) -> float:
    """The power of two just above a positive finite number; 1 for all others. Scaling by it is exact."""
    return math.ldexp(1.0, math.frexp(size)[1]) if 0.0 < size < math.inf else 1.0


def is_sharded(tensor: Tensor) -> bool:
    """Whether a tensor is a DTensor; asks without loading torch.distributed.tensor."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds: of a DTensor its shard, else the tensor itself."""
    return tensor.to_local() if is_sharded(tensor) else tensor


def locals_of(tensors: Sequence[Tensor]) -> list[Tensor]:
    """:func:`local` of tensors that are all of one kind."""
    return [t.to_local() for t in tensors] if is_sharded(tensors[0]) else list(tensors)
