"""Optimisers of optax as the trainer takes them: transformations that are made anew for every step, with its rate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import optax
from jax import Array

from normbench.backends.method import Method, Step
from normbench.jax.updates.spheres import Arrays


@dataclass(frozen=True)
class Library:
    """A library's optimiser that needs the gradient and at most the loss."""

    transformation: optax.GradientTransformation
    learning_rate: float | Array  # that of the transformation

    def as_method(self, gradient_at: Callable[[Any, Any], Any]) -> Method:
        """Its estimate of the learning rate, if it has one, is part of the step size."""

        def init(objective: Any, weights: Arrays) -> Any:
            return self.transformation.init(weights)

        def step(objective: Any, point: Any, state: Any) -> Step:
            transformation = optax.with_extra_args_support(self.transformation)
            updates, state = transformation.update(
                gradient_at(objective, point), state, point.weights, value=point.loss
            )
            step_size = self.learning_rate * getattr(state, "estim_lr", 1.0)
            return Step(objective.point(optax.apply_updates(point.weights, updates)), state, step_size)

        return Method(init, step)


def differentiable(objective: Any) -> Callable[[Arrays], Array]:
    """The loss with the gradient made by hand, for a library that asks ``jax.value_and_grad`` of it."""

    @jax.custom_vjp
    def value(weights: Arrays) -> Array:
        return objective.loss(weights)

    def forward(weights: Arrays) -> tuple[Array, Arrays]:
        point = objective.point(weights)
        return point.loss, point.gradient

    value.defvjp(forward, lambda gradient, cotangent: (jax.tree.map(lambda g: cotangent * g, gradient),))
    return value
