"""Small problems on non-square networks, and a trainer of every backend under one name."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from normbench import specs
from normbench.backends.trajectory import Trainer, Trajectory
from normbench.problems.problem import Problem
from normbench.problems.scaling import dimensional_scaling, spectral_initialisation
from normbench.specs import Normalisation

LAYERS = (6, 9, 4, 3)
CAPACITY = 2_000  # one for all runs: JAX then traces and compiles one program per optimiser
Build = Callable[..., Trainer]


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


def build_reference(
    problem: Problem,
    key: str,
    hyper: dict[str, Any],
    *,
    iterations: int,
    dtype: str,
    device: str = "cpu",
    **through: str,
) -> Trainer:
    from normbench.reference.trainer import ReferenceTrainer

    return ReferenceTrainer(problem, key, hyper, **through)


def build_torch(
    problem: Problem,
    key: str,
    hyper: dict[str, Any],
    *,
    iterations: int,
    dtype: str,
    device: str = "cpu",
    **through: str,
) -> Trainer:
    from normbench.torch.benchmark.trainer import TorchTrainer

    return TorchTrainer(problem, key, hyper, dtype=dtype, device=device, **through)


def build_jax(
    problem: Problem,
    key: str,
    hyper: dict[str, Any],
    *,
    iterations: int,
    dtype: str,
    device: str = "cpu",
    **through: str,
) -> Trainer:
    from normbench.jax.benchmark.trainer import JaxTrainer

    return JaxTrainer(problem, key, hyper, iterations=iterations, dtype=dtype, device=device, **through)


BUILDERS: dict[str, Build] = {"reference": build_reference, "torch": build_torch, "jax": build_jax}


def train(
    backend: str,
    problem: Problem,
    key: str,
    *,
    iterations: int,
    dtype: str = "float64",
    device: str = "cpu",
    parametrisation: str | None = None,
    **given: Any,
) -> Trainer:
    through = {} if parametrisation is None else {"parametrisation": parametrisation}
    hyper = specs.get(key).resolve(given)
    trainer = BUILDERS[backend](problem, key, hyper, iterations=CAPACITY, dtype=dtype, device=device, **through)
    trainer.advance(iterations)
    return trainer


@cache
def run_of_the_reference(make: Callable[..., Problem], key: str, *, iterations: int, **given: Any) -> Trajectory:
    """On the problem that ``make`` gives for an optimiser: computed once for all backends and precisions."""
    return train("reference", make(key), key, iterations=iterations, **given).trajectory()


@pytest.fixture(params=list(BUILDERS))
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["torch", "jax"])
def framework(request: pytest.FixtureRequest) -> str:
    return request.param
