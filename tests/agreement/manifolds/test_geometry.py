"""Projection and retraction of every manifold: against geoopt and pymanopt, and against each other."""

import importlib
import warnings
from functools import cache

import jax
import numpy as np
import pymanopt.manifolds
import pytest
import torch

with warnings.catch_warnings():
    # geoopt 0.5.1 scripts functions at import, which torch has deprecated
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
    import geoopt

from tests.agreement.manifolds.conftest import departure

jax.config.update("jax_enable_x64", False)  # pymanopt turns it on for the whole process when it is imported
LEFT_ON = jax.config.jax_enable_x64  # for the tests that come later

BATCH = 4
FUNCTIONS = ("projection", "retraction")
TALL, WIDE, SQUARE, COLUMN, ROW = (5, 3), (3, 5), (4, 4), (6, 1), (1, 6)
SHAPES = (TALL, WIDE, SQUARE, COLUMN, ROW)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=["reference", "torch", "jax"])
def backend(request):
    return request.param


@cache
def function_of(backend, manifold, function):
    """In JAX one program for each shape, not one for each operation."""
    where = "normbench.reference" if backend == "reference" else f"normbench.{backend}.updates"
    found = getattr(importlib.import_module(f"{where}.geometry").MANIFOLDS[manifold], function)
    return jax.jit(found) if backend == "jax" else found


def call(backend, manifold, function, *arguments):
    """One function of one backend on stacks of matrices; the reference takes them one by one."""
    found = function_of(backend, manifold, function)
    if backend == "reference":
        return np.stack([found(*each) for each in zip(*arguments, strict=True)])
    return np.asarray(found(*map({"torch": torch.tensor, "jax": np.asarray}[backend], arguments)))


def points(manifold, shape, seed=0, size=0.7):
    """A stack of points, tangents of a given norm and vectors of the ambient space."""
    rng = np.random.default_rng([seed, 3])
    drawn = rng.normal(size=(2, BATCH, *shape))
    here = call("reference", manifold, "retraction", np.zeros((BATCH, *shape)), drawn[0])
    tangent = call("reference", manifold, "projection", here, drawn[1])
    lengths = np.linalg.norm(tangent, axis=(1, 2), keepdims=True)
    lengths[lengths < 1e-12] = np.inf  # a column of one row has no tangents
    return here, tangent * (size / lengths), drawn[1]


def arguments_of(function, here, tangent, vector):
    return (here, vector if function == "projection" else tangent)


class Geoopt:
    """geoopt's manifolds: their sphere is made of vectors, their oblique manifold is one of columns."""

    def __init__(self, manifold):
        kinds = {"sphere": geoopt.Sphere, "oblique": geoopt.Sphere, "stiefel": geoopt.EuclideanStiefel}
        self.manifold, self.kind = kinds[manifold](), manifold

    def _in(self, stack):
        stack = torch.tensor(stack)
        return {"sphere": lambda: stack.flatten(1), "oblique": lambda: stack.mT}.get(self.kind, lambda: stack)()

    def _out(self, stack, shape):
        return stack.reshape(shape) if self.kind == "sphere" else stack.mT if self.kind == "oblique" else stack

    def __call__(self, function, *arguments):
        first, second = map(self._in, arguments)
        retraction = self.manifold.retr if self.kind == "stiefel" else self.manifold.expmap
        found = {"projection": self.manifold.proju, "retraction": retraction}[function](first, second)
        return self._out(found, arguments[0].shape).numpy()


class Pymanopt:
    """pymanopt's manifolds, one matrix at a time."""

    def __init__(self, manifold):
        self.kind = getattr(pymanopt.manifolds, manifold.capitalize())
        self.retraction = "retraction" if manifold == "stiefel" else "exp"

    def __call__(self, function, *arguments):
        manifold = self.kind(*arguments[0].shape[1:])
        each = manifold.projection if function == "projection" else getattr(manifold, self.retraction)
        return np.stack([each(*pair) for pair in zip(*arguments, strict=True)])


@pytest.mark.parametrize("shape", [TALL, SQUARE, COLUMN, WIDE], ids=str)
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("library", [Geoopt, Pymanopt])
@pytest.mark.parametrize("backend", ["reference", "torch"])  # JAX is held against the reference below
def test_agrees_with_the_libraries(backend, manifold, library, function, shape):
    given = arguments_of(function, *points(manifold, shape))
    expected = (
        library(manifold)(function, *(a.swapaxes(1, 2) for a in given)).swapaxes(1, 2)
        if manifold == "stiefel" and shape == WIDE  # they know orthonormal columns alone
        else library(manifold)(function, *given)
    )
    np.testing.assert_allclose(call(backend, manifold, function, *given), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_torch_and_jax_agree_with_the_reference(framework, manifold, function, shape):
    for size in (1e-9, 3.0):
        given = arguments_of(function, *points(manifold, shape, size=size))
        expected = call("reference", manifold, function, *given)
        found = call(framework, manifold, function, *given)
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-13 * max(1, size))


@pytest.fixture(params=["torch", "jax"])
def framework(request):
    return request.param


@pytest.mark.parametrize("shape", [TALL, WIDE], ids=str)
@pytest.mark.parametrize("size", [1e-8, 3.0])
def test_a_step_ends_on_the_manifold(backend, manifold, shape, size):
    here, tangent, _ = points(manifold, shape, size=size)
    ends = call(backend, manifold, "retraction", here, tangent)
    assert max(departure(end, manifold) for end in ends) < 1e-14


@pytest.mark.parametrize("size", [1e3, 1e6])
def test_the_qr_retraction_is_orthonormal_after_steps_of_any_length(backend, size):
    here, tangent, _ = points("stiefel", TALL, size=size)
    assert max(departure(end, "stiefel") for end in call(backend, "stiefel", "retraction", here, tangent)) < 1e-14


@pytest.mark.parametrize("shape", [TALL, WIDE], ids=str)
def test_projection_is_orthogonal_and_gives_tangents(backend, manifold, shape):
    here, _, vector = points(manifold, shape)
    tangent = call(backend, manifold, "projection", here, vector)
    np.testing.assert_allclose(call(backend, manifold, "projection", here, tangent), tangent, atol=1e-14)
    np.testing.assert_allclose((tangent * (vector - tangent)).sum((1, 2)), 0, atol=1e-13)
    step = 1e-4  # to first order a tangent leads along the manifold, not away from it
    assert max(departure(W + step * V, manifold) for W, V in zip(here, tangent, strict=True)) < 50 * step**2


@pytest.mark.parametrize("shape", [TALL, WIDE], ids=str)
def test_the_retraction_leaves_the_tangent_by_the_square_of_the_step(backend, manifold, shape):
    gaps = []
    for size in (1e-3, 1e-4):
        here, tangent, _ = points(manifold, shape, size=size)
        gaps.append(np.abs(call(backend, manifold, "retraction", here, tangent) - here - tangent).max())
    assert gaps[1] < gaps[0] / 50 + 1e-15


def test_a_step_of_no_length_stays(backend, manifold):
    here, tangent, _ = points(manifold, TALL)
    np.testing.assert_allclose(call(backend, manifold, "retraction", here, 0 * tangent), here, rtol=0, atol=1e-15)


def test_not_a_number_is_passed_on(backend, manifold):
    here, tangent, _ = points(manifold, TALL)
    assert np.isnan(call(backend, manifold, "retraction", here, tangent * np.nan)).any()


def test_pymanopt_does_not_change_the_precision_of_other_tests():
    assert not LEFT_ON
