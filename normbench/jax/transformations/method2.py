"""Method 2 and its exponential variant as optax transformations (arXiv 2312.10672)."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax
from jax import Array

from normbench import specs
from normbench.backends.method import Update
from normbench.jax.transformations.base import SphereState, explicit, live_radii, start_radii, working_dtype
from normbench.jax.transformations.gate import Gate, positive, require_nonzero
from normbench.jax.updates.method2 import MajorantState
from normbench.jax.updates.method2 import method2 as method2_update
from normbench.jax.updates.method2 import method2_exp as method2_exp_update
from normbench.jax.updates.spheres import Arrays

LARGEST_GAIN = 2**60
_DEFAULTS = specs.get("method2").defaults


def method2(
    *,
    mean_square_input: float | Array = _DEFAULTS["mean_square_input"],
    curvature: float | Array = _DEFAULTS["curvature"],
    gain: float | Array | None = _DEFAULTS["gain"],
) -> optax.GradientTransformationExtraArgs:
    """Method 2: majorisation-minimisation on the product of spheres.

    tau = argmin over [0, pi] of alpha (cos t - 1) - beta sin t + Q (P1(t) - P2)^2 / 2,
    Q = curvature gain^2 mean ||x||^2       (arXiv 2312.10672, eq. 22-23, Algorithm 3)

    A kernel (out, in, height, width) counts as the matrix (out, in height width) that multiplies patches: the operator
    norm of the convolution is at most that of the matrix times sqrt(overlap), overlap = ceil(height / stride)
    ceil(width / stride), the number of patches that hold a pixel.

    The leaves must be all weights of the network: what moves beside them is not in the majorant. Flax keeps weights the
    other way round, (fan_in, fan_out) and (height, width, in, out): transpose them.

    Parameters
    ----------
    mean_square_input : float
        mean ||x||^2 over the data; 1 for inputs scaled to unit norm.
    curvature : float
        c such that a sample's loss exceeds its linearisation by at most c ||df||^2 / 2 when the output moves by df. 1
        for ||f - y||^2 / 2 and 1/d for ||f - y||^2 / (2 d); 1 for cross-entropy, by ||df||_inf <= ||df||_2 in
        corollary 2 of arXiv 2304.05187.
    gain : float, optional
        Product of the operator norms of all that is not a weight: sqrt(overlap) of every convolution, 1/size of an
        average pool of size x size, 1 for ReLU, max pool and flatten. By default the product of sqrt(height width) of
        every kernel: stride 1 and no average pool, an upper bound with them.

    Raises
    ------
    InvalidArgumentError
        If a number is not positive; from ``init``, if a leaf is zero or has fewer than two axes, and from ``update``
        too, if it has no entries, is not real or has no gradient of its shape, with its path.

    Notes
    -----
    A leaf that was loaded or replaced since ``init`` keeps the norm that it has now. If it is zero now, it rests, and
    the others move as without it.

    Examples
    --------
    >>> import jax, optax
    >>> from normbench.jax import method2
    >>> params, x = jax.numpy.ones((2, 3)), jax.random.normal(jax.random.key(0), (8, 3))
    >>> loss = lambda params: jax.numpy.mean((x @ params.T + 1) ** 2)
    >>> optimizer = method2(mean_square_input=3.0)
    >>> @jax.jit
    ... def step(params, state):
    ...     value, grads = jax.value_and_grad(loss)(params)
    ...     updates, state = optimizer.update(grads, state, params)
    ...     return optax.apply_updates(params, updates), state, value
    >>> params, state, before = step(params, optimizer.init(params))
    >>> params, state, after = step(params, state)
    >>> bool(after < before)
    True
    """

    return _majorising("method2", method2_update, mean_square_input, curvature, gain)


def method2_exp(
    *,
    mean_square_input: float | Array = _DEFAULTS["mean_square_input"],
    curvature: float | Array = _DEFAULTS["curvature"],
    gain: float | Array | None = _DEFAULTS["gain"],
) -> optax.GradientTransformationExtraArgs:
    """Closed-form variant of method 2 with an exponential majorant.

    tau = log((1 + sqrt(1 + 4 beta / (P^2 Q L))) / 2) / L,  P = prod mu_i      (the authors' code of 2312.10672)

    Parameters and errors as :func:`method2`.

    Examples
    --------
    >>> import jax, optax
    >>> from normbench.jax import method2_exp
    >>> params, x = jax.numpy.ones((2, 3)), jax.random.normal(jax.random.key(0), (8, 3))
    >>> loss = lambda params: jax.numpy.mean((x @ params.T + 1) ** 2)
    >>> optimizer = method2_exp(mean_square_input=3.0)
    >>> @jax.jit
    ... def step(params, state):
    ...     value, grads = jax.value_and_grad(loss)(params)
    ...     updates, state = optimizer.update(grads, state, params)
    ...     return optax.apply_updates(params, updates), state, value
    >>> params, state, before = step(params, optimizer.init(params))
    >>> params, state, after = step(params, state)
    >>> bool(after < before)
    True
    """

    return _majorising("method2_exp", method2_exp_update, mean_square_input, curvature, gain)


def _majorising(
    key: str,
    update: Callable[..., Update],
    mean_square_input: float | Array,
    curvature: float | Array,
    gain: float | Array | None,
) -> optax.GradientTransformationExtraArgs:
    constant = positive("mean_square_input", mean_square_input), positive("curvature", curvature)
    known = None if gain is None else positive("gain", gain)

    def init(params: Any) -> SphereState:
        dtype = working_dtype(params)
        require_nonzero(key, params, remedy="Draw it at random, or give it to another transformation.")
        return SphereState(start_radii(params), jnp.zeros((), dtype))

    def step(params: Any, gradient: Arrays, weights: Arrays, state: SphereState) -> tuple[Arrays, SphereState]:
        dtype = weights[0].dtype
        mu = live_radii(state.radii, params, weights)
        squared, unit = _default_gain(weights) if known is None else (known**2, 0)
        Q = constant[0] * constant[1] * squared
        majorant = MajorantState(mu, jnp.asarray(Q, dtype), state.step_size.astype(dtype))
        moved, _, tau = update(Q_unit=unit).step(gradient, weights, majorant)
        return moved, SphereState(mu, tau)

    return explicit(Gate(key, matrices=True), init, step)


def _default_gain(weights: Arrays) -> tuple[int | float, int]:
    """The squared gain of kernels with stride 1, in units of 2^k: that of a deep network may be beyond a float."""
    squared = math.prod(math.prod(w.shape[2:]) for w in weights)
    unit = squared.bit_length() if squared > LARGEST_GAIN else 0
    return (squared / 2**unit if unit else squared), unit
