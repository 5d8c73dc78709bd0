"""The optimisers of the reference by key: how each starts and how it takes one iteration."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from normbench.problems.problem import Weights
from normbench.reference import agd, baselines, fgsgd, fromage, method1, method2
from normbench.reference.perceptron import Objective
from normbench.reference.spheres import radii

Hyperparameters = dict[str, Any]


class Iteration(NamedTuple):
    """Result of one iteration: the new point, the optimiser's state, its step size, and halvings spent."""

    weights: Weights
    loss: float
    state: Any
    step_size: float
    halvings: int = 0


@dataclass(frozen=True)
class Method:
    """One optimiser: ``init(objective, weights, hyperparameters)`` makes its state, ``step`` takes an iteration."""

    init: Callable[[Objective, Weights, Hyperparameters], Any]
    step: Callable[[Objective, Weights, float, Any, Hyperparameters], Iteration]


Update = Callable[[Weights, Weights, Any, Hyperparameters], tuple[Weights, Any, float]]


def _explicit(update: Update) -> Callable[[Objective, Weights, float, Any, Hyperparameters], Iteration]:
    """An iteration from an update that needs the gradient alone."""

    def step(objective: Objective, weights: Weights, loss: float, state: Any, hyper: Hyperparameters) -> Iteration:
        weights, state, step_size = update(objective.gradient(weights), weights, state, hyper)
        return Iteration(weights, objective.loss(weights), state, step_size)

    return step


def _method1(objective: Objective, weights: Weights, loss: float, mu: Any, hyper: Hyperparameters) -> Iteration:
    gradient = objective.gradient(weights)
    weights, loss, tau, halvings = method1.method1(objective, loss, gradient, weights, mu, **hyper)
    return Iteration(weights, loss, mu, tau, halvings)


def _method2(g: Weights, w: Weights, state: Any, hyper: Hyperparameters) -> tuple[Weights, Any, float]:
    weights, tau = method2.method2(g, w, *state)
    return weights, state, tau


def _method2_exp(g: Weights, w: Weights, state: Any, hyper: Hyperparameters) -> tuple[Weights, Any, float]:
    weights, tau = method2.method2_exp(g, w, *state)
    return weights, state, tau


def _fromage(g: Weights, w: Weights, bounds: Any, hyper: Hyperparameters) -> tuple[Weights, Any, float]:
    eta = hyper["learning_rate"]
    return fromage.fromage(g, w, bounds, learning_rate=eta), bounds, eta


def _lars(g: Weights, w: Weights, state: Any, hyper: Hyperparameters) -> tuple[Weights, Any, float]:
    return fromage.lars(g, w, **hyper), state, hyper["learning_rate"]


def _agd(g: Weights, w: Weights, state: Any, hyper: Hyperparameters) -> tuple[Weights, Any, float]:
    weights, eta = agd.agd(g, w)
    return weights, state, eta


def _fgsgd(g: Weights, w: Weights, state: Any, hyper: Hyperparameters) -> tuple[Weights, Any, float]:
    return fgsgd.fgsgd(g, w, state, **hyper)


def _adam(g: Weights, w: Weights, state: Any, hyper: Hyperparameters) -> tuple[Weights, Any, float]:
    return *baselines.adam(g, w, state, **hyper), hyper["learning_rate"]


def _sgd(g: Weights, w: Weights, buffer: Any, hyper: Hyperparameters) -> tuple[Weights, Any, float]:
    return *baselines.sgd(g, w, buffer, **hyper), hyper["learning_rate"]


def _stateless(objective: Objective, weights: Weights, hyper: Hyperparameters) -> None:
    return None


def _with_radii(objective: Objective, weights: Weights, hyper: Hyperparameters) -> tuple[float, ...]:
    return radii(weights)


def _with_majorant(objective: Objective, weights: Weights, hyper: Hyperparameters) -> tuple[tuple[float, ...], float]:
    return radii(weights), objective.majorant_scale


def _with_bounds(objective: Objective, weights: Weights, hyper: Hyperparameters) -> tuple[float, ...]:
    return fromage.norm_bounds(weights, hyper["p_bound"])


def _with_count(objective: Objective, weights: Weights, hyper: Hyperparameters) -> fgsgd.FGSGDState:
    return fgsgd.initial_state(weights)


def _with_moments(objective: Objective, weights: Weights, hyper: Hyperparameters) -> baselines.AdamState:
    return baselines.AdamState(baselines.zeros_like(weights), baselines.zeros_like(weights), 0)


def _with_buffer(objective: Objective, weights: Weights, hyper: Hyperparameters) -> Weights:
    return baselines.zeros_like(weights)


METHODS: dict[str, Method] = {
    "method1": Method(_with_radii, _method1),
    "method2": Method(_with_majorant, _explicit(_method2)),
    "method2_exp": Method(_with_majorant, _explicit(_method2_exp)),
    "fromage": Method(_with_bounds, _explicit(_fromage)),
    "lars": Method(_stateless, _explicit(_lars)),
    "agd": Method(_stateless, _explicit(_agd)),
    "fgsgd": Method(_with_count, _explicit(_fgsgd)),
    "adam": Method(_with_moments, _explicit(_adam)),
    "sgd": Method(_with_buffer, _explicit(_sgd)),
    "sgd_momentum": Method(_with_buffer, _explicit(_sgd)),
}
