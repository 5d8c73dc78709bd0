"""The peers in JAX, as optax has them: how each starts and how it takes one iteration of the trainer."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from jax import Array

from normbench.jax.benchmark.iteration import Hyperparameters, Iteration, Method
from normbench.jax.benchmark.perceptron import Objective, Point
from normbench.jax.updates.spheres import Arrays


def _prodigy(hyper: Hyperparameters) -> optax.GradientTransformationExtraArgs:
    return optax.contrib.prodigy(hyper["learning_rate"])


def _dadapt_adamw(hyper: Hyperparameters) -> optax.GradientTransformationExtraArgs:
    return optax.contrib.dadapt_adamw(hyper["learning_rate"])


def _dog(hyper: Hyperparameters) -> optax.GradientTransformation:
    return optax.contrib.dog(hyper["learning_rate"])


def _momo(hyper: Hyperparameters) -> optax.GradientTransformationExtraArgs:
    return optax.contrib.momo(hyper["learning_rate"])


def _muon(hyper: Hyperparameters) -> optax.GradientTransformation:
    # weights are (fan_out, fan_in) here; optax expects (fan_in, fan_out) unless told
    def dimensions(weight: Array) -> optax.contrib.MuonDimensionNumbers:
        return optax.contrib.MuonDimensionNumbers(reduction_axis=tuple(range(1, weight.ndim)), output_axis=0)

    return optax.contrib.muon(
        hyper["learning_rate"],
        weight_decay=0.0,
        muon_weight_dimension_numbers=lambda params: jax.tree.map(dimensions, params),
    )


def of_library(build: Callable[[Hyperparameters], optax.GradientTransformation]) -> Method:
    """A library's optimiser that needs the gradient and at most the loss; its estimate, if any, is the step size."""

    def init(objective: Objective, weights: Arrays, hyper: Hyperparameters) -> Any:
        return build(hyper).init(weights)

    def step(objective: Objective, point: Point, state: Any, hyper: Hyperparameters) -> Iteration:
        transformation = optax.with_extra_args_support(build(hyper))
        updates, state = transformation.update(point.gradient, state, point.weights, value=point.loss)
        weights = optax.apply_updates(point.weights, updates)
        step_size = hyper["learning_rate"] * getattr(state, "estim_lr", 1.0)
        return Iteration(objective.point(weights), state, step_size)

    return Method(init, step)


class _Averaged(NamedTuple):
    """Schedule-free: the weights y where the gradient is taken, and the transformation's state."""

    y: Arrays
    state: Any


def _schedule_free(hyper: Hyperparameters) -> optax.GradientTransformationExtraArgs:
    return optax.contrib.schedule_free_adamw(hyper["learning_rate"])


def _begin_averaging(objective: Objective, weights: Arrays, hyper: Hyperparameters) -> _Averaged:
    return _Averaged(weights, _schedule_free(hyper).init(weights))


def _average(objective: Objective, point: Point, carried: _Averaged, hyper: Hyperparameters) -> Iteration:
    gradient = objective.point(carried.y).gradient
    updates, state = _schedule_free(hyper).update(gradient, carried.state, carried.y)
    y = optax.apply_updates(carried.y, updates)
    x = optax.contrib.schedule_free_eval_params(state, y)
    averaged = Point(x, objective.loss(x), gradient)
    return Iteration(averaged, _Averaged(y, state), hyper["learning_rate"], evaluations=2)


def _lbfgs(hyper: Hyperparameters) -> optax.GradientTransformationExtraArgs:
    return optax.lbfgs(memory_size=hyper["history"])


def _begin_lbfgs(objective: Objective, weights: Arrays, hyper: Hyperparameters) -> Any:
    return _lbfgs(hyper).init(weights)


def _search(objective: Objective, point: Point, state: Any, hyper: Hyperparameters) -> Iteration:
    """One direction and its zoom line search, whose last evaluation is the next point."""
    updates, state = _lbfgs(hyper).update(
        point.gradient,
        state,
        point.weights,
        value=point.loss,
        grad=point.gradient,
        value_fn=_differentiable(objective),
    )
    search = state[-1]
    weights = optax.apply_updates(point.weights, updates)
    # at a point where no gradient is left the direction is zero: the step length is then of no meaning
    moved = jnp.any(jnp.stack([jnp.any(u != 0) for u in updates]))
    return Iteration(
        Point(weights, search.value, search.grad),
        state,
        jnp.where(moved, search.learning_rate, 0),
        search.info.num_linesearch_steps.astype(jnp.int32),
    )


def _differentiable(objective: Objective) -> Callable[[Arrays], Array]:
    """The loss with the gradient made by hand, for a library that asks ``jax.value_and_grad`` of it."""

    @jax.custom_vjp
    def value(weights: Arrays) -> Array:
        return objective.loss(weights)

    def forward(weights: Arrays) -> tuple[Array, Arrays]:
        point = objective.point(weights)
        return point.loss, point.gradient

    value.defvjp(forward, lambda gradient, cotangent: (jax.tree.map(lambda g: cotangent * g, gradient),))
    return value


PEERS: dict[str, Method] = {
    "lbfgs": Method(_begin_lbfgs, _search),
    "prodigy": of_library(_prodigy),
    "dadapt_adamw": of_library(_dadapt_adamw),
    "dog": of_library(_dog),
    "momo": of_library(_momo),
    "schedule_free": Method(_begin_averaging, _average),
    "muon": of_library(_muon),
}
