"""pymanopt's trust regions on spheres and in balls in torch, one of their iterations a step.

``TrustRegions.run()`` is the whole loop. All that one of its iterations leaves to the next is a point and a radius, and
it gives both to its inner solver where an iteration begins: at the second one the run is left with them, and the next
step is a run from there.
"""

import math
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from normbench.backends.method import Step
from normbench.specs.base import Geometry
from normbench.torch.updates.balls import Ball, Product, Sphere
from normbench.torch.updates.through import Through

DISTANCE = 2.0**-8  # at which a gradient differs by a product with the Hessian: the cube root of float32's rounding
ROUNDINGS = 1e3  # pymanopt's own: by how many the loss may be wrong where the quality of a step is judged
_YES = ("y", "yes", "t", "true", "on", "1")  # what JAX takes for one in an environment variable

Point = list[np.ndarray]


def load_pymanopt() -> Any:
    """The package, and JAX as it was: its import turns on double precision for the whole process."""
    if "pymanopt" not in sys.modules:
        with ThreadPoolExecutor(1) as own:  # a thread of its own: what JAX holds for this one alone is not to be kept
            own.submit(_load).result()
    return import_module("pymanopt")


def _load() -> None:
    loaded = sys.modules.get("jax")
    before = loaded.config.jax_enable_x64 if loaded else os.environ.get("JAX_ENABLE_X64", "").lower() in _YES
    try:
        import_module("pymanopt")
    finally:
        if loaded := sys.modules.get("jax"):
            loaded.config.update("jax_enable_x64", before)


def left_after_one(solver: Any) -> Any:
    """A ``TrustRegions`` whose run on an :class:`OnManifold` raises :class:`Left` where its second iteration begins."""
    solve = solver._truncated_conjugate_gradient

    def begin(problem: Any, x: Point, gradient: Any, eta: Any, radius: float, *settings: Any) -> Any:
        if problem.begun:
            raise Left(x, float(radius))
        problem.begun = True
        return solve(problem, x, gradient, eta, radius, *settings)

    solver._truncated_conjugate_gradient = begin
    return solver


class Left(Exception):  # noqa: N818
    """Where the next iteration begins, and its radius: no error."""

    def __init__(self, x: Point, radius: float) -> None:
        super().__init__()
        self.x, self.radius = x, radius


class Known(NamedTuple):
    """What is known at a point of the manifold; ``at`` is that of the objective, the gradient is tangent."""

    x: Point
    at: Any
    gradient: Any


class OnManifold:
    """An objective as pymanopt's solvers ask a problem: of lifts in float64, evaluated once wherever it is.

    Attributes
    ----------
    manifold : pymanopt.manifolds.Product
    here : Known
        Where the iteration begins.
    there : Known
        What it proposes; ``here`` where that is no other network in the objective's precision.
    begun : bool
        Whether the iteration has.
    """

    def __init__(self, objective: Any, weights: Sequence[Tensor]) -> None:
        geometry = objective.geometry if isinstance(objective, Through) else Geometry.SPHERE
        self._objective, self._like = objective, weights[0]
        self._product = Product.of(geometry, weights)
        self.manifold = load_pymanopt().manifolds.Product([_manifold(part) for part in self._product.parts])
        lifts = self._product.lift([w.double().cpu() for w in weights])
        self.here = self.there = Known([Q.numpy() for Q in lifts], None, None)
        self.begun = False
        self._products: dict[bytes, Any] = {}

    def begin(self, point: Any) -> Known:
        """An iteration from where the last one ended, or from a point of the objective at first."""
        if self.here.at is None:
            self.here = Known(self.here.x, point, self._gradient(self.here.x, point))
        self.there, self.begun = self.here, False
        return self.here

    def move(self) -> None:
        """The proposal is where the next iteration begins."""
        self.here = self.there
        self._products.clear()

    def _weights(self, x: Point) -> list[Tensor]:
        lifts = [torch.as_tensor(Q, dtype=self._like.dtype, device=self._like.device) for Q in x]
        return [P.contiguous() for P in self._product.down(lifts)]

    def _gradient(self, x: Point, point: Any) -> Any:
        """Tangent gradient at x, as a vector of pymanopt's."""
        gradient = [g.double().cpu() for g in self._objective.slope(point).gradient]
        tangent = self._product.gradient([torch.as_tensor(Q) for Q in x], gradient)
        return self.manifold.to_tangent_space(x, [g.numpy() for g in tangent])

    def cost(self, x: Point) -> float:
        """Loss."""
        weights = self._weights(x)
        if not all(map(torch.equal, weights, self._weights(self.here.x))):
            self.there = Known(x, self._objective.point(weights), None)
        return float(self.there.at.loss)

    def riemannian_gradient(self, x: Point) -> Any:
        """Gradient where the loss was asked for last."""
        if self.there.gradient is None:
            self.there = self.there._replace(gradient=self._gradient(x, self.there.at))
        return self.there.gradient

    def riemannian_hessian(self, x: Point, vector: Any) -> Any:
        """Product with the Hessian; the first ones after a step that was not taken are those that led to it."""
        name = b"".join(v.tobytes() for v in vector)
        if name not in self._products:
            self._products[name] = self._product_with(x, vector)
        return self._products[name]

    def _product_with(self, x: Point, vector: Any) -> Any:
        """By a difference of gradients, as Manopt has it; one evaluation."""
        norm = self.manifold.norm(x, vector)
        if not norm > 0:
            return vector
        t = DISTANCE / norm
        y = self.manifold.retraction(x, t * vector)
        beyond = self._gradient(y, self._objective.point(self._weights(y)))
        return (self.manifold.transport(y, x, beyond) - self.here.gradient) / t

    @staticmethod
    def preconditioner(x: Point, vector: Any) -> Any:
        """None."""
        return vector


def _manifold(part: Ball | Sphere) -> Any:
    manifolds = load_pymanopt().manifolds
    if isinstance(part, Sphere):
        return manifolds.Sphere(*part.shape)
    return manifolds.Stiefel(sum(part.shape), min(part.shape))


class TrustRegion:
    """A point and a radius, which are a run of trust regions between two iterations.

    Parameters
    ----------
    objective : object with ``point`` and ``slope``
    weights : sequence of Tensor
        On spheres of radius 1, or the variables of balls.
    solver : pymanopt.optimizers.TrustRegions
        Of :func:`left_after_one`.
    """

    def __init__(self, objective: Any, weights: Sequence[Tensor], solver: Any) -> None:
        self._problem, self._solver = OnManifold(objective, weights), solver
        self._largest = float(self._problem.manifold.typical_dist)
        self._radius = self._largest / 8
        self._rounding = torch.finfo(weights[0].dtype).eps / np.finfo(np.float64).eps

    def step(self, point: Any) -> Step:
        """One iteration; its step size is the radius, and 0 where there is nowhere to go."""
        problem, radius = self._problem, self._radius
        here = problem.begin(point)
        if not 0 < problem.manifold.norm(here.x, here.gradient) < math.inf:
            return Step(here.at, self, 0.0)
        left = self._left(here)
        if problem.there is here:
            return Step(here.at, self, 0.0)
        self._radius = left.radius
        taken = left.x is not here.x
        if taken:
            problem.move()
        return Step(problem.here.at, self, radius, halvings=int(not taken))

    def _left(self, here: Known) -> Left:
        """Where an iteration from here ends."""
        loss = abs(float(here.at.loss))
        # pymanopt's unit is the rounding of 1 in float64, below which losses of networks can be
        self._solver.rho_regularization = ROUNDINGS * self._rounding * loss / max(1.0, loss)
        try:
            with np.errstate(all="ignore"):  # a loss that is not finite is refused, and the radius falls
                self._solver.run(self._problem, initial_point=here.x, Delta_bar=self._largest, Delta0=self._radius)
        except Left as left:
            return left
        raise AssertionError("a run of TrustRegions ended by itself.")
