"""Method 1 in torch: a Hessian-free step along the geodesic (arXiv 2312.10672, eq. 5-8 and Algorithm 2)."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor

from normbench.backends.method import Method, Step
from normbench.torch.updates.spheres import directions, geodesic, radii


class Objective(Protocol):
    """What method 1 asks of an objective: points that carry ``weights`` and ``loss``, slopes, and line derivatives."""

    def point(self, weights: list[Tensor]) -> Any:
        """Evaluate the loss at ``weights``."""

    def slope(self, point: Any) -> Any:
        """Gradient at a point, as an object with the field ``gradient``."""

    def curve_derivatives(
        self, point: Any, slope: Any, velocity: Sequence[Tensor], turning: Sequence[bool], order: int
    ) -> list[float]:
        """L'(0), ..., L^(order)(0) along W_i cos t + velocity_i sin t where it turns, else W_i + velocity_i t."""


def method1(*, order: int, trust_region: float, max_halvings: int, straight: Sequence[bool] | None = None) -> Method:
    """Steepest descent along the geodesic, to the minimum of the Taylor polynomial, with the loss kept monotone.

    The state is the radii of the spheres, and the step size tau in radians: 0 if no step was accepted, NaN if there was
    no finite loss or derivative to begin with. Then every layer that moves becomes NaN, too: a diverged run looks
    diverged. A loss that is NaN or infinite at a trial point is one that is too large.

    Parameters
    ----------
    order, trust_region, max_halvings
        See :data:`normbench.specs.method1.METHOD1`.
    straight : sequence of bool, optional
        Layers that move on a straight line, with velocities of length mu; none by default.
    """

    def init(objective: Any, weights: Sequence[Tensor]) -> list[float]:
        return radii(weights)

    def step(objective: Objective, point: Any, mu: list[float]) -> Step:
        slope = objective.slope(point)
        along = directions(slope.gradient, point.weights, mu, straight)
        curve = geodesic(point.weights, along, mu)
        derivatives = objective.curve_derivatives(point, slope, along.velocity, along.turning, order)
        if not all(map(math.isfinite, (float(point.loss), *derivatives))):
            return Step(objective.point(curve(math.nan)), mu, math.nan)
        tau = step_size(derivatives, trust_region=trust_region)
        return descend(objective, point, curve, tau, max_halvings)._replace(state=mu)

    return Method(init, step)


def descend(
    objective: Objective, point: Any, curve: Callable[[float], list[Tensor]], tau: float, max_halvings: int
) -> Step:
    """Halve tau until the loss does not exceed that of ``point``; the accepted evaluation is the next forward pass."""
    if tau == 0.0:
        return Step(point, None, 0.0, evaluations=0)
    limit = float(point.loss)
    for halvings in range(max_halvings + 1):
        trial = objective.point(curve(tau))
        if max_halvings == 0 or float(trial.loss) <= limit:
            return Step(trial, None, tau, halvings + 1, halvings)
        tau /= 2
    return Step(point, None, 0.0, max_halvings + 1, max_halvings)


def step_size(derivatives: list[float], *, trust_region: float) -> float:
    """tau from L'(0), L''(0), ...: Algorithm 2 at order 2, else the minimum of the polynomial on [0, eps]."""
    if len(derivatives) == 2:
        return algorithm2(*derivatives, trust_region=trust_region)
    return minimise_polynomial(derivatives, trust_region=trust_region)


def algorithm2(first: float, second: float, *, trust_region: float) -> float:
    """Algorithm 2: the extreme point -L'(0) / L''(0) if it lies in the trust region, else the region's edge."""
    if second == 0.0:
        return 0.0 if first == 0.0 else trust_region
    extreme = -first / second
    return extreme if 0.0 <= extreme <= trust_region else trust_region


def minimise_polynomial(derivatives: list[float], *, trust_region: float) -> float:
    """Global minimiser on [0, eps] of sum_k L^(k)(0) t^k / k!.

    The derivative is at most cubic: the zeros of its own derivative cut [0, eps] into pieces on which it is monotone,
    and bisection finds the zero on each.
    """
    slope = [d / math.factorial(k) for k, d in enumerate(derivatives)]
    cuts = [0.0, *_quadratic_roots(slope, trust_region), trust_region]
    candidates = [0.0, trust_region]
    candidates += [_bisect(slope, a, b) for a, b in itertools.pairwise(cuts)]
    primitive = [0.0] + [c / (k + 1) for k, c in enumerate(slope)]
    return min(candidates, key=lambda t: _horner(primitive, t))


def _quadratic_roots(slope: list[float], upper: float) -> list[float]:
    """Zeros in (0, upper) of the derivative of a polynomial of degree 2 or 3, ascending."""
    b, c, d = slope[1], 2 * slope[2], 3 * (slope[3] if len(slope) == 4 else 0.0)
    discriminant = c * c - 4 * b * d
    if not discriminant >= 0.0:
        return []
    q = -(c + math.copysign(math.sqrt(discriminant), c)) / 2  # no cancellation
    roots = [numerator / denominator for numerator, denominator in ((q, d), (b, q)) if denominator != 0.0]
    return sorted(t for t in roots if 0.0 < t < upper)


def _bisect(polynomial: list[float], lower: float, upper: float) -> float:
    """The sign change from - to + on a monotone piece, or the lower end where there is none."""
    if not _horner(polynomial, lower) < 0.0 < _horner(polynomial, upper):
        return lower
    while lower < (middle := (lower + upper) / 2) < upper:
        if _horner(polynomial, middle) < 0.0:
            lower = middle
        else:
            upper = middle
    return lower


def _horner(coefficients: list[float], t: float) -> float:
    total = 0.0
    for coefficient in reversed(coefficients):
        total = total * t + coefficient
    return total
