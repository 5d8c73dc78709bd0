"""GeodesicLBFGS, OnlineLBFGS and PolarAverage: bounds in the parameter's own dtype, radii, memory, averages."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch_loop import same
from torch_members import advance, copies, loss, network

from normbench.errors import InvalidArgumentError, NotReachedWarning
from normbench.torch import GeodesicLBFGS, OnlineLBFGS, PolarAverage
from normbench.torch.optimizers import balls
from normbench.torch.optimizers.averages import Averaging
from normbench.torch.optimizers.closure import ClosureCurve
from normbench.torch.optimizers.geodesic_lbfgs import Searched
from normbench.torch.optimizers.lifted import Lifts
from normbench.torch.updates.geodesic_lbfgs import State

QUASI_NEWTON = (GeodesicLBFGS, OnlineLBFGS)
KINDS = (*QUASI_NEWTON, PolarAverage)
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
every_kind = pytest.mark.parametrize("kind", KINDS)
quasi_newton = pytest.mark.parametrize("kind", QUASI_NEWTON)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def norm(p):
    """||W||_op in float64, by another way than the optimiser's."""
    return np.linalg.norm(p.detach().double().reshape(len(p), -1).numpy(), 2)


def convolutional(dtype):
    """A kernel, a matrix and their biases, with a closure."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(2, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(12, 5)).to(dtype)
    x, y = torch.randn(16, 2, 3, 3).to(dtype), torch.randn(16, 5)
    return model, lambda: (model(x).float() - y).square().mean()


def steps(optimizer, closure, count):
    for _ in range(count):
        if optimizer.differentiates:
            optimizer.step(closure)
        else:
            optimizer.zero_grad()
            closure().backward()
            optimizer.step()


@every_dtype
@pytest.mark.parametrize("radius", [None, 1.3])
@every_kind
def test_every_iterate_lies_within_its_ball_rounding_included(kind, radius, dtype):
    model, closure = convolutional(dtype)
    start = [norm(p) for p in model.parameters()]
    optimizer = kind(model.parameters(), radius=radius)
    limits = start if radius is None else [radius] * len(start)
    reached = 0.0
    for _ in range(15):
        steps(optimizer, closure, 1)
        reached = max(reached, *(norm(p) / r for p, r in zip(model.parameters(), limits, strict=True)))
        assert reached <= 1.0
        if issubclass(kind, Averaging):
            optimizer.eval()
            assert all(norm(p) <= r for p, r in zip(model.parameters(), limits, strict=True))
            optimizer.train()
    assert reached > 0.8
    assert {p.dtype for p in model.parameters()} == {dtype}


@every_dtype
def test_rounding_alone_would_leave_the_ball(dtype):
    """What the check above is worth: points of the ball that are rounded to the nearest lie outside now and then."""
    generator = torch.Generator().manual_seed(0)
    outside = 0
    for _ in range(20):
        left, _, right = torch.linalg.svd(torch.randn(7, 5, generator=generator, dtype=torch.float64), False)
        p = torch.zeros(7, 5, dtype=dtype)
        outside += norm((left @ right * 1.7).to(dtype)) > 1.7
        assert 1.7 * (1 - 4 * torch.finfo(dtype).eps - 1e-14) < norm(balls.within(left @ right, p, 1.7)) <= 1.7
    assert outside > 0


def test_on_spheres_the_frobenius_norm_stays():
    params = network(dtype=torch.float64)
    sizes = [p.norm().item() for p in params]
    optimizer = GeodesicLBFGS(params, manifold="sphere")
    advance(optimizer, params, 10)
    assert [p.norm().item() for p in params] == pytest.approx(sizes, rel=1e-13)


@pytest.mark.parametrize(
    ("kind", "options", "make", "message"),
    [
        *(
            (kind, {"radius": 0.5}, lambda: torch.eye(3), "has the operator norm 1 and lies outside .* 0.5")
            for kind in KINDS
        ),
        *((kind, {}, lambda: torch.zeros(3, 2), "is zero, and its norm is no radius") for kind in KINDS),
        *((kind, {}, lambda: torch.ones(()), "is a single number and no matrix") for kind in KINDS),
        (
            GeodesicLBFGS,
            {"radius": 1.0, "manifold": "sphere"},
            lambda: torch.eye(3),
            "has the norm 1.73.* shall lie on",
        ),
    ],
)
def test_a_parameter_that_is_not_there_is_refused_by_name(kind, options, make, message):
    with pytest.raises(InvalidArgumentError, match=f"^parameter 'head' .*{message}"):
        kind([("head", nn.Parameter(make()))], **options)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, "1", True])
@every_kind
def test_what_is_no_radius_is_refused(kind, value):
    with pytest.raises(InvalidArgumentError, match=r"^radius must be positive and finite; got "):
        kind(network(), radius=value)
    with pytest.raises(InvalidArgumentError, match=r"^manifold must be 'ball' or 'sphere'; got 'stiefel'"):
        GeodesicLBFGS(network(), manifold="stiefel")


@every_kind
def test_a_group_has_a_radius_of_its_own_and_zero_is_a_point_of_a_ball(kind):
    model, closure = convolutional(torch.float64)
    weights = [p for p in model.parameters() if p.dim() > 1]
    biases = [p for p in model.parameters() if p.dim() == 1]
    for p in biases:
        nn.init.zeros_(p)
    optimizer = kind([{"params": weights}, {"params": biases, "radius": 0.1}], radius=3.0)
    before = closure().item()
    steps(optimizer, closure, 20)
    assert closure().item() < before
    assert all(0 < norm(p) <= 0.1 for p in biases)
    assert max(norm(p) for p in weights) > 0.1


@every_kind
def test_weights_that_are_loaded_outside_are_refused_and_inside_go_on(kind):
    params = network()
    optimizer = kind([(f"layer{k}", p) for k, p in enumerate(params)])
    advance(optimizer, params, 3)
    with torch.no_grad():
        params[1].mul_(2)
    with pytest.raises(InvalidArgumentError, match=r"^parameter 'layer1' .* outside the ball .* Scale it by 0\.5"):
        advance(optimizer, params)
    with torch.no_grad():
        params[1].mul_(0.25)
    advance(optimizer, params, 3)
    assert all(p.isfinite().all() for p in params)


@quasi_newton
def test_a_memory_is_of_the_weights_that_the_last_step_left(kind):
    """A change of one bit of them, and the next step is that of a new optimiser at the same radii."""
    params = network(dtype=torch.float64)
    optimizer = kind(params, radius=4.0)
    advance(optimizer, params, 5)
    assert len(optimizer.state[params[0]]["pairs"]) == (4 if kind is GeodesicLBFGS else 1)
    with torch.no_grad():
        params[2][0, 0] = np.nextafter(params[2][0, 0].item(), 0.0)
    anew = [nn.Parameter(p.detach().clone()) for p in params]
    advance(optimizer, params)
    advance(kind(anew, radius=4.0), anew)
    assert same(params, anew)


@every_kind
def test_the_radius_of_a_group_may_be_set_anew_and_moves_nothing_by_itself(kind):
    params = network(dtype=torch.float64)
    optimizer = kind(params, radius=3.0)
    advance(optimizer, params, 5)
    before = copies(params)
    optimizer.param_groups[0]["radius"] = 300.0
    if kind.differentiates:
        optimizer.step(lambda: loss(params) * 0.0 + 1.0)
        assert same(params, before)
    advance(optimizer, params, 10)
    assert max(norm(p) for p in params) > 3.0
    optimizer.param_groups[0]["radius"] = 0.1
    with pytest.raises(InvalidArgumentError, match=r"lies outside the ball of radius 0\.1"):
        advance(optimizer, params)


def test_where_the_memory_is_given_up_the_taylor_step_starts_where_the_search_did():
    params = network(dtype=torch.float64)
    optimizer = GeodesicLBFGS(params, radius=4.0, max_trials=3)
    advance(optimizer, params, 4)
    other = [nn.Parameter(p.detach().clone()) for p in params]
    calls, differentiated = [], []

    def closure():
        calls.append(1)
        if torch.is_grad_enabled():
            differentiated.append(copies(params))
        return loss(params) * (math.inf if 1 < len(calls) < 5 else 1.0)  # the three trials of the memory's direction

    optimizer.step(closure)
    assert len(optimizer.state[params[0]]["pairs"]) == 0
    assert len(differentiated) == 2
    assert all(same(point, other) for point in differentiated)
    assert 0 < optimizer.param_groups[0]["step_size"] <= math.pi / 6 + 1e-9
    assert loss(params) < loss(other)


@torch.no_grad()
def test_derivatives_along_a_curve_of_the_variables_are_those_of_differences():
    params = network(dtype=torch.float64)
    kept = {p: {"radius": 4.0 + k} for k, p in enumerate(params)}
    kept[params[1]]["radius"] = params[1].norm().item()
    lifts = Lifts.of(params, kept, [False, True, False], State, lambda own: {})
    curve = ClosureCurve(params, [lambda: loss(params)], None, lambda tensors: tensors, name="", verified=True)
    searched = Searched(curve, curve.start(), lifts)
    slope = searched.slope(searched.start)
    manifold, Q = lifts.state.manifold, lifts.state.Q
    D = manifold.project(Q, [-g for g in manifold.gradient(Q, slope.gradient)])
    series = manifold.series(Q, D)
    found = searched.series_derivatives(searched.start, slope, series)

    def value(t):
        for p, (P, D, C) in zip(params, series, strict=True):
            p.copy_(kept[p]["radius"] * (P + t * D + t**2 * C))
        return loss(params).item() * searched._scale

    h = 1e-3
    below, here, above = (value(k * h) for k in (-1, 0, 1))
    assert found == pytest.approx([(above - below) / (2 * h), (above - 2 * here + below) / h**2], rel=1e-4)


@pytest.mark.parametrize("power", [-90, 90])
@quasi_newton
def test_gradients_whose_squares_float32_does_not_hold_make_the_same_run(kind, power):
    runs = []
    for factor in (1.0, 2.0**power):
        params = network()
        optimizer = kind(params)
        for _ in range(6):
            optimizer.step(lambda params=params, factor=factor: loss(params) * factor)
        runs.append(params)
    assert same(*runs)


def test_an_iteration_with_a_memory_differentiates_once():
    """Without a graph of the gradient: an operator without a second derivative is refused at the first step alone."""
    model, closure = convolutional(torch.float64)
    optimizer = GeodesicLBFGS(model.parameters())
    optimizer.step(closure)
    seen = []
    original = torch.autograd.grad

    def watched(*args, **kwargs):
        seen.append(kwargs.get("create_graph"))
        return original(*args, **kwargs)

    torch.autograd.grad = watched
    try:
        optimizer.step(closure)
    finally:
        torch.autograd.grad = original
    assert seen == [False]


@every_kind
def test_a_gradient_that_is_not_finite_shows(kind):
    for bad in (math.nan, math.inf):
        params = network()
        optimizer = kind(params)
        advance(optimizer, params, 2)
        if kind.differentiates:
            optimizer.step(lambda params=params, bad=bad: loss(params) * bad)
            assert math.isnan(optimizer.param_groups[0]["step_size"])
            assert all(p.isnan().all() for p in params)
            advance(optimizer, params)  # and goes on to
            assert all(p.isnan().all() for p in params)
        else:
            for p in params:
                p.grad = torch.zeros_like(p)
            params[1].grad[0, 0] = bad
            optimizer.step()
            assert [bool(p.isnan().all()) for p in params] == [False, True, False]
            optimizer.eval()
            assert [bool(p.isnan().all()) for p in params] == [False, True, False]


@every_kind
def test_what_has_no_gradient_rests_with_all_its_bits_and_is_named_once(kind):
    params, spare = network(), nn.Parameter(torch.randn(4, 7, generator=torch.Generator().manual_seed(1)))
    before = spare.detach().clone()
    optimizer = kind([*((f"layer{k}", p) for k, p in enumerate(params)), ("spare", spare)])
    with pytest.warns(NotReachedWarning, match="parameter 'spare' of shape"):
        advance(optimizer, params)
    advance(optimizer, params, 5)  # warnings are errors here
    assert torch.equal(spare, before)
    if kind.differentiates:
        assert len(optimizer.state[params[0]]["pairs"]) > 1  # a parameter that rests is known again


@quasi_newton
def test_a_gradient_whose_squares_underflow_leaves_the_weights_where_they_are(kind):
    """Its direction has a size of zero, by which a trust angle was divided."""
    params = network()
    with torch.no_grad():
        for p in params:
            p.mul_(1e-20)
    optimizer, before = kind(params), copies(params)
    advance(optimizer, params, 2)
    assert optimizer.param_groups[0]["step_size"] == 0.0
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))
