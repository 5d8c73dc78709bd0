"""How the weights of a network share a Lipschitz bound: in the ratio of their norms, as far as a dtype holds them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from normbench.errors import InvalidArgumentError
from normbench.problems.bound import ROUNDING_SLACK


class Share(NamedTuple):
    """What a weight is multiplied by: an equal root of the bound, times a ratio; those of all have the product 1."""

    even: float
    ratio: float

    @property
    def factor(self) -> float:
        """c_k of W_k = c_k P_k."""
        return self.even * self.ratio


def shares(
    weights: Sequence[np.ndarray], names: Sequence[str], *, lipschitz: float, gain: float, dtype: str
) -> list[Share]:
    """Of every weight, in the ratio of the operator norms:  prod c_k = (1 - slack)^L lipschitz / gain.

    Parameters
    ----------
    weights : sequence of arrays, shape (fan_out, fan_in) or (out, in, height, width)
        Float64, none of them zero.
    names : sequence of str
        What messages call them.
    lipschitz, gain : float
        The bound of the whole, and the product of the gains of all that is no weight.
    dtype : str
        "float32" or "float64", in which the weights will be.

    Raises
    ------
    InvalidArgumentError
        If a factor is so near to the end of the dtype's range that rounding is no longer a fraction of what is rounded.
    """
    logs = [math.log(np.linalg.norm(W.reshape(len(W), -1), 2)) for W in weights]
    even = (1.0 - ROUNDING_SLACK) * (lipschitz / gain) ** (1 / len(logs))
    found = [Share(even, math.exp(own - math.fsum(logs) / len(logs))) for own in logs]
    kind = np.finfo(dtype)
    least, most = float(kind.tiny / kind.eps), float(kind.max * kind.eps)
    for name, share in zip(names, found, strict=True):
        for number in (share.factor, share.ratio):
            if not least <= number <= most:
                raise InvalidArgumentError(
                    f"lipschitz={lipschitz:g} gives {name} the factor {number:.3g}, near the end of what {dtype} "
                    "holds. Measure inputs and outputs in other units, so that the bound is nearer to 1, and draw "
                    "weights whose norms are nearer to each other."
                )
    return found
