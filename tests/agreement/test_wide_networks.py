"""What geodesic L-BFGS does of wide networks alone, asked of small ones: diagonals, and pairs of long vectors."""

import dataclasses
import importlib
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from normbench import specs
from normbench.jax.benchmark.plain import PlainTrainer as JaxPlain
from normbench.jax.benchmark.trainer import JaxTrainer
from normbench.reference import quasi_newton
from normbench.reference.trainer import ReferenceTrainer
from normbench.torch.benchmark.plain import PlainTrainer as TorchPlain
from normbench.torch.benchmark.trainer import TorchTrainer
from normbench.torch.updates import quasi_newton as torch_quasi_newton
from tests.agreement.comparison import deviation_of
from tests.reference.regression import problem_at

KEY, STEPS, HISTORY = "geodesic_lbfgs", 20, 4
LAYERS = (7, 11, 5, 3)  # of no other test: JAX keeps programs by shape
HYPER = specs.get(KEY).resolve({"history": HISTORY})
PLAIN = {"jax": JaxPlain, "torch": partial(TorchPlain, device="cpu")}
FAST = {"jax": partial(JaxTrainer, iterations=STEPS, device="cpu"), "torch": partial(TorchTrainer, device="cpu")}
# the sandwich starts on the boundary, where a lift has the root of a difference: of 1e-16, as libraries round it
WAYS = {"sandwich": 1e-6, "ball": 1e-9, "sphere": 1e-9}
ROOMS = ("reference", "torch.updates", "jax.updates")
MODULES, BALLS = (
    [importlib.import_module(f"normbench.{rooms}.{name}") for rooms in ROOMS] for name in ("quasi_newton", "balls")
)
every_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def wide(monkeypatch):
    """Ten rows are many, and every vector is long."""
    for module in (*MODULES, *BALLS):
        monkeypatch.setattr(module, "WIDE", 10)
        if hasattr(module, "LONG"):
            monkeypatch.setattr(module, "LONG", 1)


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


@every_way
def test_a_diagonal_makes_another_run_than_the_whole_average(wide, way, monkeypatch):
    cut = run_of_the_reference(way)
    monkeypatch.setattr(quasi_newton, "WIDE", 96)
    whole = run_of_the_reference(way)
    assert abs(cut.loss[5] / whole.loss[5] - 1) > 1e-6
    assert cut.loss[-1] < 2 * whole.loss[-1]


@pytest.mark.parametrize(("shape", "kept"), [((95, 2), (95, 95)), ((96, 2), (96, 1)), ((96, 96), (96, 96))])
def test_of_the_longer_side_alone_the_diagonal_is_kept_from_96_on(shape, kept):
    G = np.random.default_rng(0).normal(size=shape)
    for module, of_backend in zip(MODULES, (np.asarray, torch.tensor, jnp.array), strict=True):
        found = np.asarray(module.square(of_backend(G)))
        assert found.shape == kept
        whole = np.asarray(G @ G.T, found.dtype)
        np.testing.assert_allclose(found, whole if kept[1] > 1 else whole.diagonal()[:, None], rtol=1e-4, atol=1e-4)


def test_a_side_without_gradient_rests_and_a_run_goes_on_with_the_averages_that_it_has():
    """States of version 0.1 hold whole averages of wide sides."""
    for module, of_backend in zip(MODULES, (np.asarray, torch.tensor, jnp.array), strict=True):
        zero = of_backend(np.zeros((400, 2)))
        assert not np.asarray(module.inverse_root(module.square(zero), 1e-2)).any()
    G = torch.ones(400, 2)
    old = (G @ G.T, G.T @ G)
    metric = torch_quasi_newton.Metric((old,), (tuple(map(torch.zeros_like, old)),), 1)
    assert metric.seen([G], decay=0.9, damping=1e-2).averages[0][0].shape == (400, 400)
