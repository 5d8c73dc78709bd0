"""A run the way a user writes it: ``torch.nn`` modules, autograd and the drop-in optimiser classes, the batch whole.

Slower than :mod:`normbench.torch.benchmark.trainer`, it shares none of its derivatives, tiles or buffers: validation
runs both.
"""

from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from normbench import specs
from normbench.backends.trajectory import Progress, Trajectory
from normbench.problems.initial_variables import initial_variables
from normbench.problems.problem import Problem
from normbench.specs import parametrisations
from normbench.torch.benchmark.drop_ins import drop_in
from normbench.torch.benchmark.network import build, loss_value
from normbench.torch.updates.parametrisations import chart


class PlainTrainer:
    """A full-batch run of one drop-in optimiser; follows :class:`normbench.backends.trajectory.Path`.

    Parameters as :class:`normbench.backends.Start`, whose optimiser is ``key``.
    """

    def __init__(self, problem: Problem, key: str, hyperparameters: dict[str, Any], *, dtype: str, device: str) -> None:
        place = {"dtype": getattr(torch, dtype), "device": device}
        self._train = [torch.tensor(a, **place) for a in (problem.x_train, problem.y_train)]
        self._problem = problem
        self._model = build(problem.network, problem.weights, **place)
        self._moved: list[Tensor] = list(self._model.parameters())
        self._chart = None
        options = hyperparameters | (problem.majorant_constants if specs.get(key).bounded else {})
        way = parametrisations.way(specs.get(key), None, problem.network)
        if way is not None:
            self._chart = chart(*way, problem.network.weight_shapes)
            self._moved = [
                torch.nn.Parameter(torch.tensor(v, **place)) for v in initial_variables(*way, problem.weights)
            ]
            options |= {"radius": 1.0}  # which is what the parametrisations of unit balls ask for
        self._optimizer = drop_in(key, self._moved, options)
        self._averages = hasattr(self._optimizer, "eval")
        self._calls = 0
        self._loss = self._closure()
        self._progress = Progress(self._loss.item(), (self._calls, 0))

    def _value(self, x: Tensor, y: Tensor) -> Tensor:
        outputs = self._model(x) if self._chart is None else functional_call(self._model, self._weights(), (x,))
        return loss_value(self._problem.loss, outputs, y, self._problem.loss_divisor)

    def _weights(self) -> dict[str, Tensor]:
        """Plain weights, with the graph from what the optimiser moves."""
        found = self._moved if self._chart is None else self._chart.weights(self._moved)
        return dict(zip(dict(self._model.named_parameters()), found, strict=True))

    def _closure(self) -> Tensor:
        self._calls += 1
        return self._value(*self._train)

    def advance(self, steps: int) -> int:
        """Do up to ``steps`` iterations; return how many were done."""
        return self._progress.repeat(self._iterate, steps)

    def _iterate(self) -> None:
        if self._averages:  # losses are those of the average, gradients are taken elsewhere
            self._optimizer.train()
        if getattr(self._optimizer, "differentiates", False):
            self._optimizer.step(self._closure)
        else:
            self._optimizer.zero_grad()
            (self._closure() if self._averages else self._loss).backward()
            self._optimizer.step()
        if self._averages:
            self._optimizer.eval()
        self._loss = self._closure()
        group = self._optimizer.param_groups[0]
        step_size = float(group["step_size"] if "step_size" in group else group["lr"])
        self._progress.add(self._loss.item(), step_size, (self._calls, self._progress.iterations + 1))

    def trajectory(self) -> Trajectory:
        """Everything so far; how often a step was halved stays inside the optimiser."""
        return self._progress.trajectory(tuple(w.detach().cpu().double().numpy() for w in self._weights().values()))
