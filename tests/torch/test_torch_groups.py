"""Parameter groups of the torch.optim classes: labels, misspelt options, groups of others, groups that come later."""

import copy

import pytest
import torch
from torch_members import LAYERWISE, MEMBERS, advance, names, network

from normbench.errors import InvalidArgumentError
from normbench.torch import FGSGD, LARS, Fromage, Method1, Method2, Method2Exp

each = pytest.mark.parametrize("member", MEMBERS, ids=names(MEMBERS))
layerwise = pytest.mark.parametrize("member", LAYERWISE, ids=names(LAYERWISE))


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
    if member.takes(label):
        pytest.skip("an option of its own")
    params = network()
    optimizer = member.make([{"params": params, label: value}])
    advance(optimizer, params)
    assert optimizer.param_groups[0][label] == value
    assert optimizer.state_dict()["param_groups"][0][label] == value


@pytest.mark.parametrize(
    ("member", "option"),
    [(m, o) for m in MEMBERS for o in ("weight_decay", "momentum", "maximize") if not m.takes(o)],
    ids=lambda value: getattr(value, "name", value),
)
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
