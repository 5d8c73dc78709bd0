"""The optimisers of the torch trainer by key: how each starts and how it takes one iteration."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from normbench.torch.benchmark.iteration import Hyperparameters, Iteration, Method
from normbench.torch.benchmark.peers import PEERS, of_library
from normbench.torch.benchmark.perceptron import Objective, Point
from normbench.torch.updates import agd, fgsgd, fromage, method1, method2
from normbench.torch.updates.spheres import radii

Update = Callable[[list[Tensor], list[Tensor], Any, Hyperparameters], tuple[list[Tensor], Any, float]]


def _explicit(update: Update) -> Callable[[Objective, Point, Any, Hyperparameters], Iteration]:
    """An iteration from an update that needs the gradient alone."""

    def step(objective: Objective, point: Point, state: Any, hyper: Hyperparameters) -> Iteration:
        gradient = objective.slope(point).gradient
        weights, state, step_size = update(gradient, point.weights, state, hyper)
        return Iteration(objective.point(weights), state, step_size)

    return step


def _method1(objective: Objective, point: Point, mu: list[float], hyper: Hyperparameters) -> Iteration:
    point, tau, halvings = method1.method1(objective, point, mu, **hyper)
    return Iteration(point, mu, tau, halvings)


class MajorantState(NamedTuple):
    """What method 2 carries: radii, Q = curvature gain^2 mean ||x||^2, and the last tau, where the search begins."""

    mu: list[float]
    Q: float
    tau: float


def _method2(g: list[Tensor], w: list[Tensor], state: MajorantState, hyper: Hyperparameters) -> Any:
    weights, tau = method2.method2(g, w, state.mu, Q=state.Q, guess=state.tau)
    return weights, state._replace(tau=tau), tau


def _method2_exp(g: list[Tensor], w: list[Tensor], state: MajorantState, hyper: Hyperparameters) -> Any:
    weights, tau = method2.method2_exp(g, w, state.mu, Q=state.Q)
    return weights, state, tau


def _fromage(g: list[Tensor], w: list[Tensor], bounds: list[Tensor] | None, hyper: Hyperparameters) -> Any:
    eta = hyper["learning_rate"]
    return fromage.fromage(g, w, bounds, learning_rate=eta), bounds, eta


def _lars(g: list[Tensor], w: list[Tensor], state: None, hyper: Hyperparameters) -> Any:
    return fromage.lars(g, w, **hyper), state, hyper["learning_rate"]


def _agd(g: list[Tensor], w: list[Tensor], state: None, hyper: Hyperparameters) -> Any:
    weights, eta = agd.agd(g, w)
    return weights, state, float(eta)


def _fgsgd(g: list[Tensor], w: list[Tensor], state: fgsgd.FGSGDState, hyper: Hyperparameters) -> Any:
    return fgsgd.fgsgd(g, w, state, **hyper)


def _stateless(objective: Objective, weights: Sequence[Tensor], hyper: Hyperparameters) -> None:
    return None


def _with_radii(objective: Objective, weights: Sequence[Tensor], hyper: Hyperparameters) -> list[float]:
    return radii(weights)


def _with_majorant(objective: Objective, weights: Sequence[Tensor], hyper: Hyperparameters) -> MajorantState:
    return MajorantState(radii(weights), objective.majorant_scale, 0.0)


def _with_bounds(objective: Objective, weights: Sequence[Tensor], hyper: Hyperparameters) -> list[Tensor] | None:
    return fromage.norm_bounds(weights, hyper["p_bound"])


def _with_count(objective: Objective, weights: Sequence[Tensor], hyper: Hyperparameters) -> fgsgd.FGSGDState:
    return fgsgd.initial_state(weights)


def adam(weights: Iterable[Tensor], hyper: Hyperparameters) -> torch.optim.Optimizer:
    """torch's Adam with the hyperparameters of the spec."""
    betas = (hyper["beta1"], hyper["beta2"])
    return torch.optim.Adam(weights, lr=hyper["learning_rate"], betas=betas, eps=hyper["epsilon"])


def sgd(weights: Iterable[Tensor], hyper: Hyperparameters) -> torch.optim.Optimizer:
    """torch's SGD with the hyperparameters of the spec."""
    return torch.optim.SGD(weights, lr=hyper["learning_rate"], momentum=hyper["momentum"])


METHODS: dict[str, Method] = {
    "method1": Method(_with_radii, _method1),
    "method2": Method(_with_majorant, _explicit(_method2)),
    "method2_exp": Method(_with_majorant, _explicit(_method2_exp)),
    "fromage": Method(_with_bounds, _explicit(_fromage)),
    "lars": Method(_stateless, _explicit(_lars)),
    "agd": Method(_stateless, _explicit(_agd)),
    "fgsgd": Method(_with_count, _explicit(_fgsgd)),
    "adam": of_library(adam),
    "sgd": of_library(sgd),
    "sgd_momentum": of_library(sgd),
    **PEERS,
}
