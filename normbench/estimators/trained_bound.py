"""The bound that a training works with: the user's in units of its own, where those of float32 and float64 end."""

import math

import numpy as np

from normbench.errors import InvalidArgumentError, argument

WIDEST = 1e6  # times the targets: a bound beyond it does not bind, and float32 would lose targets that small
WIDEST_OF_LOGITS = 1e15  # a softmax of such logits is one class; beyond it their squares leave the numbers
_NARROWEST = 1e3  # times the root of the smallest number: gradients are squared


def trained_bound(lipschitz: float, unit: float, size: float, widest: float, dtype: str) -> float:
    """The bound in units of y per unit of z.

    Parameters
    ----------
    lipschitz : float
        In units of y per unit of x.
    unit : float
        How far x moves where z moves by 1.
    size : float
        Of y: its spread, or 1 of logits.
    widest : float
        Times ``size``; a wider bound does not bind.
    dtype : str
        Of the training.

    Raises
    ------
    InvalidArgumentError
        If the bound is so small that the dtype does not hold what is trained.
    """
    bound = min(lipschitz * unit, widest * size)
    if not bound >= _NARROWEST * math.sqrt(np.finfo(dtype).tiny) * size:
        raise InvalidArgumentError(
            f"{argument('lipschitz', lipschitz)} lets the outputs move by {bound:.3g} over the spread of X, "
            f"{unit:.3g}, which is next to nothing beside their own size, {size:.3g}: {dtype} does not hold the "
            "squares. Raise it, or choose other units for X or y."
        )
    return bound
