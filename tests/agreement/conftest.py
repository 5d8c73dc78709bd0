"""Small problems on non-square networks, and a trainer of every backend under one name."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from normbench import backends, specs
from normbench.backends.backend import Start
from normbench.backends.trajectory import Trainer, Trajectory
from normbench.problems.problem import Problem
from normbench.problems.scaling import dimensional_scaling, spectral_initialisation
from normbench.specs import Normalisation

LAYERS = (6, 9, 4, 3)
CAPACITY = 2_000  # one for all runs: JAX then traces and compiles one program per optimiser


def make_problem(
    normalisation: Normalisation, *, seed: int, samples: int = 200, layers: tuple[int, ...] = LAYERS
) -> Problem:
    rng = np.random.default_rng([seed, 17])
    x = rng.normal(size=(samples, LAYERS[0]))
    y = np.stack([np.sin(2 * x[:, 0]) + x[:, 1], x[:, 2] * x[:, 3], np.abs(x[:, 4])], axis=1)
    scale = spectral_initialisation if normalisation is Normalisation.SPHERES else dimensional_scaling
    cut = int(0.8 * samples)
    return scale((x[:cut], y[:cut]), (x[cut:], y[cut:]), layers, seed=seed)


def problem_for(key: str, *, seed: int = 0, layers: tuple[int, ...] = LAYERS) -> Problem:
    return make_problem(specs.get(key).normalisation, seed=seed, layers=layers)


def build(
    backend: str,
    problem: Problem,
    key: str,
    *,
    capacity: int = CAPACITY,
    dtype: str = "float64",
    device: str = "cpu",
    parametrisation: str | None = None,
    devices: int = 1,
    **given: Any,
) -> Trainer:
    """A trainer at the start of its run, as a run gets it; ``given`` are hyperparameters that are not the defaults."""
    hyper = specs.get(key).resolve(given)
    start = Start(problem, key, hyper, capacity, dtype, device, parametrisation=parametrisation, devices=devices)
    return backends.get(backend).trainer.build(start)


def train(backend: str, problem: Problem, key: str, *, iterations: int, **given: Any) -> Trainer:
    trainer = build(backend, problem, key, **given)
    trainer.advance(iterations)
    return trainer


@cache
def run_of_the_reference(make: Callable[..., Problem], key: str, *, iterations: int, **given: Any) -> Trajectory:
    """On the problem that ``make`` gives for an optimiser: computed once for all backends and precisions."""
    return train("reference", make(key), key, iterations=iterations, **given).trajectory()


@pytest.fixture(params=backends.names())
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["torch", "jax"])
def framework(request: pytest.FixtureRequest) -> str:
    return request.param
