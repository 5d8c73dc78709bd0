"""A small convolutional network in JAX, its data, and the constants of method 2 for it; tests import it by name."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

PADDING = ((1, 1), (0, 1))
GAIN = math.sqrt(3 * 2) / 2 * math.sqrt(1)  # overlap of the first convolution, average pool, overlap of the second
CLASSES = 3


def convolve(x, kernel, stride, padding):
    return jax.lax.conv_general_dilated(x, kernel, stride, padding)  # NCHW and OIHW are its defaults


def pooled(x):
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, 1, 2, 2), (1, 1, 2, 2), "VALID") / 4


def network(params, x):
    """Images (samples, 2, 6, 6) to outputs (samples, 3)."""
    x = pooled(jax.nn.relu(convolve(x, params["first"], (1, 1), PADDING)))
    x = jax.nn.relu(convolve(x, params["second"], (2, 2), "VALID"))
    return x.reshape(len(x), -1) @ params["head"].T


def square_loss(params, batch):
    x, y = batch
    return jnp.mean(jnp.sum(jnp.square(network(params, x) - y), axis=1)) / 2


def cross_entropy(params, batch):
    x, y = batch
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(network(params, x), jnp.argmax(y, axis=1)))


def parameters(seed, dtype=np.float64):
    rng = np.random.default_rng([seed, 31])
    shapes = {"first": (4, 2, 3, 2), "second": (5, 4, 2, 2), "head": (CLASSES, 5)}
    return {name: (rng.normal(size=s) / math.sqrt(math.prod(s[1:]))).astype(dtype) for name, s in shapes.items()}


def samples(seed, number=24, dtype=np.float64):
    rng = np.random.default_rng([seed, 32])
    x = rng.normal(size=(number, 2, 6, 6)) / 4
    return x.astype(dtype), rng.normal(size=(number, CLASSES)).astype(dtype)


def mean_square(x):
    return float(np.mean(np.sum(np.square(x), axis=(1, 2, 3))))
