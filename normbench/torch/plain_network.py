"""A stored network as a plain ``torch.nn.Sequential`` with the maps of its inputs and outputs inside."""

import numpy as np
import torch
from torch import Tensor, nn

from normbench.certificates.stored import StoredNetwork
from normbench.errors import CertificateError, InvalidArgumentError
from normbench.torch.dtypes import DTYPES


class UnitNorm(nn.Module):
    """x / ||x|| for every row."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape (samples, columns)."""
        return x / torch.linalg.vector_norm(x, dim=-1, keepdim=True)


def module(network: StoredNetwork, dtype: str) -> nn.Sequential:
    """Linear layers with ReLUs between them; an affine input map is part of the first, the output scale of the last.

    Parameters
    ----------
    network : StoredNetwork
        With ReLUs, and biases.
    dtype : str
        "float32" or "float64". The products are made in float64 and then rounded.

    Raises
    ------
    InvalidArgumentError
        If there is no such dtype.
    CertificateError
        If the dtype does not hold the numbers.
    """
    if dtype not in DTYPES:
        raise InvalidArgumentError(f"dtype must be {' or '.join(DTYPES)}; got {dtype!r}.")
    weights, biases = list(network.weights), list(network.biases)
    if len(weights) == 1:  # the scale comes before the last biases
        weights[0] = network.output_scale * weights[0]
    weights[0] = weights[0] / network.input_scale
    if network.input_mean is not None:
        biases[0] = biases[0] - weights[0] @ network.input_mean
    if len(weights) > 1:
        weights[-1] = network.output_scale * weights[-1]
    layers: list[nn.Module] = [] if network.input_map == "affine" else [UnitNorm()]
    for weight, bias in zip(weights, biases, strict=True):
        _check_held(weight, bias, dtype)
        layers += [_linear(weight, bias, DTYPES[dtype]), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _check_held(weight: np.ndarray, bias: np.ndarray, dtype: str) -> None:
    """What products of scales and weights have become is neither too large for the dtype nor all of it too small."""
    largest = np.abs(weight).max()
    fits = largest == 0.0 or np.finfo(dtype).tiny <= largest <= np.finfo(dtype).max
    if not fits or not np.abs(bias).max() <= np.finfo(dtype).max:
        raise CertificateError(f"the network has numbers that {dtype} does not hold; export it in float64.")


def _linear(weight: np.ndarray, bias: np.ndarray, dtype: torch.dtype) -> nn.Linear:
    fan_out, fan_in = weight.shape
    layer = nn.utils.skip_init(nn.Linear, fan_in, fan_out, dtype=dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer
