"""Norms and steps from 1e-30 to 1e30, in every dtype and any mixture: the reference's numbers in float64."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch_members import COUPLED, FROM_GRADIENTS, LAYERWISE, copies, names, network

from normbench.reference.polar_average import moved
from normbench.torch import AGD, FGSGD, LARS, Fromage, Method2, Method2Exp, PolarAverage
from normbench.torch.norms import host_norms, norms
from tests.oracle import reference_step

WIDE = [1e-30, 1e-19, 1.0, 1e19, 1e30]
SHAPES = ((6, 4), (5, 6, 1, 2), (3, 5))
Q = 4.0 * 2
REFERENCE = {
    Fromage: lambda g, w: reference_step("fromage", g, w, learning_rate=0.03)[0],
    LARS: lambda g, w: reference_step("lars", g, w, learning_rate=0.03)[0],
    AGD: lambda g, w: reference_step("agd", g, w)[0],
    Method2: lambda g, w: reference_step("method2", g, w, Q=Q)[0],
    Method2Exp: lambda g, w: reference_step("method2_exp", g, w, Q=Q)[0],
    PolarAverage: lambda g, w: [polar_step(G, W) for G, W in zip(g, w, strict=True)],
}


def polar_step(gradient, weight):
    """The first of the reference, in the ball whose radius is the norm that the weight has."""
    matrix, shape = weight.reshape(len(weight), -1), weight.shape
    radius = np.linalg.norm(matrix, 2)
    return radius * moved(matrix / radius, gradient.reshape(len(weight), -1), 2 / 10).reshape(shape)


REFERENCE |= {
    member.kind: lambda g, w, member=member: reference_step(member.kind.key, g, w)[0]
    for member in FROM_GRADIENTS
    if member.kind not in REFERENCE and not member.options
}


BOUNDED = lambda g, w: reference_step("fromage", g, w, learning_rate=0.1, p_bound=1.25)[0]  # noqa: E731
OWN = [member for member in FROM_GRADIENTS if member.kind is not FGSGD]
# Of weights and of gradients: the extremes with each other, and those whose squares single precision cannot hold.
PAIRS = [*itertools.product(WIDE[::2], repeat=2), *itertools.product((1e-19, 1e19), repeat=2)]
SIZES = {
    torch.float64: PAIRS,
    torch.float32: PAIRS,
    torch.bfloat16: PAIRS,
    torch.float16: list(itertools.product([1e-6, 1e-4, 1.0, 1e4], repeat=2)),
}


def scaled(seed, size, dtypes):
    pairs = zip(network(seed, torch.float64, SHAPES), dtypes, strict=True)
    return [torch.nn.Parameter((p.detach() * size).to(dtype)) for p, dtype in pairs]


def one_step(member, weights, gradients):
    for p, g in zip(weights, gradients, strict=True):
        p.grad = g.detach().clone()
    arrays = [tuple(t.detach().double().numpy() for t in tensors) for tensors in (gradients, copies(weights))]
    expected = (BOUNDED if member.options.get("p_bound") else REFERENCE[member.kind])(*arrays)
    member.make(weights).step()
    return expected


@pytest.mark.parametrize("dtype", SIZES, ids=str)
@pytest.mark.parametrize("member", OWN, ids=names(OWN))
def test_a_step_is_the_references_at_every_size_of_weights_and_gradients(member, dtype):
    for size, slope in SIZES[dtype]:
        weights, gradients = (scaled(k, s, [dtype] * 3) for k, s in ((0, size), (1, slope)))
        before = copies(weights)
        expected = one_step(member, weights, gradients)
        for new, old, wanted in zip(weights, before, expected, strict=True):
            assert new.dtype == dtype
            limit = torch.finfo(dtype).max
            rounded = torch.tensor(wanted.clip(-limit, limit)).to(dtype)
            # half precision rounds once, at the end; single and double in every operation
            eps = torch.finfo(dtype).eps * (2 if dtype.itemsize == 2 else 50)
            error = (new.double() - rounded.double()).norm() / max(old.double().norm(), rounded.double().norm())
            assert error <= eps, (member.name, size, slope)


@pytest.mark.parametrize("order", list(itertools.permutations((torch.bfloat16, torch.float32, torch.float64))), ids=str)
@pytest.mark.parametrize("member", OWN, ids=names(OWN))
def test_layers_of_several_dtypes_are_computed_in_the_widest_and_keep_their_own(member, order):
    weights, gradients = scaled(0, 1.0, order), scaled(1, 1.0, order)
    expected = one_step(member, weights, gradients)
    for new, wanted, dtype in zip(weights, expected, order, strict=True):
        assert new.dtype == dtype
        error = (new.double() - torch.tensor(wanted)).norm() / np.linalg.norm(wanted)
        assert error <= torch.finfo(dtype).eps * (1 if dtype.itemsize == 2 else 50)


@pytest.mark.parametrize("member", LAYERWISE[:3], ids=names(LAYERWISE[:3]))
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_complex_weights_have_the_norm_of_their_moduli(member, dtype):
    draw = torch.Generator().manual_seed(3)
    w, g = (torch.randn((4, 3, 2), generator=draw, dtype=torch.float64) for _ in range(2))
    pair, real = torch.nn.Parameter(torch.view_as_complex(w).to(dtype)), torch.nn.Parameter(w.clone())
    pair.grad, real.grad = torch.view_as_complex(g).to(dtype), g
    for p in (pair, real):
        member.make([p]).step()
    torch.testing.assert_close(torch.view_as_real(pair.detach()).double(), real.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64], ids=str)
def test_norms_neither_overflow_nor_vanish(dtype):
    compiled = torch.compile(norms, backend="eager", fullgraph=True)
    for size in (0.0, *WIDE):
        full, ones = torch.full((50, 20), size, dtype=dtype), torch.ones(3, dtype=dtype)
        tensors = [full, ones, torch.zeros((0, 4), dtype=dtype)]
        expected = [size * math.sqrt(1000), math.sqrt(3), 0.0]
        for found in (norms(tensors).tolist(), compiled(tensors).tolist(), host_norms(tensors)):
            assert found == pytest.approx(expected, rel=1e-6, abs=0.0), size


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("member", OWN, ids=names(OWN))
def test_a_gradient_that_is_not_finite_shows(member, dtype, bad):
    """In its layer where layers move alone, in all that move where they are coupled; never an exception."""
    weights = network(dtype=dtype)
    optimizer = member.make(weights)
    for p in weights:
        p.grad = torch.ones_like(p)
    weights[0].grad[1, 2] = bad
    weights[2].grad.zero_()
    optimizer.step()
    finite = [bool(p.isfinite().all()) for p in weights]
    together = member.coupled and not member.alone
    assert finite == ([False, False, True] if together else [False, True, True])
    if together:
        assert not math.isfinite(optimizer.param_groups[0]["step_size"])


@pytest.mark.parametrize("member", OWN, ids=names(OWN))
def test_nothing_stays_poisoned_once_the_weights_are_restored(member):
    params, fresh = network(), network()
    optimizer, other = member.make(params), member.make(fresh)
    for p in params:
        p.grad = torch.full_like(p, math.nan)
    optimizer.step()
    with torch.no_grad():
        for p, q in zip(params, fresh, strict=True):
            p.copy_(q)
    for p, q in zip(params, fresh, strict=True):
        p.grad, q.grad = torch.ones_like(p), torch.ones_like(q)
    optimizer.step()
    other.step()
    assert all(map(torch.equal, params, fresh))


def test_the_product_of_many_norms_is_beyond_no_float():
    """200 layers of norm 1e3 or 1e-3: P^2 is 1e1200 or 1e-1200, and mean ||x||^2 makes up for it."""
    for size in (1e3, 1e-3):
        for member in COUPLED[1:3]:
            params = [torch.nn.Parameter(size * torch.eye(2, dtype=torch.float64)) for _ in range(200)]
            optimizer = member.make(params, mean_square_input=1.0 if size > 1 else 1e300)
            for p in params:
                p.grad = torch.tensor([[0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
            optimizer.step()
            tau = optimizer.param_groups[0]["step_size"]
            assert (0.0 <= tau < 1e-100) if size > 1 else (tau * len(params) > 1.0), (member.name, size, tau)
            assert all(p.isfinite().all() for p in params)
