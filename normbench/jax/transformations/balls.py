"""Leaves in balls or on spheres of a user's radius: whether they were replaced, and updates that never leave them.

What is done with real numbers is rounded to the dtype of the leaf in the end, twice: as an update, and as the sum that
``optax.apply_updates`` makes. Both roundings are made here first, and what they carry out of the ball is shrunk.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from normbench.errors import InvalidArgumentError
from normbench.jax.norms import plain_norm, scaled
from normbench.jax.products import matmul
from normbench.jax.transformations.base import cast, working_dtype
from normbench.jax.transformations.gate import named_leaves, positive, require_nonzero
from normbench.jax.updates.decompositions import eigvalsh
from normbench.specs.base import Geometry

Arrays = tuple[Array, ...]

SLACK = 4  # of a norm, in units of eps times the root of rows and columns: what computing it may be wrong by
SAME = 4  # of an entry, in units of eps of the leaf times the largest: what two compilers may round apart
OUTSIDE = 16  # of a norm, in units of eps of the leaf: what dividing by it and rounding may leave


class Moved(NamedTuple):
    """Updates and the weights behind them, as matrices in the precision of the computation."""

    updates: Arrays
    weights: Arrays


class Place(NamedTuple):
    """Radii in the order of the leaves, and the matrices that the last step left; zeros in place of what is outside."""

    radii: Arrays
    kept: Arrays


@dataclass(frozen=True)
class Region:
    """Where the leaves of one optimiser lie.

    Attributes
    ----------
    method : str
    geometry : Geometry
        Of matrices of norm 1.
    radius : number or None
        None for the norm of each leaf.
    """

    method: str
    geometry: Geometry
    radius: float | Array | None

    @classmethod
    def of(cls, method: str, geometry: Geometry, radius: Any) -> "Region":
        """With the radius checked."""
        return cls(method, geometry, None if radius is None else positive("radius", radius))

    def check(self, params: Any) -> None:
        """Raise where a leaf lies outside, or has no norm to take for the radius; what is traced cannot be seen.

        Raises
        ------
        InvalidArgumentError
            With the path of the first such leaf.
        """
        if self.radius is None:
            require_nonzero(self.method, params, remedy="Give a radius, or draw it at random.")
            return
        if isinstance(self.radius, jax.core.Tracer):
            return
        size = jax.jit(self.size)
        for path, leaf in named_leaves(params):
            if isinstance(leaf, jax.core.Tracer):
                continue
            (weight,) = matrices([leaf], working_dtype(leaf))
            found, rounding = float(size(weight)), OUTSIDE * float(jnp.finfo(jnp.result_type(leaf)).eps)
            if found > float(self.radius) * (1 + rounding + 2 * _slack(weight)):
                kind = "Frobenius" if self.geometry is Geometry.SPHERE else "operator"
                raise InvalidArgumentError(
                    f"{self.method} keeps the {kind} norm of every leaf within radius={float(self.radius):g}, and "
                    f"params{path} of shape {np.shape(leaf)} has {found:g}. Divide it by its norm, give a larger "
                    "radius, or None for the norm that it has."
                )

    def begin(self, weights: Arrays) -> Place:
        """Where these weights are."""
        sizes = tuple(map(self.size, weights))
        return self._placed(sizes if self.radius is None else self._given(weights), sizes, weights)

    def renewed(self, place: Place, replaced: Sequence[Array], weights: Arrays) -> Place:
        """Where the leaves are after some were replaced: these have the norm that they have now."""
        sizes = tuple(map(self.size, weights))
        radii = self._given(weights)
        if self.radius is None:
            radii = tuple(jnp.where(new, a, b) for new, a, b in zip(replaced, sizes, place.radii, strict=True))
        return self._placed(radii, sizes, weights)

    def _given(self, weights: Arrays) -> Arrays:
        return tuple(jnp.asarray(0 if self.radius is None else self.radius, w.dtype) for w in weights)

    def _placed(self, radii: Arrays, sizes: Arrays, weights: Arrays) -> Place:
        layers = zip(weights, sizes, radii, strict=True)
        return Place(radii, tuple(jnp.where(size > radius, 0, w) for w, size, radius in layers))

    def replaced(self, place: Place, params: Any, weights: Arrays) -> list[Array]:
        """Whether each leaf is another one than the last step left; what is not finite always is."""
        found = []
        for kept, leaf, weight in zip(place.kept, jax.tree.leaves(params), weights, strict=True):
            rounding = SAME * float(jnp.finfo(jnp.result_type(leaf)).eps) * jnp.abs(kept).max()
            found.append(~(jnp.abs(weight - kept).max() <= rounding))
        return found

    def size(self, weight: Array) -> Array:
        """||W||_op, on spheres ||W||_F, rounded up; NaN where W is not finite."""
        near_one, unit = scaled(weight)
        if self.geometry is Geometry.SPHERE:
            found = plain_norm(near_one)
        else:
            wide = near_one if weight.shape[0] <= weight.shape[1] else near_one.T
            found = jnp.sqrt(jnp.maximum(eigvalsh(matmul(wide, wide.T))[-1], 0))
        return jnp.where(jnp.isfinite(weight).all(), found * (1 + _slack(weight)) * unit, jnp.nan)

    def moved(
        self,
        params: Any,
        here: Arrays,
        variables: tuple[Arrays, Arrays],
        radii: Arrays,
        replaced: Sequence[Array],
    ) -> Moved:
        """Updates from the weights ``here`` to radii times variables; none where these are the same, before and after.

        Parameters
        ----------
        params : tree
            Its leaves have the dtypes.
        here : tuple of arrays
        variables : pair of tuples of arrays
            Before and after the step, in units of the radii.
        radii : tuple of arrays
        replaced : sequence of bool arrays
            Leaves that may lie outside, and move inside in any case.
        """
        found = []
        for leaf, W, P, new, radius, other in zip(
            jax.tree.leaves(params), here, *variables, radii, replaced, strict=True
        ):
            update, weight = self.towards(W, radius * new, radius, jnp.result_type(leaf))
            rests = (new == P).all() & ~other
            found.append((jnp.where(rests, 0, update), jnp.where(rests, W, weight)))
        return Moved(*map(tuple, zip(*found, strict=True)))

    def towards(self, here: Array, there: Array, radius: Array, dtype: Any) -> tuple[Array, Array]:
        """An update in a leaf's dtype from ``here`` towards ``there``, and the weight behind it, which is inside."""
        kind = jnp.finfo(dtype)
        factor = _inside(here, there, radius, region=replace(self, radius=None), dtype=kind.dtype)
        return _ending(factor, here, there, kind)


def beginnings(region: Region, begun: Callable[[Place, Any, Arrays], Any]) -> tuple[Callable[..., Any], ...]:
    """A state at the start, and one that goes on or begins anew where a leaf was replaced: a program each.

    Parameters
    ----------
    region : Region
    begun : callable
        (place, params, weights) -> state, which has that place.

    Returns
    -------
    start : callable
        params -> state
    resumed : callable
        (replaced, state, params, weights) -> state
    """

    @jax.jit  # one program to compile, not one for every operation
    def start(params: Any) -> Any:
        weights = matrices(params, working_dtype(params))
        return begun(region.begin(weights), params, weights)

    @jax.jit  # outside of jit a branch is compiled in each call
    def resumed(replaced: list[Array], kept: Any, params: Any, weights: Arrays) -> Any:
        return lax.cond(
            jnp.stack(replaced).any(),
            lambda: begun(region.renewed(kept.place, replaced, weights), params, weights),
            lambda: kept,
        )

    return start, resumed


def _ending(factor: Array, here: Array, there: Array, kind: Any) -> tuple[Array, Array]:
    """The update to ``factor`` times ``there`` in a dtype, and the weight behind it."""
    update = _rounded(factor * there - here, kind)
    return update, _rounded(here + update, kind)


@partial(jax.jit, static_argnames=("region", "dtype"))  # outside of jit a loop is compiled in each call
def _inside(here: Array, there: Array, radius: Array, *, region: Region, dtype: Any) -> Array:
    """By what ``there`` has to be multiplied so that the weight behind the update is inside."""
    kind = jnp.finfo(dtype)
    gaps = float(kind.smallest_subnormal) * math.sqrt(here.size)  # below the normal numbers nothing is rounded

    def shrunk(last: tuple[Array, Array]) -> tuple[Array, Array]:
        factor, size = last
        first = jnp.isinf(size)
        factor = jnp.where(first, 1, factor * (radius / size) * (1 - float(kind.eps) / 2))
        size = region.size(_ending(factor, here, there, kind)[1])
        return factor, jnp.where(size > 0, size + gaps, size)

    unknown = jnp.ones_like(radius), jnp.full_like(radius, jnp.inf)
    return lax.while_loop(lambda last: last[1] > radius, shrunk, unknown)[0]


def _slack(weight: Array) -> float:
    """By what a norm computed in the precision of the weight may be too small, relative to it."""
    return SLACK * float(jnp.finfo(weight.dtype).eps) * math.sqrt(sum(weight.shape))


def _rounded(x: Array, kind: Any) -> Array:
    """``x`` as its dtype and back again, which compilers would leave out; numbers below the normal ones as they are."""
    if kind.bits >= jnp.finfo(x.dtype).bits:
        return x
    return jnp.where(jnp.abs(x) < float(kind.tiny), x, lax.reduce_precision(x, kind.nexp, kind.nmant))


def matrices(tree: Any, dtype: Any) -> Arrays:
    """The leaves as matrices (fan_out, fan_in height width) in one precision."""
    return tuple(leaf.reshape(len(leaf), -1) for leaf in cast(tree, dtype))


def like(params: Any, found: Sequence[Array]) -> Any:
    """Matrices as leaves of the tree: in their shapes and dtypes."""
    leaves, structure = jax.tree.flatten(params)
    pairs = zip(found, map(jnp.asarray, leaves), strict=True)
    return jax.tree.unflatten(structure, [new.reshape(leaf.shape).astype(leaf.dtype) for new, leaf in pairs])


def units(radii: Arrays, weights: Arrays) -> Arrays:
    """Weights divided by their radii; zero where that is."""
    layers = zip(weights, radii, strict=True)
    return tuple(jnp.where(r == 0, 0, w / jnp.where(r == 0, 1, r)) for w, r in layers)


def wider(state: Any, dtype: Any) -> Any:
    """A state with its real numbers in one precision."""
    return jax.tree.map(lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, state)
