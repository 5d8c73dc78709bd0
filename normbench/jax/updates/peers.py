"""The peers in JAX, as optax has them: one line each where the gradient and the loss are all that they need."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from jax import Array

from normbench.backends.method import Method, Step
from normbench.jax.updates.library import Library, differentiable
from normbench.jax.updates.quasi_newton import flat, parted
from normbench.jax.updates.spheres import Arrays


def _rated(build: Callable[[float | Array], optax.GradientTransformation]) -> Callable[..., Library]:
    """A peer whose one hyperparameter is the learning rate, from a function of that."""
    return lambda *, learning_rate: Library(build(learning_rate), learning_rate)


def _dimensions(weight: Array) -> optax.contrib.MuonDimensionNumbers:
    # weights are (fan_out, fan_in) here; optax expects (fan_in, fan_out) unless told
    return optax.contrib.MuonDimensionNumbers(reduction_axis=tuple(range(1, weight.ndim)), output_axis=0)


prodigy = _rated(optax.contrib.prodigy)
dadapt_adamw = _rated(optax.contrib.dadapt_adamw)
dog = _rated(optax.contrib.dog)
momo = _rated(optax.contrib.momo)
muon = _rated(
    lambda rate: optax.contrib.muon(
        rate, weight_decay=0.0, muon_weight_dimension_numbers=lambda params: jax.tree.map(_dimensions, params)
    )
)


class _Averaged(NamedTuple):
    """Schedule-free: the weights y where the gradient is taken, and the transformation's state."""

    y: Arrays
    state: Any


def schedule_free(*, learning_rate: float | Array) -> Method:
    """Schedule-free AdamW: losses are those of the averaged weights, gradients are taken elsewhere."""
    transformation = optax.contrib.schedule_free_adamw(learning_rate)

    def init(objective: Any, weights: Arrays) -> _Averaged:
        return _Averaged(weights, transformation.init(weights))

    def step(objective: Any, point: Any, carried: _Averaged) -> Step:
        gradient = objective.point(carried.y).gradient
        updates, state = transformation.update(gradient, carried.state, carried.y)
        y = optax.apply_updates(carried.y, updates)
        x = optax.contrib.schedule_free_eval_params(state, y)
        averaged = point._replace(weights=x, loss=objective.loss(x), gradient=gradient)
        return Step(averaged, _Averaged(y, state), learning_rate, evaluations=2)

    return Method(init, step)


def lbfgs(*, history: int) -> Method:
    """optax.lbfgs: one direction and its zoom line search, whose last evaluation is the next point."""
    transformation = optax.lbfgs(memory_size=history)

    def init(objective: Any, weights: Arrays) -> Any:
        return transformation.init(weights)

    def step(objective: Any, point: Any, state: Any) -> Step:
        value_fn = differentiable(objective)
        known = {"value": point.loss, "grad": point.gradient, "value_fn": value_fn}
        updates, state = transformation.update(point.gradient, state, point.weights, **known)
        search = state[-1]
        weights = optax.apply_updates(point.weights, updates)
        # at a point where no gradient is left the direction is zero: the step length is then of no meaning
        moved = jnp.any(jnp.stack([jnp.any(u != 0) for u in updates]))
        return Step(
            point._replace(weights=weights, loss=search.value, gradient=search.grad),
            state,
            jnp.where(moved, search.learning_rate, 0),
            search.info.num_linesearch_steps.astype(jnp.int32),
        )

    return Method(init, step)


class _Damped(NamedTuple):
    """A point that a step of Levenberg and Marquardt led to, the search behind it, and how many steps were tried."""

    point: Any
    search: Any
    tried: Array
    accepted: Array
    moved: Array


def levenberg_marquardt() -> Method:
    """optimistix's damped Newton descent and its trust region, which sets 1 / lambda, on half the sum of squares.

    The step size is 1 / lambda; 0 where every step is too short to change the weights.
    """
    optimistix, lineax = import_module("optimistix"), import_module("lineax")
    info = optimistix.FunctionInfo
    descent, trust_region = optimistix.DampedNewtonDescent(), optimistix.LevenbergMarquardt(rtol=0.0, atol=0.0).search

    def init(objective: Any, weights: Arrays) -> Any:
        return jax.tree.map(lambda size: size.astype(weights[0].dtype), trust_region.init(weights, None))

    def step(objective: Any, point: Any, state: Any) -> Step:
        unit = objective.weight_of_sample
        matrix = objective.gauss_newton(point.weights) / unit
        curvature = lineax.MatrixLinearOperator(matrix, lineax.positive_semidefinite_tag)
        here = flat(point.weights)
        known = info.EvalGradHessian(point.loss / unit, flat(point.gradient) / unit, curvature)
        towards = descent.query(here, known, descent.init(here, known))

        def attempt(last: _Damped) -> _Damped:
            change, _ = descent.step(last.search.step_size, towards)
            there = here + change
            trial = objective.point(parted(there, point.weights))
            found = info.Eval(trial.loss / unit)
            _, accepted, _, search = trust_region.step(jnp.asarray(False), here, there, known, found, last.search)
            return _Damped(trial, search, last.tried + 1, accepted, (there != here).any())

        begin = _Damped(point, state, jnp.zeros((), jnp.int32), jnp.asarray(False), jnp.asarray(True))
        end = jax.lax.while_loop(lambda now: ~now.accepted & now.moved, attempt, begin)
        taken = end.accepted & end.moved
        new = jax.tree.map(lambda there, back: jnp.where(taken, there, back), end.point, point)
        outputs = objective.outputs_of_a_sample
        return Step(new, end.search, jnp.where(taken, state.step_size, 0), outputs + end.tried, end.tried - 1)

    return Method(init, step)
