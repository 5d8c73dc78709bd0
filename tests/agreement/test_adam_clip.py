"""Adam with spectral clipping: the iterates of the reference, Adam inside the ball, the ball in single precision."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from numpy.linalg import norm

from normbench import specs
from normbench.jax.updates import adam_clip as in_jax
from normbench.reference import adam_clip as in_numpy
from normbench.torch.updates import adam_clip as in_torch

SHAPES = ((6, 9), (9, 4), (3, 3), (1, 5), (7, 2))
DEAD = 4  # the layer whose gradient is always zero
DEFAULTS = specs.get("adam_clip").resolve({})
ROUNDING = 1e-12  # of float64, in a few hundred steps that magnify nothing


def start(size):
    """Matrices of that operator norm."""
    drawn = (np.random.default_rng([7, k]).normal(size=shape) for k, shape in enumerate(SHAPES))
    return tuple(size * P / norm(P, 2) for P in drawn)


def gradients(steps):
    """Random ones of all sizes; those of some steps, and of one layer at every step, are zero."""
    rng = np.random.default_rng(23)
    for k in range(steps):
        size = 0.0 if k % 10 in (0, 7) else 10.0 ** rng.integers(-4, 3)
        yield tuple(size * (j != DEAD) * rng.normal(size=shape) for j, shape in enumerate(SHAPES))


def iterates(module, array, variables, steps, rate):
    """Variables after each step, in NumPy."""
    update = module.adam_clip(**DEFAULTS | {"learning_rate": rate})
    moved = tuple(map(array, variables))
    state, found = update.init(None, moved), []
    for gradient in gradients(steps):
        moved, state, step_size = update.step(tuple(map(array, gradient)), moved, state)
        assert float(step_size) == rate
        found.append([np.asarray(P) for P in moved])
    return found


def of_reference(variables, steps, rate):
    return iterates(in_numpy, np.asarray, variables, steps, rate)


def of_torch(variables, steps, rate):
    return iterates(in_torch, torch.tensor, variables, steps, rate)


def of_jax(variables, steps, rate):
    with jax.enable_x64(True):
        return iterates(in_jax, jnp.asarray, variables, steps, rate)


OF = {"reference": of_reference, "torch": of_torch, "jax": of_jax}


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_hundreds_of_steps_are_the_references_at_the_edge_of_the_ball_and_inside(framework):
    expected, found = of_reference(start(1.0), 300, 0.03), OF[framework](start(1.0), 300, 0.03)
    for k, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        for P, Q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(P, Q, rtol=0, atol=1e-9, err_msg=f"step {k}")
    sizes = np.array([[norm(P, 2) for P in moved[:DEAD]] for moved in expected])
    assert sizes.max() <= 1
    at_the_edge = (sizes > 1 - 1e-14).mean(axis=0)
    assert (at_the_edge > 0.05).all(), at_the_edge
    assert (at_the_edge < 0.95).all(), at_the_edge


@pytest.mark.parametrize("framework", OF)
def test_a_layer_without_a_gradient_keeps_its_bits(framework):
    before = start(1.0)
    for moved in OF[framework](before, 30, 0.03):
        np.testing.assert_array_equal(moved[DEAD], before[DEAD])


def adam_of_torch(variables, steps, rate):
    weights = [torch.tensor(P) for P in variables]
    optimiser, found = torch.optim.Adam(weights, lr=rate), []
    for gradient in gradients(steps):
        for W, g in zip(weights, gradient, strict=True):
            W.grad = torch.tensor(g)
        optimiser.step()
        found.append([W.numpy().copy() for W in weights])
    return found


def adam_of_jax(variables, steps, rate):
    with jax.enable_x64(True):
        optimiser, weights, found = optax.adam(rate), tuple(map(jnp.asarray, variables)), []
        state = optimiser.init(weights)
        for gradient in gradients(steps):
            updates, state = optimiser.update(tuple(map(jnp.asarray, gradient)), state)
            weights = optax.apply_updates(weights, updates)
            found.append([np.asarray(W) for W in weights])
        return found


@pytest.mark.parametrize("adam", [adam_of_torch, adam_of_jax])
@pytest.mark.parametrize("framework", OF)
def test_in_the_ball_it_is_adam_and_one_step_beyond_is_adams_scaled_back(framework, adam):
    inside = OF[framework](start(0.5), 100, 1e-3)
    for ours, theirs in zip(inside, adam(start(0.5), 100, 1e-3), strict=True):
        for P, W in zip(ours, theirs, strict=True):
            assert norm(P, 2) < 0.99
            np.testing.assert_allclose(P, W, rtol=0, atol=ROUNDING)
    beyond = [W / norm(W, 2) for W in adam(start(1.0), 2, 3.0)[1][:DEAD]]  # the first gradients are zero
    for P, expected in zip(OF[framework](start(1.0), 2, 3.0)[1], beyond, strict=False):
        np.testing.assert_allclose(P, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(25, 12), (3, 15), (256, 784), (784, 256), (300, 300)], ids=str)
def test_wide_matrices_stay_in_the_ball_in_single_precision(shape):
    rng = np.random.default_rng(4)
    for size in (1.0, 1 + 1e-6, 3.0, 1e4):
        P = rng.normal(size=shape)
        P = (size * P / norm(P, 2)).astype(np.float32)
        for clip in (lambda P: in_torch.clip(torch.from_numpy(P)).numpy(), jax.jit(in_jax.clip)):
            assert 1 - 1e-5 < norm(np.asarray(clip(P), np.float64), 2) <= 1
