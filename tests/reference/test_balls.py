"""Spectral balls as top blocks of Stiefel manifolds, and spheres: lifts, tangents, curves and their Taylor series."""

import numpy as np
import pytest

from normbench.networks import Loss, perceptron
from normbench.problems.initial_variables import initial_variables
from normbench.reference.balls import Ball, Product, Sphere, orthonormal
from normbench.reference.network import Objective
from normbench.reference.parametrisations import chart
from normbench.reference.through import Through
from normbench.specs import Geometry
from normbench.specs.parametrisations import PARAMETRISATIONS

pytestmark = pytest.mark.quick

SHAPES = [(7, 4), (4, 7), (5, 5), (1, 6), (6, 1), (1, 1)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_kind = pytest.mark.parametrize("kind", [Ball, Sphere])


def inside(shape, rng, *, norm=0.8):
    P = rng.normal(size=shape)
    return norm * P / np.linalg.norm(P, 2)


def columns(kind, Q):
    """Q as columns that are orthonormal on either manifold."""
    return Q.reshape(-1, 1) if kind is Sphere else Q


def draw(kind, shape, seed=0):
    rng = np.random.default_rng(seed)
    manifold = kind(shape)
    Q = manifold.lift(inside(shape, rng))
    return manifold, Q, manifold.project(Q, rng.normal(size=Q.shape)), rng


@every_shape
@pytest.mark.parametrize("norm", [0.0, 0.8, 1.0, 1 + 1e-7])
def test_a_lift_has_orthonormal_columns_and_its_matrix_on_top(shape, norm):
    P = inside(shape, np.random.default_rng(1), norm=norm)
    ball = Ball(shape)
    Q = ball.lift(P)
    np.testing.assert_allclose(Q.T @ Q, np.eye(min(shape)), atol=1e-14)
    np.testing.assert_allclose(ball.down(Q), P, atol=1e-15 if norm <= 1 else 2e-7)


@every_kind
@every_shape
def test_the_tangent_gradient_is_the_derivative_along_every_curve(kind, shape):
    manifold, Q, D, rng = draw(kind, shape)
    gradient = rng.normal(size=shape)
    rise = (np.vdot(gradient, manifold.down(manifold.curve(Q, D, t))) for t in (1e-6, -1e-6))
    slope = np.vdot(manifold.gradient(Q, gradient), D)
    assert slope == pytest.approx((next(rise) - next(rise)) / 2e-6, abs=1e-8)


@every_kind
@every_shape
def test_a_projection_is_one_and_is_tangent(kind, shape):
    manifold, Q, D, _ = draw(kind, shape)
    np.testing.assert_allclose(manifold.project(Q, D), D, atol=1e-14)
    crossed = columns(kind, Q).T @ columns(kind, D)
    np.testing.assert_allclose(crossed + crossed.T, 0, atol=1e-14)


@every_kind
@every_shape
@pytest.mark.parametrize("t", [1e-3, 1.0, -40.0, 1e6])
def test_no_step_leaves_the_manifold_or_the_ball_and_angles_are_what_the_size_says(kind, shape, t):
    manifold, Q, D, _ = draw(kind, shape)
    moved = manifold.curve(Q, D, t)
    Z = columns(kind, moved)
    np.testing.assert_allclose(Z.T @ Z, np.eye(Z.shape[1]), atol=1e-9 if abs(t) > 100 else 1e-13)
    assert np.linalg.norm(manifold.down(moved), 2) <= 1 + 1e-9
    size = np.linalg.norm(columns(kind, D), 2)
    assert manifold.size(D) == pytest.approx(size, rel=1e-12, abs=1e-12)


@every_kind
@every_shape
def test_the_series_is_the_curve_to_third_order(kind, shape):
    manifold, Q, D, _ = draw(kind, shape)
    coefficients = manifold.series(Q, D)
    unit = 1.0 / (manifold.size(D) or 1.0)

    def remainder(t):
        partial = sum(c * (t * unit) ** k for k, c in enumerate(coefficients))
        return np.linalg.norm(manifold.down(manifold.curve(Q, D, t * unit)) - partial)

    assert remainder(1e-2) < 2e-6 * np.sqrt(np.prod(shape))
    if remainder(1e-2) > 1e-12:
        assert remainder(2e-2) / remainder(1e-2) > 7


@every_shape
def test_rounding_does_not_add_up_over_steps(shape):
    manifold, Q, _, rng = draw(Ball, shape)
    for _ in range(300):
        Q = manifold.curve(Q, manifold.project(Q, rng.normal(size=Q.shape)), 0.3)
    np.testing.assert_allclose(Q.T @ Q, np.eye(min(shape)), atol=1e-13)


def test_orthonormal_is_the_polar_factor():
    Z = np.random.default_rng(2).normal(size=(6, 3))
    left, _, right = np.linalg.svd(Z, full_matrices=False)
    np.testing.assert_allclose(orthonormal(Z), left @ right, atol=1e-13)


@pytest.mark.parametrize(
    ("key", "geometry"), [("ball", Geometry.STIEFEL), ("sandwich", Geometry.STIEFEL), ("sphere", Geometry.SPHERE)]
)
def test_derivatives_of_the_loss_along_a_curve_are_differences(key, geometry):
    rng = np.random.default_rng(3)
    network = perceptron((6, 9, 4, 5))
    found = chart(PARAMETRISATIONS[key], geometry, network.weight_shapes)
    plain = Objective(network, rng.normal(size=(30, 6)), rng.normal(size=(30, 5)), Loss.SQUARE, 1.0)
    objective = Through(plain, found, geometry)
    variables = initial_variables(
        PARAMETRISATIONS[key], geometry, tuple(rng.normal(size=s) for s in network.weight_shapes)
    )
    manifold = Product.of(geometry, variables)
    Q = manifold.lift(variables)
    D = manifold.project(Q, tuple(rng.normal(size=q.shape) for q in Q))
    curve = manifold.curve(Q, D)

    def loss(t):
        return objective.loss(manifold.down(curve(t)))

    h = 1e-5  # small enough that hardly a ReLU changes side
    first, second = objective.series_derivatives(manifold.series(Q, D))
    assert first == pytest.approx((loss(h) - loss(-h)) / (2 * h), rel=1e-7)
    assert second == pytest.approx((loss(h) - 2 * loss(0.0) + loss(-h)) / h**2, rel=1e-3)
    gradient = manifold.gradient(Q, objective.gradient(variables))
    assert first == pytest.approx(sum(np.vdot(g, d) for g, d in zip(gradient, D, strict=True)), rel=1e-11)
    assert plain.evaluations == objective.evaluations == (5, 1)
    assert plain.derivative_evaluations == 1
    assert plain.cost == 4.0  # halves for losses and gradients, one for the derivatives
