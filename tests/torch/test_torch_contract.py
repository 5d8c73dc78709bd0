"""The contract of torch.optim: signatures, rates, schedulers, labels of groups, hooks, closures; as torch has them."""

import copy
import fractions
import inspect
import math

import numpy as np
import pytest
import torch
from torch_loop import same
from torch_members import COUPLED, FROM_GRADIENTS, LAYERWISE, MEMBERS, advance, copies, loss, names, network

from normbench.errors import InvalidArgumentError
from normbench.torch import AGD, FGSGD, LARS, Fromage, Method1, Method2, Method2Exp

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
    assert rates == [member.options["lr"] if member.rated else 1.0]


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


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("name", "backbone"),
        ("initial_lr", 1.0),
        ("lr_scale", 0.5),
        ("layer", 3),
        ("lr_decay", 0.5),
        ("weight_decay", 0.0),
        ("momentum", None),
        ("maximize", False),
        ("betas", (0.9, 0.999)),
        (7, "a key that is no name"),
    ],
)
@each
def test_labels_of_a_group_are_carried_along(member, label, value):
    params = network()
    optimizer = member.make([{"params": params, label: value}])
    advance(optimizer, params)
    assert optimizer.param_groups[0][label] == value
    assert optimizer.state_dict()["param_groups"][0][label] == value


@pytest.mark.parametrize("option", ["weight_decay", "momentum", "maximize"])
@each
def test_what_torchs_optimisers_would_obey_is_not_carried_along_in_silence(member, option):
    with pytest.raises(InvalidArgumentError, match=f"{member.kind.__name__} has no '{option}'"):
        member.make([{"params": network(), option: 0.1}])
    with pytest.raises(TypeError):
        member.make(network(), **{option: 0.1})


@pytest.mark.parametrize(
    ("kind", "typo", "meant"),
    [
        (Fromage, "p_bond", "p_bound"),
        (Fromage, "LR", "lr"),
        (FGSGD, "manifolds", "manifold"),
        (FGSGD, "position", "positions"),
        (Method2, "mean_squared_input", "mean_square_input"),
        (Method2Exp, "curvatur", "curvature"),
        (Method1, "ramp", None),
        (Method1, "manifolt", "manifold"),
        (LARS, "Lr", "lr"),
    ],
)
def test_a_misspelt_option_of_a_group_is_refused(kind, typo, meant):
    if meant is None:  # near nothing: a label
        assert kind([{"params": network(), typo: 1}]).param_groups[0][typo] == 1
        return
    with pytest.raises(InvalidArgumentError, match=f"has no option '{typo}'. Did you mean '{meant}'"):
        kind([{"params": network(), typo: 1}])


@each
def test_an_optimiser_is_made_of_anothers_groups(member):
    params = network()
    first = member.make(params)
    advance(first, params, 2)
    second = member.kind(first.param_groups)
    for name in member.options:
        assert second.param_groups[0][name] == member.options[name]
    assert second.param_groups[0].get("step_size", 0) == 0
    assert second.param_groups[0].get("count", 0) == 0
    left = copy.deepcopy(first.param_groups[0].get("step_size"))
    advance(second, params, 2)
    assert first.param_groups[0].get("step_size") == left  # two optimisers share no group


@pytest.mark.parametrize("kind", [Fromage, LARS])
def test_an_optimiser_is_made_of_the_groups_of_torchs(kind):
    params = network()
    for other in (torch.optim.SGD(params, lr=0.02), torch.optim.Adam(params, lr=0.02)):
        optimizer = kind(other.param_groups)
        assert optimizer.param_groups[0]["lr"] == 0.02
        advance(optimizer, params)


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


@layerwise
def test_a_group_may_come_later_with_a_rate_of_its_own(member):
    *params, last = network()
    optimizer = member.make(params)
    optimizer.add_param_group({"params": last, "lr": 0.0, "name": "head"})
    before = last.detach().clone()
    advance(optimizer, [*params, last], 2)
    torch.testing.assert_close(last.detach(), before)
    optimizer.zero_grad(set_to_none=False)
    assert all(not p.grad.any() for p in params)


SPHERES = [m for m in MEMBERS if m.kind in (Method1, Method2, Method2Exp)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("member", SPHERES, ids=names(SPHERES))
def test_weights_that_are_loaded_later_keep_the_norm_that_they_have_got(member, dtype):
    params = network(dtype=dtype)
    optimizer = member.make(params)
    advance(optimizer, params)
    with torch.no_grad():
        for p, q in zip(params, network(seed=4, dtype=dtype), strict=True):
            p.copy_(q * 3)
    norms = [p.double().norm().item() for p in params]
    advance(optimizer, params, 2)
    assert [p.double().norm().item() for p in params] == pytest.approx(norms, rel=2 * torch.finfo(dtype).eps + 1e-6)
    with torch.no_grad():
        params[1].zero_()
    with pytest.raises(InvalidArgumentError, match=r"^parameter 1 of shape \(5, 6\) is zero"):
        advance(optimizer, params)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_a_norm_bound_is_taken_anew_from_weights_that_are_loaded_later(dtype, compiled):
    torch._dynamo.reset()
    p = torch.nn.Parameter(torch.ones((4, 4), dtype=dtype))
    optimizer = Fromage([p], lr=0.5, p_bound=1.0)
    step = torch.compile(optimizer.step, backend="eager") if compiled else optimizer.step
    rough = {torch.float64: 1e-9, torch.float32: 1e-6}.get(dtype, 0.02)

    def push():
        """Outwards: without the bound the norm would grow."""
        p.grad = -p.detach().clone()
        step()
        return p.double().norm().item()

    assert push() == pytest.approx(4.0, rel=rough)
    assert push() == pytest.approx(4.0, rel=rough)
    with torch.no_grad():
        p.mul_(5.0)
    assert push() == pytest.approx(20.0, rel=rough)
    assert push() == pytest.approx(20.0, rel=rough)


def test_a_norm_bound_stays_that_of_the_construction_while_steps_alone_move_the_weights():
    params = network(dtype=torch.float64)
    optimizer = Fromage(params, lr=0.3, p_bound=1.5)
    limits = [1.5 * p.norm().item() for p in params]
    for _ in range(20):
        for p in params:
            p.grad = -p.detach() + 0.1
        optimizer.step()
    for p, limit in zip(params, limits, strict=True):
        assert p.norm().item() == pytest.approx(limit, rel=1e-9)


def test_agd_keeps_its_step_size_on_the_device():
    params = network()
    optimizer = AGD(params)
    advance(optimizer, params)
    assert isinstance(optimizer.param_groups[0]["step_size"], torch.Tensor)
