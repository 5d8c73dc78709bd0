"""Weights and gradients from 1e-30 to 1e30, each by itself, in single precision: the reference's numbers."""

import itertools
from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normbench.jax
from normbench.reference.spheres import direction, radii
from tests.oracle import reference_step

SHAPES = ((3, 4), (2, 3))
SIZES = (1e-30, 1e-15, 1.0, 1e15, 1e30)
norms, spheres = (import_module(f"normbench.jax.{name}") for name in ("norms", "updates.spheres"))
norm = jax.jit(norms.norm, static_argnums=1)


def drawn(seed, size, shapes=SHAPES):
    rng = np.random.default_rng(seed)
    return tuple(np.float32(size * rng.normal(size=shape)) for shape in shapes)


def double(arrays):
    return tuple(np.float64(a) for a in arrays)


OPTIONS = {
    "fromage": {"learning_rate": 0.1, "p_bound": 1.0},
    "lars": {"learning_rate": 0.1},
    "agd": {},
    "method2": {},
    "method2_exp": {},
}


@pytest.mark.parametrize("key", OPTIONS)
def test_every_scale_takes_the_references_step(key):
    optimizer = getattr(normbench.jax, key)(**OPTIONS[key])
    step = jax.jit(lambda g, w: optimizer.update(g, optimizer.init(w), w)[0])
    for first, second, slope in itertools.product(SIZES, SIZES, SIZES):
        if key.startswith("method2") and (second != first or (key == "method2_exp" and slope / first**3 > 1e60)):
            continue  # of a network; beyond, tau is many turns of the circle, and no digit of its sine is left
        weights = drawn(0, first, SHAPES[:1]) + drawn(1, second, SHAPES[1:])
        gradient = drawn(2, slope)
        found = [w + u for w, u in zip(double(weights), double(step(gradient, weights)), strict=True)]
        expected, _ = reference_step(key, double(gradient), double(weights), **OPTIONS[key])
        for w, new, wanted in zip(weights, found, expected, strict=True):
            size = max(np.linalg.norm(np.float64(w)), np.linalg.norm(wanted))
            assert np.linalg.norm(new - wanted) <= 3e-5 * size, (first, second, slope)
        if key in ("fromage", "lars"):
            assert all((new != old).any() for new, old in zip(found, weights, strict=True))


def test_directions_do_not_depend_on_scales():
    program = jax.jit(lambda g, w: spheres.directions(g, w, spheres.radii(w)).velocity)
    for size, slope in itertools.product(SIZES, SIZES):
        weights, gradient = drawn(0, size), drawn(2, slope)
        for g, w, v in zip(gradient, weights, program(gradient, weights), strict=True):
            mu = np.linalg.norm(np.float64(w))
            expected = mu * direction(np.float64(g), np.float64(w), radius=mu)
            np.testing.assert_allclose(v, expected, rtol=1e-3, atol=1e-5 * mu)


@pytest.mark.parametrize("size", [1e-30, 1e-3, 1.0, 1e30])
@pytest.mark.parametrize("axes", [None, (0, 1), (1,)], ids=str)
def test_norms_are_those_of_double_precision(size, axes):
    for array in (drawn(3, size)[0], drawn(3, size)[0] + 1j * drawn(4, size)[0]):
        expected = np.linalg.norm(array.astype(np.complex128), axis=axes, keepdims=axes is not None)
        np.testing.assert_allclose(norm(array, axes), expected, rtol=1e-6)


def test_what_is_not_finite_or_nothing_keeps_its_norm():
    for entry in (np.inf, -np.inf, np.nan):
        assert not np.isfinite(norm(np.float32([1.0, entry]), None))
    assert float(norm(np.zeros(2, np.float32), None)) == 0.0
    assert float(norm(np.zeros((0, 3), np.float32), None)) == 0.0


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_norms_of_halves_are_single_precision(dtype):
    found = norm(np.full((100, 100), 300, dtype), None)
    assert found.dtype == jnp.float32
    assert float(found) == pytest.approx(100 * float(dtype(300)), rel=1e-6)


def test_a_power_of_two_does_not_change_a_bit():
    array = drawn(5, 0.37)[0]
    assert float(norm(array, None)) == float(jnp.sqrt(jnp.sum(jnp.square(array))))
    assert float(norms.power_of_two(jnp.float32(0.99))) == float(norms.power_of_two(jnp.float32(1.01))) == 1.0


def test_products_of_many_layers_stay_in_range():
    p, k = norms.product([jnp.float32(1.3)] * 1000)
    assert float(np.log2(float(p)) + int(k)) == pytest.approx(1000 * np.log2(1.3), rel=1e-5)


def test_a_product_of_norms_beyond_every_float_gives_the_step_of_its_logarithm():
    weights, gradient = ([drawn(layer, size, ((2, 2),))[0] for layer in range(6)] for size in (1e-15, 1e-30))
    gradient = gradient[::-1]
    optimizer = normbench.jax.method2_exp()
    _, state = jax.jit(lambda g, w: optimizer.update(g, optimizer.init(w), w))(gradient, weights)
    mu = radii(double(weights))
    slopes = [direction(g, w, radius=r) for g, w, r in zip(double(gradient), double(weights), mu, strict=True)]
    beta = -sum(r * np.vdot(g, v) for r, g, v in zip(mu, double(gradient), slopes, strict=True))
    logarithm = np.log(4 * beta / 6) - 2 * np.sum(np.log(mu))  # of a number with more than 100 digits
    assert logarithm > 230
    assert float(state.step_size) == pytest.approx((logarithm / 2 - np.log(2)) / 6, rel=1e-5)
