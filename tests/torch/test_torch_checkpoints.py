"""Through state_dict, torch.save, pickle and deepcopy every class goes on with the same bits, at every dtype."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from torch_loop import same
from torch_members import COUPLED, MEMBERS, SHAPES, advance, copies, names, network

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.torch import AGD, LARS, Fromage, Method2
from normbench.torch.optimizers.base import OF

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def through_a_file(content):
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def by_state_dict(member, params, optimizer):
    """A fresh model of other norms and its own optimiser, both filled from a file."""
    fresh = network(seed=3, dtype=params[0].dtype)
    with torch.no_grad():
        for p in fresh:
            p.mul_(2)
    other = member.make(fresh)
    weights, state = through_a_file(([p.detach() for p in params], optimizer.state_dict()))
    other.load_state_dict(state)
    with torch.no_grad():
        for p, w in zip(fresh, weights, strict=True):
            p.copy_(w)
    return fresh, other


def by_loading_first(member, params, optimizer):
    """As trainers do it: the weights come from a file before the optimiser is made of them."""
    fresh = network(seed=3, dtype=params[0].dtype)
    weights, state = through_a_file(([p.detach() for p in params], optimizer.state_dict()))
    with torch.no_grad():
        for p, w in zip(fresh, weights, strict=True):
            p.copy_(w)
    other = member.make(fresh)
    other.load_state_dict(state)
    return fresh, other


def by_pickle(member, params, optimizer):
    return pickle.loads(pickle.dumps((params, optimizer)))


def by_deepcopy(member, params, optimizer):
    return copy.deepcopy((params, optimizer))


# a file of states may cast what it holds, and is tried at every dtype; copies hold tensors as they are
WAYS = (
    [(by_state_dict, d) for d in DTYPES]
    + [(by_loading_first, d) for d in DTYPES[::2]]
    + [(by_pickle, d) for d in DTYPES[::2]]
    + [(by_deepcopy, d) for d in DTYPES[1::2]]
)


@pytest.mark.parametrize(("way", "dtype"), WAYS, ids=lambda part: getattr(part, "__name__", str(part)))
@pytest.mark.parametrize("member", MEMBERS, ids=names(MEMBERS))
def test_an_interrupted_run_goes_on_with_the_same_bits(member, dtype, way):
    params = network(dtype=dtype)
    optimizer = member.make(params)
    start = copies(params)
    advance(optimizer, params, 3)
    resumed, other = way(member, params, optimizer)
    advance(optimizer, params, 3)
    advance(other, resumed, 3)
    assert not same(params, start)
    assert {p.dtype for p in resumed} == {dtype}
    assert same(resumed, params)
    assert float(other.param_groups[0].get("step_size", 0)) == float(optimizer.param_groups[0].get("step_size", 0))


def bits(value):
    """A state as something to compare: tensors by dtype and bytes."""
    if isinstance(value, torch.Tensor):
        return value.dtype, value.shape, value.contiguous().view(torch.uint8).tolist()
    if isinstance(value, dict):
        return {name: bits(part) for name, part in value.items()}
    return [bits(part) for part in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("member", MEMBERS, ids=names(MEMBERS))
def test_a_state_comes_back_from_a_file_as_it_was_whatever_torch_would_cast(member):
    params = network(dtype=torch.bfloat16)
    optimizer = member.make(params)
    advance(optimizer, params, 2)
    optimizer.param_groups[0]["note"] = np.float32(0.5)  # as schedulers may leave them
    state = through_a_file(optimizer.state_dict())
    assert state["param_groups"][0]["note"] == 0.5
    other = member.make(network(seed=3, dtype=torch.bfloat16))
    other.load_state_dict(state)
    assert bits(other.state_dict()["state"]) == bits(state["state"])


def test_a_bound_that_bfloat16_cannot_hold_survives():
    params = network(dtype=torch.bfloat16)
    optimizer = Fromage(params, lr=0.1, p_bound=1.25)
    bounds = [float(optimizer.state[p]["norm_bound"]) for p in params]
    assert any(float(torch.tensor(b).bfloat16()) != b for b in bounds)
    other = Fromage(network(seed=1, dtype=torch.bfloat16), lr=0.1, p_bound=1.25)
    other.load_state_dict(through_a_file(optimizer.state_dict()))
    assert [float(other.state[p]["norm_bound"]) for p in other.param_groups[0]["params"]] == bounds


def without_class(optimizer):
    """Its state as an older version, or torch, stores it."""
    return {name: part for name, part in optimizer.state_dict().items() if name != OF}


@pytest.mark.parametrize("member", MEMBERS, ids=names(MEMBERS))
def test_a_state_of_an_older_version_works(member):
    """Without the keys that came later: the class, lr of classes without a rate, and the norm that Fromage saw last."""
    params = network()
    optimizer = member.make(params)
    advance(optimizer, params, 2)
    state = without_class(optimizer)
    for group in state["param_groups"]:
        if not member.rated:
            del group["lr"]
        group.pop("step_size", None)
    for own in state["state"].values():
        own.pop("norm_seen", None)
        if "norm_bound" in own:
            own["norm_bound"] = torch.tensor(own["norm_bound"])
    optimizer.load_state_dict(state)
    advance(optimizer, params)
    assert all(p.isfinite().all() for p in params)


@pytest.mark.parametrize("member", COUPLED, ids=names(COUPLED))
def test_a_state_with_a_learning_rate_is_none_of_a_class_without(member):
    params = network()
    optimizer = member.make(params)
    before = copy.deepcopy(optimizer.state_dict())
    for other in (torch.optim.Adam(network()), LARS(network())):
        with pytest.raises(InvalidArgumentError, match=f"^the state is none of {member.kind.__name__}: .*lr = "):
            optimizer.load_state_dict(without_class(other))
    assert optimizer.state_dict() == before
    advance(optimizer, params)


CLASSES = {member.kind.key: member for member in MEMBERS}


@pytest.mark.parametrize("into", CLASSES)
def test_a_state_of_any_other_class_is_refused(into):
    """The inert lr = 1 of a class without a rate would be the rate of one that has one."""
    assert set(CLASSES) == set(specs.AUTOMATIC)
    params = network()
    optimizer = CLASSES[into].make(params)
    before = copy.deepcopy(optimizer.state_dict())
    for of, other in CLASSES.items():
        state = through_a_file(other.make(network()).state_dict())
        if of == into:
            optimizer.load_state_dict(state)
            continue
        with pytest.raises(InvalidArgumentError, match=f"it is of the optimiser '{of}', not '{into}'"):
            optimizer.load_state_dict(state)
    assert optimizer.state_dict() == before
    with pytest.raises(InvalidArgumentError, match="it is of the optimiser 3, not"):
        optimizer.load_state_dict(optimizer.state_dict() | {OF: 3})


def test_a_class_of_a_users_own_shares_the_states_of_its_parent():
    class Mine(Fromage):
        pass

    Mine(network()).load_state_dict(Fromage(network()).state_dict())
    Fromage(network()).load_state_dict(Mine(network()).state_dict())


@pytest.mark.parametrize("member", MEMBERS, ids=names(MEMBERS))
def test_a_state_of_fewer_layers_is_refused_as_torch_does(member):
    with pytest.raises(ValueError, match="doesn't match the size"):
        member.make(network()).load_state_dict(member.make(network(shapes=SHAPES[:2])).state_dict())


@pytest.mark.parametrize(
    ("of", "into", "message"),
    [
        (torch.optim.SGD, {"momentum": 0.9}, "has no 'momentum'"),
        (torch.optim.AdamW, {"weight_decay": 0.1}, "has no 'weight_decay'"),
        (torch.optim.SGD, {"lr": 2.0}, r"learning_rate must lie in \[0, 1\]; got 2\.0"),
    ],
    ids=["momentum", "weight-decay", "rate"],
)
def test_a_state_that_asks_for_more_is_refused(of, into, message):
    with pytest.raises(InvalidArgumentError, match=f"the state is none of Fromage: .*{message}"):
        Fromage(network()).load_state_dict(of(network(), **into).state_dict())


def test_radii_and_bounds_that_a_foreign_state_lacks_are_taken_from_the_weights():
    for make, other in ((Method2, AGD), (lambda p: Fromage(p, p_bound=2.0), LARS)):
        params = network()
        optimizer = make(params)
        optimizer.load_state_dict(without_class(other(network())))
        advance(optimizer, params, 2)
        assert all(p.isfinite().all() for p in params)
