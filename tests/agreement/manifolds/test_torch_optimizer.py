"""The FGSGD class of torch in a user's own loop."""

import copy
import io

import numpy as np
import pytest
import torch

from normbench.errors import InvalidArgumentError
from normbench.specs import manifolds
from normbench.torch import FGSGD
from tests.agreement.manifolds.conftest import KERNELS, PERCEPTRON, Case, largest_departure
from tests.agreement.manifolds.runs import STEPS, run_of_the_reference


def options(case):
    return {"lr" if k == "learning_rate" else k: v for k, v in case.hyper.items()}


class Loop:
    """Parameters, the function of a case, and its steps."""

    def __init__(self, case, dtype=torch.float64, **changes):
        self.params = [torch.nn.Parameter(torch.tensor(w, dtype=dtype)) for w in case.weights]
        self.targets = [torch.tensor(t, dtype=dtype) for t in case.targets]
        self.strength = case.strength
        self.optimizer = FGSGD(self.params, **(options(case) | changes))

    def loss(self):
        self.optimizer.zero_grad()
        pairs = zip(self.targets, self.params, strict=True)
        loss = self.strength * sum((T * W + (1 - torch.cos(3 * W)) / 6).sum() for T, W in pairs)
        loss.backward()
        return loss

    def run(self, steps):
        for _ in range(steps):
            self.optimizer.step(self.loss)
        return self

    def weights(self):
        return [p.detach().double().numpy().copy() for p in self.params]


def same(left, right):
    return all(map(np.array_equal, left, right))


def test_agrees_with_the_reference(case):
    loop = Loop(case).run(STEPS)
    expected, rates = run_of_the_reference(case)
    for found, weight in zip(loop.weights(), expected, strict=True):
        np.testing.assert_allclose(found, weight, rtol=0, atol=1e-10)
    assert loop.optimizer.param_groups[0]["step_size"] == rates[-1]
    assert largest_departure(loop.weights(), case) < 1e-14


def test_the_constructor_puts_weights_on_their_manifolds(manifold, grouping):
    case = Case(manifold, grouping, (*PERCEPTRON, *KERNELS), groups=3)
    params = [torch.nn.Parameter(torch.tensor(w)) for w in case.draw(1)]
    FGSGD(params, **options(case) | {"positions": 16})
    positions = tuple(16 if p.dim() == 4 else 1 for p in params)
    expected = case.onto(case.draw(1), positions)
    assert same([p.detach().numpy() for p in params], expected)
    assert largest_departure(expected, case, positions) < 1e-14


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_dtype_stays(manifold, dtype):
    case = Case(manifold, "pio", KERNELS)
    loop = Loop(case, dtype).run(20)
    assert {p.dtype for p in loop.params} == {dtype}
    assert largest_departure(loop.weights(), case) <= 20 * torch.finfo(dtype).eps


def test_a_stored_and_reloaded_run_goes_on_with_the_same_bits(manifold):
    case = Case(manifold, "pio", KERNELS)
    whole, half = Loop(case).run(20), Loop(case).run(10)
    file = io.BytesIO()
    torch.save({"weights": half.params, "optimizer": half.optimizer.state_dict()}, file)
    file.seek(0)
    stored = torch.load(file, weights_only=False)

    resumed = Loop(case, manifold="sphere", groups=1, lr=9.0)  # options and step count must come from the file
    resumed.optimizer.load_state_dict(stored["optimizer"])
    for p, weight in zip(resumed.params, stored["weights"], strict=True):
        p.data.copy_(weight)
    assert same(resumed.run(10).weights(), whole.weights())
    assert resumed.optimizer.param_groups[0]["count"] == 20


def network(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, bias=False),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(16, 3, bias=False),
    ).double()


def train(model, optimizer, steps, start=0):
    for t in range(start, start + steps):
        generator = torch.Generator().manual_seed(t)
        x = 5 * torch.randn(30, 2, 4, 4, generator=generator, dtype=torch.float64)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), (x[:, 0, 0, 0] > 0).long()).backward()
        optimizer.step()


def in_turn(seed, steps):
    """A tracked run from a seed: model, optimiser, and the inputs' deviations that a user would measure."""
    model = network(seed)
    optimizer = FGSGD(model.parameters(), lr=1.0)
    optimizer.track(model)
    train(model, optimizer, steps)
    return model, optimizer


def test_tracking_scales_weights_by_the_running_deviation():
    model = network()
    optimizer = FGSGD(model.parameters(), lr=1.0)
    optimizer.track(model)
    running = 1.0
    case = Case("sphere", "pio")
    for t in range(5):
        train(model, optimizer, 1, start=t)
        x = 5 * torch.randn(30, 2, 4, 4, generator=torch.Generator().manual_seed(t), dtype=torch.float64)
        running = 0.9 * running + 0.1 * float(x.std(correction=0))
        state = optimizer.state[model[0].weight]
        assert float(state["feature_std"]) == pytest.approx(running, rel=1e-12)
        assert float(state["deviation"]) == pytest.approx(1.0 if t == 0 else running, rel=1e-12)
        deviations = [float(optimizer.state[p]["deviation"]) for p in model.parameters()]
        weights = [p.detach().numpy() for p in model.parameters()]
        assert largest_departure(weights, case, deviations=deviations) < 1e-14
    assert running > 2


def test_evaluation_and_removed_handles_measure_nothing():
    model = network()
    optimizer = FGSGD(model.parameters())
    handles = optimizer.track(model)
    x = torch.ones(1, 2, 4, 4, dtype=torch.float64)
    model.eval()
    model(x)
    model.train()
    for handle in handles:
        handle.remove()
    model(x)
    assert not any("feature_std" in state for state in optimizer.state.values())


def test_a_tracked_run_goes_on_from_a_file_with_the_same_bits():
    whole, _ = in_turn(0, 8)
    half, optimizer = in_turn(0, 4)
    model = network(3)
    resumed = FGSGD(model.parameters())
    resumed.track(model)
    model.load_state_dict(half.state_dict())
    resumed.load_state_dict(optimizer.state_dict())
    train(model, resumed, 4, start=4)
    assert all(map(torch.equal, model.parameters(), whole.parameters()))


def test_a_deep_copy_of_model_and_optimizer_goes_its_own_way():
    model, optimizer = in_turn(0, 3)
    twin, twins = copy.deepcopy((model, optimizer))
    before = [p.clone() for p in model.parameters()]
    train(twin, twins, 3, start=3)
    assert all(map(torch.equal, model.parameters(), before))
    train(model, optimizer, 3, start=3)
    assert all(map(torch.equal, model.parameters(), twin.parameters()))


def test_groups_have_their_own_options():
    case = Case("sphere", "pio", ((6, 8), (8, 6, 3, 3)))
    first, second = (torch.nn.Parameter(torch.tensor(w)) for w in case.draw(1))
    optimizer = FGSGD(
        [
            {"params": [first], "lr": 0.0, "manifold": "stiefel", "grouping": "po"},
            {"params": [second], "positions": 9, "groups": 3, "decay": 1.0},
        ],
        lr=0.5,
    )
    before = first.detach().clone()
    for _ in range(3):
        for p in (first, second):
            p.grad = torch.sin(3 * p.detach())
        optimizer.step()
    torch.testing.assert_close(first.detach(), before, rtol=0, atol=1e-14)
    assert [group["step_size"] for group in optimizer.param_groups] == [0.0, 0.5 / 3]
    sets = manifolds.partition((8, 6, 3, 3), grouping="pio", groups=3, partition_seed=0, layer=1)
    assert len(sets.inputs) == 3
    sizes = second.detach().square().sum((2, 3)).sqrt()
    torch.testing.assert_close(sizes, torch.full_like(sizes, (6 * 9 + 8 * 9) ** -0.5), rtol=1e-14, atol=0)


def test_gradients_are_never_changed_and_parameters_without_one_stay():
    case = Case("stiefel", "pio")
    loop = Loop(case)
    loop.loss()
    loop.params[1].grad = None
    held = [p.grad.clone() for p in (loop.params[0], loop.params[2])]
    before = loop.weights()
    loop.optimizer.step()
    assert all(map(torch.equal, held, (loop.params[0].grad, loop.params[2].grad)))
    assert [np.array_equal(new, old) for new, old in zip(loop.weights(), before, strict=True)] == [False, True, False]


def test_a_scheduler_of_torch_sets_the_rate():
    loop = Loop(Case("sphere", "pio"))
    scheduler = torch.optim.lr_scheduler.StepLR(loop.optimizer, step_size=1, gamma=0.5)
    loop.run(1)
    scheduler.step()
    loop.run(1)
    assert loop.optimizer.param_groups[0]["step_size"] == pytest.approx(0.25 / 2**0.6)


@pytest.mark.parametrize("shape", [(4,), (), (4, 3, 2)], ids=str)
def test_a_parameter_without_components_is_named(shape):
    good, bad = torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(shape))
    with pytest.raises(InvalidArgumentError, match=r"parameter 1 has shape \(.*Give biases .* to another optimiser"):
        FGSGD([good, bad])
    with pytest.raises(InvalidArgumentError, match=r"parameter 'head\.bias' has shape"):
        FGSGD([("head.weight", good), ("head.bias", bad)])


def test_a_zero_parameter_is_named():
    with pytest.raises(InvalidArgumentError, match="a component of parameter 0 is zero"):
        FGSGD([torch.nn.Parameter(torch.zeros(3, 2))])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lr": -1.0}, "learning_rate must lie in"),
        ({"lr": "1"}, "learning_rate must be a number"),
        ({"decay": 0.5}, "decay must lie in"),
        ({"manifold": "cube"}, "manifold must be one of sphere, stiefel, oblique; got 'cube'"),
        ({"grouping": None}, "grouping must be one of"),
        ({"groups": 0}, "groups must lie in"),
        ({"groups": 2.0}, "groups must be an integer"),
        ({"positions": 0}, "positions must be an integer of at least 1; got 0"),
        ({"positions": 1.5}, "positions must be an integer"),
    ],
    ids=str,
)
def test_a_bad_option_raises(wrong, message):
    with pytest.raises(InvalidArgumentError, match=message):
        FGSGD([torch.nn.Parameter(torch.ones(2, 2))], **wrong)
    with pytest.raises(InvalidArgumentError, match=message):
        FGSGD([{"params": [torch.nn.Parameter(torch.ones(2, 2))], **wrong}])


def test_an_unknown_option_of_a_group_raises():
    with pytest.raises(InvalidArgumentError, match="no option 'learning_rate'"):
        FGSGD([{"params": [torch.nn.Parameter(torch.ones(2, 2))], "learning_rate": 0.1}])


def test_a_model_of_others_is_refused():
    with pytest.raises(InvalidArgumentError, match=r"track\(\) found no Linear or Conv2d"):
        FGSGD([torch.nn.Parameter(torch.ones(2, 2))]).track(network())
