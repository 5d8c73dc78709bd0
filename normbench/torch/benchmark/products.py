"""The product that dominates a backward pass, a b^T over many columns, by the fastest kernel that is there.

On processors that are not Intel's, MKL leaves half of the vector unit idle in single precision; oneDNN, which torch
carries as well, does not. Its operator is not public, so it is used only where it proves itself on import.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Product = Callable[[Tensor, Tensor], Tensor]


def plain(a: Tensor, b: Tensor) -> Tensor:
    """a b^T by torch's matrix product."""
    return a @ b.T


def _onednn(a: Tensor, b: Tensor) -> Tensor:
    """a b^T by oneDNN's linear operator, for contiguous float32 matrices on the CPU."""
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")


def _works(product: Product) -> bool:
    """Whether the operator exists and gives the product of a matrix that is not square."""
    a, b = torch.arange(12.0).reshape(3, 4), torch.arange(20.0).reshape(5, 4)
    try:
        return bool(torch.equal(product(a, b), a @ b.T))
    except (AttributeError, RuntimeError, TypeError):
        return False


ONEDNN_WORKS = _works(_onednn)


def outer_product(like: Tensor) -> Product:
    """The function to use for matrices of the kind of ``like``: fixed once, before the loop."""
    return _onednn if ONEDNN_WORKS and like.device.type == "cpu" and like.dtype == torch.float32 else plain
