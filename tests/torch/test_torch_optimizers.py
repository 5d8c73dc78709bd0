"""The torch.optim classes in a user's own loop: the reference's numbers, and the manners of an optimiser."""

import copy
import io
import math
from contextlib import nullcontext

import pytest
import torch
from torch_loop import CLASSES, FIRST_ORDER, Loop, same
from torch_members import MEMBERS

from normbench.errors import NotReachedWarning
from normbench.torch import Fromage, Method1
from tests.agreement.cases import run_of_the_reference

STEPS, UNTIL_A_STALL = 40, 60
TIGHT = 1e-10
QUASI_NEWTON = 1e-9  # its directions magnify rounding
AT_A_BOUND = {key: {"parametrisation": "ball"} for key in ("geodesic_lbfgs", "online_lbfgs", "polar_average")}


@pytest.mark.quick
def test_agrees_with_the_reference(case, deviation):
    limit = QUASI_NEWTON if case.key == "geodesic_lbfgs" else TIGHT
    assert deviation(case.reference(STEPS), *Loop(case).run(STEPS).results()) <= limit


def test_a_stall_comes_when_the_reference_stalls_and_leaves_everything_in_place(case_of):
    case = case_of("method1", layers=(6, 3, 8, 2))
    stalled = run_of_the_reference(case, UNTIL_A_STALL)
    assert stalled.status == "stalled"
    loop = Loop(case).run(len(stalled.step_size) - 1)
    before = loop.weights()
    loop.run(2)
    assert [tau == 0.0 for tau in loop.step_sizes] == [*(tau == 0.0 for tau in stalled.step_size), True]
    assert same(loop.weights(), before)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("method2", {"mean_square_input": 1.000001}),
        ("method2_exp", {"mean_square_input": 1.000001}),
        ("agd", {"loss_factor": 1.000001}),
        ("method2", {"loss_factor": -1.0}),
        ("geodesic_lbfgs", {"damping": 1.001e-3}),
        ("polar_average", {"momentum": 0.900001}),
        ("online_lbfgs", {"momentum": 0.700001}),
        ("online_lbfgs", {"interval": 4}),
        ("online_lbfgs", {"power": 7}),
    ],
    ids=[
        *("Q-of-method2", "Q-of-method2_exp", "factor-of-agd", "sign-of-method2", "damping", "momentum"),
        *("momentum-online", "interval-online", "power-online"),
    ],
)
def test_the_check_of_agreement_catches_a_planted_fault(case_of, deviation, key, fault):
    case = case_of(key, **AT_A_BOUND.get(key, {}))
    assert deviation(case.reference(STEPS), *Loop(case, **fault).run(STEPS).results()) > 100 * TIGHT


def test_the_norm_bound_of_fromage_bites_in_the_case_that_checks_it(case_of):
    free, bound = (case_of("fromage", {"learning_rate": 0.1, "p_bound": p}).reference(STEPS) for p in (None, 1.0))
    assert not math.isclose(free.loss[-1], bound.loss[-1], rel_tol=1e-6)


def test_float32_stays_float32_and_near_the_reference(each, deviation):
    loop = Loop(each, dtype=torch.float32).run(5)
    assert {w.dtype for w in loop.weights()} == {torch.float32}
    # rounding of a step, through five steps and four layers: some hundred units in the last place
    assert deviation(each.reference(5), *loop.results()) <= 500 * torch.finfo(torch.float32).eps


def test_a_stored_and_reloaded_run_goes_on_with_the_same_bits(case):
    steps = 6
    whole = Loop(case).run(steps)
    file = io.BytesIO()
    torch.save({"model": whole.model.state_dict(), "optimizer": whole.optimizer.state_dict()}, file)
    file.seek(0)
    whole.run(steps)
    stored = torch.load(file)

    resumed = Loop(case)
    for p in resumed.model.parameters():
        p.data.mul_(3.0)  # a fresh model of other norms: radii and bounds must come from the file
    resumed.optimizer = CLASSES[case.key](resumed.model.parameters())
    resumed.model.load_state_dict(stored["model"])
    resumed.optimizer.load_state_dict(stored["optimizer"])
    resumed.run(steps)
    assert same(resumed.weights(), whole.weights())
    assert resumed.step_sizes == whole.step_sizes[steps:]


def test_a_deep_copy_of_model_and_optimizer_goes_on_with_the_same_bits(each):
    original = Loop(each).run(5)
    duplicate = copy.deepcopy(original)
    before = duplicate.weights()
    original.run(5)
    assert same(duplicate.weights(), before)
    assert same(duplicate.run(5).weights(), original.weights())


def test_gradients_are_never_changed(each):
    loop = Loop(each)
    for _ in range(5):
        loop.backward()
        held = [p.grad for p in loop.model.parameters()]
        values = [g.clone() for g in held]
        loop.optimizer.step(*[loop.loss] * loop.optimizer.differentiates)
        assert all(p.grad is g for p, g in zip(loop.model.parameters(), held, strict=True))
        assert same(held, values)


def test_dead_relus_leave_the_weights_in_place(each):
    loop = Loop(each)
    loop.x = loop.x.abs()
    first, second, third = loop.model.parameters()
    for p, sign in ((first, -1.0), (second, 1.0), (third, 1.0)):
        p.data.abs_().mul_(sign)
    before = loop.weights()
    loop.run(3)
    assert same(loop.weights(), before)
    if each.key == "polar_average":
        assert loop.step_sizes == [2 / (k + 10) for k in range(3)]  # of the number of steps alone
    elif "step_size" in loop.optimizer.param_groups[0]:
        assert loop.step_sizes == [0.0] * 3


@pytest.mark.parametrize("key", FIRST_ORDER)
@pytest.mark.parametrize("resting", [0, 1, 2])
@pytest.mark.parametrize("absent", [True, False], ids=["no-gradient", "zero-gradient"])
def test_a_layer_without_a_gradient_rests_while_the_others_move(case_of, key, resting, absent):
    loop = Loop(case_of(key))
    loop.backward()
    p = list(loop.model.parameters())[resting]
    p.grad = None if absent else torch.zeros_like(p)
    before = loop.weights()
    coupled = any(member.coupled for member in MEMBERS if member.kind is CLASSES[key])
    with pytest.warns(NotReachedWarning, match=f"^parameter {resting} ") if absent and coupled else nullcontext():
        loop.optimizer.step()
    moved = [not torch.equal(new, old) for new, old in zip(loop.weights(), before, strict=True)]
    assert moved == [k != resting for k in range(3)]
    assert all(w.isfinite().all() for w in loop.weights())


def test_method1_leaves_a_parameter_that_the_loss_does_not_use(case_of):
    loop = Loop(case_of("method1"))
    spare = torch.nn.Parameter(torch.ones(2, 3, dtype=torch.float64))
    loop.optimizer = Method1([*loop.model.parameters(), spare])
    with pytest.warns(NotReachedWarning, match=r"does not reach parameter \d of shape \(2, 3\)"):
        loop.run(3)
    assert torch.equal(spare, torch.ones_like(spare))
    assert loop.losses[-1] < loop.losses[0]


@pytest.mark.parametrize("key", FIRST_ORDER)
def test_a_closure_does_the_same_as_a_backward_pass_before(case_of, key):
    by_hand, by_closure = Loop(case_of(key)), Loop(case_of(key))
    for _ in range(5):
        assert by_closure.optimizer.step(by_closure.backward).item() == by_hand.step()
    assert same(by_closure.weights(), by_hand.weights())


def test_groups_of_fromage_have_their_own_rate_and_bound(case_of):
    loop = Loop(case_of("fromage"))
    first, *others = loop.model.parameters()
    loop.optimizer = Fromage([{"params": [first], "lr": 0.0}, {"params": others}], lr=0.1)
    before = loop.weights()
    loop.run(1)
    assert torch.equal(first, before[0])
    for new, old in zip(others, before[1:], strict=True):
        assert (new * math.sqrt(1 + 0.1**2) - old).norm().item() == pytest.approx(0.1 * old.norm().item(), rel=1e-12)
