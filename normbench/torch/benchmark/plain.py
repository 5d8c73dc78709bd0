"""A run the way a user writes it: ``torch.nn`` modules, autograd and the drop-in optimiser classes, the batch whole.

Slower than :mod:`normbench.torch.benchmark.trainer`, it shares none of its derivatives, tiles or buffers: validation
runs both.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from normbench.backends.trajectory import Progress, Trajectory
from normbench.problems.problem import Problem
from normbench.torch.benchmark.iteration import Hyperparameters
from normbench.torch.benchmark.network import build, loss_value
from normbench.torch.benchmark.registry import adam, sgd
from normbench.torch.optimizers import AGD, FGSGD, LARS, Fromage, Method1, Method2, Method2Exp

Build = Callable[[list[Tensor], Hyperparameters], torch.optim.Optimizer]

OPTIMIZERS: dict[str, Build] = {
    "method1": lambda params, hyper: Method1(params, **hyper),
    "method2": lambda params, hyper: Method2(params, **hyper),
    "method2_exp": lambda params, hyper: Method2Exp(params, **hyper),
    "fromage": lambda params, hyper: Fromage(params, **_with_lr(hyper)),
    "lars": lambda params, hyper: LARS(params, **_with_lr(hyper)),
    "agd": lambda params, hyper: AGD(params),
    "fgsgd": lambda params, hyper: FGSGD(params, **_with_lr(hyper)),
    "adam": adam,
    "sgd": sgd,
    "sgd_momentum": sgd,
}
_MAJORISING = ("method2", "method2_exp")


def _with_lr(hyper: Hyperparameters) -> Hyperparameters:
    """torch's name of the learning rate is lr."""
    return {"lr" if name == "learning_rate" else name: value for name, value in hyper.items()}


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

    def __init__(
        self, problem: Problem, key: str, hyperparameters: Hyperparameters, *, dtype: str, device: str
    ) -> None:
        place = {"dtype": getattr(torch, dtype), "device": device}
        self._train = [torch.tensor(a, **place) for a in (problem.x_train, problem.y_train)]
        self._problem = problem
        self._model = build(problem.network, problem.weights, **place)
        if key in _MAJORISING:
            hyperparameters = {
                "mean_square_input": problem.mean_square_input,
                "gain": problem.network.gain,
                "curvature": problem.curvature,
            }
        self._optimizer = OPTIMIZERS[key](list(self._model.parameters()), hyperparameters)
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
        if isinstance(self._optimizer, Method1):
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
