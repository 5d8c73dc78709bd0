"""A run the way a user writes it: ``torch.nn`` modules, autograd and the drop-in optimiser classes, the batch whole.

Slower than :mod:`normbench.torch.benchmark.trainer`, it shares none of its derivatives, tiles or buffers: validation
runs both.
"""

from typing import Any

import torch
from torch import Tensor

from normbench import specs
from normbench.backends.trajectory import Progress, Trajectory
from normbench.problems.problem import Problem
from normbench.torch.benchmark.drop_ins import drop_in
from normbench.torch.benchmark.network import build, loss_value


class PlainTrainer:
    """A full-batch run of one drop-in optimiser; follows :class:`normbench.backends.trajectory.Path`.

    Parameters as :class:`normbench.backends.Start`, whose optimiser is ``key``.
    """

    def __init__(self, problem: Problem, key: str, hyperparameters: dict[str, Any], *, dtype: str, device: str) -> None:
        place = {"dtype": getattr(torch, dtype), "device": device}
        self._train = [torch.tensor(a, **place) for a in (problem.x_train, problem.y_train)]
        self._problem = problem
        self._model = build(problem.network, problem.weights, **place)
        options = hyperparameters | (problem.majorant_constants if specs.get(key).bounded else {})
        self._optimizer = drop_in(key, list(self._model.parameters()), options)
        self._calls = 0
        self._loss = self._closure()
        self._progress = Progress(self._loss.item(), (self._calls, 0))

    def _value(self, x: Tensor, y: Tensor) -> Tensor:
        return loss_value(self._problem.loss, self._model(x), y, self._problem.loss_divisor)

    def _closure(self) -> Tensor:
        self._calls += 1
        return self._value(*self._train)

    def advance(self, steps: int) -> int:
        """Do up to ``steps`` iterations; return how many were done."""
        return self._progress.repeat(self._iterate, steps)

    def _iterate(self) -> None:
        if getattr(self._optimizer, "differentiates", False):
            self._optimizer.step(self._closure)
        else:
            self._optimizer.zero_grad()
            self._loss.backward()
            self._optimizer.step()
        self._loss = self._closure()
        group = self._optimizer.param_groups[0]
        step_size = float(group["step_size"] if "step_size" in group else group["lr"])
        self._progress.add(self._loss.item(), step_size, (self._calls, self._progress.iterations + 1))

    def trajectory(self) -> Trajectory:
        """Everything so far; how often a step was halved stays inside the optimiser."""
        return self._progress.trajectory(tuple(p.detach().cpu().double().numpy() for p in self._model.parameters()))
