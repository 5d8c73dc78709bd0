"""A run the way a user writes it: ``torch.nn`` modules, autograd and the drop-in optimiser classes, the batch whole.

Slower than :mod:`normbench.torch.benchmark.trainer`, it shares none of its derivatives, tiles or buffers: validation
runs both.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from normbench import specs
from normbench.backends.trajectory import Status, Trajectory, ending
from normbench.problems.problem import Problem
from normbench.torch.benchmark.methods import drop_in
from normbench.torch.benchmark.network import build, loss_value


class PlainTrainer:
    """A full-batch run of one drop-in optimiser; follows :class:`normbench.backends.trajectory.Path`.

    Parameters
    ----------
    problem : Problem
    key : str
        Optimiser, see :data:`normbench.specs.SPECS`.
    hyperparameters : dict
        Every hyperparameter of the optimiser, resolved.
    dtype : str
        "float32" or "float64".
    device : str
        "cpu" or "cuda".
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
        self._losses = [self._loss.item()]
        self._evaluations = [self._calls]
        self._step_sizes: list[float] = []
        self._status, self._reason = ending(self._losses[0], 0, stalled=False)

    def _value(self, x: Tensor, y: Tensor) -> Tensor:
        return loss_value(self._problem.loss, self._model(x), y, self._problem.loss_divisor)

    def _closure(self) -> Tensor:
        self._calls += 1
        return self._value(*self._train)

    def advance(self, steps: int) -> int:
        """Do up to ``steps`` iterations; return how many were done."""
        done = 0
        while done < steps and self._status is Status.DONE:
            done += 1
            self._iterate()
        return done

    def _iterate(self) -> None:
        if getattr(self._optimizer, "differentiates", False):
            self._optimizer.step(self._closure)
        else:
            self._optimizer.zero_grad()
            self._loss.backward()
            self._optimizer.step()
        self._loss = self._closure()
        group = self._optimizer.param_groups[0]
        self._losses.append(self._loss.item())
        self._evaluations.append(self._calls)
        self._step_sizes.append(float(group["step_size"] if "step_size" in group else group["lr"]))
        stalled = self._step_sizes[-1] == 0.0
        self._status, self._reason = ending(self._losses[-1], len(self._step_sizes), stalled=stalled)

    def trajectory(self) -> Trajectory:
        """Everything so far; how often a step was halved stays inside the optimiser."""
        return Trajectory(
            loss=np.array(self._losses),
            step_size=np.array(self._step_sizes),
            weights=tuple(p.detach().cpu().double().numpy() for p in self._model.parameters()),
            loss_evaluations=np.array(self._evaluations),
            gradient_evaluations=np.arange(len(self._losses)),
            halvings=0,
            status=self._status,
            reason=self._reason,
        )
