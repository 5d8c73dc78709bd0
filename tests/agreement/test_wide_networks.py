"""What geodesic L-BFGS does of wide networks alone, asked of small ones: products with pairs of long vectors."""

import dataclasses
import importlib
from functools import partial

import pytest

from normbench import specs
from normbench.jax.benchmark.plain import PlainTrainer as JaxPlain
from normbench.jax.benchmark.trainer import JaxTrainer
from normbench.reference.trainer import ReferenceTrainer
from normbench.torch.benchmark.plain import PlainTrainer as TorchPlain
from normbench.torch.benchmark.trainer import TorchTrainer
from tests.agreement.comparison import deviation_of
from tests.reference.regression import problem_at

KEY, STEPS, HISTORY = "geodesic_lbfgs", 20, 4
LAYERS = (7, 11, 5, 3)  # of no other test: JAX keeps programs by shape
HYPER = specs.get(KEY).resolve({"history": HISTORY})
PLAIN = {"jax": JaxPlain, "torch": partial(TorchPlain, device="cpu")}
FAST = {"jax": partial(JaxTrainer, iterations=STEPS, device="cpu"), "torch": partial(TorchTrainer, device="cpu")}
# the sandwich starts on the boundary, where a lift has the root of a difference: of 1e-16, as libraries round it
WAYS = {"sandwich": 1e-6, "ball": 1e-9, "sphere": 1e-9}
every_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def wide(monkeypatch):
    """Every vector is long."""
    for backend in ("torch", "jax"):
        monkeypatch.setattr(importlib.import_module(f"normbench.{backend}.updates.quasi_newton"), "LONG", 1)


def inner_problem():
    """One whose weights lie within their balls."""
    problem = problem_at(10.0, seed=3, layers=LAYERS)
    return dataclasses.replace(problem, weights=tuple(0.9 * w for w in problem.weights))


def run_of_the_reference(way):
    made = ReferenceTrainer(inner_problem(), KEY, HYPER, parametrisation=way)
    assert made.advance(STEPS) == STEPS
    return made.trajectory()


@every_way
@pytest.mark.parametrize("backend", FAST)
def test_a_wide_network_is_trained_as_the_reference_trains_it(wide, backend, way):
    made = FAST[backend](inner_problem(), KEY, HYPER, dtype="float64", parametrisation=way)
    assert made.advance(STEPS) == STEPS
    assert deviation_of(made.trajectory(), run_of_the_reference(way)) < WAYS[way]


@pytest.mark.parametrize("backend", PLAIN)
def test_a_users_loop_does_so_too(wide, backend):
    plain = PLAIN[backend](inner_problem(), KEY, HYPER, dtype="float64")
    assert plain.advance(STEPS) == STEPS
    assert deviation_of(plain.trajectory(), run_of_the_reference("sandwich")) < WAYS["sandwich"]
