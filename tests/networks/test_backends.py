"""Torch and JAX give every network the same meaning: outputs, losses, gradients and second derivatives."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from normbench.errors import InvalidArgumentError
from normbench.jax.benchmark import network as jax_network
from normbench.networks import Loss, Network, transformer
from normbench.networks.activations import Relu
from normbench.networks.base import Layer, Residual
from normbench.networks.layers import BatchNorm, Convolution, Dense, Flatten, MaxPool
from normbench.torch.benchmark import network as torch_network
from tests.networks.examples import ALL, draw_inputs, draw_weights, one_hot

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

CLASSIFIERS = {"perceptron", "convolutional", "strided", "bent", "normed", "vgg16"}
CLOSE = {"rtol": 1e-10, "atol": 1e-10}
TWICE = {name: ALL[name] for name in ("strided", "bent", "projections")} | {  # together every kind of layer
    "normed": Network(
        (2, 4, 6), (Convolution(2, 3), BatchNorm(), Relu(), MaxPool(2), Convolution(3, 4), Flatten(), Dense(24, 3))
    ),
    "transformer": transformer(7, width=4, heads=2, depth=1, hidden=5, length=3),
}
# The two deep ones make the same runs in both, of steps that see every gradient, in test_tasks_end_to_end.py.
ONCE = {name: network for name, network in ALL.items() if name not in ("vgg16", "resnet18")} | TWICE


def targets_for(name: str, network: Network, rng: np.random.Generator) -> tuple[Loss, np.ndarray]:
    if name in CLASSIFIERS:
        return Loss.CROSS_ENTROPY, one_hot(network.output_shape[0], rng)
    if name == "transformer":
        return Loss.CROSS_ENTROPY, rng.integers(network.output_shape[-1], size=(6, *network.input_shape))
    return Loss.SQUARE, rng.normal(size=(6, *network.output_shape))


class Setting:
    """A network, weights, directions, samples, and its loss in both backends."""

    def __init__(self, name: str, networks: Mapping[str, Network] = ALL) -> None:
        rng = np.random.default_rng(0)
        self.network = networks[name]
        self.weights, self.velocity = draw_weights(self.network, rng), draw_weights(self.network, rng)
        self.x = draw_inputs(self.network, rng)
        self.loss, self.y = targets_for(name, self.network, rng)
        self.model = torch_network.build(self.network, self.weights, dtype=torch.float64, device="cpu")

    def torch_loss(self, weights: Sequence[torch.Tensor]) -> torch.Tensor:
        named = dict(zip((name for name, _ in self.model.named_parameters()), weights, strict=True))
        outputs = torch.func.functional_call(self.model, named, (torch.tensor(self.x),))
        return torch_network.loss_value(self.loss, outputs, torch.tensor(self.y), 1.7)

    def jax_loss(self, weights: Sequence[jax.Array]) -> tuple[jax.Array, jax.Array]:
        """With the outputs."""
        outputs = jax_network.apply(self.network, weights, jnp.asarray(self.x))
        return jax_network.loss_value(self.loss, outputs, jnp.asarray(self.y), 1.7), outputs


@pytest.mark.parametrize("name", ONCE)
def test_outputs_losses_and_gradients_agree(name: str) -> None:
    setting = Setting(name, ONCE)
    leaves = list(setting.model.parameters())
    value = setting.torch_loss(leaves)
    gradient = torch.autograd.grad(value, leaves)
    with jax.enable_x64(True):
        evaluate = jax.jit(jax.value_and_grad(setting.jax_loss, has_aux=True))
        (expected, outputs), expected_gradient = evaluate(tuple(map(jnp.asarray, setting.weights)))
    assert outputs.shape == (len(setting.x), *setting.network.output_shape)
    np.testing.assert_allclose(setting.model(torch.tensor(setting.x)).detach(), outputs, **CLOSE)
    np.testing.assert_allclose(value.item(), expected, **CLOSE)
    for ours, theirs in zip(gradient, expected_gradient, strict=True):
        assert np.abs(theirs).max() > 1e-6  # no weight is idle
        np.testing.assert_allclose(ours, theirs, **CLOSE)


def kinds(layers: Sequence[Layer]) -> set[type]:
    """Of layers, and of those inside residual blocks."""
    inner = [part for layer in layers if isinstance(layer, Residual) for part in (*layer.body, *layer.shortcut)]
    return {type(layer) for layer in layers} | (kinds(inner) if inner else set())


def test_every_kind_of_layer_is_differentiated_once_and_twice() -> None:
    found = ({kind for each in networks.values() for kind in kinds(each.layers)} for networks in (ONCE, TWICE, ALL))
    once, twice, every = found
    assert once == twice == every


@pytest.mark.parametrize("name", TWICE)
def test_second_derivatives_agree_forwards_and_backwards(name: str) -> None:
    """d^2/dt^2 of the loss at W + t V: forward mode twice in both backends, and reverse mode twice in torch."""
    setting = Setting(name, TWICE)
    weights, velocity = ([torch.tensor(a) for a in arrays] for arrays in (setting.weights, setting.velocity))

    def torch_along(t: torch.Tensor) -> torch.Tensor:
        return setting.torch_loss([w + t * v for w, v in zip(weights, velocity, strict=True)])

    zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(torch_along(zero), zero, create_graph=True)
    (expected,) = torch.autograd.grad(slope, zero)
    found = forward_derivative(torch.func.jvp, forward_derivative(torch.func.jvp, torch_along))(zero.detach())
    assert found.item() == pytest.approx(expected.item(), rel=1e-9)

    def jax_along(t: jax.Array) -> jax.Array:
        return setting.jax_loss([w + t * v for w, v in zip(setting.weights, setting.velocity, strict=True)])[0]

    with jax.enable_x64(True):
        twice = forward_derivative(jax.jvp, forward_derivative(jax.jvp, jax_along))
        found = jax.jit(twice)(jnp.asarray(0.0))
    assert float(found) == pytest.approx(expected.item(), rel=1e-9)


def forward_derivative(jvp: Callable, function: Callable) -> Callable:
    """df/dt by forward mode of either backend."""
    return lambda t: jvp(function, (t,), (t * 0 + 1,))[1]


@pytest.mark.parametrize("name", ["vgg16", "transformer", "generator"])
def test_parameters_come_in_the_order_of_the_weights_and_no_random_number_is_drawn(name: str) -> None:
    setting, state = Setting(name), torch.get_rng_state()
    model = torch_network.build(setting.network, setting.weights, dtype=torch.float32, device="cpu")
    assert torch.equal(torch.get_rng_state(), state)
    for parameter, weight in zip(model.parameters(), setting.weights, strict=True):
        assert parameter.dtype == torch.float32
        np.testing.assert_array_equal(parameter.detach().numpy(), weight.astype(np.float32))
    outputs = model(torch.tensor(setting.x if name == "transformer" else setting.x.astype(np.float32)))
    assert outputs.dtype == torch.float32


def test_jax_vmaps_over_weights_and_keeps_float32() -> None:
    setting = Setting("convolutional")
    stacked = tuple(np.stack([w, 2 * w]).astype(np.float32) for w in setting.weights)
    x = setting.x.astype(np.float32)
    both = jax.jit(jax.vmap(lambda weights: jax_network.apply(setting.network, weights, x)))(stacked)
    assert both.dtype == jnp.float32
    both = np.asarray(both)
    np.testing.assert_allclose(both[1], 2 ** len(stacked) * both[0], rtol=1e-5)


def test_a_token_sees_the_past_only() -> None:
    network = transformer(9, width=6, heads=3, depth=2, hidden=4, length=5)
    rng = np.random.default_rng(0)
    model = torch_network.build(network, draw_weights(network, rng), dtype=torch.float64, device="cpu")
    tokens = torch.tensor(rng.integers(9, size=(1, 5)))
    changed = tokens.clone()
    changed[0, 3] = (tokens[0, 3] + 1) % 9
    apart = (model(tokens) - model(changed)).abs().amax(dim=2)[0]
    assert (apart[:3] == 0).all()
    assert (apart[3:] > 0).all()
    torch.testing.assert_close(model(tokens[:, :3]), model(tokens)[:, :3])  # a shorter text is the same text


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (MaxPool(2), [[1, 0, 0, 1], [0, 0, 0, 0]]),
        (MaxPool(2, stride=1), [[1, 1, 0, 1], [0, 0, 0, 0]]),
        (MaxPool(3, stride=2, padding=1), [[1, 1, 0, 0], [0, 0, 0, 0]]),
    ],
)
def test_of_equal_pixels_the_first_has_the_derivative_in_both(pool: MaxPool, expected: list[list[int]]) -> None:
    network = Network((1, 2, 4), (pool,))
    x = np.array([[[[3.0, 3.0, 1.0, 2.0], [3.0, 0.0, 2.0, 2.0]]]]) - 5.0  # below what stands for padding elsewhere
    leaf = torch.tensor(x, requires_grad=True)
    torch_network.build(network, (), dtype=torch.float64, device="cpu")(leaf).sum().backward()
    found = np.asarray(jax.jit(jax.grad(lambda x: jax_network.apply(network, (), x).sum()))(x))
    np.testing.assert_array_equal(leaf.grad, found)
    np.testing.assert_array_equal(found[0, 0], expected)


def test_losses_follow_their_formulas() -> None:
    rng = np.random.default_rng(0)
    outputs, y, classes = rng.normal(size=(4, 5, 3)), rng.normal(size=(4, 5, 3)), rng.integers(3, size=(4, 5))
    logs = outputs - np.log(np.exp(outputs).sum(axis=-1, keepdims=True))
    expected = {
        "square": ((outputs - y) ** 2).sum() / (2 * 1.7 * 4),
        "classes": -np.mean([logs[i, j, classes[i, j]] for i in range(4) for j in range(5)]),
    }
    with jax.enable_x64(True):
        of_jax = jax.jit(jax_network.loss_value, static_argnums=0)
        for value, array in ((torch_network.loss_value, torch.tensor), (of_jax, np.asarray)):
            square = value(Loss.SQUARE, array(outputs), array(y), 1.7)
            indexed = value(Loss.CROSS_ENTROPY, array(outputs), array(classes), 1.7)
            rows = value(Loss.CROSS_ENTROPY, array(outputs), array(np.eye(3)[classes]), 1.7)
            assert float(square) == pytest.approx(expected["square"], rel=1e-13)
            assert float(indexed) == pytest.approx(expected["classes"], rel=1e-13)
            assert float(rows) == pytest.approx(expected["classes"], rel=1e-13)


def test_both_backends_refuse_weights_of_other_shapes() -> None:
    network = ALL["perceptron"]
    with pytest.raises(InvalidArgumentError, match="weight_shapes"):
        torch_network.build(network, (np.eye(2),), dtype=torch.float64, device="cpu")
    with pytest.raises(InvalidArgumentError, match="weight_shapes"):
        jax_network.apply(network, (jnp.eye(2),), jnp.ones((1, 6)))
