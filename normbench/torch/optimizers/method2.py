"""Method 2 and its exponential variant as ``torch.optim.Optimizer`` classes (arXiv 2312.10672)."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from normbench import specs
from normbench.backends.method import Update
from normbench.errors import InvalidArgumentError
from normbench.numbers import positive
from normbench.torch.optimizers.base import live_radii
from normbench.torch.optimizers.coupled import Coupled
from normbench.torch.optimizers.gate import Group
from normbench.torch.precision import full_precision
from normbench.torch.updates.method2 import MajorantState, method2, method2_exp

_DEFAULTS = specs.get("method2").defaults


class Method2(Coupled):
    """Method 2: majorisation-minimisation on the product of spheres.

    tau = argmin over [0, pi] of alpha (cos t - 1) - beta sin t + Q (P1(t) - P2)^2 / 2
    (arXiv 2312.10672, eq. 22-23, Algorithm 3),   Q = curvature * gain^2 * mean_square_input

    The majorant bounds what a step does to the outputs, and leaves out that they are not linear in the weights: with
    one layer the loss never rises, with more it may (arXiv 2304.05187, Proposition 1 and Assumption 1).

    A kernel (d_k, d_{k-1}, height, width) counts as the matrix (d_k, d_{k-1} height width) that multiplies patches.
    The line search decides on the host: a step waits for the device. The step size is tau in radians.

    Parameters
    ----------
    params : iterable of Tensor, or of (name, Tensor)
        All weights, matrices (fan_out, fan_in) or kernels, of a network without biases whose other parts are
        Lipschitz.
    mean_square_input : float
        The mean of ||x||^2 over the data; 1 for inputs scaled to unit norm.
    gain : float, optional
        Product of the operator norms of all parts that are no weights: 1 for ReLU, tanh, max pooling without overlap
        and flattening, 1/size for average pooling over size x size, and for every convolution
        sqrt(ceil(height / stride) ceil(width / stride)), the root of how many patches a pixel is in. None for stride 1
        and nothing but convolutions, matrices and parts of norm 1: sqrt(height width) of every kernel.
    curvature : float
        c with  loss(f + df) <= loss(f) + <gradient, df> + c ||df||^2 / 2  for every sample: 1 for ||f - y||^2 / 2,
        1/d for ||f - y||^2 / (2 d), 2/d for torch's mse_loss over d outputs, and 1 for cross-entropy
        (arXiv 2304.05187, Corollary 2 with ||df||_inf <= ||df||).

    Raises
    ------
    InvalidArgumentError
        If a parameter has less than two axes, is frozen or zero, a constant is not positive, or there is more than one
        group.

    Examples
    --------
    >>> import torch
    >>> from normbench.torch import Method2
    >>> model, x = torch.nn.Linear(3, 2, bias=False), torch.randn(8, 3)
    >>> optimizer = Method2(model.parameters(), mean_square_input=3.0)
    >>> before = (model(x) - 1).square().mean()
    >>> before.backward()
    >>> optimizer.step()
    >>> (model(x) - 1).square().mean() < before
    tensor(True)
    """

    key = "method2"

    def __init__(
        self,
        params: Iterable[Any],
        *,
        mean_square_input: float = _DEFAULTS["mean_square_input"],
        gain: float | None = _DEFAULTS["gain"],
        curvature: float = _DEFAULTS["curvature"],
    ) -> None:
        super().__init__(params, {"mean_square_input": mean_square_input, "gain": gain, "curvature": curvature})

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        given = _DEFAULTS | dict(options)
        constants = {
            name: 1.0 if value is None and name == "gain" else positive(name, value)
            for name, value in given.items()
            if name in _DEFAULTS
        }
        scale = _scale(constants)
        if not 0.0 < scale < math.inf:
            raise InvalidArgumentError(
                f"curvature * gain^2 * mean_square_input must be positive and finite; got {scale!r} from "
                f"mean_square_input={given['mean_square_input']!r}, gain={given['gain']!r}, "
                f"curvature={given['curvature']!r}. Scale the inputs or the loss."
            )
        unsaid = {"gain": None} if given["gain"] is None else {}
        return super()._checked(options) | constants | unsaid

    def _enter(self, group: Group) -> None:
        live_radii(group, self.state)
        if group["gain"] is None and group["params"]:
            group["gain"] = math.sqrt(math.prod(math.prod(p.shape[2:]) for p in group["params"]))

    def _update(self) -> Update:
        return method2()

    def _moved(self, gradient: list[Tensor], weights: list[Tensor]) -> tuple[list[Tensor], float]:
        group = self._main_group()
        state = MajorantState(live_radii(group, self.state), _scale(group), float(group["step_size"]))
        with full_precision(weights):
            moved, _, step_size = self._update().step(gradient, weights, state)
        return moved, step_size


def _scale(constants: Mapping[str, float]) -> float:
    """Q = curvature * gain^2 * mean_square_input."""
    return constants["curvature"] * (constants["gain"] * constants["gain"]) * constants["mean_square_input"]


class Method2Exp(Method2):
    """Closed-form variant of method 2 with an exponential majorant.

    tau = log((1 + sqrt(1 + 4 beta / (P^2 Q L))) / 2) / L,  P = prod mu_i      (the authors' code of 2312.10672)

    Parameters, errors and use as :class:`Method2`.

    Examples
    --------
    >>> import torch
    >>> from normbench.torch import Method2Exp
    >>> model, x = torch.nn.Linear(3, 2, bias=False), torch.randn(8, 3)
    >>> optimizer = Method2Exp(model.parameters(), mean_square_input=3.0)
    >>> before = (model(x) - 1).square().mean()
    >>> before.backward()
    >>> optimizer.step()
    >>> (model(x) - 1).square().mean() < before
    tensor(True)
    """

    key = "method2_exp"

    def _update(self) -> Update:
        return method2_exp()
