"""The peers in torch, from torch.optim and pytorch_optimizer: how each starts and how it takes one iteration."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from normbench.torch.benchmark.iteration import Hyperparameters, Iteration, Method
from normbench.torch.benchmark.perceptron import Objective, Point

Build = Callable[[list[Tensor], Hyperparameters], torch.optim.Optimizer]


def _prodigy(weights: list[Tensor], hyper: Hyperparameters) -> torch.optim.Optimizer:
    from pytorch_optimizer import Prodigy  # takes seconds to import, and most runs do without

    return Prodigy(weights, lr=hyper["learning_rate"])


def _dadapt_adamw(weights: list[Tensor], hyper: Hyperparameters) -> torch.optim.Optimizer:
    from pytorch_optimizer import DAdaptAdam

    return DAdaptAdam(weights, lr=hyper["learning_rate"], weight_decouple=True)


def _schedule_free(weights: list[Tensor], hyper: Hyperparameters) -> torch.optim.Optimizer:
    from pytorch_optimizer import ScheduleFreeAdamW

    return ScheduleFreeAdamW(weights, lr=hyper["learning_rate"])


def _muon(weights: list[Tensor], hyper: Hyperparameters) -> torch.optim.Optimizer:
    # it takes matrices only: a kernel is the view that multiplies patches
    return torch.optim.Muon([w.flatten(1) for w in weights], lr=hyper["learning_rate"], weight_decay=0.0)


def of_library(build: Build) -> Method:
    """A library's optimiser that needs the gradient alone; its own estimate is the step size where it has one."""

    def init(objective: Objective, weights: Sequence[Tensor], hyper: Hyperparameters) -> torch.optim.Optimizer:
        return build(list(weights), hyper)

    def step(objective: Objective, point: Point, state: torch.optim.Optimizer, hyper: Hyperparameters) -> Iteration:
        _step(state, state.param_groups[0]["params"], objective.slope(point).gradient, hyper)
        estimate = float(state.param_groups[0].get("d", 1.0))
        return Iteration(objective.point(point.weights), state, hyper["learning_rate"] * estimate)

    return Method(init, step)


def _step(
    optimiser: torch.optim.Optimizer, weights: Sequence[Tensor], gradient: Sequence[Tensor], hyper: Hyperparameters
) -> None:
    """One step of the library's at the learning rate as it is now: a schedule may have changed it."""
    _give(weights, gradient)
    for group in optimiser.param_groups:
        group["lr"] = hyper["learning_rate"]
    optimiser.step()


def _give(weights: Sequence[Tensor], gradient: Sequence[Tensor]) -> None:
    for weight, g in zip(weights, gradient, strict=True):
        weight.grad = g.view_as(weight)


class _Averaged(NamedTuple):
    """Schedule-free: the weights that the optimiser moves (y in training, x in evaluation), and the optimiser."""

    weights: list[Tensor]
    optimizer: Any


def _begin_averaging(objective: Objective, weights: Sequence[Tensor], hyper: Hyperparameters) -> _Averaged:
    moved = [w.clone() for w in weights]
    return _Averaged(moved, _schedule_free(moved, hyper))


def _average(objective: Objective, point: Point, state: _Averaged, hyper: Hyperparameters) -> Iteration:
    state.optimizer.train()
    _step(state.optimizer, state.weights, objective.slope(objective.point(state.weights)).gradient, hyper)
    state.optimizer.eval()
    return Iteration(objective.point([w.clone() for w in state.weights]), state, hyper["learning_rate"])


class _Evaluated(NamedTuple):
    """What the line search has seen at some weights."""

    weights: list[Tensor]
    loss: Tensor
    gradient: list[Tensor]


class _Search:
    """torch.optim.LBFGS, one direction a call, with every evaluation remembered until the next call."""

    def __init__(self, objective: Objective, weights: Sequence[Tensor], hyper: Hyperparameters) -> None:
        self._objective = objective
        self._weights = [w.clone() for w in weights]
        self._seen: list[_Evaluated] = []
        self._optimizer = torch.optim.LBFGS(
            self._weights,
            max_iter=1,
            max_eval=25,
            history_size=hyper["history"],
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

    def step(self, point: Point) -> Iteration:
        """One direction and its line search; no step where the search found nothing."""
        before = [w.clone() for w in self._weights]
        if not self._seen:
            self._seen = [_Evaluated(before, point.loss, self._objective.slope(point).gradient)]
        self._optimizer.step(self._closure)
        found = self._found()
        self._seen = [found]
        moved = not all(map(torch.equal, before, self._weights))
        length = float(self._optimizer.state[self._weights[0]]["t"]) if moved else 0.0
        return Iteration(Point(found.weights, found.loss, point.workspace), self, length)

    def _closure(self) -> Tensor:
        known = self._known()
        if known is None:
            point = self._objective.point([w.clone() for w in self._weights])
            known = _Evaluated(point.weights, point.loss, self._objective.slope(point).gradient)
            self._seen.append(known)
        _give(self._weights, [g.clone() for g in known.gradient])
        return known.loss

    def _known(self) -> _Evaluated | None:
        return next((e for e in reversed(self._seen) if all(map(torch.equal, e.weights, self._weights))), None)

    def _found(self) -> _Evaluated:
        """Where the step ended; the search has evaluated it, unless rounding put the weights elsewhere."""
        self._closure()
        return self._known() or self._seen[-1]  # weights that are not finite equal nothing


def _begin_lbfgs(objective: Objective, weights: Sequence[Tensor], hyper: Hyperparameters) -> _Search:
    return _Search(objective, weights, hyper)


def _lbfgs(objective: Objective, point: Point, state: _Search, hyper: Hyperparameters) -> Iteration:
    return state.step(point)


PEERS: dict[str, Method] = {
    "lbfgs": Method(_begin_lbfgs, _lbfgs),
    "prodigy": of_library(_prodigy),
    "dadapt_adamw": of_library(_dadapt_adamw),
    "schedule_free": Method(_begin_averaging, _average),
    "muon": of_library(_muon),
}
