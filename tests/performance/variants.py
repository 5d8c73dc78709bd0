"""The ways to run an optimiser that are compared: the two trainers, and the drop-in classes on plain autodiff.

A variant is a function ``(problem, key, device) -> run``; its run has ``advance(iterations)``, which waits for the
device, ``objective()`` and ``counts()``, the evaluations so far.
"""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

import normbench.jax
import normbench.torch
from normbench import specs
from normbench.jax.benchmark.trainer import JaxTrainer
from normbench.torch.benchmark.trainer import TorchTrainer

CAPACITY = 100  # iterations that a JAX trainer has room for
TORCH_CLASSES = {"method1": "Method1", "method2": "Method2", "fromage": "Fromage"}


class TrainerRun:
    """A run of one of the package's trainers."""

    def __init__(self, trainer):
        self._trainer = trainer
        trainer.compile()

    def advance(self, iterations):
        assert self._trainer.advance(iterations) == iterations

    def objective(self):
        return float(self._trainer.trajectory().loss[-1])

    def counts(self):
        path = self._trainer.trajectory()
        return SimpleNamespace(
            loss_evaluations=int(path.loss_evaluations[-1]), gradient_evaluations=int(path.gradient_evaluations[-1])
        )


def torch_trainer(problem, key, device):
    hyper = specs.get(key).resolve({})
    return TrainerRun(TorchTrainer(problem, key, hyper, dtype="float32", device=device))


def jax_trainer(problem, key, device):
    hyper = specs.get(key).resolve({})
    return TrainerRun(JaxTrainer(problem, key, hyper, iterations=CAPACITY, dtype="float32", device=device))


class TorchAutodiff:
    """``torch.optim`` on autograd, samples in columns."""

    def __init__(self, problem, key, device):
        self._x, self._y = (torch.tensor(a.T, dtype=torch.float32) for a in (problem.x_train, problem.y_train))
        self._scale = 1 / (2 * problem.loss_divisor * len(problem.x_train))
        self._parameters = [torch.nn.Parameter(torch.tensor(w, dtype=torch.float32)) for w in problem.weights]
        self._evaluations = self._gradients = 0
        self._key = key
        if key == "adam":
            self._optimiser = torch.optim.Adam(self._parameters)
        else:
            self._optimiser = getattr(normbench.torch, TORCH_CLASSES[key])(self._parameters)

    def loss(self):
        self._evaluations += 1
        layer = self._x
        for weight in self._parameters[:-1]:
            layer = torch.relu(weight @ layer)
        return (self._parameters[-1] @ layer - self._y).square().sum() * self._scale

    def advance(self, iterations):
        for _ in range(iterations):
            self._gradients += 1
            if self._key == "method1":
                self._optimiser.step(self.loss)
                continue
            self._optimiser.zero_grad()
            self.loss().backward()
            self._optimiser.step()

    def objective(self):
        with torch.no_grad():
            return float(self.loss())

    def counts(self):
        return SimpleNamespace(loss_evaluations=self._evaluations, gradient_evaluations=self._gradients)


def _mean_loss(weights, x, y, scale):
    layer = x
    for weight in weights[:-1]:
        layer = jax.nn.relu(weight @ layer)
    return jnp.sum(jnp.square(weights[-1] @ layer - y)) * scale


_step_programs = {}


def _step_program(key):
    """One compiled step of the optax transformation; compiled once for all rounds."""
    if key not in _step_programs:
        made = optax.adam(1e-3) if key == "adam" else getattr(normbench.jax, key)()

        @jax.jit
        def step(weights, state, x, y, scale):
            value, gradient = jax.value_and_grad(_mean_loss)(weights, x, y, scale)
            more = {"value": value, "value_fn": lambda w: _mean_loss(w, x, y, scale)} if key == "method1" else {}
            updates, state = made.update(gradient, state, weights, **more)
            return optax.apply_updates(weights, updates), state

        _step_programs[key] = made, step
    return _step_programs[key]


class JaxAutodiff:
    """optax on ``jax.value_and_grad``, one compiled step, samples in columns."""

    def __init__(self, problem, key, device):
        made, self._step = _step_program(key)
        scale = 1 / (2 * problem.loss_divisor * len(problem.x_train))
        arrays = (problem.x_train.T, problem.y_train.T, scale)
        self._data = tuple(jnp.asarray(np.asarray(a, dtype=np.float32)) for a in arrays)
        self._weights = tuple(jnp.asarray(w, dtype=jnp.float32) for w in problem.weights)
        self._state = made.init(self._weights)
        self._gradients = 0

    def advance(self, iterations):
        for _ in range(iterations):
            self._gradients += 1
            self._weights, self._state = self._step(self._weights, self._state, *self._data)
        jax.block_until_ready(self._weights)

    def objective(self):
        return float(_mean_loss(self._weights, *self._data))

    def counts(self):
        # method 1 evaluates inside the compiled step, where this wrapper cannot count
        return SimpleNamespace(loss_evaluations=None, gradient_evaluations=self._gradients)


VARIANTS = {
    "torch": torch_trainer,
    "jax": jax_trainer,
    "torch autodiff": TorchAutodiff,
    "jax autodiff": JaxAutodiff,
}
