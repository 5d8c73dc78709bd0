"""An objective whose samples are spread over devices: each answers for its share, and the answers are summed.

What an optimiser asks of an objective it asks of this one, inside the same programs: weights and all that a step makes
of the answers is the same on every device.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from normbench.jax.benchmark.network import loss_value
from normbench.jax.benchmark.objective import ACCUMULATED, NetworkObjective
from normbench.jax.benchmark.perceptron import Objective, Point

_AXIS = "devices"
EVERYWHERE, APART = PartitionSpec(), PartitionSpec(_AXIS)


class Layout(NamedTuple):
    """Which of some samples each device has, and what each of them counts in the mean of all.

    Programs want as many for each: the last ones are there again and count nothing.

    Attributes
    ----------
    rows : array of int, shape (devices, samples of a device)
    shares : array of float, of that shape
    """

    rows: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, samples: int, devices: int) -> "Layout":
        """Of so many samples, in their order; a device's come in chunks of one size, see :class:`Share`."""
        each = -(-samples // devices)
        chunks = -(-each // ACCUMULATED)
        places = np.arange(devices * chunks * -(-each // chunks)).reshape(devices, -1)
        return cls(places % samples, (places < samples) / samples)


def mesh_of(devices: Sequence[Any]) -> Mesh:
    """The devices, in their order."""
    return Mesh(np.array(devices), (_AXIS,))


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["x", "y", "loss_divisor", "majorant_scale", "shares"],
    meta_fields=["network", "kind"],
)
@dataclass(frozen=True)
class Share(NetworkObjective):
    """What some of the samples are of the mean loss of all; a pytree.

    Attributes
    ----------
    shares : Array, shape (samples,)
        What each counts in the mean; as many as make chunks of one size, of at most ``ACCUMULATED``.
    """

    shares: Array

    def loss(self, weights: tuple[Array, ...]) -> Array:
        """Value alone; of many samples in chunks, so that also its derivatives need the memory of one."""
        chunks = -(-len(self.x) // ACCUMULATED)
        if chunks == 1:
            return self.loss_of(self.outputs(weights))

        @jax.checkpoint
        def add(total: Array, chunk: tuple[Array, ...]) -> tuple[Array, None]:
            part = replace(self, x=chunk[0], y=chunk[1], shares=chunk[2])
            return total + part.loss_of(part.outputs(weights)), None

        parts = tuple(a.reshape(chunks, -1, *a.shape[1:]) for a in (self.x, self.y, self.shares))
        return jax.lax.scan(add, jnp.zeros((), self.shares.dtype), parts)[0]

    @property
    def weight_of_sample(self) -> Array:
        """What half a square of a residual counts in the loss of all."""
        return jnp.max(self.shares) / self.loss_divisor

    def counts(self) -> Array:
        """That of each sample."""
        return self.shares / self.loss_divisor

    def loss_of(self, outputs: Array) -> Array:
        """The losses of the samples one by one, by what they count."""
        of_one = partial(loss_value, self.kind, divisor=self.loss_divisor)
        return jnp.vdot(self.shares, jax.vmap(of_one)(outputs[:, None], self.y[:, None]))


@partial(jax.tree_util.register_dataclass, data_fields=["parts", "majorant_scale"], meta_fields=["each", "mesh"])
@dataclass(frozen=True)
class Spread:
    """The sum of objectives on several devices; a pytree.

    Attributes
    ----------
    parts : Objective or Share
        All of them, every array with a first axis more, along which it lies on the devices.
    majorant_scale : Array, scalar
    each : int
        Samples of a part; the last parts may hold some that count nothing.
    mesh : Mesh
        The devices.
    """

    parts: Any
    majorant_scale: Array
    each: int
    mesh: Mesh

    @classmethod
    def of(cls, make: Callable[[np.ndarray, np.ndarray], Any], x: np.ndarray, y: np.ndarray, mesh: Mesh) -> "Spread":
        """The objective of samples and targets, of which ``make`` makes one of NumPy arrays."""
        layout, whole = Layout.of(len(x), mesh.size), make(x, y)
        if isinstance(whole, Objective):  # zeros count nothing in a network without biases
            constants = {"weight_of_sample": whole.weight_of_sample, "majorant_scale": whole.majorant_scale}
            shares = zip(layout.rows, layout.shares[..., None] > 0, strict=True)
            parts = [make(x[rows] * counts, y[rows] * counts)._replace(**constants) for rows, counts in shares]
        else:
            apart = zip(layout.rows, layout.shares.astype(whole.loss_divisor.dtype), strict=True)
            parts = [Share(**vars(whole.at(rows)), shares=shares) for rows, shares in apart]
        stacked = jax.tree.map(lambda *arrays: jax.device_put(np.stack(arrays), NamedSharding(mesh, APART)), *parts)
        scale = jax.device_put(whole.majorant_scale, NamedSharding(mesh, EVERYWHERE))
        return cls(stacked, scale, layout.rows.shape[1], mesh)

    def loss(self, weights: tuple[Array, ...]) -> Array:
        """Value alone."""
        return self._sum(lambda part, *given: part.loss(*given), weights)

    def point(self, weights: tuple[Array, ...]) -> Point:
        """Value and gradient."""
        return Point(weights, *self._sum(lambda part, *given: part.point(*given)[1:], weights))

    def curve_derivatives(
        self, point: Point, velocity: Sequence[Array], moving: Sequence[Array], order: int
    ) -> list[Array]:
        """Derivatives of L(Gamma(t)) at t = 0, of order 1 to ``order``."""
        along = point, tuple(velocity), tuple(moving)
        return self._sum(lambda part, *given: part.curve_derivatives(*given, order), *along)

    @property
    def outputs_of_a_sample(self) -> int:
        """Numbers that the network gives for one."""
        return _inner(self.parts).outputs_of_a_sample

    @property
    def weight_of_sample(self) -> Array:
        """What half a square of a residual counts in the loss."""
        return self._sum(lambda part: part.weight_of_sample) / self.mesh.size

    def gauss_newton(self, weights: tuple[Array, ...]) -> Array:
        """J^T J in the scale of the square loss."""
        return self._sum(lambda part, *given: part.gauss_newton(*given), weights)

    def _sum(self, ask: Callable[..., Any], *given: Any) -> Any:
        """The sum of what the parts answer; what is given is the same for all."""

        def answer(parts: Any, *given: Any) -> Any:
            return jax.lax.psum(ask(_inner(parts), *given), _AXIS)

        return _on_devices(answer, self.mesh, (APART, *(EVERYWHERE for _ in given)), EVERYWHERE)(self.parts, *given)

    def on(self, device: Any) -> Iterator[Any]:
        """The parts as objectives of one device, one after another."""
        for k in range(self.mesh.size):
            yield jax.tree.map(lambda a, k=k: jax.device_put(a.addressable_shards[k].data[0], device), self.parts)


@partial(jax.tree_util.register_dataclass, data_fields=["whole", "shares"], meta_fields=["mesh"])
@dataclass(frozen=True)
class SpreadBatches:
    """What batches are taken of, which are spread over devices: every device has all samples; a pytree.

    Attributes
    ----------
    whole : NetworkObjective
    shares : Array, shape (devices, samples of a device)
        What each sample of a batch counts in its mean.
    mesh : Mesh
    """

    whole: NetworkObjective
    shares: Array
    mesh: Mesh

    @classmethod
    def of(cls, whole: Any, layout: Layout, mesh: Mesh) -> "SpreadBatches":
        """Of a network's objective of NumPy arrays, and how its batches lie on the devices."""
        everywhere = NamedSharding(mesh, EVERYWHERE)
        shares = layout.shares.astype(whole.loss_divisor.dtype)
        return cls(jax.device_put(whole, everywhere), jax.device_put(shares, NamedSharding(mesh, APART)), mesh)

    @property
    def majorant_scale(self) -> Array:
        """That of all samples."""
        return self.whole.majorant_scale

    def at(self, rows: Array) -> Spread:
        """The objective of a batch, whose rows have the shape of the shares."""

        def own(whole: NetworkObjective, shares: Array, rows: Array) -> Share:
            found = Share(**vars(whole.at(rows[0])), shares=shares[0])
            return jax.tree.map(lambda a: a[None], found)

        parts = _on_devices(own, self.mesh, (EVERYWHERE, APART, APART), APART)(self.whole, self.shares, rows)
        return Spread(parts, self.majorant_scale, rows.shape[1], self.mesh)

    def on(self, device: Any) -> Iterator[NetworkObjective]:
        """The objective of all samples on one device."""
        yield jax.tree.map(lambda a: jax.device_put(a.addressable_shards[0].data, device), self.whole)


def _inner(parts: Any) -> Any:
    """What a device has of arrays that lie apart."""
    return jax.tree.map(lambda a: a[0], parts)


def _on_devices(function: Callable[..., Any], mesh: Mesh, given: Any, made: Any) -> Callable[..., Any]:
    """A function that every device calls with what it has of the arguments."""
    # without the check: a scan that begins at zero, which is the same everywhere, goes on with what is not
    return jax.shard_map(function, mesh=mesh, in_specs=given, out_specs=made, check_vma=False)
