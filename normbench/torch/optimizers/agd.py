"""Automatic gradient descent as a ``torch.optim.Optimizer`` (arXiv 2304.05187)."""

from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor

from normbench.torch.optimizers.coupled import Coupled
from normbench.torch.updates.agd import agd_


class AGD(Coupled):
    """Automatic gradient descent for networks without biases; no hyperparameters.

    W_k - (eta / L) gain_k G_k / ||G_k||_F,  eta = log((1 + sqrt(1 + 4 G)) / 2),  gain_k = sqrt(d_k / d_{k-1})
    (arXiv 2304.05187, Algorithm 1)

    A kernel (d_k, d_{k-1}, height, width) counts as its height x width matrices, each divided by its own norm, with
    gain_k = sqrt(d_k / d_{k-1}) / sqrt(height width) (section 3.3 and appendix B).

    The initial weights should be semi-orthogonal, every matrix of a kernel for itself, with singular values gain_k;
    inputs of norm sqrt(d_0). The paper switches the affine parameters of normalisation layers off.

    The step size is eta, a tensor on the device. There is no learning rate: ``lr`` in the group is 1 for loggers, and a
    step refuses another value. A layer without a gradient counts as one whose gradient is zero, and a warning names it
    once; without any the step does nothing.

    Parameters
    ----------
    params : iterable of Tensor, or of (name, Tensor)
        All weights of the network, matrices or kernels, on one device: their number is L.

    Raises
    ------
    InvalidArgumentError
        If a parameter has less than two axes, is frozen, sharded, or holds NaN, or there is more than one group.

    Warns
    -----
    NotReachedWarning
        Once, if a layer has no gradient.

    Examples
    --------
    >>> import torch
    >>> from normbench.torch import AGD
    >>> model, x = torch.nn.Linear(3, 2, bias=False), torch.randn(8, 3)
    >>> optimizer = AGD(model.parameters())
    >>> before = (model(x) - 1).square().mean()
    >>> before.backward()
    >>> optimizer.step()
    >>> (model(x) - 1).square().mean() < before
    tensor(True)
    """

    key = "agd"
    kept: ClassVar[dict[str, Any]] = {"step_size": torch.zeros(())}

    def __init__(self, params: Iterable[Any]) -> None:
        super().__init__(params, {})

    def _moved(self, gradient: list[Tensor], weights: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        return weights, agd_(gradient, weights)
