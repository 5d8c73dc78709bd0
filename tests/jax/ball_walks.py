"""A network whose every step presses out of the ball, and walks of the optimisers of balls; tests import it by name."""

import functools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

import normbench.jax

RADIUS = 0.7
SHAPES = {"in": (24, 7), "mid": (9, 6, 2, 2), "out": (3, 9)}  # the second is a kernel
FEWER = ({"out": (3, 7)}, {"in": (9, 7), "out": (3, 9)})  # which compile sooner
MIXED = {"in": jnp.float16, "mid": jnp.bfloat16, "out": jnp.float32}  # all precisions in one program
SINGLE = dict.fromkeys(SHAPES, jnp.float32)
DOUBLE = {"out": jnp.float64}
HALF = {"in": jnp.float16, "out": jnp.bfloat16}
MADE = {
    "geodesic_lbfgs": normbench.jax.geodesic_lbfgs,
    "online_lbfgs": normbench.jax.online_lbfgs,
    "polar_average": normbench.jax.polar_average,
    "sphere": partial(normbench.jax.geodesic_lbfgs, manifold="sphere"),
}
AVERAGED = jax.jit(normbench.jax.averaged)


@functools.cache
def made(make, radius=None):
    """One optimiser for all tests, so that its ``init`` is compiled once."""
    return MADE[make](radius=radius)


def drawn(dtypes=None, *, seed=0, radius=RADIUS, order=2):
    """Weights on the boundary, and a little outside by the rounding of their dtype."""
    rng = np.random.default_rng([seed, 71])
    dtypes, tree = dtypes or MIXED, {}
    shapes = next(given for given in (*FEWER, SHAPES) if given.keys() == dtypes.keys())
    for name, shape in shapes.items():
        w = rng.normal(size=shape)
        tree[name] = jnp.asarray((radius * w / norm(w, order)).astype(dtypes[name]))
    return tree


def samples(seed=0):
    rng = np.random.default_rng([seed, 72])
    x = rng.normal(size=(64, 7)).astype(np.float32)
    return x, np.stack([np.sin(x[:, 0]), x[:, 1] * x[:, 2], x[:, 3]], 1)


@jax.jit
def loss(params):
    """Of a network that has to be larger than the ball allows, so that every step presses outwards."""
    x, y = samples()
    *hidden, last = (params[name].reshape(len(params[name]), -1).astype(jnp.float32) for name in sorted(params))
    for weight in hidden:
        x = jax.nn.relu(x @ weight.T)
    return jnp.mean(jnp.square(x @ last.T - 5 * y))


EVERY = np.ones(SHAPES["mid"], np.float32)


def stepping(make, loss):
    """A step of an optimiser, made anew of the radius: value before, then parameters, state and updates behind it.

    The loss is of ``scale`` times the parameters; that named mid has its gradient times ``mid``, the value told to the
    optimiser is larger by ``more``.
    """

    @jax.jit
    def step(params, state, radius, scale, mid, more):
        def scaled(tree):
            return loss(jax.tree.map(lambda leaf: leaf * jnp.asarray(scale, leaf.dtype), tree))

        value, grads = jax.value_and_grad(scaled)(params)
        if "mid" in grads:
            grads["mid"] *= mid.astype(grads["mid"].dtype)
        updates, state = make(radius=radius).update(grads, state, params, value=value + more, value_fn=scaled)
        return value, optax.apply_updates(params, updates), state, updates

    return lambda params, state, radius, *, scale=1.0, mid=EVERY, more=0.0: step(
        params, state, radius, scale, mid, more
    )


STEPS = {name: stepping(make, loss) for name, make in MADE.items()}  # one program for all radii and scales


def walk(make, params, steps, *, radius=RADIUS, step=None, **given):
    """Yield the value at the parameters before, and parameters, state and updates behind every step."""
    state = made(make, radius).init(params)
    for _ in range(steps):
        value, params, state, updates = (step or STEPS[make])(params, state, radius, **given)
        yield float(value), params, state, updates


def norm(weight, order=2):
    """In float64."""
    return float(np.linalg.norm(np.asarray(weight, np.float64).reshape(len(weight), -1), order))


def order_of(make):
    return "fro" if make == "sphere" else 2


def walked(make, dtypes=None, **given):
    return list(walk(make, drawn(dtypes, order=order_of(make)), 40, **given))


path = functools.cache(walked)  # one program and one walk for all tests that look at it
