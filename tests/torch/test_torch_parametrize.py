"""parametrize: the bound at every value of the variables, by certificates of its plain weights; manners of torch."""

import collections
import copy
import io
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import remove_parametrizations
from torch.utils._python_dispatch import TorchDispatchMode

from normbench import certify
from normbench.errors import InvalidArgumentError
from normbench.networks import Network
from normbench.specs.parametrisations import PARAMETRISATIONS
from normbench.torch import GeodesicLBFGS, Method1, OnlineLBFGS, PolarAverage, parametrize
from normbench.torch.declared import declared

BOUND = 7.0
WAYS = [
    (key, geometry.value) for key, found in PARAMETRISATIONS.items() if found.bounded for geometry in found.geometries
]
FREE = [way for way in WAYS if way[1] == "free"]
every_way = pytest.mark.parametrize(("key", "geometry"), WAYS, ids=["-".join(way) for way in WAYS])
free_ways = pytest.mark.parametrize(("key", "geometry"), FREE, ids=["-".join(way) for way in FREE])


def perceptron(widths=(5, 9, 4, 7, 3), activation=nn.ReLU, dtype=torch.float32, seed=0):
    torch.manual_seed(seed)
    layers = []
    for wide, narrow in itertools.pairwise(widths):
        layers += [nn.Linear(wide, narrow, dtype=dtype), activation()]
    return nn.Sequential(*layers[:-1])


def convolutional(dtype=torch.float32):
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.MaxPool2d(1),
        nn.Sequential(nn.Conv2d(4, 3, 2, stride=2), nn.LeakyReLU(0.1), nn.Identity()),
        nn.Flatten(),
        nn.Linear(12, 6),
        nn.Linear(6, 2, bias=False),
    ).to(dtype)


def variables(model):
    return [p for name, p in model.named_parameters() if ".original" in name]


def layers(model):
    return list(declared(model).weighted.values())


def weights_of(model):
    return [layer.weight.detach().double().cpu().numpy() for layer in layers(model)]


@torch.no_grad()
def thrown(model, key, geometry, size, seed):
    """Variables anywhere: of any size if they are free, else on the edge of their balls or on their spheres."""
    generator = torch.Generator().manual_seed(seed)
    for p in variables(model):
        scale = size if p.dim() > 1 else min(size, 3.0)  # psi is the logarithm of what it scales by
        p.copy_(scale * torch.randn(p.shape, generator=generator, dtype=p.dtype))  # the same on every device
        if geometry != "free":
            p.div_(torch.linalg.matrix_norm(p.double(), "fro" if geometry == "sphere" else 2))


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
@every_way
def test_the_bound_holds_at_every_value_of_the_variables(key, geometry, size):
    for seed, dtype in enumerate((torch.float32, torch.float64)):
        model = parametrize(perceptron(dtype=dtype), key, lipschitz=BOUND, geometry=geometry)
        thrown(model, key, geometry, size, seed)
        found = certify(weights_of(model)).bound
        assert found <= BOUND
        if key in ("spectral", "ball"):
            product = math.prod(np.linalg.norm(W, 2) for W in weights_of(model))
            assert product <= BOUND
            assert product == pytest.approx(BOUND, rel=1e-4)  # all of the bound is there to be used


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here")
@every_way
def test_the_bound_holds_on_a_gpu(key, geometry):
    """The weights of a moved module, certified in float64; in float32, too, they are those of a processor."""
    for seed, dtype in enumerate((torch.float32, torch.float64)):
        model = parametrize(perceptron(dtype=dtype), key, lipschitz=BOUND, geometry=geometry)
        thrown(model, key, geometry, 1.0, seed)
        there = copy.deepcopy(model).cuda()
        assert certify(weights_of(there)).bound <= BOUND
        for a, b in zip(weights_of(there), weights_of(model), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1000 * torch.finfo(dtype).eps * np.linalg.norm(b))


def test_a_share_that_is_too_large_is_seen():
    model = parametrize(perceptron(), "spectral", lipschitz=BOUND)
    layers(model)[1].parametrizations["weight"][0]._even *= 1 + 1e-4
    assert math.prod(np.linalg.norm(W, 2) for W in weights_of(model)) > BOUND


@every_way
def test_the_constant_of_the_network_itself_stays_below_the_bound(key, geometry):
    """Biases included, and inputs that the network was made to stretch the most."""
    model = parametrize(perceptron(activation=nn.Tanh, dtype=torch.float64), key, lipschitz=BOUND, geometry=geometry)
    thrown(model, key, geometry, 1.0, 0)
    x = torch.randn(64, 5, dtype=torch.float64) / 10
    largest = torch.func.vmap(torch.func.jacrev(model))(x)
    assert torch.linalg.matrix_norm(largest, 2).max() <= BOUND


@pytest.mark.parametrize(("key", "geometry"), [way for way in WAYS if way[0] != "sandwich"])
def test_convolutions_keep_the_bound_by_their_gains(key, geometry):
    model = parametrize(convolutional(), key, lipschitz=BOUND, geometry=geometry)
    thrown(model, key, geometry, 1.0, 0)
    network = declared(model).network
    assert Network((2, 8, 8), network.layers).lipschitz(weights_of(model)) <= BOUND
    assert network.gain == 3 * 0.5
    if key != "sphere":
        product = math.prod(np.linalg.norm(W.reshape(len(W), -1), 2) for W in weights_of(model))
        assert product * network.gain == pytest.approx(BOUND, rel=1e-4)
    x = torch.randn(8, 2, 8, 8)
    y = x + 1e-2 * torch.randn(x.shape)
    with torch.no_grad():
        change = (model(x) - model(y)).norm(dim=1) / (x - y).flatten(1).norm(dim=1)
    assert change.max() <= BOUND


@pytest.mark.parametrize(("named", "size", "pixels"), [("same", 3, 1), ("same", 5, 2), ("same", 1, 0), ("valid", 3, 0)])
def test_padding_by_its_name_is_that_in_pixels(named, size, pixels):
    """The exact norm of the convolution as a matrix stays below the bound, too."""
    makes = [nn.Conv2d(2, 3, size, padding=padding, bias=False) for padding in (named, pixels)]
    makes[1].load_state_dict(makes[0].state_dict())
    model, other = (parametrize(nn.Sequential(conv), "spectral", lipschitz=BOUND) for conv in makes)
    assert declared(model).network == declared(other).network
    torch.testing.assert_close(model[0].weight, other[0].weight, rtol=0, atol=0)
    matrix = torch.func.jacrev(model.double())(torch.zeros(1, 2, 6, 6).double()).reshape(-1, 72)
    assert torch.linalg.matrix_norm(matrix, 2) <= BOUND


@pytest.mark.parametrize(
    ("key", "geometry", "norms"),
    [
        ("ball", "stiefel", (0.5, 3.0, 1.0, 2.0)),
        ("sandwich", "stiefel", (0.5, 3.0, 1.0, 2.0)),
        ("spectral", "free", (0.5, 3.5, 2.0, 2.0 * (1 - 2e-6) ** 4)),
    ],
)
def test_a_network_within_the_bound_starts_as_the_function_that_it_is(key, geometry, norms):
    model = perceptron(dtype=torch.float64)
    for layer, size in zip(layers(model), norms, strict=True):
        layer.weight.data *= size / torch.linalg.matrix_norm(layer.weight.data, 2)
        nn.init.zeros_(layer.bias)
    x = torch.randn(20, 5, dtype=torch.float64)
    before = model(x)
    torch.testing.assert_close(parametrize(model, key, lipschitz=BOUND, geometry=geometry)(x), before)


@free_ways
def test_any_optimiser_trains_it_within_the_bound(key, geometry):
    x = torch.randn(60, 5, generator=torch.Generator().manual_seed(2))
    y = 5 * torch.stack([x[:, 0], x[:, 1] * x[:, 2], x[:, 3].abs()], 1)
    model = parametrize(perceptron(), key, lipschitz=BOUND)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        assert all(p.grad is not None for p in model.parameters())
    assert losses[-1] < 0.9 * losses[0]
    assert certify(weights_of(model)).bound <= BOUND


KEEPERS = {"stiefel": (GeodesicLBFGS, OnlineLBFGS, PolarAverage), "sphere": (Method1, GeodesicLBFGS)}

OPTIONS = {
    (GeodesicLBFGS, "stiefel"): {"radius": 1.0},
    (OnlineLBFGS, "stiefel"): {"radius": 1.0},
    (PolarAverage, "stiefel"): {"radius": 1.0},
    (GeodesicLBFGS, "sphere"): {"radius": 1.0, "manifold": "sphere"},
}


@pytest.mark.parametrize(
    ("key", "geometry", "kind"), [(*way, kind) for way in WAYS for kind in KEEPERS.get(way[1], ())]
)
def test_our_own_classes_keep_the_variables_where_the_bound_asks_for(key, geometry, kind):
    x = torch.randn(60, 5, generator=torch.Generator().manual_seed(2))
    y = 5 * torch.stack([x[:, 0], x[:, 1] * x[:, 2], x[:, 3].abs()], 1)
    model = parametrize(perceptron(), key, lipschitz=BOUND, geometry=geometry)
    optimizer = kind(variables(model), **OPTIONS.get((kind, geometry), {}))
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        losses.append((model(x) - y).square().mean().item())
        if optimizer.differentiates:
            optimizer.step(lambda: (model(x) - y).square().mean())
        else:
            (model(x) - y).square().mean().backward()
            optimizer.step()
    assert losses[-1] < losses[0]
    assert certify(weights_of(model)).bound <= BOUND


@every_way
def test_copies_files_and_casts_keep_the_function(key, geometry):
    model = parametrize(perceptron(), key, lipschitz=BOUND, geometry=geometry)
    x = torch.randn(10, 5)
    before = model(x)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = parametrize(perceptron(seed=5), key, lipschitz=BOUND, geometry=geometry)
    assert not torch.equal(other(x), before)
    other.load_state_dict(torch.load(file))
    assert torch.equal(other(x), before)
    bounded = parametrize(perceptron(seed=5), key, lipschitz=BOUND / 100, geometry=geometry)
    bounded.load_state_dict(model.state_dict())
    assert certify(weights_of(bounded)).bound <= BOUND / 100  # that of another is not loaded
    duplicate = copy.deepcopy(model)
    thrown(model, key, geometry, 1.0, 0)
    assert not torch.equal(model(x), before)
    assert torch.equal(duplicate(x), before)
    torch.testing.assert_close(duplicate.double()(x.double()).float(), before, rtol=1e-5, atol=1e-5)


@every_way
def test_the_plain_network_that_is_left_is_the_same_function_with_parameters(key, geometry):
    model = parametrize(perceptron(), key, lipschitz=BOUND, geometry=geometry)
    x = torch.randn(10, 5)
    before = model(x)
    for layer in layers(model):
        remove_parametrizations(layer, "weight", leave_parametrized=True)
    assert torch.equal(model(x), before)
    assert {name for name, _ in model.named_parameters()} == {name for name, _ in perceptron().named_parameters()}
    assert {type(layer) for layer in layers(model)} == {nn.Linear}
    assert certify(weights_of(model)).bound <= BOUND
    model(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_weight_that_is_set_keeps_the_bound_and_one_of_a_sandwich_is_refused():
    model = parametrize(perceptron(), "ball", lipschitz=16.0)
    layer = layers(model)[0]
    with torch.no_grad():
        layer.weight = 10 * torch.ones(9, 5)
    share = layer.parametrizations["weight"][0].share.item()
    assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(share, rel=1e-5)
    model = parametrize(perceptron(), "sandwich", lipschitz=16.0)
    with pytest.raises(InvalidArgumentError, match="depends on the layer before"):
        layers(model)[0].weight = torch.ones(9, 5)


@pytest.mark.parametrize("part", ["0.", "2.", "6."])
@free_ways
def test_a_state_that_is_loaded_in_part_keeps_the_bound(key, geometry, part):
    """Ratios of two networks need not go together."""
    model, other = (perceptron(seed=seed) for seed in (0, 1))
    with torch.no_grad():
        other[int(part[0])].weight.mul_(100)
    for each in (model, other):
        parametrize(each, key, lipschitz=BOUND, geometry=geometry)
    model.load_state_dict({k: v for k, v in other.state_dict().items() if k.startswith(part)}, strict=False)
    assert certify(weights_of(model)).bound <= BOUND
    if key == "spectral":
        assert math.prod(np.linalg.norm(W, 2) for W in weights_of(model)) == pytest.approx(BOUND, rel=1e-4)
    layers(model)[-1].load_state_dict(layers(other)[-1].state_dict())  # of a layer alone
    assert certify(weights_of(model)).bound <= BOUND
    model.load_state_dict(other.state_dict())
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(x), other(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every_way
def test_a_network_that_is_cast_to_half_precision_is_refused_where_it_would_leave_its_bound(key, geometry, dtype):
    model = parametrize(perceptron(), key, lipschitz=BOUND, geometry=geometry)
    x = torch.zeros(4, 5)
    with pytest.raises(
        InvalidArgumentError, match=r"is b?float16, whose rounding exceeds any bound. Keep it in float3"
    ):
        model.to(dtype)(x.to(dtype))
    model.float()  # ratios and variables have lost digits by then
    if geometry == "free":
        assert certify(weights_of(model)).bound <= BOUND


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@every_way
def test_a_variable_that_is_not_finite_shows_in_its_weights_and_is_no_error(key, geometry, bad):
    model = parametrize(perceptron(), key, lipschitz=BOUND, geometry=geometry)
    state = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        variables(model)[0].view(-1)[0] = bad
    assert np.isnan(weights_of(model)[0]).all()
    assert model(torch.ones(2, 5)).isnan().all()
    model.load_state_dict(state)  # and the run goes on
    model(torch.ones(2, 5)).sum().backward()
    assert all(p.grad.isfinite().all() for p in variables(model))


class Operators(TorchDispatchMode):
    """Counts what torch runs, by name."""

    def __init__(self):
        super().__init__()
        self.counts = collections.Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.counts[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


@every_way
def test_a_pass_on_a_processor_decomposes_once_and_masks_nothing(key, geometry):
    """Shares are known from the pass before, and one sum of a variable says that all of it is finite."""
    model = parametrize(perceptron(), key, lipschitz=BOUND, geometry=geometry)
    model(torch.ones(2, 5))
    with Operators() as ran:
        model(torch.ones(2, 5)).sum().backward()
    count = len(layers(model))
    masks = ("where", "isfinite", "logical_and", "log", "stack")
    assert not [name for name in masks if ran.counts[name]], ran.counts
    assert ran.counts["_linalg_svd"] == (count if key in ("spectral", "bjorck") else 0)
    links = count - 1  # of a layer's variables to the layer behind it
    assert ran.counts["linalg_inv_ex"] == (count + links if (key, geometry) == ("sandwich", "free") else 0)


@pytest.mark.parametrize(("key", "geometry"), [("spectral", "free"), ("ball", "stiefel"), ("sandwich", "free")])
def test_of_models_in_a_batch_only_the_one_with_a_variable_that_is_not_finite_is_lost(key, geometry):
    """Under vmap nobody may look at a number."""
    models = [parametrize(perceptron(seed=seed), key, lipschitz=BOUND, geometry=geometry) for seed in (0, 1)]
    with torch.no_grad():
        variables(models[1])[0].view(-1)[0] = math.inf
    params, buffers = torch.func.stack_module_state(models)
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    found = torch.func.vmap(lambda *own: torch.func.functional_call(models[0], own, (x,)))(params, buffers)
    torch.testing.assert_close(found[0], models[0](x))
    assert found[1].isnan().all()


def test_a_ratio_changed_in_whatever_way_changes_the_share():
    model = parametrize(perceptron(), "ball", lipschitz=BOUND)
    x = torch.ones(2, 5)
    model(x)
    ratio = layers(model)[0].parametrizations["weight"][0].ratio
    version = ratio._version
    ratio.data.mul_(100.0)
    assert ratio._version == version  # nothing but its value says so
    assert certify(weights_of(model)).bound <= BOUND
    ratio.requires_grad_()
    (gradient,) = torch.autograd.grad(model(x).sum(), ratio)
    assert gradient.isfinite()
    assert gradient != 0
