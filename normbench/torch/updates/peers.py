"""The peers in torch, from torch.optim and pytorch_optimizer: one line each where the gradient is all that they need.

pytorch_optimizer takes seconds to import, and most runs do without: it is imported where it is used.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor

from normbench.backends.method import Method, Step
from normbench.torch.updates.library import Library, give, library_step


def _rated(build: Callable[..., torch.optim.Optimizer]) -> Callable[..., Library]:
    """A peer whose one hyperparameter is the learning rate, from a function of the weights and ``lr``."""
    return lambda *, learning_rate: Library(partial(build, lr=learning_rate), learning_rate)


prodigy = _rated(lambda weights, lr: import_module("pytorch_optimizer").Prodigy(weights, lr=lr))
dadapt_adamw = _rated(
    lambda weights, lr: import_module("pytorch_optimizer").DAdaptAdam(weights, lr=lr, weight_decouple=True)
)
# it takes matrices only: a kernel is the view that multiplies patches
muon = _rated(lambda weights, lr: torch.optim.Muon([w.flatten(1) for w in weights], lr=lr, weight_decay=0.0))


def schedule_free(*, learning_rate: float) -> Method:
    """Schedule-free AdamW: losses are those of the averaged weights, gradients are taken elsewhere."""

    def init(objective: Any, weights: Sequence[Tensor]) -> _Averaged:
        moved = [w.clone() for w in weights]
        return _Averaged(moved, import_module("pytorch_optimizer").ScheduleFreeAdamW(moved, lr=learning_rate))

    def step(objective: Any, point: Any, state: _Averaged) -> Step:
        state.optimizer.train()
        gradient = objective.slope(objective.point(state.weights)).gradient
        library_step(state.optimizer, state.weights, gradient, learning_rate)
        state.optimizer.eval()
        return Step(objective.point([w.clone() for w in state.weights]), state, learning_rate, evaluations=2)

    return Method(init, step)


class _Averaged(NamedTuple):
    """The weights that the optimiser moves (y in training, x in evaluation), and the optimiser."""

    weights: list[Tensor]
    optimizer: Any


def lbfgs(*, history: int) -> Method:
    """torch.optim.LBFGS with its strong Wolfe line search; the step size is that of the search."""
    return Method(partial(_Search, history=history), lambda objective, point, search: search.step(point))


class _Evaluated(NamedTuple):
    """What the line search has seen at some weights."""

    weights: list[Tensor]
    loss: Tensor
    gradient: list[Tensor]


class _Search:
    """torch.optim.LBFGS, one direction a call, with every evaluation remembered until the next call."""

    def __init__(self, objective: Any, weights: Sequence[Tensor], history: int) -> None:
        self._objective = objective
        self._weights = [w.clone() for w in weights]
        self._seen: list[_Evaluated] = []
        self._optimizer = torch.optim.LBFGS(
            self._weights,
            max_iter=1,
            max_eval=25,
            history_size=history,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

    def step(self, point: Any) -> Step:
        """One direction and its line search; no step where the search found nothing."""
        before = [w.clone() for w in self._weights]
        if not self._seen:
            self._seen = [_Evaluated(before, point.loss, self._objective.slope(point).gradient)]
        self._optimizer.step(self._closure)
        found = self._found()
        self._seen = [found]
        moved = not all(map(torch.equal, before, self._weights))
        length = float(self._optimizer.state[self._weights[0]]["t"]) if moved else 0.0
        return Step(point._replace(weights=found.weights, loss=found.loss), self, length)

    def _closure(self) -> Tensor:
        known = self._known()
        if known is None:
            point = self._objective.point([w.clone() for w in self._weights])
            known = _Evaluated(point.weights, point.loss, self._objective.slope(point).gradient)
            self._seen.append(known)
        give(self._weights, [g.clone() for g in known.gradient])
        return known.loss

    def _known(self) -> _Evaluated | None:
        return next((e for e in reversed(self._seen) if all(map(torch.equal, e.weights, self._weights))), None)

    def _found(self) -> _Evaluated:
        """Where the step ended; the search has evaluated it, unless rounding put the weights elsewhere."""
        self._closure()
        return self._known() or self._seen[-1]  # weights that are not finite equal nothing
