"""The contract of torch.optim: signatures, rates, schedulers, hooks, closures; as torch has them."""

import fractions
import inspect
import math

import numpy as np
import pytest
import torch
from torch_loop import same
from torch_members import COUPLED, FROM_GRADIENTS, LAYERWISE, MEMBERS, advance, copies, loss, names, network

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.torch import AGD, FGSGD, Method2, Method2Exp

SCHEDULERS = {
    "lambda": lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda k: 1.0),
    "plateau": torch.optim.lr_scheduler.ReduceLROnPlateau,
    "constant": lambda o: torch.optim.lr_scheduler.ConstantLR(o, factor=1.0),
}
each = pytest.mark.parametrize("member", MEMBERS, ids=names(MEMBERS))
coupled = pytest.mark.parametrize("member", COUPLED, ids=names(COUPLED))
layerwise = pytest.mark.parametrize("member", LAYERWISE, ids=names(LAYERWISE))
by_gradient = pytest.mark.parametrize("member", FROM_GRADIENTS, ids=names(FROM_GRADIENTS))


@layerwise
def test_the_rate_is_the_second_argument_as_in_sgd_and_adam(member):
    for kind in (member.kind, torch.optim.SGD, torch.optim.Adam):
        params, rate = list(inspect.signature(kind).parameters.values())[:2]
        assert (params.name, rate.name, rate.kind) == ("params", "lr", rate.POSITIONAL_OR_KEYWORD)
    assert member.kind(network(), 0.02).param_groups[0]["lr"] == 0.02


def closure_of(optimizer, params, *, as_float=False):
    def closure():
        optimizer.zero_grad()
        value = loss(params)
        value.backward()
        return value.item() if as_float else value

    return closure


@by_gradient
def test_step_takes_what_torchs_takes(member):
    given = inspect.signature(torch.optim.SGD.step).parameters
    own = inspect.signature(member.kind.step).parameters
    assert list(own) == list(given)
    assert own["closure"].default is given["closure"].default is None
    results = []
    for how in ("none", "keyword", "closure", "float"):
        params = network()
        optimizer = member.make(params)
        closure = closure_of(optimizer, params, as_float=how == "float")
        if how == "none":
            closure()
            found = optimizer.step(None)
        else:
            found = optimizer.step(closure=closure) if how == "keyword" else optimizer.step(closure)
        assert (found is None) == (how == "none")
        assert isinstance(found, float) == (how == "float")
        results.append(params)
    assert all(same(result, results[0]) for result in results)


@pytest.mark.parametrize(
    "rate", [np.float32(0.5), np.float64(0.5), np.array(0.5), fractions.Fraction(1, 2), 1, np.int64(1)]
)
@layerwise
def test_a_rate_may_be_any_number_and_is_kept_as_pythons(member, rate):
    kept = member.kind(network(), rate).param_groups[0]["lr"]
    assert type(kept) is float
    assert kept == float(rate)
    kept = member.kind([{"params": network(), "lr": rate}]).param_groups[0]["lr"]
    assert type(kept) is float


@pytest.mark.parametrize(
    "rate", [torch.tensor(0.05), torch.tensor([0.05]), torch.tensor(0.05, dtype=torch.float64)], ids=repr
)
@layerwise
def test_a_rate_may_be_a_tensor_of_one_entry(member, rate):
    plain, other = network(), network()
    optimizer = member.kind(plain, rate)
    assert optimizer.param_groups[0]["lr"] is rate or member.kind is FGSGD
    advance(optimizer, plain, 2)
    advance(member.kind(other, rate.item()), other, 2)
    for left, right in zip(plain, other, strict=True):
        torch.testing.assert_close(left, right)


@pytest.mark.parametrize(
    "rate", [torch.tensor([0.1, 0.2]), [0.1], "0.1", True, 1j, None, math.nan, np.array([0.1, 0.2])], ids=repr
)
@layerwise
def test_what_is_no_rate_is_refused_by_name(member, rate):
    with pytest.raises(InvalidArgumentError, match=r"^learning_rate must (be|lie)"):
        member.kind(network(), rate)


@pytest.mark.parametrize(
    "value", [np.float64(4.0), np.float32(4.0), np.array(4.0), torch.tensor(4.0), fractions.Fraction(4), 4]
)
@pytest.mark.parametrize("name", ["mean_square_input", "gain", "curvature"])
@pytest.mark.parametrize("kind", [Method2, Method2Exp])
def test_the_constants_of_a_majorant_are_kept_as_numbers_of_python(kind, name, value):
    kept = kind(network(), **{name: value}).param_groups[0][name]
    assert type(kept) is float
    assert kept == 4.0


@pytest.mark.parametrize("value", [1j, [1.0], np.ones(1), "1", True, math.nan, -1.0, 0])
@pytest.mark.parametrize("name", ["mean_square_input", "gain", "curvature"])
@pytest.mark.parametrize("kind", [Method2, Method2Exp])
def test_what_is_no_constant_is_refused_by_name(kind, name, value):
    with pytest.raises(InvalidArgumentError, match=f"^{name} must be positive and finite; got "):
        kind(network(), **{name: value})
    with pytest.raises(InvalidArgumentError, match=r"^curvature \* gain\^2 \* mean_square_input must be .* got inf"):
        kind(network(), gain=1e200)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@each
def test_schedulers_and_loggers_find_a_rate_everywhere(member, scheduler):
    params = network()
    optimizer = member.make(params)
    made = SCHEDULERS[scheduler](optimizer)
    for _ in range(2):
        advance(optimizer, params)
        made.step(*[1.0] * (scheduler == "plateau"))
    rates = [group["lr"] for group in optimizer.param_groups]
    own = member.options.get("lr", specs.get(member.kind.key).defaults.get(specs.LEARNING_RATE))
    assert rates == [own if member.rated else 1.0]


@coupled
def test_a_class_without_a_rate_does_not_follow_one_in_silence(member):
    params = network()
    optimizer = member.make(params)
    halving = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    advance(optimizer, params)
    halving.step()
    before = copies(params)
    with pytest.raises(InvalidArgumentError, match=rf"{member.kind.__name__} has no learning rate; got lr = 0\.5"):
        advance(optimizer, params)
    assert same(params, before)
    with pytest.raises(InvalidArgumentError, match=r"has no learning rate; got lr = 0\.1"):
        member.make([{"params": network(), "lr": 0.1}])
    with pytest.raises(TypeError):
        member.make(network(), lr=0.1)


@by_gradient
def test_a_loss_for_a_closure_is_refused(member):
    params = network()
    optimizer = member.make(params)
    before = copies(params)
    with pytest.raises(InvalidArgumentError, match=r"closure must be .* got tensor\(1\.\)\. Call loss\.backward\(\)"):
        optimizer.step(torch.ones(()))
    assert same(params, before)


@by_gradient
def test_hooks_see_and_change_the_arguments(member):
    params = network()
    optimizer = member.make(params)
    seen, closure = [], closure_of(optimizer, params)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: (args, {"closure": closure}))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(kwargs))
    optimizer.register_state_dict_post_hook(lambda o, state: state | {"more": 1})
    assert optimizer.step().item() > 0
    assert seen == [{"closure": closure}]
    state = optimizer.state_dict()
    assert state.pop("more") == 1
    optimizer.register_load_state_dict_pre_hook(lambda o, given: seen.append("loaded"))
    optimizer.load_state_dict(state)
    assert seen[-1] == "loaded"


def test_agd_keeps_its_step_size_on_the_device():
    params = network()
    optimizer = AGD(params)
    advance(optimizer, params)
    assert isinstance(optimizer.param_groups[0]["step_size"], torch.Tensor)
