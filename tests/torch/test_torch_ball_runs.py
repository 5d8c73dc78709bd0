"""Whole runs of the classes of matrices in balls: the reference's, on networks with a dead unit, kernels and parts."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch_convnet import convnet, cross_entropy, images
from torch_loop import Loop

from normbench.torch import GeodesicLBFGS, OnlineLBFGS, PolarAverage
from tests.agreement.cases import Case

STEPS = 25
TIGHT = 1e-9
RUNS = [("geodesic_lbfgs", "ball"), ("geodesic_lbfgs", "sphere"), ("online_lbfgs", "ball"), ("polar_average", "ball")]

# torch loads its own scripts on the first use of forward mode
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


def broken(problem, what):
    """The problem with a unit that never fires, or with a last layer of zeros: then all others have no gradient."""
    weights = [w.copy() for w in problem.weights]
    if what == "dead-unit":
        weights[1][0] = -np.abs(weights[1][0])  # behind a ReLU
    else:
        weights[2][:] = 0.0
    return dataclasses.replace(problem, weights=tuple(weights))


@pytest.mark.parametrize("what", ["dead-unit", "zero-gradients-at-first"])
@pytest.mark.parametrize(("key", "parametrisation"), RUNS)
def test_where_gradients_are_zero_the_run_is_the_references(key, parametrisation, what, deviation):
    if (parametrisation, what) == ("sphere", "zero-gradients-at-first"):
        parametrisation = "ball"  # zeros lie on no sphere
    case = Case(key, parametrisation=parametrisation)
    case.__dict__["problem"] = broken(case.problem, what)
    loop = Loop(case)
    loop.backward()
    first, second, _ = (p.grad for p in loop.model.parameters())
    assert not second[0].any()
    assert first.any() == (what == "dead-unit")
    assert deviation(case.reference(STEPS), *loop.run(STEPS).results()) <= TIGHT


@pytest.mark.parametrize("kind", [GeodesicLBFGS, OnlineLBFGS, PolarAverage])
def test_a_kernel_is_the_matrix_that_multiplies_patches(kind):
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(s, generator=generator, dtype=torch.float64) for s in ((20, 2, 3, 2), (20, 4)))
    start = torch.randn(4, 2, 3, 2, generator=generator, dtype=torch.float64)
    weights = []
    for kernel in (True, False):
        p = nn.Parameter(start.clone() if kernel else start.flatten(1).clone())

        def loss(p=p, kernel=kernel):
            outputs = nn.functional.conv2d(x, p).flatten(1) if kernel else x.flatten(1) @ p.T
            return (outputs.tanh() - y).square().mean()

        optimizer = kind([p])
        for _ in range(10):
            optimizer.zero_grad()
            if optimizer.differentiates:
                optimizer.step(loss)
            else:
                loss().backward()
                optimizer.step()
        weights.append(p.detach().flatten(1))
    torch.testing.assert_close(*weights, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(weights[0], start.flatten(1))


@pytest.mark.parametrize(
    ("kind", "how"), [(GeodesicLBFGS, "forward"), (GeodesicLBFGS, "parts"), (OnlineLBFGS, "parts")]
)
def test_forward_mode_and_parts_of_the_data_make_the_same_run(kind, how):
    (x, y), results = images(0), []
    for other in (False, True):
        model = convnet(0)

        def closure(rows, model=model):
            return cross_entropy(model(x[rows]), y[rows]) * len(rows) / len(x)

        parts = torch.arange(len(x)).split(8 if other and how == "parts" else len(x))
        closures = [lambda r=r, c=closure: c(r) for r in parts]
        optimizer = kind(model.parameters(), **({"module": model} if other and how == "forward" else {}))
        losses = [optimizer.step(closures).item() for _ in range(8)]
        assert losses[-1] < losses[0]
        assert optimizer._verified == (other and how == "forward")
        results.append(list(model.parameters()))
    for left, right in zip(*results, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("kind", [GeodesicLBFGS, OnlineLBFGS])
def test_the_pairs_of_all_steps_lie_in_one_memory_that_copies_do_not_share(kind):
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 6, bias=False), nn.Tanh(), nn.Linear(6, 2, bias=False)), torch.randn(30, 4)
    often = {"interval": 1} if kind is OnlineLBFGS else {}
    optimizer = kind(model.parameters(), radius=2.0, history=2, **often)
    rows = []
    for _ in range(6):
        optimizer.step(lambda: (model(x) - 1).square().mean())
        rows.append(optimizer._memory._S)
    assert not rows[0].numel()
    assert rows[-1].shape == (2, 10 * 4 + 8 * 2)
    assert rows[-1] is rows[-2]
    assert "_memory" not in copy.deepcopy(optimizer).__dict__
