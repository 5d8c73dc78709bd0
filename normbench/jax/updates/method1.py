"""Method 1 in JAX: a Hessian-free step along the geodesic (arXiv 2312.10672, eq. 5-8 and Algorithm 2)."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array

from normbench.backends.method import Method, Step
from normbench.jax.updates.spheres import Arrays, directions, geodesic, radii

BISECTIONS = 80  # enough to reduce [0, 2 pi] to the last bit of a float64


class Objective(Protocol):
    """What method 1 asks of an objective: points with ``weights``, ``loss`` and ``gradient``, and line derivatives."""

    def point(self, weights: tuple[Array, ...]) -> Any:
        """Evaluate at ``weights``."""

    def curve_derivatives(
        self, point: Any, velocity: Sequence[Array], moving: Sequence[Array], order: int
    ) -> list[Array]:
        """L'(0), ..., L^(order)(0) along the geodesic."""


class _Search(NamedTuple):
    point: Any
    tau: Array
    evaluations: Array


def method1(*, order: int, trust_region: Array, max_halvings: int | Array, straight: Sequence[bool] = ()) -> Method:
    """Steepest descent along the geodesic, to the minimum of the Taylor polynomial, with the loss kept monotone.

    The state is the radii of the spheres, and the step size tau in radians: 0 if no step was accepted, NaN if the loss
    or a derivative at the start is not finite, and with it every layer that moves.

    Parameters
    ----------
    order, trust_region, max_halvings
        See :data:`normbench.specs.method1.METHOD1`; ``order`` is static.
    straight : sequence of bool, static
        Which layers lie on no sphere and move on straight lines, mu being the length of their velocity; by default
        none.
    """

    def init(objective: Any, weights: Sequence[Array]) -> Arrays:
        return radii(weights)

    def step(objective: Objective, point: Any, mu: Arrays) -> Step:
        along = directions(point.gradient, point.weights, mu, straight)
        curve = geodesic(point.weights, along, mu, straight)
        derivatives = objective.curve_derivatives(point, along.velocity, along.moving, order)
        tau = step_size(derivatives, trust_region=trust_region)
        known = jnp.isfinite(jnp.stack([point.loss, *derivatives])).all()
        tau = jnp.where(known, tau, jnp.nan)
        return descend(objective, point, curve, tau, max_halvings)._replace(state=mu)

    return Method(init, step)


def descend(
    objective: Objective, point: Any, curve: Callable[[Array], Arrays], tau: Array, max_halvings: int | Array
) -> Step:
    """Halve tau until the loss does not exceed that of ``point``; the accepted point is where the next step starts.

    A trial loss that is not finite is a rejected one, but for a tau of NaN, which is accepted at once.
    """

    def rejected(search: _Search) -> Array:
        return jnp.asarray(max_halvings > 0) & ~(search.point.loss <= point.loss) & ~jnp.isnan(tau)

    def unfinished(search: _Search) -> Array:
        first = search.evaluations == 0
        return (tau != 0) & (first | rejected(search) & (search.evaluations <= max_halvings))

    def attempt(search: _Search) -> _Search:
        angle = jnp.where(search.evaluations == 0, search.tau, search.tau / 2)
        trial = objective.point(curve(angle))
        return _Search(trial, angle, search.evaluations + 1)

    end = jax.lax.while_loop(unfinished, attempt, _Search(point, tau, jnp.zeros((), jnp.int32)))
    stays = rejected(end)
    accepted = jax.tree.map(lambda old, new: jnp.where(stays, old, new), point, end.point)
    halvings = jnp.maximum(end.evaluations - 1, 0)
    return Step(accepted, None, jnp.where(stays, 0, end.tau), end.evaluations, halvings)


def step_size(derivatives: list[Array], *, trust_region: Array) -> Array:
    """tau from L'(0), L''(0), ...: Algorithm 2 at order 2, else the minimum of the polynomial on [0, eps]."""
    if len(derivatives) == 2:
        return algorithm2(*derivatives, trust_region=trust_region)
    return minimise_polynomial(derivatives, trust_region=trust_region)


def algorithm2(first: Array, second: Array, *, trust_region: Array) -> Array:
    """Algorithm 2: the extreme point -L'(0) / L''(0) if it lies in the trust region, else the region's edge."""
    flat = second == 0
    extreme = -first / jnp.where(flat, 1, second)
    curved = jnp.where((extreme >= 0) & (extreme <= trust_region), extreme, trust_region)
    return jnp.where(flat, jnp.where(first == 0, 0, trust_region), curved)


def minimise_polynomial(derivatives: list[Array], *, trust_region: Array) -> Array:
    """Global minimiser on [0, eps] of sum_k L^(k)(0) t^k / k!.

    The derivative is at most cubic: the zeros of its own derivative cut [0, eps] into pieces on which it is monotone,
    and bisection finds the zero on each.
    """
    slope = [d / math.factorial(k) for k, d in enumerate(derivatives)]
    edges = jnp.stack([jnp.zeros_like(slope[0]), jnp.asarray(trust_region, slope[0].dtype)])
    cuts = jnp.sort(jnp.concatenate([edges, _quadratic_roots(slope, edges[1])]))
    candidates = jnp.concatenate([edges, _bisect(slope, cuts[:-1], cuts[1:])])
    primitive = [jnp.zeros_like(slope[0])] + [c / (k + 1) for k, c in enumerate(slope)]
    return candidates[jnp.argmin(_horner(primitive, candidates))]


def _quadratic_roots(slope: list[Array], upper: Array) -> Array:
    """Zeros of the derivative of a polynomial of degree 2 or 3; those outside (0, upper) come back as 0."""
    b, c = slope[1], 2 * slope[2]
    d = 3 * slope[3] if len(slope) == 4 else jnp.zeros_like(b)
    root = jnp.sqrt(c * c - 4 * b * d)
    q = -(c + jnp.where(c < 0, -root, root)) / 2  # no cancellation
    roots = jnp.stack([q / d, b / q])
    return jnp.where((roots > 0) & (roots < upper), roots, 0)  # NaN and infinity fail the comparison


def _bisect(polynomial: list[Array], lower: Array, upper: Array) -> Array:
    """The sign change from - to + on each monotone piece, or the lower end where there is none."""
    crosses = (_horner(polynomial, lower) < 0) & (_horner(polynomial, upper) > 0)

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        below = _horner(polynomial, middle) < 0
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    return jnp.where(crosses, jax.lax.fori_loop(0, BISECTIONS, halve, (lower, upper))[0], lower)


def _horner(coefficients: list[Array], t: Array) -> Array:
    total = jnp.zeros_like(t)
    for coefficient in reversed(coefficients):
        total = total * t + coefficient
    return total
