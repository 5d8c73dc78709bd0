"""The torch.optim classes on convolution kernels: the reference's numbers, and the constants of method 2."""

import math

import numpy as np
import pytest
import torch
from torch_convnet import GAIN, convnet, cross_entropy, images, mean_square, square_loss

from normbench.problems.problem import Weights
from normbench.reference.spheres import exponential_map
from normbench.torch import AGD, LARS, Fromage, Method1, Method2, Method2Exp
from normbench.torch.optimizers.gate import torch_names
from tests.oracle import reference_step

STEPS = 20
TIGHT = 1e-12
LINE_SEARCH = 1e-9  # relative to tau, see normbench/torch/updates/method2.py

UPDATES = {
    "agd": (AGD, {}),
    "method2": (Method2, {}),
    "method2_exp": (Method2Exp, {}),
    "fromage": (Fromage, {"learning_rate": 0.05, "p_bound": 1.0}),
    "lars": (LARS, {"learning_rate": 0.01}),
}


def optimizer(key, parameters, **constants):
    kind, hyper = UPDATES[key]
    return kind(parameters, **torch_names(hyper), **constants)


def arrays(tensors):
    return tuple(t.detach().double().numpy().copy() for t in tensors)


@pytest.mark.parametrize("key", UPDATES)
@pytest.mark.parametrize("loss", [square_loss, cross_entropy], ids=["square", "cross-entropy"])
def test_every_step_on_a_convolutional_network_is_the_references(key, loss):
    model, (x, y) = convnet(0), images(0)
    majorising = key.startswith("method2")
    constants = {"mean_square_input": mean_square(x), "gain": GAIN, "curvature": 0.8} if majorising else {}
    made = optimizer(key, model.parameters(), **constants)
    start, moved = arrays(model.parameters()), 0.0
    for _ in range(STEPS):
        made.zero_grad()
        loss(model(x), y).backward()
        before, gradient = arrays(model.parameters()), arrays(p.grad for p in model.parameters())
        made.step()
        Q = 0.8 * GAIN**2 * mean_square(x)
        expected, _ = reference_step(key, gradient, before, start=start, Q=Q, **UPDATES[key][1])
        for new, old, wanted in zip(arrays(model.parameters()), before, expected, strict=True):
            step = np.linalg.norm(wanted - old)
            tolerance = TIGHT * np.linalg.norm(wanted) + LINE_SEARCH * step * (key == "method2")
            assert np.linalg.norm(new - wanted) <= tolerance
            moved = max(moved, step)
    assert moved > 1e-4


@pytest.mark.parametrize("key", ["method2", "method2_exp", "agd", "fromage", "lars"])
@pytest.mark.parametrize("shape", [(4, 2, 3), (3, 2, 2, 2, 2)], ids=["1-D", "3-D"])
def test_kernels_of_other_dimensions_are_kernels_too(key, shape):
    rng = np.random.default_rng(3)
    weights, gradient = (tuple(rng.normal(size=s) for s in (shape, (2, 4))) for _ in range(2))
    expected, _ = reference_step(key, gradient, weights, Q=math.prod(shape[2:]), **UPDATES[key][1])
    assert_one_step(key, weights, gradient, expected)


def assert_one_step(key, weights: Weights, gradient: Weights, expected: Weights):
    parameters = [torch.nn.Parameter(torch.tensor(w)) for w in weights]
    for p, g in zip(parameters, gradient, strict=True):
        p.grad = torch.tensor(g)
    optimizer(key, parameters).step()
    for new, wanted in zip(arrays(parameters), expected, strict=True):
        np.testing.assert_allclose(new, wanted, rtol=1e-11)


def test_a_position_of_a_kernel_without_a_gradient_rests_under_agd():
    rng = np.random.default_rng(4)
    weights, gradient = (tuple(rng.normal(size=s) for s in ((4, 2, 3, 2), (3, 4))) for _ in range(2))
    gradient[0][:, :, 1, 0] = 0.0
    expected, _ = reference_step("agd", gradient, weights)
    assert (expected[0] == weights[0]).all(axis=(0, 1)).tolist() == [[False, False], [True, False], [False, False]]
    assert_one_step("agd", weights, gradient, expected)


@pytest.mark.parametrize("optimizer_of", [Method2, Method2Exp])
def test_without_a_gain_every_kernel_counts_with_the_root_of_its_area(optimizer_of):
    optimizer = optimizer_of(convnet(0).parameters())
    assert optimizer.param_groups[0]["gain"] == pytest.approx(math.sqrt(3 * 2 * 2 * 2))


def test_kernels_in_channels_last_order_move_alike():
    results = []
    for order in (torch.contiguous_format, torch.channels_last):
        model, (x, y) = convnet(1).to(memory_format=order), images(1)
        optimizers = [AGD([model[0].weight]), Fromage([model[3].weight]), Method2([model[6].weight])]
        square_loss(model(x.to(memory_format=order)), y).backward()
        for optimizer in optimizers:
            optimizer.step()
        results.append(arrays(model.parameters()))
    for left, right in zip(*results, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12)


def test_method1_keeps_the_norm_of_a_kernel():
    model, (x, y) = convnet(0), images(0)
    norms = [p.norm().item() for p in model.parameters()]
    optimizer = Method1(model.parameters())
    losses = [optimizer.step(lambda: square_loss(model(x), y)).item() for _ in range(20)]
    assert losses[-1] < 0.95 * losses[0]
    assert [p.norm().item() for p in model.parameters()] == pytest.approx(norms, rel=1e-14)


@pytest.mark.parametrize("angle", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_constants_bound_what_a_step_does_to_the_outputs(seed, angle):
    """||df(x)|| <= gain (P1 - P2) ||x|| for every sample: Lemma 4 of arXiv 2304.05187, operator norms as they are."""
    model, (x, _) = convnet(seed), images(seed)
    rng = np.random.default_rng([seed, 41])
    weights = arrays(model.parameters())
    with torch.no_grad():
        before, moved = model(x), []
        for p, W in zip(model.parameters(), weights, strict=True):
            G = rng.normal(size=W.shape)
            tangent = G - np.vdot(W, G) / np.vdot(W, W) * W
            radius = float(np.linalg.norm(W))
            moved.append(exponential_map(W, radius * tangent / np.linalg.norm(tangent), angle, radius=radius))
            p.copy_(torch.tensor(moved[-1]))
        changes = (model(x) - before).norm(dim=1) / x.flatten(1).norm(dim=1)
    norms, steps = (
        [np.linalg.norm(m.reshape(len(m), -1), 2) for m in of]
        for of in (weights, [new - old for new, old in zip(moved, weights, strict=True)])
    )
    bound = math.prod(n + s for n, s in zip(norms, steps, strict=True)) - math.prod(norms)
    assert changes.max().item() <= GAIN * bound


@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("of", ["outputs", "weights"])
def test_cross_entropy_has_curvature_one(size, of):
    """L(f + df) <= L(f) + <gradient, df> + mean ||df||^2 / 2: Corollary 2 of arXiv 2304.05187, without remainder."""
    (x, y), generator = images(2, samples=500), torch.Generator().manual_seed(7)
    model = convnet(2)
    outputs = (5 * model(x)).detach().requires_grad_()
    if of == "outputs":
        change = size * torch.randn(outputs.shape, generator=generator, dtype=outputs.dtype)
    else:
        for p in model.parameters():
            p.data += size * p.norm() * torch.randn(p.shape, generator=generator, dtype=p.dtype) / p.numel() ** 0.5
        change = (5 * model(x) - outputs).detach()
    (gradient,) = torch.autograd.grad(cross_entropy(outputs, y), outputs)
    majorant = cross_entropy(outputs, y) + (gradient * change).sum() + change.square().sum() / (2 * len(y))
    assert cross_entropy(outputs + change, y) <= majorant


@pytest.mark.parametrize("optimizer_of", [Method2, Method2Exp])
@pytest.mark.parametrize("loss", ["cross-entropy", "mean-square"])
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_of_a_linear_model_never_rises(optimizer_of, loss, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((40, 6), generator=generator, dtype=torch.float64)
    y = torch.randint(4, (40,), generator=generator)
    weight = torch.nn.Parameter(torch.randn((4, 6), generator=generator, dtype=torch.float64))
    curvature = {"cross-entropy": 1.0, "mean-square": 2 / 4}[loss]
    optimizer = optimizer_of([weight], mean_square_input=mean_square(x), curvature=curvature)
    one_hot = torch.nn.functional.one_hot(y, 4).double()
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        outputs = x @ weight.T
        value = (
            torch.nn.functional.cross_entropy(outputs, y)
            if loss == "cross-entropy"
            else torch.nn.functional.mse_loss(outputs, one_hot)
        )
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert (np.diff(losses) <= 0).all()
    assert losses[-1] < losses[0]
