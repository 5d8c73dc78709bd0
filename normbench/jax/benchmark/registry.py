"""The optimisers of the JAX trainer by key: how each starts and how it takes one iteration; all of it traces."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jax import Array

from normbench.jax.benchmark.iteration import Hyperparameters, Iteration, Method
from normbench.jax.benchmark.peers import PEERS, of_library
from normbench.jax.benchmark.perceptron import Objective, Point
from normbench.jax.updates.agd import agd
from normbench.jax.updates.fgsgd import FGSGDState, fgsgd, initial_state
from normbench.jax.updates.fromage import fromage, lars, norm_bounds
from normbench.jax.updates.method1 import method1
from normbench.jax.updates.method2 import method2, method2_exp
from normbench.jax.updates.spheres import Arrays, radii

Update = Callable[[Arrays, Arrays, Any, Hyperparameters], tuple[Arrays, Any, Array]]


def _explicit(update: Update) -> Callable[[Objective, Point, Any, Hyperparameters], Iteration]:
    """An iteration from an update that needs the gradient alone."""

    def step(objective: Objective, point: Point, state: Any, hyper: Hyperparameters) -> Iteration:
        weights, state, step_size = update(point.gradient, point.weights, state, hyper)
        return Iteration(objective.point(weights), state, step_size)

    return step


def _method1(objective: Objective, point: Point, mu: Arrays, hyper: Hyperparameters) -> Iteration:
    point, tau, evaluations = method1(objective, point, mu, **hyper)
    return Iteration(point, mu, tau, evaluations)


class MajorantState(NamedTuple):
    """What method 2 carries: radii, Q = curvature gain^2 mean ||x||^2, and the last tau, where the search begins."""

    mu: Arrays
    Q: Array
    tau: Array


def _method2(g: Arrays, w: Arrays, state: MajorantState, hyper: Hyperparameters) -> Any:
    weights, tau = method2(g, w, state.mu, Q=state.Q, guess=state.tau)
    return weights, state._replace(tau=tau), tau


def _method2_exp(g: Arrays, w: Arrays, state: MajorantState, hyper: Hyperparameters) -> Any:
    weights, tau = method2_exp(g, w, state.mu, Q=state.Q)
    return weights, state, tau


def _fromage(g: Arrays, w: Arrays, bounds: Arrays | None, hyper: Hyperparameters) -> Any:
    eta = hyper["learning_rate"]
    return fromage(g, w, bounds, learning_rate=eta), bounds, eta


def _lars(g: Arrays, w: Arrays, state: tuple[()], hyper: Hyperparameters) -> Any:
    return lars(g, w, **hyper), state, hyper["learning_rate"]


def _agd(g: Arrays, w: Arrays, state: tuple[()], hyper: Hyperparameters) -> Any:
    weights, eta = agd(g, w)
    return weights, state, eta


def _fgsgd(g: Arrays, w: Arrays, state: FGSGDState, hyper: Hyperparameters) -> Any:
    return fgsgd(g, w, state, **hyper)


def _adam(hyper: Hyperparameters) -> optax.GradientTransformation:
    return optax.adam(hyper["learning_rate"], b1=hyper["beta1"], b2=hyper["beta2"], eps=hyper["epsilon"])


def _sgd(hyper: Hyperparameters) -> optax.GradientTransformation:
    return optax.sgd(hyper["learning_rate"], momentum=hyper["momentum"])


_LIBRARY: dict[str, Callable[[Hyperparameters], optax.GradientTransformation]] = {
    "adam": _adam,
    "sgd": _sgd,
    "sgd_momentum": _sgd,
}


def library_transformation(key: str, hyper: Hyperparameters) -> optax.GradientTransformation:
    """The optax transformation of a baseline."""
    return _LIBRARY[key](hyper)


def _stateless(objective: Objective, weights: Arrays, hyper: Hyperparameters) -> tuple[()]:
    return ()


def _with_radii(objective: Objective, weights: Arrays, hyper: Hyperparameters) -> Arrays:
    return radii(weights)


def _with_majorant(objective: Objective, weights: Arrays, hyper: Hyperparameters) -> MajorantState:
    zero = jnp.zeros_like(objective.majorant_scale)
    return MajorantState(radii(weights), objective.majorant_scale, zero)


def _with_bounds(objective: Objective, weights: Arrays, hyper: Hyperparameters) -> Arrays | None:
    return norm_bounds(weights, hyper["p_bound"])


def _with_count(objective: Objective, weights: Arrays, hyper: Hyperparameters) -> FGSGDState:
    return initial_state(weights)


METHODS: dict[str, Method] = {
    "method1": Method(_with_radii, _method1),
    "method2": Method(_with_majorant, _explicit(_method2)),
    "method2_exp": Method(_with_majorant, _explicit(_method2_exp)),
    "fromage": Method(_with_bounds, _explicit(_fromage)),
    "lars": Method(_stateless, _explicit(_lars)),
    "agd": Method(_stateless, _explicit(_agd)),
    "fgsgd": Method(_with_count, _explicit(_fgsgd)),
    **{key: of_library(build) for key, build in _LIBRARY.items()},
    **PEERS,
}
