"""Where the arrays of a run are, in which precision, and the objectives that are made of them."""

from functools import cached_property, partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from normbench.backends.trajectory import first_devices
from normbench.data.streamed import StreamedImages
from normbench.errors import BackendUnavailableError
from normbench.jax.benchmark.evaluation import Streamed
from normbench.jax.benchmark.objective import NetworkObjective
from normbench.jax.benchmark.perceptron import CPU_TILE, Objective, tiles
from normbench.jax.benchmark.precision import of_run
from normbench.jax.benchmark.spread import EVERYWHERE, mesh_of
from normbench.problems.problem import Problem


class Place:
    """The devices of a run; what all of them have is whole on each.

    Parameters
    ----------
    device : str
        "cpu" or "cuda".
    devices : int
    dtype : str

    Raises
    ------
    BackendUnavailableError
        If there are not so many of them.
    """

    def __init__(self, device: str, devices: int, dtype: str) -> None:
        self._dtype = dtype
        self.devices = _found(device, devices)
        self.first = self.devices[0]

    @cached_property
    def mesh(self) -> Mesh | None:
        """The devices where there are several."""
        return mesh_of(self.devices) if len(self.devices) > 1 else None

    def cast(self, value: Any) -> np.ndarray:
        """A number or array of the run's precision."""
        return np.asarray(value, dtype=self._dtype)

    def samples(self, array: np.ndarray) -> np.ndarray:
        """Likewise; integers, which are tokens and classes, stay what they are."""
        return self.cast(array) if array.dtype.kind == "f" else array.astype(np.int32)

    def network(self, problem: Problem, x: Any, y: np.ndarray) -> NetworkObjective | Streamed:
        """The objective of NumPy arrays, or of images that are read when they are asked for."""
        if isinstance(x, StreamedImages):
            placed = lambda *part: self.on_first(self.network(problem, *part))  # noqa: E731
            return Streamed(x, y, problem.network, partial(of_run, self._dtype), placed)
        return NetworkObjective(
            x=self.samples(x),
            y=self.samples(y),
            loss_divisor=self.cast(problem.loss_divisor),
            majorant_scale=self.cast(problem.majorant_scale),
            network=problem.network,
            kind=problem.loss,
        )

    def by_hand(self, problem: Problem, x: np.ndarray, y: np.ndarray) -> Objective:
        """The perceptron's objective of NumPy arrays."""
        size = min(CPU_TILE, len(x)) if self.first.platform == "cpu" else len(x)
        return Objective(
            x=self.cast(tiles(x, size)),
            y=self.cast(tiles(y, size)),
            weight_of_sample=self.cast(1.0 / (problem.loss_divisor * len(x))),
            majorant_scale=self.cast(np.square(x).sum() / len(x) / problem.loss_divisor),
        )

    def put(self, arrays: Any) -> Any:
        """NumPy arrays on all devices."""
        return jax.device_put(arrays, self.first if self.mesh is None else NamedSharding(self.mesh, EVERYWHERE))

    def on_first(self, arrays: Any) -> Any:
        """Arrays on the first device, where they are evaluated; what is not read yet is put there when it is."""
        return arrays if isinstance(arrays, Streamed) else jax.device_put(arrays, self.first)


def _found(name: str, count: int) -> list[Any]:
    try:
        there = jax.devices(name)
    except RuntimeError as error:
        raise BackendUnavailableError(f"device {name!r} is not available to JAX on this machine: {error}") from error
    more = f', or say jax.config.update("jax_num_cpu_devices", {count}) before JAX computes anything'
    return first_devices(count, there, "JAX " + name.upper(), remedy=more if name == "cpu" else "")
