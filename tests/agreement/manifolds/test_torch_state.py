"""FGSGD against the live model: weights loaded, replaced, cast or frozen since, and what is not finite."""

import io
import math

import numpy as np
import pytest
import torch
from torch import nn

from normbench.errors import InvalidArgumentError, NotReachedWarning
from normbench.torch import FGSGD
from tests.agreement.manifolds import runs
from tests.agreement.manifolds.conftest import KERNELS, Case
from tests.agreement.manifolds.convnet import copies, images, network, train

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def copied(p, w):
    with torch.no_grad():
        p.copy_(w)


CHANGES = {
    "copy_": copied,
    "data": lambda p, w: p.data.copy_(w),
    "new data": lambda p, w: setattr(p, "data", w),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_weights_that_left_their_manifolds_are_refused_before_anything_moves(manifold, dtype, change):
    model = network(dtype=dtype)
    optimizer = FGSGD(model.named_parameters(), lr=1.0, manifold=manifold)
    train(model, optimizer, 2)
    CHANGES[change](model[2].weight, 1.3 * model[2].weight.detach())
    before = copies(model.parameters())
    with pytest.raises(InvalidArgumentError, match=r"parameter '2\.weight' .* is not on its manifold.*FGSGD anew"):
        train(model, optimizer)
    assert all(map(torch.equal, before, model.parameters()))
    FGSGD(model.parameters(), lr=1.0, manifold=manifold)  # the remedy
    train(model, FGSGD(model.parameters(), lr=1.0, manifold=manifold))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_steps_alone_never_leave_the_manifolds(manifold, dtype):
    model = network(dtype=dtype)
    optimizer = FGSGD(model.parameters(), lr=3.0, manifold=manifold)
    optimizer.track(model)
    train(model, optimizer, 40)
    assert float(optimizer.state[model[0].weight]["deviation"]) > 3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_blocks_without_a_gradient_follow_the_scale_in_half_precision(manifold, dtype):
    p = nn.Parameter(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)).to(dtype))
    optimizer = FGSGD([p], lr=1.0, manifold=manifold)
    for t in range(300):
        p.grad = torch.zeros_like(p)
        optimizer.state[p]["feature_std"] = torch.tensor(1.003**t, dtype=torch.float64)
        optimizer.step()  # which refuses weights that are not on their manifolds
    assert float(optimizer.state[p]["deviation"]) > 2


def test_pretrained_weights_go_in_before_the_optimiser_is_made():
    source, model = network(3), network()
    model.load_state_dict(source.state_dict())
    optimizer = FGSGD(model.parameters(), lr=1e-6)
    before = copies(model.parameters())
    train(model, optimizer)
    assert all(torch.allclose(p, q, rtol=1e-3, atol=1e-6) for p, q in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("first", ["model", "optimizer", "model before FGSGD is made"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_tracked_run_goes_on_with_the_same_bits_at_every_dtype(dtype, first):
    whole = network(dtype=dtype)
    optimizer = FGSGD(whole.parameters(), lr=1.0)
    optimizer.track(whole)
    train(whole, optimizer, 3)
    file = io.BytesIO()
    torch.save({"model": whole.state_dict(), "optimizer": optimizer.state_dict()}, file)
    stored = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    resumed = network(5, dtype)
    if first not in stored:  # as trainers do: the constructor moves weights of a lambda that it does not know
        resumed.load_state_dict(stored["model"])
    again = FGSGD(resumed.parameters())
    for name in {"model": ("model", "optimizer"), "optimizer": ("optimizer", "model")}.get(first, ("optimizer",)):
        {"model": resumed, "optimizer": again}[name].load_state_dict(stored[name])
    again.track(resumed)
    for model, own in ((whole, optimizer), (resumed, again)):
        train(model, own, 3, seed=3)
    assert all(map(torch.equal, whole.parameters(), resumed.parameters()))
    assert again.param_groups[0]["count"] == 6


@pytest.mark.parametrize("meanwhile", ["other weights are loaded", "a step is taken"])
def test_a_state_moves_no_weights_but_those_that_the_constructor_moved(meanwhile):
    model = network()
    FGSGD(model.parameters(), lr=1.0)
    optimizer = FGSGD(model.parameters(), lr=1.0)  # which moves weights by roundings that lie on their manifolds
    state = optimizer.state_dict()
    if meanwhile == "a step is taken":
        train(model, optimizer)
    else:
        other = network(5)
        FGSGD(other.parameters())
        model.load_state_dict(other.state_dict())
    before = copies(model.parameters())
    optimizer.load_state_dict(state)
    assert all(map(torch.equal, before, model.parameters()))
    optimizer.load_state_dict(state)
    train(model, optimizer)


def test_a_state_of_an_older_version_is_completed():
    model = network()
    optimizer = FGSGD(model.parameters(), lr=1.0)
    stored = optimizer.state_dict()
    for own in stored["state"].values():
        del own["layer"], own["deviation"]
    del stored["param_groups"][0]["count"]
    other = FGSGD(model.parameters())
    other.load_state_dict(stored)
    train(model, other)
    assert [own["layer"] for own in other.state.values()] == [0, 1]


def test_frozen_weights_keep_their_bits_and_are_refused_once_they_are_free():
    model = network()
    model[0].requires_grad_(False)
    before = model[0].weight.detach().clone()
    optimizer = FGSGD(model.named_parameters(), lr=1.0)
    train(model, optimizer, 2)
    assert torch.equal(before, model[0].weight)
    model[0].requires_grad_(True)
    with pytest.raises(InvalidArgumentError, match=r"parameter '0\.weight' .* freed since FGSGD was made"):
        train(model, optimizer)


def test_a_constructor_that_refuses_moves_nothing():
    good, zero = (nn.Parameter(w) for w in (torch.ones(3, 2), torch.zeros(3, 2)))
    for groups in ([good, zero], [{"params": [good]}, {"params": [zero]}]):
        with pytest.raises(InvalidArgumentError, match="is zero"):
            FGSGD(groups)
        assert torch.equal(good.detach(), torch.ones(3, 2))


@pytest.mark.parametrize("change", ["half", "double"])
def test_a_model_that_was_cast_goes_on(change):
    model = network()
    optimizer = FGSGD(model.parameters(), lr=1.0)
    optimizer.track(model)
    train(model, optimizer, 2)
    getattr(model, change)()
    before = copies(model.parameters())
    train(model, optimizer, 3)
    assert {p.dtype for p in model.parameters()} == {before[0].dtype}
    assert not torch.equal(before[0], model[0].weight)


def test_a_model_whose_parameters_were_all_replaced_is_not_silent():
    model = network()
    optimizer = FGSGD(model.parameters(), lr=1.0)
    model.load_state_dict(model.state_dict(), assign=True)
    with pytest.warns(NotReachedWarning, match="not one of the 2 parameters of FGSGD has a gradient"):
        train(model, optimizer)


@pytest.mark.parametrize("size", [1e-30, 1e-19, 1e19, 1e30])
def test_gradients_of_any_size_move_as_in_the_reference(manifold, size):
    case = Case(manifold, "pio", KERNELS, strength=size)
    expected, _ = case.run_reference(3)
    found, _ = runs.run_torch(case, 3, dtype=torch.float32)
    for left, right in zip(found, expected, strict=True):
        assert abs(left - right).max() < 1e-5


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_shows_in_its_layer_alone(manifold, bad):
    model = network()
    optimizer = FGSGD(model.parameters(), lr=1.0, manifold=manifold)
    model(images()).square().mean().backward()
    model[0].weight.grad[0, 0, 0, 0] = bad
    optimizer.step()
    assert not model[0].weight.isfinite().all()
    assert model[2].weight.isfinite().all()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_the_nearest_point_of_what_is_not_finite_is_refused(manifold, bad):
    case = Case(manifold, "pio")
    drawn = case.draw(1)
    drawn[1][0, 0] = bad
    with pytest.raises(InvalidArgumentError, match="weight 1 holds NaN or infinity"):
        case.onto(drawn)


@pytest.mark.parametrize("positions", [np.int64(4), np.array(4), torch.tensor(4)], ids=repr)
def test_positions_may_be_any_integer_and_are_kept_as_pythons(positions):
    optimizer = FGSGD([{"params": [nn.Parameter(torch.ones(2, 2, 3, 3))], "positions": positions}])
    assert type(optimizer.param_groups[0]["positions"]) is int


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_wrapper_that_shards_the_parameters_is_refused():
    from torch.distributed.optim import _apply_optimizer_in_backward  # warns while it is loaded

    model = network()
    with pytest.raises(InvalidArgumentError, match=r"FGSGD cannot be made by .*, and every process would move others"):
        _apply_optimizer_in_backward(FGSGD, model.parameters(), {"lr": 1.0})
