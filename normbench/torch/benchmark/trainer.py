"""The torch trainer: perceptrons with gradients by hand, every other network by automatic differentiation."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from normbench import specs
from normbench.backends.trajectory import Part, Progress, Trajectory, first_devices
from normbench.data.streamed import StreamedImages
from normbench.errors import BackendUnavailableError
from normbench.problems.initial_variables import initial_variables
from normbench.problems.problem import Problem
from normbench.specs import parametrisations
from normbench.torch.benchmark.methods import method
from normbench.torch.benchmark.objective import NetworkObjective
from normbench.torch.benchmark.perceptron import Objective
from normbench.torch.benchmark.spread import Spread, SpreadBatches
from normbench.torch.dtypes import DTYPES
from normbench.torch.updates.parametrisations import chart
from normbench.torch.updates.through import Through


class Streamed:
    """Images that are read when they are asked for, as tensors of some of them."""

    def __init__(self, images: StreamedImages, place: Callable[[np.ndarray], Tensor]) -> None:
        self._images, self._place = images, place

    def __len__(self) -> int:
        """Samples."""
        return len(self._images)

    def split(self, size: int) -> Iterator[Tensor]:
        """All of them in their order, ``size`` at a time."""
        return (self._place(self._images[start : start + size]) for start in range(0, len(self), size))


class TorchTrainer:
    """A run of one optimiser in torch; follows :class:`normbench.backends.trajectory.Trainer`.

    Parameters as :class:`normbench.backends.Start`, whose optimiser is ``key``.

    Raises
    ------
    BackendUnavailableError
        If the device is not there.
    InvalidArgumentError
        If the parametrisation does not go with the optimiser or the network.
    """

    def __init__(
        self,
        problem: Problem,
        key: str,
        hyperparameters: dict[str, Any],
        *,
        dtype: str,
        device: str,
        rows: np.ndarray | None = None,
        feed: Iterator[tuple[np.ndarray, np.ndarray]] | None = None,
        parametrisation: str | None = None,
        devices: int = 1,
    ) -> None:
        self._devices = _find_devices(device, devices)
        self._device = self._devices[0]
        self._dtype = DTYPES[dtype]
        self._key = key
        self._hyperparameters = dict(hyperparameters)
        self._method = method(key, self._hyperparameters)
        self._rows, self._feed = rows, feed
        way = parametrisations.way(specs.get(key), parametrisation, problem.network)
        self._chart = None if way is None else chart(*way, problem.network.weight_shapes)
        start = problem.weights if way is None else initial_variables(*way, problem.weights)
        with torch.no_grad():
            whole = rows is None and feed is None
            place: Callable[..., Any] = self._tiled if whole and problem.is_by_hand else self._whole
            self._objective = self._training(place, problem, whole=whole)
            self._test = place(problem, problem.x_test, problem.y_test, self._device)
            weights = [self._tensor(w) for w in start]
            self._asked = self._objective
            if way is not None and self._chart is not None:
                self._asked = Through(self._objective, self._chart, way.geometry)
            self._state = self._method.init(self._asked, weights)
            if rows is not None:
                self._objective.select(rows[0])
            elif feed is not None:
                self._objective.take(*map(self._placed, next(feed)))
            self._point = self._asked.point(weights)
            self._progress = Progress(float(self._point.loss), self._objective.evaluations)
        self._synchronise()

    def _plain_weights(self) -> list[Tensor]:
        """Plain weights at present."""
        moved = self._point.weights
        return moved if self._chart is None else self._chart.weights(moved)

    def _tensor(self, array: np.ndarray, device: torch.device | None = None) -> Tensor:
        return torch.tensor(array, dtype=self._dtype, device=device or self._device)

    def _placed(self, array: np.ndarray, device: torch.device | None = None) -> Tensor:
        """On the device, the first where none is named; integers as they are."""
        dtype = self._dtype if array.dtype.kind == "f" else None
        return torch.tensor(array, dtype=dtype, device=device or self._device)

    def _training(self, place: Callable[..., Any], problem: Problem, *, whole: bool) -> Any:
        """The objective of the training set, or of batches of it."""
        x, y, devices = problem.x_train, problem.y_train, self._devices
        if len(devices) == 1:
            return place(problem, x, y, self._device)
        if whole:
            shares = list(zip(*(np.array_split(samples, len(devices)) for samples in (x, y)), devices, strict=True))
            return Spread([place(problem, *share) for share in shares], devices, [len(own) for own, *_ in shares])
        samples = {device: self._samples(x, y, device) for device in dict.fromkeys(devices)}
        return SpreadBatches([self._network(problem, *samples[device]) for device in devices], devices, len(x))

    def _tiled(self, problem: Problem, x: np.ndarray, y: np.ndarray, device: torch.device) -> Objective:
        samples, targets = (self._tensor(array.T, device).contiguous() for array in (x, y))
        return Objective(samples, targets, [w.shape[0] for w in problem.weights], problem.loss_divisor)

    def _whole(self, problem: Problem, x: np.ndarray, y: np.ndarray, device: torch.device) -> NetworkObjective:
        return self._network(problem, *self._samples(x, y, device))

    def _samples(self, x: np.ndarray, y: np.ndarray, device: torch.device) -> tuple[Any, Tensor]:
        place = partial(self._placed, device=device)
        return Streamed(x, place) if isinstance(x, StreamedImages) else place(x), place(y)

    def _network(self, problem: Problem, x: Any, y: Tensor) -> NetworkObjective:
        return NetworkObjective(
            problem.network,
            x,
            y,
            problem.loss,
            problem.loss_divisor,
            dtype=self._dtype,
            majorant_scale=problem.majorant_scale,
        )

    def _next_batch(self) -> None:
        """Turn to the batch of the iteration that comes next, whose loss is evaluated anew."""
        iteration = self._progress.iterations
        if self._rows is not None and 0 < iteration < len(self._rows):
            self._objective.select(self._rows[iteration])
        elif self._feed is not None and iteration > 0 and (batch := next(self._feed, None)):
            self._objective.take(*map(self._placed, batch))
        else:
            return
        self._point = self._asked.point(self._point.weights)

    def _synchronise(self) -> None:
        if self._device.type == "cuda":
            for device in self._devices:
                torch.cuda.synchronize(device)

    def compile(self) -> None:
        """Load what torch loads at the first step of an optimiser or the first derivative along a curve: a second."""
        importlib.import_module("torch._dynamo")

    def advance(self, steps: int) -> int:
        """Do up to ``steps`` iterations; return how many were done."""
        with torch.no_grad():
            done = self._progress.repeat(self._iterate, steps)
        self._synchronise()
        return done

    def _iterate(self) -> None:
        self._next_batch()
        result = self._method.step(self._asked, self._point, self._state)
        self._point, self._state = result.point, result.state
        self._progress.add(float(result.point.loss), result.step_size, self._objective.evaluations, result.halvings)

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of all further iterations."""
        self._hyperparameters["learning_rate"] *= factor
        self._method = method(self._key, self._hyperparameters)

    def outputs(self, part: Part) -> Iterator[np.ndarray]:
        """What the network gives for the training or the test set at the present weights, some samples at a time."""
        objective = {Part.TRAIN: self._objective, Part.TEST: self._test}[part]
        for found in objective.outputs(self._plain_weights()):
            yield found.cpu().numpy()

    def test_loss(self) -> float:
        """Loss on the test set at the present weights."""
        with torch.no_grad():
            return self._test.loss(self._plain_weights())

    def trajectory(self) -> Trajectory:
        """Everything so far."""
        variables = [] if self._chart is None else self._point.weights
        return self._progress.trajectory(_arrays(self._plain_weights()), _arrays(variables))


def _find_devices(name: str, count: int) -> list[torch.device]:
    if name != "cuda":
        return [torch.device(name)] * count
    if not torch.cuda.is_available():
        raise BackendUnavailableError("device 'cuda' is not available to torch on this machine; use device 'cpu'.")
    if count == 1:
        return [torch.device(name)]
    return first_devices(count, [torch.device(name, index) for index in range(torch.cuda.device_count())], "CUDA")


def _arrays(tensors: Sequence[Tensor]) -> tuple[np.ndarray, ...]:
    return tuple(t.detach().cpu().double().numpy() for t in tensors)
