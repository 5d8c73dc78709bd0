"""Optimisers of other packages in torch: a subclass of torch.optim.Optimizer, or a method of the trainer's own kind."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from normbench.backends.method import Method, Step, Update
from normbench.errors import PlugInError
from normbench.specs import LEARNING_RATE, plug_ins
from normbench.torch.updates.library import give
from normbench.torch.updates.searching import Searching

Build = Callable[[list[Tensor]], torch.optim.Optimizer]


@dataclass(frozen=True)
class Foreign:
    """A class that steps by the gradients of its parameters.

    Attributes
    ----------
    build : callable
        From the parameters.
    learning_rate : float or None
        Of the next step: a schedule may have changed it. None for one that has none.
    closure : bool
        True if a step evaluates the loss itself.
    """

    build: Build
    learning_rate: float | None
    closure: bool

    def as_method(self, gradient_at: Callable[[Any, Any], Any]) -> Method:
        """Its step size is its learning rate, or else the length of the step."""

        def init(objective: Any, weights: Sequence[Tensor]) -> "_Moving":
            return _Moving(objective, weights, self.build, self.learning_rate)

        def step(objective: Any, point: Any, state: "_Moving") -> Step:
            state.rate_is(self.learning_rate)
            return state.search(point) if self.closure else state.step(point, gradient_at(objective, point))

        return Method(init, step)


class _Moving(Searching):
    """Parameters and the optimiser that moves them in place."""

    def __init__(self, objective: Any, weights: Sequence[Tensor], build: Build, rate: float | None) -> None:
        super().__init__(objective, [torch.nn.Parameter(w.clone()) for w in weights])
        self._optimizer = build(self._moved)
        self._rate = rate
        self._last: Any = None

    def rate_is(self, rate: float | None) -> None:
        """What a schedule multiplies the learning rate by; an optimiser may change its own as it likes."""
        if rate is not None and self._rate is not None and rate != self._rate:
            for group in self._optimizer.param_groups:
                group["lr"] *= rate / self._rate
        self._rate = rate

    def step(self, point: Any, gradient: Sequence[Tensor]) -> Step:
        """By the gradient alone."""
        before = self._before()
        give(self._moved, gradient)
        self._optimizer.step()
        return Step(self._objective.point([w.detach() for w in self._moved]), self, self._length(before))

    def search(self, point: Any) -> Step:
        """With a closure; what it has evaluated at other samples is of no use."""
        if point is not self._last:
            self._seen.clear()
        self._known_at(point)
        before = self._before()
        self._optimizer.step(self._evaluated)
        ended = self._ended(point, self._length(before))
        self._last = ended.point
        return ended

    def _evaluated(self) -> Tensor:
        with torch.no_grad():
            return self._closure()

    def _before(self) -> list[Tensor]:
        return [] if self._rate is not None else self._copies()

    def _length(self, before: Sequence[Tensor]) -> float:
        if self._rate is not None:
            return self._rate
        return math.sqrt(sum(float(torch.sum((w - b) ** 2)) for w, b in zip(self._moved, before, strict=True)))


def plug_in(key: str, **hyperparameters: Any) -> Foreign | Method | Update:
    """The optimiser of another package under its name.

    Raises
    ------
    PlugInError
        If it cannot be imported, or does not take the hyperparameters.
    """
    made = plug_ins.factory(key, "torch")
    given = plug_ins.arguments(made, hyperparameters)
    if isinstance(made, type) and issubclass(made, torch.optim.Optimizer):
        declared = plug_ins.get(key)
        closure = (declared is not None and declared.closure) or _needs_closure(made)
        return Foreign(partial(_built, key, made, given), hyperparameters.get(LEARNING_RATE), closure)
    found = plug_ins.called(key, made, given)
    if isinstance(found, Method | Update):
        return found
    raise PlugInError(
        f"{key} is for torch neither a subclass of torch.optim.Optimizer nor a function that returns a "
        f"normbench.backends.method.Method; its factory gave {type(found).__name__}."
    )


def check(key: str, hyperparameters: dict[str, Any]) -> None:
    """Raise a :class:`normbench.errors.PlugInError` unless the optimiser can be made and take a step."""
    found = plug_in(key, **hyperparameters)
    if not isinstance(found, Foreign):
        return
    weight = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = found.build([weight])

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        with torch.enable_grad():
            loss = (weight**2).sum()
        loss.backward()
        return loss

    closure()
    try:
        with plug_ins.quiet():
            optimizer.step(*([closure] if found.closure else []))
    except (Exception, SystemExit) as error:  # whatever the code of others raises
        raise PlugInError(plug_ins.refusal(key, hyperparameters, error, does="take a step")) from error


def _built(key: str, made: Callable[..., Any], given: dict[str, Any], weights: list[Tensor]) -> Any:
    return plug_ins.called(key, made, given, weights)


def _needs_closure(made: type[torch.optim.Optimizer]) -> bool:
    closure = inspect.signature(made.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty
