"""Method1 on any module and any closure: both ways to its derivatives, flat parameters, and data in parts."""

import copy
import itertools

import pytest
import torch
from torch import nn
from torch_convnet import convnet, cross_entropy, images
from torch_loop import Loop, same

from normbench.torch import Method1
from normbench.torch.optimizers.closure import ClosureCurve

TIGHT = 1e-10

# torch loads its own scripts on the first use of forward mode
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 6)
        self.block = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, activation="gelu", batch_first=True)
        self.head = nn.Linear(6, 7)

    def forward(self, tokens):
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], dtype=torch.float64)
        return self.head(self.block(self.embedding(tokens), src_mask=mask, is_causal=True)).flatten(0, 1)


def normalised():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.Tanh(),
        nn.Conv2d(4, 3, 2, bias=False),
        nn.InstanceNorm2d(3, affine=True),
        nn.Flatten(),
        nn.Linear(27, 5),
        nn.LayerNorm(5),
        nn.GELU(),
        nn.Linear(5, 3),
    )


def any_model(name):
    """A module, a closure, and groups: weights on spheres, biases and gains flat."""
    torch.manual_seed(4)
    tokens = torch.randint(7, (5, 4))
    x, y = images(0)
    models = {"normalised": normalised, "attention": Attention, "convnet": lambda: convnet(0)}
    data = {"attention": (tokens, tokens.roll(-1, 1).flatten())}.get(name, (x, y.argmax(dim=1)))
    model = models[name]().double()
    flat = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": [p for p in model.parameters() if p.dim() >= 2]}]
    if flat:
        groups.append({"params": flat, "manifold": "euclidean", "radius": 0.5})
    return model, groups, lambda: nn.functional.cross_entropy(model(data[0]), data[1])


def run(optimizer, closure, steps):
    losses = [optimizer.step(closure).item() for _ in range(steps)]
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert losses[-1] < losses[0]
    return losses, optimizer.param_groups[0]["step_size"]


@pytest.mark.parametrize("order", [2, 3, 4])
def test_walks_any_module_down_without_changing_a_norm(order):
    model, x, y = convnet(1), *images(1)
    for module in (nn.Tanh(), nn.Softplus()):
        model.append(module)
    norms = [p.norm().item() for p in model.parameters()]
    losses, _ = run(Method1(model.parameters(), order=order), lambda: cross_entropy(model(x), y), 20)
    assert losses[-1] < 0.98 * losses[0]
    assert [p.norm().item() for p in model.parameters()] == pytest.approx(norms, rel=1e-14)


@pytest.mark.parametrize(("name", "order"), [("normalised", 2), ("attention", 4), ("convnet", 3)])
def test_both_ways_to_the_derivatives_make_the_same_run(name, order):
    results = []
    for forward in (False, True):
        model, groups, closure = any_model(name)
        optimizer = Method1(groups, order=order, module=model if forward else None)
        results.append((*run(optimizer, closure, 2), list(model.parameters())))
    (losses, tau, weights), (other_losses, other_tau, other_weights) = results
    assert other_losses == pytest.approx(losses, rel=TIGHT)
    assert other_tau == pytest.approx(tau, rel=TIGHT)
    for w, other in zip(weights, other_weights, strict=True):
        torch.testing.assert_close(other, w, rtol=TIGHT, atol=TIGHT)


@pytest.mark.parametrize("forward", [False, True], ids=["reverse", "forward"])
@pytest.mark.parametrize("name", ["normalised", "attention"])
def test_derivatives_along_the_curve_are_those_of_differences(name, forward):
    model, groups, closure = any_model(name)
    layers = [p for group in groups for p in group["params"]]
    generator = torch.Generator().manual_seed(5)
    velocity = [torch.randn(p.shape, generator=generator, dtype=p.dtype) / 10 for p in layers]
    bending = [p.dim() >= 2 for p in layers]
    module = model if forward else None
    curve = ClosureCurve(layers, [closure], module, lambda tensors: tensors, name="Method1", verified=True)
    with torch.no_grad():
        start = curve.start()
        found = curve.curve_derivatives(start, curve.slope(start), velocity, bending, 4)

        def loss(t):
            t = torch.tensor(t, dtype=torch.float64)
            point = [
                w * t.cos() + v * t.sin() if bends else w + v * t
                for w, v, bends in zip(start.weights, velocity, bending, strict=True)
            ]
            return curve.point(point).loss.item()

        h = 0.02
        f = {k: loss(k * h) for k in range(-4, 5)}
    # central differences of sixth order, of fourth for the higher derivatives
    first = (45 * (f[1] - f[-1]) - 9 * (f[2] - f[-2]) + f[3] - f[-3]) / (60 * h)
    second = (270 * (f[1] + f[-1]) - 27 * (f[2] + f[-2]) + 2 * (f[3] + f[-3]) - 490 * f[0]) / (180 * h**2)
    third = (-488 * (f[1] - f[-1]) + 338 * (f[2] - f[-2]) - 72 * (f[3] - f[-3]) + 7 * (f[4] - f[-4])) / (240 * h**3)
    fourth = (
        1952 * (f[1] + f[-1]) - 676 * (f[2] + f[-2]) + 96 * (f[3] + f[-3]) - 7 * (f[4] + f[-4]) - 2730 * f[0]
    ) / -(240 * h**4)
    assert found == pytest.approx([first, second, third, fourth], rel=1e-3)


@pytest.mark.parametrize("order", [2, 4])
def test_in_forward_mode_a_perceptron_follows_the_reference(case_of, deviation, order):
    case = case_of("method1", {"order": order})
    loop = Loop(case)
    loop.optimizer = Method1(loop.model.parameters(), order=order, module=loop.model)
    assert deviation(case.reference(4), *loop.run(4).results()) <= TIGHT


class OnlyBackward(torch.autograd.Function):
    """tanh with a derivative of its own, as users write it, but none in forward mode."""

    @staticmethod
    def forward(x):
        return x.tanh()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (1 - x.tanh().square())


def test_an_operator_without_forward_mode_turns_it_off_with_a_reason():
    class Odd(nn.Module):
        def forward(self, x):
            return OnlyBackward.apply(x)

    x, y = images(0)
    models = [nn.Sequential(convnet(0), Odd()) for _ in range(2)]
    closures = [lambda m=model: cross_entropy(m(x), y) for model in models]
    optimizer = Method1(models[0].parameters(), module=models[0])
    with pytest.warns(RuntimeWarning, match="in reverse mode from now on, .* because it is not implemented"):
        optimizer.step(closures[0])
    run(optimizer, closures[0], 2)  # without a second warning
    run(Method1(models[1].parameters()), closures[1], 3)
    assert same(models[0].parameters(), models[1].parameters())


def test_a_closure_that_goes_past_the_module_is_found_out():
    model, (x, y) = convnet(0), images(0)
    first = model[0].weight
    optimizer = Method1(model.parameters(), module=model)
    with pytest.warns(RuntimeWarning, match="does not reach all parameters through module"):
        optimizer.step(lambda: cross_entropy(model(x), y) + first.square().sum(dim=(1, 2, 3)).sin().sum())
    assert optimizer.param_groups[0]["step_size"] > 0


@pytest.mark.parametrize("forward", [False, True], ids=["reverse", "forward"])
def test_a_closure_for_every_part_of_the_data_makes_the_same_step(forward):
    (x, y), results = images(0), []
    for parts in (1, 3):
        model = convnet(0)

        def closure(rows, model=model):
            return cross_entropy(model(x[rows]), y[rows]) * len(rows) / len(x)

        closures = [lambda r=r, c=closure: c(r) for r in torch.arange(len(x)).split(len(x) // parts)]
        optimizer = Method1(model.parameters(), order=3, module=model if forward else None)
        results.append((run(optimizer, closures[0] if parts == 1 else closures, 2), list(model.parameters())))
    ((losses, tau), weights), ((other_losses, other_tau), other_weights) = results
    assert other_losses == pytest.approx(losses, rel=1e-12)
    assert other_tau == pytest.approx(tau, rel=1e-12)
    for w, other in zip(weights, other_weights, strict=True):
        torch.testing.assert_close(other, w, rtol=1e-12, atol=1e-12)


class Kept:
    """A tensor that a graph holds on to; counts how much is held at a time."""

    now = most = 0

    def __init__(self, tensor):
        self.tensor = tensor.detach()
        Kept.now += tensor.numel()
        Kept.most = max(Kept.most, Kept.now)

    def __del__(self):
        Kept.now -= self.tensor.numel()


def test_graphs_of_the_parts_are_not_in_memory_together():
    (x, y), most = images(0), []
    for parts in (1, 4):
        model = convnet(0)
        optimizer = Method1(model.parameters())
        closures = [lambda m=model: cross_entropy(m(x), y)] * parts
        Kept.now = Kept.most = 0
        with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
            optimizer.step(closures)
        most.append(Kept.most)
    assert most[1] <= 1.1 * most[0]


def test_flat_parameters_begin_at_zero_and_move_along_their_gradient():
    torch.manual_seed(3)
    model, (x, y) = nn.Sequential(nn.Flatten(), nn.Linear(72, 5), nn.Tanh(), nn.Linear(5, 3)).double(), images(0)
    biases = [model[1].bias, model[3].bias]
    for bias in biases:
        nn.init.zeros_(bias)
    groups = [{"params": [model[1].weight, model[3].weight]}]
    groups += [{"params": [b], "manifold": "euclidean", "radius": r} for b, r in zip(biases, (1.0, 0.25), strict=True)]
    optimizer = Method1(groups)
    gradients = torch.autograd.grad(cross_entropy(model(x), y), biases)
    optimizer.step(lambda: cross_entropy(model(x), y))
    tau = optimizer.param_groups[0]["step_size"]
    for bias, g, radius in zip(biases, gradients, (1.0, 0.25), strict=True):
        torch.testing.assert_close(bias.detach(), -tau * radius * g / g.norm(), rtol=1e-12, atol=0)


def test_a_copy_of_model_and_optimizer_differentiates_its_own_module():
    model, groups, _ = any_model("convnet")
    x, y = images(0)
    pair = model, Method1(groups, module=model)
    pair[1].step(lambda: cross_entropy(model(x), y))
    (other, optimizer), before = copy.deepcopy(pair), list(copy.deepcopy(model).parameters())
    for m, o in (pair, (other, optimizer)):
        o.step(lambda m=m: cross_entropy(m(x), y))
    assert same(model.parameters(), other.parameters())
    assert not same(model.parameters(), before)


def test_under_autocast_around_the_step_every_loss_is_that_of_the_present_weights():
    results = []
    for around in (False, True):
        model, (x, y) = convnet(0, torch.float32), images(0, dtype=torch.float32)
        optimizer = Method1(model.parameters())

        def closure(model=model, x=x, y=y, inside=not around):
            with torch.autocast("cpu", torch.bfloat16, enabled=inside or torch.is_autocast_enabled("cpu")):
                return cross_entropy(model(x).float(), y)

        with torch.autocast("cpu", torch.bfloat16, enabled=around):
            results.append([optimizer.step(closure).item() for _ in range(5)])
        assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert results[0] == results[1]
    assert results[0][-1] < results[0][0]
