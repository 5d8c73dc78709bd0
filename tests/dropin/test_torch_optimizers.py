"""The torch.optim classes in a user's own loop: the reference's numbers, and the manners of an optimiser."""

import copy
import io
import itertools
import math

import pytest
import torch

from normbench.errors import InvalidArgumentError
from normbench.torch import AGD, LARS, Fromage, Method1, Method2, Method2Exp

FIRST_ORDER = {"method2": Method2, "method2_exp": Method2Exp, "agd": AGD, "fromage": Fromage, "lars": LARS}
CLASSES = {"method1": Method1} | FIRST_ORDER
STEPS = 60
TIGHT = 1e-10


class Loop:
    """What a user writes: a bias-free perceptron, a square loss, an optimiser, and steps."""

    def __init__(self, case, *, dtype=torch.float64, loss_factor=1.0, **options):
        self.x, self.y = (torch.tensor(a, dtype=dtype) for a in (case.problem.x_train, case.problem.y_train))
        self.scale = loss_factor / (2 * case.problem.loss_divisor * len(self.x))
        modules = []
        for w in case.problem.weights:
            modules += [torch.nn.Linear(*w.T.shape, bias=False, dtype=dtype), torch.nn.ReLU()]
            modules[-2].weight.data.copy_(torch.tensor(w))
        self.model = torch.nn.Sequential(*modules[:-1])
        hyper = {"lr" if name == "learning_rate" else name: value for name, value in case.hyper.items()}
        self.optimizer = CLASSES[case.key](self.model.parameters(), **hyper, **options)
        self.losses, self.step_sizes = [], []

    def loss(self):
        return (self.model(self.x) - self.y).square().sum() * self.scale

    def backward(self):
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        return loss

    def step(self):
        if isinstance(self.optimizer, Method1):
            loss = self.optimizer.step(self.loss)
        else:
            loss = self.backward()
            self.optimizer.step()
        group = self.optimizer.param_groups[0]
        self.losses.append(loss.item())
        self.step_sizes.append(group["step_size"] if "step_size" in group else group["lr"])

    def run(self, steps):
        for _ in range(steps):
            self.step()
        return self

    def results(self):
        return [*self.losses, self.loss().item()], self.step_sizes, [w.double().numpy() for w in self.weights()]

    def weights(self):
        return [p.detach().clone() for p in self.model.parameters()]


def same(left, right):
    return all(map(torch.equal, left, right))


def test_agrees_with_the_reference(case, deviation):
    assert deviation(case.reference(STEPS), *Loop(case).run(STEPS).results()) <= TIGHT


def test_a_stall_comes_when_the_reference_stalls_and_leaves_everything_in_place(case_of):
    case = case_of("method1", layers=(6, 3, 8, 2))
    stalled = case.run_reference(STEPS)
    assert stalled.status == "stalled"
    loop = Loop(case).run(len(stalled.step_size) - 1)
    before = loop.weights()
    loop.run(2)
    assert [tau == 0.0 for tau in loop.step_sizes] == [*(tau == 0.0 for tau in stalled.step_size), True]
    assert same(loop.weights(), before)


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("method2", {"mean_square_input": 1.000001}),
        ("method2_exp", {"mean_square_input": 1.000001}),
        ("agd", {"loss_factor": 1.000001}),
        ("method2", {"loss_factor": -1.0}),
    ],
    ids=["Q-of-method2", "Q-of-method2_exp", "factor-of-agd", "sign-of-method2"],
)
def test_the_check_of_agreement_catches_a_planted_fault(case_of, deviation, key, fault):
    case = case_of(key)
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
    whole = Loop(case).run(20)
    half = Loop(case).run(10)
    file = io.BytesIO()
    torch.save({"model": half.model.state_dict(), "optimizer": half.optimizer.state_dict()}, file)
    file.seek(0)
    stored = torch.load(file)

    resumed = Loop(case)
    for p in resumed.model.parameters():
        p.data.mul_(3.0)  # a fresh model of other norms: radii and bounds must come from the file
    resumed.optimizer = CLASSES[case.key](resumed.model.parameters())
    resumed.model.load_state_dict(stored["model"])
    resumed.optimizer.load_state_dict(stored["optimizer"])
    resumed.run(10)
    assert same(resumed.weights(), whole.weights())
    assert resumed.step_sizes == whole.step_sizes[10:]


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
        loop.optimizer.step(*[loop.loss] * isinstance(loop.optimizer, Method1))
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
    if "step_size" in loop.optimizer.param_groups[0]:
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
    loop.optimizer.step()
    moved = [not torch.equal(new, old) for new, old in zip(loop.weights(), before, strict=True)]
    assert moved == [k != resting for k in range(3)]
    assert all(w.isfinite().all() for w in loop.weights())


def test_method1_leaves_a_parameter_that_the_loss_does_not_use(case_of):
    loop = Loop(case_of("method1"))
    spare = torch.nn.Parameter(torch.ones(2, 3, dtype=torch.float64))
    loop.optimizer = Method1([*loop.model.parameters(), spare])
    loop.run(3)
    assert torch.equal(spare, torch.ones_like(spare))
    assert loop.losses[-1] < loop.losses[0]


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_method1_walks_any_module_down_without_changing_a_norm(order, seed):
    generator = torch.Generator().manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3, bias=False),
        torch.nn.Tanh(),
        torch.nn.Flatten(),
        torch.nn.Linear(12, 4, bias=False),
        torch.nn.Softplus(),
        torch.nn.Linear(4, 2),
    ).double()
    for p in model.parameters():
        p.data.normal_(generator=generator)
    x = torch.randn(20, 2, 4, 4, generator=generator, dtype=torch.float64)
    target = torch.randint(2, (20,), generator=generator)
    norms = [p.norm().item() for p in model.parameters()]
    optimizer = Method1(model.parameters(), order=order)

    def closure():
        return torch.nn.functional.cross_entropy(model(x), target)

    losses = [optimizer.step(closure).item() for _ in range(60)] + [closure().item()]
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert losses[-1] < 0.5 * losses[0]
    assert [p.norm().item() for p in model.parameters()] == pytest.approx(norms, rel=1e-14)


@pytest.mark.parametrize("key", FIRST_ORDER)
def test_a_closure_does_the_same_as_a_backward_pass_before(case_of, key):
    by_hand, by_closure = Loop(case_of(key)), Loop(case_of(key))
    for _ in range(5):
        by_hand.step()
        assert by_closure.optimizer.step(by_closure.backward).item() == by_hand.losses[-1]
    assert same(by_closure.weights(), by_hand.weights())


def matrix():
    return torch.nn.Parameter(torch.ones(2, 3))


@pytest.mark.parametrize("optimizer", [Method2, Method2Exp, AGD])
@pytest.mark.parametrize("shape", [(4,), (4, 3, 2, 2)], ids=str)
def test_a_parameter_that_is_no_matrix_raises_with_its_shape(optimizer, shape):
    with pytest.raises(InvalidArgumentError) as caught:
        optimizer([matrix(), torch.nn.Parameter(torch.ones(shape))])
    assert f"parameter 1 has shape {shape}" in str(caught.value)


@pytest.mark.parametrize("optimizer", [Method1, Method2, Method2Exp])
def test_a_zero_parameter_lies_on_no_sphere(optimizer):
    with pytest.raises(InvalidArgumentError, match=r"parameter 1 of shape \(2, 2\) is zero"):
        optimizer([matrix(), torch.nn.Parameter(torch.zeros(2, 2))])


@pytest.mark.parametrize("optimizer", [Method1, Method2, Method2Exp, AGD])
def test_coupled_layers_form_one_group_without_options(optimizer):
    with pytest.raises(InvalidArgumentError, match="takes one parameter group"):
        optimizer([{"params": [matrix()]}, {"params": [matrix()]}])
    with pytest.raises(InvalidArgumentError, match="takes one parameter group"):
        optimizer([matrix()]).add_param_group({"params": [matrix()]})
    with pytest.raises(InvalidArgumentError, match="no options in a parameter group; got lr"):
        optimizer([{"params": [matrix()], "lr": 0.1}])


@pytest.mark.parametrize(
    ("optimizer", "name", "value"),
    [(Method1, "order", value) for value in (1, 5, 2.0)]
    + [(Method1, "trust_region", -0.1), (Method1, "max_halvings", -1), (Method2Exp, "mean_square_input", True)]
    + [(Method2, "mean_square_input", value) for value in (0.0, -1.0, math.nan, math.inf, "1", None)]
    + [(Fromage, "lr", 1.5), (Fromage, "p_bound", 0.5), (LARS, "lr", "0.1")],
)
def test_a_bad_hyperparameter_raises(optimizer, name, value):
    with pytest.raises(
        InvalidArgumentError, match=rf"{'learning_rate' if name == 'lr' else name} must .*; got {value!r}\."
    ):
        optimizer([matrix()], **{name: value})


@pytest.mark.parametrize("optimizer", [Fromage, LARS])
def test_a_bad_option_of_a_group_raises(optimizer):
    for bad, message in (({"lr": -1.0}, "learning_rate must"), ({"learning_rate": 0.1}, "no option 'learning_rate'")):
        with pytest.raises(InvalidArgumentError, match=message):
            optimizer([{"params": [matrix()], **bad}])


def test_a_scheduler_of_torch_sets_the_rate(case_of):
    loop = Loop(case_of("fromage"))
    scheduler = torch.optim.lr_scheduler.StepLR(loop.optimizer, step_size=1, gamma=0.5)
    start = loop.optimizer.param_groups[0]["lr"]
    loop.run(1)
    scheduler.step()
    assert loop.optimizer.param_groups[0]["lr"] == start / 2


def test_method1_refuses_a_frozen_parameter(case_of):
    loop = Loop(case_of("method1"))
    next(loop.model.parameters()).requires_grad_(False)
    with pytest.raises(InvalidArgumentError, match="is frozen"):
        loop.run(1)


def test_groups_of_fromage_have_their_own_rate_and_bound(case_of):
    loop = Loop(case_of("fromage"))
    first, *others = loop.model.parameters()
    loop.optimizer = Fromage([{"params": [first], "lr": 0.0}, {"params": others}], lr=0.1)
    before = loop.weights()
    loop.run(1)
    assert torch.equal(first, before[0])
    for new, old in zip(others, before[1:], strict=True):
        assert (new * math.sqrt(1 + 0.1**2) - old).norm().item() == pytest.approx(0.1 * old.norm().item(), rel=1e-12)


@pytest.mark.parametrize(
    ("closure", "message"),
    [
        (lambda loop: loop.loss().item(), "must return the loss as a tensor with its graph"),
        (lambda loop: loop.loss().detach(), "must return the loss as a tensor with its graph"),
        (lambda loop: None, "must return the loss as a tensor with its graph"),
        (lambda loop: loop.backward(), r"must not call backward\(\)"),
    ],
    ids=["float", "detached", "nothing", "backward"],
)
def test_method1_refuses_a_closure_that_it_cannot_differentiate(case_of, closure, message):
    loop = Loop(case_of("method1"))
    before = loop.weights()
    with pytest.raises(InvalidArgumentError, match=message):
        loop.optimizer.step(lambda: closure(loop))
    assert same(loop.weights(), before)
    loop.run(1)  # and it goes on with a closure that it can
    assert loop.loss().item() < loop.losses[0]
