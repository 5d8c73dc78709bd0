"""Curves of lifts in torch and JAX: those of the reference, and in single precision orthonormal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from normbench.jax.updates import balls as in_jax
from normbench.jax.updates import quasi_newton
from normbench.reference import balls as reference
from normbench.torch.updates import balls as in_torch

SHAPES = [(7, 4), (4, 7), (1, 6), (40, 200)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_exactness = pytest.mark.parametrize("exact", [False, True])


def torch_curve(shape, Q, D, t, exact):
    return in_torch.Ball(shape).curve(*map(torch.from_numpy, (Q, D)), exact).at(t).numpy()


@jax.jit
def _jax_curve(Q, D, t, exact):
    return in_jax.Ball((len(Q) - Q.shape[1], Q.shape[1])).curve(Q, D, exact).at(t)


def jax_curve(shape, Q, D, t, exact):
    with jax.enable_x64(Q.dtype == np.float64):
        return np.asarray(_jax_curve(jnp.asarray(Q), jnp.asarray(D), jnp.asarray(t, Q.dtype), exact))


every_backend = pytest.mark.parametrize("curve", [torch_curve, jax_curve])


def drawn(shape, rng, *, dtype=np.float64):
    P = rng.normal(size=shape)
    return reference.Ball(shape).lift(P / np.linalg.norm(P, 2)).astype(dtype)


def tangent(shape, Q, rng, *, size):
    """A tangent of which a few columns turn much and the others little."""
    D = reference.Ball(shape).project(Q, rng.normal(size=Q.shape) * rng.uniform(size=Q.shape[1]) ** 2)
    return (size / np.linalg.norm(D, 2) * D).astype(Q.dtype)


@every_backend
@every_shape
@every_exactness
@pytest.mark.parametrize("size", [1e-9, 0.3, 1.7])
def test_the_curve_is_that_of_the_reference(curve, shape, exact, size):
    rng = np.random.default_rng(0)
    Q = drawn(shape, rng)
    D = tangent(shape, Q, rng, size=size)
    expected = reference.Ball(shape).curve(Q, D, 0.7)
    np.testing.assert_allclose(curve(shape, Q, D, 0.7, exact), expected, rtol=0, atol=1e-14)


@every_backend
@every_shape
@pytest.mark.parametrize("size", [0.03, 0.3, 1.7])
def test_what_rounding_adds_up_between_two_exact_lifts_is_within_what_a_bound_allows(curve, shape, size):
    assert excess(curve, shape, size, every=quasi_newton.EVERY) < 1e-6  # of the 2e-6 that a bound allows


@every_backend
def test_without_exact_lifts_it_adds_up(curve):
    kept, not_kept = (excess(curve, (25, 15), 0.03, every=every) for every in (quasi_newton.EVERY, 1000))
    assert not_kept > 2 * kept


def excess(curve, shape, size, *, every):
    """By how much the largest singular value of a lift exceeds 1 over 400 steps, of which some are exact."""
    rng = np.random.default_rng(1)
    Q, found = drawn(shape, rng, dtype=np.float32), 0.0
    for step in range(400):
        Q = curve(shape, Q, tangent(shape, Q, rng, size=size), 1.0, step % every == 0)
        assert Q.dtype == np.float32
        found = max(found, np.linalg.norm(Q.astype(np.float64), 2) - 1)
    return found


@every_exactness
@every_shape
def test_what_rests_keeps_every_bit(shape, exact):  # in torch a curve of size 0 is not asked
    Q = drawn(shape, np.random.default_rng(2), dtype=np.float32)
    np.testing.assert_array_equal(jax_curve(shape, Q, np.zeros_like(Q), 1.0, exact), Q)
