"""Loss and gradient of the paper's network: by hand in torch and JAX, and by automatic differentiation in both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from normbench.jax.benchmark.trainer import JaxTrainer
from normbench.reference.network import Objective
from normbench.torch.benchmark.trainer import TorchTrainer

TOLERANCE = 1e-4  # of the largest entry of a layer, float32


def torch_by_hand(problem):
    trainer = TorchTrainer(problem, "fromage", {"learning_rate": 0.01, "p_bound": None}, dtype="float32", device="cpu")
    objective, weights = trainer._objective, trainer._point.weights

    def gradient():
        point = objective.point(weights)
        return float(point.loss), objective.slope(point).gradient

    return gradient


def torch_autodiff(problem):
    x, y = (torch.tensor(a.T, dtype=torch.float32) for a in (problem.x_train, problem.y_train))
    weights = [torch.tensor(w, dtype=torch.float32, requires_grad=True) for w in problem.weights]

    def gradient():
        layer = x
        for weight in weights[:-1]:
            layer = torch.relu(weight @ layer)
        loss = (weights[-1] @ layer - y).square().sum() / (2 * x.shape[1])
        return loss.item(), torch.autograd.grad(loss, weights)

    return gradient


def jax_by_hand(problem):
    hyper = {"learning_rate": 0.01, "p_bound": None}
    trainer = JaxTrainer(problem, "fromage", hyper, iterations=1, dtype="float32", device="cpu")

    @jax.jit
    def program(objective, weights):
        point = objective.point(weights)
        return point.loss, point.gradient

    return lambda: jax.block_until_ready(program(trainer._objective, trainer._weights))


def jax_autodiff(problem):
    x, y = (jnp.asarray(a.T, dtype=jnp.float32) for a in (problem.x_train, problem.y_train))
    start = tuple(jnp.asarray(w, dtype=jnp.float32) for w in problem.weights)

    @jax.jit
    @jax.value_and_grad
    def program(weights, x, y):
        layer = x
        for weight in weights[:-1]:
            layer = jax.nn.relu(weight @ layer)
        return jnp.sum(jnp.square(weights[-1] @ layer - y)) / (2 * x.shape[1])

    return lambda: jax.block_until_ready(program(start, x, y))


WAYS = {
    "torch": torch_by_hand,
    "jax": jax_by_hand,
    "torch autodiff": torch_autodiff,
    "jax autodiff": jax_autodiff,
}


@pytest.mark.parametrize("way", WAYS)
def test_gradient(benchmark, record, paper_problem, way):
    benchmark.group = "gradient of 12-25-30-15-3, cpu"
    problem = paper_problem("fromage")
    gradient = WAYS[way](problem)
    with torch.no_grad() if way == "torch" else torch.enable_grad():
        gradient()
        loss, layers = benchmark.pedantic(gradient, rounds=100)
    record(objective=float(loss), counts=None, variant=way)

    oracle = Objective.of(problem)
    assert float(loss) == pytest.approx(oracle.loss(problem.weights), rel=TOLERANCE)
    for layer, expected in zip(layers, oracle.gradient(problem.weights), strict=True):
        np.testing.assert_allclose(np.asarray(layer), expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())
