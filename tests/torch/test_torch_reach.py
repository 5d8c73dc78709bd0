"""Method1 and what it cannot differentiate: parameters that a loss does not reach, operators, closures, NaN."""

import copy
import math
import warnings

import numpy as np
import pytest
import torch
from once import Once
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch_loop import same

from normbench.errors import InvalidArgumentError, NotReachedWarning
from normbench.torch import GeodesicLBFGS, Method1, OnlineLBFGS

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

X, Y = torch.randn(20, 4, generator=torch.Generator().manual_seed(1)), torch.linspace(-1, 1, 40).reshape(20, 2)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8, bias=False), nn.Tanh(), nn.Linear(8, 2, bias=False))


def error_of(outputs):
    return (outputs - Y).square().mean()


def copies(params):
    return [p.detach().clone() for p in params]


def assigned(model):
    model.load_state_dict({k: 2 * w for k, w in model.state_dict().items()}, assign=True)
    return model


@pytest.mark.parametrize("other", [copy.deepcopy, assigned, lambda model: network()], ids=["copied", "assigned", "new"])
def test_a_loss_that_reaches_no_parameter_is_refused(other):
    model = network()
    optimizer = Method1(model.named_parameters())
    model = other(model)
    with pytest.raises(
        InvalidArgumentError, match=r"reaches none of the 2 parameters of Method1 \(parameter '0.weight'"
    ):
        optimizer.step(lambda: error_of(model(X)))


@pytest.mark.parametrize("forward", [False, True], ids=["reverse", "forward"])
def test_a_parameter_that_the_loss_does_not_reach_is_named_once_and_the_others_move(forward):
    model = network()
    unused, late = nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(2, 2))
    host = nn.ModuleList([model, nn.ParameterList([unused, late])])
    before, used = copies(host.parameters()), [unused]
    optimizer = Method1(host.named_parameters(), module=host if forward else None)

    def loss():
        return error_of(model(X)) + 0 * sum(p.sum() for p in (unused, late) if all(p is not q for q in used))

    with pytest.warns(NotReachedWarning, match=r"does not reach parameter '1\.0' of shape \(3, 2\)") as caught:
        optimizer.step(loss)
    (message,) = [str(w.message) for w in caught if w.category is NotReachedWarning]
    assert "1.1" not in message
    optimizer.step(loss)  # without a second warning, which would be an error
    assert [not torch.equal(p, q) for p, q in zip(host.parameters(), before, strict=True)] == [True, True, False, False]
    used.append(late)
    with pytest.warns(NotReachedWarning, match=r"parameter '1\.1'"):
        optimizer.step(loss)


def test_a_gradient_that_is_zero_is_none_that_is_missing():
    model = network()
    idle = nn.Parameter(torch.ones(2, 2))
    Method1([*model.parameters(), idle]).step(lambda: error_of(model(X)) + 0 * idle.sum())


def test_each_part_of_the_data_may_reach_its_own_parameters():
    first, second = network(), network()
    optimizer = Method1([*first.parameters(), *second.parameters()])
    before = copies(second.parameters())
    optimizer.step([lambda: error_of(first(X)), lambda: error_of(second(X))])
    assert not same(before, second.parameters())


def test_a_detached_layer_is_named():
    model = network()
    with pytest.warns(NotReachedWarning, match="parameter '0.weight'"):
        Method1(model.named_parameters()).step(lambda: error_of(model[2](model[1](model[0](X)).detach())))


@pytest.mark.parametrize("place", ["first", "between"])
def test_a_reentrant_checkpoint_is_refused_with_the_remedy(place):
    model, inputs = network(), X.clone().requires_grad_()
    before = copies(model.parameters())

    def first():
        return model[2](checkpoint(model[:2], inputs, use_reentrant=True))

    def between():
        return model[2](checkpoint(model[1], model[0](X), use_reentrant=True))

    optimizer = Method1(model.parameters())
    with pytest.raises(InvalidArgumentError, match="use_reentrant=False"):
        optimizer.step(lambda: error_of({"first": first, "between": between}[place]()))
    assert same(before, model.parameters())


def test_a_checkpoint_that_is_not_reentrant_makes_the_same_run():
    results = []
    for around in (lambda f, x: f(x), lambda f, x: checkpoint(f, x, use_reentrant=False)):
        model = network()
        optimizer = Method1(model.parameters())
        for _ in range(3):
            optimizer.step(lambda model=model, around=around: error_of(model[2](around(model[:2], X))))
        results.append(copies(model.parameters()))
    assert same(*results)


def test_an_operator_without_a_second_derivative_is_refused_and_nothing_moves():
    model = network()
    before = copies(model.parameters())
    with pytest.raises(InvalidArgumentError, match=r"does not allow it: .*once_differentiable"):
        Method1(model.parameters()).step(lambda: error_of(model[2](Once.apply(model[0](X)))))
    assert same(before, model.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda e: e.square().mean(1), r"one real number; got a tensor of shape \(20,\)"),
        (lambda e: torch.complex(e, e).mean(), "and dtype complex64"),
        (lambda e: 0.5, "a tensor with its graph; got 0.5"),
        (lambda e: None, "a tensor with its graph; got None"),
        (lambda e: (e.square().mean(), e), "a tensor with its graph"),
        (lambda e: torch.tensor(1), "a tensor with its graph"),
    ],
    ids=["vector", "complex", "float", "nothing", "pair", "integer"],
)
def test_what_is_no_loss_is_refused(make, message):
    model = network()
    with pytest.raises(InvalidArgumentError, match=message):
        Method1(model.parameters()).step(lambda: make(model(X) - Y))


@pytest.mark.parametrize(
    "form", [lambda v: v.double(), lambda v: v.reshape(1), lambda v: v.half()], ids=["float64", "one entry", "half"]
)
def test_a_loss_of_one_number_is_taken_in_any_floating_form(form):
    model = network()
    optimizer = Method1(model.parameters(), module=model)
    losses = [optimizer.step(lambda: form(error_of(model(X)))) for _ in range(3)]
    assert all(loss.shape == () for loss in losses)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("given", [None, "str", 3, [], [None], torch.ones(())], ids=repr)
def test_what_is_no_closure_is_refused(given):
    with pytest.raises(InvalidArgumentError, match="closure must be a callable that returns the loss, or a sequence"):
        Method1(network().parameters()).step(given)


@pytest.mark.parametrize("kind", [Method1, GeodesicLBFGS, OnlineLBFGS])
def test_a_step_without_a_closure_as_gradscaler_makes_it_says_what_it_needs(kind):
    model = network()
    optimizer, scaler = kind(model.parameters()), torch.amp.GradScaler("cpu")
    scaler.scale(error_of(model(X))).backward()
    for step in (optimizer.step, lambda: scaler.step(optimizer)):
        with pytest.raises(InvalidArgumentError, match=r"closure must be .* got None. E.g. optimizer.step\(lambda"):
            step()


@pytest.mark.parametrize(("name", "value"), [("module", "x"), ("module", network), ("process_group", "x")])
def test_what_is_no_module_or_process_group_is_refused(name, value):
    with pytest.raises(InvalidArgumentError, match=f"{name} must be a torch"):
        Method1(network().parameters(), **{name: value})


def test_a_closure_that_raises_at_a_trial_point_leaves_the_weights():
    model, calls = network(), []
    before = copies(model.parameters())

    def loss():
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return error_of(model(X))

    with pytest.raises(KeyboardInterrupt):
        Method1(model.parameters()).step(loss)
    assert same(before, model.parameters())


def test_a_module_whose_parameter_was_replaced_is_refused_by_name():
    model = network()
    optimizer = Method1(model.named_parameters(), module=model)
    model[0].weight = nn.Parameter(model[0].weight.detach().clone())
    with pytest.raises(InvalidArgumentError, match=r"parameter '0.weight' .* is not a parameter of module"):
        optimizer.step(lambda: error_of(model(X)))


@pytest.mark.parametrize("forward", [False, True], ids=["reverse", "forward"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_start_that_is_not_finite_shows_in_every_layer_that_moves(bad, forward):
    model, bias = network(), nn.Parameter(torch.zeros(2))
    host = nn.ModuleList([model, nn.ParameterList([bias])])
    groups = [{"params": list(model.parameters())}, {"params": [bias], "manifold": "euclidean"}]
    optimizer = Method1(groups, module=host if forward else None)
    broken = X.clone()
    broken[0, 0] = bad
    optimizer.step(lambda: error_of(model(broken) + bias))
    assert math.isnan(optimizer.param_groups[0]["step_size"])
    assert not any(p.isfinite().any() for p in host.parameters())


def test_a_trial_point_that_is_not_finite_halves_the_step():
    model, seen = network(), []

    def loss():
        value = error_of(model(X))
        seen.append(value)
        return value * math.nan if len(seen) == 2 else value

    optimizer = Method1(model.parameters())
    optimizer.step(loss)
    assert len(seen) == 3
    assert 0 < optimizer.param_groups[0]["step_size"] < math.pi / 12


@pytest.mark.parametrize("change", ["half", "double"])
def test_a_model_that_was_cast_goes_on(change):
    model = network()
    optimizer = Method1(model.parameters())
    getattr(model, change)()
    kind = model[0].weight.dtype
    losses = [optimizer.step(lambda: (model(X.to(kind)) - Y.to(kind)).square().mean()).item() for _ in range(4)]
    assert losses[-1] < losses[0]
    assert {p.dtype for p in model.parameters()} == {kind}


def test_a_weight_that_has_become_zero_is_refused_by_name():
    model = network()
    optimizer = Method1(model.named_parameters())
    nn.init.zeros_(model[2].weight)
    with pytest.raises(InvalidArgumentError, match=r"parameter '2.weight' of shape .* is zero and lies on no sphere"):
        optimizer.step(lambda: error_of(model(X)))


def test_a_single_number_on_a_sphere_is_refused_and_elsewhere_moves():
    scale = nn.Parameter(torch.tensor(2.0))
    with pytest.raises(InvalidArgumentError, match="is a single number"):
        Method1([scale])
    model = network()
    optimizer = Method1([{"params": [*model.parameters()]}, {"params": [scale], "manifold": "euclidean"}])
    optimizer.step(lambda: error_of(scale * model(X)))
    assert scale.item() != 2.0


def test_running_statistics_count_every_evaluation_and_no_derivative():
    model = nn.Sequential(nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8, affine=False, momentum=None), nn.Linear(8, 2))
    calls = []

    def loss():
        calls.append(torch.is_grad_enabled())
        return error_of(model(X))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotReachedWarning)
        Method1([model[0].weight, model[2].weight]).step(loss)
    assert int(model[1].num_batches_tracked) == len(calls) == 2


@pytest.mark.parametrize("number", [np.float32(0.5), np.array(0.5), torch.tensor(0.5)], ids=repr)
def test_options_may_be_any_number_and_are_kept_as_pythons(number):
    model = network()
    groups = [{"params": [model[0].weight]}, {"params": [model[2].weight], "manifold": "euclidean", "radius": number}]
    optimizer = Method1(groups, trust_region=number, order=np.int64(3))
    optimizer.step(lambda: error_of(model(X)))
    assert {type(group[name]) for group in optimizer.param_groups for name in ("trust_region", "step_size")} == {float}
    assert (type(optimizer.param_groups[1]["radius"]), type(optimizer.param_groups[0]["order"])) == (float, int)
