"""OnlineLBFGS in mini-batches: the reference's run, what a step evaluates, and what it remembers and forgets."""

import copy
import math

import numpy as np
import pytest
import torch
from once import Once
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch_loop import Loop, same
from torch_members import advance, copies, loss, network

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.reference.trainer import ReferenceTrainer
from normbench.torch import GeodesicLBFGS, OnlineLBFGS
from normbench.torch.optimizers import losses
from normbench.torch.optimizers.base import OF

STEPS, BATCH = 40, 8
QUASI_NEWTON = 1e-9  # its directions magnify rounding


def batches_of(problem):
    """Rows of the batch of every step."""
    rng = np.random.default_rng(3)
    return np.stack([rng.choice(len(problem.x_train), BATCH, replace=False) for _ in range(STEPS)])


@pytest.mark.parametrize("key", ["online_lbfgs", "polar_average"])
def test_in_batches_the_run_is_the_references(case_of, deviation, key):
    case = case_of(key, parametrisation="ball")
    rows = batches_of(case.problem)
    hyper = specs.get(key).resolve({})
    trainer = ReferenceTrainer(case.problem, key, hyper, rows=rows, parametrisation="ball")
    assert trainer.advance(STEPS) == STEPS
    expected = trainer.trajectory()
    loop, found = Loop(case), []
    x, y, whole = loop.x, loop.y, loop.scale * len(loop.x)
    for own in rows:
        loop.x, loop.y, loop.scale = x[own], y[own], whole / BATCH
        found = found or [loop.loss().item()]
        loop.step()
        with loop.evaluated():
            found.append(loop.loss().item())
    with loop.evaluated():
        weights = [w.numpy() for w in loop.weights()]
    assert not np.allclose(expected.loss[1:], case.reference(STEPS).loss[1:], rtol=1e-3)  # batches differ from all
    assert deviation(expected, found, loop.step_sizes, weights) <= QUASI_NEWTON


def test_a_step_that_makes_a_pair_takes_two_gradients_of_its_batch_and_no_second_derivative(monkeypatch):
    params = network(dtype=torch.float64)
    optimizer, points, created = OnlineLBFGS(params, radius=4.0, interval=2), [], []
    original = torch.autograd.grad

    def watched(*args, **kwargs):
        created.append(kwargs["create_graph"])
        return original(*args, **kwargs)

    def closure():
        points.append(copies(params))
        return loss(params)

    monkeypatch.setattr(torch.autograd, "grad", watched)
    before, expected = copies(params), loss(params).item()
    assert optimizer.step(closure).item() == expected
    assert created == [False, False]
    assert [same(points[0], before), same(points[1], params)] == [True, True]
    assert optimizer.param_groups[0]["step_size"] == pytest.approx(0.05, rel=1e-12)
    counts = []
    for _ in range(3):
        optimizer.step(closure)
        counts.append(len(points))
    assert counts == [3, 5, 6]
    assert 0 < optimizer.param_groups[0]["step_size"] <= math.pi / 12 + 1e-12


@pytest.mark.parametrize("kind", [OnlineLBFGS, GeodesicLBFGS])
def test_the_network_runs_on_operators_of_torch_itself_where_one_derivative_is_enough(monkeypatch, kind):
    used = []
    original = losses.smooth_operators

    def watched():
        used.append(1)
        return original()

    monkeypatch.setattr(losses, "smooth_operators", watched)
    params = network()
    advance(kind(params), params)
    assert bool(used) == (kind is GeodesicLBFGS)


def changed_behind_autograd(outputs):
    """Its square needs what it was."""
    squares = outputs.square()
    outputs.add_(1)
    return squares


def test_an_operator_needs_one_derivative_and_one_without_it_is_refused():
    model, x = nn.Linear(4, 2), torch.randn(20, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    optimizer = OnlineLBFGS(model.parameters(), radius=3.0)
    start = optimizer.step(lambda: (Once.apply(model(x)) - 1).square().mean()).item()
    assert (model(x).tanh() - 1).square().mean().item() < start
    before = copies(model.parameters())
    for wrong, message in (
        (
            lambda: changed_behind_autograd(model(x)),
            "OnlineLBFGS differentiates the loss itself, .*inplace operation",
        ),
        (lambda: checkpoint(model, x, use_reentrant=True), "reentrant checkpoint .*OnlineLBFGS.*use_reentrant=False"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            optimizer.step(lambda wrong=wrong: wrong().mean())
        assert same(before, model.parameters())


def test_with_power_zero_the_average_is_the_mean_of_the_iterates():
    params = network(dtype=torch.float64)
    optimizer = OnlineLBFGS(params, radius=4.0, power=0)
    total = [torch.zeros_like(p) for p in params]
    for _ in range(12):
        advance(optimizer, params)
        torch._foreach_add_(total, copies(params))
    optimizer.eval()
    for p, t in zip(params, total, strict=True):
        torch.testing.assert_close(p.detach(), t / 12, rtol=1e-13, atol=1e-14)


def test_a_closure_that_raises_at_the_second_point_leaves_weights_and_state():
    params = network()
    optimizer, calls = OnlineLBFGS(params, radius=4.0, interval=1), []
    advance(optimizer, params, 3)
    before, state, other = copies(params), copy.deepcopy(optimizer.state_dict()), copy.deepcopy((optimizer, params))

    def closure():
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return loss(params)

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(closure)
    assert same(params, before)
    torch.testing.assert_close(optimizer.state_dict()["state"], state["state"], rtol=0, atol=0)
    assert optimizer.state_dict()["param_groups"] == state["param_groups"]
    advance(optimizer, params)
    advance(*other)
    assert same(params, other[1])


def test_a_gradient_that_is_not_finite_where_a_step_ends_makes_no_pair():
    params = network()
    optimizer, calls = OnlineLBFGS(params, radius=4.0, interval=1), []
    advance(optimizer, params, 2)
    assert len(optimizer.state[params[0]]["pairs"]) == 2

    def closure():
        calls.append(1)
        return loss(params) * (math.nan if len(calls) == 2 else 1.0)

    optimizer.step(closure)
    assert all(p.isfinite().all() for p in params)
    assert len(optimizer.state[params[0]]["pairs"]) == 2
    advance(optimizer, params)
    assert len(optimizer.state[params[0]]["pairs"]) == 3


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_after_a_lost_step_a_run_goes_on_from_weights_that_are_put_back(bad):
    params, fresh = network(), network()
    optimizer, other = OnlineLBFGS(params), OnlineLBFGS(fresh)
    advance(optimizer, params, 3)
    advance(other, fresh, 3)
    before = copies(params)
    optimizer.step(lambda: loss(params) * bad)
    optimizer.eval()
    assert all(p.isnan().all() for p in params)
    optimizer.train()
    with torch.no_grad():
        torch._foreach_copy_(params, before)
    advance(optimizer, params, 2)
    advance(other, fresh, 2)
    for optimiser in (optimizer, other):
        optimiser.eval()
    assert same(params, fresh)


def test_weights_that_were_changed_have_no_average_yet():
    params = network()
    optimizer = OnlineLBFGS(params, radius=4.0)
    advance(optimizer, params, 4)
    with torch.no_grad():
        for p in params:
            p.mul_(0.5)
    changed = copies(params)
    optimizer.eval()
    assert same(params, changed)
    optimizer.train()
    anew = [nn.Parameter(p) for p in changed]
    other = OnlineLBFGS(anew, radius=4.0)
    for optimiser, own in ((optimizer, params), (other, anew)):
        advance(optimiser, own, 3)
        optimiser.eval()
    assert same(params, anew)


def test_what_rests_keeps_its_bits_in_both_modes():
    params, spare = network(), nn.Parameter(torch.randn(4, 7, generator=torch.Generator().manual_seed(1)))
    before = spare.detach().clone()
    optimizer = OnlineLBFGS([*params, spare])
    for _ in range(3):
        optimizer.step(lambda: loss(params) + 0 * spare.sum())
        optimizer.eval()
        assert torch.equal(spare, before)
        optimizer.train()
    assert torch.equal(spare, before)


def test_the_state_of_another_class_that_does_not_say_so_is_none_to_go_on_from():
    params, fresh = network(), network()
    other = GeodesicLBFGS(params, radius=4.0)
    advance(other, params, 3)
    with torch.no_grad():
        torch._foreach_copy_(fresh, copies(params))
    optimizer = OnlineLBFGS(fresh, radius=4.0)
    optimizer.load_state_dict({name: part for name, part in other.state_dict().items() if name != OF})
    optimizer.eval()
    assert same(fresh, params)
    optimizer.train()
    advance(optimizer, fresh)
    advance(OnlineLBFGS(params, radius=4.0), params)
    assert same(fresh, params)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("history", "interval") for value in (0, 2.5)),
        *(("momentum", value) for value in (-0.1, 1.0, math.nan, "0.5")),
        *(("decay", value) for value in (-0.1, 1.1, True)),
        *(("damping", value) for value in (0.0, 2.0)),
        *(("power", value) for value in (-1, 0.5)),
    ],
)
def test_what_is_no_hyperparameter_is_refused_by_name(name, value):
    with pytest.raises(InvalidArgumentError, match=rf"^{name} must .*; got {value!r}\."):
        OnlineLBFGS(network(), **{name: value})


def test_all_groups_share_the_hyperparameters_and_a_module_is_of_no_use():
    first, *others = network()
    with pytest.raises(InvalidArgumentError, match=r"has no option power of a parameter group.*takes: radius\."):
        OnlineLBFGS([{"params": [first]}, {"params": others, "power": 3}])
    with pytest.raises(TypeError, match="module"):
        OnlineLBFGS(network(), module=nn.Linear(2, 2))


def test_a_group_that_comes_later_moves_with_the_others():
    *params, last = network()
    optimizer = OnlineLBFGS(params, radius=4.0)
    without_the_last = lambda: loss([*params, last.detach()])  # noqa: E731
    optimizer.step(without_the_last)
    optimizer.add_param_group({"params": [last], "radius": 3.0})
    before = copies([last])
    advance(optimizer, [*params, last], 3)
    assert not same([last], before)
    assert torch.linalg.matrix_norm(last.detach().double(), 2) <= 3.0
