"""Automatic gradient descent as an optax transformation (arXiv 2304.05187)."""

from typing import Any

import jax.numpy as jnp
import optax

from normbench.jax.transformations.base import StepState, explicit, working_dtype
from normbench.jax.transformations.gate import Gate
from normbench.jax.updates.agd import agd as agd_update
from normbench.jax.updates.spheres import Arrays


def agd() -> optax.GradientTransformationExtraArgs:
    """Automatic gradient descent for bias-free networks of dense and convolutional layers; no hyperparameters.

    W_k - (eta / L) gain_k G_k / ||G_k||_F,  eta = log((1 + sqrt(1 + 4 G)) / 2),  G = (1/L) sum_k gain_k ||G_k||_F
    (arXiv 2304.05187, Algorithm 1, appendix B)

    with gain_k = sqrt(d_k / d_{k-1}) for a dense weight (d_k, d_{k-1}). Of a kernel (d_k, d_{k-1}, height, width) every
    matrix of one position has its own norm, and gain_k is divided by sqrt(height width).

    The leaves must be all weights of the network: their number is L. Under ``optax.partition`` those of its part count.
    Flax keeps weights the other way round, (fan_in, fan_out) and (height, width, in, out): transpose them.

    Raises
    ------
    InvalidArgumentError
        From ``init`` and ``update``, if a leaf has fewer than two axes, no entries or no gradient of its shape, or is
        not real; the message gives its path.

    Examples
    --------
    >>> import jax, optax
    >>> from normbench.jax import agd
    >>> params, x = jax.numpy.ones((2, 3)), jax.random.normal(jax.random.key(0), (8, 3))
    >>> loss = lambda params: jax.numpy.mean((x @ params.T + 1) ** 2)
    >>> optimizer = agd()
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

    def init(params: Any) -> StepState:
        return StepState(jnp.zeros((), working_dtype(params)))

    def step(params: Any, gradient: Arrays, weights: Arrays, state: StepState) -> tuple[Arrays, StepState]:
        moved, _, eta = agd_update().step(gradient, weights, ())
        return moved, StepState(eta)

    return explicit(Gate("agd", matrices=True), init, step)
