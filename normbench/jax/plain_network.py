"""A stored network as a pure function of JAX and the pytree of its weights."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from normbench.certificates.stored import StoredNetwork
from normbench.errors import InvalidArgumentError
from normbench.exports.network import DTYPES, rounded
from normbench.jax.benchmark import network as layers
from normbench.jax.products import matmul
from normbench.jax.promotion import promoting
from normbench.networks import Network
from normbench.networks.activations import ACTIVATIONS

Params = list[dict[str, Array]]
Apply = Callable[[Params, Array], Array]


def function(network: StoredNetwork, dtype: str = "float32") -> tuple[Apply, Params]:
    """``apply, params``, with ``apply(params, x)`` what the network gives for x.

    ``apply`` is pure: for jit, vmap and grad. Layers are in ``params``, one ``{"weight": (fan_out, fan_in), "bias":
    (fan_out,)}`` each; the maps of inputs and outputs are constants of ``apply``.

    Parameters
    ----------
    network : StoredNetwork
    dtype : str
        Of the weights, "float32" or "float64".

    Returns
    -------
    apply : callable
        From ``params`` and x, shape (..., columns), to an array of shape (..., outputs).
    params : list of dict of str to array

    Raises
    ------
    InvalidArgumentError
        If there is no such dtype, or JAX is not set to float64.
    CertificateError
        If the dtype does not hold the numbers.
    """
    if dtype not in DTYPES:
        raise InvalidArgumentError(f"dtype must be {' or '.join(DTYPES)}; got {dtype!r}.")
    if dtype == "float64" and not jax.config.jax_enable_x64:
        raise InvalidArgumentError(
            'dtype is float64, which JAX has turned off: call jax.config.update("jax_enable_x64", True) first.'
        )
    as_arrays = partial(jnp.asarray, dtype=dtype)
    network = rounded(network, dtype)
    params = [
        {"weight": as_arrays(weight), "bias": as_arrays(bias)}
        for weight, bias in zip(network.weights, network.biases, strict=True)
    ]
    activation, output_scale = ACTIVATIONS[network.activation], as_arrays(network.output_scale)
    columns = network.weights[0].shape[1]
    mean, scale = as_arrays(network.input_mean), as_arrays(network.input_scale)

    @promoting
    def apply(params: Params, x: Array) -> Array:
        z = jnp.asarray(x).reshape(-1, columns)
        z = (z - mean) / scale if network.input_map == "affine" else _direction(z)
        for layer in params[:-1]:
            z = matmul(z, layer["weight"].T) + layer["bias"]
            z = layers.apply(Network(z.shape[1:], (activation,)), (), z)
        y = output_scale * matmul(z, params[-1]["weight"].T) + params[-1]["bias"]
        return y.reshape(*jnp.shape(x)[:-1], -1)

    return apply, params


def _direction(x: Array) -> Array:
    """x / ||x||; the largest entry is divided by first, on which the result does not depend."""
    scaled = x / jax.lax.stop_gradient(jnp.abs(x).max(axis=-1, keepdims=True))
    return scaled / jnp.linalg.norm(scaled, axis=-1, keepdims=True)
