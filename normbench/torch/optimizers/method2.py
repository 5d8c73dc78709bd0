"""Method 2 and its exponential variant as ``torch.optim.Optimizer`` classes (arXiv 2312.10672)."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from normbench.errors import InvalidArgumentError
from normbench.torch import method2
from normbench.torch.optimizers.base import Closure, Coupled, evaluate, move, remember_radii


class Method2(Coupled):
    """Method 2: majorisation-minimisation on the product of spheres.

    tau = argmin over [0, pi] of alpha (cos t - 1) - beta sin t + Q (P1(t) - P2)^2 / 2
    (arXiv 2312.10672, eq. 22-23, Algorithm 3),   Q = curvature * gain^2 * mean_square_input

    The majorant bounds what a step does to the outputs, and leaves out that they are not linear in the weights: with
    one layer the loss never rises, with more it may (arXiv 2304.05187, Proposition 1 and Assumption 1).

    A kernel (d_k, d_{k-1}, height, width) counts as the matrix (d_k, d_{k-1} height width) that multiplies patches.
    The line search decides on the host: a step waits for the device.

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
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        mean_square_input: float = 1.0,
        gain: float | None = None,
        curvature: float = 1.0,
    ) -> None:
        constants = {"mean_square_input": mean_square_input, "gain": 1.0 if gain is None else gain}
        constants["curvature"] = curvature
        for name, value in constants.items():
            odd = value is None or isinstance(value, str | bool)
            if odd or not 0.0 < value < math.inf:
                raise InvalidArgumentError(f"{name} must be positive and finite; got {value!r}.")
        super().__init__(params, {**constants, "step_size": 0.0})
        remember_radii(self.param_groups[0], self.state)
        if gain is None:
            self.param_groups[0]["gain"] = math.sqrt(math.prod(math.prod(p.shape[2:]) for p in self._layers))

    @property
    def _radii(self) -> list[float]:
        return [self.state[p]["radius"] for p in self._layers]

    @property
    def _scale(self) -> float:
        group = self.param_groups[0]
        return group["curvature"] * group["gain"] ** 2 * group["mean_square_input"]

    def _update(self, gradient: list[Tensor]) -> tuple[list[Tensor], float]:
        guess = self.param_groups[0]["step_size"]
        return method2.method2(gradient, self._layers, self._radii, Q=self._scale, guess=guess)

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Tensor | None:
        """Take one step from ``p.grad``; the step size is then in ``param_groups[0]["step_size"]``, in radians."""
        loss = evaluate(closure)
        weights, step_size = self._update(self._gradient())
        move(self._layers, weights)
        self.param_groups[0]["step_size"] = step_size
        return loss


class Method2Exp(Method2):
    """Closed-form variant of method 2 with an exponential majorant.

    tau = log((1 + sqrt(1 + 4 beta / (P^2 Q L))) / 2) / L,  P = prod mu_i      (the authors' code of 2312.10672)

    Parameters, errors and use as :class:`Method2`.
    """

    def _update(self, gradient: list[Tensor]) -> tuple[list[Tensor], float]:
        return method2.method2_exp(gradient, self._layers, self._radii, Q=self._scale)
